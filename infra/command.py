"""The command of the CLI that runs this program: its process, its words, its flags.

They are read as the CLI's own parser reads them (spf13/pflag, `parseArgs`).
"""

import csv
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

_LANGUAGE_HOST = "pulumi-language-"
"""What every language host has in its name."""
_LETTERS = {
    "c": "--config",
    "C": "--cwd",
    "m": "--message",
    "p": "--parallel",
    "s": "--stack",
    "t": "--target",
    "v": "--verbose",
    "x": "--exclude",
}
_VALUED = frozenset(
    {
        *(*_LETTERS.values(), "--client", "--color", "--config-file", "--event-log"),
        *("--exec-agent", "--exec-kind", "--import-file", "--import-pending-creates"),
        *("--memprofilerate", "--otel-traces", "--output", "--override-env", "--path", "--plan"),
        *("--policy-pack", "--policy-pack-config", "--profiling", "--replace", "--save-plan"),
        *("--secrets-provider", "--target-replace", "--tracing", "--tracing-header"),
    }
)
"""The flags that take the next word for their value, of all commands that run a program. Any other
switches, or has its value joined to it."""
_SWITCH_LETTERS = "defhjQry"


def subcommand() -> str | None:
    """Return the first word that is no flag's; None where no CLI is found above us."""
    return read(arguments())[0]


def values(flag: str) -> Sequence[str]:
    """Return the values of a flag, by its long name; of one that only switches, blank ones."""
    # The CLI (since 3.208) takes its flags from the environment as well, which is ours too.
    variable = os.environ.get(f"PULUMI_OPTION_{flag.lstrip('-').replace('-', '_').upper()}")
    found = next(csv.reader([variable]), [variable]) if variable else []
    return [*found, *read(arguments())[1].get(flag, ())]


def read(arguments: Sequence[str]) -> tuple[str | None, Mapping[str, Sequence[str]]]:
    """Return the subcommand, and the values of the flags by their long names.

    Short ones may be combined, and the last one may have its value joined to it; those that only
    switch are left out. What follows a letter that is not known here may be anything, and is passed
    over.
    """
    first: str | None = None
    flags: dict[str, list[str]] = {}
    words = iter(arguments)
    for word in words:
        if word == "--":
            break
        if word.startswith("--"):
            flag, is_joined, value = word.partition("=")
            value = next(words, "") if flag in _VALUED and not is_joined else value
            flags.setdefault(flag, []).append(value)
        elif word.startswith("-"):
            shorts = word[1:].lstrip(_SWITCH_LETTERS)
            if letter := _LETTERS.get(shorts[:1]):
                value = shorts[1:].removeprefix("=") or next(words, "")
                flags.setdefault(letter, []).append(value)
        elif first is None:
            first = word
    return first, flags


def arguments() -> Sequence[str]:
    """Return the arguments of the CLI; none where no CLI is found above us."""
    with suppress(psutil.Error):  # a process that may not be looked at
        if process := _process():
            return process.cmdline()[1:]
    return ()


def folder() -> Path | None:
    """Return the folder that the CLI works in; None where that cannot be told."""
    with suppress(psutil.Error, OSError):  # a process that may not be looked at
        if process := _process():
            return Path(process.cwd())
    return None


@cache  # which is asked several times, and what is above this process stays
def _process() -> psutil.Process | None:
    """Return the CLI that started us; None where none is found above us.

    It is what started the language host, and not known by its name: Nix' is `.pulumi-wrapped`, and
    one that is called `pulumi` may be a script around it.
    """
    with suppress(psutil.Error):  # a process that may not be looked at
        child = psutil.Process()
        for parent in child.parents():
            if _LANGUAGE_HOST in child.name() and _LANGUAGE_HOST not in parent.name():
                return parent
            child = parent
    return None
