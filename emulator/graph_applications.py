"""Application registrations: create, read, change, delete, and their owners."""

from dataclasses import replace
from typing import Any

from emulator import graph_owners
from emulator.clock import graph_time
from emulator.entities import APPLICATION, merge
from emulator.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.identifier_uris import check_identifier_uris
from emulator.odata_path import Key
from emulator.permissions import APPLICATION_READ, APPLICATION_WRITE
from emulator.principals import mirrored
from emulator.problems import GraphProblem, bad_request, bad_syntax, not_found
from emulator.recycle_bin import check_quota, soft_delete
from emulator.store import Json, Kind, Record

_READ_ONLY = frozenset(
    {
        "id",
        "appId",
        "applicationTemplateId",
        "certification",
        "createdByAppId",
        "createdDateTime",
        "deletedDateTime",
        "disabledByMicrosoftStatus",
        "publisherDomain",
        "verifiedPublisher",
    }
)
_AUDIENCES = (
    "AzureADMyOrg",
    "AzureADMultipleOrgs",
    "AzureADandPersonalMicrosoftAccount",
    "PersonalMicrosoftAccount",
)


def application(call: Call) -> Record:
    """The application that the path names, by object id or by `(appId='…')`."""
    key = call.params["application"]
    if isinstance(key, Key):
        if key.name not in ("appId", "uniqueName"):
            raise bad_syntax(f"Invalid alternate key '{key.name}'.")
        for entry in call.tenant.store.entries(Kind.APPLICATION):
            record = call.view.record(entry)
            if record is not None and record.deleted_at is None:
                if record.body[key.name] == key.value:
                    return record
        raise not_found(key.value)
    return call.seen(Kind.APPLICATION, key)


def list_applications(call: Call) -> Reply:
    return call.collection(APPLICATION, call.candidates(APPLICATION, Kind.APPLICATION))


def get_application(call: Call) -> Reply:
    return call.entity(application(call), APPLICATION)


def create_application(call: Call) -> Reply:
    given = _checked(call, call.json(), None)
    if not given.get("displayName"):
        raise bad_request(
            "A value is required for property 'displayName' of resource 'Application'."
        )
    owners = graph_owners.bound_owners(call, call.json())
    check_quota(call)
    body = merge(APPLICATION.properties, given)
    body |= {
        "id": call.tenant.ids.new("application"),
        "appId": call.tenant.ids.new("appId"),
        "createdDateTime": graph_time(call.tenant.clock.now()),
        "publisherDomain": call.tenant.domains[0],
        "createdByAppId": call.caller.client_id,
    }
    if body["api"]["requestedAccessTokenVersion"] is None and _has_personal_accounts(body):
        body["api"] = {**body["api"], "requestedAccessTokenVersion": 2}
    check_identifier_uris(call, body, added=body["identifierUris"])
    links = {"owners": owners or (call.caller.object_id,), "creator": (call.caller.object_id,)}
    record = call.tenant.store.add(Record(Kind.APPLICATION, body["id"], body, links=links))
    return call.entity(record, APPLICATION, status=201)


def update_application(call: Call) -> Reply:
    seen = application(call)
    call.require_ownership(seen)
    record = call.latest(seen)
    given = _checked(call, call.json(), record)
    body = merge(record.body, given)
    added = [uri for uri in body["identifierUris"] if uri not in record.body["identifierUris"]]
    check_identifier_uris(call, body, added=added)
    call.tenant.store.update(replace(record, body=body))
    _mirror(call, body)
    return NO_CONTENT


def delete_application(call: Call) -> Reply:
    seen = application(call)
    call.require_ownership(seen)
    soft_delete(call.tenant, call.latest(seen))
    return NO_CONTENT


def _checked(call: Call, given: Json, before: Record | None) -> Json:
    """The properties to write. GraphProblem 400 for what may not be written."""
    writable: Json = {}
    for name, value in given.items():
        if "@odata" in name:
            continue
        if name not in APPLICATION.properties:
            raise bad_syntax(
                f"The property '{name}' does not exist on type 'microsoft.graph.application'. "
                "Make sure to only use property names that are defined by the type or mark the "
                "type as open type."
            )
        if name in _READ_ONLY:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
        writable[name] = _with_default(name, value)
    if writable.get("passwordCredentials"):
        raise bad_request("Update to existing credential with KeyId is not allowed.")
    if writable.get("signInAudience", _AUDIENCES[0]) not in _AUDIENCES:
        raise bad_request(
            "Invalid value specified for property 'signInAudience' of resource 'Application'."
        )
    if before is not None:
        _check_disabled_first(before.body["appRoles"], writable.get("appRoles"))
        scopes = before.body["api"]["oauth2PermissionScopes"]
        _check_disabled_first(scopes, (writable.get("api") or {}).get("oauth2PermissionScopes"))
    return writable


def _with_default(name: str, value: Any) -> Any:
    """A collection or complex value set to null is empty, not missing."""
    return APPLICATION.properties[name] if value is None else value


def _check_disabled_first(before: list[Json], after: list[Json] | None) -> None:
    if after is None:
        return
    kept = {item.get("id"): item for item in after}
    for item in before:
        if item.get("isEnabled") and item.get("id") not in kept:
            raise GraphProblem(
                400,
                "CannotDeleteOrUpdateEnabledEntitlement",
                "Permission (scope or role) cannot be deleted or updated unless disabled first.",
            )


def _has_personal_accounts(body: Json) -> bool:
    return "Personal" in str(body["signInAudience"])


def _mirror(call: Call, body: Json) -> None:
    """Let the service principal in the same tenant follow its application."""
    principal = call.tenant.principal_of(body["appId"])
    if principal is not None:
        call.tenant.change(principal, mirrored(body, call.tenant.id))


def list_owners(call: Call) -> Reply:
    return graph_owners.list_owners(call, application(call))


def add_owner(call: Call) -> Reply:
    return graph_owners.add_owner(call, application(call))


def remove_owner(call: Call) -> Reply:
    return graph_owners.remove_owner(call, application(call))


ROUTES = (
    Route("GET", "/applications", list_applications, APPLICATION_READ),
    Route("POST", "/applications", create_application, APPLICATION_WRITE),
    Route("GET", "/applications/{application}", get_application, APPLICATION_READ),
    Route("PATCH", "/applications/{application}", update_application, APPLICATION_WRITE),
    Route("DELETE", "/applications/{application}", delete_application, APPLICATION_WRITE),
    Route("GET", "/applications/{application}/owners", list_owners, APPLICATION_READ),
    Route("POST", "/applications/{application}/owners/$ref", add_owner, APPLICATION_WRITE),
    Route(
        "DELETE", "/applications/{application}/owners/{owner}/$ref", remove_owner, APPLICATION_WRITE
    ),
)
