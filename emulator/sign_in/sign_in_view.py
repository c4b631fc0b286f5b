"""The directory as the sign-in service sees it: clients, resources, users, and what they may do."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from emulator.cloud import Cloud
from emulator.directory.first_party import GRAPH_APP_ID, SIGN_IN_SCOPES
from emulator.directory.replicas import View
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant
from emulator.json_text import Json
from emulator.sign_in import login_problems as problems

FOR_WORK = ("common", "organizations")
ANY_TENANT = (*FOR_WORK, "consumers")
_LOOPBACK = re.compile(r"http://(?P<host>localhost|127\.0\.0\.1)(:[0-9]*)?(?P<path>(/.*)?)")


@dataclass(frozen=True)
class Client:
    """An application that wants tokens, as its registration has it."""

    registration: Record
    home: Tenant

    @property
    def id(self) -> str:
        """The application's client id."""
        return str(self.registration.body["appId"])

    @property
    def name(self) -> str:
        """The name that errors call it by."""
        return str(self.registration.body["displayName"])

    @property
    def multi_tenant(self) -> bool:
        """Whether other tenants than its own may use it."""
        return bool(self.registration.body["signInAudience"] != "AzureADMyOrg")

    def check_shared_address(self, name: str) -> None:
        """Raise LoginError if the address `name` of no tenant in particular is not for it."""
        if name == "consumers" and "Personal" not in self.registration.body["signInAudience"]:
            raise problems.not_for_consumers()
        if not self.multi_tenant:
            raise problems.single_tenant_on_common(self.id, self.name)


@dataclass(frozen=True)
class Wanted:
    """What a scope parameter asks for."""

    resource: Record | None
    """The service principal of the resource; None if only sign-in itself is asked for."""
    audience: str
    """The resource as the client wrote it."""
    prefix: str
    """What the client wrote before each name, such as `https://graph.microsoft.com/`, or empty."""
    default: bool
    """Whether `.default` was asked for."""
    scopes: frozenset[str]
    """Delegated permissions of the resource, by value; empty for `/.default`."""
    sign_in: frozenset[str]
    """Those of OpenID Connect."""


class SignInView:
    """One tenant, as the sign-in service sees it at one moment."""

    def __init__(self, cloud: Cloud, tenant: Tenant, origins: frozenset[str]) -> None:
        self._cloud = cloud
        self._view: View = cloud.replicas.for_sign_in(tenant.id)
        self._origins = origins
        self.tenant = tenant

    def client(self, client_id: str) -> Client:
        """Find an application. LoginError AADSTS700016 if the tenant does not know it."""
        found = self._cloud.registration(client_id)
        if found is not None:
            home, registration = found
            seen = home.seen(self._view, Kind.APPLICATION, registration.id)
            if seen is not None and (home is self.tenant or self.principal(client_id) is not None):
                return Client(seen, home)
        raise problems.unknown_application(client_id, self.tenant.spec.display_name)

    def principal(self, client_id: str) -> Record | None:
        """Find the service principal of an application in this tenant."""
        return self.tenant.seen_by_app_id(self._view, Kind.SERVICE_PRINCIPAL, client_id)

    def enabled_principal(self, client: Client) -> Record:
        """Find it too. LoginError if it is missing or disabled."""
        principal = self.principal(client.id)
        if principal is None:
            raise problems.missing_principal(client.id, self.tenant.id)
        if not principal.body["accountEnabled"]:
            raise problems.disabled_application(client.id, client.name)
        return principal

    def user(self, user_id: str) -> Record:
        """Find a user who may sign in. LoginError AADSTS50034 or 50057 if not."""
        record = self.tenant.seen(self._view, Kind.USER, user_id)
        if record is None:
            raise problems.unknown_user(self.tenant.spec.display_name)
        if not record.body["accountEnabled"]:
            raise problems.disabled_user()
        return record

    def federated_credentials(self, client: Client) -> list[Record]:
        """List the federated identity credentials of an application."""
        entries = client.home.store.entries(Kind.FEDERATED_CREDENTIAL)
        mine = (entry for entry in entries if entry.parent == client.registration.id)
        return [record for _, record in self._view.records(mine)]

    def resource(self, name: str) -> Record:
        """Find a resource by one of its names. LoginError AADSTS500011 if there is none."""
        if name.rstrip("/") in self._origins:
            found = self.principal(GRAPH_APP_ID)
            if found is not None:
                return found
        entries = self.tenant.store.entries(Kind.SERVICE_PRINCIPAL)
        for _, record in self._view.records(entries):
            if record.deleted_at is None and name in record.body["servicePrincipalNames"]:
                return record
        raise problems.unknown_resource(name, self.tenant.spec.display_name)

    def wanted(self, scope: str, client: Client) -> Wanted:
        """Read a scope parameter that a token is asked for by. LoginError if it cannot be had."""
        first, *others = self.wanted_of_each(scope, client)
        if others:
            raise problems.several_resources(scope)
        return first

    def wanted_of_each(self, scope: str, client: Client) -> list[Wanted]:
        """Read a scope parameter, a part for each resource; one part if there is no resource."""
        names = frozenset(scope.split())
        if not names:
            raise problems.missing_parameter("scope")
        sign_in = names & SIGN_IN_SCOPES
        nothing = Wanted(None, "", "", False, frozenset(), sign_in)
        parts: dict[str, Wanted] = {}
        for name in sorted(names - SIGN_IN_SCOPES):
            prefix, slash, value = name.rpartition("/")
            audience = prefix if slash else "https://graph.microsoft.com"
            resource = self.resource(audience)
            part = parts.get(resource.id) or replace(
                nothing, resource=resource, audience=audience, prefix=f"{prefix}{slash}"
            )
            if value == ".default":
                part = replace(part, default=True)
            else:
                offered = _offered(resource, value, client)
                part = replace(part, scopes=part.scopes | {offered})
            parts[resource.id] = part
        return list(parts.values()) or [nothing]

    def granted(self, client: Record, resource: Record, user: Record) -> frozenset[str]:
        """List the delegated permissions that stand consented for a client, for everyone or him."""
        entries = self.tenant.store.entries(Kind.GRANT, "clientId", client.id)
        words: set[str] = set()
        for _, grant in self._view.records(entries):
            for_him = grant.body["principalId"] in (None, user.id)
            if grant.body["resourceId"] == resource.id and for_him:
                words.update(grant.body["scope"].split())
        enabled = {
            scope["value"]
            for scope in with_value(resource.body["oauth2PermissionScopes"])
            if scope.get("isEnabled", True)
        }
        return frozenset(words & enabled)

    def is_assigned(self, user: Record, principal: Record) -> bool:
        """Whether a user is assigned to an application, in whatever role."""
        entries = self.tenant.store.entries(Kind.APP_ROLE_ASSIGNMENT, "principalId", user.id)
        return any(
            assignment.body["resourceId"] == principal.id
            for _, assignment in self._view.records(entries)
        )

    def app_roles(self, principal: Record, resource: Record) -> list[str]:
        """List the values of the resource's app roles that are assigned to a principal."""
        entries = self.tenant.store.entries(Kind.APP_ROLE_ASSIGNMENT, "principalId", principal.id)
        assigned = [
            assignment.body["appRoleId"]
            for _, assignment in self._view.records(entries)
            if assignment.body["resourceId"] == resource.id
        ]
        roles = with_value(resource.body["appRoles"])
        return [role["value"] for role in roles if role.get("id") in assigned]


def with_value(permissions: Iterable[Json]) -> list[Json]:
    """List the app roles or scopes that have a value; without one they are in no token."""
    return [one for one in permissions if isinstance(one.get("value"), str) and one["value"]]


def _offered(resource: Record, value: str, client: Client) -> str:
    for scope in with_value(resource.body["oauth2PermissionScopes"]):
        if scope["value"].lower() == value.lower():
            return str(scope["value"])
    raise problems.scope_not_offered(client.name, value, resource.body["appId"])


def scope_of(resource: str) -> str:
    """Write what version 1.0 asks for by `resource`, or by none, as a scope of 2.0.

    With it come a refresh token and an ID token always.
    """
    return f"{resource}/.default openid offline_access" if resource else "openid offline_access"


def redirect_platform(client: Client, redirect_uri: str) -> str | None:
    """Tell under which platform a redirect URI is registered: `web`, `spa` or `publicClient`."""
    for platform in ("web", "spa", "publicClient"):
        registered: Iterable[str] = client.registration.body[platform]["redirectUris"]
        if any(_same(redirect_uri, other) for other in registered):
            return platform
    return None


def _same(given: str, registered: str) -> bool:
    """Whether they match: to the letter, or both lead to this machine, by whatever port.

    Nothing but the port may vary (RFC 8252, 7.3); no path and `/` are one path (RFC 3986, 6.2.3).
    """
    if given == registered:
        return True
    ours, theirs = _LOOPBACK.fullmatch(given), _LOOPBACK.fullmatch(registered)
    if ours is None or theirs is None:
        return False
    return (ours["host"], ours["path"] or "/") == (theirs["host"], theirs["path"] or "/")
