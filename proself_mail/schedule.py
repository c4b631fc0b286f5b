"""Which client secrets should exist at an instant: a pure function of the `secrets` entries.

An entry opens one window after the other from its instant on, one every `every`, each valid for
`every + overlap`. A later entry whose instant has come opens the windows from there; those that an
earlier one opened run out, unless the later one revokes them. Entries are only ever appended, or
put before those whose instant has not come, so a window's expiry never changes. Nothing here reads
a clock or knows what Entra holds.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from proself_mail import facts


@dataclass(frozen=True)
class SecretsEntry:
    """One entry of the stack's `secrets`."""

    starts: datetime
    """Aware, UTC, whole seconds."""
    every: timedelta
    overlap: timedelta
    """Shorter than `every`, so that at most two windows of one entry are open at once."""
    revokes_earlier: bool = False
    """Close every window of the entries before this one at once: a secret leaked."""

    @property
    def lifetime(self) -> timedelta:
        """How long each secret is valid."""
        return self.every + self.overlap


@dataclass(frozen=True)
class Window:
    """The time in which one client secret is to exist."""

    starts: datetime
    expires: datetime
    entry: int
    """The place of the entry that opens it, from 0."""
    newest: bool

    @property
    def id(self) -> str:
        """Name the window by its start; the name of its secret in Pulumi and in Entra."""
        return window_id(self.starts)


def window_id(starts: datetime) -> str:
    """Name the window that begins at an instant."""
    return f"{starts:%Y%m%dT%H%M%SZ}"


def open_windows(entries: Sequence[SecretsEntry], now: datetime) -> tuple[Window, ...]:
    """Return the windows that are open at `now`, the oldest first; the last one is the newest.

    `entries` are in the order of their instants. Empty where no entry's instant has come yet.
    """
    begun = [entry for entry in entries if entry.starts <= now]
    first_standing = max(
        (place for place, entry in enumerate(begun) if entry.revokes_earlier), default=0
    )
    found: list[tuple[datetime, datetime, int]] = []
    for place in range(first_standing, len(begun)):
        entry = begun[place]
        successor = begun[place + 1] if place + 1 < len(begun) else None
        opened_until = now if successor is None else successor.starts - timedelta(microseconds=1)
        # Windows that started a lifetime ago have run out: begin where one can still be open.
        number = max(0, (now - entry.starts - entry.lifetime) // entry.every)
        while (starts := entry.starts + number * entry.every) <= opened_until:
            if now < starts + entry.lifetime:
                found.append((starts, starts + entry.lifetime, place))
            number += 1
    return tuple(
        Window(starts, expires, entry=place, newest=index == len(found) - 1)
        for index, (starts, expires, place) in enumerate(found)
    )


def most_open(entries: Sequence[SecretsEntry], gone: Container[str] = ()) -> int:
    """Return how many windows are open at once at most, from the last entry's instant on.

    Those of earlier entries whose ids are in `gone` do not count; what the last one opens is still
    to be made.
    """
    last, newest, most = entries[-1], len(entries) - 1, 0
    opens = last.starts
    while True:
        found = open_windows(entries, opens)
        counted = (window.entry == newest or window.id not in gone for window in found)
        most = max(most, sum(counted))
        # As many again, once nothing of an earlier entry is left and one has run its course.
        if found[0].entry == newest and opens > last.starts:
            return most
        opens += last.every


def revoked_windows(entries: Sequence[SecretsEntry], now: datetime) -> tuple[Window, ...]:
    """Return the windows that would be open at `now` had no entry revoked them, the oldest first.

    Their secrets are the leaked ones that Entra goes on accepting until somebody removes them.
    """
    standing = {window.id for window in open_windows(entries, now)}
    unrevoked = open_windows([replace(each, revokes_earlier=False) for each in entries], now)
    return tuple(window for window in unrevoked if window.id not in standing)


def vanishing(
    ends: Mapping[str, datetime], entries: Sequence[SecretsEntry], now: datetime
) -> tuple[str, ...]:
    """Return the windows of live secrets that the entries do not open, or not with that end.

    `ends` says when each secret ends that was made, by its window's id. As long as entries are only
    appended there are none: what is found was edited, moved or removed, or the file is an old one.
    """
    opened = {window.id: window.expires for window in open_windows(entries, now)}
    opened |= {window.id: window.expires for window in revoked_windows(entries, now)}
    return tuple(window for window, end in ends.items() if end > now and opened.get(window) != end)


def lost_entries(
    ends: Mapping[str, datetime], entries: Sequence[SecretsEntry], now: datetime
) -> Sequence[SecretsEntry]:
    """Return the entries that early rotations and revocations made and the file lacks, in order.

    `ends` are as of `vanishing`. Their lengths are those of the entry before them, as they are
    then. Empty where no such entries make up for all that vanishes.
    """
    last = max((each for each in entries if each.starts <= now), default=entries[0], key=_starts)
    vanished = vanishing(ends, entries, now)
    opened = min((ends[window] - last.lifetime for window in vanished), default=last.starts)
    if opened <= last.starts:
        return ()
    # It may have opened windows before, which are closed by now. What revokes nothing comes first:
    # nobody is to lose a secret by a guess. One that revokes opened all that is left.
    windows = -((last.starts - opened) // last.every)
    begins = [(opened - number * last.every, False) for number in range(windows)]
    oldest = min(window for window, end in ends.items() if end > now)
    revoked = ends[oldest] - last.lifetime
    if revoked > last.starts and window_id(revoked) == oldest:
        begins.append((revoked, True))
    for starts, revokes in begins:
        first = replace(last, starts=starts, revokes_earlier=revokes)
        if found := _completed(ends, entries, first, now):
            return found
    return ()


def _completed(
    ends: Mapping[str, datetime],
    entries: Sequence[SecretsEntry],
    first: SecretsEntry,
    now: datetime,
) -> Sequence[SecretsEntry]:
    """Return the lost entries of which this is the first; empty where it cannot be."""
    found = [first]
    while vanished := vanishing(ends, in_order([*entries, *found]), now):
        opened = min(ends[window] - first.lifetime for window in vanished)
        if opened <= found[-1].starts:
            return ()
        found.append(replace(first, starts=opened, revokes_earlier=False))
    complete = in_order([*entries, *found])
    newest = max(ends)  # what would have been open when it was made was made as well
    made = {each.id for each in open_windows(complete, now) if each.id < newest}
    return found if made <= ends.keys() else ()


def in_order(entries: Sequence[SecretsEntry]) -> Sequence[SecretsEntry]:
    """Return entries as a stack file has them, in the order of their instants."""
    return sorted(entries, key=_starts)


def _starts(entry: SecretsEntry) -> datetime:
    return entry.starts


def opens_soon(
    ends: Mapping[str, datetime], entries: Sequence[SecretsEntry], now: datetime
) -> datetime | None:
    """Return when the entries open all that vanishes, where a clock that was ahead made it.

    `ends` are as of `vanishing`. None where none vanishes, or more than tolerated clocks explain:
    whoever made it may have been ahead of the tenant's by as much as `now` is behind.
    """
    vanished = vanishing(ends, entries, now)
    later = open_windows(entries, now + 2 * facts.CLOCK_TOLERANCE)
    opens = max((each.starts for each in later if each.id in vanished), default=now)
    return opens if vanished and not vanishing(ends, entries, opens) else None


def shortened(
    entries: Sequence[SecretsEntry], window: Window, lifetime: timedelta
) -> tuple[SecretsEntry, ...]:
    """Return entries by which a window and what its entry opens after it end sooner.

    Windows that opened before it keep their ends. `window` is one of the open ones and has no
    secret yet; `lifetime` is of whole days, at least one, and shorter than the entry's.
    """
    entry, place = entries[window.entry], window.entry
    overlap = timedelta(days=min(entry.overlap.days, lifetime.days // 3))
    shorter = replace(entry, starts=window.starts, every=lifetime - overlap, overlap=overlap)
    if window.starts == entry.starts:
        return (*entries[:place], shorter, *entries[place + 1 :])
    added = replace(shorter, revokes_earlier=False)
    return (*entries[: place + 1], added, *entries[place + 1 :])


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant with a zone, to the second, as UTC.

    Raises `ValueError` for anything else: an instant without a zone would be read differently in
    Tokyo and on a pipeline's runner.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    try:
        return instant.astimezone(UTC).replace(microsecond=0)
    except OverflowError:  # within a day of the first year's beginning, or of the last one's end
        raise ValueError(f"{text!r} is out of range") from None


def format_instant(instant: datetime) -> str:
    """Write an instant in the one form used everywhere, `2027-05-22T00:00:00Z`.

    The azuread plugin replaces a secret when only the spelling of its end changes.
    """
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
