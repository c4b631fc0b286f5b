"""Lines that a person pastes: into a POSIX shell, on Windows into PowerShell."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proself_mail.config.mending import config_set
from proself_mail.text import shell
from proself_mail.text.command_line import connection_trial, leading, powershell_word, shell_word


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("contoso.test", "contoso.test"),
        ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("proself@contoso.co.jp", "proself@contoso.co.jp"),
        ("secrets[0].from", "'secrets[0].from'"),
        ("o'brien@contoso.com", "'o''brien@contoso.com'"),
        # Which PowerShell takes for the same mark (PowerShell, CharTraits.cs).
        ("o\u2019brien", "'o\u2019\u2019brien'"),
        ("a,b", "'a,b'"),
        ("@splatted", "'@splatted'"),
        ("-a.parameter", "'-a.parameter'"),
        (r"C:\Users\Yamada\tenant.json", r"C:\Users\Yamada\tenant.json"),
        (r"C:\Users\山田 太郎\tenant.json", r"'C:\Users\山田 太郎\tenant.json'"),
        ("$(calc)", "'$(calc)'"),
        ("", "''"),
    ],
)
def test_a_word_for_powershell(word: str, typed: str) -> None:
    assert powershell_word(word) == typed


def test_on_windows_lines_are_for_powershell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert shell_word("it's") == "'it''s'"
    assert config_set("dev", "mailbox", "o'brien@contoso.com") == (
        "pulumi config set mailbox 'o''brien@contoso.com' --plaintext --stack dev"
    )
    assert leading("--unset") == (
        "proself-mail emulator env --unset --shell powershell | Out-String | Invoke-Expression"
    )
    assert connection_trial("a.example", 587) == "Test-NetConnection a.example -Port 587"


def test_elsewhere_they_are_for_a_posix_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert shell_word("it's") == "'it'\"'\"'s'"
    assert leading("--unset") == 'eval "$(proself-mail emulator env --unset)"'
    assert connection_trial("a.example", 587) == "nc -vz a.example 587"


def test_what_powershell_is_to_run_is_ascii() -> None:
    """It reads what a program prints in the console's code page, which is 932 in Japan."""
    variables = {"A": "C:\\Users\\山田 太郎\\it's 🍣", "B": "C:\\it's \u2019", "C": "C:\\it's"}
    lines = shell.setting_lines(variables, "powershell", {})
    assert all(line.isascii() for line in lines)
    assert lines[:3] == [
        r"$env:A = [regex]::Unescape('C:\\Users\\\u5c71\u7530 \u592a\u90ce\\it''s \ud83c\udf63')",
        r"$env:B = [regex]::Unescape('C:\\it''s \u2019')",
        r"$env:C = 'C:\it''s'",
    ]
    before = shell.setting_lines({"A": "new"}, "powershell", {"A": "山田"})
    assert all(line.isascii() for line in before)


@pytest.mark.skipif(sys.platform == "win32", reason="lines for PowerShell are printed there")
@pytest.mark.parametrize("name", ["bash", "dash", "zsh", "fish"])
def test_what_is_set_can_be_undone_in_every_shell(name: str, tmp_path: Path) -> None:
    if (found := shutil.which(name)) is None:
        pytest.skip(f"there is no {name} here")
    around = {**os.environ, "A": "old \\ 'q' \"z\" $x 山田"}
    around.pop("B", None)
    led = {"A": "it's \\' \\\\ *", "B": "a:b c"}
    setting = shell.setting_lines(led, "bash", around)
    before = json.dumps({"A": around["A"], "B": None})
    restoring = shell.restoring_lines("bash", around | {shell.BEFORE_VARIABLE: before})
    for file, lines in (("set", setting), ("unset", restoring)):
        (tmp_path / file).write_text("\n".join(lines), encoding="utf-8")
    script = 'eval "$(cat set)"; env; echo; eval "$(cat unset)"; env'
    done = subprocess.run(
        [found, "-c", script], cwd=tmp_path, env=around, capture_output=True, encoding="utf-8"
    )
    assert done.stderr == ""
    inside, after = (each.splitlines() for each in done.stdout.split("\n\n"))
    assert {f"{variable}={value}" for variable, value in led.items()} <= {*inside}
    assert f"{shell.BEFORE_VARIABLE}={before}" in inside
    assert f"A={around['A']}" in after
    assert not [each for each in after if each.startswith(("B=", shell.BEFORE_VARIABLE))]


def test_a_path_on_another_drive_is_named_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.path_from(Path("/a/b"), Path("/a/c")) == str(Path("../c"))

    def another(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", another)
    here = Path("c").absolute()
    assert shell.path_from(Path("/a/b"), Path("c")) == str(here)
