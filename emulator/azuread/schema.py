"""How a resource type's properties are described: the part of a Terraform schema that matters.

A `Field` says what a property holds, who may set it, what replaces the resource, and what the
bridge needs to store it so that the real plugin reads it back (`terraform`). It does not talk to
Graph; the resource modules do.

Facts: the schemas of hashicorp/terraform-provider-azuread 3.x; property names as in pulumi-azuread
6.10; state as recorded.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import Any, TypeAlias

# A check takes a known value and a name for it, and returns what is wrong, or None.
Check: TypeAlias = Callable[[Any, str], str | None]


class Kind(Enum):
    """What a property holds."""

    STRING = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    LIST = auto()
    SET = auto()  # order means nothing
    MAP = auto()  # of strings
    BLOCK = auto()  # one nested object; Terraform keeps it as a list of at most one


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property.

    `fields` describes a BLOCK, or the elements of a LIST or SET; a LIST or SET without it holds
    strings. `terraform` is the attribute's name there when it is not the snake case of ours.
    """

    kind: Kind = Kind.STRING
    fields: Mapping[str, "Field"] = field(default_factory=dict)
    required: bool = False
    computed: bool = False
    optional: bool = True
    replaces: bool = False
    sensitive: bool = False
    default: str | int | bool | None = None
    conflicts: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    terraform: str | None = None

    @property
    def is_input(self) -> bool:
        """Whether a program may set it."""
        return self.required or self.optional

    @property
    def is_block(self) -> bool:
        """Whether Terraform keeps it as nested blocks, which are never null, only empty."""
        return self.kind is Kind.BLOCK or bool(self.fields)

    @property
    def zero(self) -> Any:
        """What Terraform takes to be the same as "not set"."""
        zeros: dict[Kind, Any] = {Kind.STRING: "", Kind.BOOLEAN: False, Kind.INTEGER: 0}
        if self.kind in zeros:
            return zeros[self.kind]
        return None if self.kind is Kind.BLOCK else {} if self.kind is Kind.MAP else []


Fields: TypeAlias = Mapping[str, Field]


def output(kind: Kind = Kind.STRING, fields: Fields | None = None, **more: Any) -> Field:
    """Describe a property that only the plugin sets."""
    return Field(kind=kind, fields=fields or {}, optional=False, computed=True, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the real plugin gives each operation; stored with every resource."""

    create: timedelta = timedelta(minutes=10)
    read: timedelta = timedelta(minutes=5)
    update: timedelta | None = timedelta(minutes=10)
    delete: timedelta = timedelta(minutes=5)

    def items(self) -> Iterator[tuple[str, timedelta]]:
        """Yield those that the resource type has, in the order in which they are stored."""
        for name in ("create", "delete", "read", "update"):
            value: timedelta | None = getattr(self, name)
            if value is not None:
                yield name, value


def terraform_name(name: str) -> str:
    """Give the attribute name that the bridge derives from a property name."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
