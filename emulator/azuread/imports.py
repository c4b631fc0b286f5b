"""Inputs from state: what a refresh and an import make of what was read.

A refresh brings the inputs that a program gave up to date and adds none. An import, which has no
program, takes every property that a program could set and that is not at its default, and drops
what would contradict (`tags` beside `featureTags`).
"""

from typing import Any

from emulator.azuread.plan import DEFAULTS_KEY
from emulator.azuread.schema import Field, Fields, Kind
from emulator.azuread.values import Properties, Secret


def refreshed_inputs(inputs: Properties, state: Properties) -> Properties:
    """Bring a program's inputs up to date with a state that was read."""
    fresh, _ = _refresh(inputs, state)
    result: Properties = fresh
    return result


def imported_inputs(fields: Fields, state: Properties) -> Properties:
    """Give the inputs of a resource that is imported."""
    inputs = _extract_object(fields, state)
    for name in sorted(inputs):
        if name in inputs and name in fields:
            for other in fields[name].conflicts:
                if other > name:
                    inputs.pop(other, None)
    return inputs


def _refresh(old: Any, new: Any) -> tuple[Any, bool]:
    """Give the fresh value, and whether it may still be called a default."""
    if isinstance(old, list) and isinstance(new, list):
        pairs = [_refresh(before, after) for before, after in zip(old, new, strict=False)]
        is_default = len(new) >= len(old) and all(unchanged for _, unchanged in pairs)
        return [value for value, _ in pairs], is_default
    if isinstance(old, dict) and isinstance(new, dict):
        fresh: Properties = {}
        defaults = set(old.get(DEFAULTS_KEY, ()))
        all_default = True
        for name, before in old.items():
            if name == DEFAULTS_KEY or name not in new:
                continue
            fresh[name], unchanged = _refresh(before, new[name])
            if not unchanged:
                all_default = False
                defaults.discard(name)
        if DEFAULTS_KEY in old:
            fresh[DEFAULTS_KEY] = sorted(defaults & fresh.keys())
        return fresh, all_default
    if isinstance(new, Secret):
        new = new.value
    return new, old == new


def _extract_object(fields: Fields, state: Properties) -> Properties:
    inputs: Properties = {DEFAULTS_KEY: []}
    for name, field in fields.items():
        if not field.is_input or name not in state:
            continue
        value = _extract(field, state[name])
        if field.required or not _is_default_or_zero(field, value):
            inputs[name] = value
    return inputs


def _extract(field: Field, value: Any) -> Any:
    if field.kind is Kind.BLOCK and isinstance(value, dict):
        return _extract_object(field.fields, value)
    if field.fields and isinstance(value, list):
        return [_extract_object(field.fields, item) for item in value]
    return value


def _is_default_or_zero(field: Field, value: Any) -> bool:
    if field.default is not None:
        return bool(value == field.default)
    return not value or value == {DEFAULTS_KEY: []}
