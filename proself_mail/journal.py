"""When an update began, and the notes that it may blank: kept until it has ended well.

What bears the stack's stamp and was made after that instant was made by this update, or by the one
that a kill cut short and this one carries on. It holds no secret. On a fresh runner there is none,
and what an earlier run left is then only adopted, never removed.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from proself_mail import private_file
from proself_mail.ledger import merged
from proself_mail.schedule import format_instant, parse_instant

_STALE = timedelta(days=7)
"""A run that was cut short longer ago is not carried on: too much may have happened since."""


@dataclass(frozen=True)
class Journal:
    """The record of an update under way."""

    path: Path
    began: datetime
    """By the tenant's clock."""
    carries_on: bool
    """Whether an update before this one was cut short."""
    notes: str = ""
    """The application's, as they were before the engine ran, whichever of these updates ran it."""

    def end(self) -> None:
        """Note that the update has ended well."""
        self.path.unlink(missing_ok=True)


def began(path: Path, stack_id: UUID, now: datetime) -> datetime:
    """Return since when an update from now on takes what was made for its own; opens nothing."""
    earlier = _carried_on(path, stack_id, now)
    return earlier.began if earlier else now


def begin(path: Path, stack_id: UUID, now: datetime, notes: str = "") -> Journal:
    """Open the journal of an update that begins now, or of the one that was cut short.

    `notes` are the application's now.
    """
    earlier = _carried_on(path, stack_id, now)
    since = earlier.began if earlier else now
    notes = merged(notes, earlier.notes if earlier else "")
    entry = {"stackId": str(stack_id), "began": format_instant(since), "notes": notes}
    private_file.write(path, json.dumps(entry) + "\n")
    return Journal(path, since, earlier is not None, notes)


def _carried_on(path: Path, stack_id: UUID, now: datetime) -> Journal | None:
    earlier = _read(path, stack_id)
    return None if earlier is None or now - earlier.began > _STALE else earlier


def _read(path: Path, stack_id: UUID) -> Journal | None:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if UUID(entry["stackId"]) == stack_id:
            return Journal(path, parse_instant(entry["began"]), True, str(entry["notes"]))
    except (OSError, ValueError, LookupError, TypeError):
        pass  # none, or cut short by a full disk: then nothing of it can be relied on
    return None
