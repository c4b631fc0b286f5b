"""One command of the Pulumi CLI: run, once more where that is enough, and its words if it fails."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from proself_mail import json_text
from proself_mail.config.settings import PROJECT
from proself_mail.errors import ConfigurationError
from proself_mail.stack import backend
from proself_mail.stack.engine import READING, CommandFailed, Engine

_CUT = re.compile(r"\bEOF\b")
"""What the CLI says where its storage's attributes of a file were cut off."""
_NO_LOGIN = "PULUMI_ACCESS_TOKEN must be set"
"""What the CLI says of each address that it does not know: it takes that for Pulumi Cloud's."""
_NO_ADDRESS = re.compile(
    r"error: (?:creating new HTTP request: parse|performing HTTP request: .*unsupported protocol)"
)
"""What it says of the same where a token is set."""
_CRASH = re.compile(
    r"^(fatal error|[Pp]anic|runtime|runtime/cgo): +(.*)$"
    r"(?=[\s\S]*^(?:goroutine \d|runtime stack:|PC=0x))",
    re.MULTILINE,
)
"""What Go's runtime says first, or the CLI's banner of it, before its stacks and registers."""
_FRAME = re.compile(
    r"^goroutine \d.*\n(?:.+\n)*?([\w-]+\.[\w.-]+/\S+?)\((?:\.\.\.|0x|\{|\))", re.MULTILINE
)
"""The innermost function of a package that is not Go's own, of the goroutine that crashed."""
_DISPLAY = re.compile(r"^\s*(?:pulumi:pulumi:Stack\b|Diagnostics:|Resources:)", re.MULTILINE)
"""What the CLI goes on with, where an error is one of an update's."""

T = TypeVar("T")


def run(
    engine: Engine,
    arguments: Sequence[str],
    project: Path,
    environment: Mapping[str, str],
    stdin: str | None = None,
) -> str:
    """Run a command; once more where what a killed engine had cut off stopped it.

    One that only reads also where another at the same time may have taken that away before. An
    update may have made something by then, and is run again by who looks at what that is.

    Raises `CommandFailed`, and `ConfigurationError` where the backend's address is none.
    """
    try:
        return engine.run(arguments, project, environment, stdin=stdin)
    except CommandFailed as error:
        _check_address(error.stderr, project)
        if not _CUT.search(error.stderr):
            raise
        dropped = backend.drop_cut_attributes(project, PROJECT)
        if not dropped and " ".join(arguments[:2]) not in READING:
            raise
    return engine.run(arguments, project, environment, stdin=stdin)


def _check_address(said: str, project: Path) -> None:
    """Raise `ConfigurationError` where the CLI cannot use the address of the backend.

    Its words may quote the password in that, and are not told.
    """
    is_taken_for_pulumi_clouds = _NO_LOGIN in said and not backend.is_of_pulumi_cloud(project)
    if is_taken_for_pulumi_clouds or _NO_ADDRESS.search(said):
        raise ConfigurationError(
            "The address of the backend, by PULUMI_BACKEND_URL, Pulumi.yaml or `pulumi login`, is "
            "none that the Pulumi CLI knows or can read.",
            "It begins with file://, azblob://, s3://, gs://, postgres:// or https://. In a user's "
            "name and a password write what is neither a letter nor a digit as an address has it: "
            "%2F for /, %23 for #, %25 for %, %40 for @. Then try again.",
        ) from None


def document(said: str, command: str, read: Callable[[Any], T]) -> T:
    """Return what `read` makes of the JSON that the CLI printed.

    Raises `ConfigurationError` where it printed none, or another document than it was asked for.
    What it printed is not told: there may be secrets in it.
    """
    try:
        return read(json_text.read(said))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ConfigurationError(
            f"`pulumi {command}` ended without an error, and did not print the JSON that it was "
            "asked for.",
            "Look at what lies first on PATH as `pulumi`: a script in its place must print what "
            "the Pulumi CLI prints, and nothing else. Put the CLI itself there, then try again.",
        ) from None


def words(error: CommandFailed) -> str:
    """Take the CLI's own words out of an error that repeats its whole output.

    The first error says why; those after it only say that the command failed. Who holds a locked
    stack stands in lines after it.
    """
    if error.code < 0:
        return "the engine was ended by a signal"
    text = f"{error.stdout}\n{error.stderr}".strip() or str(error)
    if crash := _CRASH.search(text):
        frame = _FRAME.search(text, crash.end())
        place = f", in {frame[1]}" if frame else ""
        return f"the Pulumi CLI crashed: {crash[1].lower()}: {crash[2]}{place}"
    _, marked, said = text.partition("error: ")
    return _DISPLAY.split(said)[0].strip() if marked else text.splitlines()[-1]
