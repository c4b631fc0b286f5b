"""A Pulumi program with what a mail application needs; its configuration makes the variations.

The environment variable EXPLICIT_PROVIDER, JSON, holds the arguments of a provider of its own.
"""

import json
import os

import pulumi
import pulumi_azuread as azuread

EXCHANGE_ONLINE = "00000002-0000-0ff1-ce00-000000000000"

config = pulumi.Config()
explicit = os.environ.get("EXPLICIT_PROVIDER")
provider = azuread.Provider("explicit", **json.loads(explicit)) if explicit else None
asked = pulumi.InvokeOptions(provider=provider)
caller = azuread.get_client_config_output(opts=asked)
exchange = azuread.get_service_principal_output(
    client_id=config.get("resource") or EXCHANGE_ONLINE, opts=asked
)
application = azuread.Application(
    "application",
    display_name=config.get("name") or "Mail",
    sign_in_audience=config.get("audience") or "AzureADMyOrg",
    api=azuread.ApplicationApiArgs(requested_access_token_version=2),
    owners=[caller.object_id],
    tags=["mail", "stack:dev"],
    notes="made by a test",
    web=azuread.ApplicationWebArgs(
        redirect_uris=["https://mail.example.jp/proself/oauth2callback/smtp"]
    ),
    required_resource_accesses=[
        azuread.ApplicationRequiredResourceAccessArgs(
            resource_app_id=EXCHANGE_ONLINE,
            resource_accesses=[
                azuread.ApplicationRequiredResourceAccessResourceAccessArgs(
                    id=exchange.oauth2_permission_scope_ids["Mail.Send"], type="Scope"
                )
            ],
        )
    ],
    opts=pulumi.ResourceOptions(ignore_changes=["identifierUris"], provider=provider),
)
with_application = pulumi.ResourceOptions(deleted_with=application, provider=provider)
azuread.ApplicationIdentifierUri(
    "uri",
    application_id=application.id,
    identifier_uri=application.client_id.apply(lambda client_id: f"api://{client_id}"),
    opts=with_application,
)
principal = azuread.ServicePrincipal(
    "principal",
    client_id=application.client_id,
    owners=[caller.object_id],
    tags=["mail"],
    opts=with_application,
)
azuread.ServicePrincipalDelegatedPermissionGrant(
    "consent",
    service_principal_object_id=principal.object_id,
    resource_service_principal_object_id=exchange.object_id,
    claim_values=["Mail.Send"],
    opts=with_application,
)
azuread.ApplicationFederatedIdentityCredential(
    "trust",
    application_id=application.id,
    display_name="github",
    audiences=["api://AzureADTokenExchange"],
    issuer="https://token.actions.githubusercontent.com",
    subject="repo:o/r:environment:prod",
    opts=with_application,
)
for secret in (config.get("secrets") or "a1").split():
    password = azuread.ApplicationPassword(
        f"secret-{secret[0]}",
        application_id=application.id,
        display_name=f"mail {secret}",
        end_date="2027-05-01T00:00:00Z",
        rotate_when_changed={"generation": secret[1:]},
        opts=with_application,
    )
    pulumi.export(f"secret-{secret[0]}", password.value)
pulumi.export("clientId", application.client_id)
