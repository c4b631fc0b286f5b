"""`proself-mail teardown` killed after each of its writes, and run again to the end."""

import signal
import sys

import pytest

from tests.journey import Journey
from tests.removing import STACK, bearing, stack_id, tags, teardown
from tests.waiting import until


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_after_each_write_it_goes_on_from_there(standing: Journey) -> None:
    journey, own = standing, stack_id(standing)
    outputs = journey.outputs(STACK)
    [foreign] = journey.tenant.seed(
        applications=[{"display_name": "Proself mail", "body": {"tags": tags(own)[:2]}}]
    )["applications"]
    before = journey.mark()
    journey.tenant.faults(latency_ms=100, lag={"seconds": 1, "stale_ratio": 0.5})
    try:
        for writes in (1, 2, 3):
            killed_after(journey, before, writes)
        done = teardown(journey)
    finally:
        journey.tenant.faults()
    assert done.returncode == 0, done.stdout + done.stderr
    assert bearing(journey, own) == [foreign["id"]]
    assert not journey.config_file.exists()
    assert STACK not in journey.pulumi("stack", "ls").stdout
    ours = (outputs["applicationObjectId"], outputs["servicePrincipalObjectId"])
    assert not [path for _, path in journey.writes(before) if not path.endswith(ours)]


def killed_after(journey: Journey, before: int, writes: int) -> None:
    """Start the command and kill it as soon as the tenant has taken so many writes in all."""
    confirmed = ("--stack", STACK, "--confirm", journey.tenant.tenant_id)
    with journey.started("teardown", *confirmed) as process:
        until(lambda: len(journey.writes(before)) >= writes or process.poll() is not None)
    assert process.returncode == -signal.SIGKILL
