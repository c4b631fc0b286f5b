"""Which stacks a sweep finds to be due, wherever in a tenant their stamps are."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp
from proself_mail.entra.directory import ApplicationRecord, ServicePrincipalRecord
from proself_mail.removal import sweep
from proself_mail.removal.ownership import Due

NOW = datetime(2027, 4, 2, tzinfo=UTC)
STACK = UUID(int=1)
TAGS = tuple(Stamp(STACK, Environment.TEST, NOW - timedelta(days=1)).tags())
APPLICATION = ApplicationRecord(
    "a", "c", "Proself mail", NOW, TAGS, "AzureADMyOrg", (), (), 2, {}, ()
)
PRINCIPAL = ServicePrincipalRecord("p", "c", "Proself mail", True, TAGS)
HOLDS = {
    "applications_tagged": APPLICATION,
    "deleted_applications_tagged": APPLICATION,
    "service_principals_tagged": PRINCIPAL,
    "deleted_service_principals_tagged": PRINCIPAL,
}


class Holding:
    """A directory that has one thing, in one of its listings."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __getattr__(self, listing: str) -> Any:
        async def listed(_: str) -> AsyncIterator[object]:
            if listing == self._where:
                yield HOLDS[listing]

        return listed


@pytest.mark.parametrize("where", HOLDS)
def test_what_is_left_alone_of_a_stack_is_found(where: str) -> None:
    found = asyncio.run(sweep._due(cast(Any, Holding(where)), Due(NOW)))
    assert found == (1, {STACK})
