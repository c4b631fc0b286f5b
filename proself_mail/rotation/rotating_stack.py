"""A stack whose secrets are rotated: as it is now, and the way to its tenant."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

from proself_mail import clock
from proself_mail.config.stamp import stack_tag
from proself_mail.entra import notes, session
from proself_mail.entra.directory import ApplicationRecord, DirectoryError, NotFound, stamped
from proself_mail.entra.ledger import Ledger
from proself_mail.entra.patience import AGREEING, Patience
from proself_mail.errors import CheckFailed, ConfigurationError, Refused
from proself_mail.rotation import rotation
from proself_mail.rotation.rotation import Plan
from proself_mail.stack import stack_folder
from proself_mail.stack.outputs import check_agreement
from proself_mail.stack.stack import Stack
from proself_mail.update import leftovers, up
from proself_mail.update.stack_session import StackSession


@dataclass(frozen=True)
class RotatingStack(StackSession):
    """The session is the one in which the stack's application is read and written."""

    is_update_due: bool
    patience: Patience

    async def application(self) -> ApplicationRecord:
        """Read the stack's application.

        Raises `ConfigurationError`, `CheckFailed` or `Refused`: none was made, or the state has
        lost it; it is gone; or it is not this stack's.
        """
        name, object_id = self.stack.name, self.state.application_id
        directory = self.opened.directory
        if object_id is None:
            check_agreement(self.state, name)
            raise ConfigurationError(
                f"The stack {name} has no application yet: nothing has been set up.",
                f"`proself-mail up --stack {name}`, then try again.",
            )
        for attempt in range(AGREEING):
            try:
                found = await self.patience.told(lambda: directory.application(object_id))
                break
            except NotFound:
                if attempt == AGREEING - 1:
                    raise await self._gone(object_id) from None
                await self.patience.moment(0.3)
        if stack_tag(self.settings.stack_id) not in found.tags:
            raise Refused(
                f"The application {object_id} does not have this stack's tag: it is another's.",
                f"Check `stackId` in the stack file of {name} against the application's tags.",
            )
        return found

    async def _gone(self, object_id: str) -> CheckFailed:
        name, stack_id, bearers = self.stack.name, self.settings.stack_id, []
        with contextlib.suppress(DirectoryError):  # what is not to be seen is no reason to stop
            bearers = await self.patience.told(lambda: stamped(self.opened.directory, stack_id))
        others = leftovers.unknown(self.state, bearers, stack_id)
        return CheckFailed(
            f"The application {object_id} of the stack {name} is not in the tenant.",
            leftovers.instead_of_making(others, object_id, name)
            if others
            else "If it was deleted within 30 days, restore it (Entra → App registrations → "
            "Deleted applications). Where it is not there either, as after a sweep, "
            f"`pulumi up --refresh --stack {name}` makes another, with a new client ID "
            f"for Proself; or `proself-mail teardown --stack {name}` removes what is "
            "left of a test stack.",
        )

    async def plan(self) -> Plan:
        """Look at the application and decide. Raises as `application` does."""
        found = self.planned(await self.application())
        for _ in range(AGREEING - 1):  # a reader that trails does not show the newest yet
            if not found.secrets.vanished:
                break
            found = self.planned(await self.application())
        return found

    def planned(self, application: ApplicationRecord) -> Plan:
        """Decide by what was read of the application."""
        now = clock.now()
        surely = min(now, self.opened.tenant_now())
        return rotation.plan(
            self.stack.name, self.settings.entries, self.state, application, now, surely
        )

    async def look(self) -> up.Looked:
        """Look at the tenant as before every update."""
        return await up.look_until_answered(self, self.patience)

    async def unchanged(self) -> Self:
        """Read the stack again before its file is written, as after a person was asked.

        Raises `Refused` where the file or the secrets are not what they were, by a `git pull`, an
        editor or another machine.
        """
        settings, state = await self.stack.read()
        again = "Run the same command again: it looks anew, and says what it is about to do."
        if settings != self.settings:
            raise Refused(
                f"{self.stack.file_shown} was changed while this command ran. Nothing was written.",
                again,
            )
        rotation.check_file(self.stack.name, settings.entries, state, clock.now())
        if state.key_ids != self.state.key_ids:
            raise Refused(
                f"Another run made or removed client secrets of the stack {self.stack.name} while "
                "this command ran. Nothing was written.",
                again,
            )
        return replace(self, state=state)

    async def note(
        self,
        plan: Plan,
        application: ApplicationRecord | None = None,
        *,
        made: Mapping[str, str] = MappingProxyType({}),
        pasted: str | None = None,
        there: frozenset[str] | None = None,
    ) -> ApplicationRecord:
        """Write what is known to be ours into the application's notes; return it with them.

        That is what the plan knew, and what another machine has noted since, which counts for what
        Proself has; with `made`, windows' ids by key ids, and `pasted` if given; and where `there`
        is given, without secrets that are not among those key ids.
        """
        found = application or await self.application()
        standing, _ = Ledger.known(found.notes, {})
        ledger = standing.over(plan.noted.ledger)  # an update of the application blanks its notes
        ledger = replace(ledger.adding(made), pasted=pasted or ledger.pasted)
        if there is not None:
            ledger = ledger.keeping(there)
        return await notes.write(
            self.opened.directory, self.patience, found, ledger, plan.noted.text
        )


@contextlib.asynccontextmanager
async def rotating(stack: Stack, patience: Patience) -> AsyncIterator[RotatingStack]:
    """Give a stack, read while nothing else on this machine changes it, and a session.

    Raises what the stack file, the state or the sign-in has against it.
    """
    with stack_folder.alone(stack.project, stack.name):
        # With the secrets, so that a wrong passphrase is told every week and not when one is due.
        settings, state = await session.read(stack)
        is_due = rotation.is_update_due(settings.entries, state, clock.now())
        ahead = asyncio.to_thread(session.import_ahead, *(up.AHEAD if is_due else ()))
        importing = asyncio.ensure_future(ahead)  # while the tenant is waited for
        try:
            async with session.awaited(
                settings.target, str(settings.tenant_id), patience
            ) as opened:
                yield RotatingStack(stack, settings, state, opened, is_due, patience)
        finally:
            await asyncio.wait({importing})
