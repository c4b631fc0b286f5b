"""App role assignments: which application permissions have been granted to whom."""

from collections.abc import Callable

from emulator.clock import graph_time
from emulator.entities import APP_ROLE_ASSIGNMENT
from emulator.entity_type import merge
from emulator.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph_listing import one, page
from emulator.graph_principals import principal
from emulator.ids import assignment_id
from emulator.permissions import APP_ROLE_WRITE, APPLICATION_READ
from emulator.problems import bad_request, invalid_value, not_found
from emulator.store import Json, Kind, Record

_RESOURCE = "AppRoleAssignment"
_DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
"""Stands for access without any role in particular."""


def _held(call: Call) -> Callable[[Record], bool]:
    return _with("principalId", principal(call).id)


def _given(call: Call) -> Callable[[Record], bool]:
    return _with("resourceId", principal(call).id)


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


def list_held(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/appRoleAssignments."""
    return page(call, APP_ROLE_ASSIGNMENT, Kind.APP_ROLE_ASSIGNMENT, _held(call))


def list_given(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/appRoleAssignedTo."""
    return page(call, APP_ROLE_ASSIGNMENT, Kind.APP_ROLE_ASSIGNMENT, _given(call))


def list_of_user(call: Call) -> Reply:
    """GET /users/{id}/appRoleAssignments."""
    user = call.seen(Kind.USER, call.param("user"))
    keep = _with("principalId", user.id)
    return page(call, APP_ROLE_ASSIGNMENT, Kind.APP_ROLE_ASSIGNMENT, keep)


def get_held(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/appRoleAssignments/{id}."""
    return one(call, _assignment(call, _held(call)), APP_ROLE_ASSIGNMENT)


def get_given(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/appRoleAssignedTo/{id}."""
    return one(call, _assignment(call, _given(call)), APP_ROLE_ASSIGNMENT)


def delete_held(call: Call) -> Reply:
    """DELETE /servicePrincipals/{id}/appRoleAssignments/{id}."""
    call.tenant.store.remove(call.latest(_assignment(call, _held(call))))
    return NO_CONTENT


def delete_given(call: Call) -> Reply:
    """DELETE /servicePrincipals/{id}/appRoleAssignedTo/{id}."""
    call.tenant.store.remove(call.latest(_assignment(call, _given(call))))
    return NO_CONTENT


def _assignment(call: Call, keep: Callable[[Record], bool]) -> Record:
    record = call.seen(Kind.APP_ROLE_ASSIGNMENT, call.param("assignment"))
    if not keep(record):
        raise not_found(record.id)
    return record


def create(call: Call) -> Reply:
    """POST …/appRoleAssignments or …/appRoleAssignedTo, from either end."""
    principal(call)
    given = call.json()
    holder = _holder(call, _text(given, "principalId"))
    resource = call.seen(Kind.SERVICE_PRINCIPAL, _text(given, "resourceId"))
    role_id = _text(given, "appRoleId")
    roles = {role["id"]: role for role in resource.body["appRoles"]}
    if role_id not in roles and (roles or role_id != _DEFAULT_ROLE):
        raise bad_request("Permission being assigned was not found on application")
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
            "principalType": "User" if holder.kind is Kind.USER else "ServicePrincipal",
            "resourceDisplayName": resource.body["displayName"],
            "resourceId": resource.id,
        },
    )
    record = call.tenant.store.add(Record(Kind.APP_ROLE_ASSIGNMENT, body["id"], body))
    return one(call, record, APP_ROLE_ASSIGNMENT, status=201)


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


_HELD = "/servicePrincipals/{principal}/appRoleAssignments"
_GIVEN = "/servicePrincipals/{principal}/appRoleAssignedTo"

ROUTES = (
    Route("GET", _HELD, list_held, APPLICATION_READ),
    Route("POST", _HELD, create, APP_ROLE_WRITE),
    Route("GET", f"{_HELD}/{{assignment}}", get_held, APPLICATION_READ),
    Route("DELETE", f"{_HELD}/{{assignment}}", delete_held, APP_ROLE_WRITE),
    Route("GET", _GIVEN, list_given, APPLICATION_READ),
    Route("POST", _GIVEN, create, APP_ROLE_WRITE),
    Route("GET", f"{_GIVEN}/{{assignment}}", get_given, APPLICATION_READ),
    Route("DELETE", f"{_GIVEN}/{{assignment}}", delete_given, APP_ROLE_WRITE),
    Route("GET", "/users/{user}/appRoleAssignments", list_of_user, APPLICATION_READ),
)
