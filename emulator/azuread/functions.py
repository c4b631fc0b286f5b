"""The functions that programs call: what each asks of Graph, and the form of its result."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from emulator.azuread import ids, rules
from emulator.azuread.application import get_application
from emulator.azuread.application_shape import from_graph as application_from_graph
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.schema import Field, Fields
from emulator.azuread.service_principal import (
    from_graph as service_principal_from_graph,
)
from emulator.azuread.service_principal import get_service_principal, saml_metadata_url
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties

# Application ids that Microsoft publishes (learn.microsoft.com, "Verify first-party Microsoft
# applications in sign-in reports"). The real function knows some 120; these are those of the APIs
# that an embedded tenant can hold.
PUBLISHED_APP_IDS = {
    "AzureActiveDirectoryGraph": "00000002-0000-0000-c000-000000000000",
    "AzureServiceManagement": "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    "MicrosoftGraph": "00000003-0000-0000-c000-000000000000",
    "Office365ExchangeOnline": "00000002-0000-0ff1-ce00-000000000000",
    "Office365SharePointOnline": "00000003-0000-0ff1-ce00-000000000000",
}


class Function(ABC):
    """One function. `call` raises PluginError."""

    token: ClassVar[str]
    arguments: ClassVar[Fields] = {}

    @abstractmethod
    def call(self, tenant: Tenant, arguments: Properties) -> Properties:
        """Give the result, with its `id`."""


class GetClientConfig(Function):
    """Who the provider is signed in as; asks Graph nothing."""

    token = "azuread:index/getClientConfig:getClientConfig"  # noqa: S105 a function token

    def call(self, tenant: Tenant, arguments: Properties) -> Properties:  # noqa: ARG002 has none
        """Tell tenant, client and the object id of its service principal."""
        return {
            "id": f"{tenant.tenant_id}-{tenant.client_id}-{tenant.caller_id}",
            "clientId": tenant.client_id,
            "objectId": tenant.caller_id,
            "tenantId": tenant.tenant_id,
        }


class GetApplicationPublishedAppIds(Function):
    """Application ids of Microsoft's own APIs; asks Graph nothing."""

    token = "azuread:index/getApplicationPublishedAppIds:getApplicationPublishedAppIds"  # noqa: S105

    def call(self, tenant: Tenant, arguments: Properties) -> Properties:  # noqa: ARG002 has none
        """Tell the ids by name."""
        return {"id": "appIds", "result": PUBLISHED_APP_IDS}


class GetServicePrincipal(Function):
    """A service principal by client id, object id or display name."""

    token = "azuread:index/getServicePrincipal:getServicePrincipal"  # noqa: S105 a function token
    arguments: ClassVar[Fields] = {
        "clientId": Field(checks=(rules.is_uuid,)),
        "displayName": Field(checks=(rules.is_not_empty,)),
        "objectId": Field(checks=(rules.is_uuid,)),
    }

    def call(self, tenant: Tenant, arguments: Properties) -> Properties:
        """Find it, then ask beta for what only beta tells."""
        principal = self._find(tenant, arguments)
        object_id = principal["id"]
        properties = service_principal_from_graph(principal, saml_metadata_url(tenant, object_id))
        single_sign_on = principal.get("samlSingleSignOnSettings")
        properties["samlSingleSignOns"] = (
            [{"relayState": single_sign_on.get("relayState") or ""}] if single_sign_on else []
        )
        return {**properties, "id": f"/servicePrincipals/{object_id}"}

    def _find(self, tenant: Tenant, arguments: Properties) -> dict[str, Any]:
        object_id = arguments.get("objectId")
        if object_id:
            principal = get_service_principal(tenant, object_id)
            if principal is None:
                raise DiagnosticError(f"{ids.shown_service_principal(object_id)} was not found")
            return principal
        name = arguments.get("displayName")
        if not name and not arguments.get("clientId"):
            raise DiagnosticError("one of `client_id,display_name,object_id` must be specified")
        found = _list(
            tenant,
            "/servicePrincipals",
            f"displayName eq '{_quoted(name)}'" if name else f"appId eq '{arguments['clientId']}'",
            "service principals",
        )
        if not found:
            raise DiagnosticError("No service principal found", "no service principal found")
        if len(found) > 1:
            raise DiagnosticError("Multiple service principals found")
        return found[0]


class GetApplication(Function):
    """An application by client id, object id, display name or identifier URI."""

    token = "azuread:index/getApplication:getApplication"  # noqa: S105 a function token
    arguments: ClassVar[Fields] = {
        "clientId": Field(checks=(rules.is_uuid,)),
        "displayName": Field(checks=(rules.is_not_empty,)),
        "identifierUri": Field(checks=(rules.is_not_empty,)),
        "objectId": Field(checks=(rules.is_uuid,)),
    }

    def call(self, tenant: Tenant, arguments: Properties) -> Properties:
        """Find it, then ask beta for what only beta tells, and for the owners."""
        app = self._find(tenant, arguments)
        path, shown = f"/applications/{app['id']}", ids.shown_application(app["id"])
        try:
            extra = tenant.graph.get(path, version="beta", select="oauth2RequirePostResponse")
            owners = sorted(owner["id"] for owner in tenant.graph.list(f"{path}/owners"))
        except PluginError as failure:
            raise DiagnosticError(
                f"Retrieving additional properties for {shown}", failure
            ) from failure
        properties = application_from_graph(app)
        # In results Terraform's lists of one stay lists; their names are plural for it.
        for single, plural in (
            ("api", "apis"),
            ("optionalClaims", "optionalClaims"),
            ("publicClient", "publicClients"),
            ("singlePageApplication", "singlePageApplications"),
            ("web", "webs"),
        ):
            properties[plural] = [properties.pop(single)]
        for web in properties["webs"]:
            web["implicitGrants"] = [web.pop("implicitGrant")]
        del properties["templateId"]
        return {
            **properties,
            "id": path,
            "identifierUri": arguments.get("identifierUri") or "",
            "oauth2PostResponseRequired": bool(extra.get("oauth2RequirePostResponse")),
            "owners": owners,
        }

    def _find(self, tenant: Tenant, arguments: Properties) -> dict[str, Any]:
        object_id = arguments.get("objectId")
        if object_id:
            app = get_application(tenant, object_id)
            if app is None:
                raise DiagnosticError(f'Application with object ID "{object_id}" was not found')
            return app
        uri = arguments.get("identifierUri")
        conditions = (
            ("clientId", "appId eq '{}'"),
            ("displayName", "displayName eq '{}'"),
            ("identifierUri", "identifierUris/any(uri:uri eq '{}')"),
        )
        condition = next(
            (
                form.format(_quoted(arguments[name]))
                for name, form in conditions
                if arguments.get(name)
            ),
            None,
        )
        if condition is None:
            raise DiagnosticError(
                "One of `object_id`, `client_id`, `displayName`, or `identifier_uri` must be "
                "specified"
            )
        found = _list(tenant, "/applications", condition, "applications")
        if not found:
            raise DiagnosticError(
                "Application not found", f'no applications found matching filter: "{condition}"'
            )
        if len(found) > 1:
            raise DiagnosticError("Multiple applications found")
        if uri and uri not in (found[0].get("identifierUris") or []):
            raise DiagnosticError("Application not found")
        return found[0]


def _list(tenant: Tenant, path: str, condition: str, what: str) -> list[dict[str, Any]]:
    try:
        return list(tenant.graph.list(path, filter=condition))
    except PluginError as failure:
        raise DiagnosticError(f'Listing {what} for filter "{condition}"', failure) from failure


def _quoted(text: str) -> str:
    return text.replace("'", "''")
