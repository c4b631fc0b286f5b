"""When a sweep may remove what a test stack made, and who is told before."""

from datetime import UTC, datetime, timedelta

import pytest

from proself_mail.check import Outcome
from proself_mail.config import time_limit
from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp
from proself_mail.removal.ownership import Due
from proself_mail.schedule import format_instant
from proself_mail.update import preflight
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
    found = time_limit.judge("dev", settings, NOW)
    assert found.outcome is outcome
    longer = "`pulumi config set deleteAfter 2027-05-01T00:00:00Z --plaintext --stack dev`, then"
    assert (longer in found.next_step) is is_told
    assert format_instant(NOW + left) in found.detail
    tags = Stamp(settings.stack_id, TEST, settings.delete_after).tags()
    assert Due(NOW).verdict(tags, None).ours is (outcome is Outcome.FAIL)
    assert not preflight.until(settings, "dev", NOW).stops, "an update is as good as before"


@pytest.mark.parametrize("environment", Environment)
def test_what_no_sweep_removes_has_none(environment: Environment) -> None:
    found = time_limit.judge("dev", good(environment=environment), NOW)
    assert (found.outcome, found.next_step) == (Outcome.OK, "")
    assert found.detail.startswith("none")
