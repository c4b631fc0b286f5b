"""What comes out of the engine's events: never one of severity debug, never a secret."""

import ctypes
import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from pulumi.runtime.proto import events_pb2, events_pb2_grpc

from proself_mail.engine import Engine, Observer
from proself_mail.engine_events import events

SECRET = "Xy8Q~the-value-of-a-client-secret"
URN = "urn:pulumi:s::proself-mail::azuread:index/applicationPassword:ApplicationPassword::secret-w"
STACK = "urn:pulumi:s::proself-mail::pulumi:pulumi:Stack::proself-mail-s"
BODY = json.dumps({"keyId": "k", "secretText": SECRET})


def send(*each: dict[str, Any]) -> tuple[list[Any], list[str], Observer, list[str]]:
    """Send events as the engine does; return what was observed, said, and how often it stopped."""
    observed: list[Any] = []
    said: list[str] = []
    stopped: list[str] = []
    observer = Observer(said.append, lambda: stopped.append("stop"))

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
    _, said, observer, _ = send(
        {"resOutputsEvent": {"metadata": metadata}}, {"resOpFailedEvent": {"metadata": metadata}}
    )
    assert said == ["  made     ApplicationPassword secret-w"]
    assert observer.observed.failed_creates == {"secret-w"}


def test_what_is_retained_is_not_said_to_be_removed() -> None:
    kind = "azuread:index/applicationPassword:ApplicationPassword"
    deletion = {"op": "delete", "urn": URN, "type": kind}
    for old, word in (({"retainOnDelete": True}, "forgot "), ({}, "removed")):
        _, said, *_ = send({"resOutputsEvent": {"metadata": deletion | {"old": old}}})
        assert said == [f"  {word}  ApplicationPassword secret-w"]


def test_a_command_that_ends_before_it_has_read_everything_is_heard(tmp_path: Path) -> None:
    text = Engine().run(["version"], tmp_path, {}, stdin="x" * 10_000_000)
    assert text.startswith("v3.")


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
        engine._process = cast(Any, process)
        engine.end(timedelta(seconds=0.02), timedelta(seconds=0.02))
        assert told == [(1, process.pid)] * 2
    assert process.returncode != 0
