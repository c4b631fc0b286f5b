"""A check and its outcome, and the exit code that several make together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from proself_mail.errors import CheckFailed, PersonNeeded, RemoteError


class Outcome(StrEnum):
    """How a check came out."""

    OK = "OK"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    """It could not be looked at; never the same as nothing being there."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    outcome: Outcome
    detail: str
    """What was seen, or why it could not be seen."""
    required: bool = True
    """Whether an unknown outcome stops the work."""
    permission: str = ""
    """What the identity needs for the look."""
    next_step: str = ""
    next_step_ja: str = ""
    """The same in Japanese, of what a person does in Proself."""
    passes_in: timedelta | None = None
    """How long until what could not be looked at may well be; None where waiting is no help."""
    is_guard: bool = False
    """Whether it keeps a run from harm that could do its work otherwise."""
    needs_person: bool = False
    """Whether it fails only because a person has yet to act in Proself, before mail stops."""

    @property
    def stops(self) -> bool:
        """Whether the work cannot go on with this outcome."""
        return self.outcome is Outcome.FAIL or (self.outcome is Outcome.UNKNOWN and self.required)


def exit_code(checks: Iterable[Check]) -> int:
    """Return 1 where a check failed, else 6 where only a person has yet to act.

    Else 4 where a required one is unknown, else 0.
    """
    stopping = [check for check in checks if check.stops]
    failed = [check for check in stopping if check.outcome is Outcome.FAIL]
    if all(check.needs_person for check in failed):
        return PersonNeeded.exit_code if failed else RemoteError.exit_code if stopping else 0
    return CheckFailed.exit_code


def ok(name: str, detail: str) -> Check:
    """Return a check that came out well."""
    return Check(name, Outcome.OK, detail)


def fail(name: str, detail: str, next_step: str, next_step_ja: str = "") -> Check:
    """Return a check that found something wrong."""
    return Check(name, Outcome.FAIL, detail, next_step=next_step, next_step_ja=next_step_ja)
