"""Microsoft Graph's front: from an HTTP request to a handler's reply, errors in Graph's form."""

import gzip
import io
import json
import logging
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from emulator import json_text
from emulator.cloud import Cloud
from emulator.directory.first_party import GRAPH_APP_ID
from emulator.directory.replicas import View
from emulator.directory.store import Kind
from emulator.directory.tenant import Tenant
from emulator.faults import IN_BATCH, Rule, Strike, plain_path
from emulator.graph import (
    graph_app_roles,
    graph_applications,
    graph_deleted_items,
    graph_directory,
    graph_federation,
    graph_grants,
    graph_owners,
    graph_passwords,
    graph_policies,
    graph_principals,
)
from emulator.graph.graph_auth import caller_of, expired
from emulator.graph.graph_batch import Item, read_batch, run_batch
from emulator.graph.graph_call import (
    Call,
    Expansion,
    Reply,
    Route,
    described,
    metadata_level,
    reduced,
)
from emulator.graph.graph_router import Router
from emulator.graph.recycle_bin import purge_old
from emulator.graph.user_info import user_info
from emulator.history import Exchange, masked
from emulator.odata import odata_path
from emulator.odata.odata import Options
from emulator.odata.odata_path import Segment
from emulator.odata.problems import (
    GraphError,
    bad_syntax,
    concurrency_violation,
    invalid_version,
    not_found,
    server_error,
    throttled,
    too_large,
    unreadable_json,
    unsupported_coding,
    unsupported_query,
    untyped_body,
)
from emulator.sign_in.discovery import USER_INFO
from emulator.sign_in.refusal import NOBODY
from emulator.throttle import resource_units

_LOG = logging.getLogger(__name__)

_LARGEST_BODY = 4 * 2**20
"""Bytes, unpacked: far more than any object here has."""
_TOO_DEEP = "The query has too many parts."

_VERSIONS = ("v1.0", "beta")

_ROUTES = (
    *graph_applications.ROUTES,
    *graph_passwords.ROUTES,
    *graph_federation.ROUTES,
    *graph_principals.ROUTES,
    *graph_grants.ROUTES,
    *graph_app_roles.ROUTES,
    *graph_policies.ROUTES,
    *graph_deleted_items.ROUTES,
    *graph_directory.ROUTES,
)

_EXPANSIONS: Mapping[tuple[Kind, str], Expansion] = {
    (Kind.APPLICATION, "owners"): graph_owners.expand_owners,
    (Kind.APPLICATION, "federatedIdentityCredentials"): graph_federation.expand_credentials,
    (Kind.SERVICE_PRINCIPAL, "owners"): graph_owners.expand_owners,
    (Kind.SERVICE_PRINCIPAL, "appRoleAssignments"): graph_app_roles.expand_held,
    (Kind.SERVICE_PRINCIPAL, "appRoleAssignedTo"): graph_app_roles.expand_given,
    (Kind.SERVICE_PRINCIPAL, "oauth2PermissionGrants"): graph_grants.expand_grants,
}


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A Graph request as it came, alone or in a batch."""

    method: str
    path: str
    """Encoded, with the version."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    origin: str
    """Scheme, host and port by which the client knows this server."""
    exchange: Exchange
    rule: Rule | None
    """The fault that strikes it."""


class Graph:
    """Graph v1.0 and beta for all tenants; the token says which one."""

    def __init__(self, cloud: Cloud, origins: frozenset[str]) -> None:
        self._cloud = cloud
        self.audiences = origins | frozenset(f"{origin}/" for origin in origins)
        """Names of this cloud's own, besides Microsoft's, that a token may be for."""
        self._router = Router(_ROUTES)

    async def respond(self, request: Request) -> Response:
        """Answer one HTTP request."""
        asked = _Asked(
            method=request.method,
            path=request.scope["raw_path"].decode("latin-1"),
            query=request.scope["query_string"].decode("latin-1"),
            headers=dict(request.headers),
            body=await request.body(),
            origin=f"{request.url.scheme}://{request.headers['host']}",
            exchange=request.scope["emulator.exchange"],
            rule=request.scope["emulator.rule"],
        )
        return _response(self._reply(asked))

    def _reply(self, asked: _Asked) -> Reply:
        """Answer one request, alone or of a batch, refusals included."""
        request_id = str(uuid.uuid4())
        client_request_id = asked.headers.get("client-request-id", request_id)
        try:
            reply = self._handled(asked)
        except (GraphError, RecursionError) as refusal:
            # A filter or a path of a thousand parts is more than anybody answers.
            error = refusal if isinstance(refusal, GraphError) else unsupported_query(_TOO_DEEP)
            now = self._cloud.clock.now()
            body = error.body(now, request_id, client_request_id)
            reply = Reply(error.status, body, error.headers | _challenge(asked, error.status))
        ids = {"request-id": request_id, "client-request-id": client_request_id}
        reply = replace(reply, headers={**reply.headers, **ids})
        return described(reply, metadata_level(asked.headers))

    def _handled(self, asked: _Asked) -> Reply:
        """Authenticate, find the route, check the permission, and let the handler reply."""
        if asked.rule is not None:
            _strike(asked.rule, asked.path)
        authorization = asked.headers.get("authorization", "")
        caller = caller_of(self._cloud, authorization, self.audiences)
        asked.exchange.tenant_id = caller.tenant_id
        asked.exchange.client_id = caller.client_id
        asked.exchange.caller_id = caller.object_id
        tenant = self._cloud.tenants[caller.tenant_id]
        asked = _decoded(asked)
        if asked.path == USER_INFO:
            return user_info(tenant, caller, asked.origin)
        version, segments = _below_version(tenant, odata_path.parse(asked.path))
        if segments == ("$batch",) and asked.method == "POST":
            if asked.exchange.batch is not None:
                raise bad_syntax("A batch request cannot contain a batch request.")
            items = read_batch(_json(asked), version)
            return run_batch(items, lambda item: self._batched(asked, item))
        options = Options.parse(asked.query, asked.headers, version)
        units = resource_units(asked.method, plain_path(asked.path), dict(options.pairs))
        now = self._cloud.clock.now()
        self._cloud.throttle.spend(caller.client_id, caller.tenant_id, asked.method, units, now)
        route, params = self._router.find(asked.method, segments)
        route.needs.check(caller)
        purge_old(tenant)
        call = Call(
            cloud=self._cloud,
            tenant=tenant,
            caller=caller,
            view=self._view(asked, tenant, route),
            method=asked.method,
            version=version,
            base=f"{asked.origin}/{version}",
            path=_encoded(segments),
            options=options,
            headers=asked.headers,
            body=_json(asked),
            params=params,
            needs=route.needs,
            expansions=_EXPANSIONS,
        )
        reply = route.handler(call)
        body = reduced(reply.body, metadata_level(asked.headers))
        return replace(
            reply, body=body, headers={**reply.headers, "x-ms-resource-unit": str(units)}
        )

    def _view(self, asked: _Asked, tenant: Tenant, route: Route) -> View:
        """Choose the replica that answers."""
        if asked.rule is not None and asked.rule.strike is Strike.STALE:
            return self._cloud.replicas.trailing(asked.rule.seconds)
        return self._cloud.replicas.for_request(tenant.id, asked.method, route.pattern)

    def _batched(self, batch: _Asked, item: Item) -> Reply:
        """Answer one request of a batch and note it in the history."""
        cloud = self._cloud
        path = f"{item.path}?{item.query}" if item.query else item.path
        exchange = cloud.history.begin(cloud.clock.now(), item.method, path, batch.exchange.n)
        exchange.request = masked(item.raw_body, "application/json")
        rule = cloud.faults.decide(
            "graph", item.method, plain_path(item.path), batch.exchange.client_id, IN_BATCH
        )
        exchange.fault = rule.name if rule is not None else None
        inherited = {"authorization": batch.headers.get("authorization", "")}
        alone = replace(
            batch,
            method=item.method,
            path=item.path,
            query=item.query,
            headers={**item.headers, **inherited},
            body=item.raw_body,
            exchange=exchange,
            rule=rule,
        )
        try:
            reply = self._reply(alone)
        except Exception:
            # A fault of ours: what the other requests did must be told all the same.
            _LOG.exception("the emulator failed on request %d", exchange.n)
            reply = Reply(500, server_error(500).body(cloud.clock.now(), NOBODY, NOBODY))
        exchange.status = reply.status
        exchange.response = masked(json.dumps(reply.body).encode(), "application/json")
        return reply


def _strike(rule: Rule, path: str) -> None:
    """Raise the GraphError that a fault answers with, if it is of that sort."""
    if rule.strike is Strike.EXPIRE_TOKEN:
        raise expired()
    if rule.strike is not Strike.STATUS:
        return
    match rule.status:
        case 404:
            raise not_found(plain_path(path).rpartition("/")[2])
        case 409:
            raise concurrency_violation()
        case 429:
            raise throttled(rule.retry_after_seconds)
        case status:
            error = server_error(status)
            if rule.retry_after_seconds is not None:
                error.headers["Retry-After"] = str(rule.retry_after_seconds)
            raise error


def _below_version(
    tenant: Tenant, segments: tuple[Segment, ...]
) -> tuple[str, tuple[Segment, ...]]:
    """Split the version off; `myorganization` or the tenant's own name may follow it.

    GraphError 400 if it is none.
    """
    version, *rest = segments or ("",)
    if str(version).lower() not in _VERSIONS:
        raise invalid_version()
    name = rest[0] if rest else None
    if isinstance(name, str) and (name.lower() == "myorganization" or tenant.answers_to(name)):
        rest = rest[1:]
    return str(version).lower(), tuple(rest)


def _encoded(segments: tuple[Segment, ...]) -> str:
    return "".join(
        f"/{quote(segment, safe='$')}"
        if isinstance(segment, str)
        else f"({segment.name}='{quote(segment.value)}')"
        for segment in segments
    )


def _json(asked: _Asked) -> Any:
    """Read the request's JSON; None without one, and where nobody reads it.

    GraphError 400 if it is none, or not said to be.
    """
    if not asked.body or asked.method in ("GET", "DELETE"):
        return None
    content_type = asked.headers.get("content-type", "")
    if not content_type:
        raise untyped_body()
    if "json" not in content_type.lower():
        raise unreadable_json()
    try:
        return json_text.read(asked.body)
    except ValueError as error:
        raise unreadable_json() from error


def _challenge(asked: _Asked, status: int) -> dict[str, str]:
    """Return the header that tells a client without a good token where to get one."""
    if status != 401:
        return {}
    sign_in = f"{asked.origin}/common/oauth2/authorize"
    parameters = f'realm="", authorization_uri="{sign_in}", client_id="{GRAPH_APP_ID}"'
    return {"WWW-Authenticate": f"Bearer {parameters}"}


def _decoded(asked: _Asked) -> _Asked:
    """Unpack the request's body. GraphError 415 for another coding than gzip, 400 if it is broken.

    GraphError 413 if more is in it than any request has.
    """
    coding = asked.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding == "identity":
        if len(asked.body) > _LARGEST_BODY:
            raise too_large()
        return asked
    if coding not in ("gzip", "x-gzip"):
        raise unsupported_coding(coding)
    try:
        body = gzip.GzipFile(fileobj=io.BytesIO(asked.body)).read(_LARGEST_BODY + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable_json() from error
    if len(body) > _LARGEST_BODY:
        raise too_large()
    asked.exchange.request = masked(body, asked.headers.get("content-type", ""))
    return replace(asked, body=body)


def _response(reply: Reply) -> Response:
    text = reply.body
    if text is not None and not isinstance(text, str):
        text = json.dumps(text, ensure_ascii=False)
    return Response(text, reply.status, reply.headers)
