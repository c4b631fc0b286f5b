"""What is read of a stack whose secrets are rotated, where readers trail and clocks differ."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail import clock
from proself_mail.config.settings import Environment, Settings
from proself_mail.config.stamp import Stamp
from proself_mail.entra.directory import ApplicationRecord, NotFound, PasswordRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.entra.patience import Patience
from proself_mail.errors import CheckFailed, Error, PartlyFailed, Refused, RemoteError
from proself_mail.rotation import appended_entry, rotate, spent_secrets
from proself_mail.rotation.rotating_stack import RotatingStack
from proself_mail.schedule import Window, format_instant, open_windows
from proself_mail.stack.failure import classify
from proself_mail.stack.observed import Observed
from proself_mail.stack.stack import NoStackError
from proself_mail.stack.state import APPLICATION, SECRET_KIND, SECRET_PREFIX, Resource, State
from proself_mail.update import up
from tests.jumping import run
from tests.unit.test_settings import good

SETTINGS = good()
DAY = timedelta(days=1)
T0 = datetime(2027, 4, 1, tzinfo=UTC)
FIRST, SECOND = open_windows(SETTINGS.entries, T0 + 160 * DAY)
ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"
OLD = PasswordRecord(ONE, "Proself 2027-04-01", FIRST.starts, FIRST.expires)
NEW = PasswordRecord(TWO, "Proself 2027-08-29", SECOND.starts, SECOND.expires)
TAGS = tuple(Stamp(SETTINGS.stack_id, Environment.TEST).tags())
OURS = ApplicationRecord("app", "client", "mail", None, TAGS, "", (), (), None, {}, (OLD, NEW))


def state(*secrets: tuple[Window, str]) -> State:
    made = [
        Resource(SECRET_PREFIX + window.id, f"app/password/{key}", {"endDate": format_instant(end)})
        for window, key in secrets
        for end in [window.expires]
    ]
    application = Resource(APPLICATION, "/applications/app", {"clientId": "client"})
    return State({each.name: each for each in (application, *made)}, (), (), {})


BOTH = state((FIRST, ONE), (SECOND, TWO))


class Tenant:
    """A directory that gives one answer after the other; None is that there is no such object."""

    def __init__(self, answers: Iterable[ApplicationRecord | None]) -> None:
        self.reads = 0
        self.bearers: Sequence[ApplicationRecord] = ()
        self._answers: Iterator[ApplicationRecord | None] = iter(answers)

    async def application(self, object_id: str) -> ApplicationRecord:
        self.reads += 1
        assert self.reads < 1000, "it reads for ever"
        found = next(self._answers)
        if found is None:
            raise NotFound(404, "Request_ResourceNotFound", object_id)
        return found

    async def applications_tagged(self, _: str) -> AsyncIterator[ApplicationRecord]:
        for each in self.bearers:
            yield each

    async def set_notes(self, *_: str) -> None:
        pass


class Engine:
    """An engine that does what is asked at once."""

    async def awaited(self, work: Callable[[], object]) -> object:
        return work()


def stack_of(
    tenant: Tenant,
    held: State = BOTH,
    *,
    ahead: timedelta = timedelta(),
    now_held: Callable[[], State] = lambda: BOTH,
    updates: Sequence[Observed] = (Observed(),),
) -> RotatingStack:
    """Give a stack with a state that was read before, and one that is held `now`."""
    stack = SimpleNamespace(
        name="prod", engine=Engine(), state=now_held, covered_state=now_held, updates=updates
    )
    session = SimpleNamespace(directory=tenant, tenant_now=lambda: clock.now() + ahead)
    return RotatingStack(
        cast(Any, stack), SETTINGS, held, cast(Any, session), False, Patience(lambda _: None)
    )


def set_clock(patch: pytest.MonkeyPatch, now: datetime) -> None:
    patch.setattr(clock, "now", lambda: now)


@pytest.fixture(autouse=True)
def first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, T0 + DAY)


@pytest.mark.parametrize(
    "tags", [(), tuple(Stamp(good().tenant_id, Environment.TEST).tags())], ids=["none", "another's"]
)
def test_an_application_without_the_stacks_stamp_is_not_rotated(tags: tuple[str, ...]) -> None:
    at = stack_of(Tenant(repeat(replace(OURS, tags=tags))))
    with pytest.raises(Refused, match="app does not have this stack's tag") as refused:
        run(at.application)
    assert "Check `stackId` in the stack file of prod" in refused.value.next_step


def test_an_application_is_gone_where_three_readers_say_so() -> None:
    assert run(stack_of(Tenant([None, None, OURS])).application) == OURS
    with pytest.raises(CheckFailed, match="is not in the tenant") as gone:
        run(stack_of(Tenant([None, None, None, OURS])).application)
    assert "restore it" in gone.value.next_step
    assert "not there either, as after a sweep, `pulumi up --refresh" in gone.value.next_step


def test_one_that_is_gone_is_not_made_anew_beside_another_that_is_alive() -> None:
    tenant = Tenant(repeat(None))
    for tags, is_ours in ((TAGS, True), (tuple(each.upper() for each in TAGS), False)):
        tenant.bearers = [replace(OURS, object_id="another", tags=tags)]
        with pytest.raises(CheckFailed, match="is not in the tenant") as gone:
            run(stack_of(tenant).application)
        assert ("bring the state that knows it back" in gone.value.next_step) is is_ours
        assert ("pulumi up --refresh" in gone.value.next_step) is not is_ours


def test_a_secret_is_gone_where_three_readers_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, T0 + 160 * DAY)
    behind = replace(OURS, passwords=(OLD,))
    assert run(stack_of(Tenant([behind, behind, OURS])).plan).secrets.vanished == ()
    assert run(stack_of(Tenant([behind, behind, behind, OURS])).plan).secrets.vanished == (SECOND,)


@pytest.mark.parametrize(
    ("now", "ahead", "expired"),
    [
        (timedelta(minutes=1), timedelta(minutes=-2), ()),
        (timedelta(minutes=2), timedelta(minutes=-1), (OLD,)),
        (timedelta(minutes=1), timedelta(minutes=2), (OLD,)),
        (timedelta(minutes=-1), timedelta(minutes=2), ()),
    ],
)
def test_a_secret_has_expired_where_both_clocks_say_so(
    monkeypatch: pytest.MonkeyPatch,
    now: timedelta,
    ahead: timedelta,
    expired: tuple[PasswordRecord, ...],
) -> None:
    set_clock(monkeypatch, FIRST.expires + now)
    assert stack_of(Tenant([]), ahead=ahead).planned(OURS).secrets.expired == expired


def test_what_was_removed_is_gone_where_three_readers_in_a_row_say_so() -> None:
    gone = replace(OURS, passwords=(NEW,))
    tenant = Tenant([gone, gone, OURS, gone, gone, gone, OURS])
    assert run(lambda: spent_secrets.settled(stack_of(tenant), [OLD])) == gone
    assert tenant.reads == 6


def test_what_still_shows_long_after_its_removal_is_told() -> None:
    at = stack_of(Tenant(repeat(OURS)))
    with pytest.raises(PartlyFailed, match=f"Still there after their removal: .*{ONE}") as failed:
        run(lambda: spent_secrets.settled(at, [OLD]))
    assert TWO not in str(failed.value)
    assert "`proself-mail rotate --stack prod` tries again" in failed.value.next_step


BY_HAND = PasswordRecord("33333333-3333-4333-8333-333333333333", "by hand", T0, None)
BEFORE = replace(OURS, passwords=(OLD, BY_HAND))
THREE = "44444444-4444-4444-8444-444444444444"
ENTRY = replace(SETTINGS.entries[0], starts=SECOND.starts)
EARLY = replace(SECOND, starts=T0 + 9 * DAY, expires=FIRST.expires + 9 * DAY)
ANOTHER_MACHINES = replace(
    OURS, passwords=(OLD, PasswordRecord(THREE, "Proself", EARLY.starts, EARLY.expires))
)
WITH_ANOTHER = replace(OURS, passwords=(OLD, BY_HAND, NEW))
ALONE = state((FIRST, ONE))


@pytest.mark.parametrize(
    ("answers", "held", "nothing"),
    [
        ([BEFORE, BEFORE, BEFORE], ALONE, True),
        ([BEFORE, WITH_ANOTHER, BEFORE], ALONE, False),
        ([BEFORE, BEFORE, BEFORE], BOTH, False),
        ([ANOTHER_MACHINES] * 3, state((FIRST, ONE), (EARLY, THREE)), True),
        ([BEFORE, None, None, None], ALONE, True),
        ([BEFORE, BEFORE, BEFORE], replace(ALONE, pending=(SECRET_PREFIX + SECOND.id,)), False),
        ([BEFORE, BEFORE, BEFORE], replace(ALONE, pending=(SECRET_PREFIX + EARLY.id,)), True),
    ],
    ids=[
        *("none", "one reader shows one", "the state has one", "of another window", "all is gone"),
        *("cut short", "of another window, cut short"),
    ],
)
def test_an_entry_came_to_nothing_where_surely_no_secret_was_made_for_it(
    answers: list[ApplicationRecord | None], held: State, nothing: bool
) -> None:
    """What another machine makes meanwhile does not count, nor what its teardown removed."""
    at = stack_of(Tenant(answers), ALONE, now_held=lambda: held)
    assert run(lambda: appended_entry.came_to_nothing(at, ENTRY)) is nothing


@pytest.mark.parametrize(
    ("error", "nothing"),
    [
        (RemoteError("The backend does not answer.", "Try again."), False),
        (NoStackError("There is no stack prod.", "Make it."), True),
    ],
)
def test_a_state_that_cannot_be_read_is_not_one_that_is_gone(error: Error, nothing: bool) -> None:
    def fail() -> State:
        raise error

    at = stack_of(Tenant(repeat(BEFORE)), ALONE, now_held=fail)
    assert run(lambda: appended_entry.came_to_nothing(at, ENTRY)) is nothing


@pytest.mark.parametrize(
    ("words", "touched", "nothing"),
    [
        ("HTTP response was nil; connection may have been reset", SECRET_KIND, False),
        ("unexpected status 503", SECRET_KIND, False),
        ("unexpected status 403", SECRET_KIND, True),
        ("connection reset by peer", "azuread:index/application:Application", True),
    ],
)
def test_a_secret_may_have_been_made_where_no_answer_came(
    words: str, touched: str, nothing: bool
) -> None:
    """Whatever readers show: they may trail. Another engine ran after that, and was cut short."""
    failed = Observed([classify(words)], touched={touched})
    at = stack_of(
        Tenant(repeat(BEFORE)), ALONE, now_held=lambda: ALONE, updates=[failed, Observed()]
    )
    assert run(lambda: appended_entry.came_to_nothing(at, ENTRY)) is nothing


def test_no_secret_was_made_where_no_engine_began() -> None:
    """Nobody has to be asked, and nobody waited for: a second Ctrl-C finds the file put back."""
    tenant = Tenant([])
    at = stack_of(tenant, ALONE, now_held=lambda: BOTH, updates=())
    assert run(lambda: appended_entry.came_to_nothing(at, ENTRY))
    assert tenant.reads == 0


@pytest.mark.parametrize(
    ("settings", "held", "told"),
    [
        (good(displayName="Another's"), ALONE, "was changed while this"),
        (SETTINGS, state((FIRST, ONE), (EARLY, THREE)), "file is older than the state"),
        (SETTINGS, state((FIRST, THREE)), "Another run made or removed client secrets"),
    ],
    ids=["the file", "the state", "a secret"],
)
def test_what_changed_since_it_was_read_is_refused(
    settings: Settings, held: State, told: str
) -> None:
    """While a person was asked, by a `git pull` or by another machine."""

    async def read() -> tuple[Settings, State]:
        return settings, held

    at = stack_of(Tenant([]), ALONE)
    at.stack.file_shown = "Pulumi.prod.yaml"  # type: ignore[misc]
    at.stack.read = read  # type: ignore[method-assign,assignment]
    with pytest.raises(Refused, match=told):
        run(at.unchanged)


def test_what_another_machine_noted_since_the_plan_stays() -> None:
    """Nor is what an update of the application blanked lost."""
    tenant = Tenant([])
    at = stack_of(tenant, ALONE)
    planned = replace(OURS, notes=Ledger({ONE: FIRST.id}, ONE).into("Ours."))
    plan = at.planned(planned)
    there = frozenset({ONE, TWO, THREE})
    for stands, pasted in (
        (Ledger({ONE: FIRST.id, THREE: EARLY.id}, THREE).into("Theirs."), THREE),
        (planned.notes, ONE),
        ("", ONE),
    ):
        now = replace(planned, notes=stands)
        made = {TWO: SECOND.id}
        noted = run(partial(at.note, plan, now, made=made, there=there)).notes
        ledger = Ledger.read(noted)
        assert ledger.pasted == pasted
        assert ledger.made.keys() >= {ONE, TWO, *Ledger.read(stands).made}
        assert noted.startswith("Theirs." if pasted == THREE else "Ours.")
    noted = run(partial(at.note, plan, replace(planned, notes=stands), pasted=TWO)).notes
    assert Ledger.read(noted).pasted == TWO


@pytest.mark.parametrize("carries_on", [False, True])
def test_what_only_forgets_is_all_unless_it_carries_an_update_on(
    monkeypatch: pytest.MonkeyPatch, carries_on: bool
) -> None:
    """What that one began is to be brought to its end, and its journal stays until then."""
    did: list[str] = []
    forgotten = state((SECOND, TWO))
    gone = replace(OURS, passwords=(NEW,))
    at = stack_of(Tenant(repeat(gone)), now_held=lambda: forgotten)
    record = SimpleNamespace(carries_on=carries_on, end=lambda: did.append("ended"))
    record.writing = lambda *_: record

    async def forget(*_: object) -> bool:
        did.append("forgot")
        return True

    async def update(*_: object) -> object:
        did.append("updated")
        return SimpleNamespace(state=forgotten, application=gone)

    set_clock(monkeypatch, FIRST.expires + DAY)
    monkeypatch.setattr(up, "begin", lambda *_: record)
    monkeypatch.setattr(up, "signed_in", update)
    monkeypatch.setattr(rotate, "_forget", forget)

    plan = at.planned(gone)
    assert plan.forget == (FIRST.id,)

    async def rotated() -> rotate.Rotation:
        looking = asyncio.get_running_loop().create_future()
        looking.set_result(up.Looked((), [gone]))
        return await rotate._apply(at, plan, lambda _: None, looking)

    ended = run(rotated)
    assert did == (["forgot", "updated"] if carries_on else ["forgot", "ended"])
    assert (ended.done is not None) is carries_on
    assert ended.after.forget == ()
