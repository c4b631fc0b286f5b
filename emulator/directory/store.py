"""The directory's objects, each with its recent versions.

A version stays as long as a lagging replica may still show it; what a replica shows is decided in
`replicas`. The store knows nothing of Graph's rules: it keeps records and finds them.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from emulator.clock import Clock
from emulator.json_text import Json


class Kind(StrEnum):
    """Graph's names of the entity types that are kept here."""

    APPLICATION = "application"
    SERVICE_PRINCIPAL = "servicePrincipal"
    GRANT = "oAuth2PermissionGrant"
    FEDERATED_CREDENTIAL = "federatedIdentityCredential"
    APP_ROLE_ASSIGNMENT = "appRoleAssignment"
    USER = "user"
    ORGANIZATION = "organization"
    APP_MANAGEMENT_POLICY = "appManagementPolicy"
    DEFAULT_POLICY = "tenantAppManagementPolicy"


class Change(Enum):
    """What a write did; deletions may lag otherwise than the rest."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Record:
    """One object at one moment: its JSON as Graph would show it, and what Graph keeps beside it."""

    kind: Kind
    id: str
    body: Json
    parent: str | None = None
    """Id of the object it belongs to and disappears with."""
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids of other objects, by the name of the relationship, such as `owners`."""
    deleted_at: datetime | None = None
    """When it went to the recycle bin; None while it is alive."""

    def __deepcopy__(self, _: object) -> "Record":
        return self  # never changed in place, so that a copy of the store may share it

    def linked(self, relationship: str) -> tuple[str, ...]:
        """Return the ids under a relationship, oldest first."""
        return self.links.get(relationship, ())

    def with_links(self, relationship: str, ids: tuple[str, ...]) -> "Record":
        """Return the same with other ids under one relationship."""
        return replace(self, links={**self.links, relationship: ids})


@dataclass(frozen=True, slots=True)
class Version:
    """A record as one write left it; None when the write removed it for good."""

    at: datetime
    change: Change
    record: Record | None


@dataclass(slots=True)
class Entry:
    """An object's place in the store, with its versions from old to new."""

    kind: Kind
    id: str
    ordinal: int
    """The how-manyth object of its kind this is: the same in every run, unlike its id."""
    parent: str | None
    versions: list[Version]
    index_keys: tuple[tuple[Kind, str, str], ...] = ()

    @property
    def latest(self) -> Record | None:
        """The record as the last write left it; None when it is gone."""
        return self.versions[-1].record


_INDEXED = {
    Kind.APPLICATION: ("appId",),
    Kind.SERVICE_PRINCIPAL: ("appId",),
    Kind.GRANT: ("clientId",),
    Kind.APP_ROLE_ASSIGNMENT: ("principalId",),
}
"""Properties that never change and are looked up often; `Store.entries` finds them at once."""


class Store:
    """One tenant's objects."""

    def __init__(self, clock: Clock, keep_versions_for: timedelta) -> None:
        self._clock = clock
        self.keep_versions_for = keep_versions_for
        self._entries: dict[str, Entry] = {}
        self._by_kind: dict[Kind, dict[str, Entry]] = {kind: {} for kind in Kind}
        self._index: dict[tuple[Kind, str, str], dict[str, Entry]] = {}
        self._ordinals = dict.fromkeys(Kind, 0)
        self._removed: deque[Entry] = deque()

    def add(self, record: Record, *, at: datetime | None = None) -> Record:
        """Keep a new object, made at `at` (default: now). ValueError if its id is taken.

        An id that follows from others' can come back after its object was removed.
        """
        version = Version(at or self._clock.now(), Change.CREATED, record)
        before = self._entries.get(record.id)
        if before is not None:
            if before.latest is not None:
                raise ValueError(f"{record.id} is already in the store")
            self._append(before, version)
            return record
        self._ordinals[record.kind] += 1
        ordinal = self._ordinals[record.kind]
        entry = Entry(
            record.kind, record.id, ordinal, record.parent, [version], tuple(_index_keys(record))
        )
        self._entries[record.id] = entry
        self._by_kind[record.kind][record.id] = entry
        for key in entry.index_keys:
            self._index.setdefault(key, {})[record.id] = entry
        return record

    def update(self, record: Record, change: Change = Change.UPDATED) -> Record:
        """Put `record` in the place of the version before it."""
        self._append(self._entries[record.id], Version(self._clock.now(), change, record))
        return record

    def remove(self, record: Record) -> None:
        """Remove an object for good."""
        self._append(self._entries[record.id], Version(self._clock.now(), Change.DELETED, None))

    def entry(self, kind: Kind, id_: str) -> Entry | None:
        """Return the place of an object, alive or not."""
        entry = self._entries.get(id_)
        return entry if entry is not None and entry.kind is kind else None

    def any_entry(self, id_: str) -> Entry | None:
        """Return the place of an object of whatever kind."""
        return self._entries.get(id_)

    def entries(self, kind: Kind, property_: str = "", value: object = None) -> list[Entry]:
        """All places of a kind, oldest first; with an indexed property, those that have `value`."""
        if property_:
            return list(self._index.get((kind, property_, str(value).lower()), {}).values())
        return list(self._by_kind[kind].values())

    def is_indexed(self, kind: Kind, property_: str) -> bool:
        """Whether `entries` can be asked for a value of this property."""
        return property_ in _INDEXED.get(kind, ())

    def latest(self, kind: Kind, property_: str = "", value: object = None) -> Iterator[Record]:
        """Return the present records of a kind, the recycle bin's included; never lagging."""
        for entry in self.entries(kind, property_, value):
            if entry.latest is not None:
                yield entry.latest

    def _append(self, entry: Entry, version: Version) -> None:
        entry.versions.append(version)
        horizon = version.at - self.keep_versions_for
        while len(entry.versions) > 1 and entry.versions[1].at <= horizon:
            del entry.versions[0]
        if version.record is None:
            self._removed.append(entry)
        while self._removed and self._removed[0].versions[-1].at <= horizon:
            self._forget(self._removed.popleft())

    def _forget(self, entry: Entry) -> None:
        if entry.latest is not None or entry.id not in self._entries:
            return  # it came back, or was removed twice
        del self._entries[entry.id]
        del self._by_kind[entry.kind][entry.id]
        for key in entry.index_keys:
            del self._index[key][entry.id]


def _index_keys(record: Record) -> Iterator[tuple[Kind, str, str]]:
    for property_ in _INDEXED.get(record.kind, ()):
        if (value := record.body.get(property_)) is not None:
            yield record.kind, property_, str(value).lower()
