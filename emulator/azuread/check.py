"""Checking inputs: defaults filled in, and everything wrong said at once.

Wording follows the bridge and the checks of Terraform's plugin SDK where they are known.
"""

from dataclasses import dataclass, field
from typing import Any

from emulator.azuread.plan import DEFAULTS_KEY
from emulator.azuread.schema import Field, Fields, Kind
from emulator.azuread.values import UNKNOWN, Properties


@dataclass(slots=True)
class Checked:
    """Inputs with defaults, and what is wrong with them."""

    inputs: Properties = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def check(fields: Fields, given: Properties, resource_name: str) -> Checked:
    """Check the inputs of a resource; `resource_name` is its name in the program."""
    checked = Checked()
    checked.inputs = _object(fields, given, "", _Report(resource_name, checked.failures))
    return checked


@dataclass(slots=True)
class _Report:
    resource_name: str
    failures: list[str]

    def missing(self, path: str) -> None:
        self.failures.append(f"Missing required property '{path}'")

    def wrong(self, reason: str, path: str) -> None:
        self.failures.append(f"{reason}. Examine values at '{self.resource_name}.{path}'.")


def _object(fields: Fields, given: Properties, path: str, report: _Report) -> Properties:
    inputs: Properties = {}
    for name, value in given.items():
        if name == DEFAULTS_KEY or value is None:
            continue
        inner = fields.get(name)
        if inner is None or not inner.is_input:
            report.wrong("Invalid or unknown key", _join(path, name))
        else:
            inputs[name] = _value(inner, value, _join(path, name), report)
    defaults = []
    for name, inner in fields.items():
        if inner.required and name not in inputs:
            report.missing(_join(path, name))
        for other in inner.conflicts:
            if name in inputs and other in inputs:
                report.wrong(f'"{name}": conflicts with {other}', _join(path, name))
        if inner.default is not None and name not in inputs:
            inputs[name] = inner.default
            defaults.append(name)
    inputs[DEFAULTS_KEY] = sorted(defaults)
    return inputs


def _value(inner: Field, value: Any, path: str, report: _Report) -> Any:
    if value is UNKNOWN:
        return value
    if inner.kind is Kind.BLOCK:
        if not isinstance(value, dict):
            report.wrong(f"expected an object, got {_kind_of(value)}", path)
            return {}
        return _object(inner.fields, value, path, report)
    if inner.kind in (Kind.LIST, Kind.SET):
        if not isinstance(value, list):
            report.wrong(f"expected a list, got {_kind_of(value)}", path)
            return []
        return [
            _element(inner, item, f"{path}[{index}]", report) for index, item in enumerate(value)
        ]
    if inner.kind is Kind.MAP:
        if not isinstance(value, dict):
            report.wrong(f"expected a map, got {_kind_of(value)}", path)
            return {}
        return {key: _scalar(Kind.STRING, item, path, report) for key, item in value.items()}
    return _checked(inner, _scalar(inner.kind, value, path, report), path, report)


def _element(inner: Field, value: Any, path: str, report: _Report) -> Any:
    if value is UNKNOWN:
        return value
    if not inner.fields:
        return _checked(inner, _scalar(Kind.STRING, value, path, report), path, report)
    if not isinstance(value, dict):
        report.wrong(f"expected an object, got {_kind_of(value)}", path)
        return {}
    return _object(inner.fields, value, path, report)


def _checked(inner: Field, value: Any, path: str, report: _Report) -> Any:
    if value is not UNKNOWN and value is not None:
        for rule in inner.checks:
            reason = rule(value, path.rpartition(".")[2])
            if reason is not None:
                report.wrong(reason, path)
    return value


def _scalar(kind: Kind, value: Any, path: str, report: _Report) -> Any:
    """Convert as the bridge does: text for numbers and flags is understood, and the reverse."""
    if value is UNKNOWN:
        return value
    if kind is Kind.STRING:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return f"{value:g}" if isinstance(value, float) else str(value)
        if isinstance(value, str):
            return value
        wanted = "a string"
    elif kind is Kind.BOOLEAN:
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
        wanted = "a boolean"
    else:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lstrip("-").isdigit():
            return int(value)
        wanted = "an integer"
    report.wrong(f"expected {wanted}, got {_kind_of(value)}", path)
    return None


def _kind_of(value: Any) -> str:
    # The value itself may be a secret that was put in the wrong place.
    kinds = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return kinds.get(type(value), "a number")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
