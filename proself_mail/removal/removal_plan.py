"""What a command that removes things is about to remove: shown, and confirmed, as it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from proself_mail.entra.directory import OrganizationRecord
from proself_mail.removal.removal_item import Item

STACKS_AT_ONCE = 8
"""Stacks that are looked at, or whose objects are removed, at once."""


@dataclass(frozen=True)
class StackPlan:
    """What is to be removed of one stack."""

    name: str
    """Its UUID where nobody tells its name."""
    stack_id: UUID
    items: tuple[Item, ...]
    clients: dict[str, str]
    """Client IDs by the object id of applications and service principals."""
    additions: tuple[str, ...]
    """What of it is not the program's and goes with it, a sentence each."""
    left_alone: tuple[str, ...]


S_co = TypeVar("S_co", bound=StackPlan, covariant=True)


@dataclass(frozen=True)
class Plan(Generic[S_co]):
    """What is to be removed, all from one tenant."""

    tenant_id: str
    tenant: OrganizationRecord | None
    """None where it cannot be read."""
    read_at: datetime
    """By the tenant's clock."""
    stacks: tuple[S_co, ...]
    stamped: int | None = None
    """How many objects bear a test stamp, live or deleted; None where that was not looked for."""
    left_alone: tuple[str, ...] = ()
    """What is nobody's of `stacks` and stays, a sentence each."""

    @property
    def tenant_name(self) -> str:
        """What the tenant calls itself; blank where it cannot be read."""
        return self.tenant.display_name if self.tenant else ""
