"""Which replica answers: Entra's reads lag behind its writes, and go back and forth.

For a while after a write, some reads still see the object as it was before. How long and how
many is configured; which ones follows from the seed, the method, the object's ordinal and the
how-manyth such read it is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulator.clock import Clock
from emulator.directory.randomness import fraction
from emulator.directory.store import Change, Entry, Record

_NONE = timedelta()


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far replicas trail, and how often a read meets one that does."""

    objects: timedelta = _NONE
    """How long a created or changed object may look as before when asked for by its id."""
    lists: timedelta = _NONE
    """The same in lists and filters."""
    deletions: timedelta = _NONE
    """How long a deleted object may still answer, by id and in lists."""
    ratio: float = 1.0
    """Share of the reads within that time that meet a trailing replica, 0 to 1."""
    sign_in: timedelta = _NONE
    """How long the sign-in service knows nothing of a change: a new secret is refused that long."""
    sign_in_ratio: float = 1.0
    """Share of the sign-ins within that time that are judged by the old state."""

    @property
    def longest(self) -> timedelta:
        """For how long an old version can be of use."""
        return max(self.objects, self.lists, self.deletions, self.sign_in)


@dataclass(frozen=True)
class _Trail:
    """How far one replica trails, by the kind of change."""

    writes: timedelta
    deletions: timedelta

    def shows(self, entry: Entry, now: datetime) -> Record | None:
        for version in reversed(entry.versions):
            lag = self.deletions if version.change is Change.DELETED else self.writes
            # Without a lag nothing trails, not even when the clock was set back.
            if not lag or version.at + lag <= now:
                return version.record
        return None


class Replicas:
    """Hands out a view of the directory to each request."""

    def __init__(self, clock: Clock, seed: int, lag: Lag) -> None:
        self._clock = clock
        self._seed = seed
        self._counts: Counter[tuple[object, ...]] = Counter()
        self.lag = lag

    def for_request(self, tenant_id: str, method: str, route: str) -> "View":
        """Return what a Graph request sees."""
        lag = self.lag
        by_id = _Trail(lag.objects, lag.deletions)
        in_lists = _Trail(lag.lists, lag.deletions)
        return View(self, (tenant_id, method, route), by_id, in_lists, lag.ratio, self._clock.now())

    def for_sign_in(self, tenant_id: str) -> "View":
        """Return what the sign-in service sees."""
        lag = self.lag
        trail = _Trail(lag.sign_in, lag.sign_in)
        return View(
            self, (tenant_id, "sign-in"), trail, trail, lag.sign_in_ratio, self._clock.now()
        )

    def trailing(self, seconds: float) -> "View":
        """Return what a request sees whose replica trails by that much in everything."""
        trail = _Trail(timedelta(seconds=seconds), timedelta(seconds=seconds))
        return View(self, (), trail, trail, 1.0, self._clock.now())

    def meets_trailing(self, ratio: float, *what: object) -> bool:
        """Whether this read, one more about `what`, meets a trailing replica."""
        self._counts[what] += 1
        return fraction(self._seed, "replica", *what, self._counts[what]) < ratio


class View:
    """The directory as one request sees it; asked twice about an object, it says the same."""

    def __init__(
        self,
        replicas: Replicas,
        what: tuple[str, ...],
        by_id: _Trail,
        in_lists: _Trail,
        ratio: float,
        now: datetime,
    ) -> None:
        self._replicas = replicas
        self._what = what
        self._by_id = by_id
        self._in_lists = in_lists
        self._ratio = ratio
        self._now = now
        self._decided: dict[object, bool] = {}

    def record(self, entry: Entry | None) -> Record | None:
        """Return the object as a read by its id sees it; None when this replica has it not."""
        if entry is None:
            return None
        old = self._by_id.shows(entry, self._now)
        if old is entry.latest or not self._trails(entry.kind, entry.ordinal):
            return entry.latest
        return old

    def records(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Record]]:
        """Return the objects as a list sees them: one replica answers for the whole list."""
        for entry in entries:
            old = self._in_lists.shows(entry, self._now)
            record = old if old is not entry.latest and self._trails("list") else entry.latest
            if record is not None:
                yield entry, record

    def _trails(self, *about: object) -> bool:
        if about not in self._decided:
            trails = self._replicas.meets_trailing(self._ratio, *self._what, *about)
            self._decided[about] = trails
        return self._decided[about]
