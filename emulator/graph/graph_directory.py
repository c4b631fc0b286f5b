"""The organization, its users, and any object by its id."""

from emulator.directory.entities import DIRECTORY_OBJECT, ORGANIZATION, USER
from emulator.directory.store import Kind, Record
from emulator.graph.graph_call import Call, Reply, Route
from emulator.graph.graph_listing import (
    DIRECTORY_OBJECTS,
    bodies,
    count,
    one,
    one_directory_object,
    page,
    relationship_routes,
)
from emulator.graph.graph_principals import principal
from emulator.graph.permissions import (
    APPLICATION_READ,
    DIRECTORY_READ,
    ME_READ,
    ORGANIZATION_READ,
    USER_OR_OWN_READ,
    USER_READ,
)
from emulator.odata.odata import selected
from emulator.odata.odata_path import Key, Segment
from emulator.odata.problems import (
    bad_syntax,
    invalid_value,
    not_found,
    segment_not_found,
)

_MOST_IDS = 1000


def list_organization(call: Call) -> Reply:
    """GET /organization."""
    _count_objects(call)
    return page(call, ORGANIZATION, Kind.ORGANIZATION)


def get_organization(call: Call) -> Reply:
    """GET /organization/{id}."""
    _count_objects(call)
    return one(call, call.seen(Kind.ORGANIZATION, call.param("organization")), ORGANIZATION)


def _count_objects(call: Call) -> None:
    """Bring `directorySizeQuota` up to date, which is counted when asked and so never trails."""
    store = call.tenant.store
    used = sum(1 for kind in DIRECTORY_OBJECTS for _ in store.latest(kind))
    for organization in store.latest(Kind.ORGANIZATION):
        organization.body["directorySizeQuota"] = {
            "used": used,
            "total": call.tenant.directory_quota,
        }


def list_users(call: Call) -> Reply:
    """GET /users."""
    return page(call, USER, Kind.USER)


def count_users(call: Call) -> Reply:
    """GET /users/$count."""
    return count(call, USER, Kind.USER)


def get_user(call: Call) -> Reply:
    """GET /users/{id or userPrincipalName}; with `User.Read` alone a user may read himself."""
    if call.caller.user and not _names(call.params["user"], me(call)):
        USER_READ.check(call.caller)
    return one(call, user(call), USER)


def user(call: Call) -> Record:
    """Find the user that the path names: by object id, name, or `(userPrincipalName='…')`.

    GraphError 404 if this call does not see it.
    """
    key = call.params["user"]
    for _, record in call.view.records(call.tenant.store.entries(Kind.USER)):
        if record.deleted_at is None and _names(key, record):
            return record
    raise not_found(key.value if isinstance(key, Key) else key)


def _names(key: Segment, record: Record) -> bool:
    """Whether a segment names that user. GraphError 400 for a key that users do not have."""
    if not isinstance(key, Key):
        names, wanted = ["id", "userPrincipalName"], key
    elif key.name == "userPrincipalName":
        names, wanted = [key.name], key.value
    else:
        raise segment_not_found(key.name)
    return any(record.body[name].lower() == wanted.lower() for name in names)


def get_me(call: Call) -> Reply:
    """GET /me."""
    return one(call, me(call), USER)


def me(call: Call) -> Record:
    """Find the user who is signed in. GraphError 400 if there is none."""
    if not call.caller.user:
        raise bad_syntax("/me request is only valid with delegated authentication flow.")
    return call.seen(Kind.USER, call.caller.object_id)


def _owned(call: Call, owner: Record) -> list[Record]:
    return [
        record
        for kind in (Kind.APPLICATION, Kind.SERVICE_PRINCIPAL)
        for _, record in call.view.records(call.tenant.store.entries(kind))
        if record.deleted_at is None and owner.id in record.linked("owners")
    ]


def get_directory_object(call: Call) -> Reply:
    """GET /directoryObjects/{id}."""
    id_ = call.param("object")
    record = _object(call, id_)
    if record is None:
        raise not_found(id_)
    return one_directory_object(call, record)


def get_by_ids(call: Call) -> Reply:
    """POST /directoryObjects/getByIds: those that are there; the others are left out."""
    names = selected(call.options, DIRECTORY_OBJECT, call.version)
    call.check_parameters("getByIds", "ids", "types")
    ids, types = call.argument("ids"), call.argument("types") or ["directoryObject"]
    if not isinstance(ids, list) or len(ids) > _MOST_IDS:
        raise invalid_value("ids", "DirectoryObject")
    if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
        raise invalid_value("types", "DirectoryObject")
    found = [record for id_ in ids if (record := _object(call, str(id_))) is not None]
    collections = {each.lower() for each in types}
    wanted = [one for one in found if {"directoryobject", one.kind.lower()} & collections]
    context = call.context("directoryObjects")
    return Reply(200, {"@odata.context": context, "value": bodies(call, wanted, names)})


def _object(call: Call, id_: str) -> Record | None:
    for kind in DIRECTORY_OBJECTS:
        if (record := call.tenant.seen(call.view, kind, id_)) is not None:
            return record
    return None


ROUTES = (
    Route("GET", "/organization", list_organization, ORGANIZATION_READ),
    Route("GET", "/organization/{organization}", get_organization, ORGANIZATION_READ),
    Route("GET", "/users", list_users, USER_READ),
    Route("GET", "/users/$count", count_users, USER_READ),
    Route("GET", "/users/{user}", get_user, USER_OR_OWN_READ),
    *relationship_routes(
        "/users/{user}/ownedObjects", lambda call: _owned(call, user(call)), USER_READ
    ),
    Route("GET", "/me", get_me, ME_READ),
    *relationship_routes("/me/ownedObjects", lambda call: _owned(call, me(call)), ME_READ),
    *relationship_routes(
        "/servicePrincipals/{principal}/ownedObjects",
        lambda call: _owned(call, principal(call)),
        APPLICATION_READ,
    ),
    Route("GET", "/directoryObjects/{object}", get_directory_object, DIRECTORY_READ),
    Route("POST", "/directoryObjects/getByIds", get_by_ids, DIRECTORY_READ),
)
