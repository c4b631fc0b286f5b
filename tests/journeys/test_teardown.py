"""`proself-mail teardown`: everything of ours, nothing else, and no write where a guard stands.

Each guard is driven into by the command, and the tenant's history says that nothing was written.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from tests.journey import Journey
from tests.tenant import Tenant

STACK = "dev.test"


def teardown(
    journey: Journey, *options: str, confirm: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    confirmation = ("--confirm", journey.tenant.tenant_id) if confirm else ()
    return journey.proself_mail("teardown", "--stack", STACK, *confirmation, *options, env=env)


def refused(journey: Journey, *options: str, code: int = 3, **more: Any) -> str:
    """Run into a guard: the exit code, no write, no traceback; return what was said."""
    before = journey.mark()
    done = teardown(journey, *options, **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert journey.writes(before) == []
    assert "Traceback" not in done.stderr
    assert "Next: " in done.stderr
    return " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def stack_that_is_up(tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = Journey(tenant, tmp_path_factory.mktemp("standing"))
    journey.make_stack(STACK)
    done = journey.up(STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    journey.keep()
    return journey


@pytest.fixture
def standing(stack_that_is_up: Journey) -> Journey:
    """A stack that is up, as new for each test."""
    return stack_that_is_up.as_kept()


def stack_id(journey: Journey) -> str:
    document = yaml.safe_load((journey.folder / f"Pulumi.{STACK}.yaml").read_text())
    return str(document["config"]["proself-mail:stackId"])


def graph(journey: Journey, method: str, path: str, body: Any = None) -> Any:
    with journey.tenant.http(journey.tenant.token()) as http:
        answer = http.request(method, f"/v1.0{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


def bearing(journey: Journey, stack_id: str) -> list[str]:
    """List whatever bears a stack's tag anywhere in the tenant."""
    query = f"?$filter=tags/any(t:t eq 'proself-mail:stack={stack_id}')"
    places = (
        "/applications",
        "/servicePrincipals",
        "/directory/deletedItems/microsoft.graph.application",
        "/directory/deletedItems/microsoft.graph.servicePrincipal",
    )
    return [
        found["id"]
        for place in places
        for found in graph(journey, "GET", f"{place}{query}")["value"]
    ]


def tags(stack_id: str, environment: str = "test") -> list[str]:
    return [
        "proself-mail",
        f"proself-mail:stack={stack_id}",
        f"proself-mail:environment={environment}",
    ]


def edit_state(journey: Journey, change: Any) -> None:
    exported = journey.pulumi("stack", "export", "--stack", STACK).stdout
    document = json.loads(exported)
    document = change(document)
    path = journey.folder / "state.json"
    path.write_text(json.dumps(document))
    done = journey.pulumi("stack", "import", "--force", "--stack", STACK, "--file", str(path))
    assert done.returncode == 0, done.stderr


def list_tenants(journey: Journey, tenants: object) -> None:
    path = journey.folder / "Pulumi.yaml"
    document = yaml.safe_load(path.read_text())
    document["testTenants"] = tenants
    path.write_text(yaml.safe_dump(document))


def test_everything_goes_and_running_it_again_is_quiet(standing: Journey) -> None:
    other = str(uuid.uuid4())
    doubled = [*tags(stack_id(standing)), *tags(other)]
    foreign = standing.tenant.seed(
        applications=[
            {"display_name": "Proself mail", "service_principal": True},
            {"display_name": "Proself mail", "body": {"tags": tags(other)}},
            {"display_name": "Proself mail", "body": {"tags": doubled}},
            {"display_name": "Proself mail", "body": {"tags": tags(stack_id(standing))[:2]}},
        ]
    )["applications"]
    before = standing.mark()
    dry = teardown(standing, confirm=False)
    assert dry.returncode == 0, dry.stderr
    assert "Nothing was removed" in dry.stdout
    assert max(map(len, dry.stdout.splitlines())) <= 80
    assert standing.writes(before) == []

    done = teardown(standing, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)["stacks"][0]
    assert {each["kind"]: each["result"] for each in report["items"]} == {
        "application": "removed",
        "service principal": "removed",
        "grant": "removed",
        "config file": "removed",
        "stack state": "removed",
    }
    left = set(bearing(standing, stack_id(standing)))
    assert left == {each["id"] for each in foreign[2:]}  # doubled or damaged: not ours
    touched = " ".join(path for _, path in standing.writes(before))
    for each in foreign:
        assert each["id"] not in touched
        assert graph(standing, "GET", f"/applications/{each['id']}")
    assert len(standing.writes(before)) == 3  # one deletion, two purges
    assert not standing.config_file.exists()
    assert STACK not in standing.pulumi("stack", "ls").stdout
    assert (standing.folder / f"Pulumi.{STACK}.yaml").exists()
    said = dry.stdout + dry.stderr + done.stdout + done.stderr
    assert not [secret for secret in standing.tenant.secrets() if secret in said]

    again = teardown(standing)
    assert again.returncode == 0, again.stderr
    assert len(standing.writes(before)) == 3


def test_a_lost_state_is_no_hindrance(standing: Journey) -> None:
    shutil.rmtree(standing.folder / "state")
    (standing.folder / "state").mkdir()
    done = teardown(standing)
    assert done.returncode == 0, done.stderr
    assert bearing(standing, stack_id(standing)) == []


def test_what_a_person_destroyed_is_purged(standing: Journey) -> None:
    assert standing.pulumi("destroy", "--stack", STACK, "--yes").returncode == 0
    assert len(bearing(standing, stack_id(standing))) == 2
    exported = json.loads(standing.pulumi("stack", "export", "--stack", STACK).stdout)
    assert not exported["deployment"].get("resources")
    done = teardown(standing)
    assert done.returncode == 0, done.stderr
    assert bearing(standing, stack_id(standing)) == []


def test_the_stack_and_the_recycle_bin_are_kept_when_asked(standing: Journey) -> None:
    before = standing.mark()
    done = teardown(standing, "--keep-stack", "--keep-in-recycle-bin")
    assert done.returncode == 0, done.stderr
    assert len(standing.writes(before)) == 1
    assert len(bearing(standing, stack_id(standing))) == 2
    exported = json.loads(standing.pulumi("stack", "export", "--stack", STACK).stdout)
    assert not exported["deployment"].get("resources")


def test_without_the_right_to_purge_it_says_what_is_left_and_goes_on_later(
    standing: Journey,
) -> None:
    outputs = standing.outputs(STACK)
    principal, owner = outputs["servicePrincipalObjectId"], standing.caller()
    graph(standing, "DELETE", f"/servicePrincipals/{principal}/owners/{owner}/$ref")
    done = teardown(standing)
    said = " ".join(done.stdout.split())
    assert done.returncode == 5, said
    assert "may not purge it" in said
    assert "30 days" in said
    assert STACK in standing.pulumi("stack", "ls").stdout  # nothing is forgotten that is left


def test_a_stack_for_production(journey: Journey) -> None:
    journey.make_stack(STACK, environment="production")
    assert "is for production" in refused(journey)


@pytest.mark.parametrize(
    ("tenants", "code", "cause"),
    [
        ([], 3, "its list is empty"),
        (["99999999-2222-4333-8444-555555555555"], 3, "not among `testTenants`"),
        ("all", 2, "no list of tenant IDs"),
        ([1], 2, "no list of tenant IDs"),
    ],
)
def test_a_tenant_that_is_not_listed(
    journey: Journey, tenants: object, code: int, cause: str
) -> None:
    journey.make_stack(STACK)
    list_tenants(journey, tenants)
    assert cause in refused(journey, code=code)


def test_another_tenant_signed_in_to(journey: Journey) -> None:
    other = "99999999-2222-4333-8444-555555555555"
    journey.make_stack(STACK, tenantId=other)
    list_tenants(journey, [other])
    assert "pinned to" in refused(journey)


def test_a_stack_that_does_not_exist(journey: Journey) -> None:
    assert f"There is no stack {STACK}" in refused(journey, code=2)
    assert not (journey.folder / "out").exists()


def test_a_wrong_confirmation(standing: Journey) -> None:
    said = refused(standing, "--confirm", standing.tenant.tenant_id[:-1], confirm=False)
    assert "is not the name or ID of the tenant" in said


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal")
def test_a_wrong_name_typed_and_nothing_typed(standing: Journey) -> None:
    import pty  # cannot be imported on Windows

    for typed, code in (("production\n", 3), ("\n", 0)):
        before = standing.mark()
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "proself-mail"), "teardown", "--stack", STACK],
            cwd=standing.folder,
            env=standing.environment,
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.write(ours, typed.encode())
        assert process.wait(60) == code
        os.close(ours)
        os.close(theirs)
        assert standing.writes(before) == []


def test_another_run_on_this_machine(standing: Journey) -> None:
    with FileLock(standing.folder / "out" / STACK / ".update.lock"):
        assert "Another `proself-mail` works on the stack" in refused(standing)


def test_an_engine_that_holds_the_stack(standing: Journey) -> None:
    """A lock of another machine's: nobody can tell here whether that run is dead."""
    locks = standing.folder / "state/.pulumi/locks/organization/proself-mail" / STACK
    locks.mkdir(parents=True, exist_ok=True)
    held = locks / f"{uuid.uuid4()}.json"
    held.write_text(
        json.dumps(
            {
                "pid": 1,
                "username": "somebody",
                "hostname": f"not-{socket.gethostname()}",
                "timestamp": "2026-11-24T00:00:00Z",
            }
        )
    )
    try:
        assert "Another run holds the stack" in refused(standing)
    finally:
        held.unlink()


def test_an_application_with_a_foreign_stamp(standing: Journey) -> None:
    path = f"/applications/{standing.outputs(STACK)['applicationObjectId']}"
    own = graph(standing, "GET", path)["tags"]
    for foreign in (tags(str(uuid.uuid4())), [], tags(stack_id(standing), "production")):
        graph(standing, "PATCH", path, {"tags": foreign})
        said = refused(standing)
        assert "stamp" in said
        graph(standing, "PATCH", path, {"tags": own})


def test_a_stack_file_that_says_test_where_the_tenant_says_production(standing: Journey) -> None:
    stamped = tags(stack_id(standing), "production")
    [seeded] = standing.tenant.seed(
        applications=[{"display_name": "x", "body": {"tags": stamped}}]
    )["applications"]
    said = refused(standing)
    assert "for production, but the stack file says test" in said
    assert seeded["id"] in said
    with standing.tenant.http(standing.tenant.token()) as http:
        http.patch(f"/v1.0/applications/{seeded['id']}", json={"tags": []})


@pytest.fixture
def protected(standing: Journey) -> Iterator[None]:
    def change(document: Any, *, protect: bool) -> Any:
        for each in document["deployment"]["resources"]:
            if each["urn"].endswith("::application"):
                each["protect"] = protect
        return document

    edit_state(standing, lambda document: change(document, protect=True))
    yield
    edit_state(standing, lambda document: change(document, protect=False))


@pytest.mark.usefixtures("protected")
def test_a_protected_application(standing: Journey) -> None:
    assert "protects application from deletion" in refused(standing)


def test_a_state_of_another_project(standing: Journey) -> None:
    backup = json.loads(standing.pulumi("stack", "export", "--stack", STACK).stdout)
    edit_state(
        standing,
        lambda document: json.loads(
            json.dumps(document).replace("::proself-mail::", "::billing::")
        ),
    )
    assert "is another project's: billing" in refused(standing)
    edit_state(standing, lambda _: backup)


@pytest.mark.parametrize("what", ["secret", "certificate", "federated credential", "owner"])
def test_what_somebody_added(standing: Journey, what: str) -> None:
    body: dict[str, Any]
    path = f"/applications/{standing.outputs(STACK)['applicationObjectId']}"
    if what == "secret":
        body = {"passwordCredential": {"displayName": "of mine"}}
        graph(standing, "POST", f"{path}/addPassword", body)
    elif what == "certificate":
        key = {"type": "AsymmetricX509Cert", "usage": "Verify", "keyId": str(uuid.uuid4())}
        graph(standing, "PATCH", path, {"keyCredentials": [key]})
    elif what == "federated credential":
        body = {
            "name": "mine",
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "repo:me/mine:ref:refs/heads/main",
            "audiences": ["api://AzureADTokenExchange"],
        }
        graph(standing, "POST", f"{path}/federatedIdentityCredentials", body)
    else:
        somebody = standing.tenant.ready["users"][0]["id"]
        reference = {"@odata.id": f"{standing.tenant.graph}/v1.0/directoryObjects/{somebody}"}
        graph(standing, "POST", f"{path}/owners/$ref", reference)
    said = refused(standing)
    assert f"{what} " in said
    assert "--include-modified" in said
    done = teardown(standing, "--include-modified")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bearing(standing, stack_id(standing)) == []


def test_a_listing_that_is_refused_is_not_an_empty_one(tmp_path: Path) -> None:
    with Tenant("--deployer-role", "DelegatedPermissionGrant.ReadWrite.All") as blind:
        journey = Journey(blind, tmp_path)
        journey.make_stack(STACK)
        assert "Authorization_RequestDenied" in refused(journey, code=4)


def test_lag_throttling_and_lost_replies(standing: Journey) -> None:
    bins = {"path": "/directory/deletedItems/*", "method": "DELETE"}
    standing.tenant.faults(
        {"match": bins, "nth": 1, "strike": "status", "status": 429, "retry_after_seconds": 1},
        {"match": {"method": "DELETE", "path": "/applications/*"}, "nth": 1,
         "strike": "reset-after"},
        lag={"seconds": 2, "stale_ratio": 0.5, "list_seconds": 2, "deletion_seconds": 2},
    )  # fmt: skip
    try:
        done = teardown(standing)
    finally:
        standing.tenant.faults()
    assert done.returncode == 0, done.stdout + done.stderr
    assert bearing(standing, stack_id(standing)) == []


def test_several_stacks_in_one_call(journey: Journey) -> None:
    names = ["a.test", "b.test", "c.test"]
    ids = [journey.make_stack(name, configFile="none")["stackId"] for name in names]
    for name in names:
        assert journey.up(name).returncode == 0
    done = journey.proself_mail(
        "teardown", "--stack", *names, "--confirm", journey.tenant.tenant_id
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[3/3]" in done.stderr
    assert [found for each in ids for found in bearing(journey, each)] == []
