"""Delegated permission grants: what administrators and users have consented to."""

from dataclasses import replace

from emulator.entities import GRANT
from emulator.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.ids import grant_id
from emulator.permissions import GRANT_READ, GRANT_WRITE
from emulator.problems import bad_request, duplicate, not_found
from emulator.store import Json, Kind, Record

_CONSENT_TYPES = ("AllPrincipals", "Principal")


def _grant(call: Call) -> Record:
    grant = call.seen(Kind.GRANT, call.param("grant"))
    if not _stands(call, grant):
        raise not_found(grant.id)
    return grant


def _stands(call: Call, grant: Record) -> bool:
    """Whether both ends are there; a grant is gone while one of them is in the recycle bin."""
    return all(
        call.tenant.seen(call.view, Kind.SERVICE_PRINCIPAL, grant.body[end]) is not None
        for end in ("clientId", "resourceId")
    )


def list_grants(call: Call) -> Reply:
    return call.collection(
        GRANT, call.candidates(GRANT, Kind.GRANT), keep=lambda grant: _stands(call, grant)
    )


def get_grant(call: Call) -> Reply:
    return call.entity(_grant(call), GRANT)


def create_grant(call: Call) -> Reply:
    given = call.json()
    consent_type = given.get("consentType")
    if consent_type not in _CONSENT_TYPES:
        raise bad_request(
            "Invalid value specified for property 'consentType' of resource 'OAuth2PermissionGrant'."
        )
    principal_id = given.get("principalId")
    if (principal_id is not None) is not (consent_type == "Principal"):
        raise bad_request(
            "Invalid value specified for property 'principalId' of resource 'OAuth2PermissionGrant'."
        )
    client = call.seen(Kind.SERVICE_PRINCIPAL, _id(given, "clientId"))
    resource = call.seen(Kind.SERVICE_PRINCIPAL, _id(given, "resourceId"))
    if principal_id is not None:
        call.seen(Kind.USER, principal_id)
    id_ = grant_id(client.id, resource.id, principal_id)
    if call.tenant.store.any_entry(id_) is not None and _exists(call, id_):
        raise duplicate("Permission entry already exists.")
    body: Json = {
        "clientId": client.id,
        "consentType": consent_type,
        "id": id_,
        "principalId": principal_id,
        "resourceId": resource.id,
        "scope": _scope(given, resource),
    }
    record = call.tenant.store.add(Record(Kind.GRANT, id_, body))
    return call.entity(record, GRANT, status=201)


def _exists(call: Call, id_: str) -> bool:
    entry = call.tenant.store.entry(Kind.GRANT, id_)
    return entry is not None and entry.latest is not None


def update_grant(call: Call) -> Reply:
    record = call.latest(_grant(call))
    given = {name: value for name, value in call.json().items() if "@odata" not in name}
    for name, value in given.items():
        if name != "scope" and value != record.body.get(name):
            raise bad_request(f"Property cannot be updated: {name}")
    if "scope" in given:
        resource = call.seen(Kind.SERVICE_PRINCIPAL, record.body["resourceId"])
        scope = _scope(given, resource)
        call.tenant.store.update(replace(record, body={**record.body, "scope": scope}))
    return NO_CONTENT


def delete_grant(call: Call) -> Reply:
    call.tenant.store.remove(call.latest(_grant(call)))
    return NO_CONTENT


def _id(given: Json, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise bad_request(
            f"Invalid value specified for property '{name}' of resource 'OAuth2PermissionGrant'."
        )
    return value


def _scope(given: Json, resource: Record) -> str:
    value = given.get("scope") or ""
    if not isinstance(value, str):
        raise bad_request(
            "Invalid value specified for property 'scope' of resource 'OAuth2PermissionGrant'."
        )
    return value


ROUTES = (
    Route("GET", "/oauth2PermissionGrants", list_grants, GRANT_READ),
    Route("POST", "/oauth2PermissionGrants", create_grant, GRANT_WRITE),
    Route("GET", "/oauth2PermissionGrants/{grant}", get_grant, GRANT_READ),
    Route("PATCH", "/oauth2PermissionGrants/{grant}", update_grant, GRANT_WRITE),
    Route("DELETE", "/oauth2PermissionGrants/{grant}", delete_grant, GRANT_WRITE),
)
