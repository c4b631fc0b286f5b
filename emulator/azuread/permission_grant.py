"""azuread:index/servicePrincipalDelegatedPermissionGrant: consent for delegated permissions.

Both service principals are read first, without repeating; the creation is repeated while a reader
does not know one of them.
"""

from datetime import timedelta
from typing import ClassVar

from emulator.azuread import ids, rules
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.graph import GraphError
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Field, Fields, Kind, Timeouts
from emulator.azuread.service_principal import get_service_principal
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties

_FIVE = timedelta(minutes=5)


class PermissionGrant(Resource):
    """A grant of delegated permissions to a service principal, for all users or for one."""

    token = (
        "azuread:index/servicePrincipalDelegatedPermissionGrant:"  # noqa: S105 a type token
        "ServicePrincipalDelegatedPermissionGrant"
    )
    fields: ClassVar[Fields] = {
        "claimValues": Field(kind=Kind.SET, required=True, checks=(rules.is_not_empty,)),
        "resourceServicePrincipalObjectId": Field(
            required=True, replaces=True, checks=(rules.is_uuid,)
        ),
        "servicePrincipalObjectId": Field(required=True, replaces=True, checks=(rules.is_uuid,)),
        "userObjectId": Field(replaces=True, checks=(rules.is_uuid,)),
    }
    timeouts = Timeouts(create=_FIVE, update=_FIVE)
    version = 1
    import_id = ids.GRANT

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Read both ends, then grant."""
        client_id = instance["servicePrincipalObjectId"]
        resource_id = instance["resourceServicePrincipalObjectId"]
        for object_id, role in ((client_id, ""), (resource_id, " for resource")):
            if get_service_principal(tenant, object_id) is None:
                shown = ids.shown_service_principal(object_id)
                raise DiagnosticError(f"{shown} was not found{role}")
        user_id = instance["userObjectId"]
        body = {
            "@odata.type": "#microsoft.graph.oAuth2PermissionGrant",
            "clientId": client_id,
            "consentType": "Principal" if user_id else "AllPrincipals",
            "resourceId": resource_id,
            "scope": " ".join(instance["claimValues"]),
        }
        if user_id:
            body["principalId"] = user_id
        try:
            made = tenant.graph.post("/oauth2PermissionGrants", body, retry=_is_behind)
        except PluginError as failure:
            raise DiagnosticError(
                "Could not create delegated permission grant", failure
            ) from failure
        instance.id = f"/oauth2PermissionGrants/{made['id']}"

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Read the grant."""
        (grant_id,) = ids.parse(ids.GRANT, instance.id)
        try:
            grant = tenant.graph.get(f"/oauth2PermissionGrants/{grant_id}")
        except GraphError as failure:
            if failure.status == 404:
                return None
            raise DiagnosticError(
                f'Retrieving Delegated Permission Grant with ID "{instance.id}"', failure
            ) from failure
        return {
            "claimValues": sorted((grant.get("scope") or "").split()),
            "resourceServicePrincipalObjectId": grant["resourceId"],
            "servicePrincipalObjectId": grant["clientId"],
            "userObjectId": grant.get("principalId") or "",
        }

    def update(self, tenant: Tenant, instance: Instance, changed: frozenset[str]) -> None:  # noqa: ARG002 only the scope can change
        """Write the scope."""
        (grant_id,) = ids.parse(ids.GRANT, instance.id)
        body = {
            "@odata.type": "#microsoft.graph.oAuth2PermissionGrant",
            "scope": " ".join(instance["claimValues"]),
        }
        try:
            tenant.graph.patch(f"/oauth2PermissionGrants/{grant_id}", body)
        except PluginError as failure:
            raise DiagnosticError(f"Updating {_shown(grant_id)}", failure) from failure

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Delete the grant; the real plugin does not wait here."""
        (grant_id,) = ids.parse(ids.GRANT, instance.id)
        try:
            tenant.graph.delete(f"/oauth2PermissionGrants/{grant_id}")
        except PluginError as failure:
            raise DiagnosticError(f"Deleting {_shown(grant_id)}", failure) from failure


def _shown(grant_id: str) -> ids.Shown:
    return ids.Shown("O Auth 2 Permission Grant", grant_id)


def _is_behind(error: GraphError) -> bool:
    return error.status == 404 or (
        error.status == 400
        and error.matches(
            r"does not exist or one of its queried reference-property objects are not present"
        )
    )
