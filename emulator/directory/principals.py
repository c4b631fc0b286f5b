"""What a service principal takes from the application that it stands for."""

from emulator.directory.entities import SERVICE_PRINCIPAL
from emulator.json_text import Json


def new_principal(registration: Json, home_tenant_id: str) -> Json:
    """Return the properties of a new service principal, without its id."""
    return {**SERVICE_PRINCIPAL.properties, **mirrored(registration, home_tenant_id)}


def mirrored(registration: Json, home_tenant_id: str) -> Json:
    """Return the properties that follow the application as long as both are in one tenant."""
    web = registration["web"]
    return {
        "appId": registration["appId"],
        "appDisplayName": registration["displayName"],
        "appDescription": registration["description"],
        "appOwnerOrganizationId": home_tenant_id,
        "appRoles": registration["appRoles"],
        "applicationTemplateId": registration["applicationTemplateId"],
        "disabledByMicrosoftStatus": registration["disabledByMicrosoftStatus"],
        "displayName": registration["displayName"],
        "homepage": web["homePageUrl"],
        "info": registration["info"],
        "logoutUrl": web["logoutUrl"],
        "oauth2PermissionScopes": registration["api"]["oauth2PermissionScopes"],
        "replyUrls": [
            *web["redirectUris"],
            *registration["spa"]["redirectUris"],
            *registration["publicClient"]["redirectUris"],
        ],
        "servicePrincipalNames": [*registration["identifierUris"], registration["appId"]],
        "signInAudience": registration["signInAudience"],
        "verifiedPublisher": registration["verifiedPublisher"],
    }
