"""One call of Graph as its handlers see it, and the replies they give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emulator.cloud import Cloud
from emulator.directory.ids import canonical, is_guid
from emulator.directory.replicas import View
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant
from emulator.graph.permissions import Caller, Needs
from emulator.json_text import Json
from emulator.odata.odata import Options
from emulator.odata.odata_path import Key, Segment
from emulator.odata.problems import (
    bad_request,
    forbidden,
    invalid_identifier,
    missing_parameter,
    not_found,
    unknown_parameter,
)


@dataclass(frozen=True)
class Reply:
    """What a handler answers. The body is a JSON object, or plain text."""

    status: int
    body: Json | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


_CONTENT_TYPE = (
    "application/json;odata.metadata={};odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)

NO_CONTENT = Reply(204)

_WITH_GUIDS = (Kind.APPLICATION, Kind.SERVICE_PRINCIPAL, Kind.APP_MANAGEMENT_POLICY)

Expansion = Callable[["Call", Record], list[Json]]
"""Reads the objects at the other end of a relationship."""


@dataclass(kw_only=True)
class Call:
    """A request that has been authenticated and found a route."""

    cloud: Cloud
    tenant: Tenant
    caller: Caller
    view: View
    method: str
    version: str
    """`v1.0` or `beta`."""
    base: str
    """Graph's own address as this client knows it, with the version."""
    path: str
    """The path below the version, encoded."""
    options: Options
    headers: Mapping[str, str]
    """Names in lower case."""
    needs: Needs
    body: Any = None
    """The request's JSON; None without one."""
    params: Mapping[str, Segment] = field(default_factory=dict)
    expansions: Mapping[tuple[Kind, str], Expansion] = field(default_factory=dict)
    """What `$expand` may ask for, by kind and relationship."""

    def param(self, name: str) -> str:
        """Return a path parameter that is an id. GraphError 400 if it is an alternate key."""
        value = self.params[name]
        if isinstance(value, Key):
            raise bad_request(f"Unsupported key '{value.name}'.")
        return canonical(value)

    def json(self) -> Json:
        """Return the request's body. GraphError 400 if it is no JSON object."""
        if not isinstance(self.body, dict):
            raise bad_request("Empty Payload. JSON content expected.")
        return self.body

    def argument(self, parameter: str) -> Any:
        """Return the argument of an action's parameter, in whatever case it is named.

        None without one. GraphError 400 if the body is no JSON object.
        """
        arguments = self.json().items()
        return next((one for name, one in arguments if name.lower() == parameter.lower()), None)

    def check_parameters(self, operation: str, needed: str, *others: str) -> None:
        """Raise GraphError 400 if an action's arguments lack one, or name what is no parameter."""
        known = [parameter.lower() for parameter in (needed, *others)]
        given = [name for name in self.json() if "@odata" not in name]
        for name in given:
            if name.lower() not in known:
                raise unknown_parameter(name, operation)
        if known[0] not in [name.lower() for name in given]:
            raise missing_parameter(needed, operation)

    def seen(self, kind: Kind, id_: str) -> Record:
        """Return a live object as this call sees it.

        GraphError 404 if it does not, 400 if the id can be none.
        """
        if kind in _WITH_GUIDS and not is_guid(id_):
            raise invalid_identifier(id_)
        record = self.tenant.seen(self.view, kind, id_)
        if record is None:
            raise not_found(id_)
        return record

    def latest(self, record: Record) -> Record:
        """Return the present version of an object that this call has seen.

        A write goes to the present state even if the replica that let it pass shows an older one.
        GraphError 404 if the object is gone by now, or in the recycle bin.
        """
        entry = self.tenant.store.entry(record.kind, record.id)
        latest = entry.latest if entry is not None else None
        if latest is None or latest.deleted_at is not None:
            raise not_found(record.id)
        return latest

    def require_ownership(self, record: Record) -> None:
        """Raise GraphError 403 if the caller may change only its own, and `record` is not."""
        if not self.needs.only_if_owned(self.caller):
            return
        if self.caller.object_id not in record.linked("owners"):
            raise forbidden()

    def context(self, fragment: str) -> str:
        """Return the `@odata.context` of a reply."""
        return f"{self.base}/$metadata#{fragment}"


def metadata_level(headers: Mapping[str, str]) -> str:
    """Return how much OData metadata a client wants: `none`, `minimal` or `full`."""
    accepted = headers.get("accept", "").replace(" ", "").lower()
    for level in ("none", "full"):
        if f"odata.metadata={level}" in accepted:
            return level
    return "minimal"


_DATA = ("@odata.id", "@odata.nextLink", "@odata.count")
"""Annotations that are there whatever a client wants; the first is all that a reference has."""


def reduced(body: Any, level: str) -> Any:
    """Leave the metadata out of a reply's body, however deep, where a client wants none."""
    if level != "none":
        return body
    if isinstance(body, list):
        return [reduced(one, level) for one in body]
    if not isinstance(body, dict):
        return body
    return {
        name: reduced(value, level)
        for name, value in body.items()
        if "@odata." not in name or name in _DATA
    }


def described(reply: Reply, level: str) -> Reply:
    """Add the headers that tell what a reply is, alone or in a batch."""
    headers = {"Cache-Control": "no-cache"}
    if isinstance(reply.body, str):
        headers["Content-Type"] = "text/plain; charset=utf-8"
    elif reply.body is not None and reply.status >= 400:
        headers["Content-Type"] = "application/json"
    elif reply.body is not None:
        headers["OData-Version"] = "4.0"
        headers["Content-Type"] = _CONTENT_TYPE.format(level)
    return replace(reply, headers={**headers, **reply.headers})


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class Route:
    """A method and a pattern of segments, such as `/applications/{application}/owners`.

    `{name}` takes a key, `<name>` a type cast, everything else itself.
    """

    method: str
    pattern: str
    handler: Handler
    needs: Needs
