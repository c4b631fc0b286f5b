"""A Python program that a test starts itself, forked from its imports where there are forks.

A command takes a good half second of a core to import what it needs, and the tests start hundreds.
A forked one has a folder, an environment and standard streams of its own, as its script has;
`tests/journeys/test_script.py` holds the two against each other.
"""

import contextlib
import marshal
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import psutil

from tests import forked_python

ALL = 0
"""Sent in a signal's place: kill the process with all that it has started."""


class Process(Protocol):
    """As much of `subprocess.Popen` as there is of a forked process."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code. Raises `subprocess.TimeoutExpired`."""

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""

    def terminate(self) -> None:
        """Send it SIGTERM."""

    def kill(self) -> None:
        """Send it SIGKILL."""


def start(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    streams: Sequence[Path | int],
) -> Process:
    """Start a module as a program.

    `streams` stand for its standard input, output and error: files, or descriptors of ours.
    """
    words = ["-P", "-m", module, *arguments]
    mode = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    opened = [os.dup(each) if isinstance(each, int) else os.open(each, mode) for each in streams]
    try:
        if forked_python.FORKS:
            return _Forked(words, folder, environment, opened)
        own, out, error = opened
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment,
            stdin=own,
            stdout=out,
            stderr=error,
        )
    finally:
        for each in opened:
            os.close(each)


def run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str | None,
    seconds: float,
    *,
    with_children: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run `proself-mail` with these arguments, as `subprocess.run` would with output captured.

    `TimeoutExpired` has what it had said when it was killed, if `with_children` with its children.
    """
    with TemporaryDirectory(prefix="forked-process-") as scratch:
        streams = [Path(scratch) / name for name in ("in", "out", "err")]
        streams[0].write_text(stdin or "", encoding="utf-8")
        process = start("proself_mail", arguments, folder, environment, streams)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _kill_all(process) if with_children else process.kill()
            process.wait()
            out, error = (path.read_text(encoding="utf-8") for path in streams[1:])
            raise subprocess.TimeoutExpired(list(arguments), seconds, out, error) from None
        out, error = (path.read_text(encoding="utf-8") for path in streams[1:])
    return subprocess.CompletedProcess(list(arguments), code, out, error)


class _Forked:
    """A process of the fork server's, which ends with this object and with whoever holds it."""

    def __init__(
        self, words: list[str], folder: Path, environment: Mapping[str, str], streams: list[int]
    ) -> None:
        own = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        request = marshal.dumps((0, words, os.fsencode(folder), own))
        self._code: int | None = None
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(str(forked_python.server()))
        socket.send_fds(self._server, [len(request).to_bytes(4, "big")], streams)
        self._server.sendall(request)

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            with selectors.DefaultSelector() as ended:
                ended.register(self._server, selectors.EVENT_READ)
                if not ended.select(timeout):
                    raise subprocess.TimeoutExpired("a forked process", timeout or 0)
            status = self._server.recv(2)
            self._code = int.from_bytes(status, "big", signed=True) if status else 1
            self._server.close()
        return self._code

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        if self._code is None:
            with contextlib.suppress(BrokenPipeError):  # it has just ended
                self._server.sendall(bytes([number]))


def _kill_all(process: Process) -> None:
    if isinstance(process, _Forked):
        process.send_signal(ALL)
    elif isinstance(process, subprocess.Popen):
        for each in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.kill()
