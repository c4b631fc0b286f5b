"""A Python that is forked from its imports, for what tests do not fork themselves.

That is what the engine starts, the program and the stand-in plugin, which import for as long as all
the rest of a `pulumi up` takes, and what a journey starts and leaves running. One process with the
imports behind it (`tests.fork_server`) does for all workers of a run of tests, and for what they
run themselves (`tests.forked_process`).

The language host also asks `python -m pip list` before each run of a program, a quarter of a second
of a core; all the time it is the same list, so it is asked for once. Whatever else the host has
Python do is done as ever. The rehearsal, the pipelines and the bench have their own Python;
`tests/infra/test_forked_python.py` holds what is forked against what is not.
"""

import os
import platform
import shlex
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import filelock

from emulator import azuread_plugin
from proself_mail.stack.plugin import Plugin

FORKS = platform.system() == "Linux"
"""Whether it forks: what macOS' own libraries need may not be used in a forked process."""
_VARIABLE = "PROSELF_MAIL_TESTS_FORKED_PYTHON"
_LIST = ("-m", "pip", "list", "-v", "--format", "json")
_CLIENT, _SERVER = (Path(__file__).with_name(f"fork_{side}.py") for side in ("client", "server"))


def share() -> Path:
    """Have those whom this process starts use what is its own, and lives as long as it.

    Returns the folder that all of it is in.
    """
    return Path(os.environ.setdefault(_VARIABLE, _own().name))


def python() -> list[str]:
    """Return the command that stands for a Python."""
    return _python(_ready())


def language_host() -> dict[str, str]:
    """Return the variable that has the language host use it; nothing where a script is none."""
    return {} if sys.platform == "win32" else {"PULUMI_PYTHON_CMD": str(_ready() / "python3")}


def engine(path: str, plugin: Plugin) -> dict[str, str]:
    """Return the variables that have an engine use it; `path` is PATH, `plugin` the one on it."""
    plugins = [str(_ready() / "plugins")] if plugin.is_stand_in else []
    return language_host() | {"PATH": os.pathsep.join([*plugins, path])}


def plugin() -> Path:
    """Return the executable of a stand-in plugin that is forked."""
    [launcher] = (_ready() / "plugins").iterdir()
    return launcher


def server() -> Path:
    """Return the socket of the server, for one who is a client in its own process."""
    return _ready() / "socket"


@cache
def _own() -> "tempfile.TemporaryDirectory[str]":
    """Make the folder; what is in it is made when it is first needed, by whoever needs it."""
    folder = tempfile.TemporaryDirectory(prefix="forked-python-")
    if FORKS:
        owner = Path(folder.name) / "owner"
        os.mkfifo(owner)
        os.open(owner, os.O_RDWR)  # it ends with this process, and the server by that
    return folder


@cache
def _ready() -> Path:
    """Return the folder with all that is in it."""
    folder = share()
    with filelock.FileLock(folder / "lock"):
        if not (folder / "plugins").exists():
            _fill(folder)
    return folder


def _python(folder: Path) -> list[str]:
    client = ["-I", "-S", str(_CLIENT), str(folder / "socket")] if FORKS else []
    return [sys.executable, *client]


def _fill(folder: Path) -> None:
    python, plugins = _python(folder), folder / "plugins"
    if FORKS:
        _server(folder)
    if sys.platform == "win32":
        azuread_plugin.write_launcher(plugins)
        return
    listed = subprocess.run([sys.executable, *_LIST], capture_output=True, check=True).stdout
    (folder / "packages.json").write_bytes(listed)
    _write_script(
        folder / "python3",
        f'if [ "$*" = "{" ".join(_LIST)}" ]; then',
        f"  exec cat {shlex.quote(str(folder / 'packages.json'))}",
        "fi",
        f'case "$1" in */pulumi-language-python-exec) exec {shlex.join(python)} "$@";; esac',
        f'exec {shlex.quote(sys.executable)} "$@"',
    )
    plugins.mkdir()
    plugin = shlex.join([*python, "-P", "-m", azuread_plugin.MODULE])
    _write_script(plugins / "pulumi-resource-azuread", f'exec {plugin} "$@"')


def _write_script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(("#!/bin/sh", *lines, "")), encoding="utf-8")
    path.chmod(0o700)


@cache
def _server(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the server, once; it is kept here, for nobody waits for its end."""
    with (
        socket.socket(socket.AF_UNIX) as listener,
        (folder / "owner").open("rb") as owner,
    ):
        listener.bind(str(folder / "socket"))
        listener.listen()
        return subprocess.Popen(
            [sys.executable, "-P", _SERVER, str(listener.fileno())],
            stdin=owner,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C is for us
        )
