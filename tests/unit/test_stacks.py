"""The list of stacks that a pipeline runs one job each for, and the example among their files."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from proself_mail.config.configuration import parse
from proself_mail.config.settings import PROJECT
from tools import stacks

ROOT = Path(__file__).resolve().parents[2]


def test_every_file_is_a_stack_but_the_example(tmp_path: Path) -> None:
    for name in ("Pulumi.b.test.yaml", "Pulumi.a.production.yaml", "Pulumi.example.yaml", "x.yaml"):
        (tmp_path / name).touch()
    assert stacks.names(tmp_path) == ["a.production", "b.test"]


def test_the_repository_lists_none_and_says_so_of_one_that_is_not_there() -> None:
    command = [sys.executable, "-m", "tools.stacks"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert isinstance(json.loads(listed.stdout), list)
    other = subprocess.run([*command, "no.such"], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert other.returncode == 1
    assert "no.such" in other.stderr


def test_the_example_is_a_configuration_that_holds() -> None:
    document = yaml.safe_load((ROOT / "stacks" / "Pulumi.example.yaml").read_text(encoding="utf-8"))
    prefix = f"{PROJECT}:"
    values = {key.removeprefix(prefix): value for key, value in document["config"].items()}
    assert parse(values, "example").manages_grant is False
