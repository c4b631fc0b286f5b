"""`proself-mail up`: the look before, the converging update, and its end, in order or by Ctrl-C."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from proself_mail.check import Check, Outcome
from proself_mail.config.settings import PROJECT
from proself_mail.entra import rights, session
from proself_mail.entra.directory import ApplicationRecord, Directory, Forbidden, stamped
from proself_mail.entra.patience import Patience, Say
from proself_mail.entra.session import Session
from proself_mail.errors import (
    CheckFailed,
    Error,
    Interrupted,
    OutOfTime,
    Refused,
    RemoteError,
    sentence,
)
from proself_mail.proself import proself_file
from proself_mail.quantity import format_minutes
from proself_mail.stack import lock, stack_folder
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.stack import Stack
from proself_mail.update import journal, preflight
from proself_mail.update.converge import Done, Update
from proself_mail.update.journal import Journal
from proself_mail.update.stack_session import StackSession

DEADLINE = timedelta(minutes=10)
_TELLING = timedelta(seconds=10)
"""How long what is left is asked for, at the end of a run that was cut short."""
AHEAD = ("proself_mail.stack.engine_events", "proself_mail.text.report")
"""What is needed next, by us and by who shows it."""


@dataclass(frozen=True)
class Looked:
    """What was there before."""

    checks: Sequence[Check]
    stamped: Sequence[ApplicationRecord]
    """The live applications with the stack's stamp."""


async def run(
    name: str,
    project: Path,
    say: Say,
    *,
    deadline: timedelta = DEADLINE,
    show: Callable[[Session, Sequence[Check]], None] = lambda *_: None,
) -> Done:
    """Set a stack up, or bring it up to date, and prove it.

    `show` is given the outcome of the look before anything is written. Raises the error of what
    stands against it, of what will not mend, or `Interrupted`.
    """
    stack, patience = Stack(name, project), Patience(say)
    with stack_folder.alone(project, name):
        async with ending_in_order(patience, f"up --stack {name}", stack, deadline):
            settings, state = await session.read(stack, covered=True, ahead=AHEAD)
            async with session.awaited(
                settings.target, str(settings.tenant_id), patience
            ) as opened:
                at = StackSession(stack, settings, state, opened)
                looked = await look_until_answered(at, patience)
                show(opened, looked.checks)
                return await _update(at, looked, patience, say, leaves_drift=False)


async def signed_in(at: StackSession, looked: Looked, say: Say) -> Done:
    """Do the same for `rotate`: with an open session, after the look, `alone` with the stack."""
    patience = Patience(say)
    async with ending_in_order(patience, f"rotate --stack {at.stack.name}", at.stack, DEADLINE):
        return await _update(at, looked, patience, say, leaves_drift=True)


async def _update(
    at: StackSession, looked: Looked, patience: Patience, say: Say, *, leaves_drift: bool
) -> Done:
    stop_at(looked.checks)
    record = begin(at, looked)
    update = Update(at, record, patience, say, leaves_drift=leaves_drift)
    done = await update.run(looked.stamped)
    record.end()
    return done


def begin(at: StackSession, looked: Looked) -> Journal:
    """Open the journal without which the engine is not to run."""
    known = at.state.application_id  # where there is none, one that is found may be adopted
    its = (each.notes for each in looked.stamped if known in (None, each.object_id))
    notes = next(filter(None, its), "")
    now, written = at.opened.tenant_now(), at.state.written
    return journal.begin(_journal(at.stack), at.settings.stack_id, now, written, notes)


def _journal(stack: Stack) -> Path:
    return stack_folder.path(stack.project, stack.name) / stack_folder.UPDATE


async def look_until_answered(at: StackSession, patience: Patience) -> Looked:
    """Look, again and again while the tenant has no time for what must be known."""
    while True:
        looked = await patience.told(lambda: look(at))
        stopping = [check for check in looked.checks if check.stops]
        waits = [check.passes_in for check in stopping if check.passes_in is not None]
        if len(waits) < len(stopping) or not waits:  # what stands against it is told at once
            return looked
        patience.wait_for(f"Microsoft Graph ({stopping[0].name}: {stopping[0].detail})")
        await asyncio.sleep(max(waits).total_seconds())
        await patience.moment()


async def look(at: StackSession) -> Looked:
    """Look at everything that can be told before the first write.

    Raises what the tenant need not tell: what keeps the Proself config file from being written, and
    a configuration that cannot be used at this time.
    """
    stack, settings, state, opened = at.stack, at.settings, at.state, at.opened
    if path := settings.config_file_path(stack.name, CHECKOUT):
        proself_file.check_writable(path, settings, proself_file.another_place(stack.name))
    if not state.key_ids:  # else the file is one that does not declare them, which is told below
        settings.check_begun(stack.name, opened.tenant_now())
    settings.check_mail_proof(stack.name, opened.tenant_now())
    found, bearers, owners = await asyncio.gather(
        preflight.look(at),
        _stamped(opened.directory, settings.stack_id),
        rights.owners(opened.directory, opened.caller, state),
    )
    now = opened.tenant_now()
    holders = lock.standing(stack.backend_folder, PROJECT, stack.name)
    here = (
        preflight.clock(opened.skew),
        preflight.lock(stack.name, holders),
        preflight.foreign(state, stack.name),
        preflight.until(settings, state, stack.name, now),
    )
    if isinstance(bearers, Forbidden):
        return Looked((*found, *here, preflight.unseen(bearers)), ())
    its_own = await preflight.application(
        opened.directory, state, bearers, settings.stack_id, now, stack.name
    )
    # What an engine makes at this moment would be taken for something left behind.
    is_at_work = any(not each.is_dead for each in holders or ())
    path, stack_id = _journal(stack), settings.stack_id
    record = None if is_at_work else journal.opened(path, stack_id, now, state.written)
    of_stack = preflight.of_stack(at, bearers, owners, now, record)
    return Looked((*found, *here, its_own, *of_stack), bearers)


async def _stamped(directory: Directory, stack_id: UUID) -> Sequence[ApplicationRecord] | Forbidden:
    """Return what bears the stack's stamp, or that it may not be looked for."""
    try:
        return await stamped(directory, stack_id)
    except Forbidden as error:
        return error


def stop_at(checks: Sequence[Check]) -> None:
    """Raise what stands against going on, if anything does; what is known before what is not."""
    for check in sorted(checks, key=lambda each: each.outcome is not Outcome.FAIL):
        if check.stops:
            kind: type[Error] = CheckFailed if check.outcome is Outcome.FAIL else RemoteError
            raise (Refused if check.is_guard else kind)(
                sentence(f"{check.name}: {check.detail}"),
                sentence(
                    check.next_step or f"give the identity {check.permission}, then try again"
                ),
            )


@contextlib.asynccontextmanager
async def ending_in_order(
    patience: Patience, command: str, stack: Stack, deadline: timedelta
) -> AsyncIterator[None]:
    """Let Ctrl-C and the deadline end the engine in order, and say what is left."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    loop = asyncio.get_running_loop()
    interrupted = is_over = False

    def interrupt() -> None:
        nonlocal interrupted
        # A second Ctrl-C would make the engine drop what it has under way.
        if not (interrupted or is_over):
            interrupted = True
            task.cancel()

    # Not the loop's own way, which Windows' has not.
    before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(interrupt))
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            yield
            await asyncio.sleep(0)  # a Ctrl-C of this moment is taken here, and not by who goes on
    except asyncio.CancelledError:
        if not interrupted:
            raise
        task.uncancel()  # or Python before 3.11.3 takes no time limit of what follows for its own
        raise Interrupted(
            f"Interrupted. {await _what_is_left(stack)}",
            f"`proself-mail {command}` goes on from here.",
        ) from None
    except TimeoutError:
        is_over = True
        raise OutOfTime(
            f"Not done within {format_minutes(deadline)}.{patience.waited_for} "
            f"{await _what_is_left(stack)}",
            f"`proself-mail {command}` goes on from here"
            + ("; --deadline gives it more time." if command.startswith("up ") else "."),
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)


async def _what_is_left(stack: Stack) -> str:
    try:
        async with asyncio.timeout(_TELLING.total_seconds()):
            state = await stack.engine.awaited(stack.state)
    except (Error, TimeoutError):
        return "What has been made cannot be told now."
    made = ", ".join(sorted(state.resources)) or "nothing"
    cut = f"; cut short: {', '.join(state.pending)}" if state.pending else ""
    return f"In the stack's state so far: {made}{cut}."
