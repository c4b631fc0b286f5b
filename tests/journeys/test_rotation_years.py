"""A short life of a stack with the real engine; `python -m bench.rotation` lets years pass."""

import signal
import subprocess
import time

import pytest

from bench.place import STACK, Place, place
from bench.rotation_years import Years
from tests import forked_process, key_service


def command(
    at: Place, *arguments: str, kill_after_s: float | None = None, with_children: bool = False
) -> tuple[int, float, str]:
    """Do what `Place.command` does, forked from a process with its imports behind it.

    The stack's key comes from the tests' key service, for a passphrase takes long. What is killed
    is killed early enough to be still there, however fast the machine is or just became.
    """
    provider = ["--secrets-provider", key_service.PROVIDER] if arguments[0] == "init" else []
    words, began = [*arguments, *provider, "--stack", STACK], time.monotonic()
    ends = 120 if kill_after_s is None else 0.4 * kill_after_s
    try:
        done = forked_process.run(
            words, at.folder, at.environment, None, ends, with_children=with_children
        )
        code, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        code, said = -signal.SIGKILL, str(late.output) + str(late.stderr)
    return code, time.monotonic() - began, said


def test_weeks_without_a_failed_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven weeks: a planned rotation, an early one, runs that are missed and one that is killed.

    How far a killed run gets is the machine's, so what comes after it is not known beforehand.
    """
    monkeypatch.setattr(Place, "command", command)
    for name, value in key_service.environment().items():
        monkeypatch.setenv(name, value)
    with place(1, 0, 22, 21) as at:
        life = Years(at, 44, 22, 21)
        life.live(49)
    figures = life.figures()
    assert figures["sign_ins"] == 49
    assert figures["refused"] == 0
    assert figures["early"] >= 1
    assert figures["rotations"] > figures["early"]
    assert figures["missed"] >= 1
    assert figures["killed"] >= 1
    assert figures["removed"] >= 1
    assert figures["removed_alive"] == 0
    assert figures["most_valid"] <= 2
    assert 2 <= figures["most_valid_after_an_early_one"] <= 3
