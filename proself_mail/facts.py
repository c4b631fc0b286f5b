"""What Microsoft and Pulumi have fixed: ids, hosts, limits; each with its source and date read.

Nothing here is computed or configurable, and the embedded tenant reads none of it: a wrong fact
must fail a test, not pass on both sides.
"""

from datetime import timedelta

EXCHANGE_ONLINE_APP_ID = "00000002-0000-0ff1-ce00-000000000000"
"""Office 365 Exchange Online, the same in every tenant (Azure SDK constants, 2026-11-23)."""

EXCHANGE_ONLINE_NAME = "Office 365 Exchange Online"

SMTP_HOST = "smtp.office365.com"
SMTP_PORT = 587
"""Client submission with STARTTLS (Proself FAQ 481 of 2025-09-12)."""

PROSELF_CALLBACK_PATH = "/proself/oauth2callback/smtp"
"""Where Proself receives the authorization code (Proself FAQ 481, step 9, 2025-09-12)."""

AUTHORITY_HOST = "login.microsoftonline.com"
GRAPH_HOST = "graph.microsoft.com"
"""The global cloud (Microsoft, national cloud deployments, 2026-11-23)."""

MAXIMUM_SECRET_LIFETIME = timedelta(days=730)
"""The portal offers at most 24 months and recommends less than 12
(Microsoft, add credentials to an app, 2026-11-23). Graph's own maximum is not documented."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""The skew that Entra and its clients tolerate in tokens
(Microsoft, configurable token lifetimes, 2026-11-23)."""

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
"""Microsoft Graph, whose app roles the pipeline's identity holds
(Microsoft, first-party applications, 2026-11-23)."""

FEDERATED_AUDIENCE = "api://AzureADTokenExchange"
"""What Entra expects for the audience of another issuer's token that it exchanges for its own
(Microsoft, federatedIdentityCredential, 2026-11-24)."""

PULUMI_SUPPORTED = ">=3.220.0 <4.0.0"
"""The range in the syntax of Pulumi.yaml's `requiredPulumiVersion`; proven with 3.259.0."""

CONSENT_TAKEN_AWAY = (
    "an administrator takes it away: Entra → Enterprise applications → the application → "
    "Permissions → Admin consent → “Revoke permission”"
)
"""Microsoft, "Review permissions granted to enterprise applications" (2026-11-27)."""
