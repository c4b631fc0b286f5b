"""The Python that is forked for the engine: what comes of it is what comes of a fresh one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import forked_python
from tests.journey import Journey

pytestmark = pytest.mark.skipif(not forked_python.FORKS, reason="here nothing is forked")

STACK = "dev"
COMMANDS = (
    ("up", "--yes", "--skip-preview"),
    ("refresh", "--yes", "--skip-preview", "--run-program"),
    ("config", "set", "server", "https://proself.example.jp"),
    ("up", "--yes", "--skip-preview"),  # which the program refuses
)
NEW_EACH_TIME = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?"
    r"|\d{8}T\d{6}Z|\d+(\.\d+)?m?s\b|/\S+(?=/pulumi-resource-azuread)"
)

PROGRAM = """\
import json, os, sys
own = {name: value for name, value in os.environ.items() if name not in ("_", "PWD")}
print(json.dumps([__name__, __file__, sys.argv, sys.path, os.getcwd(), own, sys.stdin.read()]))
print("an error", file=sys.stderr)
sys.exit(3)
"""
WAITING = """\
import os, psutil, time
print(os.getpid(), psutil.Process().pid, flush=True)
time.sleep(60)
"""


def fresh(journey: Journey) -> None:
    """Have the engine start Python as it does without us."""
    del journey.environment["PULUMI_PYTHON_CMD"]
    first, _, others = journey.environment["PATH"].partition(os.pathsep)
    assert "forked-python" in first
    journey.environment["PATH"] = others


def run(journey: Journey, commands: Iterable[tuple[str, ...]]) -> list[Any]:
    """Run commands of the CLI; gives what they end with, say and send, without what is new."""
    found: list[Any] = []
    for command in commands:
        before = journey.mark()
        done = journey.pulumi(*command, "--stack", STACK)
        writes = journey.tenant.writes(before)
        sent = [json.dumps([each["method"], each["path"], each["request"]]) for each in writes]
        said = (done.stdout + done.stderr).splitlines()
        # How often it says that it is still at work depends on how long that takes.
        lines = [" ".join(line.split()) for line in said if not line.startswith("@")]
        # Resources that do not depend on each other come in any order.
        new = sorted(NEW_EACH_TIME.sub("…", line) for line in [*lines, *sent])
        found.append((done.returncode, new))
    return found


def test_a_stack_lives_alike(journey: Journey) -> None:
    journey.make_stack(STACK)
    journey.keep()
    forked = run(journey, COMMANDS)
    config = journey.config_file.read_text(encoding="utf-8")
    again = journey.as_kept()
    fresh(again)
    assert run(again, COMMANDS) == forked
    assert [code for code, _ in forked] == [0, 0, 0, 1]
    assert len(again.config_file.read_text(encoding="utf-8")) == len(config)


def pythons(folder: Path, program: str) -> list[list[str]]:
    """Give the commands by which the host runs a program: forked, and fresh."""
    script = folder / "pulumi-language-python-exec"
    script.write_text(program, encoding="utf-8")
    return [
        [python, str(script), "--pwd", "x y"]
        for python in (forked_python.language_host()["PULUMI_PYTHON_CMD"], sys.executable)
    ]


def test_a_program_finds_the_same(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "NAME": "値"}
    forked, other = (
        subprocess.run(
            python, cwd=tmp_path, env=environment, input="質", capture_output=True, text=True
        )
        for python in pythons(tmp_path, PROGRAM)
    )
    assert json.loads(forked.stdout) == json.loads(other.stdout)
    assert (
        (forked.returncode, forked.stderr) == (other.returncode, other.stderr) == (3, "an error\n")
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_program_ends_by_the_same_signal(tmp_path: Path, name: str) -> None:
    """The engine's signal goes to the client; a kill of that one is one of the program."""
    number = signal.Signals[name]  # by name, for Windows knows not all of them
    for python in pythons(tmp_path, WAITING):
        with subprocess.Popen(
            python, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            program, seen = map(int, process.stdout.readline().split())
            assert seen == process.pid
            process.send_signal(number)
            assert process.wait(10) == -number
        deadline = time.monotonic() + 10
        while psutil.pid_exists(program):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_program_is_gone_whenever_it_is_killed(tmp_path: Path) -> None:
    """At its start, too: nobody keeps the pipe open that its output is read from."""
    forked, _ = pythons(tmp_path, WAITING)
    for milliseconds in range(40):
        with subprocess.Popen(forked, stdout=subprocess.PIPE) as process:
            time.sleep(milliseconds / 1000)
            process.kill()
            process.communicate(timeout=20)
