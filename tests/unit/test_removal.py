"""In which order a stack's objects are purged where readers trail.

A service principal that bears no tag is found by its application alone: after a kill between the
two purges nothing would lead to it any more.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp, stack_tag
from proself_mail.entra.directory import (
    ApplicationRecord,
    DeletedItem,
    NotFound,
    ServicePrincipalRecord,
)
from proself_mail.entra.patience import SETTLING, Patience
from proself_mail.removal import removal_report
from proself_mail.removal.ownership import OfStack
from proself_mail.removal.removal import Removal
from proself_mail.removal.removal_item import Item, Kind, Outcome, Result
from proself_mail.removal.removal_plan import Plan, StackPlan
from tests.jumping import run

STACK = UUID(int=1)
TAGS = tuple(Stamp(STACK, Environment.TEST).tags())
GONE = datetime(2026, 11, 20, tzinfo=UTC)
APPLICATION = ApplicationRecord(
    "a", "c", "Proself mail", GONE, TAGS, "AzureADMyOrg", (), (), 2, {}, (),
    deleted=GONE,
)  # fmt: skip
BINNED = ServicePrincipalRecord("p", "c", "Proself mail", True, (), deleted=GONE)


class Bin:
    """A recycle bin with an application, whose service principal it shows by its id, and late."""

    def __init__(self, principal_shows_after: float) -> None:
        self._after = principal_shows_after
        self.purged: list[str] = []

    def _shows(self, object_id: str) -> bool:
        late = object_id == "p" and asyncio.get_running_loop().time() < self._after
        return not late and object_id not in self.purged

    async def application(self, object_id: str) -> ApplicationRecord:
        raise NotFound(404, "Request_ResourceNotFound", object_id)

    async def deleted_applications_tagged(self, _: str) -> AsyncIterator[ApplicationRecord]:
        if self._shows("a"):
            yield APPLICATION

    async def _nothing(self, _: str) -> AsyncIterator[ServicePrincipalRecord]:
        none: tuple[ServicePrincipalRecord, ...] = ()
        for each in none:
            yield each

    applications_tagged = service_principals_tagged = _nothing
    deleted_service_principals_tagged = _nothing

    async def service_principal(self, _: str) -> None:
        return None

    async def deleted_service_principal(self, _: str) -> ServicePrincipalRecord | None:
        return BINNED if self._shows("p") else None

    async def deleted_item(self, object_id: str) -> DeletedItem:
        if not self._shows(object_id):
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        tags = TAGS if object_id == "a" else ()
        return DeletedItem(object_id, "c", "Proself mail", tags, GONE)

    async def _purge(self, object_id: str) -> None:
        if not self._shows(object_id):
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        self.purged.append(object_id)

    purge_application = purge_service_principal = _purge


IN_BIN = Item(Kind.APPLICATION, "a", "Proself mail", "", GONE, GONE)
LIVE = replace(IN_BIN, deleted=None)
PRINCIPAL = Item(Kind.SERVICE_PRINCIPAL, "p", "Proself mail", "")


class Foreign(Bin):
    """Its service principal is of another application, and our state names it as ours."""

    def __init__(self, tags: tuple[str, ...], *, live: bool) -> None:
        super().__init__(0.0)
        self._tags, self._live = tags, live

    async def application(self, object_id: str) -> ApplicationRecord:
        if not self._live:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return replace(APPLICATION, deleted=None)

    async def delete_application(self, _: str) -> None:
        self._live = False

    async def applications_of(self, client_id: str) -> tuple[ApplicationRecord, ...]:
        return (replace(APPLICATION, object_id="b", client_id=client_id, tags=()),)

    async def deleted_service_principal(self, _: str) -> ServicePrincipalRecord | None:
        return None

    async def deleted_item(self, object_id: str) -> DeletedItem:
        found = await super().deleted_item(object_id)
        return found if object_id == "a" else replace(found, client_id="d", tags=self._tags)


class Restamped(Bin):
    """Its application got another stamp since the plan was made; listings trail behind that."""

    def __init__(self, tags: Sequence[str], *, live: bool) -> None:
        super().__init__(float("inf"))
        self.live = live
        self._tags = tuple(tags)

    async def application(self, object_id: str) -> ApplicationRecord:
        if not self.live:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return replace(APPLICATION, deleted=None, tags=self._tags)

    async def delete_application(self, _: str) -> None:
        self.live = False

    async def deleted_applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        async for each in super().deleted_applications_tagged(tag):
            if not self.live:
                yield each

    async def deleted_item(self, object_id: str) -> DeletedItem:
        found = await super().deleted_item(object_id)
        if self.live:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return replace(found, tags=self._tags)


def removed(
    directory: Bin, *items: Item, now: datetime = GONE + timedelta(days=1)
) -> tuple[dict[str, Result], float]:
    """What becomes of what the plan saw, and after how many seconds."""

    async def work() -> tuple[tuple[Outcome, ...], float]:
        removal = Removal(
            cast(Any, directory),
            Patience(lambda _: None),
            stack_tag(STACK),
            OfStack(STACK),
            lambda: now,
        )
        removal.know(items, {"a": "c", "p": "c"})
        return await removal.run(), asyncio.get_running_loop().time()

    outcomes, seconds = run(work)
    return {each.item.id: each.result for each in outcomes}, seconds


@pytest.mark.parametrize("shows_after", [0.0, 6.0])
def test_a_service_principal_that_was_shown_live_is_purged_before_its_application(
    shows_after: float,
) -> None:
    directory = Bin(shows_after)
    results, _ = removed(directory, IN_BIN, PRINCIPAL)
    assert directory.purged == ["p", "a"]
    assert results == {"a": Result.REMOVED, "p": Result.REMOVED}


def test_one_that_no_reader_shows_any_more_holds_its_application_up_for_seconds_only() -> None:
    directory = Bin(float("inf"))
    results, seconds = removed(directory, IN_BIN, PRINCIPAL)
    assert directory.purged == ["a"]
    assert results == {"a": Result.REMOVED, "p": Result.GONE}
    assert seconds < SETTLING.total_seconds() + 5


@pytest.mark.parametrize("seen", [LIVE, IN_BIN])
def test_one_whose_application_somebody_deleted_a_moment_ago_is_waited_for(seen: Item) -> None:
    directory = Bin(8.0)
    results, _ = removed(directory, seen, now=GONE + timedelta(seconds=1))
    assert directory.purged == ["p", "a"]
    assert results == {"a": Result.REMOVED, "p": Result.REMOVED}


def test_none_is_waited_for_where_the_application_was_deleted_long_ago() -> None:
    directory = Bin(float("inf"))
    results, seconds = removed(directory, IN_BIN)
    assert directory.purged == ["a"]
    assert results == {"a": Result.REMOVED}
    assert seconds < 2


@pytest.mark.parametrize("tags", [(), TAGS])
@pytest.mark.parametrize("live", [False, True])
def test_another_applications_service_principal_is_not_purged(
    live: bool, tags: tuple[str, ...]
) -> None:
    directory = Foreign(tags, live=live)
    results, _ = removed(directory, LIVE if live else IN_BIN, PRINCIPAL)
    assert directory.purged == ["a"]
    assert results == {"a": Result.REMOVED, "p": Result.FAILED}


@pytest.mark.parametrize(
    "tags",
    [
        Stamp(STACK, Environment.PRODUCTION).tags(),
        Stamp(UUID(int=2), Environment.TEST).tags(),
        TAGS[:1],
    ],
    ids=["production", "another stack's", "damaged"],
)
@pytest.mark.parametrize("live", [False, True])
def test_what_bears_another_stamp_by_then_is_left(live: bool, tags: Sequence[str]) -> None:
    """A person may take long to answer, and somebody else may need it meanwhile."""
    directory = Restamped(tags, live=live)
    results, _ = removed(directory, LIVE if live else IN_BIN)
    assert results == {"a": Result.FAILED}
    assert directory.live is live
    assert directory.purged == []


@pytest.mark.parametrize(("stamped", "told"), [(1, "1 object has the"), (2, "2 objects have the")])
def test_one_that_bears_a_stamp_is_one(stamped: int, told: str) -> None:
    found: Plan[StackPlan] = Plan("a-tenant", None, datetime(2027, 4, 1, tzinfo=UTC), (), stamped)
    assert any(str(each).startswith(f"{told} tag of a test") for each in removal_report.plan(found))
