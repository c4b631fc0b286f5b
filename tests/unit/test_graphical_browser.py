"""The person's web browser."""

import subprocess
import sys
from pathlib import Path

import pytest

ASKING = (
    "from proself_mail.browser.graphical_browser import open_page; "
    "print(open_page('http://127.0.0.1/x'))"
)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="they have one with a window")
@pytest.mark.parametrize("preferred", [None, "/bin/false"])
@pytest.mark.parametrize("name", ["w3m", "www-browser", None])
def test_none_is_opened_that_would_take_the_terminal(
    name: str | None, preferred: str | None, tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    if name:
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$1" >{opened}\n')
        program.chmod(0o700)
    # Without a display and in a terminal, which is what `webbrowser` chooses by.
    env = {"PATH": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
    told = subprocess.run(
        [sys.executable, "-P", "-c", ASKING],
        env=env | ({"BROWSER": preferred} if preferred else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "False\n", told.stderr
    assert not opened.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's program")
def test_the_one_that_is_named_is_opened(tmp_path: Path) -> None:
    opened, program = tmp_path / "opened", tmp_path / "any"
    program.write_text(f'#!/bin/sh\necho "$1" >{opened}\n')
    program.chmod(0o700)
    env = {"BROWSER": str(program), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-P", "-c", ASKING]
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert told.stdout == "True\n", told.stderr
    assert opened.read_text().strip() == "http://127.0.0.1/x"
