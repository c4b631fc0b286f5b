"""When a sweep may remove what a test stack made, and who is told before."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail.check import Check, Outcome
from proself_mail.config import time_limit
from proself_mail.config.settings import Environment, Settings
from proself_mail.config.stamp import Stamp
from proself_mail.entra.directory import ApplicationRecord
from proself_mail.removal.ownership import Due
from proself_mail.schedule import format_instant
from proself_mail.stack.state import APPLICATION, Resource, State
from proself_mail.update import preflight
from proself_mail.verification import application_checks
from proself_mail.verification.evidence import Unread
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
    assert verified(settings, state, Unread("", "")) == found


def test_what_is_configured_and_not_written_is_told_and_counts_not() -> None:
    """No sweep reads a configuration."""
    written = Stamp(good().stack_id, TEST, NOW + timedelta(days=20))
    for left in (-timedelta(days=1), timedelta(days=1), timedelta(days=80), None):
        until = format_instant(NOW + left) if left else "none"
        settings = good(environment=TEST, **({"deleteAfter": until} if left else {}))
        found = time_limit.judge("dev", settings, written, NOW)
        assert found.outcome is Outcome.OK
        assert found.detail == (
            "no sweep removes what the stack made before 2027-04-21T00:00:00Z; `deleteAfter` is "
            f"{until} in the configuration, which no update has written yet"
        )
        assert found.next_step == "`proself-mail up --stack dev` writes it"
        without = time_limit.judge("dev", settings, Stamp(settings.stack_id, TEST), NOW)
        assert without.outcome is Outcome.OK
        assert (f"is {until} in the configuration" in without.detail) is (left is not None)


def test_an_end_is_none_for_what_is_for_production() -> None:
    """As a sweep sees it."""
    settings = good()
    borne = Stamp(settings.stack_id, Environment.PRODUCTION, NOW - timedelta(days=1))
    assert not Due(NOW).verdict(borne.tags(), None).ours
    found = time_limit.judge("dev", settings, borne, NOW)
    assert (found.outcome, found.next_step) == (Outcome.OK, "")


def test_verify_goes_by_the_stamp_in_entra_as_a_sweep_does() -> None:
    """Not by the state's: somebody may have changed it, or the state is an older one."""
    over, later = NOW - timedelta(days=1), NOW + timedelta(days=20)
    for in_entra, in_state, outcome in ((over, later, Outcome.FAIL), (later, over, Outcome.OK)):
        settings = good(environment=TEST, deleteAfter=format_instant(in_state))
        state = made(Stamp(settings.stack_id, TEST, in_state))
        there = application(Stamp(settings.stack_id, TEST, in_entra).tags())
        found = verified(settings, state, there)
        assert found.outcome is outcome
        assert Due(NOW).verdict(there.tags, None).ours is (outcome is Outcome.FAIL)
        assert verified(settings, state, application(there.tags[:-1] * 2)).outcome is Outcome.OK
        unseen = verified(settings, state, None).outcome is Outcome.FAIL
        assert unseen is (in_state == over)


@pytest.mark.parametrize("environment", Environment)
def test_what_no_sweep_removes_has_none(environment: Environment) -> None:
    settings = good(environment=environment)
    for borne in (None, Stamp(settings.stack_id, environment)):
        found = time_limit.judge("dev", settings, borne, NOW)
        assert (found.outcome, found.next_step) == (Outcome.OK, "")
        assert found.detail.startswith("none")


def verified(
    settings: Settings, state: State, application: ApplicationRecord | Unread | None
) -> Check:
    seen = SimpleNamespace(
        stack="dev", settings=settings, state=state, application=application, at=NOW
    )
    return application_checks.until(cast(Any, seen))


def application(tags: Sequence[str]) -> ApplicationRecord:
    return ApplicationRecord("o", "c", "n", None, tuple(tags), "AzureADMyOrg", (), (), 2, {}, ())


def made(stamp: Stamp) -> State:
    """Return a state whose application bears a stamp."""
    application = Resource(APPLICATION, "/applications/a", {"tags": stamp.tags()})
    return State({APPLICATION: application}, (), (), {})
