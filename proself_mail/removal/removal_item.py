"""One thing that is removed, what became of it, and what became of all that is one stack's.

Records only: `remains` finds things, `removal` removes them, `removal_report` shows them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What can be removed, in the words that a person is shown."""

    APPLICATION = "application"
    SERVICE_PRINCIPAL = "service principal"
    GRANT = "grant"
    FEDERATED_CREDENTIAL = "federated credential"
    CONFIG_FILE = "config file"
    STACK_STATE = "stack state"


class Result(StrEnum):
    """What became of it."""

    REMOVED = "removed"
    GONE = "gone already"
    KEPT = "kept, as asked"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Item:
    """One thing to remove."""

    kind: Kind
    id: str
    name: str
    why: str
    """Why it is ours."""
    created: datetime | None = None
    deleted: datetime | None = None
    """When it went to the recycle bin; none for a live one."""


@dataclass(frozen=True)
class Outcome:
    """What became of one thing."""

    item: Item
    result: Result
    detail: str = ""
    """Why it failed, or what is left and for how long."""


@dataclass(frozen=True)
class StackReport:
    """What became of one stack."""

    name: str
    outcomes: tuple[Outcome, ...]
    left_alone: tuple[str, ...]
    took: timedelta

    @property
    def failed(self) -> bool:
        """Whether something is left that was to be removed."""
        return any(each.result is Result.FAILED for each in self.outcomes)
