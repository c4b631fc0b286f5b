"""Every failure that a person is told of: its cause, the next step, and the exit code.

Adapters convert what their libraries raise into these at their edge; only `cli` prints them and
exits, only `infra` turns them into `pulumi.RunError`. No secret is ever part of one.
"""

from datetime import timedelta
from typing import ClassVar

_NEXT = " Next: "


class Error(Exception):
    """Something went wrong in a way that a person can act on."""

    exit_code: ClassVar[int] = 4

    def __init__(self, cause: str, next_step: str) -> None:
        super().__init__(cause, next_step)
        self.cause = cause
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.cause}{_NEXT}{self.next_step}"


class CheckFailed(Error):
    """What was looked at is not as it should be."""

    exit_code = 1


class ConfigurationError(Error):
    """An argument, a setting or a file cannot be used as it stands."""

    exit_code = 2


class MissingTool(ConfigurationError):
    """A program that the work needs is not on this machine."""


class Refused(Error):
    """A guard stopped the command before it wrote anything."""

    exit_code = 3


class RemoteError(Error):
    """The tenant, or another remote part, answered with an error, or not at all."""

    exit_code = 4


class NoAnswerYet(RemoteError):
    """It had no time, or the connection broke: it may well answer in a moment.

    `retry_after` is how long it wants to be left alone.
    """

    def __init__(self, cause: str, next_step: str, retry_after: timedelta = timedelta()) -> None:
        super().__init__(cause, next_step)
        self.retry_after = retry_after


class OutOfTime(RemoteError):
    """It was not done in the time that it may take, and stopped in order."""


class PartlyFailed(Error):
    """Of several pieces of work some failed."""

    exit_code = 5


class PersonNeeded(Error):
    """All is as it should be, but a person must do something before a date."""

    exit_code = 6


class Interrupted(Error):
    """A person ended the command by Ctrl-C; it stopped in order."""

    exit_code = 130


def parted(text: str) -> tuple[str, str]:
    """Return cause and next step of an error that went through the engine, which keeps its text.

    The next step is blank where the text is no error's of ours.
    """
    cause, _, next_step = text.partition(_NEXT)
    return cause, next_step


def sentence(text: str) -> str:
    """Return a check's detail as the cause or the next step of an error."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
