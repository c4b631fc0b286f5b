"""What an HTTP answer says of a later one: whether it may differ, and how long to wait for it."""

from datetime import timedelta

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that another answer may well not have."""

_LONGEST = timedelta(minutes=5)


def read(header: str | None) -> timedelta:
    """Read a Retry-After, which Microsoft gives in seconds; nothing where it is none of these."""
    text = header or ""
    return min(timedelta(seconds=int(text)), _LONGEST) if text.isdecimal() else timedelta()
