"""A Python for the engine's language host that has been asked which packages there are.

The host asks `python -m pip list` before each run of a program, which costs a quarter of a second
of a core; all of a test run it is the same list, so it is asked for once. Whatever else the host
has Python do is done as ever. The rehearsal and the pipelines have their own Python.
"""

import shlex
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_LIST = ("-m", "pip", "list", "-v", "--format", "json")


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="listed-packages-")


@cache
def environment() -> dict[str, str]:
    """Return the variable that has the language host use it; nothing where a script is none."""
    if sys.platform == "win32":
        return {}
    listed = subprocess.run([sys.executable, *_LIST], capture_output=True, check=True).stdout
    packages, python = (Path(_folder().name) / name for name in ("packages.json", "python3"))
    packages.write_bytes(listed)
    python.write_text(
        f'#!/bin/sh\nif [ "$*" = "{" ".join(_LIST)}" ]; then\n'
        f"  exec cat {shlex.quote(str(packages))}\nfi\n"
        f'exec {shlex.quote(sys.executable)} "$@"\n'
    )
    python.chmod(0o700)
    return {"PULUMI_PYTHON_CMD": str(python)}
