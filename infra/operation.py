"""The engine that runs this program: whether it is one we work with, and for which operation.

It does not tell the operation. A program run by `pulumi refresh --run-program` or `pulumi destroy
--run-program` sees what one run by `pulumi up` sees, resources that merely exist in the state
included. The command line of the CLI that started us (`command`) tells them apart.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pulumi
import yaml

from infra import command
from proself_mail import facts
from proself_mail.errors import Error
from proself_mail.stack import engine_environment, project

_PREVIEWING = frozenset({"preview", "pre"})
_OBSERVING = _PREVIEWING | {"refresh", "destroy", "down", "dn", "import"}


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
    return not pulumi.runtime.is_dry_run() and command.subcommand() not in _OBSERVING


def looks_ahead() -> bool:
    """Say whether this run makes what is declared or shows what it would."""
    return command.subcommand() not in {None, *(_OBSERVING - _PREVIEWING)}


def stack_files() -> Path | None:
    """Return the folder that the project's stack files lie in; None where it cannot be told.

    The CLI's working directory leads there. Older language hosts tell no program its project.
    """
    start = command.folder()
    with suppress(OSError, ValueError, AttributeError, yaml.YAMLError):  # another kind of file
        for folder in (start, *start.parents) if start else ():
            if (folder / "Pulumi.yaml").exists():
                return project.stack_files(folder)
    return None


def is_under_proself_mail_up() -> bool:
    """Say whether `proself-mail up` drives the engine."""
    return bool(os.environ.get(engine_environment.DRIVER))


def adoption() -> Mapping[str, str]:
    """Return what `proself-mail up` has found to import: ids by resource name."""
    found: dict[str, str] = json.loads(os.environ.get(engine_environment.ADOPT, "{}"))
    return found
