"""One command of the Pulumi CLI: run, once more where that is enough, and its words if it fails."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from proself_mail.config.settings import PROJECT
from proself_mail.stack import backend
from proself_mail.stack.engine import READING, CommandFailed, Engine

_CUT = re.compile(r"\bEOF\b")
"""What the CLI says where its storage's attributes of a file were cut off."""
_CRASH = re.compile(
    r"^((?:fatal error|panic|runtime|runtime/cgo): .*)$"
    r"(?=[\s\S]*^(?:goroutine \d|runtime stack:|PC=0x))",
    re.MULTILINE,
)
"""What Go's runtime says first, before its stacks and registers."""
_DISPLAY = re.compile(r"^\s*(?:pulumi:pulumi:Stack\b|Diagnostics:|Resources:)", re.MULTILINE)
"""What the CLI goes on with, where an error is one of an update's."""


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
    """
    try:
        return engine.run(arguments, project, environment, stdin=stdin)
    except CommandFailed as error:
        if not _CUT.search(error.stderr):
            raise
        dropped = backend.drop_cut_attributes(project, PROJECT)
        if not dropped and " ".join(arguments[:2]) not in READING:
            raise
    return engine.run(arguments, project, environment, stdin=stdin)


def words(error: CommandFailed) -> str:
    """Take the CLI's own words out of an error that repeats its whole output.

    The first error says why; those after it only say that the command failed. Who holds a locked
    stack stands in lines after it.
    """
    if error.code < 0:
        return "the engine was ended by a signal"
    text = f"{error.stdout}\n{error.stderr}".strip() or str(error)
    if crash := _CRASH.search(text):
        return f"the Pulumi CLI crashed: {crash[1]}"
    _, marked, said = text.partition("error: ")
    return _DISPLAY.split(said)[0].strip() if marked else text.splitlines()[-1]
