"""How tenants begin: Microsoft's applications, a deployer with its rights, two users.

Everything planted was always there: no lag applies to it, and no quota counts it.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from emulator.clock import Clock, graph_time
from emulator.config import Config
from emulator.directory.entities import (
    APP_ROLE_ASSIGNMENT,
    APPLICATION,
    DEFAULT_POLICY,
    GRANT,
    ORGANIZATION,
    SERVICE_PRINCIPAL,
    USER,
)
from emulator.directory.entity_type import EntityType, merge
from emulator.directory.first_party import (
    AZURE_CLI_APP_ID,
    AZURE_CLI_SCOPES,
    EXCHANGE_APP_ID,
    GRAPH_APP_ID,
    MICROSOFT_TENANT_ID,
    applications,
)
from emulator.directory.ids import assignment_id, grant_id
from emulator.directory.principals import mirrored
from emulator.directory.randomness import Ids
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import DEFAULT_POLICY_ID, Tenant, TenantSpec, UserSpec
from emulator.directory.vault import Vault
from emulator.json_text import Json

_GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_SECRET_LIFETIME = timedelta(days=20 * 365)
"""The deployer's secret outlives any clock that a test moves ahead."""


def plan_tenants(config: Config, vault: Vault) -> tuple[TenantSpec, ...]:
    """Decide what each tenant of the command line begins with, secrets included."""
    return tuple(_plan(label, config, vault) for label in config.tenants)


def _plan(label: str, config: Config, vault: Vault) -> TenantSpec:
    ids = Ids(config.seed, "tenant", label)
    initial, domain = f"{label}.onmicrosoft.com", f"{label}.example"
    administrator = UserSpec(
        id=ids.new("user"),
        name=f"admin@{initial}",
        display_name="Administrator",
        password=secrets.token_urlsafe(18),
        directory_roles=(_GLOBAL_ADMINISTRATOR,),
    )
    mailbox = UserSpec(
        id=ids.new("user"),
        name=f"proself@{domain}",
        display_name="Proself",
        password=secrets.token_urlsafe(18),
    )
    return TenantSpec(
        id=ids.new("tenant"),
        display_name=label.capitalize(),
        domains=(initial, domain),
        users=(administrator, mailbox),
        deployer_id=ids.new("deployer"),
        deployer_secret=vault.new_client_secret(),
        deployer_secret_key_id=ids.new("key"),
        deployer_roles=config.deployer_roles,
        with_exchange=config.with_exchange,
        quota=config.quota,
    )


def microsoft_tenant(config: Config, clock: Clock) -> Tenant:
    """Make the tenant in which Microsoft's own applications are registered."""
    spec = TenantSpec(id=MICROSOFT_TENANT_ID, display_name="Microsoft Services", domains=())
    tenant = Tenant(spec, clock, config.seed, timedelta())
    for body in applications():
        plant_application(tenant, {**body, "signInAudience": "AzureADMultipleOrgs"})
    return tenant


def plant(
    spec: TenantSpec, config: Config, clock: Clock, vault: Vault, microsoft: Tenant
) -> Tenant:
    """Make a tenant as its spec says."""
    tenant = Tenant(spec, clock, config.seed, config.lag.longest)
    _add(tenant, Kind.ORGANIZATION, ORGANIZATION, _organization(spec), spec.id)
    _add(tenant, Kind.DEFAULT_POLICY, DEFAULT_POLICY, {}, DEFAULT_POLICY_ID)
    for registration in microsoft.live(Kind.APPLICATION):
        if registration.body["appId"] != EXCHANGE_APP_ID or spec.with_exchange:
            plant_principal(tenant, registration, microsoft)
    for user in spec.users:
        plant_user(tenant, user, vault, mail=user.name)
    _plant_azure_cli_grant(tenant)
    _plant_deployer(tenant, vault)
    return tenant


def plant_user(
    tenant: Tenant, user: UserSpec, vault: Vault, *, mail: str | None, enabled: bool = True
) -> Record:
    """Add a user who may sign in; `mail` is the mailbox's primary address, None for none."""
    vault.keep(user.id, user.password)
    body = {
        "accountEnabled": enabled,
        "displayName": user.display_name,
        "mail": mail,
        "mailNickname": user.name.partition("@")[0],
        "userPrincipalName": user.name,
        "proxyAddresses": [f"SMTP:{mail}"] if mail else [],
    }
    links = {"directoryRoles": user.directory_roles}
    return _add(tenant, Kind.USER, USER, body, user.id, links)


def plant_application(
    tenant: Tenant,
    body: Json,
    links: Mapping[str, tuple[str, ...]] | None = None,
    created: datetime | None = None,
    deleted: datetime | None = None,
) -> Record:
    """Add an application registration; with `deleted`, in the recycle bin since then."""
    whole = {"appId": tenant.ids.new("appId"), **body}
    if tenant.domains:
        whole.setdefault("publisherDomain", tenant.domains[0])
    id_ = tenant.ids.new("application")
    return _add(tenant, Kind.APPLICATION, APPLICATION, whole, id_, links, created, deleted)


def plant_principal(
    tenant: Tenant, registration: Record, home: Tenant, deleted: datetime | None = None
) -> Record:
    """Add the service principal of an application, its own or another tenant's."""
    # Shown is the union of its own tags and the application's (Microsoft, servicePrincipal).
    body = mirrored(registration.body, home.id) | {"tags": registration.body["tags"]}
    id_ = tenant.ids.new("servicePrincipal")
    kind = Kind.SERVICE_PRINCIPAL
    links = {"owners": registration.linked("owners")}
    return _add(tenant, kind, SERVICE_PRINCIPAL, body, id_, links, None, deleted)


def _organization(spec: TenantSpec) -> Json:
    return {
        "displayName": spec.display_name,
        "countryLetterCode": "JP",
        "preferredLanguage": "ja",
        "verifiedDomains": [
            {
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": place == len(spec.domains) - 1,
                "isInitial": place == 0,
                "name": domain,
                "type": "Managed",
            }
            for place, domain in enumerate(spec.domains)
        ],
    }


def _plant_deployer(tenant: Tenant, vault: Vault) -> None:
    """Add the application that a pipeline signs in as, with the app roles that it was given."""
    spec = tenant.spec
    vault.keep(spec.deployer_secret_key_id, spec.deployer_secret)
    credential = {
        "customKeyIdentifier": None,
        "displayName": "deployer",
        "endDateTime": graph_time(tenant.clock.now() + _SECRET_LIFETIME),
        "hint": spec.deployer_secret[:3],
        "keyId": spec.deployer_secret_key_id,
        "secretText": None,
        "startDateTime": graph_time(_LONG_AGO),
    }
    registration = plant_application(
        tenant,
        {
            "appId": spec.deployer_id,
            "displayName": "Deployer",
            "signInAudience": "AzureADMyOrg",
            "passwordCredentials": [credential],
        },
    )
    principal = plant_principal(tenant, registration, tenant)
    graph = _planted(tenant, GRAPH_APP_ID)
    roles = {role["value"]: role["id"] for role in graph.body["appRoles"]}
    for name in spec.deployer_roles:
        body = {
            "appRoleId": roles[name],
            "principalDisplayName": principal.body["displayName"],
            "principalId": principal.id,
            "principalType": "ServicePrincipal",
            "resourceDisplayName": graph.body["displayName"],
            "resourceId": graph.id,
        }
        id_ = assignment_id(tenant.ids.new("appRoleAssignment"), principal.id)
        _add(tenant, Kind.APP_ROLE_ASSIGNMENT, APP_ROLE_ASSIGNMENT, body, id_)


def _plant_azure_cli_grant(tenant: Tenant) -> None:
    """Let the Azure CLI in: Microsoft's own clients need no consent, which a grant stands for."""
    client, graph = _planted(tenant, AZURE_CLI_APP_ID), _planted(tenant, GRAPH_APP_ID)
    body = {
        "clientId": client.id,
        "consentType": "AllPrincipals",
        "resourceId": graph.id,
        "scope": " ".join(AZURE_CLI_SCOPES),
    }
    _add(tenant, Kind.GRANT, GRANT, body, grant_id(client.id, graph.id))


def _planted(tenant: Tenant, app_id: str) -> Record:
    principal = tenant.principal_of(app_id)
    if principal is None:
        raise LookupError(f"{app_id} is planted in every tenant before it is asked for")
    return principal


def _add(
    tenant: Tenant,
    kind: Kind,
    entity: EntityType,
    body: Json,
    id_: str,
    links: Mapping[str, tuple[str, ...]] | None = None,
    created: datetime | None = None,
    deleted: datetime | None = None,
) -> Record:
    created = created or _LONG_AGO
    whole = merge(entity.properties, body) | {"id": id_}
    if "createdDateTime" in entity.properties:
        whole["createdDateTime"] = graph_time(created)
    if deleted is not None:
        whole["deletedDateTime"] = graph_time(deleted)
    record = Record(kind, id_, whole, links=links or {}, deleted_at=deleted)
    return tenant.store.add(record, at=_LONG_AGO)
