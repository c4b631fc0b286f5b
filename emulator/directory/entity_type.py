"""What an entity type of Graph's schema is: its properties, and how they may be asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EntityType:
    """One entity type of Graph's schema."""

    name: str
    """Without the namespace: `application`."""
    collection: str
    """Where it lives: `applications`."""
    properties: Mapping[str, Any]
    """Every property with its default; what a POST does not give gets it."""
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Operators of `$filter` by property; what is missing cannot be filtered by."""
    sorts: frozenset[str] = frozenset()
    """Properties that `$orderby` takes without advanced query parameters."""
    advanced_sorts: frozenset[str] = frozenset()
    """Those that it takes with them."""
    searches: frozenset[str] = frozenset()
    """Properties that `$search` looks in."""
    shown: frozenset[str] | None = None
    """What a read without `$select` returns; None for everything."""
    beta: frozenset[str] = frozenset()
    """Properties that only /beta knows."""
    navigations: Mapping[str, str] = field(default_factory=dict)
    """Relationships that `$expand` and `$count` in a filter may name, and where each leads."""
    guids: frozenset[str] = frozenset()
    """Properties that are GUIDs to OData; others that hold one, such as `id`, are strings."""
    derived: frozenset[str] = frozenset()
    """Properties that only types derived from it have, which `$select` may name all the same."""
    page_size: int = 100
    max_page_size: int = 999
    directory_object: bool = True
    """Whether advanced query parameters (ConsistencyLevel) mean anything to it."""

    @property
    def resource(self) -> str:
        """Its name as the directory's own errors write it: `Application`."""
        return self.name[0].upper() + self.name[1:]

    @property
    def full_name(self) -> str:
        """`microsoft.graph.application`."""
        return f"microsoft.graph.{self.name}"


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`old` with the values of `new`; complex values are merged, collections are replaced."""
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = merge(before, value)
        else:
            merged[name] = value
    return merged
