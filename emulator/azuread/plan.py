"""Planning: what a resource shall be, given its inputs and what it was.

The rules are those of Terraform's plugin SDK v2, which the real plugin runs on: what a program
does not set is null, unless the plugin computes it, then it stays as it was or is not known yet;
null and zero are the same; the order of a set means nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from emulator.azuread.schema import Field, Fields, Kind
from emulator.azuread.values import UNKNOWN, Properties, contains_unknown

DEFAULTS_KEY = "__defaults"


def plan(fields: Fields, inputs: Properties, prior: Properties | None) -> Properties:
    """Plan every property; `prior` is None for a resource that does not exist yet."""
    return {
        name: _plan_value(field, inputs.get(name), None if prior is None else prior.get(name))
        if inputs.get(name) is not None
        else _unset(field, name, prior)
        for name, field in fields.items()
    }


def ignore_changes(
    planned: Properties, prior: Mapping[str, Any], paths: list[list[str | int]]
) -> Properties:
    """Take back the changes at property paths; a path into a list takes back the whole list."""
    kept = dict(planned)
    for path in paths:
        if path == ["*"]:
            return {name: prior.get(name) for name in planned}
        name, rest = path[0], path[1:]
        if not isinstance(name, str) or name not in kept:
            continue
        now, before = kept[name], prior.get(name)
        if rest and isinstance(now, dict) and isinstance(before, dict):
            kept[name] = ignore_changes(now, before, [rest])
        else:
            kept[name] = before
    return kept


def differs(field: Field, before: Any, after: Any) -> bool:
    """Whether a planned value is a change."""
    if contains_unknown(after):
        return True
    return bool(_canonical(field, before) != _canonical(field, after))


def changed_properties(fields: Fields, prior: Properties, planned: Properties) -> frozenset[str]:
    """Name the properties whose planned value is a change."""
    return frozenset(
        name for name, field in fields.items() if differs(field, prior.get(name), planned.get(name))
    )


def _unset(field: Field, name: str, prior: Properties | None) -> Any:
    if not field.computed:
        return None
    return UNKNOWN if prior is None else prior.get(name)


def _plan_value(field: Field, value: Any, prior: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN
    if field.kind is Kind.BLOCK:
        return plan(field.fields, value, prior if isinstance(prior, dict) else None)
    if field.kind in (Kind.LIST, Kind.SET):
        if field.fields:
            return [item if item is UNKNOWN else _plan_element(field, item) for item in value]
        if field.kind is Kind.SET and not contains_unknown(value):
            return sorted(set(value))
    return value


def _plan_element(field: Field, item: Properties) -> Properties:
    """Plan an object of a list or set; a set's is found by all its values, so that none is null."""
    planned = plan(field.fields, item, None)
    if field.kind is Kind.LIST:
        return planned
    return {
        name: field.fields[name].zero if value is None else value for name, value in planned.items()
    }


def _is_quiet(field: Field, block: Properties) -> bool:
    """Whether everything in a block is at its default, or not set."""
    for name, inner in field.fields.items():
        value = block.get(name)
        if inner.kind is Kind.BLOCK:
            if value is not None and not _is_quiet(inner, value):
                return False
            continue
        usual = inner.zero if inner.default is None else inner.default
        if _canonical(inner, value) not in (_canonical(inner, usual), _canonical(inner, None)):
            return False
    return True


def _canonical(field: Field, value: Any) -> Any:
    """Give what two values have in common when they are the same to Terraform."""
    if value is None:
        return _canonical(field, field.zero) if field.zero is not None else None
    if field.kind is Kind.BLOCK:
        # A block that a program leaves out may stay as Graph has it when all is at its defaults.
        return None if _is_quiet(field, value) else _canonical_object(field.fields, value)
    if field.kind in (Kind.LIST, Kind.SET):
        items = [_canonical_object(field.fields, item) if field.fields else item for item in value]
        return sorted(items, key=_as_text) if field.kind is Kind.SET else items
    return value


def _canonical_object(fields: Fields, value: Properties) -> Properties:
    return {name: _canonical(field, value.get(name)) for name, field in fields.items()}


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
