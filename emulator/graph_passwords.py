"""Client secrets: addPassword shows the value once, removePassword forgets it."""

from datetime import timedelta

from emulator.clock import graph_time, parse_time
from emulator.graph_applications import application
from emulator.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.permissions import APPLICATION_WRITE
from emulator.problems import bad_request
from emulator.store import Json, Record

_DEFAULT_DAYS_A_YEAR = 365
_DEFAULT_LIFETIME = timedelta(days=2 * _DEFAULT_DAYS_A_YEAR)


def add_password(call: Call) -> Reply:
    return _add(call, application(call))


def remove_password(call: Call) -> Reply:
    return _remove(call, application(call))


def _add(call: Call, seen: Record) -> Reply:
    call.require_ownership(seen)
    record = call.latest(seen)
    given = call.json().get("passwordCredential") or {}
    if not isinstance(given, dict):
        raise bad_request("Invalid value specified for property 'passwordCredential'.")
    now = call.tenant.clock.now()
    start = _instant(given, "startDateTime") or graph_time(now)
    end = _instant(given, "endDateTime") or graph_time(parse_time(start) + _DEFAULT_LIFETIME)
    if parse_time(end) <= parse_time(start):
        raise bad_request("Key credential end date is invalid.")
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
    credentials = [*record.body["passwordCredentials"], credential]
    call.tenant.change(record, {"passwordCredentials": credentials})
    context = call.context("microsoft.graph.passwordCredential")
    return Reply(200, {"@odata.context": context, **credential, "secretText": secret})


def _remove(call: Call, seen: Record) -> Reply:
    call.require_ownership(seen)
    record = call.latest(seen)
    key_id = str(call.json().get("keyId", "")).lower()
    left = [one for one in record.body["passwordCredentials"] if one["keyId"] != key_id]
    if len(left) == len(record.body["passwordCredentials"]):
        raise bad_request("No password credential found with keyId.")
    call.tenant.change(record, {"passwordCredentials": left})
    return NO_CONTENT


def _instant(given: Json, name: str) -> str | None:
    """An instant of the request, as Graph writes it. GraphProblem 400 if it is none."""
    text = given.get(name)
    if text is None:
        return None
    try:
        return graph_time(parse_time(text))
    except (TypeError, ValueError) as error:
        raise bad_request(
            f"Cannot convert the literal '{text}' to the expected type 'Edm.DateTimeOffset'."
        ) from error


ROUTES = (
    Route("POST", "/applications/{application}/addPassword", add_password, APPLICATION_WRITE),
    Route("POST", "/applications/{application}/removePassword", remove_password, APPLICATION_WRITE),
)
