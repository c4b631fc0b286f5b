"""What the pipelines that delete never are: started by a pull request, or trusted unguarded."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


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
    assert "secrets." not in str(document)
    for step in job["steps"]:
        assert "ref" not in step.get("with", {})
        assert "${{" not in step.get("run", ""), "an input would be a part of the script"


@pytest.mark.parametrize("name", ["teardown", "sweep"])
def test_the_azure_pipeline_as_well(name: str) -> None:
    document = read(f"azure-pipelines/{name}.yml")
    assert document["pr"] == "none"
    assert document["trigger"] == "none"
    [job] = document["jobs"]
    assert job["environment"] == name
    assert "refs/heads/main" in job["condition"]
