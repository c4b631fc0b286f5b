"""Lines that set and restore a shell's variables, for `eval` or to be copied."""

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from proself_mail import json_text
from proself_mail.errors import ConfigurationError
from proself_mail.text.command_line import powershell_text

BEFORE_VARIABLE = "PROSELF_MAIL_BEFORE"
"""Holds what `setting_lines` replaced in a shell, as JSON, so that it can be put back."""

_FISH_UNSET = "command -v unset >/dev/null || alias unset='set -e'"
"""Gives fish, which has `export`, the other word of POSIX shells too; they have it built in."""


def typed_in() -> Mapping[str, str]:
    """Return the variables of the shell that this command was typed in, as far as can be told.

    They are this process's own but for PATH, on which `uv run` puts the virtual environment first
    for what it runs.
    """
    if uv := os.environ.get("UV"):
        import psutil  # 0.03 s

        with suppress(psutil.Error, OSError, LookupError):
            for parent in psutil.Process().parents():
                if Path(parent.exe()).samefile(uv):
                    return os.environ | {"PATH": parent.environ()["PATH"]}
                # Windows has launchers between; a shell that uv runs is one that is typed in.
                if not Path(parent.exe()).is_relative_to(sys.prefix):
                    break
    return os.environ


def setting_lines(
    variables: Mapping[str, str], shell: str, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Write assignments for a shell that `restoring_lines` undoes.

    It is `bash`, whose lines other POSIX shells and fish take too, or `powershell`.
    """
    before = environment.get(BEFORE_VARIABLE)
    if before is None:
        before = json.dumps({name: environment.get(name) for name in variables})
    return [
        _line(name, value, shell) for name, value in {**variables, BEFORE_VARIABLE: before}.items()
    ]


def restoring_lines(shell: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Write the lines that put a shell back to what it was before `setting_lines`.

    Raises `ConfigurationError` where the variable no longer holds what that put there: a shell is
    to run these lines.
    """
    try:
        before = json_text.read(environment.get(BEFORE_VARIABLE) or "{}")
    except ValueError:
        before = None
    if not isinstance(before, dict) or not all(
        re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and isinstance(value, str | None)
        for name, value in before.items()
    ):
        raise ConfigurationError(
            f"{BEFORE_VARIABLE} does not hold what `proself-mail emulator env` put there, so "
            "nothing tells what this shell was before.",
            "Leave this shell and start a new shell, which no embedded tenant is set in.",
        )
    restored = before | {BEFORE_VARIABLE: None}
    lines = [_line(name, value, shell) for name, value in restored.items()]
    return lines if shell == "powershell" else [_FISH_UNSET, *lines]


def path_from(folder: Path, path: Path) -> str:
    """Return a path as it is named from a folder; whole where it lies on another drive."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return str(path.absolute())


def first_on_path(folders: Sequence[Path], shell: str) -> str:
    """Write the line that has a shell, `bash` or `powershell`, look in some folders first."""
    if shell == "powershell":
        return f"$env:PATH = {powershell_text(''.join(f'{each};' for each in folders))} + $env:PATH"
    return f'export PATH={":".join(shlex.quote(str(folder)) for folder in folders)}:"$PATH"'


def _in_ascii(value: str) -> str:
    """Write a text for PowerShell, which reads what a program prints in the console's code page."""
    if value.isascii():
        return powershell_text(value)
    return f"[regex]::Unescape({powershell_text(json.dumps(value)[1:-1])})"


def _line(name: str, value: str | None, shell: str) -> str:
    if shell == "powershell":
        if value is None:
            return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"
        return f"$env:{name} = {_in_ascii(value)}"
    return f"unset {name}" if value is None else f"export {name}={_quoted(value)}"


def _quoted(value: str) -> str:
    """Write a text for POSIX shells and fish, to which a backslash in single quotes is a sign."""
    return shlex.quote(value).replace("\\", """'"\\\\"'""")
