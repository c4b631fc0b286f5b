"""Everything there is: the tenants, Microsoft's own among them, and what they share."""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import jwt

from emulator.clock import Clock
from emulator.config import Config
from emulator.directory.keys import SigningKey
from emulator.directory.replicas import Lag, Replicas
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant, TenantSpec
from emulator.directory.vault import Vault
from emulator.faults import Plan
from emulator.history import History
from emulator.planting import microsoft_tenant, plan_tenants, plant
from emulator.throttle import Throttle

T = TypeVar("T")


class Cloud:
    """The state of the emulator; it lives in memory and dies with the process."""

    clock: Clock
    history: History
    replicas: Replicas
    microsoft: Tenant
    tenants: dict[str, Tenant]
    """By id; Microsoft's own is not among them, since nobody signs in to it."""
    issuers: dict[str, jwt.PyJWKSet]
    """Keys of the issuers whose assertions can be checked, by issuer."""
    faults: Plan
    throttle: Throttle
    latency: timedelta

    def __init__(self, config: Config) -> None:
        self.config = config
        self.key = SigningKey()
        self.vault = Vault()
        self.specs: tuple[TenantSpec, ...] = plan_tenants(config, self.vault)
        self._begin()
        self.keep()

    def keep(self) -> None:
        """Let what is now be what `reset` comes back to; every secret stays what it is."""
        self._kept = self._copied({k: v for k, v in vars(self).items() if k != "_kept"})

    def reset(self) -> None:
        """Be as at the start, or as when last kept."""
        vars(self).update(self._copied(self._kept))

    def part(self, kind: type[T], make: Callable[[], T]) -> T:
        """Return what a service keeps of this cloud, made when it is first asked for.

        It is kept and reset with all the rest.
        """
        if kind not in self._parts:
            self._parts[kind] = make()
        found: T = self._parts[kind]
        return found

    def _copied(self, state: dict[str, Any]) -> dict[str, Any]:
        constant = [self, self.config, self.key, self.vault, self.specs, *self.issuers.values()]
        return copy.deepcopy(state, {id(each): each for each in constant})

    def _begin(self) -> None:
        """Make the tenants with their ids, users and deployers, and nothing else."""
        config = self.config
        self.clock = Clock()
        self.history = History()
        self._parts: dict[type, Any] = {}
        self.replicas = Replicas(self.clock, config.seed, config.lag)
        self.issuers = {}
        self.microsoft = microsoft_tenant(config, self.clock)
        self.tenants = {
            spec.id: plant(spec, config, self.clock, self.vault, self.microsoft)
            for spec in self.specs
        }
        self.misbehave(config.faults, config.lag, config.latency, config.throttle)

    def misbehave(
        self, faults: Plan, lag: Lag, latency: timedelta, tenant_size: str | None
    ) -> None:
        """Take another plan of faults and other habits from now on."""
        self.faults = Plan(faults.seed, faults.rules)
        self.latency = latency
        self.throttle = Throttle(tenant_size)
        self.replicas.lag = lag
        stale = timedelta(seconds=faults.longest_stale_seconds())
        for tenant in self.tenants.values():
            tenant.store.keep_versions_for = max(lag.longest, stale)

    def tenant(self, name: str) -> Tenant | None:
        """Find the tenant with that id or domain."""
        return next((t for t in self.tenants.values() if t.answers_to(name)), None)

    def registration(self, app_id: str) -> tuple[Tenant, Record] | None:
        """Find a living application, whichever tenant it is registered in, and that tenant."""
        for tenant in (*self.tenants.values(), self.microsoft):
            for record in tenant.live(Kind.APPLICATION, "appId", app_id):
                return tenant, record
        return None
