"""The lines of the pipelines that remove things, with an identity of their own and nothing else."""

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests import workflow
from tests.journey import Journey
from tests.pipelines import (
    ADMINISTRATOR,
    ROOT,
    Identity,
    check_out,
    clock,
    make_identity,
    run_azure,
    shell,
)
from tests.removing import bearing
from tests.rotating import later
from tests.tenant import Tenant
from tests.workflow import Job

REMOVING = ("teardown", "sweep")
ISSUER = "https://token.actions.githubusercontent.com"


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant("--deployer-role", *ADMINISTRATOR, leads_out=True) as running:
        yield running


@dataclass(frozen=True)
class Removable:
    """What the identity owns: two stacks, and what two stacks left that nobody knows any more."""

    identity: Identity
    stack_ids: tuple[str, str]
    left: tuple[str, str]


def prepare(journey: Journey, checkout: Path) -> Removable:
    """Do what people do: the identity, stacks that it co-owns, the reviewed list of tenants."""
    journey.secrets_provider = "passphrase"
    later(journey, 0)
    connections = [f"proself-mail-{name}" for name in REMOVING]
    identity = make_identity(journey, checkout, REMOVING, connections)
    owners = [journey.caller(), identity.object_id]
    stack_ids = []
    for name in ("one.test", "two.test"):
        made = journey.make_stack(
            name, owners=owners, consent="by-administrator", configFile="none"
        )
        done = journey.up(name)
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.copy(journey.folder / f"Pulumi.{name}.yaml", checkout / "stacks")
        stack_ids.append(made["stackId"])
    path = checkout / "Pulumi.yaml"
    project = yaml.safe_load(path.read_text(encoding="utf-8")) | {
        "testTenants": [journey.tenant.tenant_id]
    }
    path.write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    return Removable(identity, (stack_ids[0], stack_ids[1]), (str(uuid.uuid4()), str(uuid.uuid4())))


def leave(journey: Journey, stack_id: str, owner: str) -> None:
    """Put in what a test left whose time is over."""
    tags = [
        "proself-mail",
        f"proself-mail:stack={stack_id}",
        "proself-mail:environment=test",
        "proself-mail:deleteAfter=2026-01-01T00:00:00Z",
    ]
    left = {"display_name": "left", "body": {"tags": tags}, "service_principal": True}
    journey.tenant.seed(applications=[left | {"owners": [owner]}])


def embedded(lines: str) -> str:
    """Let a sweep go to the embedded tenant: without a stack nothing but its option says so."""
    return lines.replace("proself-mail sweep", "proself-mail sweep --target embedded")


def removing(name: str) -> Job:
    job = Job(ROOT / ".github" / "workflows" / f"{name}.yml", name)
    for step in job.body["steps"]:
        if "run" in step:
            step["run"] = embedded(step["run"])
    return job


def test_pipelines_remove_with_an_identity_of_their_own_and_never_for_a_pull_request(
    journey: Journey, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    checkout = check_out(tmp_path_factory.mktemp("runner") / "checkout")
    owned = prepare(journey, checkout)
    runner = shell(journey, tmp_path)
    values = {
        "inputs.stacks": "one.test",
        "vars.ARM_CLIENT_ID": owned.identity.client_id,
        "vars.ARM_TENANT_ID": journey.tenant.tenant_id,
        "vars.PULUMI_BACKEND_URL": journey.environment["PULUMI_BACKEND_URL"],
        "vars.AZURE_STORAGE_ACCOUNT": "",
        "secrets.PULUMI_CONFIG_PASSPHRASE": journey.environment["PULUMI_CONFIG_PASSPHRASE"],
    }

    def github(subject: str) -> dict[str, str]:
        url, token = journey.tenant.job("github", ISSUER, f"repo:contoso/mail:{subject}")
        return runner | clock(journey) | {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token,
        }  # fmt: skip

    leave(journey, owned.left[0], owned.identity.object_id)
    before = journey.mark()
    for name in REMOVING:
        ran = removing(name).run(checkout, github("pull_request"), values)
        *_, code = ran.codes.values()
        assert code == 4, ran.log
        assert "AADSTS700213" in ran.log
    assert journey.writes(before) == []

    azure = {
        name: embedded(workflow.azure_script(ROOT / "azure-pipelines" / f"{name}.yml"))
        for name in REMOVING
    }
    for stacks in ("one.test --include-modified", "one.test\nno.such"):
        words = f"There is no stack {stacks.split()[1]}: its file"
        asked = values | {"inputs.stacks": stacks}
        ran = removing("teardown").run(checkout, github("environment:teardown"), asked)
        assert [*ran.codes.values()][-1] == 2, ran.log
        assert words in " ".join(ran.log.split())
        agent, of = runner | {"STACKS": stacks}, "proself-mail-teardown"
        done = run_azure(journey, checkout, owned.identity, agent, azure["teardown"], of)
        assert done.returncode == 2, done.stdout + done.stderr
        assert words in " ".join(done.stderr.split())
    assert journey.writes(before) == []

    for name, stack_id in zip(REMOVING, (owned.stack_ids[0], owned.left[0]), strict=True):
        assert len(bearing(journey, stack_id)) == 2
        ran = removing(name).run(checkout, github(f"environment:{name}"), values)
        assert ran.is_green, ran.log
        assert bearing(journey, stack_id) == []

    leave(journey, owned.left[1], owned.identity.object_id)
    for name, stack_id in zip(REMOVING, (owned.stack_ids[1], owned.left[1]), strict=True):
        assert len(bearing(journey, stack_id)) == 2
        agent, of = runner | {"STACKS": "two.test"}, f"proself-mail-{name}"
        done = run_azure(journey, checkout, owned.identity, agent, azure[name], of)
        assert done.returncode == 0, done.stdout + done.stderr
        assert bearing(journey, stack_id) == []
    left = journey.pulumi("stack", "ls").stdout
    assert "one.test" not in left
    assert "two.test" not in left


@pytest.mark.parametrize(("event", "code"), [("schedule", 0), ("workflow_dispatch", 1)])
def test_a_copy_that_set_no_sweep_up_is_told_what_is_missing(
    tmp_path: Path, event: str, code: int
) -> None:
    runner = {"PATH": os.environ["PATH"], "GITHUB_EVENT_NAME": event}
    values = {"vars.ARM_CLIENT_ID": "", "vars.ARM_TENANT_ID": ""}
    ran = removing("sweep").run(tmp_path, runner, values)
    assert [*ran.codes.values()] == [code]
    assert ran.log.startswith("::warning::Nothing is swept")
    assert "no variable ARM_TENANT_ID" in ran.log
