"""Bad input on the embedded tenant's command line, and on the product's commands for it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests import forked_process


def proself_mail(
    folder: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return forked_process.run(arguments, folder, {**os.environ, **environment}, None, 60)


def told(done: "subprocess.CompletedProcess[str]") -> tuple[str, str]:
    """Read the cause and the next step; nothing else may be said."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    said = " ".join(done.stderr.split())
    assert "Traceback" not in said
    assert "usage:" not in said
    cause, _, step = said.partition(" Next: ")
    return cause, step


@pytest.mark.parametrize(
    ("arguments", "cause", "step"),
    [
        (["--port", "x"], "argument --port: 'x' is no whole number", "--help"),
        ([], "arguments are required: --ready-file", "--help"),
        (
            ["--ready-file", "r", "--colour", "red"],
            "unrecognized arguments: --colour red",
            "--help",
        ),
    ],
)
def test_options_of_the_emulator(
    tmp_path: Path, arguments: list[str], cause: str, step: str
) -> None:
    done = proself_mail(tmp_path, "emulator", "start", *arguments)
    found = told(done)
    assert found[0].startswith("emulator: ")
    assert cause in found[0]
    assert step in found[1]
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "cause", "step"),
    [
        (["emulator", "env", "--shell", "fish"], "'fish'", "`--shell bash` or"),
        (["sweep", "--tenant", str(UUID(int=1)), "--target", "clod"], "'clod'", "`--target cloud`"),
        (["emulator", "frob"], "invalid choice: 'frob'", "proself-mail emulator --help`"),
        (["frob"], "invalid choice: 'frob'", "`proself-mail --help`"),
        (["emulator", "stop"], "required: --ready-file", "emulator stop --help`"),
        (["emulator", "stop", "--ready-file", "r", "x"], "arguments: x", "`proself-mail --help`"),
    ],
)
def test_arguments_of_the_product(
    tmp_path: Path, arguments: list[str], cause: str, step: str
) -> None:
    found = told(proself_mail(tmp_path, *arguments))
    assert found[0].startswith("proself-mail: ")
    assert cause in found[0]
    assert step in found[1]


@pytest.mark.parametrize(
    "before", ["{", "[]", '"x"', '{"A": 1}', '{"A": {}}', '{"A; touch owned #": "x"}']
)
def test_a_way_back_that_is_broken(tmp_path: Path, before: str) -> None:
    done = proself_mail(tmp_path, "emulator", "env", "--unset", PROSELF_MAIL_BEFORE=before)
    cause, step = told(done)
    assert "PROSELF_MAIL_BEFORE" in cause
    assert "new shell" in step


@pytest.mark.parametrize("offset", ["abc", "nan", "inf", "1e18", "1e99", "5 minutes"])
def test_a_clock_that_is_broken(tmp_path: Path, offset: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: x\nruntime: python\n", encoding="utf-8")
    environment: Mapping[str, str] = {"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": offset}
    asked = [
        "init", "--stack", "s", "--server", "proself.example.jp", "--target", "embedded",
        "--mailbox", "a@contoso.example", "--environment", "test", "--tenant", str(uuid4()),
    ]  # fmt: skip
    cause, step = told(proself_mail(tmp_path, *asked, **environment))
    assert f"PROSELF_MAIL_CLOCK_OFFSET_SECONDS is {offset!r}" in cause
    assert "unset PROSELF_MAIL_CLOCK_OFFSET_SECONDS" in step


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulator", "--ready-file", str(tmp_path / "missing" / "r.json")],
        capture_output=True,
        encoding="utf-8",
        timeout=20,
        check=False,
    )
    cause, step = told(done)
    assert str(tmp_path / "missing") in cause
    assert "--ready-file" in step
