"""Microsoft Graph's front: from an HTTP request to a handler's reply, errors in Graph's form."""

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from emulator import (
    graph_applications,
    graph_deleted_items,
    graph_directory,
    graph_federation,
    graph_grants,
    graph_passwords,
    graph_principals,
    odata_path,
)
from emulator.cloud import Cloud
from emulator.graph_auth import caller_of
from emulator.graph_call import Call, Reply
from emulator.graph_router import Router, normalised
from emulator.history import Exchange
from emulator.odata import Options
from emulator.odata_path import Segment
from emulator.problems import GraphProblem, bad_request
from emulator.replicas import View
from emulator.tenant import Tenant

_JSON = (
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;"
    "charset=utf-8"
)


class Graph:
    """Graph v1.0 and beta for all tenants; the token says which one."""

    def __init__(self, cloud: Cloud, origins: frozenset[str]) -> None:
        self._cloud = cloud
        self._audiences = origins | frozenset(f"{origin}/" for origin in origins)
        self._router = Router(
            (
                *graph_applications.ROUTES,
                *graph_passwords.ROUTES,
                *graph_federation.ROUTES,
                *graph_principals.ROUTES,
                *graph_grants.ROUTES,
                *graph_deleted_items.ROUTES,
                *graph_directory.ROUTES,
            )
        )

    async def respond(self, request: Request) -> Response:
        """Answer one HTTP request."""
        exchange: Exchange = request.scope["emulator.exchange"]
        headers = dict(request.headers)
        request_id = str(uuid.uuid4())
        client_request_id = headers.get("client-request-id", request_id)
        try:
            body = _json(await request.body(), headers)
            reply = self.answer(
                exchange,
                request.method,
                request.scope["raw_path"].decode("ascii"),
                request.scope["query_string"].decode("ascii"),
                headers,
                body,
                f"{request.url.scheme}://{request.headers['host']}",
            )
        except GraphProblem as problem:
            now = self._cloud.clock.now()
            reply = Reply(
                problem.status, problem.body(now, request_id, client_request_id), problem.headers
            )
        response = _response(reply)
        response.headers["request-id"] = request_id
        response.headers["client-request-id"] = client_request_id
        return response

    def answer(
        self,
        exchange: Exchange,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: Any,
        origin: str,
    ) -> Reply:
        """Authenticate, find the route, check the permission, and let the handler reply."""
        caller = caller_of(self._cloud, headers.get("authorization"), self._audiences)
        exchange.tenant_id = caller.tenant_id
        exchange.client_id = caller.client_id
        exchange.caller_id = caller.object_id
        tenant = self._cloud.tenants[caller.tenant_id]
        version, segments = _below_version(tenant, odata_path.parse(path))
        route, params = self._router.find(method, segments)
        route.needs.check(caller)
        view: View = self._cloud.replicas.for_request(method, normalised(segments, params))
        return route.handler(
            Call(
                cloud=self._cloud,
                tenant=tenant,
                caller=caller,
                view=view,
                method=method,
                version=version,
                base=f"{origin}/{version}",
                path=_encoded(segments),
                options=Options.parse(query, headers),
                headers=headers,
                body=body,
                params=params,
                needs=route.needs,
            )
        )


def _below_version(
    tenant: Tenant, segments: tuple[Segment, ...]
) -> tuple[str, tuple[Segment, ...]]:
    """The version and the segments below it; `myorganization` or the tenant's name may follow it."""
    version, *rest = segments
    if rest and isinstance(rest[0], str):
        if rest[0].lower() == "myorganization" or tenant.answers_to(rest[0]):
            rest = rest[1:]
    return str(version).lower(), tuple(rest)


def _encoded(segments: tuple[Segment, ...]) -> str:
    return "".join(
        f"/{quote(segment, safe='$')}"
        if isinstance(segment, str)
        else f"({segment.name}='{quote(segment.value)}')"
        for segment in segments
    )


def _json(body: bytes, headers: Mapping[str, str]) -> Any:
    """The request's JSON, None for an empty body. GraphProblem 400 if it is none."""
    if not body:
        return None
    if "json" not in headers.get("content-type", ""):
        raise bad_request("Write requests are only supported on contained entities")
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_request(
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
        ) from error


def _response(reply: Reply) -> Response:
    if reply.body is None:
        return Response(status_code=reply.status, headers=dict(reply.headers))
    if isinstance(reply.body, str):
        text, kind = reply.body, "text/plain"
    else:
        text, kind = json.dumps(reply.body, ensure_ascii=False), _JSON
    headers = {**reply.headers, "content-type": kind, "OData-Version": "4.0"}
    return Response(text, status_code=reply.status, headers=headers)
