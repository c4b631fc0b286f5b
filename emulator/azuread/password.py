"""azuread:index/applicationPassword: a client secret.

Its value is in the answer to addPassword and nowhere else, so it cannot be imported. After adding,
five reads in a row must show it; only then it gets an id, so a failure before that leaves a secret
in the tenant that no state knows. Every input replaces it.
"""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from emulator.azuread import ids, rules
from emulator.azuread.application import get_application
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Field, Fields, Kind, Timeouts, output
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import UNKNOWN, Properties

_UNITS = {
    "ns": timedelta(microseconds=0.001),
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_PART = r"(\d+(?:\.\d+)?)(ns|us|ms|h|m|s)"


def _is_duration(value: str, name: str) -> str | None:
    if re.fullmatch(rf"(?:{_PART})+", value):
        return None
    return f'expected "{name}" to be a duration like 240h or 2400h30m, got {value}'


class ApplicationPassword(Resource):
    """A client secret of an application."""

    token = "azuread:index/applicationPassword:ApplicationPassword"  # noqa: S105 a type token
    fields: ClassVar[Fields] = {
        "applicationId": Field(required=True, replaces=True, checks=(rules.is_application_id,)),
        "displayName": Field(computed=True, replaces=True),
        "endDate": Field(
            computed=True, replaces=True, conflicts=("endDateRelative",), checks=(rules.is_instant,)
        ),
        "endDateRelative": Field(replaces=True, conflicts=("endDate",), checks=(_is_duration,)),
        "keyId": output(),
        "rotateWhenChanged": Field(kind=Kind.MAP, replaces=True),
        "startDate": Field(computed=True, replaces=True, checks=(rules.is_instant,)),
        "value": output(sensitive=True),
    }
    timeouts = Timeouts(create=timedelta(minutes=15), update=timedelta(minutes=5))
    version = 1

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Add a secret and wait until readers show it; one at a time for each application."""
        (application_id,) = ids.parse(ids.APPLICATION, instance["applicationId"])
        shown = ids.shown_application(application_id)
        body = {"passwordCredential": _credential(instance.planned)}
        with tenant.lock(application_id):
            if get_application(tenant, application_id) is None:
                raise DiagnosticError(f"{shown} was not found")
            try:
                made = tenant.graph.post(f"/applications/{application_id}/addPassword", body)
            except PluginError as failure:
                raise DiagnosticError(f"Adding password for {shown}", failure) from failure
            key_id: str = made["keyId"]
            try:
                tenant.poll.until(lambda: _is_shown(tenant, application_id, key_id))
            except PluginError as failure:
                raise DiagnosticError(
                    f"Waiting for password credential for {shown}", failure
                ) from failure
        instance.id = f"{application_id}/password/{key_id}"
        instance.planned["keyId"] = key_id
        instance.planned["value"] = made["secretText"]

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Look for the secret among the application's; its value is what is known already."""
        application_id, key_id = ids.parse(ids.PASSWORD, instance.id)
        credential = _find(get_application(tenant, application_id), key_id)
        if credential is None:
            return None
        name = credential.get("displayName")
        if name is None and credential.get("customKeyIdentifier"):
            name = base64.b64decode(credential["customKeyIdentifier"]).decode(errors="replace")
        return {
            "applicationId": f"/applications/{application_id}",
            "displayName": name or "",
            "endDate": _instant(credential.get("endDateTime")),
            "keyId": key_id,
            "startDate": _instant(credential.get("startDateTime")),
        }

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Remove the secret without looking first, then wait until readers agree."""
        application_id, key_id = ids.parse(ids.PASSWORD, instance.id)
        shown = ids.shown_application(application_id)
        with tenant.lock(application_id):
            try:
                tenant.graph.post(
                    f"/applications/{application_id}/removePassword", {"keyId": key_id}
                )
            except PluginError as failure:
                raise DiagnosticError(
                    f'Removing password credential "{key_id}" from {shown}', failure
                ) from failure
            try:
                tenant.poll.until(lambda: not _is_shown(tenant, application_id, key_id))
            except PluginError as failure:
                raise DiagnosticError(
                    f'Waiting for deletion of password credential "{key_id}" from {shown}', failure
                ) from failure


def _find(app: dict[str, Any] | None, key_id: str) -> dict[str, Any] | None:
    credentials = (app or {}).get("passwordCredentials") or []
    return next((c for c in credentials if (c.get("keyId") or "").lower() == key_id.lower()), None)


def _is_shown(tenant: Tenant, application_id: str, key_id: str) -> bool:
    # A reader that does not know the application ends the wait, as it does in the real plugin.
    return _find(tenant.graph.get(f"/applications/{application_id}"), key_id) is not None


def _credential(planned: Properties) -> dict[str, str]:
    credential = {
        "displayName": planned["displayName"],
        "startDateTime": planned["startDate"],
        "endDateTime": planned["endDate"],
    }
    given = {name: value for name, value in credential.items() if value and value is not UNKNOWN}
    relative = planned["endDateRelative"]
    if relative:
        start = given.get("startDateTime")
        begins = datetime.fromisoformat(start) if start else datetime.now(UTC)
        parts = re.findall(_PART, relative)
        ends = begins + sum((float(n) * _UNITS[unit] for n, unit in parts), timedelta())
        given["endDateTime"] = ends.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return given


def _instant(value: str | None) -> str:
    """Give an instant without a fraction of a second, as Go's RFC 3339 layout writes it."""
    return re.sub(r"\.\d+", "", value or "")
