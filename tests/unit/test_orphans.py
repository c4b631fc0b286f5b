"""Orphans carried out: against a directory in memory whose readers trail, by a clock that jumps.

Whatever the readers show and when, what is left is one application with the secret that the state
knows; what is foreign is as it was.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from proself_mail import facts
from proself_mail.config.configuration import parse
from proself_mail.entra.directory import (
    ApplicationRecord,
    DirectoryError,
    Forbidden,
    GrantRecord,
    NotFound,
    PasswordRecord,
    ServicePrincipalRecord,
)
from proself_mail.entra.patience import Patience
from proself_mail.errors import Refused
from proself_mail.schedule import format_instant
from proself_mail.stack.state import (
    APPLICATION,
    CONSENT,
    IDENTIFIER_URI,
    SERVICE_PRINCIPAL,
    Resource,
    State,
)
from proself_mail.update.journal import Journal
from proself_mail.update.orphans import Orphans
from tests.jumping import run

STACK = uuid.UUID("6a1f0c2e-90b4-4f3a-8a1e-0c5c6d3f7a10")
BEGAN = datetime(2027, 4, 1, 12, tzinfo=UTC)
ENDS = datetime(2027, 9, 28, tzinfo=UTC)
TAGS = ("proself-mail", f"proself-mail:stack={STACK}", "proself-mail:environment=test")
OWN = "11111111-1111-4111-8111-111111111111"
KEY = "99999999-9999-4999-8999-999999999999"
T = TypeVar("T")


def tenant_now() -> datetime:
    return BEGAN + timedelta(seconds=4 + asyncio.get_running_loop().time())


class Trailing:
    """A directory whose reads see it as it was up to `lag` seconds ago, and fail now and then."""

    def __init__(self, chance: random.Random, live: list[ApplicationRecord], lag: float) -> None:
        self._chance = chance
        self._lag = lag
        self._versions: list[tuple[float, dict[str, ApplicationRecord]]] = [
            (-1e9, {}),
            (0.0, {each.object_id: each for each in live}),
        ]
        self.bin: dict[str, ApplicationRecord] = {}
        self.purged: list[str] = []

    @property
    def live(self) -> dict[str, ApplicationRecord]:
        return dict(self._versions[-1][1])

    def _seen(self) -> dict[str, ApplicationRecord]:
        if self._chance.random() < 0.05:
            raise DirectoryError(self._chance.choice((None, 429, 503)), "busy", "for a moment")
        at = asyncio.get_running_loop().time() - self._chance.uniform(0, self._lag)
        return next(seen for since, seen in reversed(self._versions) if since <= at)

    def _becomes(self, live: dict[str, ApplicationRecord]) -> None:
        self._versions.append((asyncio.get_running_loop().time(), live))

    def _there(self, object_id: str, seen: dict[str, ApplicationRecord]) -> ApplicationRecord:
        if object_id not in seen:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return seen[object_id]

    async def applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        for each in self._seen().values():
            if tag.lower() in (one.lower() for one in each.tags):
                yield each

    async def application(self, object_id: str) -> ApplicationRecord:
        return self._there(object_id, self._seen())

    async def remove_password(self, application_id: str, key_id: str) -> None:
        self._there(application_id, self._seen())
        held = self.live[application_id]
        if key_id not in {each.key_id for each in held.passwords}:
            raise NotFound(400, "BadRequest", key_id)
        kept = tuple(each for each in held.passwords if each.key_id != key_id)
        self._becomes(self.live | {application_id: replace(held, passwords=kept)})
        if self._chance.random() < 0.2:  # carried out, and the reply lost
            raise DirectoryError(None, "ReadError", "no answer")

    async def delete_application(self, object_id: str) -> None:
        self._there(object_id, self._seen())
        self._there(object_id, self.live)
        held = self.live[object_id]
        self._becomes({key: each for key, each in self.live.items() if key != object_id})
        self.bin[object_id] = held
        if self._chance.random() < 0.2:  # carried out, and the reply lost
            raise DirectoryError(None, "ReadError", "no answer")

    async def deleted_applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        for each in self.bin.values():
            if tag.lower() in (one.lower() for one in each.tags):
                yield each

    async def purge_application(self, object_id: str) -> None:
        if object_id not in self.bin or self._chance.random() < 0.3:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        del self.bin[object_id]
        self.purged.append(object_id)


def secret(key: str, expires: datetime = ENDS) -> PasswordRecord:
    return PasswordRecord(key, "proself 2027-04-01", BEGAN + timedelta(seconds=3), expires)


def application(
    object_id: str, tags: tuple[str, ...] = TAGS, held: tuple[PasswordRecord, ...] = ()
) -> ApplicationRecord:
    return ApplicationRecord(
        object_id, f"client-{object_id}", "Proself mail", BEGAN + timedelta(seconds=1), tags, "",
        (), (), 2, {}, held,
    )  # fmt: skip


def orphans(directory: Any, said: list[str] | None = None) -> Orphans:
    settings = parse(
        {
            "tenantId": str(uuid.UUID(int=1)),
            "target": "embedded",
            "stackId": str(STACK),
            "server": "proself.example.jp",
            "mailbox": "proself@contoso.example",
            "environment": "test",
            "owners": [str(uuid.UUID(int=2))],
            "secretDescription": "proself",
            "secrets": [{"from": format_instant(BEGAN), "everyDays": 150, "overlapDays": 30}],
        },
        "dev",
    )
    journal = Journal(Path("update.json"), STACK, BEGAN, carries_on=True, since=BEGAN)
    patience = Patience(lambda _: None)
    patience.trailing = True
    say = said.append if said is not None else lambda _: None
    return Orphans(directory, "dev", settings, journal, patience, say)


STATE = State(
    {
        APPLICATION: Resource(APPLICATION, f"/applications/{OWN}", {"clientId": f"client-{OWN}"}),
        "secret-w": Resource(
            "secret-w", f"{OWN}/password/{KEY}", {"endDate": format_instant(ENDS)}
        ),
    },
    (),
    (),
    {},
)
OTHERS = {name: Resource(name, name, {}) for name in (IDENTIFIER_URI, SERVICE_PRINCIPAL, CONSENT)}
FOREIGN = [
    application("other-stack", (*TAGS[:1], f"proself-mail:stack={uuid.UUID(int=9)}", TAGS[2])),
    application("same-name", ()),
    application("in-capitals", tuple(tag.upper() for tag in TAGS)),
]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_there_twice_goes_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    doubles = [application(f"double-{n}") for n in range(chance.randint(0, 3))]
    extra = tuple(secret(str(uuid.UUID(int=100 + n))) for n in range(chance.randint(0, 2)))
    another = secret(str(uuid.UUID(int=500)), ENDS + timedelta(days=1))
    own = application(OWN, held=(secret(KEY), *extra, another))
    directory = Trailing(chance, [own, *doubles, *FOREIGN], lag=chance.uniform(0, 8))
    told = run(lambda: orphans(directory).clean(STATE, tenant_now, wrote=lambda: True))
    left = directory.live
    assert {each for each in left if each not in {f.object_id for f in FOREIGN}} == {OWN}
    assert [left[each.object_id] for each in FOREIGN] == FOREIGN
    assert {each.key_id for each in left[OWN].passwords} == {KEY, another.key_id}
    assert sorted(directory.purged) == sorted(each.object_id for each in doubles)
    assert not directory.bin
    assert len(told) == 1, "the secret of another window is left alone and told of"


def test_a_secret_that_the_state_lost_during_an_update_may_be_in_use() -> None:
    """As by a refresh beside it: another of its window stands in its place by then."""
    lost = secret(str(uuid.UUID(int=8)))
    own = application(OWN, held=(lost, secret(KEY)))
    directory = Trailing(random.Random(1), [own], lag=0)  # noqa: S311
    of = orphans(directory)
    told = {"clientSecrets": [{"keyId": lost.key_id, "id": "w"}]}
    before = replace(STATE, resources={**STATE.resources, **OTHERS}, outputs=told)
    run(lambda: of.adoption(before, [own], ()))
    [left] = run(lambda: of.clean(STATE, tenant_now, wrote=lambda: True))
    assert lost.key_id in left
    assert directory.live[OWN].passwords == own.passwords


def test_what_the_engine_deleted_may_be_shown_a_while_longer() -> None:
    """It had been replaced, and the state does not know it any more."""
    own = application(OWN, held=(secret(KEY),))
    old = application("old", held=(secret(str(uuid.UUID(int=7))),))
    directory = Trailing(random.Random(1), [own, old], lag=0)  # noqa: S311
    of = orphans(directory)
    before = replace(
        STATE,
        resources={**STATE.resources, **OTHERS},
        replaced=(Resource(APPLICATION, "/applications/old", {}),),
    )
    run(lambda: of.adoption(before, [own, old], ()))
    told = run(lambda: of.clean(STATE, tenant_now, wrote=lambda: True))
    assert list(directory.live) == [OWN, "old"]
    assert told == ("the application old, which was replaced, is deleted",)


def test_a_double_that_nobody_here_may_purge_does_not_stop_the_update() -> None:
    """Purging takes rights of its own, of an administrator's as a rule."""

    class Guarded(Trailing):
        async def purge_application(self, object_id: str) -> None:
            raise Forbidden(403, "Authorization_RequestDenied", object_id)

    said: list[str] = []
    directory = Guarded(random.Random(1), [application(OWN), application("double")], lag=0)  # noqa: S311
    of = orphans(directory, said)
    state = replace(STATE, resources={APPLICATION: STATE.resources[APPLICATION]})
    run(lambda: of.clean(state, tenant_now, wrote=lambda: True))
    assert set(directory.live) == {OWN}
    run(lambda: of.empty_bin(state))
    told = "double stays in the recycle bin, for 30 days (Authorization_RequestDenied)"
    assert len([each for each in said if told in each]) == 2


@pytest.mark.parametrize("trails", [False, True])
def test_what_somebody_removed_is_waited_for_only_where_it_may_show_yet(trails: bool) -> None:
    """That it is gone is for who reads it back to tell; at once, where nothing was written."""

    async def took() -> float:
        directory = Trailing(random.Random(1), [application(OWN)], lag=0)  # noqa: S311
        of = orphans(directory)
        of._patience.trailing = trails
        clock = asyncio.get_running_loop()
        began = clock.time()
        await of.clean(STATE, tenant_now, wrote=lambda: False)
        assert of._patience.trailing == trails
        return clock.time() - began

    assert (run(took) < 3) != trails


def test_what_a_killed_run_left_in_the_recycle_bin_is_purged_and_nothing_else() -> None:
    directory = Trailing(random.Random(1), [], lag=0)  # noqa: S311
    early = replace(application("early"), created=BEGAN - timedelta(seconds=1))
    used = application("used", held=(secret(str(uuid.UUID(int=7))),))
    others = [application(OWN), early, used, *FOREIGN]
    directory.bin = {each.object_id: each for each in (*others, application("double"))}
    run(lambda: orphans(directory).empty_bin(STATE))
    assert directory.purged == ["double"]
    assert list(directory.bin.values()) == others


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"passwords": (secret(str(uuid.UUID(int=7))),)},
        {"tags": ()},
        {"tags": (TAGS[0], f"proself-mail:stack={uuid.UUID(int=9)}", TAGS[2])},
    ],
    ids=["got a secret", "lost its stamp", "got another stack's stamp"],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_double_that_was_used_meanwhile_is_not_deleted(
    seed: int, meanwhile: dict[str, Any]
) -> None:
    class Changing(Trailing):
        async def application(self, object_id: str) -> ApplicationRecord:
            return replace(await super().application(object_id), **meanwhile)

    chance = random.Random(seed)  # noqa: S311
    directory = Changing(chance, [application(OWN), application("double")], lag=0)
    with pytest.raises(Refused, match="no longer what it was"):
        run(lambda: orphans(directory).clean(STATE, tenant_now, wrote=lambda: True))
    assert set(directory.live) == {OWN, "double"}


def test_what_is_missing_is_adopted_whatever_else_the_state_holds() -> None:
    """Names tell, not numbers: a resource under another name stands for nothing."""

    class Consented(Trailing):
        async def service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
            return ServicePrincipalRecord(f"of-{client_id}", client_id, "", True, ())

        async def grants(self, object_id: str) -> tuple[GrantRecord, ...]:
            exchange = f"of-{facts.EXCHANGE_ONLINE_APP_ID}"
            return (GrantRecord("grant", object_id, exchange, None, frozenset({"Mail.Send"})),)

    own = application(OWN, held=(secret(KEY),))
    directory = Consented(random.Random(1), [own], lag=0)  # noqa: S311
    others = {
        name: Resource(name, name, {}) for name in (IDENTIFIER_URI, SERVICE_PRINCIPAL, "consent2")
    }
    state = replace(STATE, resources={**STATE.resources, **others})
    found = run(lambda: orphans(directory).adoption(state, [own], ()))
    assert found == {CONSENT: "/oauth2PermissionGrants/grant"}
