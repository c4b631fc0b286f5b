"""Property values on Pulumi's wire, and in Python.

A property map travels as a protobuf Struct; what JSON cannot say (a secret, a value that is not
known yet) travels as a signature inside it. In Python a property map is a plain dict, an unknown
value is `UNKNOWN`, and a value to be marked secret is wrapped in `Secret`.

Incoming secrets are unwrapped and not remembered: like the real plugin this one does not announce
`acceptSecrets`, so the engine itself marks outputs that came from secret inputs.

Signatures: Pulumi's sdk/go/common/resource (sig) and sdk/python rpc.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf.struct_pb2 import Value as WireValue

from emulator.azuread.protocol import Struct

Properties: TypeAlias = dict[str, Any]


class Unknown:
    """A value that only an apply can tell; there is one instance, `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return True


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value to be marked secret; it does not show itself."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(...)"


_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 a signature, not a secret
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = {
    _UNKNOWN_STRING,
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
}


def decode(struct: Struct) -> Properties:
    """Read a property map; numbers without a fraction become int."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(properties: Mapping[str, Any], *, secrets: bool = True) -> Struct:
    """Write a property map; with `secrets` false the marks of secrets are left out."""
    struct = Struct()
    struct.update({key: _encode(value, secrets) for key, value in properties.items()})
    return struct


def contains_unknown(value: Any) -> bool:
    """Whether a value, or anything in it, is unknown."""
    if value is UNKNOWN:
        return True
    if isinstance(value, dict):
        return any(contains_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(contains_unknown(part) for part in value)
    return False


def _decode(value: WireValue) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else None
        if signature == _SECRET:
            return _decode(fields["value"])
        if signature == _OUTPUT:
            return _decode(fields["value"]) if "value" in fields else UNKNOWN
        return decode(value.struct_value)
    return None


def _encode(value: Any, secrets: bool) -> Any:
    if value is UNKNOWN:
        return _UNKNOWN_STRING
    if isinstance(value, Secret):
        inner = _encode(value.value, secrets)
        return {_SIGNATURE: _SECRET, "value": inner} if secrets else inner
    if isinstance(value, dict):
        return {key: _encode(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_encode(part, secrets) for part in value]
    return value
