"""The pipelines' own lines, in a clean shell that holds no credential but the job's identity."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proself_mail import sandbox
from tests import workflow
from tests.journey import Journey
from tests.oidc import BEARER, GITHUB, TokenService
from tests.rotating import STACK, later, passwords, removals, set_up, signs_in
from tests.tenant import Tenant
from tests.workflow import Job

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "rotate.yml"
DEVOPS = "https://vstoken.dev.azure.com/11111111-2222-4333-8444-555555555555"


ADMINISTRATOR = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)
"""What a person needs who makes the identity: as much as a Privileged Role Administrator."""


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant("--deployer-role", *ADMINISTRATOR) as running:
        yield running


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a runner checks it out."""
    folder = tmp_path_factory.mktemp("runner") / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def identity(journey: Journey, checkout: Path) -> dict[str, str]:
    """A stack that a person set up, made the pipeline's identity for, and handed over."""
    set_up(journey)
    pipeline = checkout / "infra" / "pipeline"
    (pipeline / "Pulumi.contoso.yaml").write_text(
        f"""config:
  proself-mail-pipeline:tenantId: {journey.tenant.tenant_id}
  proself-mail-pipeline:target: embedded
  proself-mail-pipeline:owners: [{journey.caller()}]
  proself-mail-pipeline:repository: contoso/mail
  proself-mail-pipeline:environments: [{STACK}]
  proself-mail-pipeline:serviceConnections:
    - name: proself-mail-contoso
      issuer: {DEVOPS}
      subject: sc://contoso/mail/proself-mail-contoso
"""
    )

    def pulumi(*arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", "-C", str(pipeline), "--non-interactive", *arguments],
            env=journey.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    pulumi("stack", "init", "contoso")
    pulumi("up", "--yes", "--skip-preview", "--stack", "contoso")
    found = {
        name: pulumi("stack", "output", name, "--stack", "contoso")
        for name in ("clientId", "objectId")
    }
    before = journey.mark()
    handed = journey.proself_mail("handover", "--stack", STACK, "--to", found["objectId"])
    assert handed.returncode == 0, handed.stderr
    assert journey.writes(before) == []
    up = journey.proself_mail("up", "--stack", STACK)
    assert up.returncode == 0, up.stderr
    assert not [path for _, path in journey.writes(before) if "Grants" in path]
    shutil.copy(journey.folder / f"Pulumi.{STACK}.yaml", checkout / "stacks")
    return found


@pytest.fixture
def runner(journey: Journey, tmp_path: Path) -> dict[str, str]:
    """What a runner's shell has: where the tenant is, the state, and no credential."""
    led = sandbox.prepare(journey.tenant.ready_file)
    leading = {
        key: value
        for key, value in led.environment.items()
        if "SECRET" not in key and "CLIENT" not in key and "TENANT" not in key and key != "PATH"
    }
    tools = tmp_path / "bin"
    tools.mkdir()
    path = [str(tools), str(led.plugin.folder), os.environ["PATH"]]
    return workflow.clean_environment() | leading | {"PATH": os.pathsep.join(path)}


def known(journey: Journey, identity: dict[str, str]) -> dict[str, str]:
    return {
        "inputs.stack": "",
        "matrix.stack": STACK,
        "vars.ARM_CLIENT_ID": identity["clientId"],
        "vars.ARM_TENANT_ID": journey.tenant.tenant_id,
        "vars.PULUMI_BACKEND_URL": journey.environment["PULUMI_BACKEND_URL"],
        "vars.AZURE_STORAGE_ACCOUNT": "",
        "github.token": "ghs_test",
        "github.repository": "contoso/mail",
    }


def clock(journey: Journey) -> dict[str, str]:
    name = "PROSELF_MAIL_CLOCK_OFFSET_SECONDS"
    return {name: journey.environment[name]}


def test_github_rotates_with_nothing_but_the_jobs_identity(
    journey: Journey, checkout: Path, identity: dict[str, str], runner: dict[str, str]
) -> None:
    gh = workflow.fake_gh(Path(runner["PATH"].split(os.pathsep)[0]))
    values = known(journey, identity)
    listed = Job(WORKFLOW, "stacks").run(checkout, runner, values)
    assert listed.is_green, listed.log
    assert listed.outputs["stacks"] == f'["{STACK}"]'

    [first] = journey.outputs(STACK)["clientSecrets"]
    later(journey, 150)
    before = journey.mark()
    job = Job(WORKFLOW, "rotate")
    subject = f"repo:contoso/mail:environment:{STACK}"
    with TokenService(journey.tenant, GITHUB, subject) as service:
        runner |= {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": service.url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
        }
        ran = job.run(checkout, runner | clock(journey), values)
        assert ran.is_green, ran.log
        assert ran.outputs["person"] == "notice"
        old, new = journey.outputs(STACK)["clientSecrets"]
        assert old == first
        assert signs_in(journey, new)
        assert removals(journey, before) == []
        later(journey, 30)
        red = job.run(checkout, runner | clock(journey), values)
        assert red.codes["rotate"] == 6, red.log
        assert removals(journey, before) == [first["keyId"]]

        service.subject = "repo:contoso/mail:ref:refs/heads/main"
        before = journey.mark()
        other = job.run(checkout, runner | clock(journey), values)
        assert other.codes["rotate"] == 4, other.log
        assert "AADSTS700213" in other.log
        assert journey.writes(before) == []
    for each in (ran, red):
        assert "Proself mail: contoso.test" in each.summary
        assert "シークレット" in each.summary
    commands = [each[:2] for each in workflow.asked(gh)]
    assert commands.count(["issue", "create"]) == 2
    [body] = {each[-1] for each in workflow.asked(gh) if each[:2] == ["issue", "create"]}
    shown = ran.log + red.log + ran.summary + red.summary + (checkout / body).read_text()
    shown += gh.read_text()
    for secret in journey.tenant.secrets():
        assert secret not in shown


def test_azure_pipelines_rotate_with_a_service_connection(
    journey: Journey, checkout: Path, identity: dict[str, str], runner: dict[str, str]
) -> None:
    later(journey, 150)
    with TokenService(journey.tenant, DEVOPS, "sc://contoso/mail/proself-mail-contoso") as service:
        done = subprocess.run(
            ["bash", "-e", "-c", workflow.azure_script(ROOT / "azure-pipelines" / "rotate.yml")],
            cwd=checkout,
            env=runner
            | clock(journey)
            | {
                "TF_BUILD": "True",
                "STACK": STACK,
                "PULUMI_BACKEND_URL": journey.environment["PULUMI_BACKEND_URL"],
                "AZURESUBSCRIPTION_CLIENT_ID": identity["clientId"],
                "AZURESUBSCRIPTION_TENANT_ID": journey.tenant.tenant_id,
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "99999999-8888-4777-8666-555555555555",
                "SYSTEM_ACCESSTOKEN": BEARER,
                "SYSTEM_OIDCREQUESTURI": service.url.partition("?")[0],
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"##vso[task.uploadsummary]{checkout}/out/{STACK}/rotation.md" in done.stdout
    assert len(passwords(journey)) == 2
    for secret in journey.tenant.secrets():
        assert secret not in done.stdout + done.stderr
