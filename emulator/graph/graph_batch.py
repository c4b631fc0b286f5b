"""`$batch`: up to twenty requests in one, each judged by itself."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.graph.graph_call import Reply, described
from emulator.json_text import Json
from emulator.odata.problems import GraphError, bad_syntax

_MOST = 20
_WRITES = ("POST", "PATCH", "PUT")
_METHODS = ("GET", *_WRITES, "DELETE")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One request of a batch."""

    id: str
    method: str
    path: str
    """Encoded, with the version."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    depends_on: tuple[str, ...]

    @property
    def raw_body(self) -> bytes:
        """The body as it would have been sent alone."""
        return b"" if self.body is None else json.dumps(self.body).encode()


def read_batch(body: object, version: str) -> list[Item]:
    """Read a batch request. GraphError 400 if it is malformed as a whole."""
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests:
        raise bad_syntax("Invalid batch payload format.")
    if len(requests) > _MOST:
        raise GraphError(
            400,
            "MaximumValueExceeded",
            f"Number of batch request steps exceeds the maximum value of {_MOST}.",
        )
    items = [_item(request, version) for request in requests]
    known: set[str] = set()
    for item in items:
        if item.id.lower() in known:
            raise bad_syntax(f"Request Id {item.id} has to be unique in a batch.")
        known.add(item.id.lower())
    if any(other.lower() not in known for item in items for other in item.depends_on):
        raise bad_syntax("A request depends on one that is not in the batch.")
    return items


def _item(request: object, version: str) -> Item:
    if not isinstance(request, dict):
        raise bad_syntax("Invalid batch payload format.")
    id_, method, url = (request.get(name) for name in ("id", "method", "url"))
    depends_on = request.get("dependsOn") or []
    if not isinstance(id_, str) or not isinstance(url, str) or str(method).upper() not in _METHODS:
        raise bad_syntax("Invalid batch payload format.")
    headers = request.get("headers") or {}
    if not isinstance(depends_on, list) or not isinstance(headers, dict):
        raise bad_syntax("Invalid batch payload format.")
    plain_headers = {str(name).lower(): str(value) for name, value in headers.items()}
    body = request.get("body")
    if str(method).upper() in _WRITES and not plain_headers.get("content-type"):
        raise bad_syntax(
            f"Write request id : {id_} does not contain Content-Type header or body."
            if body is None
            else f"Write request with id '{id_}' does not contain a Content-Type header."
        )
    path, _, query = url.partition("?")
    return Item(
        id=id_,
        method=str(method).upper(),
        path=f"/{version}/{path.lstrip('/')}",
        query=query,
        headers=plain_headers,
        body=body,
        depends_on=tuple(str(other) for other in depends_on),
    )


def run_batch(items: list[Item], send: Callable[[Item], Reply]) -> Reply:
    """Send the items, each after those it depends on. GraphError 400 if that goes in a circle."""
    replies: dict[str, Reply] = {}
    waiting = list(items)
    while waiting:
        ready = [one for one in waiting if all(d.lower() in replies for d in one.depends_on)]
        if not ready:
            raise bad_syntax("The requests of a batch depend on each other in a circle.")
        for item in ready:
            failed = any(replies[other.lower()].status >= 400 for other in item.depends_on)
            replies[item.id.lower()] = _failed_dependency() if failed else send(item)
        waiting = [one for one in waiting if one.id.lower() not in replies]
    return Reply(200, {"responses": [_response(one, replies[one.id.lower()]) for one in items]})


def _failed_dependency() -> Reply:
    error = {"code": "FailedDependency", "message": "A request that this one depends on failed."}
    return described(Reply(424, {"error": error}), "minimal")


def _response(item: Item, reply: Reply) -> Json:
    response: Json = {"id": item.id, "status": reply.status, "headers": dict(reply.headers)}
    if reply.body is not None:
        response["body"] = reply.body
    return response
