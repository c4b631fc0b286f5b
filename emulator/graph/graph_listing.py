"""How Graph shows objects: one, a page of many, or directory objects of different types."""

from collections.abc import Callable, Iterable
from typing import Any

from emulator.directory.entities import APPLICATION, DIRECTORY_OBJECT, SERVICE_PRINCIPAL, USER
from emulator.directory.entity_type import EntityType
from emulator.directory.store import Entry, Kind, Record
from emulator.graph.graph_call import Call, Expansion, Reply, Route, metadata_level
from emulator.graph.permissions import Needs
from emulator.json_text import Json
from emulator.odata import odata
from emulator.odata.odata_filter import Filter
from emulator.odata.odata_search import search
from emulator.odata.problems import bad_request, bad_syntax

DIRECTORY_OBJECTS: dict[Kind, EntityType] = {
    Kind.APPLICATION: APPLICATION,
    Kind.SERVICE_PRINCIPAL: SERVICE_PRINCIPAL,
    Kind.USER: USER,
}
"""The kinds that are directoryObjects, and can lie in the recycle bin."""


def is_live(record: Record) -> bool:
    """Whether an object is outside the recycle bin."""
    return record.deleted_at is None


def one(call: Call, record: Record, entity: EntityType, status: int = 200) -> Reply:
    """Show one object."""
    shown = _Shown(call, entity)
    context = call.context(f"{entity.collection}{shown.fragment}/$entity")
    body = shown.body(record)
    # The one reply that has the certificates' keys in it.
    if call.method == "GET" and "keyCredentials" in (shown.names or ()):
        body["keyCredentials"] = record.body["keyCredentials"]
    headers = {"Location": _location(call, record, entity)} if status == 201 else {}
    return Reply(status, {"@odata.context": context, **_typed(call, entity, body)}, headers)


def _location(call: Call, record: Record, entity: EntityType) -> str:
    """Return where Graph says that a new object is: an address of the directory's own."""
    directory = f"{call.base.removesuffix(call.version)}v2/{call.tenant.id}"
    if record.kind in DIRECTORY_OBJECTS:
        type_name = f"Microsoft.DirectoryServices.{entity.resource}"
        return f"{directory}/directoryObjects/{record.id}/{type_name}"
    return f"{directory}/{entity.collection}/{record.id}"


def one_directory_object(call: Call, record: Record) -> Reply:
    """Show one object with its type, as `directoryObjects` and the recycle bin do."""
    entity = DIRECTORY_OBJECTS[record.kind]
    body = {"@odata.type": f"#{entity.full_name}", **_Shown(call, entity).body(record)}
    return Reply(200, {"@odata.context": call.context("directoryObjects/$entity"), **body})


def page(
    call: Call,
    entity: EntityType,
    source: Kind | Iterable[Entry],
    keep: Callable[[Record], bool] = is_live,
) -> Reply:
    """Show a page of the objects of a kind, or of some of them, that are kept and asked for."""
    options = call.options
    shown = _Shown(call, entity)
    found = [(entry.ordinal, record) for entry, record in _wanted(call, entity, source, keep)]
    part = odata.page(options, entity, ((place, record.body) for place, record in found))
    records = {record.id: record for _, record in found}
    body: Json = {"@odata.context": call.context(f"{entity.collection}{shown.fragment}")}
    _add_paging(call, body, part)
    body["value"] = [_typed(call, entity, shown.body(records[item["id"]])) for item in part.items]
    return Reply(200, body)


def count(
    call: Call,
    entity: EntityType,
    source: Kind | Iterable[Entry],
    keep: Callable[[Record], bool] = is_live,
) -> Reply:
    """Answer `…/$count`. GraphError 400 without the ConsistencyLevel header."""
    _check_countable(call, entity)
    return Reply(200, str(len(_wanted(call, entity, source, keep))))


def _check_countable(call: Call, entity: EntityType) -> None:
    if entity.directory_object and not call.options.eventual:
        raise bad_request("$count is not currently supported.")


def relationship_routes(
    path: str, related: Callable[[Call], Iterable[Record]], needs: Needs
) -> tuple[Route, ...]:
    """Make the routes that read what a relationship leads to: all or one type, and how many."""

    def typed(call: Call) -> Iterable[Record]:
        type_name = call.param("type").rpartition(".")[2]
        return (record for record in related(call) if record.kind == type_name)

    def list_all(call: Call) -> Reply:
        return directory_objects(call, related(call))

    def count_all(call: Call) -> Reply:
        return count_directory_objects(call, related(call))

    def list_typed(call: Call) -> Reply:
        return directory_objects(call, typed(call))

    def count_typed(call: Call) -> Reply:
        return count_directory_objects(call, typed(call))

    return (
        Route("GET", path, list_all, needs),
        Route("GET", f"{path}/$count", count_all, needs),
        Route("GET", f"{path}/<type>", list_typed, needs),
        Route("GET", f"{path}/<type>/$count", count_typed, needs),
    )


def directory_objects(call: Call, records: Iterable[Record]) -> Reply:
    """Show a page of directory objects of different types, each with its `@odata.type`."""
    shown = _Shown(call, DIRECTORY_OBJECT)
    found = {record.id: record for record in _wanted_objects(call, records)}
    numbered = ((place, record.body) for place, record in enumerate(found.values()))
    part = odata.page(call.options, DIRECTORY_OBJECT, numbered)
    body: Json = {"@odata.context": call.context("directoryObjects")}
    _add_paging(call, body, part)
    body["value"] = bodies(call, (found[item["id"]] for item in part.items), shown.names)
    return Reply(200, body)


def count_directory_objects(call: Call, records: Iterable[Record]) -> Reply:
    """Answer `…/$count` of them. GraphError 400 without the ConsistencyLevel header."""
    _check_countable(call, DIRECTORY_OBJECT)
    return Reply(200, str(len(_wanted_objects(call, records))))


def bodies(
    call: Call, records: Iterable[Record], names: frozenset[str] | None = None
) -> list[Json]:
    """Return directory objects as relationships show them, with their types."""
    value = []
    for record in records:
        entity = DIRECTORY_OBJECTS[record.kind]
        body = odata.project(record.body, entity, names or entity.shown, call.version)
        value.append({"@odata.type": f"#{entity.full_name}", **body})
    return value


def linked(call: Call, record: Record, relationship: str) -> list[Record]:
    """Return the live directory objects that a relationship leads to, as this call sees them."""
    found = []
    for id_ in record.linked(relationship):
        other = call.view.record(call.tenant.store.any_entry(id_))
        if other is not None and other.deleted_at is None:
            found.append(other)
    return found


class _Shown:
    """Which properties and relationships of an entity the query options ask for."""

    def __init__(self, call: Call, entity: EntityType) -> None:
        self._call = call
        self._entity = entity
        self.names = odata.selected(call.options, entity, call.version)
        """The properties; None for all."""
        self._expanded = odata.expanded(call.options, entity, call.version)

    @property
    def fragment(self) -> str:
        """What `$select` adds to the context: `(id,displayName)`."""
        text = self._call.options.get("$select")
        return f"({text.replace(' ', '')})" if text else ""

    def body(self, record: Record) -> Json:
        """Project one object."""
        call = self._call
        body = odata.project(record.body, self._entity, self.names, call.version)
        for name, columns in self._expanded.items():
            others = _expansion(call, record.kind, name)(call, record)
            body[name] = [_only(other, columns) for other in others]
        return body


def _expansion(call: Call, kind: Kind, name: str) -> Expansion:
    expansion = call.expansions.get((kind, name))
    if expansion is None:
        raise bad_syntax(f"Expanding '{name}' is not supported.")
    return expansion


def _only(body: Json, columns: frozenset[str] | None) -> Json:
    if columns is None:
        return body
    return {name: value for name, value in body.items() if name in columns or name.startswith("@")}


def _wanted(
    call: Call, entity: EntityType, source: Kind | Iterable[Entry], keep: Callable[[Record], bool]
) -> list[tuple[Entry, Record]]:
    """Return what `$filter` and `$search` let through."""
    wanted, searched = _filter(call, entity), search(call.options, entity)
    found = []
    for entry, record in call.view.records(_candidates(call, source, wanted)):
        if not keep(record):
            continue
        if wanted is not None and not wanted.passes(_with_relationships(call, record, wanted)):
            continue
        if searched is None or searched(record.body):
            found.append((entry, record))
    return found


def _wanted_objects(call: Call, records: Iterable[Record]) -> list[Record]:
    """Return what they let through of directory objects of different types."""
    wanted, searched = _filter(call, DIRECTORY_OBJECT), search(call.options, DIRECTORY_OBJECT)
    return [
        record
        for record in records
        if (wanted is None or wanted.passes(record.body))
        and (searched is None or searched(record.body))
    ]


def _filter(call: Call, entity: EntityType) -> Filter | None:
    text = call.options.get("$filter")
    return None if text is None else Filter(text, entity, advanced=call.options.advanced)


def _candidates(
    call: Call, source: Kind | Iterable[Entry], wanted: Filter | None
) -> Iterable[Entry]:
    """Narrow a whole kind down by an indexed property that the filter fixes, if there is one."""
    if not isinstance(source, Kind):
        return source
    store = call.tenant.store
    if wanted is not None:
        found = wanted.required_equality(lambda name: store.is_indexed(source, name))
        if found is not None:
            return store.entries(source, *found)
    return store.entries(source)


def _with_relationships(call: Call, record: Record, wanted: Filter) -> Json:
    if not wanted.relationships:
        return record.body
    ends: dict[str, Any] = {
        name: _expansion(call, record.kind, name)(call, record) for name in wanted.relationships
    }
    return {**record.body, **ends}


def _add_paging(call: Call, body: Json, part: odata.Page) -> None:
    if part.count is not None:
        body["@odata.count"] = part.count
    if part.skip_token is not None:
        query = call.options.with_skip_token(part.skip_token)
        body["@odata.nextLink"] = f"{call.base}{call.path}?{query}"


def _typed(call: Call, entity: EntityType, body: Json) -> Json:
    if metadata_level(call.headers) != "full":
        return body
    return {"@odata.type": f"#{entity.full_name}", **body}
