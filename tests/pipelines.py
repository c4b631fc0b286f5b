"""What journeys of pipelines share: the checkout, a runner's shell, the identity, Azure's agent."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from proself_mail.rehearsal import sandbox
from tests import forked_python, workflow
from tests.journey import Journey
from tools import uv
from tools.stacks import EXAMPLE

ROOT = Path(__file__).resolve().parents[1]
_STACK_FILE = re.compile(r"(stacks|infra/pipeline)/Pulumi\..+\.yaml")
DEVOPS = "https://vstoken.dev.azure.com/11111111-2222-4333-8444-555555555555"
"""The issuer of an organisation's service connections."""

ADMINISTRATOR = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)
"""What a person needs who makes the identity: as much as a Privileged Role Administrator."""


@dataclass(frozen=True)
class Identity:
    """What `infra/pipeline` gives."""

    client_id: str
    object_id: str


def check_out(folder: Path, repository: Path = ROOT) -> Path:
    """Copy the repository as a runner checks it out, without the stacks of those whose copy it is.

    They commit theirs, and what runs here is to be about the test's own.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        is_theirs = _STACK_FILE.fullmatch(name) and name != f"stacks/Pulumi.{EXAMPLE}.yaml"
        if (repository / name).exists() and not is_theirs:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, folder / name)
    # Its Python is this checkout's, whose code no other one's program runs with.
    for name in ("infra/__main__.py", "infra/pipeline/__main__.py"):
        (folder / name).unlink()
        (folder / name).symlink_to(ROOT / name)
    return folder


def make_identity(
    journey: Journey, checkout: Path, environments: Sequence[str], connections: Sequence[str]
) -> Identity:
    """Make a pipeline's identity as a person does, trusted by these jobs of contoso/mail."""
    pipeline = checkout / "infra" / "pipeline"
    configuration = {
        "tenantId": journey.tenant.tenant_id,
        "target": "embedded",
        "owners": [journey.caller()],
        "repository": "contoso/mail",
        "environments": list(environments),
        "serviceConnections": [
            {"name": each, "issuer": DEVOPS, "subject": f"sc://contoso/mail/{each}"}
            for each in connections
        ],
    }
    document = {f"proself-mail-pipeline:{key}": value for key, value in configuration.items()}
    (pipeline / "Pulumi.contoso.yaml").write_text(
        yaml.safe_dump({"config": document}), encoding="utf-8"
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
    made = json.loads(pulumi("stack", "output", "--json", "--stack", "contoso"))
    return Identity(made["clientId"], made["objectId"])


def shell(journey: Journey, folder: Path) -> dict[str, str]:
    """Return what a runner's shell has: where the tenant is, the state, and no credential."""
    led = sandbox.prepare(journey.tenant.ready_file)
    leading = {
        key: value
        for key, value in led.environment.items()
        if "SECRET" not in key and "CLIENT" not in key and "TENANT" not in key and key != "PATH"
    }
    tools = folder / "bin"
    tools.mkdir()
    _fork_what_uv_runs(tools)
    path = [str(tools), str(led.plugin.folder), os.environ["PATH"]]
    return workflow.clean_environment() | leading | {"PATH": os.pathsep.join(path)}


def _fork_what_uv_runs(tools: Path) -> None:
    """Have `uv run proself-mail …` be forked; all else that is asked of uv, it does itself."""
    stand_in = tools / "uv"
    python, real = shlex.join(forked_python.python()), shlex.quote(str(uv.find()))
    stand_in.write_text(
        f"""#!/bin/sh
place=0
for word in "$@"; do
    place=$((place + 1))
    if [ "$word" = proself-mail ]; then
        shift "$place"
        exec {python} -P -m proself_mail "$@"
    fi
done
exec {real} "$@"
""",
        encoding="utf-8",
    )
    stand_in.chmod(0o700)


def clock(journey: Journey) -> dict[str, str]:
    name = "PROSELF_MAIL_CLOCK_OFFSET_SECONDS"
    return {name: journey.environment[name]}


def run_azure(
    journey: Journey, checkout: Path, identity: Identity, shell: dict[str, str], lines: str, of: str
) -> "subprocess.CompletedProcess[str]":
    """Run an Azure pipeline's lines as its agent would, by the service connection `of`."""
    url, token = journey.tenant.job("azure-devops", DEVOPS, f"sc://contoso/mail/{of}")
    return subprocess.run(
        ["bash", "-e", "-c", lines],
        cwd=checkout,
        env=shell
        | clock(journey)
        | {
            "TF_BUILD": "True",
            "PULUMI_BACKEND_URL": journey.environment["PULUMI_BACKEND_URL"],
            "AZURESUBSCRIPTION_CLIENT_ID": identity.client_id,
            "AZURESUBSCRIPTION_TENANT_ID": journey.tenant.tenant_id,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "99999999-8888-4777-8666-555555555555",
            "SYSTEM_ACCESSTOKEN": token,
            "SYSTEM_OIDCREQUESTURI": url,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
