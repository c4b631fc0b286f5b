"""Years of rotation with the real engine, on an embedded tenant whose clock is moved.

What runs weekly is the command that a pipeline runs. Some runs are killed on their way, some never
come, some rotate early, the lengths change by entries that people append, and now and then somebody
edits an entry in place, which has to be refused. One client signs in every day with the secret that
was pasted last, and gets a new one late. Judged is by the tenant's own history. Every draw follows
from the seed; only how far a killed run gets is the machine's.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.place import Place
from bench.rotation_model import INTERVAL
from proself_mail.rotation.rotate import MOST_AT_ONCE
from proself_mail.schedule import SecretsEntry, format_instant, most_open

DAY = timedelta(days=1)
EVERY, OVERLAP = 40, 21
"""Days of the first entry."""
_LENGTHS = ((30, 21), (35, 28), (40, 21), (45, 28), (50, 28))
_FAR = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class Key:
    """A client secret, as the tenant's history has it."""

    made: datetime
    ends: datetime
    removed: datetime = _FAR

    @property
    def valid_until(self) -> datetime:
        """When it stopped signing in."""
        return min(self.ends, self.removed)


@dataclass
class Record:
    """What the tenant was told about client secrets."""

    keys: dict[str, Key] = field(default_factory=dict)
    removed: int = 0
    removed_alive: int = 0

    def read(self, exchanges: Iterable[Mapping[str, Any]]) -> None:
        """Take in what was asked of the tenant."""
        for each in exchanges:
            if each["method"] != "POST" or each["status"] not in (200, 204):
                continue
            at = _instant(each["time"])
            if each["path"].endswith("/addPassword"):
                made = each["response"]
                self.keys[made["keyId"]] = Key(at, _instant(made["endDateTime"]))
            elif each["path"].endswith("/removePassword"):
                key = self.keys[each["request"]["keyId"]]
                key.removed = at
                self.removed += 1
                self.removed_alive += key.ends > at

    def most_valid(
        self, ours: Iterable[str], early: Sequence[tuple[datetime, datetime]], *, inside: bool
    ) -> int:
        """Return how many of ours were valid at once at most, inside or outside those times."""
        found = [self.keys[key] for key in ours]
        instants = [each.made for each in found] + [end for _, end in early]
        return max(
            (
                sum(each.made <= at < each.valid_until for each in found)
                for at in instants
                if any(begin <= at < end for begin, end in early) is inside
            ),
            default=0,
        )


class Years:
    """The life of one stack."""

    def __init__(
        self, at: Place, seed: int, every_days: int = EVERY, overlap_days: int = OVERLAP
    ) -> None:
        self.at = at
        self.draw = random.Random(seed)  # noqa: S311  no secret hangs on it
        self.tally: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        self.record = Record()
        self.known: dict[str, Mapping[str, Any]] = {}
        """Client secrets that the stack's state had, by key id."""
        self.overlap_days: dict[str, int] = {}
        self.lengths = every_days, overlap_days
        self.early: list[datetime] = []
        """When early rotations' windows begin."""
        self.since_run = timedelta()
        self.run_seconds = at.up_seconds
        """How long the last run took that had something to do; before one, what it may take."""

    def live(self, days: int) -> None:
        """Live so many days."""
        made = self.at.outputs()
        self.client_id = made["clientId"]
        self._learn(made["clientSecrets"])
        self.in_proself = made["clientSecrets"][-1]
        paste_at: datetime | None = None
        for _ in range(days):
            now = self.at.advance(DAY)
            self.since_run += DAY
            if self.since_run >= INTERVAL:
                self._week(now)
            newest = max(self.known.values(), key=lambda each: str(each["starts"]))
            if newest is not self.in_proself and paste_at is None:
                paste_at = self._will_paste()
            if paste_at is not None and now >= paste_at:
                self.in_proself, paste_at = newest, None
                code, _, said = self.at.command("rotate", "--acknowledge")
                if code not in (0, 6):
                    raise RuntimeError(said)
                self.tally["acknowledged"] += 1
            self._sign_in(now)
            if self.tally["sign_ins"] % 90 == 0:
                sys.stderr.write(f"day {self.tally['sign_ins']}: {dict(self.tally)}\n")
        self.record.read(self.at.exchanges())

    def figures(self) -> dict[str, Any]:
        """Return what came of it."""
        ours, early = [key for key in self.record.keys if key in self.known], self._running_out()
        names = ("rotations", "early", "killed", "killed_with_work", "missed", "edited_in_place")
        return {
            "sign_ins": self.tally["sign_ins"],
            "refused": self.tally["refused"],
            **{name: self.tally[name] for name in names},
            "acknowledged": self.tally["acknowledged"],
            "removed": self.record.removed,
            "removed_alive": self.record.removed_alive,
            "most_valid": self.record.most_valid(ours, early, inside=False),
            "most_valid_after_an_early_one": self.record.most_valid(ours, early, inside=True),
            "left_by_kills": len(self.record.keys) - len(ours),
            "exit_codes": {str(code): count for code, count in sorted(self.codes.items())},
        }

    def _week(self, now: datetime) -> None:
        """Run the pipeline, or have it fail to come, if there is a run to spare."""
        overlap = timedelta(days=min(self.overlap_days[key] for key in self._valid(now)))
        spare = self.since_run + 2 * INTERVAL <= overlap
        lot = self.draw.random()
        if spare and lot < 0.12:
            self.tally["missed"] += 1
        elif spare and lot < 0.16:
            self._edit_in_place()
        elif (
            lot >= 0.3
            or any(now < end for _, end in self._running_out())
            or not self._run_early(now)
        ):
            self._run(now, may_die=spare)

    def _edit_in_place(self) -> None:
        """Have somebody edit the entry of a live secret, and mend it after the refusal."""
        entries = self.at.entries()
        edited = {**entries[-1], "overlapDays": entries[-1]["overlapDays"] - 1}
        self.at.write_entries(*entries[:-1], edited)
        self.record.read(self.at.exchanges())
        code, _, said = self.at.command("rotate")
        self.codes[code] += 1
        wrote = [each for each in self.at.exchanges() if _is_write(each)]
        if code != 3 or wrote:
            raise RuntimeError(f"exit {code}, {len(wrote)} write(s): {said}")
        self.at.write_entries(*entries)
        self.tally["edited_in_place"] += 1

    def _run_early(self, now: datetime) -> bool:
        """Rotate early, half the time by an entry with other lengths that somebody appended.

        Does nothing and says so where more than three would be valid some day: `--now` refuses
        that, and who appends by hand is told not to.
        """
        lengths, arguments = self.lengths, ["rotate", "--now"]
        if self.draw.random() < 0.5:
            lengths = self.draw.choice([each for each in _LENGTHS if each != self.lengths])
            arguments = ["rotate"]
        entries = self.at.entries()
        starts = now - timedelta(minutes=1)
        added = {"from": starts, "everyDays": lengths[0], "overlapDays": lengths[1]}
        if most_open([_entry(each) for each in (*entries, added)]) > MOST_AT_ONCE:
            return False
        if arguments == ["rotate"]:
            self.at.write_entries(*entries, added | {"from": format_instant(starts)})
        self.early.append(starts.replace(microsecond=0) if arguments == ["rotate"] else now)
        self.tally["early"] += 1
        self.lengths = lengths
        self._finish(now, *self.at.command(*arguments))
        return True

    def _run(self, now: datetime, *, may_die: bool) -> None:
        newest = max(_instant(str(each["starts"])) for each in self.known.values())
        is_due = now >= newest + timedelta(days=self.lengths[0]) or any(
            each.ends <= now < each.removed for each in self.record.keys.values()
        )
        kill = self.draw.random() * self.run_seconds
        whole = self.draw.random() < 0.5
        if may_die and self.draw.random() < (0.6 if is_due else 0.05):
            ended = self.at.command("rotate", kill_after_s=kill, with_children=whole)
        else:
            ended = self.at.command("rotate")
            if is_due:
                self.run_seconds = ended[1]
        self.tally["killed_with_work"] += is_due and ended[0] < 0
        self._finish(now, *ended)

    def _finish(self, now: datetime, code: int, _: float, said: str) -> None:
        """Take in how a run ended."""
        self.codes[code] += 1
        if code in (0, 6):
            self.since_run = timedelta()
            self.record.read(self.at.exchanges())
            if self.record.keys.keys() - self.known.keys():
                self._learn(self.at.outputs()["clientSecrets"])
        elif code < 0:
            self.tally["killed"] += 1
        else:
            sys.stderr.write(f"{now}: exit {code}: {said[-600:]}\n")

    def _running_out(self) -> list[tuple[datetime, datetime]]:
        """Return the times in which secrets of before an early rotation run out.

        One of an older entry may be made late, in the early run itself, and ends last then.
        """
        return [
            (early, max(_instant(e["expires"]) for e in self.known.values() if _started(e) < early))
            for early in self.early
        ]

    def _learn(self, secrets: Sequence[Mapping[str, Any]]) -> None:
        self.record.read(self.at.exchanges())
        for each in secrets:
            if each["keyId"] not in self.known:
                self.tally["rotations"] += bool(self.known)
                self.known[each["keyId"]] = each
                self.overlap_days[each["keyId"]] = self.lengths[1]

    def _valid(self, now: datetime) -> list[str]:
        return [key for key in self.known if now < self.record.keys[key].valid_until]

    def _will_paste(self) -> datetime:
        """Return when a person will paste, who takes up to an overlap less a run's interval."""
        there = str(self.in_proself["starts"])
        superseded = min(str(e["starts"]) for e in self.known.values() if str(e["starts"]) > there)
        overlap = timedelta(days=self.overlap_days[str(self.in_proself["keyId"])])
        return _instant(superseded) + self.draw.random() * (overlap - INTERVAL)

    def _sign_in(self, now: datetime) -> None:
        answer = self.at.token(self.client_id, str(self.in_proself["value"]))
        self.tally["sign_ins"] += 1
        if answer.status_code != 200:
            self.tally["refused"] += 1
            sys.stderr.write(f"{now}: refused: {answer.text[:300]}\n")


def _entry(written: Mapping[str, Any]) -> SecretsEntry:
    """Read an entry as YAML gives it: an instant is one already where it stands unquoted."""
    starts = written["from"]
    starts = starts if isinstance(starts, datetime) else _instant(starts)
    every, overlap = written["everyDays"], written["overlapDays"]
    return SecretsEntry(starts, int(every) * DAY, int(overlap) * DAY)


def _started(secret: Mapping[str, Any]) -> datetime:
    return _instant(secret["starts"])


def _is_write(exchange: Mapping[str, Any]) -> bool:
    return exchange["method"] != "GET" and not exchange["path"].endswith("/token")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
