"""The checks that schemas name: each takes a value and its name, and says what is wrong.

Wording: terraform-plugin-sdk v2 helper/validation and terraform-provider-azuread's own, as they
reach a user of the real plugin.
"""

import re
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from emulator.azuread.schema import Check


def is_uuid(value: str, name: str) -> str | None:
    """Check for a GUID."""
    try:
        UUID(value)
    except ValueError:
        return f'expected "{name}" to be a valid UUID, got {value}'
    return None


def is_not_empty(value: str, name: str) -> str | None:
    """Check that a string holds something."""
    return None if value else f'expected "{name}" to not be an empty string, got {value}'


def is_instant(value: str, name: str) -> str | None:
    """Check for an instant in RFC 3339."""
    try:
        has_zone = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        has_zone = False
    if has_zone and re.match(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d", value):
        return None
    return f'expected "{name}" to be a valid RFC3339 date, got "{value}"'


def one_of(*allowed: str) -> Check:
    """Check for one of some values."""

    def check(value: str, name: str) -> str | None:
        if value in allowed:
            return None
        listed = " ".join(f'"{item}"' for item in allowed)
        return f"expected {name} to be one of [{listed}], got {value}"

    return check


def length_between(least: int, most: int) -> Check:
    """Check a string's length."""

    def check(value: str, name: str) -> str | None:
        if least <= len(value) <= most:
            return None
        return f"expected length of {name} to be in the range ({least} - {most}), got {value}"

    return check


def token_version(value: int, name: str) -> str | None:  # noqa: ARG001 the wording has no name
    """Check the version of access tokens."""
    return None if value in (1, 2) else "Value must be one of: 1, 2"


def is_uri(value: str, name: str) -> str | None:
    """Check for a URI with a host, as redirect URIs have it."""
    if not value:
        return f'URI must not be empty for "{name}"'
    if re.match(r"urn:[^:]+:", value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return f'URI is in an invalid format for "{name}"'
    if not parts.netloc:
        return f'URI has no host for "{name}"'
    return f'URI must be 256 characters or less for "{name}"' if len(value) > 256 else None


def is_web_url(value: str, name: str) -> str | None:
    """Check for an http or https URL."""
    wrong = is_uri(value, name)
    if wrong is None and urlsplit(value).scheme not in ("http", "https"):
        return f'unexpected URI scheme for "{name}", expected one of: http, https'
    return wrong


def is_application_id(value: str, name: str) -> str | None:
    """Check for an application's resource id."""
    if re.fullmatch(r"/applications/[^/]+", value):
        return None
    return f'expected "{name}" to be a resource id like /applications/<object id>, got {value}'


def is_claim_value(value: str, name: str) -> str | None:
    """Check the value of a role or scope."""
    if len(value) > 120 or value.startswith(".") or not re.fullmatch(r"[\x21-\x7e]*", value):
        return f'"{name}" must be at most 120 printable characters and not begin with a period'
    return None
