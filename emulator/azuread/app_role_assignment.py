"""azuread:index/appRoleAssignment: an app role of a resource, assigned to a principal."""

from datetime import timedelta
from typing import ClassVar

from emulator.azuread import ids, rules
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.graph import GraphError
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Field, Fields, Timeouts, output
from emulator.azuread.service_principal import get_service_principal
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties


class AppRoleAssignment(Resource):
    """One assignment; every input replaces it."""

    token = "azuread:index/appRoleAssignment:AppRoleAssignment"  # noqa: S105 a type token
    fields: ClassVar[Fields] = {
        "appRoleId": Field(required=True, replaces=True, checks=(rules.is_uuid,)),
        "principalDisplayName": output(),
        "principalObjectId": Field(required=True, replaces=True, checks=(rules.is_uuid,)),
        "principalType": output(),
        "resourceDisplayName": output(),
        "resourceObjectId": Field(required=True, replaces=True, checks=(rules.is_uuid,)),
    }
    timeouts = Timeouts(create=timedelta(minutes=5), update=None)
    version = 1
    import_id = ids.APP_ROLE_ASSIGNMENT

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Read the resource, then assign; repeated while a reader is behind."""
        resource_id = instance["resourceObjectId"]
        if get_service_principal(tenant, resource_id) is None:
            raise DiagnosticError(
                f'Service principal not found for resource (Object ID: "{resource_id}")'
            )
        body = {
            "@odata.type": "#microsoft.graph.appRoleAssignment",
            "appRoleId": instance["appRoleId"],
            "principalId": instance["principalObjectId"],
            "resourceId": resource_id,
        }
        path = f"/servicePrincipals/{resource_id}/appRoleAssignedTo"
        try:
            made = tenant.graph.post(path, body, retry=_is_behind)
        except PluginError as failure:
            raise DiagnosticError("Could not create app role assignment", failure) from failure
        instance.id = f"/servicePrincipals/{resource_id}/appRoleAssignedTo/{made['id']}"

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Read the assignment."""
        ids.parse(ids.APP_ROLE_ASSIGNMENT, instance.id)
        try:
            assignment = tenant.graph.get(instance.id)
        except GraphError as failure:
            if failure.status == 404:
                return None
            raise DiagnosticError(f"retrieving {instance.id}", failure) from failure
        return {
            "appRoleId": assignment["appRoleId"],
            "principalDisplayName": assignment.get("principalDisplayName") or "",
            "principalObjectId": assignment["principalId"],
            "principalType": assignment.get("principalType") or "",
            "resourceDisplayName": assignment.get("resourceDisplayName") or "",
            "resourceObjectId": assignment["resourceId"],
        }

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Delete the assignment."""
        ids.parse(ids.APP_ROLE_ASSIGNMENT, instance.id)
        try:
            tenant.graph.delete(instance.id)
        except PluginError as failure:
            raise DiagnosticError(f"Deleting {instance.id}", failure) from failure


def _is_behind(error: GraphError) -> bool:
    return error.status == 404 or (
        error.status == 400 and error.matches("Not a valid reference update")
    )
