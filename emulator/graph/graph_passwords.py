"""Client secrets: addPassword shows the value once, removePassword forgets it."""

from collections.abc import Callable
from datetime import MAXYEAR, datetime, timedelta

from emulator.clock import graph_time, parse_time
from emulator.directory.complex_types import GUID, Member
from emulator.directory.store import Kind, Record
from emulator.graph.app_policies import check_password
from emulator.graph.graph_applications import application
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_principals import principal
from emulator.graph.graph_writing import typed_argument
from emulator.graph.permissions import APPLICATION_WRITE, PRINCIPAL_WRITE, Needs
from emulator.json_text import Json
from emulator.odata.problems import bad_request

_CREDENTIAL = "passwordCredential"
"""The parameter, and its type."""
_DEFAULT_YEARS = 2
_MOST_WITH_PERSONAL_ACCOUNTS = 2


def _years_after(start: datetime) -> datetime:
    year = start.year + _DEFAULT_YEARS
    if year > MAXYEAR:
        raise bad_request("Key credential end date is invalid.")
    try:
        return start.replace(year=year)
    except ValueError:  # of the 29th of February
        return start.replace(year=year, month=3, day=1)


def _add(call: Call, seen: Record) -> Reply:
    call.require_ownership(seen)
    record = call.latest(seen)
    argument = call.argument(_CREDENTIAL) or {}  # what else a body has is ignored
    given: Json = typed_argument(Member(type=_CREDENTIAL), argument, _CREDENTIAL)
    start = _instant(given, "startDateTime") or graph_time(call.tenant.clock.now())
    end = _instant(given, "endDateTime") or graph_time(_years_after(parse_time(start)))
    lifetime = parse_time(end) - parse_time(start)
    if lifetime <= timedelta():
        raise bad_request("Key credential end date is invalid.")
    check_password(call.tenant, record, lifetime)
    credentials = record.body["passwordCredentials"]
    if _has_personal_accounts(record) and len(credentials) >= _MOST_WITH_PERSONAL_ACCOUNTS:
        raise bad_request("The application has too many password credentials.")
    secret = call.cloud.vault.new_client_secret()
    credential: Json = {
        "customKeyIdentifier": None,
        "displayName": given.get("displayName"),
        "endDateTime": end,
        "hint": secret[:3],
        "keyId": call.tenant.ids.new("key"),
        "secretText": None,
        "startDateTime": start,
    }
    call.cloud.vault.keep(credential["keyId"], secret)
    call.tenant.change(record, {"passwordCredentials": [*credentials, credential]})
    context = call.context("microsoft.graph.passwordCredential")
    return Reply(200, {"@odata.context": context, **credential, "secretText": secret})


def _remove(call: Call, seen: Record) -> Reply:
    call.require_ownership(seen)
    record = call.latest(seen)
    call.check_parameters("removePassword", "keyId")
    key_id = typed_argument(Member(type=GUID, required=True), call.argument("keyId"), "keyId")
    credentials = record.body["passwordCredentials"]
    left = [credential for credential in credentials if credential["keyId"] != key_id]
    if len(left) == len(credentials):
        raise bad_request(f"No password credential found with keyId {key_id}.")
    call.tenant.change(record, {"passwordCredentials": left})
    return NO_CONTENT


def _has_personal_accounts(record: Record) -> bool:
    return record.kind is Kind.APPLICATION and "Personal" in record.body["signInAudience"]


def _instant(given: Json, name: str) -> str | None:
    """Return an instant of the request as Graph writes it; None if it has none."""
    text = given.get(name)
    return None if text is None else graph_time(parse_time(text))


def _routes(prefix: str, find: Callable[[Call], Record], needs: Needs) -> tuple[Route, ...]:
    return (
        Route("POST", f"{prefix}/addPassword", lambda call: _add(call, find(call)), needs),
        Route("POST", f"{prefix}/removePassword", lambda call: _remove(call, find(call)), needs),
    )


ROUTES = (
    *_routes("/applications/{application}", application, APPLICATION_WRITE),
    *_routes("/servicePrincipals/{principal}", principal, PRINCIPAL_WRITE),
)
