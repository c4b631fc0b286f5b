"""A number of things in a sentence."""

from datetime import timedelta


def quantity(count: int, thing: str) -> str:
    """Return "1 client secret" or "2 client secrets"; `thing` is one that takes an s."""
    return f"{count} {_plural(count, thing)}"


def format_minutes(length: timedelta) -> str:
    """Write a length of time in minutes, such as `1 minute` or `0.5 minutes`."""
    minutes = length / timedelta(minutes=1)
    return f"{minutes:g} {_plural(minutes, 'minute')}"


def _plural(count: float, thing: str) -> str:
    return thing if count == 1 else f"{thing}s"
