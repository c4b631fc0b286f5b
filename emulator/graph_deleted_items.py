"""The recycle bin as Graph shows it: list, read, restore, purge."""

from emulator.entities import APPLICATION, SERVICE_PRINCIPAL, USER, EntityType
from emulator.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.permissions import APPLICATION_READ, APPLICATION_WRITE
from emulator.problems import not_found, segment_not_found
from emulator.recycle_bin import purge, restore
from emulator.store import Kind, Record

_TYPES: dict[Kind, EntityType] = {
    Kind.APPLICATION: APPLICATION,
    Kind.SERVICE_PRINCIPAL: SERVICE_PRINCIPAL,
    Kind.USER: USER,
}


def _item(call: Call) -> Record:
    id_ = call.param("item")
    record = call.view.record(call.tenant.store.any_entry(id_))
    if record is None or record.deleted_at is None:
        raise not_found(id_)
    return record


def _latest(call: Call, item: Record) -> Record:
    entry = call.tenant.store.any_entry(item.id)
    latest = entry.latest if entry is not None else None
    if latest is None or latest.deleted_at is None:
        raise not_found(item.id)
    return latest


def list_items(call: Call) -> Reply:
    name = str(call.params["type"]).rpartition(".")[2]
    for kind, entity in _TYPES.items():
        if name == entity.name:
            entries = call.candidates(entity, kind)
            return call.collection(entity, entries, keep=lambda item: item.deleted_at is not None)
    raise segment_not_found(str(call.params["type"]))


def get_item(call: Call) -> Reply:
    return _shown(call, _item(call))


def restore_item(call: Call) -> Reply:
    item = _item(call)
    call.require_ownership(item)
    return _shown(call, restore(call.tenant, _latest(call, item)))


def purge_item(call: Call) -> Reply:
    item = _item(call)
    call.require_ownership(item)
    purge(call.tenant, _latest(call, item))
    return NO_CONTENT


def _shown(call: Call, record: Record) -> Reply:
    entity = _TYPES[record.kind]
    reply = call.entity(record, entity)
    assert isinstance(reply.body, dict)
    context = call.context("directoryObjects/$entity")
    type_ = f"#{entity.full_name}"
    return Reply(200, {**reply.body, "@odata.context": context, "@odata.type": type_})


ROUTES = (
    Route("GET", "/directory/deletedItems/<type>", list_items, APPLICATION_READ),
    Route("GET", "/directory/deletedItems/{item}", get_item, APPLICATION_READ),
    Route("POST", "/directory/deletedItems/{item}/restore", restore_item, APPLICATION_WRITE),
    Route("DELETE", "/directory/deletedItems/{item}", purge_item, APPLICATION_WRITE),
)
