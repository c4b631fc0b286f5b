"""`proself-mail rotate`: new secrets when their time comes, expired ones away, mail never stopped.

A rotation is a converging `up` on a timer: whatever window is open without a secret gets one, which
is proven and written to the Proself config file. What has expired is removed before, what a leak
revoked only after that proof; each by its recorded key id, after a fresh look. What is to be done
is `rotation`'s to decide, what a person has to do `reminder`'s; the words are `rotation_report`'s.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from proself_mail.config.mending import config_rm
from proself_mail.config.settings import Settings
from proself_mail.entra import rights
from proself_mail.entra.directory import ApplicationRecord, PasswordRecord
from proself_mail.entra.patience import AGREEING, Patience, Say
from proself_mail.entra.session import Session
from proself_mail.errors import (
    CheckFailed,
    ConfigurationError,
    Error,
    Interrupted,
    OutOfTime,
    PartlyFailed,
    Refused,
)
from proself_mail.proself import proself_file
from proself_mail.removal import guards
from proself_mail.rotation import appended_entry, spent_secrets
from proself_mail.rotation.rotating_stack import RotatingStack, rotating
from proself_mail.rotation.rotation import Plan
from proself_mail.schedule import format_instant, most_open
from proself_mail.stack import lock
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.stack import Stack
from proself_mail.stack.taint import tainted, untaint
from proself_mail.update import up
from proself_mail.update.converge import Done

T = TypeVar("T")

MOST_AT_ONCE = 3
"""Valid secrets of ours at a time: two that overlap, and one after an early rotation."""
_LONGEST = up.DEADLINE + timedelta(minutes=5)


class Append(StrEnum):
    """An entry to append to the stack's `secrets` before rotating."""

    NOW = "now"
    """Rotate early; the secrets before it run out in their own time."""
    REVOKE = "revoke"
    """A secret leaked: those before it die."""


@dataclass(frozen=True)
class Rotation:
    """How a rotation ended."""

    settings: Settings
    before: Plan
    """What was to be done, an appended entry included."""
    after: Plan
    done: Done | None
    """How the update ended; none where none was needed."""
    removed: Sequence[PasswordRecord]
    appended_to: str | None = None
    """The stack file, where an entry was appended to it: it must be committed."""


async def run(
    name: str,
    project: Path,
    say: Say,
    *,
    append: Append | None = None,
    greet: Callable[[Session], None] = lambda _: None,
    show: Callable[[Plan], None] = lambda _: None,
    dry_run: bool = False,
) -> Rotation:
    """Rotate a stack's secrets as far as their time has come.

    `greet` is given the session as soon as it is open, `show` the plan before anything is written,
    and may ask a person, or raise to stop it. Raises `Refused` where the stack file is older than
    the state, and the error of whatever else stands against it.
    """
    stack = Stack(name, project)
    next_step = _anew(name, append) if append else _goes_on(name)
    async with _no_longer(next_step, say) as wait, rotating(stack, wait.patience) as at:
        greet(at.opened)
        _check_state(at)
        # An update's look goes on beside what else is read of the tenant.
        foreseen = at.is_update_due and append is None and not dry_run
        async with _beside(at.look()) if foreseen else nullcontext() as looking:
            before = await at.plan()
            if append is not Append.REVOKE:  # a leak waits for nothing
                # Not by the look alone, which leaves it out where the state knows of secrets.
                at.settings.check_begun(name, before.now)
            if append is not None:
                _check_room(before, append, at.settings, name)
            show(before)
            wait.limit.reschedule(asyncio.get_running_loop().time() + _LONGEST.total_seconds())
            if append is None:
                _check_newest(before, name)
            if not (dry_run or before.is_due or append):
                if path := at.settings.config_file_path(name, CHECKOUT):
                    proself_file.check_writable(path, at.settings, proself_file.another_place(name))
                await _check_rights(at)
            if dry_run or not (before.is_due or append):
                return Rotation(at.settings, before, before, None, ())
            if append is None:
                return await _apply(at, before, say, looking)
            return await _append(at, append, say, wait)


async def acknowledge(
    name: str,
    project: Path,
    key_id: str | None,
    say: Say,
    *,
    greet: Callable[[Session], None] = lambda _: None,
) -> Plan:
    """Record that Proself has a secret now: the newest, or the one of `key_id`.

    It takes a person's word for that. Raises `ConfigurationError` where it is none of those that
    sign in, or the newest was removed in Entra.
    """
    stack = Stack(name, project)
    again = "Run the same command again; nothing was recorded, or all of it."
    async with _no_longer(again, say) as wait, rotating(stack, wait.patience) as at:
        greet(at.opened)
        found = await at.plan()
        live = found.live
        anew = f"`proself-mail rotate {'' if found.add else '--now '}--stack {name}`"
        if not live:
            raise ConfigurationError(
                f"The stack {name} has no client secret in its state that signs in now.",
                f"{anew} makes one; then paste that.",
            )
        if found.are_outputs_behind and key_id is None:
            raise ConfigurationError(
                f"The outputs of the stack {name}, which a person pastes from, have other client "
                "secrets than its state: Proself may have an older one.",
                f"`proself-mail rotate --stack {name}` brings them in order; then paste what "
                f"`proself-mail sheet --stack {name}` shows, and acknowledge that.",
            )
        if found.is_newest_removed and key_id is None:
            raise ConfigurationError(
                f"Somebody removed the newest client secret of {name} in Entra: if Proself has "
                "that, mail has stopped.",
                f"{anew} makes a new one; then paste that and acknowledge it. That Proself has the "
                f"one before, `proself-mail rotate --acknowledge {live[-1]} --stack {name}` says.",
            )
        chosen = key_id.lower() if key_id else live[-1]
        if chosen not in live:
            raise ConfigurationError(
                f"{chosen} is not the key id of a client secret of this stack that signs in now; "
                f"those are: {', '.join(live)}.",
                f"`proself-mail rotate --acknowledge --stack {name}` takes the newest.",
            )
        return at.planned(await at.note(found, pasted=chosen))


@asynccontextmanager
async def _beside(work: Coroutine[None, None, T]) -> AsyncIterator["asyncio.Future[T]"]:
    """Begin work that goes on beside other work, and is given up where that fails."""
    begun = asyncio.ensure_future(work)
    try:
        yield begun
    finally:
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)  # what failed first is told


@dataclass
class _Wait:
    """How long the tenant is waited for."""

    patience: Patience
    limit: asyncio.Timeout
    """It is to be put off where a person was waited for."""
    next_step: str
    """What a person does where it is over."""


@asynccontextmanager
async def _no_longer(next_step: str, say: Say) -> AsyncIterator[_Wait]:
    """Give the patience to wait for the tenant with, and end what waits for ever."""
    wait = _Wait(Patience(say), asyncio.timeout(_LONGEST.total_seconds()), next_step)
    try:
        async with wait.limit:
            yield wait
    except TimeoutError:
        raise OutOfTime(
            f"The tenant did not answer as it should for {_LONGEST.total_seconds() / 60:.0f} "
            f"minutes.{wait.patience.waited_for}",
            wait.next_step,
        ) from None


def _goes_on(name: str) -> str:
    return f"`proself-mail rotate --stack {name}` goes on from here."


def _anew(name: str, append: Append) -> str:
    return f"`proself-mail rotate --{append} --stack {name}` begins anew."


def _check_state(at: RotatingStack) -> None:
    """Refuse a stack of which the next update would replace or delete something, if not today."""
    guards.check_nothing_foreign(at.stack.name, at.state)
    if marked := at.state.tainted:
        raise Refused(
            f"{tainted(marked)}.",
            f"`{untaint(at.stack.name, marked)}` keeps what is there; then try again.",
        )


def _check_newest(plan: Plan, name: str) -> None:
    """Stop where the newest secret was removed by somebody: no run makes it again."""
    if plan.is_newest_removed and not plan.add:
        raise CheckFailed(
            f"The newest client secret (window {plan.windows[-1].id}) is in the state and not on "
            "the application any more: somebody removed it in Entra.",
            f"`proself-mail rotate --now --stack {name}` makes a new one.",
        )


async def _check_rights(at: RotatingStack) -> None:
    """Stop where this identity could not rotate once something is due, while there is time.

    By reads alone, and by none where its token says that it may change every application.
    """
    for left in reversed(range(AGREEING)):
        owners = await rights.owners(at.opened.directory, at.opened.caller, at.state)
        checks = rights.may_rotate(at.opened.caller, at.settings, at.stack.name, owners)
        if not left or not any(check.stops for check in checks):
            break
        await at.patience.moment(0.3)  # a reader that trails does not show a new owner yet
    up.stop_at(checks)


def _check_room(plan: Plan, append: Append, settings: Settings, name: str) -> None:
    """Refuse an early rotation that another one is planned after, or too many came before."""
    if append is Append.REVOKE:  # a leak waits for nothing
        return
    last = settings.entries[-1]
    if last.starts > plan.now:
        line = config_rm(name, f"secrets[{len(settings.entries) - 1}]")
        raise Refused(
            f"The last entry of `secrets` begins at {format_instant(last.starts)}, which is still "
            "to come.",
            f"Wait for it; or take it away, for which no run has made a secret yet (`{line}`), and "
            "append it again afterwards.",
        )
    appended = replace(last, starts=plan.now, revokes_earlier=False)
    # Which sign nobody in, whatever their end.
    gone = {window.id for window in plan.secrets.vanished}
    most = most_open([*settings.entries, appended], gone)
    if most > MOST_AT_ONCE:
        oldest = next(window for window in plan.windows if window.id not in gone)
        raise Refused(
            f"After another early rotation, up to {most} client secrets would be valid at once, "
            f"and the most is {MOST_AT_ONCE}: what an earlier one replaced has not ended yet.",
            f"Wait until the oldest ends at {format_instant(oldest.expires)}; after a leak, "
            "--revoke ends them all.",
        )


async def _append(at: RotatingStack, append: Append, say: Say, wait: _Wait) -> Rotation:
    """Append an entry to the stack file and rotate; take it back where nothing came of it."""
    at = await at.unchanged()
    entries, name = at.settings.entries, at.stack.name
    entry = await appended_entry.beginning_now(entries, revokes=append is Append.REVOKE)
    with appended_entry.spared(at.stack) as file:
        try:
            await file.append(entry, entries)
            changed = replace(at, settings=await at.stack.engine.awaited(at.stack.settings))
            rotated = await _apply(changed, await changed.plan(), say)
        except (Error, asyncio.CancelledError) as error:  # the latter by Ctrl-C, or out of patience
            if not await appended_entry.came_to_nothing(at, entry):
                wait.next_step = _goes_on(name)
                say(
                    f"{at.stack.file_shown} keeps its new entry, for which a secret was made or "
                    f"may have been: commit it; `proself-mail rotate --stack {name}` goes on from "
                    "it"
                )
                if append is Append.REVOKE:
                    say(
                        "the secrets before it are not removed yet, or not all of them: "
                        f"`proself-mail rotate --stack {name}` removes them"
                    )
                raise
            anew = _anew(name, append)
            if isinstance(error, Interrupted | OutOfTime):  # what it would go on from is gone
                say(file.put_back(entry))
                raise type(error)(error.cause, anew) from None
            say(f"{file.put_back(entry)}; {anew.rstrip('.')}")
            raise
    return replace(rotated, appended_to=at.stack.file_shown)


async def _apply(
    at: RotatingStack,
    plan: Plan,
    say: Say,
    looking: Awaitable[up.Looked] | None = None,
) -> Rotation:
    """Carry a plan out. `looking` is the look before the update, where it has begun."""
    expired, revoked = plan.secrets.expired, plan.secrets.revoked
    looked = await _prepare(at, plan, looking or at.look()) if plan.needs_engine else None
    await spent_secrets.remove(at, expired, say)
    # While the engine is busy:
    async with _beside(spent_secrets.settled(at, expired)) as settled:
        updated, done = await _update(at, plan, looked, say) if looked else (at, None)
        application = await settled
    if revoked:
        await spent_secrets.remove(updated, revoked, say)
        application = await spent_secrets.settled(updated, revoked)
    elif done is not None:
        application = done.application
    if revoked or done is not None:
        application = await _note_what_is_there(updated, plan, application)
    after = updated.planned(application)
    if after.secrets.suspects:
        raise PartlyFailed(
            "A client secret of a revoked window may be alive, and no record says whose it is: "
            f"{'; '.join(each.shown for each in after.secrets.suspects)}.",
            "If it is not somebody else's, remove it in Entra: App registrations → Certificates & "
            "secrets.",
        )
    return Rotation(at.settings, plan, after, done, (*expired, *revoked))


async def _prepare(at: RotatingStack, plan: Plan, looking: Awaitable[up.Looked]) -> up.Looked:
    """Look before an update, and note what the engine is about to forget.

    Raises what stands against the update: nothing is removed then.
    """
    looked = await looking
    up.stop_at(looked.checks)
    if not plan.forget or plan.noted.is_complete:
        return looked
    # Whatever is not removed once they are forgotten would be nobody's.
    noted = await at.note(plan)
    # The update is to bring back what they say now.
    others = [each for each in looked.stamped if each.object_id != noted.object_id]
    return replace(looked, stamped=[*others, noted])


async def _update(
    at: RotatingStack, plan: Plan, looked: up.Looked, say: Say
) -> tuple[RotatingStack, Done | None]:
    """Bring a stack up to date; return it as it is then.

    And how the update ended that proves it; none where forgetting was all there was to do.
    """
    if plan.only_forgets:
        record = up.begin(at, looked)
        record = record.writing(at.opened.tenant_now(), at.state.written)
        was_all = await _forget(at, say) and not record.carries_on
        if was_all:
            record.end()
        forgotten = await at.stack.engine.awaited(at.stack.covered_state)
        at = replace(at, state=forgotten or at.state)
        if was_all:
            return at, None
    done = await up.signed_in(at, looked, say)
    return replace(at, state=done.state), done


async def _note_what_is_there(
    at: RotatingStack, plan: Plan, application: ApplicationRecord
) -> ApplicationRecord:
    """Write down which of our secrets are there after an update; return the application so."""
    there = {*(each.key_id for each in application.passwords), *at.state.key_ids.values()}
    made = {key: window for window, key in at.state.key_ids.items()}
    return await at.note(plan, application, made=made, there=frozenset(there))


async def _forget(at: RotatingStack, say: Say) -> bool:
    """Let the engine take closed windows out of the state; say whether that was all there was.

    Nothing new is made, so nothing has to be proven, which is most of what an update costs.
    """
    command = f"rotate --stack {at.stack.name}"
    async with up.ending_in_order(at.patience, command, at.stack, up.DEADLINE):
        observed = await at.stack.updating(say, lock.driver())
    return not observed.failures and set(observed.changes) <= {"same", "delete", "discard"}
