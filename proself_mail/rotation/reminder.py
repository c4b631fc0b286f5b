"""Whether a person must act for the mail to go on, and how soon: a pure function.

A new secret stops nothing and starts nothing: somebody pastes it into Proself and signs in there
again, before the one that Proself has ends. Which one that is, people say by `rotate
--acknowledge`; while nobody said so, it is taken to be the one that ends first.
Once one has ended so, Proself may have that; no rotation changes this, only somebody's word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

AT_LEAST = timedelta(days=14)
"""It is urgent at the latest so long before the end: two runs of a weekly pipeline."""


class Level(StrEnum):
    """How soon a person must act."""

    NONE = "none"
    NOTICE = "notice"
    """There is time; a pipeline stays green."""
    URGENT = "urgent"
    """The time is running out; a pipeline turns red."""
    OVERDUE = "overdue"
    """The secret in Proself has ended: mail has stopped."""

    @property
    def is_red(self) -> bool:
        """Whether a command ends with the exit code for it."""
        return self in (Level.URGENT, Level.OVERDUE)


@dataclass(frozen=True)
class LiveSecret:
    """A client secret of ours that signs in now."""

    key_id: str
    window: str
    """Its window's id, which sorts by when that opened."""
    expires: datetime
    overlap: timedelta
    """How long it goes on after its successor was made."""


@dataclass(frozen=True)
class Reminder:
    """What a person is to be told."""

    level: Level
    newest: LiveSecret
    in_proself: LiveSecret | None
    """The one that Proself has, or is taken to have; none where it has ended, or may have."""
    is_known: bool
    """Whether somebody said which one it is."""

    @property
    def mail_ends(self) -> datetime | None:
        """When mail stops unless somebody acts; none where nobody has to, or it has stopped."""
        return self.in_proself.expires if self.in_proself else None


def remind(
    live: Sequence[LiveSecret],
    lost: Sequence[LiveSecret],
    pasted: str | None,
    now: datetime,
    *,
    first: bool,
) -> Reminder:
    """Say what a person is to be told.

    `live` is in the order of the windows, at least one; `lost` are those that sign in and that the
    state does not have any more; `pasted` is the key id of the one that was acknowledged last;
    `first` says that the first secret of all is among these.
    """
    newest, either = live[-1], (*lost, *live)
    if pasted is not None:
        found = next((each for each in either if each.key_id == pasted), None)
        if found is None:
            return Reminder(Level.OVERDUE, newest, None, is_known=True)
        level = Level.NONE if found is newest else _how_soon(found, now)
        return Reminder(level, newest, found, is_known=True)
    if not first:
        return Reminder(Level.URGENT, newest, None, is_known=False)
    # The newest may be the first to end, where a policy has shortened what is made since.
    older = [each for each in either if each is not newest and each.window <= newest.window]
    if older:
        oldest = min(older, key=lambda each: each.expires)
        return Reminder(_how_soon(oldest, now), newest, oldest, is_known=False)
    return Reminder(Level.NOTICE, newest, newest, is_known=False)


def _how_soon(secret: LiveSecret, now: datetime) -> Level:
    near = max(AT_LEAST, secret.overlap / 2)
    return Level.URGENT if secret.expires - now <= near else Level.NOTICE
