"""Telling the engine what a change touches, and what it replaces.

Keys are property paths; kinds are those of pulumirpc.PropertyDiff. The real bridge walks old and
planned properties in the same way: down to the smallest change, up again where a whole value came
or went.
"""

import re
from dataclasses import dataclass
from typing import Any

from emulator.azuread.plan import DEFAULTS_KEY, differs
from emulator.azuread.protocol import rpc
from emulator.azuread.schema import Field, Fields, Kind
from emulator.azuread.values import UNKNOWN, Properties

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REPLACING = {
    rpc.PropertyDiff.ADD: rpc.PropertyDiff.ADD_REPLACE,
    rpc.PropertyDiff.DELETE: rpc.PropertyDiff.DELETE_REPLACE,
    rpc.PropertyDiff.UPDATE: rpc.PropertyDiff.UPDATE_REPLACE,
}


@dataclass(frozen=True, slots=True)
class Change:
    """What differs: kinds by property path, and the properties that replace the resource."""

    kinds: dict[str, "rpc.PropertyDiff.Kind.ValueType"]
    properties: list[str]
    replaces: list[str]


def compare(fields: Fields, prior: Properties, planned: Properties) -> Change:
    """Compare a state with a plan."""
    change = Change({}, [], [])
    for name, field in sorted(fields.items()):
        before, after = prior.get(name), planned.get(name)
        if not differs(field, before, after):
            continue
        found = _walk(name, field, before, after) or {name: rpc.PropertyDiff.UPDATE}
        if field.replaces:
            found = {path: _REPLACING.get(kind, kind) for path, kind in found.items()}
            change.replaces.append(name)
        change.kinds.update(found)
        change.properties.append(name)
    return change


def parse_path(text: str) -> list[str | int]:
    """Read a property path as `ignoreChanges` has it: `web.redirectUris[0]`, `tags["a.b"]`."""
    steps: list[str | int] = []
    for quoted, index, name in re.findall(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)', text):
        steps.append(int(index) if index else quoted.replace('\\"', '"') if quoted else name)
    return steps


def _walk(
    path: str, field: Field | None, before: Any, after: Any
) -> dict[str, "rpc.PropertyDiff.Kind.ValueType"]:
    if before is None and after is None:
        return {}
    if before is None:
        return {path: rpc.PropertyDiff.ADD}
    if after is None:
        return {path: rpc.PropertyDiff.DELETE}
    if after is UNKNOWN:
        return {path: rpc.PropertyDiff.UPDATE}
    found: dict[str, rpc.PropertyDiff.Kind.ValueType] = {}
    if isinstance(before, dict) and isinstance(after, dict):
        inner = field.fields if field is not None else {}
        for name in sorted((before.keys() | after.keys()) - {DEFAULTS_KEY}):
            sub = inner.get(name)
            # Null and zero are the same, so what is only one of them is no change.
            if sub is None or differs(sub, before.get(name), after.get(name)):
                found.update(_walk(_join(path, name), sub, before.get(name), after.get(name)))
        return found
    if isinstance(before, list) and isinstance(after, list):
        element = Field(kind=Kind.BLOCK, fields=field.fields) if field and field.fields else None
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else None
            new = after[index] if index < len(after) else None
            found.update(_walk(f"{path}[{index}]", element, old, new))
        return found
    return {} if before == after else {path: rpc.PropertyDiff.UPDATE}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if _IDENTIFIER.fullmatch(name) else f'{path}["{name}"]'
