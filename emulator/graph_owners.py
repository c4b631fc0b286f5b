"""Owners of applications and service principals, and references to objects in request bodies."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from emulator import odata_path
from emulator.entities import SERVICE_PRINCIPAL, USER, EntityType
from emulator.graph_call import NO_CONTENT, Call, Reply
from emulator.problems import bad_request, not_found
from emulator.store import Json, Kind, Record

OWNER_KINDS: dict[Kind, EntityType] = {Kind.USER: USER, Kind.SERVICE_PRINCIPAL: SERVICE_PRINCIPAL}


def referenced_id(url: object) -> str:
    """The id in a reference, such as `https://…/v1.0/directoryObjects/{id}`.

    GraphProblem 400 if it is none.
    """
    if isinstance(url, str):
        segments = odata_path.parse(urlsplit(url).path)
        if len(segments) >= 2 and isinstance(segments[-1], str):
            return segments[-1]
    raise bad_request("Invalid URL format specified in payload.")


def bound_owners(call: Call, body: Json) -> tuple[str, ...]:
    """The owners that a new object's body binds. GraphProblem 404 for one that is not there."""
    urls = body.get("owners@odata.bind", [])
    if not isinstance(urls, list):
        raise bad_request("Invalid value specified for property 'owners'.")
    return tuple(dict.fromkeys(_owner(call, referenced_id(url)).id for url in urls))


def _owner(call: Call, id_: str) -> Record:
    for kind in OWNER_KINDS:
        if (record := call.tenant.seen(call.view, kind, id_)) is not None:
            return record
    raise not_found(id_)


def list_owners(call: Call, record: Record, kinds: Iterable[Kind] = tuple(OWNER_KINDS)) -> Reply:
    """The owners of an object, as directoryObjects with their types."""
    wanted = set(kinds)
    value = []
    for id_ in record.linked("owners"):
        entry = call.tenant.store.any_entry(id_)
        owner = call.view.record(entry)
        if owner is None or owner.deleted_at is not None or owner.kind not in wanted:
            continue
        entity = OWNER_KINDS[owner.kind]
        shown = entity.shown or set(entity.properties) - entity.beta
        body = {name: value for name, value in owner.body.items() if name in shown}
        value.append({"@odata.type": f"#{entity.full_name}", **body})
    return Reply(200, {"@odata.context": call.context("directoryObjects"), "value": value})


def add_owner(call: Call, seen: Record) -> Reply:
    """POST …/owners/$ref: GraphProblem 400 if it is an owner already."""
    call.require_ownership(seen)
    owner = _owner(call, referenced_id(call.json().get("@odata.id")))
    record = call.latest(seen)
    owners = record.linked("owners")
    if owner.id in owners:
        raise bad_request(
            "One or more added object references already exist for the following modified "
            "properties: 'owners'."
        )
    call.tenant.store.update(record.with_links("owners", (*owners, owner.id)))
    return NO_CONTENT


def remove_owner(call: Call, seen: Record) -> Reply:
    """DELETE …/owners/{owner}/$ref: GraphProblem 404 if it is none."""
    call.require_ownership(seen)
    record = call.latest(seen)
    owners = record.linked("owners")
    owner_id = call.param("owner")
    if owner_id not in owners:
        raise not_found(owner_id)
    left = tuple(id_ for id_ in owners if id_ != owner_id)
    call.tenant.store.update(record.with_links("owners", left))
    return NO_CONTENT
