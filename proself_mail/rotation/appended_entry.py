"""The entry of `secrets` by which a rotation is early or revokes, and the stack file that it is in.

It is taken back where nothing came of it: a file must not promise a secret that nobody made.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from proself_mail import clock
from proself_mail.config.mending import secrets_keys
from proself_mail.entra.patience import AGREEING
from proself_mail.errors import CheckFailed, ConfigurationError, Error
from proself_mail.files import whole_file
from proself_mail.rotation.rotating_stack import RotatingStack
from proself_mail.schedule import SecretsEntry, format_instant, in_order, window_id
from proself_mail.stack.observed import Observed
from proself_mail.stack.stack import NoStackError, Stack
from proself_mail.stack.state import SECRET_KIND, SECRET_PREFIX

_TELLING = timedelta(seconds=20)
"""How long is asked whether a rotation that failed made a secret; a person may wait for it."""


async def beginning_now(entries: Sequence[SecretsEntry], *, revokes: bool) -> SecretsEntry:
    """Return an entry that begins now, with the lengths of the one before it."""
    while (starts := clock.now()) in [each.starts for each in entries]:
        await asyncio.sleep(0.2)  # no two begin in the same second
    place = sum(each.starts < starts for each in entries)
    return replace(entries[place - 1], starts=starts, revokes_earlier=revokes)


class SparedFile:
    """A stack file of which a copy is kept, from before the entry."""

    def __init__(self, stack: Stack, copy: Path) -> None:
        self._stack = stack
        self._place = stack.file.resolve()
        self._copy = copy
        self._written: bytes | None = None

    async def append(self, entry: SecretsEntry, entries: Sequence[SecretsEntry]) -> None:
        """Write an entry beside those that are there.

        It goes before those whose instant is still to come: they open then what they would have.
        """
        keys = secrets_keys(entries, in_order([*entries, entry]))
        await self._stack.engine.awaited(lambda: self._stack.configure(keys))
        with suppress(OSError):
            self._written = self._place.read_bytes()

    def put_back(self, entry: SecretsEntry) -> str:
        """Put the copy in its place; say how that went."""
        shown = self._stack.file_shown
        try:
            now = self._place.read_bytes()
            if self._written not in (None, now):
                return (
                    f"{shown} was changed by somebody else meanwhile and is left so: take the "
                    f"entry of {format_instant(entry.starts)} out of its `secrets`, for no secret "
                    "was made for it"
                )
            if now != self._copy.read_bytes():
                whole_file.put_back(self._copy, self._place)
        except OSError as error:  # the failure itself is what is to be told last
            return (
                f"{shown} cannot be put back ({error.strerror}): bring it back from the "
                "repository's history, for no secret was made for the new entry"
            )
        return f"{shown} is as it was: no secret was made for the new entry"


@contextmanager
def spared(stack: Stack) -> Iterator[SparedFile]:
    """Keep a copy of the stack file as long as it may have to be put back.

    The CLI empties the file before it writes it, and a disk that is full by then would lose it.
    Raises `ConfigurationError` where there is no room for a copy.
    """
    place = stack.file.resolve()
    try:
        copy = whole_file.spare(place)
    except OSError as error:
        raise ConfigurationError(
            f"No copy of {stack.file_shown} can be written beside it ({error.strerror}), and "
            "without one an entry that comes to nothing could not be taken back.",
            f"Make room in {place.parent}, or let yourself write there, then try again.",
        ) from error
    try:
        yield SparedFile(stack, copy)
    finally:
        with suppress(OSError):
            copy.unlink()


async def came_to_nothing(at: RotatingStack, entry: SecretsEntry) -> bool:
    """Say whether surely no secret was made by an entry; what cannot be told may have been.

    Secrets of other windows are what else was due, or another machine's. Where no engine began, the
    tenant is not asked. Who is cancelled meanwhile, as by a second Ctrl-C, is told what is known.
    """
    if not at.stack.updates:
        return True
    if any(map(_may_have_made_one, at.stack.updates)):
        return False
    window = window_id(entry.starts)
    try:
        async with asyncio.timeout(_TELLING.total_seconds()):
            state = await at.stack.engine.awaited(at.stack.state)
            # Of one whose making was cut short nobody knows how far the tenant came, and readers
            # may trail for longer than a person waits.
            if window in state.key_ids or SECRET_PREFIX + window in state.pending:
                return False
            seen = [await at.application() for _ in range(AGREEING)]  # one reader may trail
    except (NoStackError, CheckFailed):  # removed by a teardown elsewhere, secrets and all
        return True
    except (Error, TimeoutError, asyncio.CancelledError):
        return False
    # Its window's end is no other's, and tells one that was made and reached no state.
    ends = {each.expires for application in seen for each in application.passwords}
    return entry.starts + entry.lifetime not in ends


def _may_have_made_one(update: Observed) -> bool:
    """Say whether an update may have made a secret without an answer that it was made.

    As where the connection broke; a refusal is an answer.
    """
    return SECRET_KIND in update.touched and any(each.kind.passes for each in update.failures)
