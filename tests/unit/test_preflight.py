"""What the look before an update makes of a state whose application no reader shows."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail.check import Check, Outcome
from proself_mail.entra.directory import Forbidden, NotFound
from proself_mail.entra.patience import AGREEING
from proself_mail.schedule import format_instant, open_windows, parse_instant
from proself_mail.stack.state import APPLICATION, SECRET_PREFIX, Resource, State
from proself_mail.update import preflight
from tests import jumping
from tests.unit.test_settings import good

NOW = datetime(2027, 4, 1, tzinfo=UTC)
OWN = "11111111-1111-4111-8111-111111111111"


class Readers:
    """A directory of which the readers asked at these places show the application."""

    def __init__(self, shown_by: Collection[int] = (), bin_shows: bool | None = False) -> None:
        self._shown_by = shown_by
        self._bin_shows = bin_shows
        self._asked = 0

    async def application(self, object_id: str) -> object:
        self._asked += 1
        if self._asked in self._shown_by:
            return object_id
        raise NotFound(404, "Request_ResourceNotFound", object_id)

    async def deleted_item(self, object_id: str) -> object:
        if self._bin_shows is None:
            raise Forbidden(403, "Authorization_RequestDenied", "No")
        if self._bin_shows:
            return object_id
        raise NotFound(404, "Request_ResourceNotFound", object_id)


def looked(readers: Readers, age: timedelta) -> Check:
    made = f"{(NOW - age):%Y-%m-%dT%H:%M:%S}.123456789Z"  # as the engine writes it
    own = Resource(APPLICATION, f"/applications/{OWN}", {}, made)
    state = State({APPLICATION: own}, (), (), {})
    return jumping.run(
        lambda: preflight.application(cast(Any, readers), state, (), good().stack_id, NOW, "prod")
    )


@pytest.mark.parametrize(
    ("bin_shows", "age", "outcome"),
    [
        (True, timedelta(minutes=1), Outcome.FAIL),
        (False, timedelta(minutes=59), Outcome.UNKNOWN),
        (None, timedelta(minutes=59), Outcome.UNKNOWN),
        (False, timedelta(minutes=61), Outcome.FAIL),
        (None, timedelta(minutes=61), Outcome.FAIL),
    ],
)
def test_an_application_is_gone_where_that_is_no_lag(
    bin_shows: bool | None, age: timedelta, outcome: Outcome
) -> None:
    """A reader may trail behind its making, and nobody may see the recycle bin."""
    check = looked(Readers(bin_shows=bin_shows), age)
    assert check.outcome is outcome
    assert check.stops is (outcome is Outcome.FAIL)
    assert ("recycle bin" in check.detail) is bool(bin_shows)


@pytest.mark.parametrize(("behind", "outcome"), [(0, Outcome.OK), (240, Outcome.FAIL)])
def test_what_this_machines_clock_does_not_open_yet_is_not_forgotten(
    behind: int, outcome: Outcome
) -> None:
    """By the tenant's it is open, and the program, which would drop it, goes by ours."""
    settings, now = good(), parse_instant("2027-04-01T00:01:00Z")
    [window] = open_windows(settings.entries, now)
    made = {"endDate": format_instant(window.expires)}
    state = State({f"{SECRET_PREFIX}{window.id}": Resource("x", OWN, made)}, (), (), {})
    caller = SimpleNamespace(object_id=str(settings.owners[0]))
    opened = SimpleNamespace(skew=timedelta(seconds=behind), caller=caller)
    at = SimpleNamespace(
        stack=SimpleNamespace(name="prod"), settings=settings, state=state, opened=opened
    )
    looked = preflight.of_stack(cast(Any, at), (), None, now, None)
    [check] = [each for each in looked if each.name == "stack file"]
    assert check.outcome is outcome, check
    assert ("a machine whose clock is ahead" in check.detail) is bool(behind)
    assert ("try again after 2027-04-01T00:00:00Z" in check.next_step) is bool(behind)


def test_an_application_that_one_reader_shows_is_there() -> None:
    """Without its stamp, or where a reader of the recycle bin trails behind its restoring."""
    for nth in (AGREEING, 2 * AGREEING + 1):
        found = looked(Readers(shown_by=[nth], bin_shows=True), timedelta(days=9))
        assert found.outcome is Outcome.OK
