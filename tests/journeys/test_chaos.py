"""A few seeded runs of the reliability bench, with shorter waits and the bench's own judge.

`make chaos` has hundreds; docs/reliability.md says what each is judged by.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.chaos_run import Outcome, Run
from bench.scenario import IN_TESTS, Scenario
from proself_mail.embedded import EmbeddedTenant
from tests.tenant import Tenant

ALL_TOGETHER, KILLED = IN_TESTS
LOST = {"strike": "reset-after", "match": {"method": "POST", "path": "/applications"}, "nth": 1}

Start = Callable[[Scenario, str, int], Outcome]


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant("--seed", "1") as running:
        yield running


@pytest.fixture
def start(tenant: Tenant, tmp_path: Path) -> Iterator[Start]:
    ready_file = tmp_path / "tenant.json"
    ready_file.write_text(json.dumps(tenant.ready | {"ca_file": tenant.authority_file}))
    ready_file.chmod(0o600)

    def start(scenario: Scenario, how: str, seed: int) -> Outcome:
        run = Run(EmbeddedTenant.read(ready_file), tmp_path, seed)
        try:
            return run.carry_out(scenario, how)
        finally:
            run.close()

    yield start
    tenant.reset()


@pytest.mark.parametrize(
    ("scenario", "seed", "victim"),
    [(ALL_TOGETHER, 1, ""), (KILLED, 22, "engine"), (KILLED, 217, "plugin")],
    ids=["all together", "engine killed", "plugin killed"],
)
def test_one_up_ends_with_one_application_proven_usable(
    start: Start, scenario: Scenario, seed: int, victim: str
) -> None:
    outcome = start(scenario, "proself-mail up", seed)
    assert outcome.completed, outcome.said
    assert outcome.problems == [], outcome.said
    assert outcome.killed.partition(" ")[0] == victim


def test_the_judge_finds_fault_with_a_run_without_care(start: Start) -> None:
    outcome = start(Scenario("lost", {"rules": [LOST]}), "pulumi up", 1)
    assert not outcome.completed
    assert outcome.problems
