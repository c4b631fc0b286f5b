"""Federated identity credentials of applications."""

from dataclasses import replace

from emulator.entities import FEDERATED_CREDENTIAL, merge
from emulator.graph_applications import application
from emulator.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.permissions import APPLICATION_READ, APPLICATION_WRITE
from emulator.problems import bad_request, duplicate, not_found
from emulator.store import Entry, Json, Kind, Record

_MOST = 20


def _credential(call: Call) -> Record:
    """The credential that the path names, by id or name."""
    parent = application(call)
    key = call.param("credential")
    for entry in _entries(call, parent):
        record = call.view.record(entry)
        if record is not None and key in (record.id, record.body["name"]):
            return record
    raise not_found(key)


def _entries(call: Call, parent: Record) -> list[Entry]:
    entries = call.tenant.store.entries(Kind.FEDERATED_CREDENTIAL)
    return [
        e for e in entries if any(v.record and v.record.parent == parent.id for v in e.versions)
    ]


def list_credentials(call: Call) -> Reply:
    return call.collection(FEDERATED_CREDENTIAL, _entries(call, application(call)))


def get_credential(call: Call) -> Reply:
    return call.entity(_credential(call), FEDERATED_CREDENTIAL)


def create_credential(call: Call) -> Reply:
    parent = application(call)
    call.require_ownership(parent)
    given = _checked(call.json())
    for name in ("name", "issuer", "subject", "audiences"):
        if not given.get(name):
            raise bad_request(
                f"A value is required for property '{name}' of resource 'FederatedIdentityCredential'."
            )
    _check_unique(call, parent, given, None)
    body = merge(FEDERATED_CREDENTIAL.properties, given)
    body["id"] = call.tenant.ids.new("federatedIdentityCredential")
    record = Record(Kind.FEDERATED_CREDENTIAL, body["id"], body, parent=parent.id)
    return call.entity(call.tenant.store.add(record), FEDERATED_CREDENTIAL, status=201)


def update_credential(call: Call) -> Reply:
    parent = application(call)
    call.require_ownership(parent)
    record = call.latest(_credential(call))
    given = _checked(call.json())
    if given.get("name", record.body["name"]) != record.body["name"]:
        raise bad_request("Property 'name' is read-only and cannot be set.")
    body = merge(record.body, given)
    _check_unique(call, parent, body, record)
    call.tenant.store.update(replace(record, body=body))
    return NO_CONTENT


def delete_credential(call: Call) -> Reply:
    call.require_ownership(application(call))
    call.tenant.store.remove(call.latest(_credential(call)))
    return NO_CONTENT


def _checked(given: Json) -> Json:
    properties = {name: value for name, value in given.items() if "@odata" not in name}
    audiences = properties.get("audiences")
    if audiences is not None and (not isinstance(audiences, list) or len(audiences) != 1):
        raise bad_request(
            "Invalid value specified for property 'audiences' of resource 'FederatedIdentityCredential'."
        )
    return properties


def _check_unique(call: Call, parent: Record, given: Json, itself: Record | None) -> None:
    others = [
        record
        for record in call.tenant.live(Kind.FEDERATED_CREDENTIAL)
        if record.parent == parent.id and (itself is None or record.id != itself.id)
    ]
    if len(others) >= _MOST:
        raise bad_request("The maximum number of federated identity credentials is 20.")
    for other in others:
        if other.body["name"] == given["name"]:
            raise duplicate(
                f"FederatedIdentityCredential with name {given['name']} already exists."
            )
        if (other.body["issuer"], other.body["subject"]) == (given["issuer"], given["subject"]):
            raise bad_request(
                "FederatedIdentityCredential with the same issuer and subject already exists on app."
            )


_ALL = "/applications/{application}/federatedIdentityCredentials"
_ONE = _ALL + "/{credential}"

ROUTES = (
    Route("GET", _ALL, list_credentials, APPLICATION_READ),
    Route("POST", _ALL, create_credential, APPLICATION_WRITE),
    Route("GET", _ONE, get_credential, APPLICATION_READ),
    Route("PATCH", _ONE, update_credential, APPLICATION_WRITE),
    Route("DELETE", _ONE, delete_credential, APPLICATION_WRITE),
)
