"""On Windows nothing is run from the folder that a command is typed in; Windows is simulated."""

import os
import sys
from pathlib import Path

import pytest

from proself_mail.files import git_tree
from tools import browser, programs, pulumi_cli, uv
from tools.browser import Browser

SAID = {"git": "", "go": "", "pulumi": f"v{pulumi_cli.VERSION}", "uv": f"uv {uv.VERSION}"}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stands in for programs by scripts")


def put(folder: Path, name: str, runs: Path) -> Path:
    """Put a program there that notes that it was run."""
    path = folder / f"{name}.EXE"
    path.write_text(f"#!/bin/sh\necho >> '{runs}'\necho '{SAID.get(name, '')}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, of Windows; the current folder has one of each program."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "here").mkdir()
    for name in (*SAID, *browser._ON_PATH):
        put(tmp_path / "here", name, tmp_path / "planted")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "pathsep", ";")
    monkeypatch.setattr(pulumi_cli, "_USUAL_GO", ())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PATHEXT", ".COM;.EXE")
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "bin"


def test_what_is_on_path_is_run_and_not_what_lies_in_the_current_folder(on_path: Path) -> None:
    found = [put(on_path, name, on_path / "ran") for name in ("go", "pulumi", "uv", "chromium")]
    assert [pulumi_cli._find_go(os.environ), pulumi_cli.locate().path, uv.find()] == found[:3]
    assert browser.locate() == Browser(found[3])
    (on_path / ".git").mkdir()
    put(on_path, "git", on_path / "ran")
    git_tree.would_take(on_path / "sheet.html")
    assert len((on_path / "ran").read_text(encoding="utf-8").splitlines()) == 3  # pulumi, uv, git
    assert not on_path.with_name("planted").exists()


@pytest.mark.parametrize("name", SAID)
def test_what_is_not_on_path_is_not_there(on_path: Path, name: str) -> None:
    assert on_path.with_name("here").joinpath(f"{name}.EXE").exists()
    assert programs.find(name) is None


def test_a_folder_that_cannot_be_looked_into_is_passed_over(
    on_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = put(on_path, "pulumi", on_path / "ran")
    monkeypatch.setenv("PATH", f"{on_path / ('x' * 300)};{on_path}")
    assert programs.find("pulumi") == found
