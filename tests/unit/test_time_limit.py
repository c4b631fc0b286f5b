"""When a sweep may remove what a test stack made, and who is told before."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail.check import Outcome
from proself_mail.config import time_limit
from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp
from proself_mail.removal.ownership import Due
from proself_mail.schedule import format_instant
from proself_mail.stack.state import APPLICATION, Resource, State
from proself_mail.update import preflight
from proself_mail.verification import application_checks
from tests.unit.test_settings import good

NOW = datetime(2027, 4, 1, tzinfo=UTC)
TEST = Environment.TEST


@pytest.mark.parametrize(
    ("left", "outcome", "is_told"),
    [
        (timedelta(days=7, seconds=1), Outcome.OK, False),
        (timedelta(days=7), Outcome.OK, True),
        (timedelta(seconds=1), Outcome.OK, True),
        (timedelta(), Outcome.FAIL, True),
        (-timedelta(days=1), Outcome.FAIL, True),
    ],
)
def test_it_fails_as_soon_as_a_sweep_would_remove_it(
    left: timedelta, outcome: Outcome, is_told: bool
) -> None:
    settings = good(environment=TEST, deleteAfter=format_instant(NOW + left))
    stamp = Stamp(settings.stack_id, TEST, settings.delete_after)
    found = time_limit.judge("dev", settings, stamp, NOW)
    assert found.outcome is outcome
    assert time_limit.judge("dev", settings, None, NOW) == found, "as the first update writes it"
    longer = "`pulumi config set deleteAfter 2027-05-01T00:00:00Z --plaintext --stack dev`, then"
    assert (longer in found.next_step) is is_told
    assert format_instant(NOW + left) in found.detail
    assert Due(NOW).verdict(stamp.tags(), None).ours is (outcome is Outcome.FAIL)
    assert not preflight.until(settings, made(stamp), "dev", NOW).stops, "an update goes on"


@pytest.mark.parametrize(
    ("configured", "next_step"),
    [
        (timedelta(days=56), "`proself-mail up --stack dev` keeps it until 2027-05-27T00:00:00Z"),
        (None, "`proself-mail up --stack dev` takes the limit away"),
        (timedelta(days=2), "`pulumi config set deleteAfter 2027-05-01T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("left", [timedelta(days=1), -timedelta(days=1)])
def test_a_longer_one_counts_once_an_update_has_written_it(
    left: timedelta, configured: timedelta | None, next_step: str
) -> None:
    """A sweep goes by what stands on the application."""
    longer = {"deleteAfter": format_instant(NOW + configured)} if configured else {}
    settings = good(environment=TEST, **longer)
    state = made(Stamp(settings.stack_id, TEST, NOW + left))
    found = time_limit.judge("dev", settings, state.stamp, NOW)
    assert found.outcome is (Outcome.OK if left > timedelta() else Outcome.FAIL)
    assert format_instant(NOW + left) in found.detail
    assert found.next_step.startswith(next_step)
    told = preflight.until(settings, state, "dev", NOW)
    assert (told.detail, told.outcome) == (found.detail, Outcome.OK)
    seen = SimpleNamespace(stack="dev", settings=settings, state=state, at=NOW)
    assert application_checks.until(cast(Any, seen)) == found


@pytest.mark.parametrize("environment", Environment)
def test_what_no_sweep_removes_has_none(environment: Environment) -> None:
    settings = good(environment=environment)
    for borne in (None, Stamp(settings.stack_id, environment)):
        found = time_limit.judge("dev", settings, borne, NOW)
        assert (found.outcome, found.next_step) == (Outcome.OK, "")
        assert found.detail.startswith("none")


def made(stamp: Stamp) -> State:
    """Return a state whose application bears a stamp."""
    application = Resource(APPLICATION, "/applications/a", {"tags": stamp.tags()})
    return State({APPLICATION: application}, (), (), {})
