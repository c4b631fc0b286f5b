"""Delegated permission grants: what administrators and users have consented to."""

from dataclasses import replace

from emulator.directory.entities import GRANT
from emulator.directory.ids import canonical, grant_id
from emulator.directory.store import Kind, Record
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_directory import me, user
from emulator.graph.graph_listing import count, one, page
from emulator.graph.graph_principals import principal
from emulator.graph.permissions import GRANT_READ, GRANT_WRITE
from emulator.json_text import Json
from emulator.odata.problems import bad_request, duplicate, invalid_value, not_found

_RESOURCE = "OAuth2PermissionGrant"
_CONSENT_TYPES = ("AllPrincipals", "Principal")


def _grant(call: Call) -> Record:
    grant = call.seen(Kind.GRANT, call.param("grant"))
    if not _stands(call, grant):
        raise not_found(grant.id)
    return grant


def _stands(call: Call, grant: Record) -> bool:
    """Whether both ends are there; a grant is hidden while one of them is in the recycle bin."""
    return all(
        call.tenant.seen(call.view, Kind.SERVICE_PRINCIPAL, grant.body[end]) is not None
        for end in ("clientId", "resourceId")
    )


def list_grants(call: Call) -> Reply:
    """GET /oauth2PermissionGrants."""
    return page(call, GRANT, Kind.GRANT, keep=lambda grant: _stands(call, grant))


def count_grants(call: Call) -> Reply:
    """GET /oauth2PermissionGrants/$count."""
    return count(call, GRANT, Kind.GRANT, keep=lambda grant: _stands(call, grant))


def list_grants_of_principal(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/oauth2PermissionGrants."""
    client = principal(call)
    entries = call.tenant.store.entries(Kind.GRANT, "clientId", client.id)
    return page(call, GRANT, entries, keep=lambda grant: _stands(call, grant))


def expand_grants(call: Call, client: Record) -> list[Json]:
    """Read the grants of a service principal for `$expand`."""
    entries = call.tenant.store.entries(Kind.GRANT, "clientId", client.id)
    return [grant.body for _, grant in call.view.records(entries) if _stands(call, grant)]


def list_grants_of_user(call: Call) -> Reply:
    """GET /users/{id or userPrincipalName}/oauth2PermissionGrants: those given for himself."""
    return _given_by(call, user(call))


def list_my_grants(call: Call) -> Reply:
    """GET /me/oauth2PermissionGrants."""
    return _given_by(call, me(call))


def _given_by(call: Call, giver: Record) -> Reply:
    def keep(grant: Record) -> bool:
        return grant.body["principalId"] == giver.id and _stands(call, grant)

    return page(call, GRANT, Kind.GRANT, keep)


def get_grant(call: Call) -> Reply:
    """GET /oauth2PermissionGrants/{id}."""
    return one(call, _grant(call), GRANT)


def create_grant(call: Call) -> Reply:
    """POST /oauth2PermissionGrants."""
    given = call.json()
    consent_type = given.get("consentType")
    if consent_type not in _CONSENT_TYPES:
        raise invalid_value("consentType", _RESOURCE)
    principal_id = given.get("principalId")
    if (principal_id is not None) is not (consent_type == "Principal"):
        raise invalid_value("principalId", _RESOURCE)
    client = call.seen(Kind.SERVICE_PRINCIPAL, _text(given, "clientId"))
    resource = call.seen(Kind.SERVICE_PRINCIPAL, _text(given, "resourceId"))
    if principal_id is not None:
        principal_id = call.seen(Kind.USER, _text(given, "principalId")).id
    id_ = grant_id(client.id, resource.id, principal_id)
    before = call.tenant.store.entry(Kind.GRANT, id_)
    if before is not None and before.latest is not None:
        raise duplicate("Permission entry already exists.")
    body: Json = {
        "clientId": client.id,
        "consentType": consent_type,
        "id": id_,
        "principalId": principal_id,
        "resourceId": resource.id,
        "scope": _scope(given),
    }
    return one(call, call.tenant.store.add(Record(Kind.GRANT, id_, body)), GRANT, status=201)


def update_grant(call: Call) -> Reply:
    """PATCH /oauth2PermissionGrants/{id}: its scope only."""
    record = call.latest(_grant(call))
    for name, value in call.json().items():
        same = canonical(value) if isinstance(value, str) else value
        if "@odata" not in name and name != "scope" and same != record.body.get(name):
            raise bad_request(f"Property cannot be updated: {name}")
    if "scope" in call.json():
        body = {**record.body, "scope": _scope(call.json())}
        call.tenant.store.update(replace(record, body=body))
    return NO_CONTENT


def delete_grant(call: Call) -> Reply:
    """DELETE /oauth2PermissionGrants/{id}."""
    call.tenant.store.remove(call.latest(_grant(call)))
    return NO_CONTENT


def _text(given: Json, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise invalid_value(name, _RESOURCE)
    return value


def _scope(given: Json) -> str:
    value = given.get("scope")
    if value is not None and not isinstance(value, str):
        raise invalid_value("scope", _RESOURCE)
    return value or ""


_ONE = "/oauth2PermissionGrants/{grant}"

ROUTES = (
    Route("GET", "/oauth2PermissionGrants", list_grants, GRANT_READ),
    Route("POST", "/oauth2PermissionGrants", create_grant, GRANT_WRITE),
    Route("GET", "/oauth2PermissionGrants/$count", count_grants, GRANT_READ),
    Route("GET", _ONE, get_grant, GRANT_READ),
    Route("PATCH", _ONE, update_grant, GRANT_WRITE),
    Route("DELETE", _ONE, delete_grant, GRANT_WRITE),
    Route(
        "GET",
        "/servicePrincipals/{principal}/oauth2PermissionGrants",
        list_grants_of_principal,
        GRANT_READ,
    ),
    Route("GET", "/users/{user}/oauth2PermissionGrants", list_grants_of_user, GRANT_READ),
    Route("GET", "/me/oauth2PermissionGrants", list_my_grants, GRANT_READ),
)
