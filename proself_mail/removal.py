"""Taking one stack's objects out of a tenant, recycle bin included, until the tenant agrees.

Found by the stamp, decided by `ownership`, removed by object id after another read of it, and
looked for again until several reads in a row show none of it, live or deleted. Readers trail:
what was just deleted may still answer, and the recycle bin may not show it yet. So nothing counts
as gone for having been shown nowhere once: its purge was accepted, or readers had time to catch up.
It knows nothing of Pulumi, and asks nobody whether it may: that is `guards`'.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from proself_mail.directory import (
    ApplicationRecord,
    Directory,
    DirectoryError,
    Forbidden,
    NotFound,
    ServicePrincipalRecord,
)
from proself_mail.ownership import Ours
from proself_mail.patience import AGREEING, SETTLING, Patience

RECYCLE_BIN = timedelta(days=30)
"""How long Entra keeps what was deleted (Microsoft, deleted applications FAQ)."""

T = TypeVar("T")


class Kind(StrEnum):
    """What can be removed, in the words that a person is shown."""

    APPLICATION = "application"
    SERVICE_PRINCIPAL = "service principal"
    GRANT = "grant"
    FEDERATED_CREDENTIAL = "federated credential"
    CONFIG_FILE = "config file"
    STACK_STATE = "stack state"


class Result(StrEnum):
    """What became of it."""

    REMOVED = "removed"
    GONE = "gone already"
    KEPT = "kept, as asked"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Item:
    """One thing to remove."""

    kind: Kind
    id: str
    name: str
    why: str
    """Why it is ours."""
    created: datetime | None = None
    deleted: datetime | None = None
    """When it went to the recycle bin; none for a live one."""


@dataclass(frozen=True)
class Outcome:
    """What became of one thing."""

    item: Item
    result: Result
    detail: str = ""
    """Why it failed, or what is left and for how long."""


@dataclass(frozen=True)
class Seen:
    """What one round of reads shows of a stack in the tenant, live and in the recycle bin."""

    applications: Sequence[ApplicationRecord]
    principals: Sequence[ServicePrincipalRecord]
    left_alone: Sequence[str]
    """What bears the tag and is not ours, a sentence each."""
    tagged: Sequence[tuple[str, Sequence[str]]] = ()
    """Object id and tags of everything that bears the tag, ours or not."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of ours."""
        return not self.applications and not self.principals

    @property
    def objects(self) -> tuple[ApplicationRecord | ServicePrincipalRecord, ...]:
        """All of it."""
        return (*self.applications, *self.principals)

    @property
    def clients(self) -> dict[str, str]:
        """Client IDs by object id."""
        return {each.object_id: each.client_id for each in self.objects}

    def items(self, ours: Ours) -> tuple[Item, ...]:
        """List it for a person."""
        applications = [
            Item(
                Kind.APPLICATION,
                each.object_id,
                each.display_name,
                ours.verdict(each.tags, each.created).why,
                each.created,
                each.deleted,
            )
            for each in self.applications
        ]
        of_ours = {each.client_id for each in self.applications}
        principals = [
            Item(
                Kind.SERVICE_PRINCIPAL,
                each.object_id,
                each.display_name,
                "is that of the application"
                if each.client_id in of_ours
                else ours.verdict(each.tags, None).why,
                None,
                each.deleted,
            )
            for each in self.principals
        ]
        return (*applications, *principals)


async def look(directory: Directory, patience: Patience, tag: str, ours: Ours) -> Seen:
    """Read what bears a stack's tag, live and deleted, and keep what is ours."""
    everything = await asyncio.gather(
        _all(patience, lambda: directory.applications_tagged(tag)),
        _all(patience, lambda: directory.deleted_applications_tagged(tag)),
        _all(patience, lambda: directory.service_principals_tagged(tag)),
        _all(patience, lambda: directory.deleted_service_principals_tagged(tag)),
    )
    applications = [*everything[0], *everything[1]]
    principals = [*everything[2], *everything[3]]
    principals += await _unstamped(directory, patience, applications, principals, ours)
    kept: dict[str, ApplicationRecord] = {}
    left: list[str] = []
    for each in applications:
        verdict = ours.verdict(each.tags, each.created)
        if verdict.ours:
            kept[each.object_id] = each  # one that two replicas show is in the recycle bin
        else:
            left.append(f"the application {each.display_name!r} ({each.object_id}): {verdict.why}")
    of_ours = {each.client_id for each in kept.values()}
    of_others = {each.client_id for each in applications} - of_ours
    kept_principals: dict[str, ServicePrincipalRecord] = {}
    for principal in principals:
        # It goes with its application. One whose application is gone for good has a stamp alone.
        verdict = ours.verdict(principal.tags, None)
        if principal.client_id in of_ours or (
            verdict.ours and principal.client_id not in of_others
        ):
            kept_principals[principal.object_id] = principal
        elif principal.client_id not in of_others:
            left.append(
                f"the service principal {principal.display_name!r} ({principal.object_id}): "
                f"{verdict.why}"
            )
    tagged = [(each.object_id, each.tags) for each in applications]
    tagged += [(each.object_id, each.tags) for each in principals]
    return Seen(tuple(kept.values()), tuple(kept_principals.values()), tuple(left), tagged)


async def _unstamped(
    directory: Directory,
    patience: Patience,
    applications: Sequence[ApplicationRecord],
    principals: Sequence[ServicePrincipalRecord],
    ours: Ours,
) -> list[ServicePrincipalRecord]:
    """Find service principals of ours that bear no tag: made by a person or a consent page."""
    seen = {each.client_id for each in principals}

    def find(application: ApplicationRecord) -> Awaitable[ServicePrincipalRecord | None]:
        ask = (
            directory.service_principal
            if application.deleted is None
            else directory.deleted_service_principal
        )
        return patience.told(lambda: ask(application.client_id))

    lacking = [
        each
        for each in applications
        if each.client_id not in seen and ours.verdict(each.tags, each.created).ours
    ]
    return [found for found in await asyncio.gather(*map(find, lacking)) if found]


async def _all(patience: Patience, listing: Callable[[], AsyncIterator[T]]) -> list[T]:
    async def ask() -> list[T]:
        return [each async for each in listing()]

    return await patience.told(ask)


@dataclass
class _Progress:
    """How far one object has come."""

    item: Item
    client_id: str = ""
    deleted: bool = False
    """It was in the recycle bin, or went there by our deletion."""
    purged: bool = False
    failure: str = ""
    since: float = 0.0
    """When it was deleted, or seen to be, by the loop's clock."""


class Removal:
    """The removal of one stack's objects from a tenant."""

    def __init__(
        self,
        directory: Directory,
        patience: Patience,
        tag: str,
        ours: Ours,
        *,
        keep_in_recycle_bin: bool = False,
        still_as_planned: Callable[[ApplicationRecord], str] = lambda _: "",
    ) -> None:
        """Prepare it.

        `still_as_planned` is given an application as it is just before its deletion, and returns
        why it is not to be deleted after all; blank where it is.
        """
        self._directory = directory
        self._patience = patience
        self._tag = tag
        self._ours = ours
        self._keep = keep_in_recycle_bin
        self._still_as_planned = still_as_planned
        self._objects: dict[str, _Progress] = {}

    def know(self, item: Item, client_id: str) -> None:
        """Add an object that the plan or the state names, whether a listing shows it or not."""
        self._objects.setdefault(
            item.id,
            _Progress(
                item,
                client_id,
                deleted=item.deleted is not None,
                since=asyncio.get_running_loop().time(),
            ),
        )

    def outcomes(self, unfinished: str = "") -> tuple[Outcome, ...]:
        """Tell what became of each; `unfinished` says why the work was ended before its time."""
        return tuple(self._outcome(each, unfinished) for each in self._objects.values())

    def _outcome(self, each: _Progress, unfinished: str) -> Outcome:
        failure = each.failure or ("" if each.purged else unfinished)
        if failure:
            left = " It stays in the recycle bin, for 30 days." if each.deleted else ""
            return Outcome(each.item, Result.FAILED, f"{failure}{left}")
        if each.deleted and self._keep:
            return Outcome(each.item, Result.KEPT, "in the recycle bin, for 30 days")
        return Outcome(each.item, Result.REMOVED if each.deleted else Result.GONE)

    async def run(self, *, until: float | None = None) -> None:
        """Remove all of it, until `AGREEING` rounds of reads in a row show none of it.

        `until`, by the loop's clock, is how long readers are watched at least: an earlier run was
        cut short, and what it did last may not show yet.
        """
        clock = asyncio.get_running_loop()
        agreeing = 0
        await self._carry_out(Seen((), (), ()))  # what is known; each is read again before
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

    def _is_settled(self, seen: Seen) -> bool:
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

    def _unsettled(self, now: float) -> list[_Progress]:
        """Return what was deleted and whose purge nobody has accepted, for not too long yet."""
        if self._keep:
            return []
        return [
            each
            for each in self._objects.values()
            if each.deleted
            and not each.purged
            and not each.failure
            and now - each.since < SETTLING.total_seconds()
        ]

    async def _none_answers(self) -> bool:
        """Ask for each known object by its id, in both places."""
        asked = [self._answers(each) for each in self._objects.values() if not each.failure]
        return not any(await asyncio.gather(*asked))

    async def _answers(self, each: _Progress) -> bool:
        places: list[Callable[[], Awaitable[object]]] = []
        if each.item.kind is Kind.APPLICATION:
            places.append(lambda: self._directory.application(each.item.id))
        if not self._keep:
            places.append(lambda: self._directory.deleted_item(each.item.id))
        return any(await asyncio.gather(*map(self._is_there, places)))

    async def _is_there(self, ask: Callable[[], Awaitable[object]]) -> bool:
        try:
            await self._patience.told(ask)
        except NotFound:
            return False
        return True

    async def _carry_out(self, seen: Seen) -> bool:
        """Do what can be done about what is there; say whether anything was accepted."""
        for item, client_id in self._listed(seen):
            self.know(item, client_id)
        live = {each.object_id for each in seen.objects if not each.deleted}
        binned = {each.object_id for each in seen.objects if each.deleted}
        for object_id in binned:
            self._objects[object_id].deleted = True
        waiting = [e for e in self._objects.values() if not e.purged and not e.failure]
        applications = [e for e in waiting if e.item.kind is Kind.APPLICATION]
        principals = [e for e in waiting if e.item.kind is Kind.SERVICE_PRINCIPAL]
        did = False
        for each in applications:
            if not each.deleted and await self._delete_application(each):
                did = True
                self._take_along(each, principals)
        standing = {e.client_id for e in applications if not e.deleted}
        for each in principals:
            alone = each.item.id in live and each.client_id not in standing
            if alone and not each.deleted and await self._delete_principal(each):
                did = True
        if self._keep:
            return did
        # The service principal first, and its application only after it: one that bears no tag is
        # found by its application alone, and a kill may come between the two.
        for each in principals:
            if each.deleted and not each.failure and await self._purge(each):
                did = True
        unsettled = self._unsettled(asyncio.get_running_loop().time())
        awaited = {e.client_id for e in unsettled if e.item.kind is Kind.SERVICE_PRINCIPAL}
        for each in applications:
            ready = each.deleted and each.client_id not in awaited
            if ready and not each.failure and await self._purge(each):
                did = True
        return did

    def _listed(self, seen: Seen) -> list[tuple[Item, str]]:
        return [(item, seen.clients[item.id]) for item in seen.items(self._ours)]

    def _take_along(self, application: _Progress, principals: Sequence[_Progress]) -> None:
        for each in principals:
            if each.client_id == application.client_id:
                each.deleted, each.since = True, application.since

    async def _delete_application(self, each: _Progress) -> bool:
        async def look_and_delete() -> None:
            again = await self._directory.application(each.item.id)
            verdict = self._ours.verdict(again.tags, again.created)
            each.failure = self._still_as_planned(again) if verdict.ours else verdict.why
            if not each.failure:
                await self._directory.delete_application(each.item.id)

        return await self._delete(each, look_and_delete)

    async def _delete_principal(self, each: _Progress) -> bool:
        return await self._delete(
            each, lambda: self._directory.delete_service_principal(each.item.id)
        )

    async def _delete(self, each: _Progress, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await self._patience.told(work)
        except NotFound:
            return await self._find_deleted(each)
        except DirectoryError as error:
            each.failure = _refusal(error, "delete it")
        if each.failure:
            return False
        self._note_deleted(each)
        return True

    async def _find_deleted(self, each: _Progress) -> bool:
        """Look in the recycle bin for what is not live, or not yet, or no more."""
        self._patience.trailing = True
        try:
            found = await self._patience.told(lambda: self._directory.deleted_item(each.item.id))
        except NotFound:
            return False
        if each.item.kind is Kind.APPLICATION:
            verdict = self._ours.verdict(found.tags, each.item.created)
            if not verdict.ours:
                each.failure = verdict.why
                return False
        self._note_deleted(each)
        return True

    def _note_deleted(self, each: _Progress) -> None:
        each.deleted, each.since = True, asyncio.get_running_loop().time()

    async def _purge(self, each: _Progress) -> bool:
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
        each.purged = True
        return True


def _refusal(error: DirectoryError, what: str) -> str:
    if isinstance(error, Forbidden):
        return f"The signed-in identity may not {what} ({error.code})."
    return error.cause
