"""What comes out of the engine's events, and how its processes end."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import psutil
import pytest
from pulumi.runtime.proto import events_pb2, events_pb2_grpc

from proself_mail.secret import MASK
from proself_mail.stack.engine import CommandFailed, Engine
from proself_mail.stack.engine_events import events
from proself_mail.stack.failure import Kind
from proself_mail.stack.observed import Observer
from proself_mail.stack.pulumi_command import words

SECRET = "Xy8Q~the-value-of-a-client-secret"
URN = "urn:pulumi:s::proself-mail::azuread:index/applicationPassword:ApplicationPassword::secret-w"
STACK = "urn:pulumi:s::proself-mail::pulumi:pulumi:Stack::proself-mail-s"
BODY = json.dumps({"keyId": "k", "secretText": SECRET})


def send(*each: dict[str, Any]) -> tuple[list[Any], list[str], Observer, list[str]]:
    """Send events as the engine does; return what was observed, said, and how often it stopped."""
    observed: list[Any] = []
    said: list[str] = []
    stopped: list[str] = []
    observer = Observer("s", said.append, lambda: stopped.append("stop"))

    def observe(event: Any) -> None:
        observed.append(event)
        observer(event)

    with events(observe) as address, grpc.insecure_channel(address.removeprefix("tcp://")) as to:
        requests = (events_pb2.EventRequest(event=json.dumps(event)) for event in each)
        events_pb2_grpc.EventsStub(to).StreamEvents(requests)
    return observed, said, observer, stopped


def diagnostic(severity: str, message: str, urn: str = URN) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": severity, "message": message, "urn": urn}}


@pytest.mark.parametrize("severity", ["debug", "info", "info#err", "warning", "error"])
def test_no_severity_lets_a_secret_out(severity: str) -> None:
    observed, said, observer, _ = send(diagnostic(severity, f"HTTP response: {BODY}"))
    assert bool(observed) is (severity != "debug")
    shown = "\n".join([*said, *(str(failure) for failure in observer.observed.failures)])
    assert SECRET not in shown
    assert bool(observer.observed.failures) is (severity == "error")


def test_what_was_made_is_said_without_its_properties() -> None:
    state = {"outputs": {"value": SECRET}, "inputs": {"value": SECRET}}
    kind = "azuread:index/applicationPassword:ApplicationPassword"
    metadata = {"op": "create", "urn": URN, "type": kind, "new": state, "old": state}
    provider = metadata | {"type": "pulumi:providers:azuread"}
    _, said, observer, _ = send(
        {"resOutputsEvent": {"metadata": provider}},
        {"resOutputsEvent": {"metadata": metadata}},
        {"resOpFailedEvent": {"metadata": metadata}},
    )
    assert said == ["  made     ApplicationPassword secret-w"]
    assert observer.observed.told == {"create": 1}
    assert observer.observed.failed_creates == {"secret-w"}


def test_what_was_begun_counts_as_written_however_it_ended() -> None:
    """Its reply may have been lost, or the engine killed before it said what it had changed."""
    kind = "azuread:index/applicationPassword:ApplicationPassword"
    provider = "pulumi:providers:pulumi"
    for op, of, began in (
        ("same", kind, False),
        *((op, kind, True) for op in ("create", "update", "delete", "import")),
        ("delete", provider, False),
    ):
        _, _, observer, _ = send({"resourcePreEvent": {"metadata": {"op": op, "type": of}}})
        assert bool(observer.observed.touched) is began, (op, of)


def test_what_is_retained_is_not_said_to_be_removed() -> None:
    kind = "azuread:index/applicationPassword:ApplicationPassword"
    deletion = {"op": "delete", "urn": URN, "type": kind}
    for old, word in (({"retainOnDelete": True}, "forgot "), ({}, "removed")):
        _, said, *_ = send({"resOutputsEvent": {"metadata": deletion | {"old": old}}})
        assert said == [f"  {word}  ApplicationPassword secret-w"]


def test_a_command_that_ends_before_it_has_read_everything_is_heard(tmp_path: Path) -> None:
    text = Engine().run(["version"], tmp_path, {}, stdin="x" * 10_000_000)
    assert text.startswith("v3.")


def test_what_the_program_refuses_ends_by_itself() -> None:
    """Told to end at that moment, the engine writes a stack without outputs."""
    clock = diagnostic("error", "This machine's clock is wrong. Next: Set it.", urn="")
    unhandled = diagnostic("error", "an unhandled error occurred: program exited", STACK)
    _, _, observer, stopped = send(clock, unhandled)
    assert [each.kind for each in observer.observed.failures] == [Kind.PERMANENT]
    assert stopped == []
    refused = diagnostic("error", "unexpected status 403 with error: Authorization_RequestDenied")
    assert send(clock, refused, refused)[3] == ["stop"], "what else is under way has to end"


def test_it_is_stopped_once_and_only_for_what_will_not_mend() -> None:
    lag = diagnostic("error", "expected non-nil error with nil state during Create of urn")
    refused = diagnostic("error", "unexpected status 403 with error: Authorization_RequestDenied")
    quota = diagnostic("error", "unexpected status 403 with error: Directory_QuotaExceeded")
    sums = [diagnostic("error", words, STACK) for words in ("update failed", "update canceled")]
    assert send(lag, *sums)[3] == []
    _, _, observer, stopped = send(lag, refused, quota, *sums)
    assert stopped == ["stop"]
    assert len(observer.observed.failures) == 3


def test_on_windows_an_engine_is_told_to_end_by_what_kills_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no console passes it on, it is killed only once its time is over."""
    told: list[tuple[int, int]] = []

    def generate(event: int, group: int) -> int:
        told.append((event, group))
        return 0

    engine = Engine()
    kernel = SimpleNamespace(GenerateConsoleCtrlEvent=generate)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", 1, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        engine._running[cast(Any, process)] = "up --yes"
        engine.end(timedelta(seconds=0.02), timedelta(seconds=0.02))
        assert told == [(1, process.pid)] * 2
    assert process.returncode != 0


def test_a_program_that_was_killed_is_lost_and_one_that_ended_has_told_why() -> None:
    words = "an unhandled error occurred: program exited with non-zero exit code: "
    refusal = diagnostic("error", "server is no host name Next: Correct it.", STACK)
    _, _, observer, stopped = send(refusal, diagnostic("error", f"{words}1", STACK))
    [told] = observer.observed.failures
    assert told.next_step == "Correct it."
    assert stopped == [], "it ends by itself"
    _, _, observer, stopped = send(diagnostic("error", f"<{{%reset%}}>{words}-1", STACK))
    [told] = observer.observed.failures
    assert told.kind is Kind.KILLED
    assert stopped == []


def test_a_program_that_does_not_start_is_told_by_what_its_python_said() -> None:
    """The engine itself has no more than its exit code."""
    exited = "an unhandled error occurred: program exited with non-zero exit code: 1\n"
    raised = "ModuleNotFoundError: No module named 'pulumi'"
    said = ("Traceback (most recent call last):", raised, "Have you run pip install?")
    events = [diagnostic("info#err", f"{line}\n\n", urn="") for line in said]
    _, _, observer, stopped = send(*events, diagnostic("error", exited, urn=""))
    [told] = observer.observed.failures
    assert "No module named 'pulumi'" in str(told.error())
    assert "PULUMI_PYTHON_CMD" in told.next_step
    assert stopped == [], "it has ended"


def test_an_error_is_told_without_what_the_cli_shows_after_it() -> None:
    shown = """Updating (s1):
     pulumi:pulumi:Stack proself-mail-s1 running error: it is so
  and so
     pulumi:pulumi:Stack proself-mail-s1 **failed** 1 error
Diagnostics:
  pulumi:pulumi:Stack (proself-mail-s1):
    error: it is so
"""
    assert words(CommandFailed(255, shown, "")) == "it is so\n  and so"


def cli(tmp_path: Path, script: str) -> Engine:
    """Return an engine whose CLI is a shell script."""
    if sys.platform == "win32":
        pytest.skip("it has no shell's scripts")
    file = tmp_path / "pulumi"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o700)
    engine = Engine()
    engine._command = file
    return engine


def running(engine: Engine, *commands: Sequence[str]) -> list["psutil.Process"]:
    """Return the processes of these commands, once all of them are under way."""
    while len(engine._running) < len(commands):
        time.sleep(0.01)
    return [psutil.Process(each.pid) for each in engine._running]


def ended(engine: Engine, tmp_path: Path, commands: Sequence[Sequence[str]], times: int) -> float:
    """Run commands side by side and cancel that so often; return how many seconds it took."""

    async def main() -> float:
        every = asyncio.gather(
            *(
                engine.awaited(lambda each=each: engine.run(each, tmp_path, {}))  # type: ignore[misc]
                for each in commands
            )
        )
        processes = await asyncio.to_thread(running, engine, *commands)
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
        began = time.monotonic()
        for _ in range(times):
            every.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await every
        assert not any(each.is_running() for each in processes), "a process is left"
        return time.monotonic() - began

    return asyncio.run(main())


@pytest.mark.parametrize("times", [1, 3])
def test_all_that_reads_is_ended_with_who_waits_for_it(tmp_path: Path, times: int) -> None:
    """By no more than a signal that one which hangs, or is stopped, cannot pass over."""
    engine = cli(tmp_path, "trap '' INT TERM; touch begun; kill -STOP $$")
    commands = (["stack", "export"], ["config", "--json", "--show-secrets"])
    assert ended(engine, tmp_path, commands, times) < 5


@pytest.mark.parametrize("times", [1, 3])
def test_an_update_is_told_once_and_waited_for(tmp_path: Path, times: int) -> None:
    engine = cli(
        tmp_path,
        "trap 'echo told >> told' INT; touch begun\n"
        "while [ ! -e told ]; do sleep 0.05; done; sleep 1; echo ended >> told",
    )
    assert 1 < ended(engine, tmp_path, [["up", "--yes"]], times) < 10
    assert (tmp_path / "told").read_text(encoding="utf-8").split() == ["told", "ended"]


def test_a_passphrases_file_is_where_the_person_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for `pulumi`, which they run in the same folder; ours runs in the project's."""
    below = tmp_path / "stacks"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "passphrase")
    engine = cli(tmp_path, 'printf %s "$PULUMI_CONFIG_PASSPHRASE_FILE"')
    assert engine.run(["stack", "export"], tmp_path, {}) == str(below / "passphrase")


def test_what_a_command_said_tells_the_backends_address_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "postgres://u:geheim@db.example/state")
    engine = cli(tmp_path, 'echo "$PULUMI_BACKEND_URL" | tee /dev/stderr; exit 1')
    with pytest.raises(CommandFailed) as failed:
        engine.run(["up"], tmp_path, {})
    for said in (failed.value.stdout, failed.value.stderr):
        assert said == f"postgres://u:{MASK}@db.example/state"


def test_a_terminals_width_is_not_the_clis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one of 0 `pip list` prints nothing, and the language host finds no plugin."""
    monkeypatch.setenv("COLUMNS", "0")
    engine = cli(tmp_path, 'printf %s "${COLUMNS-none}"')
    assert engine.run(["stack", "export"], tmp_path, {}) == "none"


def test_a_write_comes_to_its_end(tmp_path: Path) -> None:
    engine = cli(tmp_path, "touch begun; sleep 1; touch ended")
    ended(engine, tmp_path, [["config", "set-all"]], 1)
    assert (tmp_path / "ended").exists()


def test_what_an_engine_that_has_ended_left_running_is_ended(tmp_path: Path) -> None:
    """It forgets a language host that is just starting, which has a process group of its own."""
    host = "import os, time; os.setpgid(0, 0); open('begun', 'w').close(); time.sleep(300)"
    script = f"""
trap 'exit 1' INT
{sys.executable} -c "{host}" >/dev/null 2>&1 & echo $! >host
while :; do sleep 0.05; done"""
    ended(cli(tmp_path, script), tmp_path, [("up", "--yes")], times=1)
    left = int((tmp_path / "host").read_text(encoding="utf-8"))
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_ctrl_c_ends_a_command_that_no_loop_waits_for(tmp_path: Path) -> None:
    engine = cli(tmp_path, "touch begun; sleep 60")

    def interrupt() -> None:
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.run(["stack", "ls"], tmp_path, {})
    assert time.monotonic() - began < 10
    assert not engine._running
