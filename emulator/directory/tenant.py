"""One tenant: its names, its objects, and how they are found.

Graph's rules are in the `graph_*` modules, the sign-in's in `authorize` and `token_endpoint`; both
read and write through this.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from emulator.clock import Clock
from emulator.directory.ids import canonical
from emulator.directory.randomness import Ids
from emulator.directory.replicas import View
from emulator.directory.store import Kind, Record, Store
from emulator.json_text import Json

RECYCLE_BIN = timedelta(days=30)
"""How long a deleted object can be restored."""

_PURGE_EVERY = timedelta(minutes=1)

DEFAULT_POLICY_ID = "00000000-0000-0000-0000-000000000000"
"""Of the default app management policy, in every tenant."""

DEFAULT_QUOTA = 250
"""Objects that an application or a user who is no administrator may have made."""

DIRECTORY_QUOTA = 300_000
"""Objects that a tenant with a verified domain may hold."""


@dataclass(frozen=True, kw_only=True)
class UserSpec:
    """A user that a tenant begins with."""

    id: str
    name: str
    display_name: str
    password: str
    directory_roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TenantSpec:
    """What a tenant begins with; the same after every reset."""

    id: str
    display_name: str
    domains: tuple[str, ...]
    """Verified domains; the first is the initial one, `….onmicrosoft.com`."""
    users: tuple[UserSpec, ...] = ()
    deployer_id: str = ""
    deployer_secret: str = field(default="", repr=False)
    deployer_secret_key_id: str = ""
    deployer_roles: tuple[str, ...] = ()
    """App roles of Microsoft Graph that the deployer is granted."""
    with_exchange: bool = True
    quota: int = DEFAULT_QUOTA


class Tenant:
    """One directory."""

    def __init__(
        self, spec: TenantSpec, clock: Clock, seed: int, keep_versions_for: timedelta
    ) -> None:
        self.spec = spec
        self.id = spec.id
        self.domains = list(spec.domains)
        self.clock = clock
        self.ids = Ids(seed, spec.id)
        self.store = Store(clock, keep_versions_for)
        self.quota = spec.quota
        self.directory_quota = DIRECTORY_QUOTA
        self._purged_at = clock.now()

    def answers_to(self, name: str) -> bool:
        """Whether `name` is the tenant's id or one of its domains."""
        return name.lower() in (self.id, *(domain.lower() for domain in self.domains))

    def live(self, kind: Kind, property_: str = "", value: object = None) -> Iterator[Record]:
        """Return the present records of a kind outside the recycle bin, never lagging."""
        for record in self.store.latest(kind, property_, value):
            if record.deleted_at is None:
                yield record

    def seen(self, view: View, kind: Kind, id_: str) -> Record | None:
        """Return a live object by its id as `view` sees it."""
        record = view.record(self.store.entry(kind, canonical(id_)))
        return record if record is not None and record.deleted_at is None else None

    def seen_by_app_id(self, view: View, kind: Kind, app_id: str) -> Record | None:
        """Return a live application or service principal by its appId as `view` sees it."""
        for entry in self.store.entries(kind, "appId", app_id):
            record = view.record(entry)
            if record is not None and record.deleted_at is None:
                return record
        return None

    def principal_of(self, app_id: str) -> Record | None:
        """Return the live service principal of an application, never lagging."""
        return next(self.live(Kind.SERVICE_PRINCIPAL, "appId", app_id), None)

    def purge_is_due(self) -> bool:
        """Whether a minute has passed since this was last true."""
        due = abs(self.clock.now() - self._purged_at) >= _PURGE_EVERY
        if due:
            self._purged_at = self.clock.now()
        return due

    def change(self, record: Record, body: Json) -> Record:
        """Let `record` have these properties too, or instead."""
        return self.store.update(replace(record, body={**record.body, **body}))
