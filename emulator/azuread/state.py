"""State as the real plugin stores it, so that either plugin reads the other's.

Beside the properties a state holds `id`, `__meta` (operation timeouts in nanoseconds and the
version of the Terraform schema, as JSON) and `__pulumi_raw_state_delta`, from which the bridge
rebuilds Terraform's own state: which properties are named differently there, and which single
objects are lists of one.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from emulator.azuread.resource import Resource
from emulator.azuread.schema import Field, Fields, Kind, terraform_name
from emulator.azuread.values import UNKNOWN, Properties, Secret

META_KEY = "__meta"
DELTA_KEY = "__pulumi_raw_state_delta"
TIMEOUTS_KEY = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"  # of Terraform's plugin SDK


def after_apply(fields: Fields, read: Properties, planned: Properties) -> Properties:
    """Settle a state after create or update: what was planned as null or as a set stays so."""
    return {
        name: _settle(field, read.get(name, _known(planned.get(name))), planned.get(name))
        for name, field in fields.items()
    }


def after_refresh(fields: Fields, read: Properties, prior: Properties) -> Properties:
    """Settle a state after a read: what Graph does not tell stays as it was."""
    return {name: read.get(name, prior.get(name)) for name in fields}


def after_failure(fields: Fields, planned: Properties, prior: Properties) -> Properties:
    """Settle a state when an object exists and something after it failed: as planned."""
    return {
        name: prior.get(name) if planned.get(name) is UNKNOWN else planned.get(name)
        for name in fields
    }


def stored(resource: Resource, resource_id: str, properties: Properties) -> Properties:
    """Complete a state's properties with what only the plugins read."""
    state: Properties = {
        name: Secret(value) if resource.fields[name].sensitive and isinstance(value, str) else value
        for name, value in properties.items()
    }
    state["id"] = resource_id
    state[META_KEY] = _meta(resource)
    state[DELTA_KEY] = raw_state_delta(resource.fields, properties)
    return state


def previewed(resource: Resource, resource_id: str | None, planned: Properties) -> Properties:
    """Give a plan as a preview shows it; a new resource's id is not known."""
    return {**planned, "id": resource_id or UNKNOWN, META_KEY: _meta(resource)}


def properties_of(fields: Fields, state: Properties) -> Properties:
    """Take a stored state's own properties."""
    return {name: state.get(name) for name in fields}


def raw_state_delta(fields: Fields, properties: Mapping[str, Any]) -> Properties:
    """Describe how to rebuild Terraform's state from properties (the bridge's RawStateDelta)."""
    return {"obj": _object_delta(fields, properties)}


def _object_delta(fields: Fields, properties: Mapping[str, Any]) -> Properties:
    delta: Properties = {}
    deltas = {
        name: value
        for name, field in fields.items()
        if name in properties and (value := _value_delta(field, properties[name]))
    }
    renamed = {
        name: field.terraform
        for name, field in fields.items()
        if name in properties and field.terraform and field.terraform != terraform_name(name)
    }
    if deltas:
        delta["ps"] = deltas
    if renamed:
        delta["renamed"] = renamed
    return delta


def _value_delta(field: Field, value: Any) -> Properties | None:
    if field.kind is Kind.BLOCK:
        inner = {} if value is None else {"obj": _object_delta(field.fields, value)}
        return {"plu": {"i": inner}}
    if value is None:
        return None
    if field.kind is Kind.MAP:
        return {"map": {}}
    if field.kind in (Kind.LIST, Kind.SET):
        if not field.fields or not value:
            return {"arr": {}}
        elements = {
            str(index): {"obj": _object_delta(field.fields, item)}
            for index, item in enumerate(value)
        }
        return {"arr": {"el": elements}}
    return None


def _meta(resource: Resource) -> str:
    timeouts = {
        name: value // timedelta(microseconds=1) * 1000 for name, value in resource.timeouts.items()
    }
    meta: Properties = {TIMEOUTS_KEY: timeouts}
    if resource.version:
        meta["schema_version"] = str(resource.version)
    return json.dumps(meta, separators=(",", ":"))


def _known(value: Any) -> Any:
    return None if value is UNKNOWN else value


def _settle(field: Field, value: Any, planned: Any) -> Any:
    if planned is UNKNOWN:
        return value
    if isinstance(value, dict) and isinstance(planned, dict) and field.kind is Kind.BLOCK:
        return after_apply(field.fields, value, planned)
    if field.kind in (Kind.LIST, Kind.SET, Kind.MAP):
        if planned is None and not value and not field.is_block:
            return None
        if field.kind is Kind.SET and planned:
            return planned
    return value
