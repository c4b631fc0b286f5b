"""azuread:index/applicationOwner: one owner of an application."""

from typing import ClassVar

from emulator.azuread import ids, rules
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.graph import GraphError
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Field, Fields, Timeouts
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties

KIND = "azuread_application_owner"


class ApplicationOwner(Resource):
    """One owner, beside others that something else may have added."""

    token = "azuread:index/applicationOwner:ApplicationOwner"  # noqa: S105 a type token
    fields: ClassVar[Fields] = {
        "applicationId": Field(required=True, replaces=True, checks=(rules.is_application_id,)),
        "ownerObjectId": Field(required=True, replaces=True, checks=(rules.is_uuid,)),
    }
    timeouts = Timeouts(update=None)
    import_id = ids.OWNER

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Add the owner; repeated on 404."""
        (application_id,) = ids.parse(ids.APPLICATION, instance["applicationId"])
        owner_id = instance["ownerObjectId"]
        resource_id = f"/applications/{application_id}/owners/{owner_id}"
        with tenant.lock(application_id):
            if _is_owner(tenant, application_id, owner_id):
                raise ids.import_required_error(KIND, resource_id)
            try:
                tenant.graph.post(
                    f"/applications/{application_id}/owners/$ref",
                    {"@odata.id": tenant.reference(owner_id)},
                    retry=lambda error: error.status == 404,
                )
            except PluginError as failure:
                raise DiagnosticError(f"adding owner {owner_id}", failure) from failure
        instance.id = resource_id

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Look for the owner among the application's."""
        application_id, owner_id = ids.parse(ids.OWNER, instance.id)
        with tenant.lock(application_id):
            if not _is_owner(tenant, application_id, owner_id):
                return None
        return {"applicationId": f"/applications/{application_id}", "ownerObjectId": owner_id}

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Remove the owner."""
        application_id, owner_id = ids.parse(ids.OWNER, instance.id)
        with tenant.lock(application_id):
            try:
                tenant.graph.delete(f"/applications/{application_id}/owners/{owner_id}/$ref")
            except PluginError as failure:
                raise DiagnosticError(f"removing owner {owner_id}", failure) from failure


def _is_owner(tenant: Tenant, application_id: str, owner_id: str) -> bool:
    path = f"/applications/{application_id}/owners"
    wanted = f"id eq '{owner_id}'"
    try:
        owners = list(tenant.graph.list(path, filter=wanted))
    except GraphError as failure:
        if failure.status == 404:
            return False
        raise DiagnosticError(f'unable to list Owners with filter "{wanted}"', failure) from failure
    return any(owner["id"].lower() == owner_id.lower() for owner in owners)
