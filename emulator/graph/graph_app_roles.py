"""App role assignments: which application permissions have been granted to whom."""

from collections.abc import Callable

from emulator.clock import graph_time
from emulator.directory.entities import APP_ROLE_ASSIGNMENT
from emulator.directory.entity_type import merge
from emulator.directory.ids import assignment_id, canonical
from emulator.directory.store import Kind, Record
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_directory import me, user
from emulator.graph.graph_listing import count, one, page
from emulator.graph.graph_owners import Finder
from emulator.graph.graph_principals import principal
from emulator.graph.permissions import APP_ROLE_WRITE, APPLICATION_READ
from emulator.json_text import Json
from emulator.odata.problems import bad_request, invalid_value, not_found

_RESOURCE = "AppRoleAssignment"
_DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
"""Stands for access without any role in particular."""


def _with(name: str, id_: str) -> Callable[[Record], bool]:
    return lambda assignment: bool(assignment.body[name] == id_)


def expand_held(call: Call, holder: Record) -> list[Json]:
    """Read the assignments that a service principal holds for `$expand`."""
    return _bodies(call, _with("principalId", holder.id))


def expand_given(call: Call, resource: Record) -> list[Json]:
    """Read the assignments of a service principal's own roles for `$expand`."""
    return _bodies(call, _with("resourceId", resource.id))


def _bodies(call: Call, keep: Callable[[Record], bool]) -> list[Json]:
    entries = call.tenant.store.entries(Kind.APP_ROLE_ASSIGNMENT)
    return [record.body for _, record in call.view.records(entries) if keep(record)]


def _side_routes(prefix: str, end: str, find: Finder) -> tuple[Route, ...]:
    """Make the routes of the assignments below `prefix`, whose `end` is what `find` finds there."""

    def assignment(call: Call) -> Record:
        record = call.seen(Kind.APP_ROLE_ASSIGNMENT, call.param("assignment"))
        if record.body[end] != find(call).id:
            raise not_found(record.id)
        return record

    def list_all(call: Call) -> Reply:
        return _list(call, end, find(call))

    def count_all(call: Call) -> Reply:
        kind = Kind.APP_ROLE_ASSIGNMENT
        return count(call, APP_ROLE_ASSIGNMENT, kind, _with(end, find(call).id))

    def get(call: Call) -> Reply:
        return one(call, assignment(call), APP_ROLE_ASSIGNMENT)

    def create(call: Call) -> Reply:
        if canonical(_text(call.json(), end)) != find(call).id:
            raise bad_request("Not a valid reference update.")
        return _create(call)

    def delete(call: Call) -> Reply:
        call.tenant.store.remove(call.latest(assignment(call)))
        return NO_CONTENT

    return (
        Route("GET", prefix, list_all, APPLICATION_READ),
        Route("POST", prefix, create, APP_ROLE_WRITE),
        Route("GET", f"{prefix}/$count", count_all, APPLICATION_READ),
        Route("GET", f"{prefix}/{{assignment}}", get, APPLICATION_READ),
        Route("DELETE", f"{prefix}/{{assignment}}", delete, APP_ROLE_WRITE),
    )


def _list(call: Call, end: str, record: Record) -> Reply:
    keep = _with(end, record.id)
    return page(call, APP_ROLE_ASSIGNMENT, Kind.APP_ROLE_ASSIGNMENT, keep)


def list_mine(call: Call) -> Reply:
    """GET /me/appRoleAssignments."""
    return _list(call, "principalId", me(call))


def _create(call: Call) -> Reply:
    given = call.json()
    holder = _holder(call, _text(given, "principalId"))
    resource = call.seen(Kind.SERVICE_PRINCIPAL, _text(given, "resourceId"))
    role_id = canonical(_text(given, "appRoleId"))
    is_user = holder.kind is Kind.USER
    _check_offered(resource, role_id, "User" if is_user else "Application")
    same = (holder.id, resource.id, role_id)
    for other in call.tenant.store.latest(Kind.APP_ROLE_ASSIGNMENT, "principalId", holder.id):
        ends = (other.body["principalId"], other.body["resourceId"], other.body["appRoleId"])
        if ends == same:
            raise bad_request("Permission being assigned already exists on the object")
    body = merge(
        APP_ROLE_ASSIGNMENT.properties,
        {
            "id": assignment_id(call.tenant.ids.new("appRoleAssignment"), holder.id),
            "appRoleId": role_id,
            "createdDateTime": graph_time(call.tenant.clock.now()),
            "principalDisplayName": holder.body["displayName"],
            "principalId": holder.id,
            "principalType": "User" if is_user else "ServicePrincipal",
            "resourceDisplayName": resource.body["displayName"],
            "resourceId": resource.id,
        },
    )
    record = call.tenant.store.add(Record(Kind.APP_ROLE_ASSIGNMENT, body["id"], body))
    return one(call, record, APP_ROLE_ASSIGNMENT, status=201)


def _check_offered(resource: Record, role_id: str, member_type: str) -> None:
    """Raise GraphError 400 if a resource has no such role, or not for such a member."""
    roles = {
        role.get("id"): role.get("allowedMemberTypes") or ()  # planted ones may lack any member
        for role in resource.body["appRoles"]
    }
    if role_id == _DEFAULT_ROLE and not roles:
        return
    if member_type not in roles.get(role_id, ()):
        raise bad_request("Permission being assigned was not found on application")


def _holder(call: Call, id_: str) -> Record:
    for kind in (Kind.SERVICE_PRINCIPAL, Kind.USER):
        if (record := call.tenant.seen(call.view, kind, id_)) is not None:
            return record
    raise not_found(id_)


def _text(given: Json, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise invalid_value(name, _RESOURCE)
    return value


ROUTES = (
    *_side_routes("/servicePrincipals/{principal}/appRoleAssignments", "principalId", principal),
    *_side_routes("/servicePrincipals/{principal}/appRoleAssignedTo", "resourceId", principal),
    *_side_routes("/users/{user}/appRoleAssignments", "principalId", user),
    Route("GET", "/me/appRoleAssignments", list_mine, APPLICATION_READ),
)
