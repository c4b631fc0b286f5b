"""An administrator's consent for a whole tenant: the service principal, and what it may do."""

from dataclasses import replace

from emulator.clock import graph_time
from emulator.directory.first_party import SIGN_IN_SCOPES
from emulator.directory.ids import grant_id
from emulator.directory.principals import new_principal
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant
from emulator.json_text import Json
from emulator.sign_in import login_problems as problems
from emulator.sign_in.sign_in_view import Client, with_value


def requested(tenant: Tenant, client: Client, scope: str) -> list[tuple[Record, set[str]]]:
    """List what `consent` would grant: the service principal of each resource, and the names.

    LoginError if one of them cannot be granted.
    """
    return _named_scopes(tenant, client, scope) or _required(tenant, client)


def consent(tenant: Tenant, client: Client, scope: str) -> str:
    """Grant what `scope` names, or all delegated permissions that the application requires.

    Named scopes come to those granted before; the required ones take the place of everything that
    was granted for everyone. Returns the named scopes as the answer shows them. LoginError if one
    cannot be granted; nothing has been granted then.
    """
    named = _named_scopes(tenant, client, scope)
    wanted = named or _required(tenant, client)
    principal = tenant.principal_of(client.id) or _new_principal(tenant, client)
    if not named:
        _revoke(tenant, principal)
    for resource, names in wanted:
        _grant(tenant, principal, resource, names)
    return " ".join(
        f"{resource.body['servicePrincipalNames'][0]}/{name}"
        for resource, names in named
        for name in sorted(names)
    )


def _named_scopes(tenant: Tenant, client: Client, scope: str) -> list[tuple[Record, set[str]]]:
    """Read a scope parameter; empty for none, or `/.default`."""
    asked = [name for name in scope.split() if name not in SIGN_IN_SCOPES]
    if any(name.endswith("/.default") for name in asked):
        return []
    found: dict[str, tuple[Record, set[str]]] = {}
    for name in asked:
        prefix, slash, value = name.rpartition("/")
        resource = _named(tenant, prefix if slash else "https://graph.microsoft.com")
        offered = {one["value"] for one in with_value(resource.body["oauth2PermissionScopes"])}
        if value not in offered:
            raise problems.scope_not_offered(client.name, value, resource.body["appId"])
        found.setdefault(resource.id, (resource, set()))[1].add(value)
    return list(found.values())


def _required(tenant: Tenant, client: Client) -> list[tuple[Record, set[str]]]:
    """Read the delegated permissions that the application's registration requires."""
    wanted = []
    for required in client.registration.body["requiredResourceAccess"]:
        app_id = str(required.get("resourceAppId", ""))
        resource = tenant.principal_of(app_id)
        if resource is None:
            raise problems.unknown_resource(app_id, tenant.spec.display_name)
        ids = _ids_of_scopes(required.get("resourceAccess"))
        scopes = with_value(resource.body["oauth2PermissionScopes"])
        wanted.append((resource, {one["value"] for one in scopes if one.get("id") in ids}))
    return [(resource, names) for resource, names in wanted if names]


def _ids_of_scopes(access: object) -> list[object]:
    """Read the ids of delegated permissions from a `resourceAccess`, of whatever form it is."""
    entries = access if isinstance(access, list) else []
    return [
        one.get("id") for one in entries if isinstance(one, dict) and one.get("type") == "Scope"
    ]


def _named(tenant: Tenant, name: str) -> Record:
    for record in tenant.live(Kind.SERVICE_PRINCIPAL):
        if name in record.body["servicePrincipalNames"]:
            return record
    raise problems.unknown_resource(name, tenant.spec.display_name)


def _new_principal(tenant: Tenant, client: Client) -> Record:
    body = new_principal(client.registration.body, client.home.id)
    body |= {
        "id": tenant.ids.new("servicePrincipal"),
        "createdDateTime": graph_time(tenant.clock.now()),
    }
    return tenant.store.add(Record(Kind.SERVICE_PRINCIPAL, body["id"], body))


def _revoke(tenant: Tenant, principal: Record) -> None:
    for grant in list(tenant.store.latest(Kind.GRANT, "clientId", principal.id)):
        if grant.body["consentType"] == "AllPrincipals":
            tenant.store.remove(grant)


def _grant(tenant: Tenant, principal: Record, resource: Record, names: set[str]) -> None:
    id_ = grant_id(principal.id, resource.id)
    entry = tenant.store.entry(Kind.GRANT, id_)
    if entry is not None and entry.latest is not None:
        before = entry.latest
        scope = " ".join(sorted(names | set(before.body["scope"].split())))
        tenant.store.update(replace(before, body={**before.body, "scope": scope}))
        return
    body: Json = {
        "clientId": principal.id,
        "consentType": "AllPrincipals",
        "id": id_,
        "principalId": None,
        "resourceId": resource.id,
        "scope": " ".join(sorted(names)),
    }
    tenant.store.add(Record(Kind.GRANT, id_, body))
