"""A short selection of `bench.removal_runs`, and that its judge sees what goes wrong."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from bench import removal_runs
from bench.removal_judge import Judge
from tests.tenant import Tenant

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import json, sys
from bench import removal_runs

async def all_of_them(runs):
    return [each for seed in json.loads(sys.argv[1]) for each in await runs.run(seed)]

print(json.dumps(removal_runs.in_tenant(all_of_them)))
"""
"""In a process of its own: a run that is cancelled leaves connections to the process' end."""

GOES_BY_NAME = """
from proself_mail.removal.ownership import OfStack, Verdict
OfStack.verdict = lambda *_: Verdict(True, "it is called like ours")
"""
FORGETS_PRINCIPALS = """
from proself_mail.removal.progress import Stage
from proself_mail.removal.removal import Removal
from proself_mail.removal.removal_item import Kind
purge = Removal._purge

async def forgetful(self, each):
    if each.item.kind is Kind.APPLICATION:
        return await purge(self, each)
    each.reach(Stage.PURGED)
    return True

async def nothing(_):
    return True

Removal._purge, Removal._none_answers, Removal._is_settled = forgetful, nothing, lambda *_: True
"""


def problems_of(*seeds: int, bug: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", bug + RUN, json.dumps(seeds)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_seeds_with_and_without_a_kill_of_a_teardown_and_a_sweep() -> None:
    assert problems_of(4, 5, 6, 7) == []


def test_a_removal_that_goes_by_less_than_the_whole_stamp_is_caught() -> None:
    found = problems_of(4, bug=GOES_BY_NAME)
    assert [each for each in found if each.startswith("foreign application")]
    assert [each for each in found if each.startswith("wrote elsewhere: DELETE")]


def test_a_removal_that_forgets_the_service_principals_is_caught() -> None:
    found = problems_of(4, bug=FORGETS_PRINCIPALS)
    assert [each for each in found if each.startswith("ours is left: servicePrincipal")]


@pytest.fixture(scope="module")
def inhabited() -> Iterator[tuple[Tenant, httpx.Client, dict[str, str]]]:
    """A tenant with one foreign application that has all that one can have, and one in the bin.

    Kept, for `reset` to bring back before each test.
    """
    with Tenant("--deployer-role", *removal_runs.ROLES) as tenant:
        user = tenant.ready["users"][0]["id"]
        live, deleted = tenant.seed(
            applications=[
                {"display_name": "theirs", "service_principal": True, "owners": [user]},
                {"display_name": "gone", "deleted": "2026-11-20T00:00:00Z"},
            ]
        )["applications"]
        with tenant.http(tenant.token()) as graph:
            path = f"/v1.0/applications/{live['id']}"
            secret = graph.post(f"{path}/addPassword", json={}).json()["keyId"]
            exchange = graph.get(
                "/v1.0/servicePrincipals?$filter=displayName eq 'Office 365 Exchange Online'"
            ).json()["value"][0]["id"]
            grant = graph.post(
                "/v1.0/oauth2PermissionGrants",
                json={"clientId": live["servicePrincipalId"], "consentType": "AllPrincipals",
                      "resourceId": exchange, "scope": "Mail.Send"},
            ).json()["id"]  # fmt: skip
            ids = {"secret": secret, "user": user, "grant": grant, "deleted": deleted["id"], **live}
            tenant.keep()
            yield tenant, graph, ids


Damage = Callable[[httpx.Client, dict[str, str]], httpx.Response]
DAMAGES: dict[str, Damage] = {
    "a purge": lambda graph, ids: graph.delete(f"/v1.0/directory/deletedItems/{ids['deleted']}"),
    "a client secret": lambda graph, ids: graph.post(
        f"/v1.0/applications/{ids['id']}/removePassword", json={"keyId": ids["secret"]}
    ),
    "an owner": lambda graph, ids: graph.delete(
        f"/v1.0/applications/{ids['id']}/owners/{ids['user']}/$ref"
    ),
    "a grant": lambda graph, ids: graph.delete(f"/v1.0/oauth2PermissionGrants/{ids['grant']}"),
    "a tag": lambda graph, ids: graph.patch(
        f"/v1.0/applications/{ids['id']}", json={"tags": ["x"]}
    ),
    "a deletion": lambda graph, ids: graph.delete(
        f"/v1.0/servicePrincipals/{ids['servicePrincipalId']}"
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_the_judge_sees_whatever_happens_to_a_foreign_object(
    inhabited: tuple[Tenant, httpx.Client, dict[str, str]], what: str
) -> None:
    tenant, graph, ids = inhabited
    tenant.reset()
    with httpx.Client(base_url=tenant.admin_url, trust_env=False) as admin:
        judge = Judge.of(admin, set())
        assert judge.problems(admin) == []
        assert DAMAGES[what](graph, ids).is_success
        found = judge.problems(admin)
    assert [each for each in found if each.startswith("foreign ")], found
    assert [each for each in found if each.startswith("wrote elsewhere")], found


def test_the_judge_sees_a_write_that_changed_nothing(
    inhabited: tuple[Tenant, httpx.Client, dict[str, str]],
) -> None:
    tenant, graph, ids = inhabited
    tenant.reset()
    with httpx.Client(base_url=tenant.admin_url, trust_env=False) as admin:
        judge = Judge.of(admin, set())
        path = f"/v1.0/applications/{ids['id']}"
        graph.patch(path, json={"displayName": "theirs"})
        assert judge.problems(admin) == [f"wrote elsewhere: PATCH {path}"]
