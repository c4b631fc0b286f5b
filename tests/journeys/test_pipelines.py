"""The pipelines' own lines, in a clean shell that holds no credential but the job's identity."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from proself_mail.stack import stack_folder
from tests import workflow
from tests.arguments import arguments
from tests.journey import Journey
from tests.pipelines import (
    ADMINISTRATOR,
    DEVOPS,
    ROOT,
    Identity,
    check_out,
    clock,
    make_identity,
    run_azure,
    shell,
)
from tests.rotating import STACK, later, passwords, removals, set_up, signs_in
from tests.tenant import Tenant
from tests.workflow import Job

WORKFLOW = ROOT / ".github" / "workflows" / "rotate.yml"
GITHUB = (
    "github",
    "https://token.actions.githubusercontent.com",
    f"repo:contoso/mail:environment:{STACK}",
)
CONNECTION = (DEVOPS, "sc://contoso/mail/proself-mail-contoso")


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant("--deployer-role", *ADMINISTRATOR, leads_out=True) as running:
        yield running


def identity(journey: Journey, checkout: Path) -> Identity:
    """Have a person set a stack up, make the pipeline's identity, and hand the stack over."""
    journey.secrets_provider = "passphrase"
    set_up(journey)
    found = make_identity(journey, checkout, [STACK], ["proself-mail-contoso"])
    before = journey.mark()
    nobody = journey.proself_mail("handover", "--stack", STACK, "--to", str(uuid.uuid4()))
    assert nobody.returncode == 1, nobody.stderr
    assert "`pulumi -C infra/pipeline up --refresh --stack NAME`" in " ".join(nobody.stderr.split())
    file = journey.folder / f"Pulumi.{STACK}.yaml"
    as_it_was = file.read_bytes()
    with stack_folder.alone(journey.folder, STACK):
        busy = journey.proself_mail("handover", "--stack", STACK, "--to", found.object_id)
    assert busy.returncode == 3, busy.stderr
    assert file.read_bytes() == as_it_was
    handed = journey.proself_mail("handover", "--stack", STACK, "--to", found.object_id)
    assert handed.returncode == 0, handed.stderr
    assert journey.writes(before) == []
    up = journey.proself_mail("up", "--stack", STACK)
    assert up.returncode == 0, up.stderr
    assert "consent" not in up.stdout, "it has been given"
    assert not [path for _, path in journey.writes(before) if "Grants" in path]
    shutil.copy(file, checkout / "stacks")
    return found


def graph(journey: Journey, path: str) -> Any:
    with journey.tenant.http(journey.tenant.token()) as http:
        return http.get(f"/v1.0/{path}").raise_for_status().json()


def see_what_it_may(journey: Journey, identity: Identity) -> None:
    """Look that the identity manages what it owns, is trusted by its jobs, and nothing more."""
    roles = graph(journey, f"servicePrincipals/{identity.object_id}/appRoleAssignments")["value"]
    microsoft = graph(journey, f"servicePrincipals/{roles[0]['resourceId']}")
    named = {role["id"]: role["value"] for role in microsoft["appRoles"]}
    assert [named[role["appRoleId"]] for role in roles] == ["Application.ReadWrite.OwnedBy"]
    its = f"applications(appId='{identity.client_id}')"
    trusted = graph(journey, f"{its}/federatedIdentityCredentials")["value"]
    assert {(one["issuer"], one["subject"]) for one in trusted} == {GITHUB[1:], CONNECTION}
    assert graph(journey, its)["passwordCredentials"] == []
    made = journey.outputs(STACK)
    owners = graph(journey, f"applications/{made['applicationObjectId']}/owners")["value"]
    assert {one["id"] for one in owners} == {journey.caller(), identity.object_id}
    grants = graph(journey, "oauth2PermissionGrants")["value"]
    [grant] = [g for g in grants if g["clientId"] == made["servicePrincipalObjectId"]]
    assert grant["scope"] == "Mail.Send", "the consent that was given stays"


def known(journey: Journey, identity: Identity) -> dict[str, str]:
    """Return the values of the expressions in a workflow."""
    return {
        "inputs.stack": "",
        "matrix.stack": STACK,
        "vars.ARM_CLIENT_ID": identity.client_id,
        "vars.ARM_TENANT_ID": journey.tenant.tenant_id,
        "vars.PULUMI_BACKEND_URL": journey.environment["PULUMI_BACKEND_URL"],
        "vars.AZURE_STORAGE_ACCOUNT": "",
        "secrets.PULUMI_CONFIG_PASSPHRASE": journey.environment["PULUMI_CONFIG_PASSPHRASE"],
        "github.token": "ghs_test",
    }


def github(
    journey: Journey, subject: str = GITHUB[2], audience: str | None = None
) -> dict[str, str]:
    """Begin a job of GitHub's; return what its runner has for it."""
    url, token = journey.tenant.job(*GITHUB[:2], subject, audience)
    return clock(journey) | {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token,
    }


def refuse(
    journey: Journey, checkout: Path, environment: dict[str, str], code: int, words: str
) -> None:
    """Run the step alone; look at its exit code and its words, and that nothing was written."""
    before = journey.mark()
    done = subprocess.run(
        [Path(sys.executable).parent / "proself-mail", "rotate", "--stack", STACK],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert words in " ".join(done.stderr.split())
    assert journey.writes(before) == []


def test_pipelines_rotate_with_nothing_but_the_jobs_identity(
    journey: Journey, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkout = check_out(tmp_path_factory.mktemp("runner") / "checkout")
    pipeline = identity(journey, checkout)
    runner = shell(journey, tmp_path)
    see_what_it_may(journey, pipeline)
    another = f"Proself mail {STACK}-2: say which client secret Proself has"
    gh = workflow.fake_gh(Path(runner["PATH"].split(os.pathsep)[0]), another)
    values = known(journey, pipeline)
    listed = Job(WORKFLOW, "stacks").run(checkout, runner, values)
    assert listed.is_green, listed.log
    assert listed.outputs["stacks"] == f'["{STACK}"]'

    [first] = journey.outputs(STACK)["clientSecrets"]
    identity_alone = runner | {
        "ARM_USE_OIDC": "true",
        "ARM_CLIENT_ID": pipeline.client_id,
        "ARM_TENANT_ID": journey.tenant.tenant_id,
        "PULUMI_BACKEND_URL": journey.environment["PULUMI_BACKEND_URL"],
    }
    # The file was committed, and nobody ran the `up` that makes the identity an owner.
    owners = f"/applications/{journey.outputs(STACK)['applicationObjectId']}/owners"
    own = {"@odata.id": f"{journey.tenant.graph}/v1.0/directoryObjects/{pipeline.object_id}"}
    journey.tenant.ask("DELETE", f"{owners}/{pipeline.object_id}/$ref")
    not_yet = "does not own the application yet"
    refuse(journey, checkout, identity_alone | github(journey), 1, not_yet)  # and nothing is due
    later(journey, 150)
    refuse(journey, checkout, identity_alone | github(journey), 1, not_yet)
    journey.tenant.ask("POST", f"{owners}/$ref", own)
    step = identity_alone | clock(journey)
    branch = "repo:contoso/mail:ref:refs/heads/main"
    refuse(journey, checkout, step, 2, "id-token: write")
    refuse(journey, checkout, step | github(journey, branch), 4, "takes minutes to work")
    renamed = GITHUB[2].replace("contoso/mail", "contoso@12/mail@34")
    presented = f"presented assertion subject '{renamed}'"
    refuse(journey, checkout, step | github(journey, renamed), 4, presented)
    with_ids = "`repository` there has to be OWNER@ID/NAME@ID"
    refuse(journey, checkout, step | github(journey, renamed), 4, with_ids)
    wrong = github(journey, audience="https://github.com/contoso")
    refuse(journey, checkout, step | wrong, 4, "AADSTS700212: No matching federated identity")
    file = checkout / "stacks" / f"Pulumi.{STACK}.yaml"
    committed = file.read_text(encoding="utf-8")
    file.write_text(committed.replace(pipeline.object_id, str(uuid.uuid4())), encoding="utf-8")
    refuse(journey, checkout, step | github(journey), 1, "lock itself out")
    file.write_text(committed, encoding="utf-8")

    before = journey.mark()
    job = Job(WORKFLOW, "rotate")
    # By the line that the runbook has people add, for a stack that has a passphrase.
    runbook = (ROOT / "docs" / "runbooks" / "rotation.md").read_text(encoding="utf-8")
    [line] = re.findall(r"`(PULUMI_CONFIG_PASSPHRASE: .+)`", runbook)
    job.body["env"] |= yaml.safe_load(line)
    del runner["PULUMI_CONFIG_PASSPHRASE"]
    with arguments() as seen:
        ran = job.run(checkout, runner | github(journey), values)
        assert ran.is_green, ran.log
        assert ran.outputs["person"] == "notice"
        old, new = journey.outputs(STACK)["clientSecrets"]
        assert old == first
        assert signs_in(journey, new)
        assert removals(journey, before) == []
        later(journey, 30)
        red = job.run(checkout, runner | github(journey), values)
        assert red.codes["rotate"] == 6, red.log
        assert removals(journey, before) == [first["keyId"]]

        acknowledged = journey.proself_mail("rotate", "--acknowledge", "--stack", STACK)
        assert acknowledged.returncode == 0, acknowledged.stderr
        quiet = job.run(checkout, runner | github(journey), values)
        assert quiet.is_green, quiet.log
        assert quiet.outputs["person"] == "none"
        assert "Tell that nobody has to act any more" in quiet.codes
        later(journey, 120)
        lines = workflow.azure_script(ROOT / "azure-pipelines" / "rotate.yml")
        agent = identity_alone | {"STACK": STACK}
        azure = run_azure(journey, checkout, pipeline, agent, lines, "proself-mail-contoso")
        assert azure.returncode == 0, azure.stdout + azure.stderr
    summary = checkout / "out" / STACK / "rotation.md"
    assert f"##vso[task.uploadsummary]{summary}" in azure.stdout
    assert len(passwords(journey)) == 2
    for each in (ran, red):
        assert "Proself mail: contoso.test" in each.summary
        assert "シークレット" in each.summary
        assert str(checkout) not in each.summary, "no reader can open what is there"
        assert "proself.toml" not in each.log
    assert f"`proself-mail config --write --stack {STACK}`" in ran.summary
    asked = workflow.asked(gh)
    told = [each for each in asked if each[0] == "issue" and each[1] != "list"]
    assert [each[1] for each in told] == ["create", "edit", "close"]
    assert [each[-1] for each in told[:2]] == [f"out/{STACK}/rotation.md"] * 2
    assert "mail may have stopped" in told[1][told[1].index("--title") + 1]
    assert {each[2] for each in told[1:]} == {"2"}, "the issue that was opened, not another stack's"
    said = [ran.log, red.log, ran.summary, red.summary, azure.stdout, azure.stderr]
    shown = "\n".join([*said, summary.read_text(encoding="utf-8"), gh.read_text(encoding="utf-8")])
    started_with = "\n".join(seen)
    assert "proself-mail" in started_with
    assert "addPassword" in str(journey.writes(before))
    for secret in journey.tenant.secrets():
        assert secret not in shown
        assert secret not in started_with


def rotating(setup: str = "true", rotate: str = "true") -> Job:
    """Return the rotation's job with other lines for the set-up and the rotation itself."""
    job = Job(WORKFLOW, "rotate")
    for step in job.body["steps"]:
        if step.get("id") == "rotate":
            step["run"] = rotate
        elif step.get("run") == "make setup":
            step["run"] = setup
    return job


def any_values() -> dict[str, str]:
    """Return values of the expressions in the rotation's job, where they do not matter."""
    names = ("ARM_CLIENT_ID", "ARM_TENANT_ID", "PULUMI_BACKEND_URL", "AZURE_STORAGE_ACCOUNT")
    of_whom = {
        "matrix.stack": STACK,
        "github.token": "ghs_test",
        "secrets.PULUMI_CONFIG_PASSPHRASE": "x",
    }
    return of_whom | dict.fromkeys((f"vars.{name}" for name in names), "x")


def saying(person: str) -> str:
    return f'printf "person={person}\\ntitle=T\\n" >> "$GITHUB_OUTPUT"'


@pytest.mark.parametrize("person", ["none", "notice"])
def test_issues_that_cannot_be_listed_turn_the_job_red(tmp_path: Path, person: str) -> None:
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\n[ "$2" = list ] && exit 4\necho "$@" >> asked\n', encoding="utf-8")
    gh.chmod(0o755)
    path = {"PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]])}
    ran = rotating(rotate=saying(person)).run(tmp_path, path, any_values())
    assert list(ran.codes.values()) == [0, 0, 4], ran.log
    asked = tmp_path / "asked"
    assert not asked.exists() or "issue" not in asked.read_text(encoding="utf-8")


@pytest.mark.parametrize("failing", ["make setup", "azure/login", "rotate"])
def test_a_job_that_fails_where_the_rotation_cannot_say_so_tells_it(
    tmp_path: Path, failing: str
) -> None:
    setup = "exit 2" if failing == "make setup" else "true"
    rotate = "kill -KILL $$" if failing == "rotate" else saying("none")
    gh = workflow.fake_gh(tmp_path)
    path = {"PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]])}
    job = rotating(setup, rotate)
    ran = job.run(tmp_path, path, any_values(), failing=failing)
    assert not ran.is_green
    assert ("rotate" in ran.codes) is (failing == "rotate")
    page = (tmp_path / "out" / STACK / "rotation.md").read_text(encoding="utf-8")
    assert ran.summary == page
    assert page.startswith(f"## Proself mail: {STACK}\n\nThe rotation failed")
    assert "https://github.contoso.test/contoso/mail/actions/runs/42" in page
    assert "ローテーションに失敗しました" in page
    [_, _, created, [_, body]] = workflow.asked(gh)
    title = f"Proself mail {STACK}: the rotation failed, and a person must act"
    assert created[:2] == ["issue", "create"]
    assert created[created.index("--title") + 1] == title
    assert body == page
    shutil.rmtree(tmp_path / "out")  # as in the next run's checkout
    ran = rotating(rotate=saying("none")).run(tmp_path, path, any_values())
    assert ran.is_green, ran.log
    assert workflow.asked(gh)[-1][:3] == ["issue", "close", "1"]


def test_an_azure_job_that_fails_where_the_rotation_cannot_say_so_tells_it(tmp_path: Path) -> None:
    lines = workflow.azure_script(ROOT / "azure-pipelines" / "rotate.yml", "failed()")

    def run() -> str:
        return subprocess.run(
            ["bash", "-e", "-c", lines],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "STACK": STACK},
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout

    told = tmp_path / "out" / STACK / "rotation.md"
    shown = run()
    assert shown.startswith("##vso[task.uploadsummary]/")
    assert shown.endswith(f"/out/{STACK}/rotation.md\n")
    page = told.read_text(encoding="utf-8")
    assert page.startswith(f"## Proself mail: {STACK}\n\nThe rotation failed")
    assert "ローテーションに失敗しました" in page
    assert run() == "", "the rotation has told why, by the same file"
