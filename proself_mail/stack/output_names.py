"""How a stack's outputs are called: by the program, which exports them, and by who reads them."""

APPLICATION_OBJECT_ID = "applicationObjectId"
CLIENT_ID = "clientId"
CLIENT_SECRET = "clientSecret"  # noqa: S105
"""The newest secret's value, for a person; the commands read `CLIENT_SECRETS`."""
CLIENT_SECRETS = "clientSecrets"
CONFIG_FILE = "configFile"
CONSENT_URL = "consentUrl"
IDENTIFIER_URI = "identifierUri"
REDIRECT_URI = "redirectUri"
SERVICE_PRINCIPAL_OBJECT_ID = "servicePrincipalObjectId"
TENANT_ID = "tenantId"
