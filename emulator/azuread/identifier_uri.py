"""azuread:index/applicationIdentifierUri: one Application ID URI of an application."""

from typing import ClassVar

from emulator.azuread import ids, rules
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Field, Fields, Timeouts
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties

KIND = "azuread_application_identifier_uri"


class IdentifierUri(Resource):
    """One identifier URI, beside others that something else may own."""

    token = "azuread:index/applicationIdentifierUri:ApplicationIdentifierUri"  # noqa: S105
    fields: ClassVar[Fields] = {
        "applicationId": Field(required=True, replaces=True, checks=(rules.is_application_id,)),
        "identifierUri": Field(required=True, replaces=True, checks=(rules.is_not_empty,)),
    }
    timeouts = Timeouts(update=None)
    import_id = ids.IDENTIFIER_URI

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Add the URI to those that are there; nothing is repeated when a reader is behind."""
        (application_id,) = ids.parse(ids.APPLICATION, instance["applicationId"])
        uri = instance["identifierUri"]
        resource_id = ids.identifier_uri_id(application_id, uri)
        with tenant.lock(application_id):
            present = _uris(tenant, application_id)
            if uri in present:
                raise ids.import_required_error(KIND, resource_id)
            _write(tenant, application_id, [*present, uri], f"creating {_shown(resource_id)}")
        instance.id = resource_id

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Look for the URI among the application's."""
        application_id, encoded = ids.parse(ids.IDENTIFIER_URI, instance.id)
        uri = ids.decode_uri(encoded)
        with tenant.lock(application_id):
            try:
                app = tenant.graph.get(f"/applications/{application_id}")
            except PluginError as failure:
                if getattr(failure, "status", None) == 404:
                    return None
                raise DiagnosticError(f"retrieving {_shown(instance.id)}", failure) from failure
        if uri not in (app.get("identifierUris") or []):
            return None
        return {"applicationId": f"/applications/{application_id}", "identifierUri": uri}

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Take the URI away from those that are there."""
        application_id, encoded = ids.parse(ids.IDENTIFIER_URI, instance.id)
        uri, shown = ids.decode_uri(encoded), _shown(instance.id)
        with tenant.lock(application_id):
            present = _uris(tenant, application_id)
            if uri not in present:
                raise DiagnosticError(
                    f"deleting {shown}", "could not identify existing identifier URI"
                )
            rest = [other for other in present if other != uri]
            _write(tenant, application_id, rest, f"deleting {shown}")


def _uris(tenant: Tenant, application_id: str) -> list[str]:
    try:
        app = tenant.graph.get(f"/applications/{application_id}")
    except PluginError as failure:
        shown = ids.shown_application(application_id)
        raise DiagnosticError(f"retrieving {shown}", failure) from failure
    return list(app.get("identifierUris") or [])


def _write(tenant: Tenant, application_id: str, uris: list[str], doing: str) -> None:
    body = {"@odata.type": "#microsoft.graph.application", "identifierUris": uris}
    try:
        tenant.graph.patch(f"/applications/{application_id}", body)
    except PluginError as failure:
        raise DiagnosticError(doing, failure) from failure


def _shown(resource_id: str) -> str:
    application_id, encoded = ids.parse(ids.IDENTIFIER_URI, resource_id)
    return (
        f'Identifier URI (Application ID: "{application_id}", Identifier URI: '
        f'"{ids.decode_uri(encoded)}")'
    )
