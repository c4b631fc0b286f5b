"""The app roles and scopes that an application offers to others, and what they may be together."""

from collections.abc import Iterable

from emulator.json_text import Json
from emulator.odata.problems import bad_request, duplicate_value

_SAME_IN_BOTH = (
    ("description", "adminConsentDescription"),
    ("displayName", "adminConsentDisplayName"),
    ("isEnabled", "isEnabled"),
    ("value", "value"),
)
"""Of a role and a scope with one id."""


def check_permissions(roles: list[Json], scopes: list[Json]) -> None:
    """Raise GraphError 400 for what cannot be told apart by id or value, or is for nobody.

    What was planted may lack any member.
    """
    for role in roles:
        if not role.get("allowedMemberTypes"):
            raise bad_request(
                f"App role with identifier '{role.get('id')}' must have at least one value "
                "specified for 'allowedMemberTypes'."
            )
    for permissions in (roles, scopes):
        _check_unique(permission.get("id") for permission in permissions)
        _check_unique(_values(permissions))
    by_id = {scope.get("id"): scope for scope in scopes}
    for role in roles:
        scope = by_id.pop(role.get("id"), None)
        if scope and any(role.get(ours) != scope.get(theirs) for ours, theirs in _SAME_IN_BOTH):
            raise bad_request(
                "The following values must match for the 'oauth2Permissions' and 'appRoles' "
                f"properties with identifier '{role.get('id')}': (description, "
                "adminConsentDescription),(displayName, adminConsentDisplayName),(isEnabled, "
                "isEnabled),(origin, origin),(value, value). Ensure that you are intending to have "
                "entries with the same identifier, and if so, are updating them together."
            )
    _check_unique([*_values(roles), *_values(by_id.values())])


def _values(permissions: Iterable[Json]) -> list[str]:
    return [permission["value"] for permission in permissions if permission.get("value")]


def _check_unique(values: Iterable[str | None]) -> None:
    found = list(values)
    if len(set(found)) < len(found):
        raise duplicate_value()
