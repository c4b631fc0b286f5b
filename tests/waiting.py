"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable

_SOMETIMES_SECONDS = 0.02


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so. Fails after `seconds`, which only guard against a hang."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it is not so after {seconds:g} s"
        time.sleep(_SOMETIMES_SECONDS)
