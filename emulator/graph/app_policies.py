"""What a tenant's policies, and the directory itself, allow applications to carry.

Identifier URIs must name a verified domain, the tenant or the application; app management policies
restrict them further, and the passwords too. A policy assigned to an object stands in the place of
the tenant's default one.
"""

from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlsplit

from emulator.clock import parse_duration, parse_time
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import DEFAULT_POLICY_ID, Tenant
from emulator.json_text import Json
from emulator.odata.problems import GraphError, bad_request, invalid_value

_LONGEST_URI = 255
_MORE = "See https://aka.ms/identifier-uri-addition-error for more information on this error."


def check_password(tenant: Tenant, record: Record, lifetime: timedelta) -> None:
    """Raise GraphError 400 if a new password of that lifetime is not allowed on `record`."""
    policy, restrictions = _restrictions(tenant, record.kind, record)
    for restriction in restrictions.get("passwordCredentials") or ():
        if not _applies(restriction, record.body["createdDateTime"]):
            continue
        kind = restriction.get("restrictionType")
        if kind == "passwordAddition":
            raise GraphError(
                400,
                "CredentialTypeNotAllowedAsPerAppPolicy",
                f"Credential type not allowed as per assigned policy '{policy.id}'.",
            )
        if kind == "passwordLifetime" and lifetime > parse_duration(restriction["maxLifetime"]):
            raise GraphError(
                400,
                "CredentialInvalidLifetimeAsPerAppPolicy",
                "Credential lifetime exceeds the max value allowed as per assigned policy "
                f"'{policy.id}'.",
            )


def check_identifier_uris(
    tenant: Tenant, body: Json, added: Iterable[str], record: Record | None = None
) -> None:
    """Raise GraphError 400 if one of the `added` URIs may not be on the application `body`."""
    for uri in added:
        _check_form(uri)
        _check_host(tenant, body, uri)
        _check_policy(tenant, body, uri, record)
        _check_unique(tenant, body, uri)


def _check_form(uri: object) -> None:
    if not isinstance(uri, str) or "*" in uri or len(uri) > _LONGEST_URI or ":" not in uri:
        raise invalid_value("identifierUris", "Application")


def _check_host(tenant: Tenant, body: Json, uri: str) -> None:
    if urlsplit(uri).scheme in ("api", "http", "https") and not _is_the_tenants(tenant, body, uri):
        raise GraphError(
            400,
            "HostNameNotOnVerifiedDomain",
            "Values of identifierUris property must use a verified domain of the organization or "
            f"its subdomain: '{uri}'",
        )


def _is_the_tenants(tenant: Tenant, body: Json, uri: str) -> bool:
    """Whether a URI names the tenant, the application, or a verified domain."""
    parts = urlsplit(uri)
    if {body["appId"], tenant.id} & {parts.netloc, *parts.path.split("/")}:
        return True
    host = (parts.hostname or "").lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in tenant.domains)


def _check_policy(tenant: Tenant, body: Json, uri: str, record: Record | None) -> None:
    _, restrictions = _restrictions(tenant, Kind.APPLICATION, record)
    uris = restrictions.get("identifierUris") or {}
    if _restricts(uris.get("nonDefaultUriAddition"), body) and uri not in (
        f"api://{body['appId']}",
        f"api://{tenant.id}/{body['appId']}",
    ):
        raise bad_request(
            f"The newly added URI {uri} must comply with the format 'api://{{appId}}' or "
            "'api://{tenantId}/{appId}' as per the default app management policy of your "
            "organization. If the requestedAccessTokenVersion is set to 2, this restriction may "
            f"not apply. {_MORE}"
        )
    unique = uris.get("uriAdditionWithoutUniqueTenantIdentifier")
    if _restricts(unique, body) and not _is_the_tenants(tenant, body, uri):
        raise bad_request(
            f"Failed to add identifier URI {uri}. All newly added URIs must contain a tenant "
            "verified domain, tenant ID, or app ID, as per the default tenant policy of your "
            f"organization. {_MORE}"
        )


def _restricts(restriction: Json | None, body: Json) -> bool:
    if restriction is None or not _applies(restriction, body["createdDateTime"]):
        return False
    exempt = restriction.get("excludeAppsReceivingV2Tokens", False)
    return not (exempt and body["api"]["requestedAccessTokenVersion"] == 2)


def _check_unique(tenant: Tenant, body: Json, uri: str) -> None:
    for other in tenant.live(Kind.APPLICATION):
        if other.id != body["id"] and uri in other.body["identifierUris"]:
            raise bad_request(
                "Another object with the same value for property identifierUris already exists."
            )


def _restrictions(tenant: Tenant, kind: Kind, record: Record | None) -> tuple[Record, Json]:
    """Return the policy that holds for an object, and its part for the object's kind."""
    part = "applicationRestrictions" if kind is Kind.APPLICATION else "servicePrincipalRestrictions"
    for id_ in record.linked("appManagementPolicies") if record is not None else ():
        entry = tenant.store.entry(Kind.APP_MANAGEMENT_POLICY, id_)
        if entry is not None and entry.latest is not None and entry.latest.body["isEnabled"]:
            restrictions = entry.latest.body["restrictions"] or {}
            return entry.latest, {**restrictions, **(restrictions.get(part) or {})}
    entry = tenant.store.entry(Kind.DEFAULT_POLICY, DEFAULT_POLICY_ID)
    if entry is None or entry.latest is None:
        raise LookupError("every tenant is planted with a default policy")
    policy = entry.latest
    return policy, (policy.body[part] or {}) if policy.body["isEnabled"] else {}


def _applies(restriction: Json, created: str) -> bool:
    """Whether a restriction is on, and the object not older than what it is for."""
    if restriction.get("state", "enabled") != "enabled":
        return False
    since = restriction.get("restrictForAppsCreatedAfterDateTime")
    return since is None or parse_time(created) >= parse_time(since)
