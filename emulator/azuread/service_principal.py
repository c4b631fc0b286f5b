"""azuread:index/servicePrincipal:ServicePrincipal.

Creating is repeated while the tenant does not know the application yet. The patch that follows it
is not, so a reader that is behind leaves a service principal in the state as failed ("Timed out
whilst waiting ..."), and the next update goes on from there.
"""

from typing import Any, ClassVar
from uuid import uuid4

from emulator.azuread import ids, owners, rules, shapes
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.graph import GraphError
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Field, Fields, Kind, Timeouts, output
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import UNKNOWN, Properties

KIND = "azuread_service_principal"
_FEATURES = ("featureTags", "features", "tags")
_NOT_YET = (
    (400, r"The appId '.+' of the service principal does not reference a valid application object"),
    (403, r"When using this permission, the backing application of the service principal being"),
)


def _excluding(name: str) -> tuple[str, ...]:
    return tuple(other for other in _FEATURES if other != name)


FIELDS: Fields = {
    "accountEnabled": Field(kind=Kind.BOOLEAN, default=True),
    "alternativeNames": Field(kind=Kind.SET, checks=(rules.is_not_empty,)),
    "appRoleAssignmentRequired": Field(kind=Kind.BOOLEAN),
    "appRoleIds": output(Kind.MAP),
    "appRoles": output(Kind.LIST, shapes.computed(shapes.APP_ROLE)),
    "applicationTenantId": output(),
    "clientId": Field(required=True, replaces=True, checks=(rules.is_uuid,)),
    "description": Field(checks=(rules.length_between(0, 1024),)),
    "displayName": output(),
    "featureTags": Field(
        kind=Kind.LIST,
        fields=shapes.FEATURE_TAGS,
        computed=True,
        conflicts=_excluding("featureTags"),
    ),
    "features": Field(
        kind=Kind.LIST, fields=shapes.FEATURES, computed=True, conflicts=_excluding("features")
    ),
    "homepageUrl": output(),
    "loginUrl": Field(checks=(rules.is_web_url,)),
    "logoutUrl": output(),
    "notes": Field(checks=(rules.length_between(0, 1024),)),
    "notificationEmailAddresses": Field(kind=Kind.SET, checks=(rules.is_not_empty,)),
    "oauth2PermissionScopeIds": output(Kind.MAP),
    "oauth2PermissionScopes": output(Kind.LIST, shapes.computed(shapes.SCOPE)),
    "objectId": output(),
    "owners": Field(kind=Kind.SET, checks=(rules.is_uuid,)),
    "preferredSingleSignOnMode": Field(
        checks=(rules.one_of("oidc", "password", "saml", "notSupported"),)
    ),
    "redirectUris": output(Kind.LIST),
    "samlMetadataUrl": output(),
    "samlSingleSignOn": Field(
        kind=Kind.BLOCK, fields={"relayState": Field(checks=(rules.is_not_empty,))}
    ),
    "servicePrincipalNames": output(Kind.LIST),
    "signInAudience": output(),
    "tags": Field(kind=Kind.SET, computed=True, conflicts=_excluding("tags")),
    "type": output(),
    "useExisting": Field(kind=Kind.BOOLEAN),
}


class ServicePrincipal(Resource):
    """An application's identity in this tenant."""

    token = "azuread:index/servicePrincipal:ServicePrincipal"  # noqa: S105 a type token
    fields: ClassVar[Fields] = FIELDS
    timeouts = Timeouts()
    version = 1
    import_id = ids.SERVICE_PRINCIPAL

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Refuse one that exists (or adopt it), create, patch the description, settle owners."""
        client_id = instance["clientId"]
        existing = find_by_client_id(tenant, client_id)
        if existing is not None:
            if not instance["useExisting"]:
                raise ids.exists_error(KIND, existing["id"])
            instance.id = f"/servicePrincipals/{existing['id']}"
            self.update(tenant, instance, frozenset({"owners", "featureTags", "features"}))
            return
        references, rest = owners.at_creation(tenant, instance)
        body = {
            **_to_graph(instance.planned, None),
            "appId": client_id,
            "description": f"TERRAFORM_UPDATE_{uuid4()}",
            "owners@odata.bind": references,
        }
        try:
            made = tenant.graph.post("/servicePrincipals", body, retry=_is_not_yet_known)
        except PluginError as failure:
            raise DiagnosticError("Could not create service principal", failure) from failure
        object_id: str = made["id"]
        instance.id = f"/servicePrincipals/{object_id}"
        try:
            tenant.graph.patch(
                f"/servicePrincipals/{object_id}",
                {
                    "@odata.type": "#microsoft.graph.servicePrincipal",
                    "description": instance["description"] or None,
                },
            )
        except GraphError as failure:
            if failure.status == 404:
                raise DiagnosticError(
                    "Timed out whilst waiting for new service principal to be replicated in "
                    "Azure AD",
                    failure,
                ) from failure
            raise DiagnosticError(
                "Failed to patch service principal after creating", failure
            ) from failure
        shown = ids.shown_service_principal(object_id)
        owners.complete(tenant, instance, instance.id, shown, rest)

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Read v1.0, then what only beta tells, then the owners."""
        (object_id,) = ids.parse(ids.SERVICE_PRINCIPAL, instance.id)
        principal = get_service_principal(tenant, object_id)
        if principal is None:
            return None
        shown = ids.shown_service_principal(object_id)
        properties = from_graph(principal, saml_metadata_url(tenant, object_id))
        single_sign_on = principal.get("samlSingleSignOnSettings") or {}
        try:
            found = list(tenant.graph.list(f"/servicePrincipals/{object_id}/owners"))
        except PluginError as failure:
            raise DiagnosticError(f"Could not retrieve owners for {shown}", failure) from failure
        return {
            **properties,
            "owners": sorted(owner["id"] for owner in found),
            "samlSingleSignOn": {"relayState": single_sign_on.get("relayState") or ""},
        }

    def update(self, tenant: Tenant, instance: Instance, changed: frozenset[str]) -> None:
        """Write all properties, then settle owners."""
        (object_id,) = ids.parse(ids.SERVICE_PRINCIPAL, instance.id)
        try:
            tenant.graph.patch(
                f"/servicePrincipals/{object_id}", _to_graph(instance.planned, changed)
            )
        except PluginError as failure:
            raise DiagnosticError(
                f"Updating {ids.shown_service_principal(object_id)}", failure
            ) from failure
        if "owners" in changed:
            shown = ids.shown_service_principal(object_id)
            owners.settle(tenant, instance, f"/servicePrincipals/{object_id}", shown)

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Delete, and wait until it is gone; one that existed before is not waited for."""
        (object_id,) = ids.parse(ids.SERVICE_PRINCIPAL, instance.id)
        shown = ids.shown_service_principal(object_id)
        try:
            tenant.graph.delete(f"/servicePrincipals/{object_id}")
        except PluginError as failure:
            if instance.prior.get("useExisting"):
                return
            raise DiagnosticError(f"Deleting {shown}", failure) from failure
        if instance.prior.get("useExisting"):
            return
        try:
            tenant.poll.until(lambda: get_service_principal(tenant, object_id) is None)
        except PluginError as failure:
            raise DiagnosticError(f"Waiting for deletion of {shown}", failure) from failure


def get_service_principal(tenant: Tenant, object_id: str) -> dict[str, Any] | None:
    """Read one service principal, or None when it is not found; raises DiagnosticError."""
    try:
        principal: dict[str, Any] = tenant.graph.get(f"/servicePrincipals/{object_id}")
    except GraphError as failure:
        if failure.status == 404:
            return None
        raise DiagnosticError(
            f"Retrieving {ids.shown_service_principal(object_id)}", failure
        ) from failure
    return principal


def find_by_client_id(tenant: Tenant, client_id: str) -> dict[str, Any] | None:
    """Find the service principal of an application, or None; raises DiagnosticError."""
    try:
        found = list(tenant.graph.list("/servicePrincipals", filter=f"appId eq '{client_id}'"))
    except PluginError as failure:
        raise DiagnosticError("Could not list existing service principals", failure) from failure
    return next((sp for sp in found if sp["appId"].lower() == client_id.lower()), None)


def saml_metadata_url(tenant: Tenant, object_id: str) -> str:
    """Ask beta for the URL of SAML metadata; raises DiagnosticError."""
    path = f"/servicePrincipals/{object_id}"
    try:
        extra = tenant.graph.get(path, version="beta", select="samlMetadataUrl")
    except PluginError as failure:
        raise DiagnosticError(
            f"Retrieving {ids.shown_service_principal(object_id)} (beta API)", failure
        ) from failure
    return extra.get("samlMetadataUrl") or ""


def from_graph(principal: dict[str, Any], metadata_url: str) -> Properties:
    """Read what the resource and getServicePrincipal have in common."""
    names = principal.get("servicePrincipalNames") or []
    tags = principal.get("tags") or []
    return {
        "accountEnabled": bool(principal.get("accountEnabled")),
        "alternativeNames": sorted(principal.get("alternativeNames") or []),
        "appRoleAssignmentRequired": bool(principal.get("appRoleAssignmentRequired")),
        "appRoleIds": shapes.ids_by_value(principal.get("appRoles")),
        "appRoles": shapes.from_graph_roles(principal.get("appRoles")),
        "applicationTenantId": principal.get("appOwnerOrganizationId") or "",
        "clientId": principal["appId"],
        "description": principal.get("description") or "",
        "displayName": principal.get("displayName") or "",
        "featureTags": shapes.from_graph_features(tags),
        "features": shapes.from_graph_older_features(tags),
        "homepageUrl": principal.get("homepage") or "",
        "loginUrl": principal.get("loginUrl") or "",
        "logoutUrl": principal.get("logoutUrl") or "",
        "notes": principal.get("notes") or "",
        "notificationEmailAddresses": sorted(principal.get("notificationEmailAddresses") or []),
        "oauth2PermissionScopeIds": shapes.ids_by_value(principal.get("oauth2PermissionScopes")),
        "oauth2PermissionScopes": shapes.from_graph_scopes(principal.get("oauth2PermissionScopes")),
        "objectId": principal["id"],
        "preferredSingleSignOnMode": principal.get("preferredSingleSignOnMode") or "",
        "redirectUris": list(principal.get("replyUrls") or []),
        "samlMetadataUrl": metadata_url,
        "servicePrincipalNames": [
            name for name in names if name.lower() != principal["appId"].lower()
        ],
        "signInAudience": principal.get("signInAudience") or "",
        "tags": sorted(tags),
        "type": principal.get("servicePrincipalType") or "",
    }


def _to_graph(planned: Properties, changed: frozenset[str] | None) -> dict[str, Any]:
    relay_state = (planned["samlSingleSignOn"] or {}).get("relayState")
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "accountEnabled": bool(planned["accountEnabled"]),
        "alternativeNames": planned["alternativeNames"] or [],
        "appRoleAssignmentRequired": bool(planned["appRoleAssignmentRequired"]),
        "description": planned["description"] or None,
        "loginUrl": planned["loginUrl"] or None,
        "notes": planned["notes"] or None,
        "notificationEmailAddresses": planned["notificationEmailAddresses"] or [],
        "preferredSingleSignOnMode": planned["preferredSingleSignOnMode"] or None,
        "samlSingleSignOnSettings": {"relayState": relay_state} if relay_state else {},
        "tags": _tags(planned, changed),
    }


def _tags(planned: Properties, changed: frozenset[str] | None) -> list[str]:
    for name in ("featureTags", "features"):
        block = planned[name]
        if block and block is not UNKNOWN and (changed is None or name in changed):
            return shapes.to_graph_features(block)
    tags = planned["tags"]
    return [] if tags is UNKNOWN or not tags else list(tags)


def _is_not_yet_known(error: GraphError) -> bool:
    return any(error.status == status and error.matches(text) for status, text in _NOT_YET)
