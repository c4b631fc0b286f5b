"""Federated identity credentials of applications."""

import re
from dataclasses import replace

from emulator.directory.entities import FEDERATED_CREDENTIAL
from emulator.directory.entity_type import merge
from emulator.directory.store import Entry, Kind, Record
from emulator.graph.graph_applications import application
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_listing import count, one, page
from emulator.graph.graph_writing import writable
from emulator.graph.permissions import APPLICATION_READ, APPLICATION_WRITE
from emulator.json_text import Json
from emulator.odata.odata_path import Key
from emulator.odata.problems import (
    GraphError,
    bad_request,
    duplicate,
    invalid_value,
    not_found,
    segment_not_found,
)

_MOST = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_REQUIRED = ("name", "issuer", "subject", "audiences")
_LONGEST = 600
"""Of every text but the name."""


def credentials_of(call: Call, parent: Record) -> list[Entry]:
    """Return the entries of an application's credentials, removed ones included."""
    entries = call.tenant.store.entries(Kind.FEDERATED_CREDENTIAL)
    return [entry for entry in entries if entry.parent == parent.id]


def expand_credentials(call: Call, parent: Record) -> list[Json]:
    """Read the credentials for `$expand`."""
    return [record.body for _, record in call.view.records(credentials_of(call, parent))]


def _credential(call: Call) -> Record:
    """Find the credential that the path names: by id, by name or by `(name='…')`."""
    key = call.params["credential"]
    if isinstance(key, Key) and key.name != "name":
        raise segment_not_found(key.name)
    wanted = key.value if isinstance(key, Key) else call.param("credential")
    for entry in credentials_of(call, application(call)):
        record = call.view.record(entry)
        if record is not None and wanted in (record.id, record.body["name"]):
            return record
    raise not_found(wanted)


def list_credentials(call: Call) -> Reply:
    """GET …/federatedIdentityCredentials."""
    return page(call, FEDERATED_CREDENTIAL, credentials_of(call, application(call)))


def count_credentials(call: Call) -> Reply:
    """GET …/federatedIdentityCredentials/$count."""
    return count(call, FEDERATED_CREDENTIAL, credentials_of(call, application(call)))


def get_credential(call: Call) -> Reply:
    """GET …/federatedIdentityCredentials/{id or name}."""
    return one(call, _credential(call), FEDERATED_CREDENTIAL)


def create_credential(call: Call) -> Reply:
    """POST …/federatedIdentityCredentials."""
    parent = application(call)
    call.require_ownership(parent)
    given = _checked({**dict.fromkeys(_REQUIRED), **call.json()}, call.version)
    _check_unique(call, parent, given)
    body = merge(FEDERATED_CREDENTIAL.properties, given)
    body["id"] = call.tenant.ids.new("federatedIdentityCredential")
    record = Record(Kind.FEDERATED_CREDENTIAL, body["id"], body, parent=parent.id)
    return one(call, call.tenant.store.add(record), FEDERATED_CREDENTIAL, status=201)


def update_credential(call: Call) -> Reply:
    """PATCH …/federatedIdentityCredentials/{id or name}."""
    parent = application(call)
    call.require_ownership(parent)
    record = call.latest(_credential(call))
    given = _checked(call.json(), call.version)
    if given.get("name", record.body["name"]) != record.body["name"]:
        raise bad_request("Name is immutable and cannot be changed after creation.")
    body = merge(record.body, given)
    _check_unique(call, parent, body, record.id)
    call.tenant.store.update(replace(record, body=body))
    return NO_CONTENT


def delete_credential(call: Call) -> Reply:
    """DELETE …/federatedIdentityCredentials/{id or name}."""
    call.require_ownership(application(call))
    call.tenant.store.remove(call.latest(_credential(call)))
    return NO_CONTENT


def _checked(given: Json, version: str) -> Json:
    """Return the properties to write. GraphError 400 for what may not be written."""
    sent = {name: value for name, value in given.items() if name != "id"}
    properties = writable(sent, FEDERATED_CREDENTIAL, version, ())
    for name in _REQUIRED:
        if name in properties and not properties[name]:
            raise bad_request("Federated Identity Credential from HTTP body has empty properties")
    audiences = properties.get("audiences")
    if audiences is not None and (len(audiences) != 1 or not audiences[0]):
        raise bad_request("Federated identity credentials must have exactly one audience.")
    own_name = properties.get("name")
    if own_name is not None and _NAME.fullmatch(own_name) is None:
        raise bad_request(f"Federated Identity Credential name '{own_name}' is invalid.")
    for name, value in properties.items():
        text = value[0] if name == "audiences" else value or ""
        if len(text) > _LONGEST or (name == "subject" and "*" in text):
            raise invalid_value(name, FEDERATED_CREDENTIAL.resource)
    return properties


def _check_unique(call: Call, parent: Record, given: Json, itself: str = "") -> None:
    others = [
        record
        for record in call.tenant.live(Kind.FEDERATED_CREDENTIAL)
        if record.parent == parent.id and record.id != itself
    ]
    if len(others) >= _MOST:
        raise GraphError(403, "Directory_QuotaExceeded", "Size of object exceeded limit.")
    for other in others:
        if other.body["name"] == given["name"]:
            raise duplicate(
                f"FederatedIdentityCredential with name {given['name']} already exists."
            )
        if (other.body["issuer"], other.body["subject"]) == (given["issuer"], given["subject"]):
            raise GraphError(
                400,
                "InvalidFederatedIdentityCredentialValue",
                "The combination of issuer and subject must be unique for the application. Issuer "
                f"{given['issuer']} and Subject: {given['subject']} already exist. paramName: "
                f"FederatedIdentityCredential.Subject, paramValue: {given['subject']}, objectType: "
                "Microsoft.Online.DirectoryServices.Application",
            )


_ALL = "/applications/{application}/federatedIdentityCredentials"
_ONE = f"{_ALL}/{{credential}}"

ROUTES = (
    Route("GET", _ALL, list_credentials, APPLICATION_READ),
    Route("GET", f"{_ALL}/$count", count_credentials, APPLICATION_READ),
    Route("POST", _ALL, create_credential, APPLICATION_WRITE),
    Route("GET", _ONE, get_credential, APPLICATION_READ),
    Route("PATCH", _ONE, update_credential, APPLICATION_WRITE),
    Route("DELETE", _ONE, delete_credential, APPLICATION_WRITE),
)
