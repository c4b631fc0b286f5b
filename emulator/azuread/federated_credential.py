"""azuread:index/applicationFederatedIdentityCredential: whose tokens an application trusts."""

from datetime import timedelta
from typing import Any, ClassVar

from emulator.azuread import ids, rules
from emulator.azuread.application import get_application
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.graph import GraphError
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Field, Fields, Kind, Timeouts, output
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties


class FederatedCredential(Resource):
    """A federated identity credential of an application."""

    token = (
        "azuread:index/applicationFederatedIdentityCredential:"  # noqa: S105 a type token
        "ApplicationFederatedIdentityCredential"
    )
    fields: ClassVar[Fields] = {
        "applicationId": Field(required=True, replaces=True, checks=(rules.is_application_id,)),
        "audiences": Field(kind=Kind.LIST, required=True, checks=(rules.is_not_empty,)),
        "credentialId": output(),
        "description": Field(),
        "displayName": Field(required=True, replaces=True, checks=(rules.length_between(1, 120),)),
        "issuer": Field(required=True),
        "subject": Field(required=True),
    }
    timeouts = Timeouts(create=timedelta(minutes=15), update=timedelta(minutes=5))
    import_id = ids.FEDERATED_CREDENTIAL

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Add the credential and wait until readers show it; one at a time."""
        (application_id,) = ids.parse(ids.APPLICATION, instance["applicationId"])
        shown = ids.shown_application(application_id)
        path = f"/applications/{application_id}/federatedIdentityCredentials"
        with tenant.lock(application_id):
            if get_application(tenant, application_id) is None:
                raise DiagnosticError(f"{shown} was not found")
            body = {**_to_graph(instance.planned), "name": instance["displayName"]}
            try:
                made = tenant.graph.post(path, body)
            except PluginError as failure:
                raise DiagnosticError(
                    f"Adding federated identity credential for {shown}", failure
                ) from failure
            credential_id: str = made["id"]
            try:
                tenant.poll.until(lambda: _get(tenant, application_id, credential_id) is not None)
            except PluginError as failure:
                raise DiagnosticError(
                    f"Waiting for federated identity credential for {shown}", failure
                ) from failure
        instance.id = f"{application_id}/federatedIdentityCredential/{credential_id}"

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Read the credential."""
        application_id, credential_id = ids.parse(ids.FEDERATED_CREDENTIAL, instance.id)
        try:
            credential = _get(tenant, application_id, credential_id)
        except PluginError as failure:
            raise DiagnosticError(
                f'Retrieving federated identity credential with ID "{credential_id}" for '
                f"{ids.shown_application(application_id)}",
                failure,
            ) from failure
        if credential is None:
            return None
        return {
            "applicationId": f"/applications/{application_id}",
            "audiences": list(credential.get("audiences") or []),
            "credentialId": credential_id,
            "description": credential.get("description") or "",
            "displayName": credential.get("name") or "",
            "issuer": credential.get("issuer") or "",
            "subject": credential.get("subject") or "",
        }

    def update(self, tenant: Tenant, instance: Instance, changed: frozenset[str]) -> None:  # noqa: ARG002 all is written
        """Write all but the name, which cannot change."""
        application_id, credential_id = ids.parse(ids.FEDERATED_CREDENTIAL, instance.id)
        path = f"/applications/{application_id}/federatedIdentityCredentials/{credential_id}"
        with tenant.lock(application_id):
            try:
                tenant.graph.patch(path, _to_graph(instance.planned))
            except PluginError as failure:
                raise DiagnosticError(
                    f'Updating federated identity credential with ID "{credential_id}" for '
                    f"{ids.shown_application(application_id)}",
                    failure,
                ) from failure

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Delete the credential and wait until readers agree."""
        application_id, credential_id = ids.parse(ids.FEDERATED_CREDENTIAL, instance.id)
        shown = ids.shown_application(application_id)
        path = f"/applications/{application_id}/federatedIdentityCredentials/{credential_id}"
        with tenant.lock(application_id):
            try:
                tenant.graph.delete(path)
                tenant.poll.until(lambda: _get(tenant, application_id, credential_id) is None)
            except PluginError as failure:
                raise DiagnosticError(
                    f'Removing federated identity credential "{credential_id}" from {shown}',
                    failure,
                ) from failure


def _get(tenant: Tenant, application_id: str, credential_id: str) -> dict[str, Any] | None:
    path = f"/applications/{application_id}/federatedIdentityCredentials/{credential_id}"
    try:
        credential: dict[str, Any] = tenant.graph.get(path)
    except GraphError as failure:
        if failure.status == 404:
            return None
        raise
    return credential


def _to_graph(planned: Properties) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.federatedIdentityCredential",
        "audiences": planned["audiences"],
        "description": planned["description"] or "",
        "issuer": planned["issuer"],
        "subject": planned["subject"],
    }
