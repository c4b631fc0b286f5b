"""Years of rotation without a tenant: the product's own decisions, a model of everything else.

What runs is `schedule` and `rotation.plan`; modelled are the engine (it makes what is open and
forgets what has closed), kills at its steps, weeks without a run, and the one client: it signs in
every day with the secret that was pasted last, and gets the next one late. Every draw follows from
the seed.
"""

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from proself_mail.entra.directory import ApplicationRecord, PasswordRecord
from proself_mail.rotation import rotate, rotation
from proself_mail.schedule import SecretsEntry, Window, format_instant, most_open, open_windows
from proself_mail.stack.state import APPLICATION, SECRET_PREFIX, Resource, State

DAY = timedelta(days=1)
INTERVAL = 7 * DAY
_START = datetime(2027, 1, 5, 1, 17, tzinfo=UTC)
_EMPTY = ApplicationRecord("app", "client", "Proself mail", None, (), "", (), (), None, {}, ())


@dataclass
class Tally:
    """What happened in one simulated life."""

    sign_ins: int = 0
    refused: int = 0
    rotations: int = 0
    early: int = 0
    kills: int = 0
    missed: int = 0
    removed: int = 0
    removed_alive: int = 0
    most_valid: int = 0
    """Of ours, in ordinary times."""
    most_valid_early: int = 0
    """While an early rotation's secrets run out."""


@dataclass
class Life:
    """One stack's life."""

    seed: int
    entries: list[SecretsEntry] = field(default_factory=list)
    state: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Key id and end by window."""
    application: ApplicationRecord = _EMPTY
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  no secret hangs on it
        self._made: list[tuple[str, Window]] = []
        self.entries.append(self._entry(_START))

    def live(self, years: float = 3) -> Tally:
        """Live it, a day at a time."""
        now, since_run = _START, timedelta()
        self._run(now, may_die=False)
        in_proself = self._newest(now)
        while now < _START + years * 365 * DAY:
            now += DAY
            since_run += DAY
            if since_run >= INTERVAL:
                if self._may_miss(now, since_run) and self._random.random() < 0.15:
                    self.tally.missed += 1
                else:
                    if self._random.random() < 0.06:
                        self._append(now)
                    died = self._run(now, may_die=self._may_miss(now, since_run))
                    since_run = since_run if died else timedelta()
            in_proself = self._pasted(in_proself, now)
            self._sign_in(in_proself, now)
            self._count(now)
        return self.tally

    def _may_miss(self, now: datetime, since_run: timedelta) -> bool:
        """Say whether a run may fail to come: one comes once per overlap, with a week to spare."""
        overlap = min(self.entries[each.entry].overlap for each in open_windows(self.entries, now))
        return since_run + 2 * INTERVAL <= overlap

    def _append(self, now: datetime) -> None:
        """Rotate early, or change the lengths, as `--now` and people do: by a new entry."""
        entry = self._entry(now)
        if most_open([*self.entries, entry]) <= rotate.MOST_AT_ONCE:
            self.entries.append(entry)
            self.tally.early += 1

    def _entry(self, starts: datetime) -> SecretsEntry:
        every = self._random.choice([30, 35, 40, 60])
        overlap = self._random.randint(15, min(30, every - 1))
        return SecretsEntry(starts, every * DAY, overlap * DAY)

    def _run(self, now: datetime, *, may_die: bool) -> bool:
        """One run of the pipeline; says whether it was killed on its way."""
        dies_at = self._random.randint(1, 6) if may_die and self._random.random() < 0.2 else 99
        plan = rotation.plan("model", self.entries, self._as_state(), self.application, now, now)
        steps: list[Callable[[], None]] = [
            *([partial(self._note, now)] if plan.forget and not plan.noted.is_complete else []),
            *(partial(self._remove, each, now) for each in plan.secrets.expired),
            *(partial(self._add, each) for each in plan.add),
            *([partial(self._forget, plan.forget)] if plan.forget else []),
            partial(self._note, now),
        ]
        if not plan.is_due:
            return False
        for number, step in enumerate(steps, start=1):
            if number >= dies_at:
                self.tally.kills += 1
                return True
            step()
        self.tally.rotations += bool(plan.add)
        return False

    def _remove(self, password: PasswordRecord, now: datetime) -> None:
        self.tally.removed += 1
        self.tally.removed_alive += password.expires is None or password.expires > now
        left = tuple(each for each in self.application.passwords if each != password)
        self.application = replace(self.application, passwords=left)

    def _add(self, window: Window) -> None:
        key = str(uuid.UUID(int=self._random.getrandbits(128)))
        made = PasswordRecord(key, "Proself SMTP OAuth", window.starts, window.expires)
        passwords = (*self.application.passwords, made)
        self.application = replace(self.application, passwords=passwords)
        self.state[window.id] = (key, window.expires)
        self._made.append((key, window))

    def _forget(self, windows: tuple[str, ...]) -> None:
        for window in windows:
            del self.state[window]

    def _note(self, now: datetime) -> None:
        plan = rotation.plan("model", self.entries, self._as_state(), self.application, now, now)
        there = frozenset(each.key_id for each in self.application.passwords)
        self.application = replace(
            self.application, notes=plan.noted.ledger.keeping(there).into(self.application.notes)
        )

    def _as_state(self) -> State:
        resources = {
            SECRET_PREFIX + window: Resource(
                SECRET_PREFIX + window, f"app/password/{key}", {"endDate": format_instant(end)}
            )
            for window, (key, end) in self.state.items()
        }
        application: Mapping[str, Resource] = {
            APPLICATION: Resource(APPLICATION, "/applications/app", {"clientId": "client"})
        }
        return State({**application, **resources}, (), (), {})

    def _newest(self, now: datetime) -> str:
        return self.state[open_windows(self.entries, now)[-1].id][0]

    def _pasted(self, key: str, now: datetime) -> str:
        """Return what Proself has now.

        From the instant at which the secret there is superseded a person takes up to its overlap
        less a run's interval, and pastes what is the newest then.
        """
        place = next(n for n, (made, _) in enumerate(self._made) if made == key)
        if place == len(self._made) - 1:
            return key
        superseded, (newest, _) = self._made[place + 1][1].starts, self._made[-1]
        overlap = self.entries[self._made[place][1].entry].overlap
        late = random.Random(f"{self.seed} {superseded}").random()  # noqa: S311
        return newest if now >= superseded + late * (overlap - INTERVAL) else key

    def _sign_in(self, key: str, now: datetime) -> None:
        self.tally.sign_ins += 1
        held = [each for each in self.application.passwords if each.key_id == key]
        self.tally.refused += not any(each.expires and each.expires > now for each in held)

    def _count(self, now: datetime) -> None:
        valid = sum(bool(e.expires and e.expires > now) for e in self.application.passwords)
        windows = open_windows(self.entries, now)
        if len({window.entry for window in windows}) > 1:
            self.tally.most_valid_early = max(self.tally.most_valid_early, valid)
        else:
            self.tally.most_valid = max(self.tally.most_valid, valid)
