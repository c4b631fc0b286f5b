"""Pulumi's engine as a process: its commands, its orderly end.

What the Automation API's `PulumiCommand` does, but that it keeps hold of the process it runs, so
that one Ctrl-C can be passed on once: a second one makes the engine drop what it has under way.
That API is not imported: it costs a quarter of a second, and most commands only ask the CLI for a
stack's configuration and state.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from proself_mail.stack import backend
from tools import pulumi_cli

_NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_SHORT_LIVED = {"GOGC": "400"}
"""The CLI and its plugins are Go programs that live for seconds. With Go's own default a quarter of
what a command of the CLI costs goes to collecting garbage, of which there is next to none."""
IN_ORDER = timedelta(seconds=20)
"""How long an engine that was told to end has for what it has under way."""
_REFUSED = timedelta(seconds=2)
"""The same after a failure that will not mend: a person is to hear of it."""
_DROPPING = timedelta(seconds=2)
"""How long it has to free the stack, once told to drop that."""
_PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105
READING = frozenset({"config --json", "stack export", "stack ls"})
"""Commands that only read, by their first two words."""

T = TypeVar("T")


class CommandFailed(Exception):
    """A command of the CLI ended with another exit code than 0; `code` is negative for a signal.

    Its words tell the backend's address without what is secret of it.
    """

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        super().__init__(f"exit code {code}")
        self.code = code
        self.stdout = stdout
        self.stderr = stderr


class Engine:
    """The Pulumi CLI, each command in a process group of its own; several may run side by side."""

    def __init__(self) -> None:
        self._command = pulumi_cli.locate().path
        self._running: dict[subprocess.Popen[str], str] = {}
        """Each with the first two words of its command."""

    async def awaited(self, work: Callable[[], T], ending: Callable[[], None] = lambda: None) -> T:
        """Return what `work` does, which runs commands and blocks, from a thread.

        Whoever cancels this, by a deadline or Ctrl-C, is told by `ending`, and has the commands
        ended and waited for: no process is left, and no thread that would hold up our own end.
        """
        # A future and no task, which the end of the loop would take for done while it goes on.
        running = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            ending()
            await self._ended(running)
            raise

    async def _ended(self, running: "asyncio.Future[Any]") -> None:
        while not running.done():  # it may be about to start a command
            # Of its own, for those of the loop may all be in use by what hangs.
            ending = threading.Thread(target=self.end, daemon=True)
            ending.start()
            while True:
                # Cancelled again, as by Ctrl-C after the deadline: that changes nothing.
                with contextlib.suppress(asyncio.CancelledError):
                    if running.done():
                        await asyncio.sleep(0.02)
                    else:
                        await asyncio.wait({running}, timeout=0.2)
                if not ending.is_alive():  # what was left behind is ended as well
                    break
        with contextlib.suppress(Exception):
            running.result()

    def end(self, in_order: timedelta = IN_ORDER, dropping: timedelta = _DROPPING) -> None:
        """End the running commands, and return when they have ended.

        An update that is told once finishes what is under way and starts no more. Told again after
        `in_order`, it drops that and still frees the stack. Another command has the same time to
        come to its end by itself, but for those that only read. What stays even then, `dropping`
        later, is killed.
        """
        running = dict(self._running)
        for process, command in running.items():
            if command in READING:
                _kill(process)
        updates = [each for each, command in running.items() if command.startswith("up ")]
        for patience in (in_order, dropping):
            for update in updates:
                _tell_to_end(update)
            ends = time.monotonic() + patience.total_seconds()
            with contextlib.suppress(subprocess.TimeoutExpired):
                for process in running:
                    process.wait(max(0, ends - time.monotonic()))
                break
        for process in running:
            _kill(process)
            _end_left_behind(process)

    def end_refused(self) -> None:
        """End the running update without waiting for it: a failure of it will not mend."""
        threading.Thread(target=self.end, args=(_REFUSED, _REFUSED / 2), daemon=True).start()

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        stdin: str | None = None,
    ) -> str:
        """Run a command to its end and return its standard output. Raises `CommandFailed`.

        `stdin` is for what must not lie in a file, such as a stack's state.
        """
        # Each of the CLI's flags can be set by a variable (since 3.208), which a person sets for
        # what they type: `--target` or `--config-file` would make another command of ours. A
        # terminal's width is none of theirs either: with one of 0 `pip list`, by which the language
        # host looks for plugins, prints nothing.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PULUMI_OPTION_") and name != "COLUMNS"
        }
        # As from the folder that the person is in, and not the project's, where the CLI is run.
        if given := inherited.get(_PASSPHRASE_FILE):
            inherited[_PASSPHRASE_FILE] = str(Path(given).absolute())
        variables = {**_SHORT_LIVED, **inherited, **environment, "PULUMI_AUTOMATION_API": "true"}
        variables["PATH"] = os.pathsep.join([str(self._command.parent), variables.get("PATH", "")])
        out: list[str] = []
        error: list[str] = []
        with subprocess.Popen(  # noqa: S603
            [str(self._command), "--non-interactive", *arguments],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=variables,
            encoding="utf-8",
            errors="replace",
            start_new_session=sys.platform != "win32",
            creationflags=_NEW_GROUP,
        ) as process:
            self._running[process] = " ".join(arguments[:2])
            readers = [
                threading.Thread(target=_read, args=(process.stdout, out)),
                threading.Thread(target=_read, args=(process.stderr, error)),
            ]
            try:
                for reader in readers:
                    reader.start()
                if process.stdin:
                    with contextlib.suppress(BrokenPipeError):  # it ended before: its words say why
                        process.stdin.write(stdin or "")
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.close()
                for reader in readers:
                    reader.join()
                code = process.wait()
            except KeyboardInterrupt:  # where no loop takes it
                self.end()
                raise
            finally:
                del self._running[process]
        if code != 0:
            raise CommandFailed(
                code,
                backend.without_secrets("\n".join(out), folder),
                backend.without_secrets("\n".join(error), folder),
            )
        return "\n".join(out)


def _tell_to_end(process: "subprocess.Popen[str]") -> None:
    """Tell the engine to end as Ctrl-C does; it may have ended."""
    if sys.platform == "win32":
        import ctypes

        # Not `send_signal`: where that fails, for the engine is gone or there is no console, it
        # kills instead, and then raises a SystemError (python/cpython#58689).
        ctypes.windll.kernel32.GenerateConsoleCtrlEvent(signal.CTRL_BREAK_EVENT, process.pid)
        return
    with contextlib.suppress(OSError):
        process.send_signal(signal.SIGINT)


def _kill(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _end_left_behind(process: "subprocess.Popen[str]") -> None:
    """End what an engine that has ended left running: it forgets a host that is just starting.

    The language host and plugins have process groups of their own, and its session.
    """
    if sys.platform == "win32":
        return
    import psutil  # where an update is broken off alone

    killed = []
    for each in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(each.pid) == process.pid:
                each.kill()
                killed.append(each)
    psutil.wait_procs(killed, timeout=1)


def _read(stream: Any, lines: list[str]) -> None:
    with contextlib.suppress(ValueError):  # a second Ctrl-C has closed it
        lines.extend(line.rstrip() for line in stream)
    stream.close()
