"""Lines that set and restore a shell's variables, for `eval` or to be copied."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

BEFORE_VARIABLE = "PROSELF_MAIL_BEFORE"
"""Holds what `setting_lines` replaced in a shell, as JSON, so that it can be put back."""


def setting_lines(
    variables: Mapping[str, str], shell: str, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Write assignments for a shell, `bash` or `powershell`, that `restoring_lines` undoes."""
    before = environment.get(BEFORE_VARIABLE)
    if before is None:
        before = json.dumps({name: environment.get(name) for name in variables})
    return [
        _line(name, value, shell) for name, value in {**variables, BEFORE_VARIABLE: before}.items()
    ]


def restoring_lines(shell: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Write the lines that put a shell back to what it was before `setting_lines`."""
    before: dict[str, str | None] = json.loads(environment.get(BEFORE_VARIABLE) or "{}")
    return [_line(name, value, shell) for name, value in (before | {BEFORE_VARIABLE: None}).items()]


def first_on_path(folders: Sequence[Path], shell: str) -> str:
    """Write the line that has a shell, `bash` or `powershell`, look in some folders first."""
    if shell == "powershell":
        doubled = "".join(f"{folder};" for folder in folders).replace("'", "''")
        return f"$env:PATH = '{doubled}' + $env:PATH"
    return f'export PATH={":".join(shlex.quote(str(folder)) for folder in folders)}:"$PATH"'


def _line(name: str, value: str | None, shell: str) -> str:
    if shell == "powershell":
        if value is None:
            return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"
        doubled = value.replace("'", "''")
        return f"$env:{name} = '{doubled}'"
    return f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"
