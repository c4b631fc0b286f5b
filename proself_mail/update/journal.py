"""When the engines of an update worked, and the notes that it may blank: kept until it ended well.

What bears the stack's stamp and was made then was made by this update, or by one before it that was
cut short and that this one carries on. Anybody else may have made what came between them, or after
somebody else wrote the state: that is not carried on. It holds no secret. On a fresh runner there
is none, and what an earlier run left is then only adopted, never removed.
"""

import contextlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self
from uuid import UUID

from proself_mail import json_text
from proself_mail.entra.ledger import merged
from proself_mail.errors import ConfigurationError
from proself_mail.files import private_file, whole_file
from proself_mail.schedule import format_instant, parse_instant

_STALE = timedelta(days=7)
"""A run that was cut short longer ago is not carried on: too much may have happened since."""
_LAGGING = timedelta(minutes=15)
"""What an engine wrote that began longer ago shows to every reader: it runs for ten minutes, as a
rule, and readers trail by seconds. One that was killed may have made something for as long."""
_UNDER_WAY = timedelta(minutes=1)
"""How long after an engine ended the tenant may still carry out what that one asked for last."""


@dataclass(frozen=True)
class Journal:
    """The record of an update under way."""

    path: Path
    stack_id: UUID
    began: datetime
    """By the tenant's clock, as all of these; of the first, where one carries others on."""
    carries_on: bool
    """Whether an update before this one was cut short."""
    since: datetime
    """When this one itself began."""
    earlier: tuple[tuple[datetime, datetime], ...] = ()
    """From when to when the engines worked of those that it carries on."""
    notes: str = ""
    """The application's, as they were before the engine ran, whichever of these updates ran it."""
    wrote: datetime | None = None
    """When the last engine began that may have written something, whichever update ran it."""
    ended: datetime | None = None
    """When that one had ended; none where it may have been killed."""
    state: str = ""
    """What `State.written` was then, or else before that engine ran."""

    def made(self, instant: datetime | None) -> bool:
        """Say whether what was made then was made by this update, or by one that it carries on."""
        return instant is not None and (
            instant >= self.since or any(since <= instant <= end for since, end in self.earlier)
        )

    def writing(self, now: datetime, state: str) -> Self:
        """Note that an engine begins, which may write; it may be killed at any instant."""
        changed = replace(self, wrote=now, ended=None, state=state)
        changed.save()
        return changed

    def leaving(self, now: datetime, state: str) -> Self:
        """Note that the engine has ended, and what `State.written` is then.

        Where that cannot be noted, the next one takes it for killed; what failed before is told.
        """
        changed = replace(self, ended=now, state=state)
        with contextlib.suppress(ConfigurationError):
            changed.save()
        return changed

    def wrote_lately(self, now: datetime) -> bool:
        """Say whether a reader that trails may not show something that was written."""
        return self.wrote is not None and now - self.wrote < _LAGGING

    def worked(self, now: datetime, state: str) -> tuple[tuple[datetime, datetime], ...]:
        """Return from when to when engines worked, as far as nobody else wrote the state since.

        `state` is `State.written`. Of one that was killed it is unknown how far it got; it made
        nothing where it left the state as it was, for that it writes first.
        """
        is_unchanged = bool(self.state) and self.state == state
        wrote = self.wrote if self.wrote and self.wrote >= self.since else None
        was_killed = wrote is not None and self.ended is None
        if not (was_killed or is_unchanged):
            return ()  # somebody else has been at work since
        if wrote is None:
            return self.earlier
        if self.ended is not None:
            end = self.ended + _UNDER_WAY
        else:
            end = wrote if is_unchanged and not self.wrote_lately(now) else wrote + _LAGGING
        return (*self.earlier, (self.since, end))

    def save(self) -> None:
        """Put it where the next update looks for it."""
        entry = {
            "stackId": str(self.stack_id),
            "began": format_instant(self.began),
            "since": format_instant(self.since),
            "earlier": [[*map(format_instant, each)] for each in self.earlier],
            "notes": self.notes,
            "wrote": format_instant(self.wrote) if self.wrote else None,
            "ended": format_instant(self.ended) if self.ended else None,
            "state": self.state,
        }
        private_file.write(self.path, json.dumps(entry) + "\n")

    def end(self) -> None:
        """Note that the update has ended well.

        Where that cannot be noted, the next one carries this one on, and finds nothing left to do.
        """
        with contextlib.suppress(ConfigurationError):
            whole_file.remove(self.path)


def opened(path: Path, stack_id: UUID, now: datetime, state: str = "", notes: str = "") -> Journal:
    """Return the journal of an update that begins now, carrying on the one that was cut short.

    `state` is `State.written`, `notes` are the application's now. Nothing is written.
    """
    earlier = _read(path, stack_id)
    if earlier is None or now - earlier.began > _STALE:
        return Journal(
            path, stack_id, now, carries_on=False, since=now, notes=merged(notes, ""), state=state
        )
    return replace(
        earlier,
        since=now,
        earlier=earlier.worked(now, state),
        notes=merged(notes, earlier.notes),
        state=state,
    )


def begin(path: Path, stack_id: UUID, now: datetime, state: str = "", notes: str = "") -> Journal:
    """Do the same, and write it where the next update looks for it."""
    record = opened(path, stack_id, now, state, notes)
    record.save()
    return record


def _read(path: Path, stack_id: UUID) -> Journal | None:
    try:
        entry = json_text.read(path.read_text(encoding="utf-8"))
        if UUID(entry["stackId"]) == stack_id:
            began = parse_instant(entry["began"])
            # An older version did not note all of it.
            return Journal(
                path,
                stack_id,
                began,
                carries_on=True,
                since=_instant(entry.get("since")) or began,
                earlier=tuple(
                    (parse_instant(since), parse_instant(end))
                    for since, end in entry.get("earlier", ())
                ),
                notes=str(entry["notes"]),
                wrote=_instant(entry["wrote"]),
                ended=_instant(entry.get("ended")),
                state=str(entry.get("state", "")),
            )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass  # none, or cut short by a full disk: then nothing of it can be relied on
    return None


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None
