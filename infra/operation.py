"""The engine that runs this program: whether it is one we work with, and for which operation.

It does not tell the operation. A program run by `pulumi refresh --run-program` or `pulumi destroy
--run-program` sees what one run by `pulumi up` sees, resources that merely exist in the state
included. The command line of the CLI that started us tells them apart.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pulumi
import yaml

from proself_mail import engine_environment, facts, project
from proself_mail.errors import Error

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


def leave_at_once_when_told() -> None:
    """End this program as soon as the engine says so, without a word.

    After a failure the engine interrupts its language host, and the host's Python would print a
    traceback and then wait for calls that nobody answers any more: five seconds of silence at the
    end of every failed run. What is under way is the engine's and goes on without us.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))


def require_engine() -> None:
    """Refuse an engine that we do not work with. Raises `pulumi.RunError`.

    Pulumi.yaml requires the same, of engines since 3.220; the older ones read over that.
    """
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
def without_traceback(stack: str) -> Iterator[None]:
    """Raise an `Error` as the `pulumi.RunError` that the engine shows as it stands.

    Its next step names the stack.
    """
    try:
        yield
    except Error as error:
        raise pulumi.RunError(str(error.about(stack))) from error


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
    """Say whether nothing that is declared is left out of this run on purpose.

    The CLI (since 3.208) takes each of its flags from the environment as well, which is ours too.
    """
    flags = ("--target", "--exclude", "-t")
    variables = ("PULUMI_OPTION_TARGET", "PULUMI_OPTION_EXCLUDE")
    return not any(each.startswith(flags) for each in _command_line()) and not any(
        value and name.startswith(variables) for name, value in os.environ.items()
    )


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
