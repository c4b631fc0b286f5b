"""A few seeded runs of the reliability bench, with shorter waits and the bench's own judge.

`make chaos` has hundreds; docs/reliability.md says what each is judged by.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from bench import chaos
from bench.chaos_judge import Judge
from bench.chaos_run import Outcome, Run
from bench.look_alikes import grant_mail
from bench.scenario import IN_TESTS, SCENARIOS, Scenario
from proself_mail.rehearsal.embedded import EmbeddedTenant
from tests import forked_python, key_service
from tests.tenant import Tenant

ALL_TOGETHER, KILLED = IN_TESTS
LOST = {"strike": "reset-after", "match": {"method": "POST", "path": "/applications"}, "nth": 1}

Start = Callable[[Scenario, str, int], Outcome]


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant("--seed", "1") as running:
        yield running


@pytest.fixture
def start(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    others = {"PULUMI_OPTION_SECRETS_PROVIDER": key_service.PROVIDER, **key_service.environment()}
    # The language host, as the bench kills no program by itself.
    for name, value in (forked_python.language_host() | others).items():
        monkeypatch.setenv(name, value)
    ready_file = tmp_path / "tenant.json"
    ready_file.write_text(
        json.dumps(tenant.ready | {"ca_file": tenant.authority_file}), encoding="utf-8"
    )
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
    [(ALL_TOGETHER, 4, "engine"), (KILLED, 217, "plugin")],
    ids=["all together, engine killed", "plugin killed"],
)
def test_one_up_ends_with_one_application_proven_usable(
    start: Start, scenario: Scenario, seed: int, victim: str
) -> None:
    outcome = start(scenario, "proself-mail up", seed)
    assert outcome.completed, outcome.said
    assert outcome.problems == [], outcome.said
    assert outcome.killed.partition(" ")[0] == outcome.victim == victim


def test_the_judge_finds_fault_with_a_run_without_care(
    start: Start, tenant: Tenant, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text(f"token: {tenant.token()}\n", encoding="utf-8")
    outcome = start(Scenario("lost", {"rules": [LOST]}), "pulumi up", 1)
    assert not outcome.completed
    assert outcome.problems == ["a secret in kept", *outcome.problems[1:]]
    assert outcome.problems[1:]


def test_every_fourth_seed_of_all_together_is_killed_and_every_one_of_killed() -> None:
    killed = {each.name: [each.kills(seed) for seed in range(1, 9)] for each in SCENARIOS}
    mixed = [False, False, False, True] * 2
    assert killed.pop("all together") == mixed
    assert [ALL_TOGETHER.kills(seed) for seed in range(1, 9)] == mixed
    assert killed.pop("killed") == [True] * 8
    assert not any(any(of) for of in killed.values())


def test_a_bench_that_never_finds_its_victim_says_so() -> None:
    killed = Outcome(
        1, completed=True, seconds=1, victim="engine", killed="engine after 3 requests"
    )
    missed = Outcome(2, completed=True, seconds=1, victim="engine", killed="us after 3 requests")
    ended = Outcome(3, completed=True, seconds=1)
    assert chaos.never_killed([missed, ended]) == ["engine"]
    assert chaos.never_killed([missed, ended, killed]) == []


class TestJudge:
    """What an `up` leaves, made by hand, and what it must not leave beside it."""

    STACK = UUID(int=7)
    TAGS = ("proself-mail", f"proself-mail:stack={STACK}")

    @pytest.fixture
    def graph(self, tenant: Tenant) -> Iterator[httpx.Client]:
        with tenant.http(tenant.token()) as http:
            yield http
        tenant.reset()

    @pytest.fixture
    def foreign(self, tenant: Tenant, graph: httpx.Client) -> str:
        """Return the id of a foreign application's service principal, which has a grant."""
        principal = self._plant(tenant, tags=[])
        grant_mail(graph, principal)
        return principal

    @pytest.fixture
    def judge(self, tenant: Tenant, graph: httpx.Client, foreign: str) -> Judge:  # noqa: ARG002
        judge = Judge(graph, self.STACK)
        secret = {"keyId": str(UUID(int=8)), "displayName": "ours"}
        ours = self._plant(tenant, tags=self.TAGS, passwordCredentials=[secret])
        grant_mail(graph, ours)
        return judge

    def _plant(self, tenant: Tenant, **body: object) -> str:
        deployer = f"/servicePrincipals?$filter=appId eq '{tenant.client_id}'"
        described = {
            "display_name": "Proself mail",
            "service_principal": True,
            "owners": [tenant.ask("GET", deployer)["value"][0]["id"]],
            "body": body,
        }
        [made] = tenant.seed(applications=[described])["applications"]
        return str(made["servicePrincipalId"])

    def test_one_of_each_is_right(self, judge: Judge) -> None:
        verdict = judge.verdict()
        assert verdict.problems == []
        assert (len(verdict.live), verdict.applications, verdict.secrets_left) == (1, 1, 0)

    def test_a_service_principal_of_another_application_with_our_stamp(
        self, judge: Judge, tenant: Tenant, foreign: str
    ) -> None:
        tenant.ask("PATCH", f"/servicePrincipals/{foreign}", {"tags": self.TAGS})
        assert any("2 service principals" in each for each in judge.verdict().problems)

    def test_a_stamp_on_the_wrong_service_principal_alone(
        self, judge: Judge, tenant: Tenant, foreign: str
    ) -> None:
        for principal in tenant.ask("GET", "/servicePrincipals?$top=999")["value"]:
            if self.TAGS[1] in principal["tags"]:
                tenant.ask("PATCH", f"/servicePrincipals/{principal['id']}", {"tags": []})
        tenant.ask("PATCH", f"/servicePrincipals/{foreign}", {"tags": self.TAGS})
        problems = judge.verdict().problems
        assert "1 service principals, or not the application's" in problems

    def test_a_grant_that_is_not_to_our_service_principal(
        self, judge: Judge, tenant: Tenant, graph: httpx.Client
    ) -> None:
        grant_mail(graph, self._plant(tenant, tags=[]))
        assert any(each.startswith("new grants ") for each in judge.verdict().problems)

    def test_a_foreign_grant_that_is_gone_or_changed(
        self, judge: Judge, tenant: Tenant, foreign: str
    ) -> None:
        theirs = f"/oauth2PermissionGrants?$filter=clientId eq '{foreign}'"
        [grant] = tenant.ask("GET", theirs)["value"]
        path = f"/oauth2PermissionGrants/{grant['id']}"
        tenant.ask("PATCH", path, {"scope": "Mail.Send Mail.Read"})
        assert judge.verdict().problems == ["a foreign grant was touched"]
        tenant.ask("DELETE", path)
        assert judge.verdict().problems == ["a foreign grant was touched"]
