"""Service principals: create, read, change, delete, and their owners."""

from dataclasses import replace

from emulator import graph_owners
from emulator.clock import graph_time
from emulator.entities import SERVICE_PRINCIPAL, merge
from emulator.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.odata_path import Key
from emulator.permissions import APPLICATION_READ, APPLICATION_WRITE
from emulator.principals import new_principal
from emulator.problems import GraphProblem, bad_request, bad_syntax, duplicate, not_found
from emulator.recycle_bin import check_quota, soft_delete
from emulator.store import Json, Kind, Record

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
    """The service principal that the path names, by object id or by `(appId='…')`."""
    key = call.params["principal"]
    if isinstance(key, Key):
        if key.name != "appId":
            raise bad_syntax(f"Invalid alternate key '{key.name}'.")
        record = call.tenant.seen_by_app_id(call.view, Kind.SERVICE_PRINCIPAL, key.value)
        if record is None:
            raise not_found(key.value)
        return record
    return call.seen(Kind.SERVICE_PRINCIPAL, key)


def list_principals(call: Call) -> Reply:
    return call.collection(
        SERVICE_PRINCIPAL, call.candidates(SERVICE_PRINCIPAL, Kind.SERVICE_PRINCIPAL)
    )


def get_principal(call: Call) -> Reply:
    return call.entity(principal(call), SERVICE_PRINCIPAL)


def create_principal(call: Call) -> Reply:
    given = _checked(call.json())
    app_id = given.get("appId")
    if not app_id:
        raise bad_request(
            "A value is required for property 'appId' of resource 'ServicePrincipal'."
        )
    found = call.cloud.registration(app_id)
    if found is None or not _is_seen(call, found[1]):
        raise GraphProblem(
            400,
            "Request_BadRequest",
            f"The appId '{app_id}' of the service principal does not reference a valid application "
            "object.",
        )
    home, registration = found
    if home is not call.tenant:
        _check_foreign(call, registration)
    else:
        call.require_ownership(registration)
    if call.tenant.principal_of(app_id) is not None:
        raise duplicate(
            "The service principal cannot be created, updated, or restored because the service "
            f"principal name {app_id} is already in use."
        )
    owners = graph_owners.bound_owners(call, call.json())
    check_quota(call)
    body = merge(new_principal(registration.body, home.id), given)
    body |= {
        "id": call.tenant.ids.new("servicePrincipal"),
        "createdDateTime": graph_time(call.tenant.clock.now()),
        "createdByAppId": call.caller.client_id,
    }
    links = {"owners": owners or (call.caller.object_id,), "creator": (call.caller.object_id,)}
    record = call.tenant.store.add(Record(Kind.SERVICE_PRINCIPAL, body["id"], body, links=links))
    return call.entity(record, SERVICE_PRINCIPAL, status=201)


def _is_seen(call: Call, registration: Record) -> bool:
    """Whether the replica knows the application by now; another tenant's is always known."""
    entry = call.tenant.store.entry(Kind.APPLICATION, registration.id)
    return (
        entry is None or call.tenant.seen(call.view, Kind.APPLICATION, registration.id) is not None
    )


def _check_foreign(call: Call, registration: Record) -> None:
    """GraphProblem if another tenant's application cannot have a service principal here."""
    if registration.body["signInAudience"] == "AzureADMyOrg":
        raise bad_request(
            f"The appId '{registration.body['appId']}' of the service principal does not reference "
            "a valid application object."
        )
    if call.needs is not None and call.needs.only_if_owned(call.caller):
        raise GraphProblem(
            403,
            "Authorization_RequestDenied",
            "When using this permission, the backing application of the service principal being "
            "created must in the local tenant",
        )


def update_principal(call: Call) -> Reply:
    seen = principal(call)
    call.require_ownership(seen)
    record = call.latest(seen)
    given = _checked(call.json())
    if given.get("appId", record.body["appId"]) != record.body["appId"]:
        raise bad_request("Property 'appId' is read-only and cannot be set.")
    call.tenant.store.update(replace(record, body=merge(record.body, given)))
    return NO_CONTENT


def delete_principal(call: Call) -> Reply:
    seen = principal(call)
    call.require_ownership(seen)
    soft_delete(call.tenant, call.latest(seen))
    return NO_CONTENT


def _checked(given: Json) -> Json:
    """The properties to write. GraphProblem 400 for what may not be written."""
    writable: Json = {}
    for name, value in given.items():
        if "@odata" in name:
            continue
        if name not in SERVICE_PRINCIPAL.properties:
            raise bad_syntax(
                f"The property '{name}' does not exist on type 'microsoft.graph.servicePrincipal'. "
                "Make sure to only use property names that are defined by the type or mark the "
                "type as open type."
            )
        if name in _READ_ONLY:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
        writable[name] = SERVICE_PRINCIPAL.properties[name] if value is None else value
    if writable.get("passwordCredentials"):
        raise bad_request("Update to existing credential with KeyId is not allowed.")
    return writable


def list_owners(call: Call) -> Reply:
    return graph_owners.list_owners(call, principal(call))


def add_owner(call: Call) -> Reply:
    return graph_owners.add_owner(call, principal(call))


def remove_owner(call: Call) -> Reply:
    return graph_owners.remove_owner(call, principal(call))


_ONE = "/servicePrincipals/{principal}"

ROUTES = (
    Route("GET", "/servicePrincipals", list_principals, APPLICATION_READ),
    Route("POST", "/servicePrincipals", create_principal, APPLICATION_WRITE),
    Route("GET", _ONE, get_principal, APPLICATION_READ),
    Route("PATCH", _ONE, update_principal, APPLICATION_WRITE),
    Route("DELETE", _ONE, delete_principal, APPLICATION_WRITE),
    Route("GET", _ONE + "/owners", list_owners, APPLICATION_READ),
    Route("POST", _ONE + "/owners/$ref", add_owner, APPLICATION_WRITE),
    Route("DELETE", _ONE + "/owners/{owner}/$ref", remove_owner, APPLICATION_WRITE),
)
