"""The backend's address: the folder that the CLI takes it for, and what is told of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proself_mail.secret import MASK
from proself_mail.stack import backend
from tools import pulumi_cli

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths without a drive")


def placed(monkeypatch: pytest.MonkeyPatch, project: Path, address: str) -> Path | None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", address)
    return backend.folder(project)


@pytest.mark.parametrize("value", ["q", "a q", "'q'", '"q" q', r"a\q", "a=q;x=q"])
def test_a_password_that_the_cli_quotes_is_covered_whatever_it_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    """As it quotes its address, in Go's own way, or as it is."""
    address = f"postgres://127.0.0.1:1/db?password={value}&sslmode=disable"
    monkeypatch.setenv("PULUMI_BACKEND_URL", address)
    told = "unable to open {}: connection refused"
    for each in (json.dumps(address), address):
        said = backend.without_secrets(told.format(each), tmp_path)
        assert said.replace('"', "") == told.format(address.replace(value, MASK))


def test_a_project_that_is_no_yaml_has_no_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("backend: [unclosed", encoding="utf-8")
    assert backend.without_secrets("invalid YAML file", tmp_path) == "invalid YAML file"


@posix
@pytest.mark.parametrize(
    "address",
    [
        "file://not/there",
        "file://../not/there",
        "file://~/not/there",
        "file://~not",
        "file:///not%20there/./at?no_tmp_dir=true",
        "file:///not/there#any",
        "file:/not/there",
    ],
)
def test_the_folder_is_the_one_that_the_cli_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    """A lock that is looked for elsewhere holds nobody up."""
    (tmp_path / "Pulumi.yaml").write_text("name: any\nruntime: python\n", encoding="utf-8")
    found = placed(monkeypatch, tmp_path, address)

    # Of a HOME that is not the user's, as with sudo, the CLI knows nothing.
    environment = {**os.environ, "HOME": str(tmp_path), "PULUMI_HOME": str(tmp_path / "home")}
    asked = subprocess.run(
        [pulumi_cli.locate().path, "stack", "ls", "--non-interactive"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )

    told = re.search(r"stat (.+): no such file or directory", asked.stderr)
    assert told, asked.stderr
    assert str(found) == told[1]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://api.pulumi.com",
        "s3://bucket?region=eu",
        "postgres://state@host/db",
        "file:state",
    ],
)
def test_another_backend_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: any\n", encoding="utf-8")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    assert placed(monkeypatch, tmp_path, address) is None


def test_an_address_that_we_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "with space % and # 共有"
    assert placed(monkeypatch, tmp_path, backend.file_url(folder)) == folder
