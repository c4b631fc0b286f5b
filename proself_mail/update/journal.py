"""When an update began, and the notes that it may blank: kept until it has ended well.

What bears the stack's stamp and was made after that instant was made by this update, or by the one
that a kill cut short and this one carries on. It holds no secret. On a fresh runner there is none,
and what an earlier run left is then only adopted, never removed.
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
rule, and readers trail by seconds."""


@dataclass(frozen=True)
class Journal:
    """The record of an update under way."""

    path: Path
    stack_id: UUID
    began: datetime
    """By the tenant's clock."""
    carries_on: bool
    """Whether an update before this one was cut short."""
    notes: str = ""
    """The application's, as they were before the engine ran, whichever of these updates ran it."""
    wrote: datetime | None = None
    """When the last engine began that may have written something, whichever update ran it."""

    def writing(self, now: datetime) -> Self:
        """Note that an engine begins, which may write; it may be killed at any instant."""
        changed = replace(self, wrote=now)
        changed.save()
        return changed

    def wrote_lately(self, now: datetime) -> bool:
        """Say whether a reader that trails may not show something that was written."""
        return self.wrote is not None and now - self.wrote < _LAGGING

    def save(self) -> None:
        """Put it where the next update looks for it."""
        entry = {
            "stackId": str(self.stack_id),
            "began": format_instant(self.began),
            "notes": self.notes,
            "wrote": format_instant(self.wrote) if self.wrote else None,
        }
        private_file.write(self.path, json.dumps(entry) + "\n")

    def end(self) -> None:
        """Note that the update has ended well.

        Where that cannot be noted, the next one carries this one on, and finds nothing left to do.
        """
        with contextlib.suppress(ConfigurationError):
            whole_file.remove(self.path)


def began(path: Path, stack_id: UUID, now: datetime) -> datetime:
    """Return since when an update from now on takes what was made for its own; opens nothing."""
    earlier = _carried_on(path, stack_id, now)
    return earlier.began if earlier else now


def begin(path: Path, stack_id: UUID, now: datetime, notes: str = "") -> Journal:
    """Open the journal of an update that begins now, or of the one that was cut short.

    `notes` are the application's now.
    """
    earlier = _carried_on(path, stack_id, now)
    record = (
        replace(earlier, notes=merged(notes, earlier.notes))
        if earlier
        else Journal(path, stack_id, now, carries_on=False, notes=merged(notes, ""))
    )
    record.save()
    return record


def _carried_on(path: Path, stack_id: UUID, now: datetime) -> Journal | None:
    earlier = _read(path, stack_id)
    return None if earlier is None or now - earlier.began > _STALE else earlier


def _read(path: Path, stack_id: UUID) -> Journal | None:
    try:
        entry = json_text.read(path.read_text(encoding="utf-8"))
        if UUID(entry["stackId"]) == stack_id:
            wrote = entry.get("wrote", entry["began"])  # an older version did not note it
            return Journal(
                path,
                stack_id,
                parse_instant(entry["began"]),
                True,
                str(entry["notes"]),
                parse_instant(wrote) if wrote else None,
            )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass  # none, or cut short by a full disk: then nothing of it can be relied on
    return None
