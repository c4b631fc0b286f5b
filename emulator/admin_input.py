"""Reads what is posted to the admin interface, and says in a sentence what it cannot use."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from emulator.clock import parse_time

_LONGEST = timedelta(days=100 * 365)
"""Of what is posted; with less than that from one call no clock or reply goes out of range."""
_AROUND = datetime(2000, 1, 1, tzinfo=UTC)

_T = TypeVar("_T")
_MISSING: Any = object()


class AdminError(Exception):
    """A request that the admin interface does not do; the text says what it expects."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Fields:
    """A JSON object whose fields are taken out one by one; `done` refuses those left over."""

    def __init__(self, value: object, where: str = "") -> None:
        """Take the object at `where`. AdminError if it is none."""
        if not isinstance(value, dict):
            raise AdminError(f"{where or 'the body'} must be a JSON object.")
        self._left = dict(value)
        self._where = where
        self._known: list[str] = []

    def name_of(self, name: str) -> str:
        """Return the full name of a field, as messages call it."""
        return f"{self._where}.{name}" if self._where else name

    def take(self, name: str, default: Any = _MISSING) -> Any:
        """Return a field as it is. AdminError if it is missing and there is no default."""
        self._known.append(name)
        value = self._left.pop(name, default)
        if value is _MISSING:
            raise AdminError(f"{self.name_of(name)} is missing.")
        return value

    def text(self, name: str, default: _T = _MISSING) -> str | _T:
        """Return a field that is a string."""
        value = self.take(name, default)
        if value is default:
            return default
        if not isinstance(value, str):
            raise self.refuse(name, "a string")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return a field that is true or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false")
        return value

    def whole(self, name: str, default: _T = _MISSING, *, least: int = 0) -> int | _T:
        """Return a field that is a whole number from `least` up."""
        value = self.take(name, default)
        if value is default:
            return default
        if type(value) is not int or value < least:
            raise AdminError(f"{self.name_of(name)} must be a whole number from {least} up.")
        return value

    def share(self, name: str, default: _T = _MISSING) -> float | _T:
        """Return a field that is a number from 0 to 1."""
        value = self.take(name, default)
        if value is default:
            return default
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise AdminError(f"{self.name_of(name)} must be a number from 0 to 1.")
        return float(value)

    def seconds(self, name: str, default: _T = _MISSING, *, unit: float = 1.0) -> timedelta | _T:
        """Return a field that is a duration: a number, in units of that many seconds."""
        value = self.take(name, default)
        if value is default:
            return default
        most = _LONGEST / timedelta(seconds=unit)
        if type(value) not in (int, float) or not 0 <= value <= most:  # which NaN is not either
            raise AdminError(
                f"{self.name_of(name)} must be a number that is not negative, {most:.0f} at most."
            )
        return timedelta(seconds=value * unit)

    def instant(self, name: str, default: _T = _MISSING) -> datetime | _T:
        """Return a field that is an instant with its offset."""
        value = self.take(name, default)
        if value is default:
            return default
        try:
            instant = parse_time(value)
            if abs(instant - _AROUND) > _LONGEST:
                raise ValueError
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise AdminError(
                f"{self.name_of(name)} must be an instant such as 2027-01-31T09:00:00Z, of this "
                "century or the last."
            ) from error
        return instant

    def choice(self, name: str, choices: Iterable[str], default: _T = _MISSING) -> str | _T:
        """Return a field that is one of some words."""
        value = self.take(name, default)
        allowed = list(choices)
        if value is default:
            return default
        if not isinstance(value, str) or value not in allowed:
            raise AdminError(f"{self.name_of(name)} must be one of: {', '.join(allowed)}.")
        return value

    def object(self, name: str) -> "Fields | None":
        """Return a field that is an object itself; None if it is not there."""
        value = self.take(name, None)
        return None if value is None else Fields(value, self.name_of(name))

    def each(self, name: str, read: Callable[["Fields"], _T]) -> list[_T]:
        """Read every object of a field that is a list of them; empty if it is not there."""
        values = self.take(name, [])
        if not isinstance(values, list):
            raise AdminError(f"{self.name_of(name)} must be a list.")
        found = []
        for place, value in enumerate(values):
            fields = Fields(value, f"{self.name_of(name)}[{place}]")
            found.append(read(fields))
            fields.done()
        return found

    def has(self, name: str) -> bool:
        """Whether a field is there and still to be taken."""
        return name in self._left

    def texts(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """Return a field that is a list of strings; the default if it is not there."""
        values = self.take(name, list(default))
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise AdminError(f"{self.name_of(name)} must be a list of strings.")
        return values

    def refuse(self, name: str, expected: str) -> AdminError:
        """Say what a field should have been."""
        return AdminError(f"{self.name_of(name)} must be {expected}.")

    def done(self) -> None:
        """Raise AdminError if there are fields that nobody asked for."""
        if self._left:
            unknown = ", ".join(self.name_of(name) for name in self._left)
            known = ", ".join(sorted(self._known))
            raise AdminError(f"{unknown}: no such field; there are {known}.")
