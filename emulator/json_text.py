"""JSON that was sent: read where it is JSON, and where it can be said again."""

import json
from typing import Any

Json = dict[str, Any]
"""A JSON object. What is kept is never changed in place: a change makes a new one."""

_DEEPEST = 100
"""Lists and objects inside of each other: far more than anything here has."""


def read(text: bytes | str) -> Any:
    """Return what a text says.

    ValueError if it is no JSON, which NaN is not, is nested too deep, or cannot be written again: a
    number that is too large for a float, half of a surrogate pair.
    """
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    _check_depth(value, _DEEPEST)
    return value


def _check_depth(value: Any, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if not left:
        raise ValueError("nested too deep")
    for inner in value.values() if isinstance(value, dict) else value:
        _check_depth(inner, left - 1)
