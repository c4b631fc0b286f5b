"""Taking one stack's objects out of a tenant, recycle bin included, until the tenant agrees.

Found by `remains`, decided by `ownership`, removed by object id after another read of it, and
looked for again until several reads in a row show none of it, live or deleted. Readers trail:
what was just deleted may still answer, and the recycle bin may not show it yet. So nothing counts
as gone for having been shown nowhere once: its purge was accepted, or readers had time to catch up.
It knows nothing of Pulumi, and asks nobody whether it may: that is `guards`'.
"""

import asyncio
import contextlib
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import datetime, timedelta

from proself_mail.entra.directory import (
    ApplicationRecord,
    DeletedItem,
    Directory,
    DirectoryError,
    Forbidden,
    NotFound,
)
from proself_mail.entra.patience import AGREEING, SETTLING, Patience
from proself_mail.errors import Error
from proself_mail.removal.inspection import Inspector
from proself_mail.removal.ownership import Ours, principal_additions
from proself_mail.removal.progress import Progress, Stage
from proself_mail.removal.remains import Remains, look, why_not
from proself_mail.removal.removal_item import Item, Kind, Outcome, Result
from proself_mail.schedule import format_instant

DEADLINE = timedelta(minutes=5)
"""For how long one stack is worked on at most."""
_RECYCLE_BIN = timedelta(days=30)
"""How long Entra keeps what was deleted (Microsoft, deleted applications FAQ)."""


class Removal:
    """The removal of one stack's objects from a tenant."""

    def __init__(
        self,
        directory: Directory,
        patience: Patience,
        tag: str,
        ours: Ours,
        tenant_now: Callable[[], datetime],
        *,
        keep_in_recycle_bin: bool = False,
        inspector: Inspector | None = None,
    ) -> None:
        """Prepare it. What the `inspector` finds that somebody added is left; all goes without.

        `tenant_now` tells the time by the clock that the tenant dates deletions with.
        """
        self._directory = directory
        self._patience = patience
        self._tag = tag
        self._ours = ours
        self._tenant_now = tenant_now
        self._keep = keep_in_recycle_bin
        self._inspector = inspector
        self._objects: dict[str, Progress] = {}
        self._clients: set[str] = set()
        """Client IDs of the applications that the tenant has shown to be ours."""
        self._until: float | None = None

    def know(self, items: Iterable[Item], clients: Mapping[str, str]) -> None:
        """Add objects that a plan names, whether a listing shows them or not.

        `clients` are client IDs by object id; what has none there goes with what it belongs to.
        """
        now = asyncio.get_running_loop().time()
        for item in items:
            if item.id in clients:
                stage = Stage.DELETED if item.deleted else Stage.KNOWN
                found = Progress(item, clients[item.id], stage, since=now)
                self._objects.setdefault(item.id, found)

    def _outcomes(self, unfinished: str = "") -> tuple[Outcome, ...]:
        """Tell what became of each; `unfinished` says why the work was ended before its time."""
        return tuple(self._outcome(each, unfinished) for each in self._objects.values())

    def _outcome(self, each: Progress, unfinished: str) -> Outcome:
        failure = each.failure or ("" if each.stage is Stage.PURGED else unfinished)
        if failure:
            if each.is_deleted:
                stays = f"It stays in the recycle bin {_how_long(each.item)}."
                failure = f"{failure.removesuffix('.')}. {stays}"
            return Outcome(each.item, Result.FAILED, failure)
        if each.is_deleted and self._keep:
            return Outcome(each.item, Result.KEPT, f"in the recycle bin {_how_long(each.item)}")
        seen = each.stage >= Stage.LOOKED_AT
        return Outcome(each.item, Result.REMOVED if seen else Result.GONE)

    async def run(self, *, until: float | None = None) -> tuple[Outcome, ...]:
        """Remove all of it in the time there is, and tell what became of each.

        `until`, by the loop's clock, is how long readers are watched at least: an earlier run was
        cut short, and what it did last may not show yet.
        """
        self._until = until
        async with _bounded() as reasons:
            await self._until_gone()
        return self._outcomes("".join(reasons))

    async def _until_gone(self) -> None:
        """Remove all of it, until `AGREEING` rounds of reads in a row show none of it."""
        clock, until = asyncio.get_running_loop(), self._until
        agreeing = 0
        await self._carry_out(Remains((), (), ()))  # what is known; each is read again before
        while True:
            seen, none_answers = await asyncio.gather(
                look(self._directory, self._patience, self._tag, self._ours), self._none_answers()
            )
            nothing = none_answers and self._is_settled(seen)
            if nothing and not self._unsettled(clock.time()):
                agreeing += 1
                if agreeing >= AGREEING and (until is None or clock.time() >= until):
                    return
                if until is None:
                    continue
            else:
                agreeing = 0
                if await self._carry_out(seen):
                    continue
            await self._patience.moment(0.4)

    def _is_settled(self, seen: Remains) -> bool:
        """Say whether reads show nothing that is still to be removed."""
        for each in seen.applications:
            if not self._is_done(each.object_id, in_bin=each.deleted is not None):
                return False
        return all(
            self._is_done(each.object_id, in_bin=each.deleted is not None)
            for each in seen.principals
        )

    def _is_done(self, object_id: str, *, in_bin: bool) -> bool:
        known = self._objects.get(object_id)
        if known is None:
            return False
        return bool(known.failure) or (self._keep and in_bin)

    def _unsettled(self, now: float) -> list[Progress]:
        """Return what was deleted and whose purge nobody has accepted, for not too long yet."""
        if self._keep:
            return []
        return [
            each
            for each in self._objects.values()
            if each.is_deleted and each.is_open and _is_recent(each, now)
        ]

    async def _none_answers(self) -> bool:
        """Ask for each known object by its id; say whether none is there.

        Applications live, and all of them in the recycle bin where nothing is to stay in it.
        """
        asked = [self._answers(each) for each in self._objects.values() if not each.failure]
        return not any(await asyncio.gather(*asked))

    async def _answers(self, each: Progress) -> bool:
        places: list[Callable[[], Awaitable[object]]] = []
        if each.item.kind is Kind.APPLICATION:
            places.append(lambda: self._directory.application(each.item.id))
        if not self._keep:
            places.append(lambda: self._directory.deleted_item(each.item.id))
        return any(await asyncio.gather(*map(self._patience.shown, places)))

    async def _carry_out(self, seen: Remains) -> bool:
        """Do what can be done about what is there; say whether anything was accepted."""
        self.know(seen.items(self._ours), seen.clients)
        self._clients.update(each.client_id for each in seen.applications)
        live = {each.object_id for each in seen.objects if not each.deleted}
        for each in seen.objects:
            known = self._objects[each.object_id]
            known.client_id = each.client_id  # which the state may have told wrong
            if each.deleted is not None:
                known.reach(Stage.DELETED)
        accepted = [await self._delete_applications(), await self._delete_lone_principals(live)]
        if not self._keep:
            await self._look_in_bin(live)
            # The service principal first, and its application only after it: one that bears no tag
            # is found by its application alone, and a kill may come between the two.
            accepted += [
                await self._purge_all(Kind.SERVICE_PRINCIPAL, self._unseen_applications()),
                await self._purge_all(Kind.APPLICATION, self._awaited_principals()),
            ]
        return any(accepted)

    async def _delete_applications(self) -> bool:
        """Delete what is live; say whether anything was accepted, as each of these steps does."""
        did = False
        for each in self._open(Kind.APPLICATION):
            if each.stage is Stage.KNOWN and await self._delete_application(each):
                did = True
                for principal in self._principals_of(each):
                    principal.reach(Stage.DELETED)
                    principal.since = each.since
        self._leave_principals()
        return did

    async def _delete_lone_principals(self, live: Collection[str]) -> bool:
        """Delete the service principals among `live` whose application is not."""
        did = False
        standing = {
            each.client_id for each in self._open(Kind.APPLICATION) if each.stage is Stage.KNOWN
        }
        for each in self._open(Kind.SERVICE_PRINCIPAL):
            ready = each.stage is Stage.KNOWN and each.item.id in live
            if ready and each.client_id not in standing and await self._delete_principal(each):
                did = True
        return did

    async def _look_in_bin(self, live: Collection[str]) -> None:
        """Look at each that the recycle bin has, or may have."""
        applications = self._open(Kind.APPLICATION)
        in_bin = {each.client_id for each in applications if each.is_deleted}
        for each in (*applications, *self._open(Kind.SERVICE_PRINCIPAL)):
            # A service principal goes with its application; what showed it live may have trailed.
            maybe = each.is_deleted or (each.client_id in in_bin and each.item.id not in live)
            if maybe and each.stage < Stage.LOOKED_AT:
                await self._find_deleted(each)
        self._leave_principals()

    async def _purge_all(self, kind: Kind, held_back: Collection[str]) -> bool:
        """Purge what was looked at, but that of client IDs held back; say whether anything went."""
        did = False
        for each in self._open(kind):
            ready = each.stage is Stage.LOOKED_AT and each.client_id not in held_back
            if ready and await self._purge(each):
                did = True
        return did

    def _open(self, kind: Kind) -> list[Progress]:
        """Return those of a kind about which there may be something left to do."""
        return [e for e in self._objects.values() if e.item.kind is kind and e.is_open]

    def _leave_principals(self) -> None:
        """Leave the service principals of applications that are left."""
        for each in self._objects.values():
            if each.item.kind is Kind.APPLICATION and each.failure:
                for principal in self._principals_of(each):
                    principal.failure = "Its application is left."

    def _unseen_applications(self) -> set[str]:
        """Return client IDs of deleted applications that could not be looked at yet."""
        waited_for = self._unsettled(asyncio.get_running_loop().time())
        return {
            each.client_id
            for each in waited_for
            if each.item.kind is Kind.APPLICATION and each.stage is Stage.DELETED
        }

    def _awaited_principals(self) -> set[str]:
        """Return client IDs whose service principal is to go first, or may yet be shown."""
        now = asyncio.get_running_loop().time()
        principals = [e for e in self._objects.values() if e.item.kind is Kind.SERVICE_PRINCIPAL]
        found = {each.client_id for each in principals if each.is_open and _is_recent(each, now)}
        watched = self._until is not None and now < self._until
        shown = {each.client_id for each in principals}
        found |= {
            each.client_id
            for each in self._open(Kind.APPLICATION)
            if each.client_id not in shown
            and (watched or (each.deleted_lately and _is_recent(each, now)))
        }
        return found

    def _principals_of(self, application: Progress) -> list[Progress]:
        """Return what goes with an application that is deleted."""
        principals = self._open(Kind.SERVICE_PRINCIPAL)
        return [each for each in principals if each.client_id == application.client_id]

    async def _delete_application(self, each: Progress) -> bool:
        async def look_and_delete() -> None:
            again = await self._directory.application(each.item.id)
            verdict = self._ours.verdict(again.tags, again.created)
            each.failure = "" if verdict.ours else verdict.why
            if verdict.ours and self._inspector is not None:
                each.failure = _grown(await self._inspector.added(again))
            if not each.failure:
                self._take_for_ours(each, again)
                # The state may name another as its service principal, which nobody looked at.
                its_own = await self._directory.service_principal(again.client_id)
                await self._directory.delete_application(each.item.id)
                for principal in self._principals_of(each):
                    is_its_own = its_own is not None and principal.item.id == its_own.object_id
                    if is_its_own and principal.stage is Stage.KNOWN:
                        principal.reach(Stage.LOOKED_AT)

        return await self._delete(each, look_and_delete)

    async def _delete_principal(self, each: Progress) -> bool:
        async def look_and_delete() -> None:
            again = await self._directory.service_principal_by_id(each.item.id)
            if self._inspector is not None:
                each.failure = _grown(principal_additions(again))
            if not each.failure:
                await self._directory.delete_service_principal(each.item.id)

        return await self._delete(each, look_and_delete)

    async def _delete(self, each: Progress, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await self._patience.told(work)
        except NotFound:
            self._patience.trailing = True
            return await self._find_deleted(each)
        except DirectoryError as error:
            each.failure = _refusal(error, "delete it")
        if each.failure:
            return False
        self._note_deleted(each)
        return True

    async def _find_deleted(self, each: Progress) -> bool:
        """Look in the recycle bin for what is not live, or not yet, or no more.

        Says whether it is there to be purged, as it is ours and was left by us.
        """
        try:
            found = await self._patience.told(lambda: self._directory.deleted_item(each.item.id))
        except NotFound:
            self._patience.trailing = True
            return False
        except DirectoryError as error:
            each.failure = _refusal(error, "read it")
            return False
        is_application = each.item.kind is Kind.APPLICATION
        try:
            if is_application:
                verdict = self._ours.verdict(found.tags, each.item.created)
                each.failure = "" if verdict.ours else verdict.why
                if verdict.ours:
                    self._take_for_ours(each, found)
            elif found.client_id not in self._clients:
                if self._is_awaited(found.client_id):
                    return False
                each.failure = await why_not(self._directory, self._patience, found, self._ours)
            if not each.failure and self._inspector is not None:
                each.failure = _grown(
                    await self._inspector.added_in_bin(found)
                    if is_application
                    else principal_additions(found)
                )
        except DirectoryError as error:
            each.failure = _refusal(error, "read it")
        if each.failure:
            return False
        each.deleted_lately = found.deleted is None or self._tenant_now() - found.deleted < SETTLING
        self._note_deleted(each)
        return True

    def _take_for_ours(self, each: Progress, found: ApplicationRecord | DeletedItem) -> None:
        """Note whose service principals are ours: the tenant's word counts, not the state's."""
        each.client_id = found.client_id
        self._clients.add(found.client_id)

    def _is_awaited(self, client_id: str) -> bool:
        """Say whether an application is still to be looked at that may be of this client ID."""
        now = asyncio.get_running_loop().time()
        applications = [e for e in self._open(Kind.APPLICATION) if e.client_id == client_id]
        return any(e.stage < Stage.LOOKED_AT and _is_recent(e, now) for e in applications)

    def _note_deleted(self, each: Progress) -> None:
        each.reach(Stage.LOOKED_AT)
        each.since = asyncio.get_running_loop().time()

    async def _purge(self, each: Progress) -> bool:
        directory, object_id = self._directory, each.item.id
        is_application = each.item.kind is Kind.APPLICATION
        purge = directory.purge_application if is_application else directory.purge_service_principal
        try:
            await self._patience.told(lambda: purge(object_id))
        except NotFound:  # gone, or the recycle bin trails: the next round tells
            self._patience.trailing = True
            return False
        except DirectoryError as error:
            each.failure = _refusal(error, "purge it")
            return False
        each.reach(Stage.PURGED)
        return True


def _is_recent(each: Progress, now: float) -> bool:
    """Say whether readers may not show yet what became of it."""
    return now - each.since < SETTLING.total_seconds()


def _how_long(item: Item) -> str:
    if item.deleted is None:
        return f"for {_RECYCLE_BIN.days} days"
    return f"until {format_instant(item.deleted + _RECYCLE_BIN)}"


def _grown(added: Sequence[str]) -> str:
    if not added:
        return ""
    return f"It got {'; '.join(added)} since the plan was made. Look at it, then try again."


def _refusal(error: DirectoryError, what: str) -> str:
    if isinstance(error, Forbidden):
        return f"The signed-in identity may not {what} ({error.code})."
    return error.cause


@contextlib.asynccontextmanager
async def _bounded() -> AsyncIterator[list[str]]:
    """End the work in time, and take what stops it as the reason for what is left."""
    reasons: list[str] = []
    try:
        async with asyncio.timeout(DEADLINE.total_seconds()):
            yield reasons
    except TimeoutError:
        minutes = DEADLINE.total_seconds() / 60
        reasons.append(f"The tenant did not agree that it is gone within {minutes:.0f} minutes.")
    except Error as error:
        reasons.append(error.cause)
