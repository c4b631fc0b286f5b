"""Service principals: create, read, change, delete."""

from dataclasses import replace

from emulator.clock import graph_time
from emulator.directory.entities import SERVICE_PRINCIPAL
from emulator.directory.entity_type import merge
from emulator.directory.ids import canonical
from emulator.directory.principals import new_principal
from emulator.directory.store import Kind, Record
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_listing import count, one, page
from emulator.graph.graph_owners import bound_owners, owner_routes
from emulator.graph.graph_writing import writable
from emulator.graph.permissions import APPLICATION_READ, PRINCIPAL_WRITE
from emulator.graph.published_permissions import check_permissions
from emulator.graph.recycle_bin import check_quota, soft_delete
from emulator.odata.odata_path import Key
from emulator.odata.problems import (
    GraphError,
    bad_request,
    bad_syntax,
    duplicate,
    invalid_value,
    not_found,
    read_only,
)

_READ_ONLY = frozenset(
    {
        "id",
        "appDescription",
        "appDisplayName",
        "appOwnerOrganizationId",
        "applicationTemplateId",
        "createdByAppId",
        "createdDateTime",
        "deletedDateTime",
        "disabledByMicrosoftStatus",
        "signInAudience",
        "verifiedPublisher",
    }
)


def principal(call: Call) -> Record:
    """Find the service principal that the path names: by object id or by `(appId='…')`.

    GraphError 404 if this call does not see it.
    """
    key = call.params["principal"]
    if not isinstance(key, Key):
        return call.seen(Kind.SERVICE_PRINCIPAL, key)
    if key.name != "appId":
        raise bad_syntax(f"Resource not found for the segment '{key.name}'.")
    record = call.tenant.seen_by_app_id(call.view, Kind.SERVICE_PRINCIPAL, key.value)
    if record is None:
        raise not_found(key.value)
    return record


def list_principals(call: Call) -> Reply:
    """GET /servicePrincipals."""
    return page(call, SERVICE_PRINCIPAL, Kind.SERVICE_PRINCIPAL)


def count_principals(call: Call) -> Reply:
    """GET /servicePrincipals/$count."""
    return count(call, SERVICE_PRINCIPAL, Kind.SERVICE_PRINCIPAL)


def get_principal(call: Call) -> Reply:
    """GET /servicePrincipals/{id}."""
    return one(call, principal(call), SERVICE_PRINCIPAL)


def create_principal(call: Call) -> Reply:
    """POST /servicePrincipals."""
    given = writable(call.json(), SERVICE_PRINCIPAL, call.version, _READ_ONLY)
    app_id = given.get("appId")
    if not isinstance(app_id, str):
        raise invalid_value("appId", "ServicePrincipal")
    found = call.cloud.registration(app_id)
    if found is None or not _is_seen(call, found[1]):
        raise _no_application(app_id)
    home, registration = found
    if home is call.tenant:
        call.require_ownership(registration)
    else:
        _check_foreign(call, registration)
    if call.tenant.principal_of(app_id) is not None:
        raise duplicate(
            "The service principal cannot be created, updated, or restored because the service "
            f"principal name {app_id} is already in use."
        )
    owners = bound_owners(call, call.json())
    check_quota(call.tenant, call.caller)
    body = merge(new_principal(registration.body, home.id), given)
    body |= {
        "appId": registration.body["appId"],
        "id": call.tenant.ids.new("servicePrincipal"),
        "createdDateTime": graph_time(call.tenant.clock.now()),
        "createdByAppId": call.caller.client_id,
    }
    check_permissions(body["appRoles"], body["oauth2PermissionScopes"])
    links = {"owners": owners, "creator": (call.caller.object_id,)}
    record = call.tenant.store.add(Record(Kind.SERVICE_PRINCIPAL, body["id"], body, links=links))
    return one(call, record, SERVICE_PRINCIPAL, status=201)


def _is_seen(call: Call, registration: Record) -> bool:
    """Whether the replica knows the application by now; another tenant's is always known."""
    if call.tenant.store.entry(Kind.APPLICATION, registration.id) is None:
        return True
    return call.tenant.seen(call.view, Kind.APPLICATION, registration.id) is not None


def _check_foreign(call: Call, registration: Record) -> None:
    """Raise GraphError if another tenant's application cannot have a service principal here."""
    if registration.body["signInAudience"] == "AzureADMyOrg":
        raise _no_application(registration.body["appId"])
    if call.needs.only_if_owned(call.caller):
        raise GraphError(
            403,
            "Authorization_RequestDenied",
            "When using this permission, the backing application of the service principal being "
            "created must in the local tenant",
        )


def _no_application(app_id: str) -> GraphError:
    return bad_request(
        f"The appId '{app_id}' of the service principal does not reference a valid application "
        "object."
    )


def update_principal(call: Call) -> Reply:
    """PATCH /servicePrincipals/{id}."""
    seen = principal(call)
    call.require_ownership(seen)
    record = call.latest(seen)
    given = writable(call.json(), SERVICE_PRINCIPAL, call.version, _READ_ONLY, record.body)
    app_id = given.pop("appId", record.body["appId"])
    if app_id is None or canonical(app_id) != record.body["appId"]:
        raise read_only("appId")
    body = merge(record.body, given)
    check_permissions(body["appRoles"], body["oauth2PermissionScopes"])
    call.tenant.store.update(replace(record, body=body))
    return NO_CONTENT


def delete_principal(call: Call) -> Reply:
    """DELETE /servicePrincipals/{id}: into the recycle bin."""
    seen = principal(call)
    call.require_ownership(seen)
    soft_delete(call.tenant, call.latest(seen))
    return NO_CONTENT


_ONE = "/servicePrincipals/{principal}"

ROUTES = (
    Route("GET", "/servicePrincipals", list_principals, APPLICATION_READ),
    Route("GET", "/servicePrincipals/$count", count_principals, APPLICATION_READ),
    Route("POST", "/servicePrincipals", create_principal, PRINCIPAL_WRITE),
    Route("GET", _ONE, get_principal, APPLICATION_READ),
    Route("PATCH", _ONE, update_principal, PRINCIPAL_WRITE),
    Route("DELETE", _ONE, delete_principal, PRINCIPAL_WRITE),
    *owner_routes(_ONE, principal, PRINCIPAL_WRITE),
)
