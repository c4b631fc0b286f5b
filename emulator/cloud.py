"""Everything there is: the tenants, Microsoft's own among them, and what they share."""

from emulator.clock import Clock
from emulator.config import Config
from emulator.first_party import MICROSOFT_TENANT_ID
from emulator.history import History
from emulator.keys import SigningKey
from emulator.planting import microsoft_tenant, plan_tenants, plant
from emulator.replicas import Replicas
from emulator.store import Kind, Record
from emulator.tenant import Tenant, TenantSpec
from emulator.vault import Vault


class Cloud:
    """The state of the emulator; it lives in memory and dies with the process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = Clock()
        self.key = SigningKey()
        self.vault = Vault()
        self.specs: tuple[TenantSpec, ...] = plan_tenants(config, self.vault)
        self.reset()

    def reset(self) -> None:
        """Be as at the start: same tenants, ids, users and deployers, nothing else."""
        self.clock.reset()
        self.history = History()
        self.replicas = Replicas(self.clock, self.config.seed, self.config.lag)
        self.microsoft = microsoft_tenant(self.config, self.clock)
        self.tenants: dict[str, Tenant] = {}
        for spec in self.specs:
            self.tenants[spec.id] = plant(spec, self.config, self.clock, self.vault, self.microsoft)

    def tenant(self, name: str) -> Tenant | None:
        """The tenant with that id or domain; Microsoft's own is none that one signs in to."""
        return next((t for t in self.tenants.values() if t.answers_to(name)), None)

    def registration(self, app_id: str) -> tuple[Tenant, Record] | None:
        """An application that lives, whichever tenant it is registered in, and that tenant."""
        for tenant in (*self.tenants.values(), self.microsoft):
            for record in tenant.live(Kind.APPLICATION, "appId", app_id):
                return tenant, record
        return None

    def is_microsoft(self, tenant: Tenant) -> bool:
        """Whether a tenant is Microsoft's own."""
        return tenant.id == MICROSOFT_TENANT_ID
