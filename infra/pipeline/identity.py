"""The identity of a pipeline in Entra: an application without a secret, trusted by its subject.

It holds the app role Application.ReadWrite.OwnedBy of Microsoft Graph and nothing more: it manages
what it owns. It may not give consent; that stays with a person (`consent: by-administrator` in the
mail stacks). A person runs this once, as Privileged Role Administrator, who alone may assign app
roles of Graph (Microsoft, "Grant admin consent", 2026-11-23).
"""

import pulumi
import pulumi_azuread as azuread

from infra.pipeline.settings import Settings
from proself_mail import facts
from proself_mail.entra.target import Target

_ROLE = "Application.ReadWrite.OwnedBy"
_TAGS = ["proself-mail", "proself-mail:pipeline"]


class PipelineIdentity(pulumi.ComponentResource):
    """Application, service principal, app role and federated credentials."""

    application: azuread.Application
    service_principal: azuread.ServicePrincipal

    def __init__(self, name: str, settings: Settings, target: Target) -> None:
        """Declare it all."""
        super().__init__("proself-mail:index:PipelineIdentity", name, None, None)
        provider = azuread.Provider(
            "azuread",
            tenant_id=str(settings.tenant_id),
            environment="public",
            metadata_host=target.metadata_host,
            opts=pulumi.ResourceOptions(parent=self),
        )
        children = pulumi.ResourceOptions(parent=self, provider=provider)
        graph = azuread.get_service_principal(
            client_id=facts.GRAPH_APP_ID, opts=pulumi.InvokeOptions(provider=provider)
        )
        role_id = graph.app_role_ids[_ROLE]
        owners = [str(owner) for owner in settings.owners]
        self.application = azuread.Application(
            "application",
            display_name=settings.display_name,
            sign_in_audience="AzureADMyOrg",
            api=azuread.ApplicationApiArgs(requested_access_token_version=2),
            required_resource_accesses=[
                azuread.ApplicationRequiredResourceAccessArgs(
                    resource_app_id=facts.GRAPH_APP_ID,
                    resource_accesses=[
                        azuread.ApplicationRequiredResourceAccessResourceAccessArgs(
                            id=role_id, type="Role"
                        )
                    ],
                )
            ],
            owners=owners,
            tags=_TAGS,
            opts=children,
        )
        children.deleted_with = self.application
        self.service_principal = azuread.ServicePrincipal(
            "service-principal",
            client_id=self.application.client_id,
            owners=owners,
            tags=_TAGS,
            opts=children,
        )
        azuread.AppRoleAssignment(
            "owned-by",
            app_role_id=role_id,
            principal_object_id=self.service_principal.object_id,
            resource_object_id=graph.object_id,
            opts=children,
        )
        for each in settings.trusted:
            azuread.ApplicationFederatedIdentityCredential(
                each.label,
                application_id=self.application.id,
                display_name=each.name,
                issuer=each.issuer,
                subject=each.subject,
                audiences=[facts.FEDERATED_AUDIENCE],
                opts=children,
            )
        self.register_outputs({})
