"""What the pipelines never are: started by a pull request, or trusted unguarded."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipelines import check_out
from tools import stacks

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
"""What a copy whose state has one adds, as the rotation's runbook says in its first step."""


def read(path: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["teardown", "sweep"])
def test_the_workflow_runs_the_default_branch_in_its_own_environment(name: str) -> None:
    document = read(f".github/workflows/{name}.yml")
    started_by = set(document[True])  # YAML 1.1 reads `on` as true
    assert started_by <= {"workflow_dispatch", "workflow_call", "schedule"}
    assert document["permissions"] == {}
    [job] = document["jobs"].values()
    assert job["environment"] == name
    assert "default_branch" in job["if"]
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert set(re.findall(r"secrets\.\w+", str(document))) <= {f"secrets.{PASSPHRASE}"}
    for step in job["steps"]:
        assert "ref" not in step.get("with", {})
        assert "${{" not in step.get("run", ""), "an input would be a part of the script"


def test_rotation_runs_on_the_default_branch_alone_as_well() -> None:
    jobs = read(".github/workflows/rotate.yml")["jobs"]
    assert "default_branch" in jobs["stacks"]["if"]
    assert jobs["rotate"]["needs"] == "stacks"
    assert "always()" not in jobs["rotate"]["if"], "it would run where that one is skipped"
    [template] = read("azure-pipelines/rotate.yml")["jobs"]
    [[job]] = template.values()
    assert "refs/heads/main" in job["condition"]


def test_no_call_drops_another_one_for_other_stacks() -> None:
    """GitHub cancels what waits in a group as soon as another comes to wait in it."""
    for name, what in (("teardown", "inputs.stacks"), ("rotate", "matrix.stack")):
        job = read(f".github/workflows/{name}.yml")["jobs"][name]
        assert f"${{{{ {what} }}}}" in job["concurrency"]["group"]


@pytest.mark.parametrize("language", ["", ".ja"])
@pytest.mark.parametrize(
    ("name", "runbook"), [("rotate", "rotation"), ("teardown", "teardown"), ("sweep", "teardown")]
)
def test_the_runbook_names_every_variable(name: str, runbook: str, language: str) -> None:
    told = (ROOT / f"docs/runbooks/{runbook}{language}.md").read_text(encoding="utf-8")
    github = (ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8")
    azure = (ROOT / f"azure-pipelines/{name}.yml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\bvars\.(\w+)|\$\(([A-Z_]+)\)", github + azure))
    names = {one or other for one, other in wanted} - {PASSPHRASE}
    assert {f"`{name}`" for name in names} <= set(re.findall(r"`\w+`", told))


@pytest.mark.parametrize("name", ["teardown", "sweep"])
def test_the_azure_pipeline_as_well(name: str) -> None:
    document = read(f"azure-pipelines/{name}.yml")
    assert document["pr"] == "none"
    assert document["trigger"] == "none"
    [job] = document["jobs"]
    assert job["environment"] == name
    assert "refs/heads/main" in job["condition"]


def test_they_hold_in_a_private_copy_with_what_its_owners_commit(tmp_path: Path) -> None:
    """The README's first step: their stacks, the lock and the pipelines live beside the program."""
    copy = check_out(tmp_path / "copy")
    stack = copy / "stacks" / "Pulumi.contoso.production.yaml"
    shutil.copy(copy / "stacks" / "Pulumi.example.yaml", stack)
    identity = copy / "infra" / "pipeline" / "Pulumi.contoso.yaml"
    identity.write_text("config: {}\n", encoding="utf-8")
    runbook = (copy / "docs/runbooks/rotation.md").read_text(encoding="utf-8")
    [line] = re.findall(rf"`({PASSPHRASE}: .+)`", runbook)
    account = "AZURE_STORAGE_ACCOUNT: "
    for name in ("rotate", "teardown"):
        for path, added in (
            (copy / f".github/workflows/{name}.yml", line),
            (copy / f"azure-pipelines/{name}.yml", f"{PASSPHRASE}: $({PASSPHRASE})"),
        ):
            text = path.read_text(encoding="utf-8")
            [(indent, before)] = re.findall(rf"^( +)({account}.+)$", text, re.MULTILINE)
            path.write_text(text.replace(before, f"{before}\n{indent}{added}"), encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", copy], check=True)
    theirs = ["tests/house/test_workflows.py", "tests/unit/test_stacks.py"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-k", "not private_copy", *theirs],
        cwd=copy,
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    checkout = check_out(tmp_path / "checkout", copy)
    assert stacks.names(checkout / "stacks") == []
    assert not (checkout / identity.relative_to(copy)).exists()
