"""How tenants begin: Microsoft's applications, a deployer with its rights, an administrator, a mailbox.

Everything planted here was always there: no lag applies to it.
"""

import secrets
from datetime import UTC, datetime, timedelta

from emulator.clock import Clock, graph_time
from emulator.config import Config
from emulator.entities import (
    APP_ROLE_ASSIGNMENT,
    APPLICATION,
    GRANT,
    ORGANIZATION,
    USER,
    EntityType,
    merge,
)
from emulator.first_party import (
    AZURE_CLI_APP_ID,
    AZURE_CLI_SCOPES,
    EXCHANGE_APP_ID,
    GRAPH_APP_ID,
    MICROSOFT_TENANT_ID,
    applications,
)
from emulator.ids import grant_id
from emulator.principals import new_principal
from emulator.randomness import Ids
from emulator.store import Json, Kind, Record
from emulator.tenant import Tenant, TenantSpec, UserSpec
from emulator.vault import Vault

_GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_SECRET_LIFETIME = timedelta(days=730)


def plan_tenants(config: Config, vault: Vault) -> tuple[TenantSpec, ...]:
    """What each tenant of the command line begins with, secrets included."""
    return tuple(_plan(label, config, vault) for label in config.tenants)


def _plan(label: str, config: Config, vault: Vault) -> TenantSpec:
    ids = Ids(config.seed, "tenant", label)
    initial = f"{label}.onmicrosoft.com"
    domain = f"{label}.example"
    return TenantSpec(
        id=ids.new("tenant"),
        display_name=label.capitalize(),
        domains=(initial, domain),
        users=(
            UserSpec(
                id=ids.new("user"),
                name=f"admin@{initial}",
                display_name="Administrator",
                password=secrets.token_urlsafe(18),
                directory_roles=(_GLOBAL_ADMINISTRATOR,),
            ),
            UserSpec(
                id=ids.new("user"),
                name=f"proself@{domain}",
                display_name="Proself",
                password=secrets.token_urlsafe(18),
            ),
        ),
        deployer_id=ids.new("deployer"),
        deployer_secret=vault.new_client_secret(),
        deployer_secret_key_id=ids.new("key"),
        deployer_roles=config.deployer_roles,
        with_exchange=config.with_exchange,
    )


def microsoft_tenant(config: Config, clock: Clock) -> Tenant:
    """The tenant in which Microsoft's own applications are registered."""
    spec = TenantSpec(id=MICROSOFT_TENANT_ID, display_name="Microsoft Services", domains=())
    tenant = Tenant(spec, clock, config.seed, timedelta())
    for body in applications():
        _add(
            tenant, Kind.APPLICATION, APPLICATION, {**body, "signInAudience": "AzureADMultipleOrgs"}
        )
    return tenant


def plant(
    spec: TenantSpec, config: Config, clock: Clock, vault: Vault, microsoft: Tenant
) -> Tenant:
    """A tenant as its spec says."""
    tenant = Tenant(spec, clock, config.seed, config.lag.longest)
    _add(tenant, Kind.ORGANIZATION, ORGANIZATION, _organization(spec), spec.id)
    for registration in microsoft.live(Kind.APPLICATION):
        if registration.body["appId"] != EXCHANGE_APP_ID or spec.with_exchange:
            _add_principal(tenant, registration, microsoft)
    _allow_azure_cli(tenant)
    for user in spec.users:
        plant_user(tenant, user, vault)
    _add_deployer(tenant, vault)
    return tenant


def plant_user(tenant: Tenant, user: UserSpec, vault: Vault) -> Record:
    """Add a user who may sign in."""
    vault.keep(user.id, user.password)
    body = {
        "displayName": user.display_name,
        "mail": user.name,
        "mailNickname": user.name.partition("@")[0],
        "userPrincipalName": user.name,
        "proxyAddresses": [f"SMTP:{user.name}"],
    }
    links = {"directoryRoles": user.directory_roles}
    return _add(tenant, Kind.USER, USER, body, user.id, links)


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


def _add_deployer(tenant: Tenant, vault: Vault) -> None:
    """The application that a pipeline signs in as, with the app roles that it was given."""
    spec = tenant.spec
    vault.keep(spec.deployer_secret_key_id, spec.deployer_secret)
    now = tenant.clock.now()
    registration = _add(
        tenant,
        Kind.APPLICATION,
        APPLICATION,
        {
            "appId": spec.deployer_id,
            "displayName": "Deployer",
            "publisherDomain": spec.domains[0],
            "signInAudience": "AzureADMyOrg",
            "passwordCredentials": [
                {
                    "customKeyIdentifier": None,
                    "displayName": "deployer",
                    "endDateTime": graph_time(now + _SECRET_LIFETIME),
                    "hint": spec.deployer_secret[:3],
                    "keyId": spec.deployer_secret_key_id,
                    "secretText": None,
                    "startDateTime": graph_time(now),
                }
            ],
        },
    )
    principal = _add_principal(tenant, registration, tenant)
    graph = tenant.principal_of(GRAPH_APP_ID)
    assert graph is not None  # planted above, and never left out
    roles = {role["value"]: role["id"] for role in graph.body["appRoles"]}
    for name in spec.deployer_roles:
        _add(
            tenant,
            Kind.APP_ROLE_ASSIGNMENT,
            APP_ROLE_ASSIGNMENT,
            {
                "appRoleId": roles[name],
                "principalDisplayName": principal.body["displayName"],
                "principalId": principal.id,
                "principalType": "ServicePrincipal",
                "resourceDisplayName": graph.body["displayName"],
                "resourceId": graph.id,
            },
        )


def _allow_azure_cli(tenant: Tenant) -> None:
    """Microsoft's own clients need no consent; a grant that was always there says the same."""
    client = tenant.principal_of(AZURE_CLI_APP_ID)
    graph = tenant.principal_of(GRAPH_APP_ID)
    assert client is not None  # planted above, and never left out
    assert graph is not None
    body = {
        "clientId": client.id,
        "consentType": "AllPrincipals",
        "resourceId": graph.id,
        "scope": " ".join(AZURE_CLI_SCOPES),
    }
    _add(tenant, Kind.GRANT, GRANT, body, grant_id(client.id, graph.id))


def _add_principal(tenant: Tenant, registration: Record, home: Tenant) -> Record:
    body = new_principal(registration.body, home.id)
    body |= {"id": tenant.ids.new("servicePrincipal"), "createdDateTime": graph_time(_LONG_AGO)}
    return tenant.store.add(Record(Kind.SERVICE_PRINCIPAL, body["id"], body), at=_LONG_AGO)


def _add(
    tenant: Tenant,
    kind: Kind,
    entity: EntityType,
    body: Json,
    id_: str = "",
    links: dict[str, tuple[str, ...]] | None = None,
) -> Record:
    whole = merge(entity.properties, body) | {"id": id_ or tenant.ids.new(kind.value)}
    if "createdDateTime" in entity.properties:
        whole["createdDateTime"] = graph_time(_LONG_AGO)
    return tenant.store.add(Record(kind, whole["id"], whole, links=links or {}), at=_LONG_AGO)
