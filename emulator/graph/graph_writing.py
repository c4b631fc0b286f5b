"""What a POST or PATCH may write: known properties, not read-only ones, of their types."""

import base64
import hashlib
import re
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

from emulator.clock import parse_duration, parse_time
from emulator.directory.complex_types import (
    BINARY,
    BOOLEAN,
    COMPLEX,
    DURATION,
    GUID,
    INSTANT,
    INTEGER,
    PROPERTIES,
    STRING,
    Member,
)
from emulator.directory.entity_type import EntityType
from emulator.directory.ids import canonical, is_guid
from emulator.json_text import Json
from emulator.odata.problems import (
    bad_request,
    bad_syntax,
    invalid_value,
    no_literal_of,
    not_found,
    read_only,
    unknown_property,
)

_PYTHON = {
    BINARY: str,
    BOOLEAN: bool,
    DURATION: str,
    GUID: str,
    INSTANT: str,
    INTEGER: int,
    STRING: str,
}
"""What JSON has for each type."""
_READERS: Mapping[str, Callable[[str], object]] = {DURATION: parse_duration, INSTANT: parse_time}
"""Of types that are texts of a form."""
_CLAIM = re.compile(r"[0-9A-Za-z:!#$%&'()*+,\-./;<=>?@\[\]^_`{|}~]{0,120}")
"""Source: the pages "appRole resource type" and "permissionScope resource type"."""


def writable(
    given: Json,
    entity: EntityType,
    version: str,
    read_only_names: Collection[str],
    present: Json | None = None,
) -> Json:
    """Return the properties to write. GraphError 400 for what may not be written.

    GraphError 404 for what the version does not know, but /beta does. What is read-only may be told
    as it is `present`, in an object that exists.
    """
    properties: Json = {}
    for name, value in given.items():
        if "@odata" in name:
            continue
        if name not in entity.properties:
            raise unknown_property(name, entity.full_name)
        if name in entity.beta and version != "beta":
            raise not_found("")
        if name in read_only_names:
            if present is None or not _same(value, present.get(name)):
                raise read_only(name)
            continue
        # A collection or complex value set to null is empty, not missing.
        value_or_default = entity.properties[name] if value is None else value
        member = PROPERTIES.get(name, Member())
        try:
            properties[name] = _read(member, value_or_default, filled=False)
        except _Unfit as error:
            raise invalid_value(name, entity.resource) from error
    kept = (present or {}).get("keyCredentials", ())
    keys = {one.get("keyId"): one.get("key") for one in kept}
    for certificate in properties.get("keyCredentials") or ():
        # Clients read null and send it back.
        certificate["key"] = certificate["key"] or keys.get(certificate["keyId"])
        certificate["keyId"] = certificate["keyId"] or str(uuid.uuid4())
        certificate["customKeyIdentifier"] = certificate["customKeyIdentifier"] or _thumbprint(
            certificate
        )
    if properties.get("passwordCredentials"):
        properties["passwordCredentials"] = _passwords_kept(
            given["passwordCredentials"], (present or {}).get("passwordCredentials", ())
        )
    return properties


def _passwords_kept(given: list[Json], present: Collection[Json]) -> list[Json]:
    """Return those that are told as they are present. GraphError 400 if one is not."""
    kept = [one for one in present if any(_same(each, one) and each.get("keyId") for each in given)]
    if any(not any(_same(each, one) and each.get("keyId") for one in kept) for each in given):
        raise bad_request("New password credentials must be generated using service actions.")
    return kept


def _thumbprint(certificate: Json) -> str | None:
    """Return the SHA-1 of an X.509 certificate in hexadecimal; None if there is none to take."""
    if certificate["type"] != "AsymmetricX509Cert" or certificate["key"] is None:
        return None
    try:
        der = base64.b64decode(certificate["key"])
    except ValueError:
        return None
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def _same(given: Any, present: Any) -> bool:
    """Whether a value is the one that is there, however a client writes GUIDs and instants.

    An object may leave members out.
    """
    if isinstance(given, dict) and isinstance(present, dict):
        return all(
            "@odata" in name or (name in present and _same(value, present[name]))
            for name, value in given.items()
        )
    if not isinstance(given, str) or not isinstance(present, str):
        return bool(given == present)
    try:
        return parse_time(given) == parse_time(present)
    except ValueError:
        return canonical(given) == present


def typed_argument(member: Member, value: Any, parameter: str) -> Any:
    """Return the argument of an action's parameter. GraphError 400 if it is not of that type."""
    try:
        return _read(member, value, filled=False)
    except _Unfit as error:
        raise bad_syntax(f"Invalid value for parameter '{parameter}'.") from error


class _Unfit(Exception):
    """A value that is not of its type."""


def _read(member: Member, value: Any, *, filled: bool) -> Any:
    """Return a value as the directory keeps it; in what is `filled`, nothing is left out."""
    if value is None:
        if member.required:
            raise _Unfit
        return member.default
    if not member.many:
        return _one(member, value, filled=filled)
    if not isinstance(value, list):
        raise _Unfit
    # A collection is replaced as a whole, so that what an object in it leaves out is not kept.
    return [_one(member, each, filled=True) for each in value]


def _one(member: Member, value: Any, *, filled: bool) -> Any:
    if member.type in COMPLEX:
        return _object(member.type, value, filled=filled)
    fits: bool = type(value) is _PYTHON[member.type]
    if not fits or (member.values and value not in member.values):
        raise _Unfit
    if member.claim and _CLAIM.fullmatch(value) is None:
        raise _Unfit
    if member.type == GUID:
        if not is_guid(value):
            raise no_literal_of(GUID, value)
        return canonical(value)
    if reader := _READERS.get(member.type):
        try:
            reader(value)
        except ValueError as error:
            raise no_literal_of(member.type, value) from error
    return value


def _object(type_name: str, value: Any, *, filled: bool) -> Json:
    if not isinstance(value, dict):
        raise _Unfit
    members = COMPLEX[type_name]
    given = {name: one for name, one in value.items() if "@odata" not in name}
    for name in given:
        if name not in members:
            raise unknown_property(name, f"microsoft.graph.{type_name}")
    return {
        name: _read(member, given.get(name), filled=filled)
        for name, member in members.items()
        if filled or name in given
    }
