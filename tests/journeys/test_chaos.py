"""A few seeded runs of the reliability bench, with shorter waits and the bench's own judge.

`make chaos` has hundreds; docs/reliability.md says what each is judged by.
"""

import pytest

from bench import chaos_run
from bench.scenario import IN_TESTS, Scenario

ALL_TOGETHER, KILLED = IN_TESTS


@pytest.mark.parametrize(
    ("scenario", "seed"), [(ALL_TOGETHER, 1), (KILLED, 2), (KILLED, 3)], ids=str
)
def test_one_up_ends_with_one_application_proven_usable(scenario: Scenario, seed: int) -> None:
    outcome = chaos_run.run(scenario, "proself-mail up", seed)
    assert outcome.completed, outcome.said
    assert outcome.problems == [], outcome.said
    assert bool(outcome.killed) is scenario.kill


def test_the_judge_sees_what_a_run_without_care_leaves() -> None:
    """Plain `pulumi up` under lost replies: the same judge must find fault with it."""
    lost = {"strike": "reset-after", "match": {"method": "POST", "path": "/applications"}, "nth": 1}
    outcome = chaos_run.run(Scenario("lost", {"rules": [lost]}), "pulumi up", 1)
    assert not outcome.completed
    assert outcome.applications == 1
