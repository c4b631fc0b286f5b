"""What a proof waits for, and what it tells at once or leaves: by what its readers show."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail import facts
from proself_mail.entra.directory import ApplicationRecord, GrantRecord, ServicePrincipalRecord
from proself_mail.entra.faq import ReadBack
from proself_mail.entra.patience import Patience
from proself_mail.errors import CheckFailed
from proself_mail.stack.state import SECRET_KIND
from proself_mail.update import proof
from tests import jumping
from tests.unit.test_faq import APPLICATION, CALLER, EXCHANGE, GRANT, OUTPUTS, SETTINGS

WHOLE = APPLICATION
RENAMED = replace(APPLICATION, display_name="Somebody's name")
REMOVED = replace(APPLICATION, passwords=())
"""Its client secret; or the reader does not show it yet."""
BOTH = replace(RENAMED, passwords=())
SECRETS = frozenset({SECRET_KIND})
MORE = SECRETS | {"azuread:index/application:Application"}


class Readers:
    """A directory that gives one application after the other, and then the last one for ever."""

    def __init__(self, *shown: ApplicationRecord) -> None:
        self.reads = 0
        self._shown: Iterator[ApplicationRecord] = chain(shown, repeat(shown[-1]))

    async def application(self, _: str) -> ApplicationRecord:
        self.reads += 1
        return next(self._shown)

    async def service_principal(self, client_id: str) -> ServicePrincipalRecord:
        own = ServicePrincipalRecord("principal", "client-id", "Proself mail", True, ())
        return EXCHANGE if client_id == facts.EXCHANGE_ONLINE_APP_ID else own

    async def grants(self, _: str) -> Sequence[GrantRecord]:
        return (GRANT,)


def read_back(
    readers: Readers,
    wrote: frozenset[str] = frozenset(),
    *,
    trailing: bool = False,
    leaves_drift: bool = True,
) -> tuple[ReadBack, float]:
    """Read back after an update that `wrote` so; return what is shown, and after how long in s."""
    opened = SimpleNamespace(directory=readers, caller=CALLER)
    at = SimpleNamespace(stack=SimpleNamespace(name="prod"), settings=SETTINGS, opened=opened)
    patience = Patience(lambda _: None)
    patience.trailing = trailing

    async def read() -> tuple[ReadBack, float]:
        found = await proof.read_back(
            cast(Any, at), OUTPUTS, patience, wrote=wrote, leaves_drift=leaves_drift
        )
        return found, asyncio.get_running_loop().time()

    return jumping.run(read)


@pytest.mark.parametrize(
    ("shown", "wrote", "trailing"),
    [
        ([RENAMED], MORE, False),
        ([RENAMED], SECRETS, True),
        ([RENAMED], frozenset(), True),
        ([REMOVED], SECRETS, False),
        ([BOTH], SECRETS, False),
        ([RENAMED, BOTH, RENAMED], SECRETS, False),
        ([RENAMED, WHOLE, RENAMED], SECRETS, False),
    ],
    ids=[
        *("of what was written", "a reader was seen to trail", "so it was before"),
        *("a new secret", "a new secret and more", "one reader, a new secret", "readers disagree"),
    ],
)
def test_what_may_be_a_lag_is_read_again(
    shown: Sequence[ApplicationRecord], wrote: frozenset[str], trailing: bool
) -> None:
    """What somebody changed is left only where it is surely that."""
    first = (*shown, *shown, *shown)[:3]
    readers = Readers(*first, WHOLE)
    found, _ = read_back(readers, wrote, trailing=trailing)
    assert not found.drift
    assert readers.reads == 6


@pytest.mark.parametrize("wrote", [frozenset(), SECRETS])
def test_what_is_no_lag_is_left_or_told_at_once(wrote: frozenset[str]) -> None:
    readers = Readers(RENAMED)
    found, _ = read_back(readers, wrote)
    assert found.application == RENAMED
    assert found.drift
    assert readers.reads == 3
    with pytest.raises(CheckFailed, match="The tenant differs from the stack: step 2") as told:
        read_back(readers, wrote, leaves_drift=False)
    assert readers.reads == 6
    assert "`pulumi up --refresh --stack prod`" in told.value.next_step


@pytest.mark.parametrize(
    ("shown", "command"),
    [(REMOVED, "proself-mail rotate --now"), (BOTH, "pulumi up --refresh")],
)
def test_a_secret_that_is_gone_is_never_left(shown: ApplicationRecord, command: str) -> None:
    readers = Readers(shown)
    with pytest.raises(CheckFailed, match="The tenant differs from the stack") as told:
        read_back(readers)
    assert readers.reads == 3
    assert told.value.next_step.startswith(f"`{command} --stack prod`")
    with pytest.raises(CheckFailed, match="has differed from the stack for 3 minutes") as told:
        read_back(readers, SECRETS)
    assert f"`{command} --stack prod`" in told.value.next_step


def test_what_lasts_longer_than_a_lag_is_left_or_told() -> None:
    found, seconds = read_back(Readers(RENAMED), MORE)
    assert found.application == RENAMED
    assert proof.DRIFT.total_seconds() < seconds < proof.DRIFT.total_seconds() + 1
    with pytest.raises(CheckFailed, match="has differed from the stack for 3 minutes: step 2"):
        read_back(Readers(RENAMED), MORE, leaves_drift=False)
