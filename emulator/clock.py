"""The tenant's clock.

Every behaviour that depends on time asks this clock, the `Date` header included, so that a test may
move years ahead without waiting. It runs on; it is never frozen. TLS is not its business: the
certificate is judged by the clients' own clocks.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_A_LIFETIME = timedelta(days=100 * 365)
"""What is made lives shorter than that."""


def _system_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """An instant that can be set, and runs on from there."""

    def __init__(self, system_now: Callable[[], datetime] = _system_now) -> None:
        self._system_now = system_now
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the tenant's present instant, in UTC."""
        return self._system_now() + self._offset

    def set(self, instant: datetime) -> None:
        """Let it be `instant` (aware) now."""
        self._offset = instant.astimezone(UTC) - self._system_now()

    def advance(self, by: timedelta) -> None:
        """Move on by `by`; a negative duration moves back.

        OverflowError where that leads within a lifetime of the calendar's end.
        """
        _ = self.now() + by + _A_LIFETIME
        self._offset += by

    def reset(self) -> None:
        """Show the system's time again."""
        self._offset = timedelta()


def graph_time(instant: datetime) -> str:
    """`instant` as Graph writes an Edm.DateTimeOffset: UTC, `Z`, no fraction when there is none."""
    text = instant.astimezone(UTC).isoformat(
        timespec="microseconds" if instant.microsecond else "seconds"
    )
    return text.replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Return the instant that an ISO 8601 text with an offset names.

    Fractions of up to nine digits (.NET writes seven) are cut to microseconds. ValueError if it is
    not an instant, has no offset, or lies outside of the calendar in UTC.
    """
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset, such as Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("an instant must lie in the years 1 to 9999") from error


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration; a year has 365 days and a month 30.

    ValueError if it is none, or longer than any calendar.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no ISO 8601 duration, such as P180D")
    try:
        parts = {name: int(value) for name, value in match.groupdict(default="0").items()}
        days = parts.pop("years") * 365 + parts.pop("months") * 30 + parts.pop("days")
        return timedelta(days=days, **parts)
    except (OverflowError, ValueError) as error:
        raise ValueError("a duration must fit the calendar") from error
