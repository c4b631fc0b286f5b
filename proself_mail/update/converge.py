"""The `pulumi up` that always ends, with one application that is proven usable.

Entra shows a write to some readers later than to others, refuses a new secret for a while,
throttles, and loses replies; a run may be killed at any instant. So a failure that passes is
waited out, what a failed create left behind is adopted, what was doubled is removed, and nothing
is called done before the tenant has said so several times and the newest secret has signed in.
Never a refresh: it forgets what a trailing reader does not show.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from proself_mail import facts
from proself_mail.check import Outcome
from proself_mail.config import time_limit
from proself_mail.config.mending import EARLIER_REMOVED
from proself_mail.config.settings import Settings
from proself_mail.entra import faq, notes
from proself_mail.entra.directory import ApplicationRecord
from proself_mail.entra.faq import ReadBack
from proself_mail.entra.ledger import Ledger
from proself_mail.entra.patience import Patience, Say
from proself_mail.errors import CheckFailed, Error, sentence
from proself_mail.proself import proself_file
from proself_mail.proself.proself import ProselfConfig
from proself_mail.schedule import format_instant
from proself_mail.stack import engine_environment, lock
from proself_mail.stack.failure import Failure, Kind
from proself_mail.stack.observed import Observed
from proself_mail.stack.outputs import Outputs, outputs_of
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.state import APPLICATION, State
from proself_mail.update import preflight, proof
from proself_mail.update.held_stack import HeldStack
from proself_mail.update.journal import Journal
from proself_mail.update.lasting_failures import LastingFailures
from proself_mail.update.orphans import Orphans
from proself_mail.update.stack_session import StackSession

_LAST_WRITE = timedelta(seconds=30)
"""How long the notes are given back for after a failure, which has been told by then."""


@dataclass(frozen=True)
class Done:
    """How an update ended."""

    settings: Settings
    outputs: Outputs
    state: State
    """What the engine knows now."""
    application: ApplicationRecord
    """As the tenant's readers show it at last."""
    is_consented: bool | None
    """Whether they show everybody's consent; none where it cannot be seen."""
    changes: Mapping[str, int]
    """How many of the tenant's resources by operation, over all runs of the engine, as told."""
    runs: int
    """How often the engine ran."""
    config_file: Path | None
    reports: Sequence[str]
    """What was found and left alone, or taken away; a sentence each."""
    drift: str
    """What somebody changed and is left, and what mends it; empty where there is nothing."""


class Update:
    """One update of one stack, after the look before it."""

    def __init__(
        self,
        at: StackSession,
        record: Journal,
        patience: Patience,
        say: Say,
        *,
        leaves_drift: bool,
    ) -> None:
        """`leaves_drift`: it may be done though somebody changed more than the client secret."""
        self._at = at
        self._leaves_drift = leaves_drift
        self._stack = at.stack
        self._state = at.state
        """What the engine knew last."""
        self._say = say
        self._patience = patience
        self._patience.trailing = record.wrote_lately(at.opened.tenant_now())
        self._record = record
        name, settings = at.stack.name, at.settings
        self._orphans = Orphans(at.opened.directory, name, settings, record, patience, say)
        self._held = HeldStack(at.stack, patience, say)
        self._lasting = LastingFailures(name, settings)
        self._changes: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._touched: set[str] = set()
        """Types of the tenant's resources that the engine changed."""
        self._runs = 0

    async def run(self, stamped: Sequence[ApplicationRecord]) -> Done:
        """Converge from a listing of what bears the stamp.

        Ends by success, by the error of whatever will not mend, or by being cancelled, which ends
        the engine in order.
        """
        try:
            done = await self._converge(self._at.state, stamped)
        except Error as error:
            # Where that fails too, the journal keeps them for the next update on this machine.
            with contextlib.suppress(Error, TimeoutError):
                async with asyncio.timeout(_LAST_WRITE.total_seconds()):
                    await self._bring_notes_back(error)
            raise
        noted = await self._bring_notes_back()
        application = self._orphans.without_removed(noted or done.application)
        return replace(done, application=application)

    async def _converge(self, state: State, stamped: Sequence[ApplicationRecord]) -> Done:
        unclear = APPLICATION in state.pending
        surely: frozenset[str] = frozenset()
        may_be_old = self._record.carries_on  # an engine that was left ended during the look
        while True:
            # Nothing is judged, and nothing removed, while another engine is at work.
            if await self._held.free() or may_be_old:
                state = await self._stack.engine.awaited(self._stack.state)
                may_be_old = False
            if unclear and state.application_id is None:
                stamped = await self._orphans.watch(surely_made=APPLICATION in surely)
            adoption = await self._orphans.adoption(state, stamped, surely)
            if adoption:
                await self._orphans.settle(state, adoption)
            observed, state = await self._engine(state, adoption)
            if not observed.failures:
                return await self._prove(state, idle=observed.is_idle)
            unclear = APPLICATION in observed.failed_creates or APPLICATION in adoption
            surely = frozenset(each.resource for each in observed.failures if each.is_of_one_there)
            surely |= adoption.keys() & {APPLICATION}
            stamped = await self._after(observed.failures, state)

    async def _bring_notes_back(self, failed: Error | None = None) -> ApplicationRecord | None:
        """Write back what the engine made the application's notes lose; return it where it did.

        Secrets whose window has closed the engine has forgotten by now; the notes are to know them.
        """
        if not self._runs or self._state.application_id is None:
            return None
        earlier, before, now = self._record.notes, self._at.state.key_ids, self._state.key_ids
        noted, damaged = Ledger.known(earlier, {})
        forgotten = {window: key for window, key in before.items() if window not in now}
        is_news = not damaged and not set(forgotten.values()) <= noted.made.keys()
        is_blanked = bool(earlier) and (self._record.carries_on or bool(self._changes["update"]))
        if not (is_blanked or is_news):
            return None
        if failed:  # what will not mend is told at once, however long the tenant takes for this
            cause = failed.cause.rstrip(".")
            self._say(f"failed: {cause}. Giving the application's notes back first …")
        return await notes.bring_back(
            self._at.opened.directory,
            self._patience,
            self._state.application_id,
            earlier,
            forgotten,
            now,
        )

    async def _engine(self, state: State, adoption: Mapping[str, str]) -> tuple[Observed, State]:
        """Run the engine once from a state, and read what it knows afterwards."""
        half_done = (*state.pending, *state.unfinished)
        if half_done:
            self._say(f"taking up what a run before this one left half done: {half_done[0]}")
        if half_done:
            await self._held.mend()
        environment = lock.driver()
        if adoption:
            self._say(f"adopting what is there already: {', '.join(adoption)}")
            environment[engine_environment.ADOPT] = json.dumps(dict(adoption))
        before = self._record
        self._record = before.writing(self._at.opened.tenant_now(), state.written)
        self._state = state  # what notes are given back by where it cannot be read afterwards
        observed = await self._stack.updating(self._say, environment)
        self._runs += 1
        self._changes.update(observed.changes)
        self._told.update(observed.told)
        self._touched |= observed.touched
        if not observed.touched:
            self._record = before
            before.save()
        try:
            self._state = await self._stack.engine.awaited(self._stack.state)
        except Error:
            # What stopped the engine may be why, such as a disk without room.
            for each in observed.failures:
                if each.kind is Kind.PERMANENT:
                    raise each.error() from None
            raise
        now = self._at.opened.tenant_now()
        self._record = self._record.leaving(now, self._state.written)
        return observed, self._state

    async def _after(
        self, failures: Sequence[Failure], state: State
    ) -> Sequence[ApplicationRecord]:
        """Wait where all failures pass with time, and list what bears the stamp then.

        Raises the first that does not pass.
        """
        for each in failures:
            if each.kind is Kind.LOCKED:
                await self._held.unlock(each.said)
                return await self._orphans.listed()
            self._lasting.check(each, state)
        self._lasting.check_run(failures)
        await self._patience.after(failures[0])
        stamped = await self._orphans.settle(state)
        if any(each.kind is Kind.LAG for each in failures):
            await self._check_application(state, stamped)
        return stamped

    async def _check_application(self, state: State, stamped: Sequence[ApplicationRecord]) -> None:
        """Raise `CheckFailed` where the application was there at first and no lag hides it now."""
        opened, stack_id = self._at.opened, self._at.settings.stack_id
        seen = await self._patience.told(
            lambda: preflight.application(
                opened.directory, state, stamped, stack_id, opened.tenant_now(), self._stack.name
            )
        )
        if seen.outcome is Outcome.FAIL:
            raise CheckFailed(f"{seen.name}: {seen.detail}.", sentence(seen.next_step))

    async def _prove(self, state: State, *, idle: bool) -> Done:
        """Prove it, and only then write the config file."""
        outputs = outputs_of(state, self._stack.name)
        self._say("reading everything back, signing in with the newest secret …")
        try:
            async with asyncio.TaskGroup() as proofs:
                proofs.create_task(self._sign_in(state, outputs))
                clean = proofs.create_task(
                    self._orphans.clean(
                        state, self._at.opened.tenant_now, wrote=lambda: bool(self._touched)
                    )
                )
                seen = proofs.create_task(self._read_back(state, outputs, idle=idle))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        # Reading back may have let the engine run again, and a window may have opened by then.
        newest = outputs_of(self._state, self._stack.name)
        if newest.newest.key_id != outputs.newest.key_id:
            await self._sign_in(self._state, newest)
        outputs = newest
        path = self._at.settings.config_file_path(self._stack.name, CHECKOUT)
        if path is not None:
            config = ProselfConfig.of(self._at.settings, outputs.client_id, outputs.newest)
            proself_file.write(path, config, proself_file.another_place(self._stack.name))
        if self._record.carries_on:
            await self._orphans.empty_bin(self._state)
        return Done(
            self._at.settings,
            outputs,
            self._state,
            seen.result().application,
            seen.result().is_consented,
            self._told,
            self._runs,
            path,
            (
                *clean.result(),
                *self._further(seen.result()),
                *self._removed(seen.result(), outputs),
                *self._ends(),
            ),
            self._drift(seen.result()),
        )

    def _further(self, seen: ReadBack) -> Sequence[str]:
        """Tell of a consent that somebody widened; one just narrowed may show still as it was."""
        if not seen.further_consent or self._record.wrote_lately(self._at.opened.tenant_now()):
            return ()
        step = (
            f"`pulumi up --refresh --stack {self._stack.name}` takes it away"
            if self._at.settings.manages_grant
            else facts.CONSENT_TAKEN_AWAY
        )
        covered = ", ".join(sorted(seen.further_consent))
        return (f"the consent covers {covered} too, which `permissions` does not name; {step}",)

    def _removed(self, seen: ReadBack, outputs: Outputs) -> Sequence[str]:
        """Tell of earlier secrets that somebody removed; one just made may not show yet."""
        now = self._at.opened.tenant_now()
        if self._record.wrote_lately(now):
            return ()
        there = {each.key_id for each in seen.application.passwords}
        return [
            f"the client secret {each.key_id}, until {format_instant(each.expires)}, was removed "
            f"by somebody in Entra: {EARLIER_REMOVED}"
            for each in outputs.client_secrets[:-1]
            if each.key_id not in there and each.expires > now
        ]

    def _ends(self) -> Sequence[str]:
        """Tell of a test stack whose time is over, or nearly."""
        name, at = self._stack.name, self._at
        found = time_limit.judge(name, at.settings, self._state.stamp, at.opened.tenant_now())
        return (f"{found.name}: {found.detail}; {found.next_step}",) if found.next_step else ()

    def _drift(self, seen: ReadBack) -> str:
        if not seen.drift:
            return ""
        return (
            f"the tenant differs from the stack: {faq.shown(seen.drift)}; "
            f"`pulumi up --refresh --stack {self._stack.name}` shows the difference and mends it"
        )

    async def _sign_in(self, state: State, outputs: Outputs) -> None:
        now = self._at.opened.tenant_now()
        # Without a journal too, after a plain `pulumi up` or another machine's.
        is_new = any(now - made < proof.DRIFT for made in state.secrets_made)
        await proof.sign_in(
            self._at,
            outputs,
            self._patience,
            wrote_lately=is_new or self._record.wrote_lately(now),
        )

    async def _read_back(self, state: State, outputs: Outputs, *, idle: bool) -> ReadBack:
        """See that the state has all of it, and that the tenant says the same."""
        while (self._patience.trailing or state.is_behind) and not idle:
            # Trailing readers may have told the plugin what was, and the state now says so.
            await self._orphans.settle(state)
            observed, state = await self._engine(state, {})
            if observed.failures:
                await self._after(observed.failures, state)
            idle = observed.is_idle and not observed.failures
        return await proof.read_back(
            self._at,
            outputs,
            self._patience,
            wrote=self._touched,
            leaves_drift=self._leaves_drift,
        )
