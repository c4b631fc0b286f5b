"""JSON that somebody else wrote: what it says, or that it is none."""

import json
from typing import Any


def read(text: str | bytes) -> Any:
    """Return what a text says. Raises `ValueError` for no JSON, and for what is nested too deep."""
    try:
        return json.loads(text)
    except RecursionError as error:  # of lists within lists; the parser has no error of its own
        raise ValueError("nested too deep") from error
