"""Pulumi's engine as a process: its commands, its events, its orderly end.

A `PulumiCommand` of the Automation API that keeps hold of the process it runs, so that one Ctrl-C
can be passed on once: a second one makes the engine drop what it has under way. Engine events of
severity debug carry raw HTTP bodies, secrets included; they are dropped before anything sees them.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from pulumi.runtime.proto import events_pb2_grpc
from semver import VersionInfo

from proself_mail import failure
from proself_mail.failure import Failure, Kind
from tools import pulumi_cli

_NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
IN_ORDER = timedelta(seconds=20)
"""How long an engine that was told to end has for what it has under way."""
_REFUSED = timedelta(seconds=2)
"""The same after a failure that will not mend: a person is to hear of it."""
_DROPPING = timedelta(seconds=2)
"""How long it has to free the stack, once told to drop that."""


class Engine(PulumiCommand):
    """The Pulumi CLI, one command at a time, each in a process group of its own."""

    def __init__(self) -> None:
        cli = pulumi_cli.locate()
        # Not by super().__init__: it would ask the CLI for its version, which we know, in 0.15 s.
        self.command = str(cli.path)
        self.version = VersionInfo.parse(cli.version)
        self._process: subprocess.Popen[str] | None = None

    def end(self, in_order: timedelta = IN_ORDER) -> None:
        """End the running command, and return when it has ended.

        Told once, it finishes what is under way and starts no more. Told again after `in_order`,
        it drops that and still frees the stack. What stays even then is killed.
        """
        process = self._process
        if process is None:
            return
        number = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)
        for patience in (in_order, _DROPPING):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience.total_seconds())
                return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)

    def end_refused(self) -> None:
        """End the running command without waiting for it: a failure of it will not mend."""
        threading.Thread(target=self.end, args=(_REFUSED,), daemon=True).start()

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
        stdin: str | None = None,
    ) -> CommandResult:
        """Run a command to its end. Raises the Automation API's `CommandError` where it fails.

        `stdin` is for what must not lie in a file, such as a stack's state.
        """
        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        environment["PATH"] = os.pathsep.join(
            [str(Path(self.command).parent), environment.get("PATH", "")]
        )
        out: list[str] = []
        error: list[str] = []
        with subprocess.Popen(  # noqa: S603
            [self.command, "--non-interactive", *args],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            encoding="utf-8",
            errors="replace",
            start_new_session=sys.platform != "win32",
            creationflags=_NEW_GROUP,
        ) as process:
            self._process = process
            readers = [
                threading.Thread(target=_read, args=(process.stdout, on_output, out)),
                threading.Thread(target=_read, args=(process.stderr, on_error, error)),
            ]
            for reader in readers:
                reader.start()
            if process.stdin:
                process.stdin.write(stdin or "")
                process.stdin.close()
            for reader in readers:
                reader.join()
            code = process.wait()
        result = CommandResult(stdout="\n".join(out), stderr="\n".join(error), code=code)
        if code != 0:
            raise create_command_error(result)
        return result


def _read(stream: Any, callback: Callable[[str], Any] | None, lines: list[str]) -> None:
    for line in iter(stream.readline, ""):
        stripped = line.rstrip()
        lines.append(stripped)
        if callback:
            callback(stripped)
    stream.close()


@dataclass
class Observed:
    """What the engine did in one update, from its events."""

    failures: list[Failure] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    """How many resources by operation, such as create, update, same."""
    creates: set[str] = field(default_factory=set)
    """Names of resources whose creation was tried."""
    failed_creates: set[str] = field(default_factory=set)
    """Those of them where it failed."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing was changed."""
        return set(self.changes) <= {"same"}


class Observer:
    """Takes engine events one by one; says what is worth a line, collects what failed."""

    def __init__(self, say: Callable[[str], None], stop: Callable[[], None]) -> None:
        """`stop` is called once, at the first failure that will not mend."""
        self._say = say
        self._stop = stop
        self.observed = Observed()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event, as the engine's JSON."""
        if diagnostic := event.get("diagnosticEvent"):
            self._diagnostic(diagnostic)
        elif begun := event.get("resourcePreEvent"):
            if begun["metadata"]["op"] in ("create", "create-replacement"):
                self.observed.creates.add(name_of(begun["metadata"]["urn"]))
        elif done := event.get("resOutputsEvent"):
            self._step(done["metadata"])
        elif failed := event.get("resOpFailedEvent"):
            metadata = failed["metadata"]
            if metadata["op"] in ("create", "create-replacement"):
                self.observed.failed_creates.add(name_of(metadata["urn"]))
        elif summary := event.get("summaryEvent"):
            self.observed.changes = dict(summary.get("resourceChanges") or {})

    def _step(self, metadata: Mapping[str, Any]) -> None:
        words = {
            "create": "made",
            "update": "changed",
            "replace": "replaced",
            "import": "adopted",
            "delete": "removed",
        }
        kind = str(metadata["type"]).rpartition(":")[2]
        if (word := words.get(metadata["op"])) and str(metadata["type"]).startswith("azuread:"):
            self._say(f"  {word:<8} {kind} {name_of(metadata['urn'])}")

    def _diagnostic(self, diagnostic: Mapping[str, Any]) -> None:
        if diagnostic.get("severity") != "error":
            return
        words = _plain(diagnostic.get("message", ""))
        urn = diagnostic.get("urn") or ""
        if not words or words in _SUMS or "an unhandled error occurred" in words:
            return
        kind_is_stack = "pulumi:pulumi:Stack" in urn
        name = "" if kind_is_stack or not urn else name_of(urn)
        found = failure.classify(words, name)
        failures = self.observed.failures
        if found.kind is Kind.PERMANENT and all(each.kind.passes for each in failures):
            self._stop()
        if found not in failures:
            failures.append(found)


_SUMS = ("update failed", "update canceled", "update cancelled")
"""What the engine says of a run as a whole."""


def name_of(urn: str) -> str:
    """Return a resource's name in the program."""
    return urn.rpartition("::")[2]


_MARKUP = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")


def _plain(message: str) -> str:
    """Take the engine's colours out of a message."""
    return _MARKUP.sub("", message).strip().removeprefix("error:").strip()


@contextlib.contextmanager
def events(observe: Callable[[Mapping[str, Any]], None]) -> Iterator[str]:
    """Serve an address for the engine's `--event-log`; give each event to `observe`."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    events_pb2_grpc.add_EventsServicer_to_server(_Events(observe), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        server.stop(grace=1).wait()


class _Events(events_pb2_grpc.EventsServicer):
    def __init__(self, observe: Callable[[Mapping[str, Any]], None]) -> None:
        self._observe = observe

    def StreamEvents(self, request_iterator: Any, context: Any) -> Any:  # noqa: ARG002, N802
        for request in request_iterator:
            event = json.loads(request.event)
            if event.get("diagnosticEvent", {}).get("severity") != "debug":
                self._observe(event)
        return empty_pb2.Empty()
