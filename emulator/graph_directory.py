"""The organization, its users, and any object by its id."""

from emulator import odata
from emulator.entities import APPLICATION, ORGANIZATION, SERVICE_PRINCIPAL, USER, EntityType
from emulator.graph_call import Call, Reply, Route
from emulator.permissions import DIRECTORY_READ, ME_READ, ORGANIZATION_READ, USER_READ
from emulator.problems import bad_request, not_found
from emulator.store import Kind, Record

_TYPES: dict[Kind, EntityType] = {
    Kind.APPLICATION: APPLICATION,
    Kind.SERVICE_PRINCIPAL: SERVICE_PRINCIPAL,
    Kind.USER: USER,
}


def list_organization(call: Call) -> Reply:
    return call.collection(ORGANIZATION, call.tenant.store.entries(Kind.ORGANIZATION))


def get_organization(call: Call) -> Reply:
    return call.entity(call.seen(Kind.ORGANIZATION, call.param("organization")), ORGANIZATION)


def list_users(call: Call) -> Reply:
    return call.collection(USER, call.candidates(USER, Kind.USER))


def get_user(call: Call) -> Reply:
    key = call.param("user")
    for entry in call.tenant.store.entries(Kind.USER):
        record = call.view.record(entry)
        if record is not None and record.deleted_at is None:
            if key.lower() in (record.id, record.body["userPrincipalName"].lower()):
                return call.entity(record, USER)
    raise not_found(key)


def get_me(call: Call) -> Reply:
    if not call.caller.user:
        raise bad_request("/me request is only valid with delegated authentication flow.")
    return call.entity(call.seen(Kind.USER, call.caller.object_id), USER)


def get_directory_object(call: Call) -> Reply:
    id_ = call.param("object")
    record = _object(call, id_)
    if record is None:
        raise not_found(id_)
    entity = _TYPES[record.kind]
    reply = call.entity(record, entity)
    assert isinstance(reply.body, dict)
    context = call.context("directoryObjects/$entity")
    return Reply(
        200, {"@odata.context": context, "@odata.type": f"#{entity.full_name}", **_rest(reply)}
    )


def get_by_ids(call: Call) -> Reply:
    given = call.json()
    ids = given.get("ids")
    if not isinstance(ids, list) or len(ids) > 1000:
        raise bad_request("Invalid value specified for property 'ids'.")
    types = given.get("types") or ["directoryObject"]
    value = []
    for id_ in ids:
        record = _object(call, str(id_))
        if record is None:
            continue
        entity = _TYPES[record.kind]
        if "directoryObject" in types or entity.name in types:
            names = odata.selected(call.options, entity, call.version)
            body = odata.project(record.body, entity, names, call.version)
            value.append({"@odata.type": f"#{entity.full_name}", **body})
    return Reply(200, {"@odata.context": call.context("directoryObjects"), "value": value})


def _object(call: Call, id_: str) -> Record | None:
    for kind in _TYPES:
        if (record := call.tenant.seen(call.view, kind, id_)) is not None:
            return record
    return None


def _rest(reply: Reply) -> dict[str, object]:
    assert isinstance(reply.body, dict)
    return {name: value for name, value in reply.body.items() if name != "@odata.context"}


ROUTES = (
    Route("GET", "/organization", list_organization, ORGANIZATION_READ),
    Route("GET", "/organization/{organization}", get_organization, ORGANIZATION_READ),
    Route("GET", "/users", list_users, USER_READ),
    Route("GET", "/users/{user}", get_user, USER_READ),
    Route("GET", "/me", get_me, ME_READ),
    Route("GET", "/directoryObjects/{object}", get_directory_object, DIRECTORY_READ),
    Route("POST", "/directoryObjects/getByIds", get_by_ids, DIRECTORY_READ),
)
