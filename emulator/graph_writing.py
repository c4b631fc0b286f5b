"""What a POST or PATCH may write: known properties, not read-only ones, of the right form."""

from collections.abc import Collection
from typing import Any

from emulator.entity_type import EntityType
from emulator.problems import bad_request, invalid_value, read_only, unknown_property
from emulator.store import Json

_TEXT_COLLECTIONS = frozenset(
    {
        "alternativeNames",
        "countriesBlockedForMinors",
        "identifierUris",
        "knownClientApplications",
        "notificationEmailAddresses",
        "redirectUris",
        "replyUrls",
        "servicePrincipalNames",
        "tags",
    }
)
"""Collections of strings; all others are of objects."""

_OTHER_TYPES: dict[str, type] = {
    "acceptMappedClaims": bool,
    "authenticationBehaviors": dict,
    "certification": dict,
    "isDeviceOnlyAuthSupported": bool,
    "isDisabled": bool,
    "isFallbackPublicClient": bool,
    "optionalClaims": dict,
    "requestSignatureVerification": dict,
    "requestedAccessTokenVersion": int,
    "samlSingleSignOnSettings": dict,
    "servicePrincipalLockConfiguration": dict,
}
"""Properties without a default that are no strings."""


def writable(given: Json, entity: EntityType, read_only_names: Collection[str]) -> Json:
    """Return the properties to write. GraphError 400 for what may not be written."""
    properties: Json = {}
    for name, value in given.items():
        if "@odata" in name:
            continue
        if name not in entity.properties:
            raise unknown_property(name, entity.full_name)
        if name in read_only_names:
            raise read_only(name)
        default = entity.properties[name]
        # A collection or complex value set to null is empty, not missing.
        properties[name] = default if value is None else value
        if not _fits(name, default, properties[name]):
            raise invalid_value(name, entity.resource)
    if properties.get("passwordCredentials"):
        raise bad_request("New password credentials must be generated using service actions.")
    return properties


def _fits(name: str, default: Any, value: Any) -> bool:
    """Whether a value has the form of a property, as its default shows it."""
    if isinstance(default, list):
        member = str if name in _TEXT_COLLECTIONS else dict
        return isinstance(value, list) and all(isinstance(one, member) for one in value)
    if isinstance(default, dict):
        return isinstance(value, dict) and all(
            _fits(inner, default[inner], one) for inner, one in value.items() if inner in default
        )
    expected = _OTHER_TYPES.get(name, str) if default is None else type(default)
    return value is None or type(value) is expected
