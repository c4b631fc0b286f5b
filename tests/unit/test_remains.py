"""What of all that bears a stack's tag is kept: a service principal alone by its own stamp."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp, stack_tag
from proself_mail.entra.directory import ApplicationRecord, ServicePrincipalRecord
from proself_mail.entra.patience import Patience
from proself_mail.removal.ownership import Due, OfStack, Ours
from proself_mail.removal.remains import Remains, look

STACK = UUID(int=1)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
WHOLE = tuple(Stamp(STACK, Environment.TEST, NOW).tags())


class Alone:
    """A directory with one service principal, whose application is gone for good."""

    def __init__(self, tags: tuple[str, ...], *, live: bool) -> None:
        self._found = {live: ServicePrincipalRecord("p", "c", "Proself mail", True, tags)}

    async def _none(self, _: str) -> AsyncIterator[ApplicationRecord]:
        none: tuple[ApplicationRecord, ...] = ()
        for each in none:
            yield each

    applications_tagged = deleted_applications_tagged = _none

    async def service_principals_tagged(self, _: str) -> AsyncIterator[ServicePrincipalRecord]:
        if True in self._found:
            yield self._found[True]

    async def deleted_service_principals_tagged(
        self, _: str
    ) -> AsyncIterator[ServicePrincipalRecord]:
        if False in self._found:
            yield self._found[False]

    async def applications_of(self, _: str) -> tuple[ApplicationRecord, ...]:
        return ()


def seen(ours: Ours, tags: tuple[str, ...], *, live: bool) -> Remains:
    directory = cast(Any, Alone(tags, live=live))
    return asyncio.run(look(directory, Patience(print), stack_tag(STACK), ours))


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("ours", "tags", "why"),
    [
        (OfStack(STACK), Stamp(STACK, Environment.PRODUCTION).tags(), "its tags say production"),
        (OfStack(STACK), WHOLE[:2], "its tags are missing, doubled or damaged"),
        (OfStack(STACK), (*WHOLE, stack_tag(UUID(int=2))), "its tags are missing, doubled"),
        (Due(NOW), Stamp(STACK, Environment.PRODUCTION, NOW).tags(), "its tags say production"),
        (Due(NOW), Stamp(STACK, Environment.TEST).tags(), "its tags name no end"),
        (Due(NOW - timedelta(days=1)), WHOLE, "its time is not over before"),
    ],
)
def test_a_service_principal_whose_application_is_gone_has_its_own_stamp_alone(
    ours: Ours, tags: tuple[str, ...], why: str, live: bool
) -> None:
    remains = seen(ours, tuple(tags), live=live)
    assert remains.is_empty
    [left] = remains.left_alone
    assert left.startswith(f"the service principal 'Proself mail' (p): {why}")


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("ours", [OfStack(STACK), Due(NOW)])
def test_one_of_a_test_whose_time_is_over_is_kept(ours: Ours, live: bool) -> None:
    remains = seen(ours, WHOLE, live=live)
    assert [each.object_id for each in remains.principals] == ["p"]
    assert not remains.left_alone
