"""The engine that runs this program: whether it is one we work with, and for which operation.

It does not tell the operation. A program run by `pulumi refresh --run-program` or `pulumi destroy
--run-program` sees what one run by `pulumi up` sees, resources that merely exist in the state
included. The command line of the CLI that started us tells them apart.
"""

import csv
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil
import pulumi
import yaml

from proself_mail import facts
from proself_mail.errors import Error
from proself_mail.stack import engine_environment, project

_PREVIEWING = frozenset({"preview", "pre"})
_OBSERVING = _PREVIEWING | {"refresh", "destroy", "down", "dn", "import"}
_LANGUAGE_HOST = "pulumi-language-"
"""What every language host has in its name."""
_SWITCHES = frozenset(
    {
        *("--disable-integrity-checking", "--emoji", "--fully-qualify-stack-names", "--help"),
        *("--logflow", "--logtostderr", "--non-interactive", "--version", "-e", "-Q", "-h"),
    }
)
"""The CLI's flags without a value. Any other one before the subcommand takes the next word for its
value: so the CLI's own parser does with flags that only the subcommand knows (`--stack`)."""
_TARGETS = ("--target", "--target-replace")
_EXCLUDE = "--exclude"
_EXCLUDE_DEPENDENTS = "--exclude-dependents"
_VALUED = frozenset(
    {
        *(*_TARGETS, _EXCLUDE, "--client", "--color", "--config", "--config-file", "--cwd"),
        *("--event-log", "--exec-agent", "--exec-kind", "--import-file", "--memprofilerate"),
        *("--message", "--otel-traces", "--output", "--override-env", "--parallel", "--path"),
        *("--plan", "--policy-pack", "--policy-pack-config", "--profiling", "--replace"),
        *("--save-plan", "--secrets-provider", "--stack", "--tracing", "--tracing-header"),
        "--verbose",
    }
)
"""The flags of `up`, `preview` and `watch` that take the next word for their value."""
_VALUED_LETTERS = frozenset("cCmpstvx")
_SWITCH_LETTERS = frozenset("defhjQry")
_LONG = {"t": "--target", "x": _EXCLUDE}
_TRUE = frozenset({"", "1", "t", "T", "true", "TRUE", "True"})
"""What Go reads as true, and the value of a switch without one."""


def leave_at_once_when_told() -> None:
    """End this program as soon as the engine says so, without a word.

    After a failure the engine interrupts its language host, and the host's Python would print a
    traceback and then wait for calls that nobody answers any more: five seconds of silence at the
    end of every failed run. What is under way is the engine's and goes on without us.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))


def require_engine() -> None:
    """Refuse an engine that we do not work with, or none. Raises `pulumi.RunError`.

    Pulumi.yaml requires the same, of engines since 3.220; the older ones read over that. Without an
    engine nobody would show an error, and this ends with it by itself.
    """
    if pulumi.runtime.settings.get_engine() is None:
        sys.exit(
            "No Pulumi engine runs this program. Next: Use `proself-mail up` or `pulumi up`. If "
            "that started it in the place of a policy pack in Python: the language host that `make "
            "setup` builds from Go modules runs none, and a released Pulumi CLI, first on PATH, "
            "has a newer one."
        )
    try:
        pulumi.require_pulumi_version(facts.PULUMI_SUPPORTED)
    except pulumi.RunError:  # the engine is ending
        raise
    except Exception as error:
        raise pulumi.RunError(
            f"This Pulumi CLI is not of a supported version ({facts.PULUMI_SUPPORTED}). Next: "
            "`make setup` brings one and says how this shell finds it; or upgrade the `pulumi` on "
            "PATH."
        ) from error


def require_own_code(program: str) -> None:
    """Refuse a program that another checkout's Python runs. Raises `pulumi.RunError`.

    With that one's code it would make what is declared there, and write its files there.
    """
    ours, infra = Path(program).resolve(), Path(__file__).resolve().parent
    if infra not in ours.parents:
        root = next(each for each in ours.parents if each.name == "infra").parent
        raise pulumi.RunError(
            f"The program of {root} would run with the code of {infra.parent}, whose Python is "
            f"first on PATH. Next: Put {root / '.venv' / Path(sys.executable).parent.name} first "
            "on PATH (`make setup` makes it there), then try again."
        )


@contextmanager
def without_traceback() -> Iterator[None]:
    """Raise an `Error` as the `pulumi.RunError` that the engine shows as it stands."""
    try:
        yield
    except Error as error:
        raise pulumi.RunError(str(error)) from error


def applies_changes() -> bool:
    """Say whether this run carries the program out, as `pulumi up` does."""
    return not pulumi.runtime.is_dry_run() and _first_word(_command_line()) not in _OBSERVING


def looks_ahead() -> bool:
    """Say whether this run makes what is declared or shows what it would, unforeseen.

    `proself-mail up` has looked at the tenant itself.
    """
    observes = _first_word(_command_line()) in {None, *(_OBSERVING - _PREVIEWING)}
    return not observes and not is_under_proself_mail_up()


def is_whole() -> bool:
    """Say whether nothing that is declared is left out of this run on purpose."""
    given = _flags()
    return not any(given.get(flag) for flag in (*_TARGETS, _EXCLUDE))


def keeps(urn: str, above: Sequence[str]) -> bool:
    """Say whether this run leaves in the state what the program does not declare so any more.

    `above` are the URNs of all that it depends on, and nothing depends on it. The engine decides
    (pulumi, pkg/resource/deploy/step_generator.go, `GenerateDeletes`): a target takes along what
    depends on it and leaves everything else; what is excluded stays alone, or with its dependents.
    """
    given = _flags()
    if targets := [each for flag in _TARGETS for each in given.get(flag, ())]:
        return not _match(targets, (urn, *above))
    with_dependents = given.get(_EXCLUDE_DEPENDENTS, ("false",))[-1] in _TRUE
    return _match(given.get(_EXCLUDE, ()), (urn, *above) if with_dependents else (urn,))


def stack_files() -> Path | None:
    """Return the folder that the project's stack files lie in; None where it cannot be told.

    The CLI's working directory leads there. Older language hosts tell no program its project.
    """
    command = _command()
    try:
        start = Path(command.cwd()) if command else None
        for folder in (start, *start.parents) if start else ():
            if (folder / "Pulumi.yaml").exists():
                return project.stack_files(folder)
    except (psutil.Error, OSError, ValueError, AttributeError, yaml.YAMLError):
        pass  # a process that may not be looked at, or another kind of project file
    return None


def is_under_proself_mail_up() -> bool:
    """Say whether `proself-mail up` drives the engine."""
    return bool(os.environ.get(engine_environment.DRIVER))


def adoption() -> Mapping[str, str]:
    """Return what `proself-mail up` has found to import: ids by resource name."""
    found: dict[str, str] = json.loads(os.environ.get(engine_environment.ADOPT, "{}"))
    return found


def _command_line() -> Sequence[str]:
    """Return the arguments of the CLI; none where no CLI is found above us."""
    try:
        if command := _command():
            return command.cmdline()[1:]
    except psutil.Error:
        pass  # a process that may not be looked at
    return ()


def _flags() -> dict[str, list[str]]:
    """Return the values of the CLI's flags, by their names as `_parsed` has them."""
    found: dict[str, list[str]] = {}
    for flag in (*_TARGETS, _EXCLUDE, _EXCLUDE_DEPENDENTS):
        # The CLI (since 3.208) takes its flags from the environment as well, which is ours too.
        variable = "PULUMI_OPTION_" + flag.removeprefix("--").replace("-", "_").upper()
        if value := os.environ.get(variable):
            found[flag] = next(csv.reader([value]), [value])
    for flag, value in _parsed(_command_line()):
        found.setdefault(flag, []).append(value)
    return found


def _parsed(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield flags with their values, as the CLI's own parser reads them (spf13/pflag, `parseArgs`).

    Short ones may be combined, and the last one may have its value joined to it. Those that only
    switch are yielded by their long names alone. What follows a letter that is not known here
    may be anything, and is passed over.
    """
    words = iter(arguments)
    for word in words:
        if word == "--":
            return
        if word.startswith("--"):
            flag, is_joined, value = word.partition("=")
            yield flag, next(words, "") if flag in _VALUED and not is_joined else value
        elif word.startswith("-"):
            shorts = word[1:].lstrip("".join(_SWITCH_LETTERS))
            if shorts[:1] in _VALUED_LETTERS:
                value = shorts[1:].removeprefix("=") or next(words, "")
                yield _LONG.get(shorts[0], f"-{shorts[0]}"), value


def _match(targets: Sequence[str], urns: Sequence[str]) -> bool:
    """Say whether one of the URNs is meant, as the engine matches them (`UrnTargets`)."""
    return any(re.fullmatch(_pattern(target), urn) for target in targets for urn in urns)


def _pattern(target: str) -> str:
    segments = (map(re.escape, segment.split("*")) for segment in target.split("**"))
    return ".*".join("[^:]*".join(each) for each in segments)


@cache  # which is asked several times, and what is above this process stays
def _command() -> psutil.Process | None:
    """Return the CLI that started us; None where none is found above us.

    It is what started the language host, and not known by its name: Nix' is `.pulumi-wrapped`, and
    one that is called `pulumi` may be a script around it.
    """
    try:
        child = psutil.Process()
        for parent in child.parents():
            if _LANGUAGE_HOST in child.name() and _LANGUAGE_HOST not in parent.name():
                return parent
            child = parent
    except psutil.Error:
        pass  # a process that may not be looked at
    return None


def _first_word(arguments: Sequence[str]) -> str | None:
    """Return the CLI's subcommand."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            return word
        is_joined = "=" in word or (len(word) > 2 and not word.startswith("--"))
        if not is_joined and word not in _SWITCHES:
            next(words, None)
    return None
