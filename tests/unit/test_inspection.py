"""What hangs on what a listing showed, where that has been deleted since: the listing trailed."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from proself_mail.entra.directory import ApplicationRecord, NotFound, ServicePrincipalRecord
from proself_mail.entra.patience import SETTLING, Patience
from proself_mail.removal.inspection import Inspected, Inspector
from proself_mail.removal.remains import Remains
from tests.jumping import run

APPLICATION = ApplicationRecord(
    "a", "c", "Proself mail", None, (), "AzureADMyOrg", (), (), 2, {}, ()
)
PRINCIPAL = ServicePrincipalRecord("p", "c", "Proself mail", True, ())
NOTHING = Inspected((), (), ())


class Deleted:
    """A directory that has none of it any more, but maybe in its recycle bin.

    `live`: or it has the application, and shows nothing that hangs on it. `bin_forgets`: every
    other reader of the recycle bin trails.
    """

    def __init__(
        self,
        *in_bin: str,
        back_after: float = float("inf"),
        live: bool = False,
        bin_forgets: bool = False,
    ) -> None:
        self._in_bin = in_bin
        self._back_after = back_after
        self._live = live
        self._bin_forgets = bin_forgets
        self._bin_answers = False

    async def _hanging(self, object_id: str) -> list[str]:
        if asyncio.get_running_loop().time() < self._back_after:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return ["somebody"] if object_id == "a" else []

    owners = service_principal_owners = grants = _hanging

    async def certificates(self, object_id: str) -> list[str]:
        return (await self._hanging(object_id))[1:]

    federated_credentials = certificates

    async def service_principal(self, _: str) -> None:
        return None

    async def application(self, object_id: str) -> ApplicationRecord:
        if not self._live:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return APPLICATION

    async def deleted_item(self, object_id: str) -> ApplicationRecord:
        self._bin_answers = not (self._bin_forgets and self._bin_answers)
        if object_id not in self._in_bin or not self._bin_answers:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return replace(APPLICATION, object_id=object_id)


def inspected(directory: Deleted) -> tuple[Inspected, float]:
    """What is found, and after how many seconds."""
    seen = Remains((APPLICATION,), (PRINCIPAL,), ())

    async def work() -> tuple[Inspected, float]:
        patience = Patience(lambda _: None)
        found = await Inspector(cast(Any, directory), patience, owners=["us"]).inspect(seen)
        return found, asyncio.get_running_loop().time()

    return run(work)


def test_nothing_hangs_on_what_is_in_the_recycle_bin() -> None:
    found, seconds = inspected(Deleted("a", "p"))
    assert found == NOTHING
    assert seconds < 1


def test_what_one_reader_shows_in_the_recycle_bin_and_others_live_is_deleted() -> None:
    found, seconds = inspected(Deleted("a", live=True, bin_forgets=True))
    assert found == NOTHING
    assert seconds < 1


def test_nothing_hangs_on_what_somebody_else_purged_meanwhile() -> None:
    found, seconds = inspected(Deleted())
    assert found == NOTHING
    assert seconds < SETTLING.total_seconds() + 2


def test_what_is_there_and_shows_to_no_reader_might_be_somebodys() -> None:
    with pytest.raises(NotFound):
        inspected(Deleted(live=True))


def test_what_a_reader_shows_late_is_looked_at() -> None:
    found, seconds = inspected(Deleted(back_after=SETTLING.total_seconds() / 2))
    assert found.additions == ("an owner somebody",)
    assert seconds < SETTLING.total_seconds()
