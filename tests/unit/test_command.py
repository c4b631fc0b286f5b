"""How the command line of a `pulumi` that runs the program is read."""

import os
import re
import subprocess

import pytest

from infra import command
from tools import pulumi_cli


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("up --yes", "up"),
        ("up --refresh --stack refresh", "up"),
        ("refresh --yes --run-program", "refresh"),
        ("-C /some/where refresh", "refresh"),
        ("--cwd=/some/where --color never destroy", "destroy"),
        ("-v 3 --logtostderr preview", "preview"),
        ("--non-interactive up --exec-kind auto.local", "up"),
        ("--stack one refresh --run-program", "refresh"),
        ("-s one -v3 -Q destroy --run-program", "destroy"),
        ("--profiling p --stack=up refresh", "refresh"),
        ("", None),
        ("--version", None),
    ],
)
def test_the_subcommand(line: str, word: str | None) -> None:
    assert command.read(line.split())[0] == word


@pytest.mark.parametrize("of", ["up", "preview", "watch", "refresh", "destroy"])
def test_every_flag_with_a_value_is_known(of: str) -> None:
    """Of the commands that run a program: the word after another one would be taken for a flag."""
    shown = subprocess.run(
        [pulumi_cli.locate().path, of, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"},
    ).stdout
    flags = re.findall(r"^ +(?:-(\w), )?(--[\w-]+)(?: ([\w:]+))?(\[=\S*)?  ", shown, re.MULTILINE)
    assert len(flags) > 20
    for letter, flag, kind, may_be_left_out in flags:
        # A word of a switch's own help that is quoted there is shown in the place of a type.
        takes_next = bool(kind) and not may_be_left_out and kind != "false"
        given = {flag: ["x"]} if takes_next else {flag: [""]}
        assert command.read([flag, "x"])[1] == given
        if letter:
            given = given if takes_next else {}
            assert command.read([f"-{letter}", "x"]) == (None if takes_next else "x", given)
