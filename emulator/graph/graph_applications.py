"""Application registrations: create, read, change, delete."""

from dataclasses import replace

from emulator.clock import graph_time
from emulator.directory.entities import APPLICATION
from emulator.directory.entity_type import merge
from emulator.directory.principals import mirrored
from emulator.directory.store import Kind, Record
from emulator.graph.app_policies import check_identifier_uris
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_listing import count, one, page
from emulator.graph.graph_owners import bound_owners, owner_routes
from emulator.graph.graph_writing import writable
from emulator.graph.permissions import APPLICATION_READ, APPLICATION_WRITE
from emulator.graph.published_permissions import check_permissions
from emulator.graph.recycle_bin import check_quota, soft_delete
from emulator.graph.redirect_uris import check_redirect_uris
from emulator.json_text import Json
from emulator.odata.odata_path import Key
from emulator.odata.problems import (
    GraphError,
    bad_request,
    bad_syntax,
    invalid_value,
    not_found,
    read_only,
)

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
    """Find the application that the path names: by object id, `(appId='…')` or `(uniqueName='…')`.

    GraphError 404 if this call does not see it.
    """
    key = call.params["application"]
    if not isinstance(key, Key):
        return call.seen(Kind.APPLICATION, key)
    if key.name == "appId":
        record = call.tenant.seen_by_app_id(call.view, Kind.APPLICATION, key.value)
    elif key.name == "uniqueName":
        entries = call.tenant.store.entries(Kind.APPLICATION)
        seen = (record for _, record in call.view.records(entries) if record.deleted_at is None)
        record = next((one for one in seen if one.body["uniqueName"] == key.value), None)
    else:
        raise bad_syntax(f"Resource not found for the segment '{key.name}'.")
    if record is None:
        raise not_found(key.value)
    return record


def list_applications(call: Call) -> Reply:
    """GET /applications."""
    return page(call, APPLICATION, Kind.APPLICATION)


def count_applications(call: Call) -> Reply:
    """GET /applications/$count."""
    return count(call, APPLICATION, Kind.APPLICATION)


def get_application(call: Call) -> Reply:
    """GET /applications/{id}."""
    return one(call, application(call), APPLICATION)


def create_application(call: Call) -> Reply:
    """POST /applications."""
    given = _checked({"displayName": None, **call.json()}, call.version)
    owners = bound_owners(call, call.json())
    check_quota(call.tenant, call.caller)
    body = merge(APPLICATION.properties, given)
    body |= {
        "id": call.tenant.ids.new("application"),
        "appId": call.tenant.ids.new("appId"),
        "createdDateTime": graph_time(call.tenant.clock.now()),
        "publisherDomain": call.tenant.domains[0],
        "createdByAppId": call.caller.client_id,
    }
    if "Personal" in body["signInAudience"] and body["api"]["requestedAccessTokenVersion"] is None:
        body["api"] = {**body["api"], "requestedAccessTokenVersion": 2}
    _check_body(call, body)
    check_identifier_uris(call.tenant, body, body["identifierUris"])
    links = {"owners": owners, "creator": (call.caller.object_id,)}
    record = call.tenant.store.add(Record(Kind.APPLICATION, body["id"], body, links=links))
    return one(call, record, APPLICATION, status=201)


def update_application(call: Call) -> Reply:
    """PATCH /applications/{id}."""
    seen = application(call)
    call.require_ownership(seen)
    record = call.latest(seen)
    given = _checked(call.json(), call.version, record.body)
    unique_name = record.body["uniqueName"]
    if unique_name is not None and given.get("uniqueName", unique_name) != unique_name:
        raise read_only("uniqueName")
    body = merge(record.body, given)
    _check_disabled_first(record.body["appRoles"], body["appRoles"])
    _check_disabled_first(
        record.body["api"]["oauth2PermissionScopes"], body["api"]["oauth2PermissionScopes"]
    )
    _check_body(call, body)
    added = [uri for uri in body["identifierUris"] if uri not in record.body["identifierUris"]]
    check_identifier_uris(call.tenant, body, added)
    call.tenant.store.update(replace(record, body=body))
    principal = call.tenant.principal_of(body["appId"])
    if principal is not None:
        call.tenant.change(principal, mirrored(body, call.tenant.id))
    return NO_CONTENT


def delete_application(call: Call) -> Reply:
    """DELETE /applications/{id}: into the recycle bin."""
    seen = application(call)
    call.require_ownership(seen)
    soft_delete(call.tenant, call.latest(seen))
    return NO_CONTENT


def _checked(given: Json, version: str, present: Json | None = None) -> Json:
    """Return the properties to write. GraphError 400 for what may not be written."""
    properties = writable(given, APPLICATION, version, _READ_ONLY, present)
    if properties.get("signInAudience", _AUDIENCES[0]) not in _AUDIENCES:
        raise invalid_value("signInAudience", "Application")
    if not properties.get("displayName", "as it was"):
        raise invalid_value("displayName", "Application")
    return properties


def _check_body(call: Call, body: Json) -> None:
    """Raise GraphError 400 for what does not go together, or with other applications."""
    check_permissions(body["appRoles"], body["api"]["oauth2PermissionScopes"])
    check_redirect_uris(body)
    unique_name = body["uniqueName"]
    if unique_name is not None and any(
        other.body["uniqueName"] == unique_name and other.id != body["id"]
        for other in call.tenant.store.latest(Kind.APPLICATION)
    ):
        raise bad_request(
            "Another object with the same value for property uniqueName already exists."
        )


def _check_disabled_first(before: list[Json], after: list[Json]) -> None:
    """Raise GraphError 400 if a permission disappears that is enabled still."""
    kept = {item.get("id") for item in after}
    if any(item.get("isEnabled") and item.get("id") not in kept for item in before):
        raise GraphError(
            400,
            "CannotDeleteOrUpdateEnabledEntitlement",
            "Permission (scope or role) cannot be deleted or updated unless disabled first.",
        )


_ONE = "/applications/{application}"

ROUTES = (
    Route("GET", "/applications", list_applications, APPLICATION_READ),
    Route("GET", "/applications/$count", count_applications, APPLICATION_READ),
    Route("POST", "/applications", create_application, APPLICATION_WRITE),
    Route("GET", _ONE, get_application, APPLICATION_READ),
    Route("PATCH", _ONE, update_application, APPLICATION_WRITE),
    Route("DELETE", _ONE, delete_application, APPLICATION_WRITE),
    *owner_routes(_ONE, application, APPLICATION_WRITE),
)
