"""Owners of applications and service principals, and references to objects in request bodies."""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from emulator.directory.store import Kind, Record
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_listing import bodies, linked, relationship_routes
from emulator.graph.permissions import APPLICATION_READ, Needs
from emulator.json_text import Json
from emulator.odata import odata_path
from emulator.odata.problems import GraphError, bad_request, not_found

_KINDS = (Kind.USER, Kind.SERVICE_PRINCIPAL)

Finder = Callable[[Call], Record]
"""Finds the object that a path names."""


_GRAPH = "graph.microsoft.com"
"""The host in Microsoft's examples, which stands for this one."""


def referenced_id(call: Call, url: object) -> str:
    """Return the id in a reference, such as `https://…/v1.0/directoryObjects/{id}`.

    GraphError 400 if it is none, or one to another service than Graph.
    """
    if isinstance(url, str):
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise _no_reference() from error
        segments = odata_path.parse(parts.path)
        own = parts.netloc.lower() in ("", urlsplit(call.base).netloc.lower(), _GRAPH)
        if own and len(segments) >= 2 and isinstance(segments[-1], str):
            return segments[-1]
    raise _no_reference()


def _no_reference() -> GraphError:
    return bad_request("Invalid URL format specified in payload.")


def bound_owners(call: Call, body: Json) -> tuple[str, ...]:
    """Return the owners of a new object: those that its body binds, or else its creator.

    GraphError 404 for one that is not there.
    """
    urls = body.get("owners@odata.bind", [])
    if not isinstance(urls, list):
        raise _no_reference()
    owners = tuple(dict.fromkeys(_owner(call, referenced_id(call, url)).id for url in urls))
    return owners or (call.caller.object_id,)


def _owner(call: Call, id_: str) -> Record:
    for kind in _KINDS:
        if (record := call.tenant.seen(call.view, kind, id_)) is not None:
            return record
    raise not_found(id_)


def expand_owners(call: Call, record: Record) -> list[Json]:
    """Read the owners for `$expand`."""
    return bodies(call, linked(call, record, "owners"))


def add_reference(call: Call, seen: Record, relationship: str, id_: str) -> Reply:
    """Link `seen` to another object. GraphError 400 if it is linked already."""
    record = call.latest(seen)
    ids = record.linked(relationship)
    if id_ in ids:
        raise bad_request(
            "One or more added object references already exist for the following modified "
            f"properties: '{relationship}'."
        )
    call.tenant.store.update(record.with_links(relationship, (*ids, id_)))
    return NO_CONTENT


def remove_reference(call: Call, seen: Record, relationship: str, id_: str) -> Reply:
    """Undo that. GraphError 404 if it is not linked."""
    record = call.latest(seen)
    ids = record.linked(relationship)
    if id_ not in ids:
        raise not_found(id_)
    left = tuple(other for other in ids if other != id_)
    call.tenant.store.update(record.with_links(relationship, left))
    return NO_CONTENT


def owner_routes(prefix: str, find: Finder, write: Needs) -> tuple[Route, ...]:
    """Make the routes of the owners of what `find` finds below `prefix`."""

    def all_owners(call: Call) -> Iterable[Record]:
        return linked(call, find(call), "owners")

    def list_references(call: Call) -> Reply:
        value = [
            {"@odata.id": f"{call.base}/directoryObjects/{owner.id}"} for owner in all_owners(call)
        ]
        return Reply(200, {"@odata.context": call.context("Collection($ref)"), "value": value})

    def get_reference(call: Call) -> Reply:
        id_ = call.param("owner")
        if id_ not in [owner.id for owner in all_owners(call)]:
            raise not_found(id_)
        url = f"{call.base}/directoryObjects/{id_}"
        return Reply(200, {"@odata.context": call.context("$ref"), "@odata.id": url, "id": id_})

    def add_owner(call: Call) -> Reply:
        seen = find(call)
        call.require_ownership(seen)
        owner = _owner(call, referenced_id(call, call.json().get("@odata.id")))
        return add_reference(call, seen, "owners", owner.id)

    def remove_owner(call: Call) -> Reply:
        seen = find(call)
        call.require_ownership(seen)
        return remove_reference(call, seen, "owners", call.param("owner"))

    owners = f"{prefix}/owners"
    return (
        *relationship_routes(owners, all_owners, APPLICATION_READ),
        Route("GET", f"{owners}/$ref", list_references, APPLICATION_READ),
        Route("POST", f"{owners}/$ref", add_owner, write),
        Route("GET", f"{owners}/{{owner}}/$ref", get_reference, APPLICATION_READ),
        Route("DELETE", f"{owners}/{{owner}}/$ref", remove_owner, write),
    )
