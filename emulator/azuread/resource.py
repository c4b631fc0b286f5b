"""What every resource type is: its schema, and the calls that create, read, change and delete it.

`Resource` is implemented once per type; `Instance` is what those calls work on. Nothing here knows
the provider protocol.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from emulator.azuread.schema import Fields, Timeouts
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties


@dataclass(slots=True)
class Instance:
    """One resource while it is created or changed.

    `planned` is what it shall be, with the values of computed properties unknown or as they were;
    `prior` is what the state says it was, empty for a new one. `id` is set as soon as the object
    exists: a failure after that keeps it in the state. A read or a delete plans nothing: there both
    are what the state says.
    """

    planned: Properties
    prior: Properties = field(default_factory=dict)
    id: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.planned[name]


class Resource(ABC):
    """One resource type. Its methods raise PluginError."""

    token: ClassVar[str]
    fields: ClassVar[Fields]
    timeouts: ClassVar[Timeouts] = Timeouts()
    version: ClassVar[int] = 0  # of the Terraform schema; 0 is not stored
    import_id: ClassVar[re.Pattern[str] | None] = None  # ids by which it can be imported

    @abstractmethod
    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Make the object; sets `instance.id` once it exists."""

    @abstractmethod
    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Read the properties that Graph knows, or None when the object is gone."""

    def update(  # noqa: B027 not every type has to have one
        self, tenant: Tenant, instance: Instance, changed: frozenset[str]
    ) -> None:
        """Change the object in place; `changed` names the properties that differ.

        Without one of its own a type has no property that can change so. It is still called, for
        an object whose creation failed after it existed, and then only reads it again.
        """

    @abstractmethod
    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Delete the object, and wait until readers agree where the real plugin does."""

    def recomputed(
        self,
        prior: Properties,  # noqa: ARG002 for the types that need it
        planned: Properties,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Name the computed properties that a plan makes unknown again."""
        return ()
