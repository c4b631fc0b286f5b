"""What updates left in the tenant and not in the state: found, adopted or removed, through Graph.

What is to be done is decided by `leftovers`, purely; here it is looked for and carried out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from proself_mail import facts
from proself_mail.config.settings import Settings
from proself_mail.config.stamp import stack_tag
from proself_mail.entra.directory import (
    ApplicationRecord,
    Directory,
    DirectoryError,
    GrantRecord,
    NotFound,
    stamped,
)
from proself_mail.entra.patience import AGREEING, SETTLING, Patience, Say
from proself_mail.errors import Refused
from proself_mail.stack.state import APPLICATION, CONSENT, IDENTIFIER_URI, SERVICE_PRINCIPAL, State
from proself_mail.update import leftovers
from proself_mail.update.journal import Journal
from proself_mail.update.leftovers import Plan

T = TypeVar("T")
SURELY_MADE = timedelta(seconds=60)
"""How long a listing is waited for that must show an application: its create succeeded."""


class Orphans:
    """The orphans of one stack, during one update."""

    def __init__(
        self,
        directory: Directory,
        stack: str,
        settings: Settings,
        record: Journal,
        patience: Patience,
        say: Say,
    ) -> None:
        self._directory = directory
        self._stack = stack
        self._settings = settings
        self._record = record
        self._patience = patience
        self._say = say
        self._tag = stack_tag(settings.stack_id)
        self._removed: set[str] = set()
        """Ids of what was removed and told so; readers that trail may go on showing it."""
        self._replaced: set[str] = set()
        """Object ids of applications that the engine has to delete, and forgets when it has."""
        self._recorded: set[str] = set()
        """Key ids of the client secrets that a state had or told of, which may have lost them."""
        self._narrowed: tuple[str, ...] = ()
        """What an adopted consent covered and the stack does not declare, as a sentence."""

    async def listed(self) -> list[ApplicationRecord]:
        """List the live applications with this stack's stamp."""

        async def ask() -> list[ApplicationRecord]:
            return await stamped(self._directory, self._settings.stack_id)

        return await self._patience.told(ask)

    async def watch(self, *, surely_made: bool) -> list[ApplicationRecord]:
        """List them until one shows that was made and not recorded, or it is not to be expected."""
        self._say("looking for an application that was made and not recorded …")
        clock = asyncio.get_running_loop()
        ends = clock.time() + (SURELY_MADE if surely_made else SETTLING).total_seconds()
        while not (found := await self.listed()) and clock.time() < ends:
            await self._patience.moment(0.3)
        return found

    async def settle(
        self, state: State, adoption: Mapping[str, str] = MappingProxyType({})
    ) -> Sequence[ApplicationRecord]:
        """Read what is known to be there until readers agree on it; return the last listing.

        With `adoption`, ids by resource name, what the state is to take in is known as well: to
        import it takes several reads, all of which must show it. The engine's next run would
        otherwise fail on the same trailing readers, at ten times the cost. Ends after a while in
        any case.
        """
        names = state.resources.keys() | adoption.keys()
        found = state.application_id or adoption.get(APPLICATION, "").rpartition("/")[2]
        clock = asyncio.get_running_loop()
        began = clock.time()
        agreeing = 0
        while True:
            stamped, there = await asyncio.gather(self.listed(), self._is_there(names, found))
            agreeing = agreeing + 1 if there and (stamped or not found) else 0
            waited = timedelta(seconds=clock.time() - began)
            if agreeing >= AGREEING or waited > SETTLING:
                self._patience.seen_trailing(waited)
                return stamped
            await self._patience.moment(0.12)

    async def _is_there(self, names: Collection[str], application_id: str) -> bool:
        """Say whether one reader shows an application, and what of it bears these names."""
        directory = self._directory
        if not application_id:
            return True
        try:
            application = await self._patience.told(lambda: directory.application(application_id))
            if SERVICE_PRINCIPAL not in names:
                return True
            principal = await self._patience.told(
                lambda: directory.service_principal(application.client_id)
            )
        except NotFound:
            return False
        if principal is None or CONSENT not in names:
            return principal is not None
        return bool(await self._patience.told(lambda: directory.grants(principal.object_id)))

    async def adoption(
        self, state: State, stamped: Sequence[ApplicationRecord], surely: Collection[str]
    ) -> Mapping[str, str]:
        """Return what the program is to import, after removing what is surely doubled.

        `surely` are names of resources that are in the tenant, whatever a trailing reader shows.
        """
        plan = self._plan(state, stamped)
        await self._carry_out(plan)
        application = plan.adopt
        if application is None:
            own = (each for each in stamped if each.object_id == state.application_id)
            application = next(own, None)
        client_id = application.client_id if application else state.client_id
        if client_id is None or not self._lacks_something(state):
            return {}
        principal, exchange = await asyncio.gather(
            self._shown(
                lambda: self._directory.service_principal(client_id), SERVICE_PRINCIPAL in surely
            ),
            self._patience.told(
                lambda: self._directory.service_principal(facts.EXCHANGE_ONLINE_APP_ID)
            ),
        )
        grants: tuple[GrantRecord, ...] = ()
        if principal and exchange and self._settings.manages_grant:
            grants = await self._shown(
                lambda: self._directory.grants(principal.object_id), CONSENT in surely
            )
            if CONSENT not in state.resources:
                self._note_what_narrows(
                    each for each in grants if each.is_consent_to(exchange.object_id)
                )
        return leftovers.import_ids(
            state,
            application,
            principal,
            grants,
            exchange.object_id if exchange else "",
            uri_is_there=IDENTIFIER_URI in surely,
        )

    def _note_what_narrows(self, adopted: Iterable[GrantRecord]) -> None:
        wider = {scope for each in adopted for scope in each.scopes}
        wider -= set(self._settings.permissions)
        if wider:
            self._narrowed = (
                f"the consent that was there also covered {', '.join(sorted(wider))}, which "
                "`permissions` does not name: that is taken away",
            )

    async def _shown(self, ask: Callable[[], Awaitable[T]], surely: bool) -> T:
        """Ask; again for a while where what is surely there is not shown."""
        clock = asyncio.get_running_loop()
        ends = clock.time() + SETTLING.total_seconds()
        while not (found := await self._patience.told(ask)) and surely and clock.time() < ends:
            await self._patience.moment(0.12)
        return found

    async def clean(
        self, state: State, now: Callable[[], datetime], *, wrote: Callable[[], bool]
    ) -> Sequence[str]:
        """Remove what this update doubled, until listings agree that there is no more.

        What came twice was made no later than what the state knows, and shows when that, by the
        tenant's clock, is as old as readers trail. What does not show for so long is gone for
        good: somebody removed it; at once, where this update `wrote` nothing so far. Returns what
        a person should know of, a sentence each.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            listings = await asyncio.gather(*(self.listed() for _ in range(AGREEING)))
            plans = [self._plan(state, each) for each in listings]
            doubled = next((each for each in plans if each.purge or each.remove), None)
            made = [_last_made(state, each) for each in listings]
            if doubled is not None:
                await self._carry_out(doubled)
            settled = timedelta(seconds=loop.time() - began) > self._patience.settling
            unseen = None in made and (wrote() or len(set(made)) > 1)
            if doubled is not None or (unseen and not settled):
                self._patience.trailing = True
            elif (
                settled
                or not self._patience.trailing
                or all(each is not None and now() - each > self._patience.settling for each in made)
            ):
                deleted = sorted(self._replaced - state.replaced_applications)
                told = (
                    f"the application {each}, which was replaced, is deleted" for each in deleted
                )
                return (*plans[-1].reports, *self._narrowed, *told)
            self._patience.wait_for("listings to agree that nothing is there twice")
            await self._patience.moment(0.5)

    def _plan(self, state: State, stamped: Sequence[ApplicationRecord]) -> Plan:
        self._replaced |= state.replaced_applications
        self._recorded |= state.made.keys()
        standing = [
            self.without_removed(each)
            for each in stamped
            if each.object_id not in self._removed | self._replaced
        ]
        return leftovers.plan(
            state,
            standing,
            self._settings.stack_id,
            self._record,
            self._settings.secret_description,
            self._stack,
            self._recorded,
        )

    def without_removed(self, application: ApplicationRecord) -> ApplicationRecord:
        """Leave out the client secrets that were removed here, which readers may show still."""
        left = [each for each in application.passwords if each.key_id not in self._removed]
        return replace(application, passwords=tuple(left))

    def _lacks_something(self, state: State) -> bool:
        wanted = {APPLICATION, IDENTIFIER_URI, SERVICE_PRINCIPAL}
        if self._settings.manages_grant:
            wanted.add(CONSENT)
        return not wanted <= state.resources.keys()

    async def _carry_out(self, plan: Plan) -> None:
        for application in plan.purge:
            await self._purge(application)
        for application, password in plan.remove:
            self._say(
                f"removing the client secret {password.key_id}: this update made it, and its "
                "value reached no state"
            )
            await self._gone(application.object_id, password.key_id)

    async def _gone(self, application_id: str, key_id: str) -> None:
        try:
            await self._patience.told(
                lambda: self._directory.remove_password(application_id, key_id)
            )
        except NotFound:
            self._patience.trailing = True  # gone, or not there yet: the next listing tells
        else:
            self._removed.add(key_id)

    async def _purge(self, application: ApplicationRecord) -> None:
        """Delete for good an application that this update made and that holds nothing."""
        object_id = application.object_id
        try:
            again = await self._patience.told(lambda: self._directory.application(object_id))
            if self._tag not in again.tags or not leftovers.is_empty(again, self._record):
                raise Refused(
                    f"The application {object_id} was to be removed as a double, and is no "
                    "longer what it was.",
                    "Look at it in Entra's App registrations, then try again.",
                )
            self._say(f"removing the application {object_id}: a double that holds nothing")
        except NotFound:
            self._patience.trailing = True  # gone, or not there yet: the next listing tells
            return
        is_deleted = True
        try:
            await self._patience.told(lambda: self._directory.delete_application(object_id))
        except NotFound:  # deleted, and that answer was lost; or not there yet for this reader
            is_deleted = False
        if is_deleted:
            await self._purged(object_id)
        elif not await self._purged(object_id, tries=5, is_there=False):
            self._patience.trailing = True
            return
        self._removed.add(object_id)

    async def _purged(self, object_id: str, *, tries: int = 10, is_there: bool = True) -> bool:
        """Purge what was deleted; say whether that was done, and where not, that it stays."""
        why = ""
        for _ in range(tries):
            try:
                await self._patience.told(lambda: self._directory.purge_application(object_id))
            except NotFound:  # the recycle bin trails as well
                await self._patience.moment()
            except DirectoryError as error:  # purging takes rights of its own
                why = f" ({error.code})"
                break
            else:
                return True
        if is_there or why:
            self._say(f"the application {object_id} stays in the recycle bin, for 30 days{why}")
        return False

    async def empty_bin(self, state: State) -> None:
        """Purge doubles that the update which this one carries on was killed in removing."""

        async def ask() -> list[ApplicationRecord]:
            return [each async for each in self._directory.deleted_applications_tagged(self._tag)]

        try:
            listings = await asyncio.gather(*(self._patience.told(ask) for _ in range(AGREEING)))
        except DirectoryError as error:
            self._say(f"the recycle bin cannot be looked at ({error.code})")
            return
        deleted = {each.object_id: each for listing in listings for each in listing}
        for each in leftovers.binned(
            state, tuple(deleted.values()), self._settings.stack_id, self._record
        ):
            self._say(f"purging the application {each.object_id}: a double that holds nothing")
            await self._purged(each.object_id)


def _last_made(state: State, stamped: Sequence[ApplicationRecord]) -> datetime | None:
    """Return when the newest of what the state knows was made; none where not all of it shows."""
    known = frozenset(state.key_ids.values())
    for each in stamped:
        if each.object_id == state.application_id:
            starts = [p.starts for p in each.passwords if p.key_id in known]
            made = [instant for instant in (each.created, *starts) if instant is not None]
            return max(made) if len(starts) == len(known) and made else None
    return None
