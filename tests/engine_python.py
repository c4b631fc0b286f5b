"""The Python that the engine starts in tests: its language host's, and the stand-in plugin's.

For each `pulumi up` they import for as long as all the rest of it takes, so both programs are
forked from a process with their imports behind it (`tests.fork_server`). And the host asks
`python -m pip list` before each run, a quarter of a second of a core; all of a test run it is the
same list, so it is asked for once. Whatever else the host has Python do is done as ever.

The rehearsal and the pipelines have their own Python; `tests/infra/test_engine_python.py` holds
what is forked against what is not.
"""

import platform
import shlex
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from emulator import azuread_plugin

FORKS = platform.system() == "Linux"
"""Whether it forks: what macOS' own libraries need may not be used in a forked process."""
_LIST = ("-m", "pip", "list", "-v", "--format", "json")
_PROGRAM = "*/pulumi-language-python-exec"
_CLIENT, _SERVER = (Path(__file__).with_name(f"fork_{side}.py") for side in ("client", "server"))


@cache
def environment() -> dict[str, str]:
    """Return the variable that has the language host use it; nothing where a script is none."""
    if sys.platform == "win32":
        return {}
    listed = subprocess.run([sys.executable, *_LIST], capture_output=True, check=True).stdout
    packages = _folder() / "packages.json"
    packages.write_bytes(listed)
    list_ = f'if [ "$*" = "{" ".join(_LIST)}" ]; then exec cat {shlex.quote(str(packages))}; fi'
    program = f'case "$1" in {_PROGRAM}) exec {shlex.join(_forked())} "$@";; esac'
    rest = f'exec {shlex.quote(sys.executable)} "$@"'
    return {"PULUMI_PYTHON_CMD": str(_script(_folder() / "python3", list_, program, rest))}


@cache
def plugins() -> Path:
    """Return the folder with the stand-in plugin's executable, to be put first on PATH."""
    if sys.platform == "win32":
        return azuread_plugin.write_launcher(_folder()).parent
    launcher = _folder() / "plugins/pulumi-resource-azuread"
    launcher.parent.mkdir()
    start = shlex.join([*_forked(), "-P", "-m", azuread_plugin.MODULE])
    return _script(launcher, f'exec {start} "$@"').parent


@cache
def _temporary() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="engine-python-")


def _folder() -> Path:
    return Path(_temporary().name)


def _script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o700)
    return path


def _forked() -> list[str]:
    """Return the command that stands for a Python that is forked."""
    if not FORKS:
        return [sys.executable]
    _server()
    return [sys.executable, "-I", "-S", str(_CLIENT), str(_socket())]


def _socket() -> Path:
    return _folder() / "socket"


@cache
def _server() -> "subprocess.Popen[bytes]":
    """Start what forks; it ends with us, whose end of its standard input is closed then."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(_socket()))
        listener.listen()
        return subprocess.Popen(
            [sys.executable, "-P", _SERVER, str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C is for us
        )
