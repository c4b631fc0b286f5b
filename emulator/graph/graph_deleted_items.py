"""The recycle bin as Graph shows it: list, read, restore, purge."""

from emulator.directory.store import Kind, Record
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_listing import DIRECTORY_OBJECTS, count, one_directory_object, page
from emulator.graph.permissions import APPLICATION_READ, APPLICATION_WRITE
from emulator.graph.recycle_bin import purge, restore
from emulator.odata.problems import not_found, segment_not_found


def _is_deleted(record: Record) -> bool:
    return record.deleted_at is not None


def _item(call: Call) -> Record:
    """Find the item that the path names as this call sees the recycle bin."""
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


def _kind(call: Call) -> Kind:
    """Read the type that the path casts to. GraphError 400 if none of its kind can be deleted."""
    name = call.param("type").rpartition(".")[2]
    for kind, entity in DIRECTORY_OBJECTS.items():
        if name == entity.name:
            return kind
    raise segment_not_found(call.param("type"))


def list_items(call: Call) -> Reply:
    """GET /directory/deletedItems/microsoft.graph.application and its like."""
    kind = _kind(call)
    return page(call, DIRECTORY_OBJECTS[kind], kind, _is_deleted)


def count_items(call: Call) -> Reply:
    """GET /directory/deletedItems/microsoft.graph.application/$count and its like."""
    kind = _kind(call)
    return count(call, DIRECTORY_OBJECTS[kind], kind, _is_deleted)


def get_item(call: Call) -> Reply:
    """GET /directory/deletedItems/{id}."""
    return one_directory_object(call, _item(call))


def restore_item(call: Call) -> Reply:
    """POST /directory/deletedItems/{id}/restore."""
    item = _item(call)
    call.require_ownership(item)
    return one_directory_object(call, restore(call.tenant, _latest(call, item)))


def purge_item(call: Call) -> Reply:
    """DELETE /directory/deletedItems/{id}: for good."""
    item = _item(call)
    call.require_ownership(item)
    purge(call.tenant, _latest(call, item))
    return NO_CONTENT


_ALL = "/directory/deletedItems"

ROUTES = (
    Route("GET", f"{_ALL}/<type>", list_items, APPLICATION_READ),
    Route("GET", f"{_ALL}/<type>/$count", count_items, APPLICATION_READ),
    Route("GET", f"{_ALL}/{{item}}", get_item, APPLICATION_READ),
    Route("POST", f"{_ALL}/{{item}}/restore", restore_item, APPLICATION_WRITE),
    Route("DELETE", f"{_ALL}/{{item}}", purge_item, APPLICATION_WRITE),
)
