"""What the real plugin 6.10.0 did, recorded: its requests, and what it stored.

Requests are `METHOD path`, in the order of one resource's own; ids are written as what they name.
State is what it stored for a program like `azuread_program`, without what only the tenant knows.
"""

from typing import Any

READ_APPLICATION = [
    "GET /v1.0/applications/{application}",
    "GET /beta/applications/{application}?$select=oauth2RequirePostResponse",
    "GET /v1.0/applications/{application}/owners",
]
READ_PRINCIPAL = [
    "GET /v1.0/servicePrincipals/{principal}",
    "GET /beta/servicePrincipals/{principal}?$select=samlMetadataUrl",
    "GET /v1.0/servicePrincipals/{principal}/owners",
]
_CREDENTIAL = "/v1.0/applications/{application}/federatedIdentityCredentials/{credential}"

CREATE = {
    "Application": [
        "POST /v1.0/applications",
        "PATCH /v1.0/applications/{application}",
        "PATCH /v1.0/applications/{application}",
        *READ_APPLICATION,
    ],
    "ApplicationIdentifierUri": [
        "GET /v1.0/applications/{application}",
        "PATCH /v1.0/applications/{application}",
        "GET /v1.0/applications/{application}",
    ],
    "ServicePrincipal": [
        "GET /v1.0/servicePrincipals?$filter=appId eq '{client}'",
        "POST /v1.0/servicePrincipals",
        "PATCH /v1.0/servicePrincipals/{principal}",
        *READ_PRINCIPAL,
    ],
    "ServicePrincipalDelegatedPermissionGrant": [
        "GET /v1.0/servicePrincipals/{principal}",
        "GET /v1.0/servicePrincipals/{exchange}",
        "POST /v1.0/oauth2PermissionGrants",
        "GET /v1.0/oauth2PermissionGrants/{grant}",
    ],
    "ApplicationFederatedIdentityCredential": [
        "GET /v1.0/applications/{application}",
        "POST /v1.0/applications/{application}/federatedIdentityCredentials",
        *[f"GET {_CREDENTIAL}"] * 6,  # five in a row to see it, one to read it
    ],
    "ApplicationPassword": [
        "GET /v1.0/applications/{application}",
        "POST /v1.0/applications/{application}/addPassword",
        *["GET /v1.0/applications/{application}"] * 6,
    ],
}
REFRESH = {
    "Application": READ_APPLICATION,
    "ApplicationIdentifierUri": ["GET /v1.0/applications/{application}"],
    "ServicePrincipal": READ_PRINCIPAL,
    "ServicePrincipalDelegatedPermissionGrant": ["GET /v1.0/oauth2PermissionGrants/{grant}"],
    "ApplicationFederatedIdentityCredential": [f"GET {_CREDENTIAL}"],
    "ApplicationPassword": ["GET /v1.0/applications/{application}"],
}
RENAME = ["PATCH /v1.0/applications/{application}", *READ_APPLICATION]
DELETE_PASSWORD = [
    "POST /v1.0/applications/{application}/removePassword",
    *["GET /v1.0/applications/{application}"] * 5,
]
DELETE_APPLICATION = [
    "DELETE /v1.0/applications/{application}",
    *["GET /v1.0/applications/{application}"] * 5,
]

# Bodies of what creates and changes the application of `azuread_program`; sets are sorted.
NEW_APPLICATION: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.application",
    "api": {
        "acceptMappedClaims": False,
        "knownClientApplications": [],
        "oauth2PermissionScopes": [],
        "requestedAccessTokenVersion": 2,
    },
    "appRoles": [],
    "description": None,
    "displayName": "Mail",
    "groupMembershipClaims": None,
    "identifierUris": [],
    "info": {
        "marketingUrl": None,
        "privacyStatementUrl": None,
        "supportUrl": None,
        "termsOfServiceUrl": None,
    },
    "isDeviceOnlyAuthSupported": False,
    "isFallbackPublicClient": False,
    "notes": "made by a test",
    "optionalClaims": {},
    "owners@odata.bind": ["{graph}/v1.0/directoryObjects/{caller}"],
    "publicClient": {"redirectUris": []},
    "requiredResourceAccess": [
        {
            "resourceAccess": [{"id": "{scope}", "type": "Scope"}],
            "resourceAppId": "00000002-0000-0ff1-ce00-000000000000",
        }
    ],
    "serviceManagementReference": None,
    "signInAudience": "AzureADMyOrg",
    "spa": {"redirectUris": []},
    "tags": ["mail", "stack:dev"],
    "web": {
        "homePageUrl": None,
        "implicitGrantSettings": {
            "enableAccessTokenIssuance": False,
            "enableIdTokenIssuance": False,
        },
        "logoutUrl": None,
        "redirectUris": ["https://mail.example.jp/proself/oauth2callback/smtp"],
    },
}
# Left out of an update when they did not change: another resource may own them.
NOT_WRITTEN_BY_A_RENAME = (
    "appRoles",
    "identifierUris",
    "optionalClaims",
    "owners@odata.bind",
    "requiredResourceAccess",
)

_TIMEOUTS = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"


def _meta(create: int, update: int | None, version: int | None) -> dict[str, Any]:
    nanoseconds = 60_000_000_000
    timeouts = {"create": create * nanoseconds, "delete": 5 * nanoseconds, "read": 5 * nanoseconds}
    if update is not None:
        timeouts["update"] = update * nanoseconds
    meta: dict[str, Any] = {_TIMEOUTS: timeouts}
    if version is not None:
        meta["schema_version"] = str(version)
    return meta


META = {
    "Application": _meta(10, 10, 2),
    "ApplicationIdentifierUri": _meta(10, None, None),
    "ServicePrincipal": _meta(10, 10, 1),
    "ServicePrincipalDelegatedPermissionGrant": _meta(5, 5, 1),
    "ApplicationFederatedIdentityCredential": _meta(15, 5, None),
    "ApplicationPassword": _meta(15, 5, 1),
}

_LIST: dict[str, Any] = {"arr": {}}
_MAP: dict[str, Any] = {"map": {}}
_OBJECTS: dict[str, Any] = {"arr": {"el": {"0": {"obj": {}}}}}


def _single(*lists: str, renamed: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    properties = {**dict.fromkeys(lists, _LIST), **more}
    if properties:
        inner["ps"] = properties
    if renamed:
        inner["renamed"] = renamed
    return {"plu": {"i": {"obj": inner}}}


RAW_STATE_DELTA: dict[str, dict[str, Any]] = {
    "Application": {
        "obj": {
            "ps": {
                "api": _single(
                    "oauth2PermissionScopes",
                    renamed={"oauth2PermissionScopes": "oauth2_permission_scope"},
                ),
                "appRoleIds": _MAP,
                "appRoles": _LIST,
                "featureTags": _OBJECTS,
                "oauth2PermissionScopeIds": _MAP,
                "optionalClaims": _single(
                    "accessTokens",
                    "idTokens",
                    "saml2Tokens",
                    renamed={
                        "accessTokens": "access_token",
                        "idTokens": "id_token",
                        "saml2Tokens": "saml2_token",
                    },
                ),
                "owners": _LIST,
                "password": {"plu": {"i": {}}},
                "publicClient": _single("redirectUris"),
                "requiredResourceAccesses": {
                    "arr": {
                        "el": {
                            "0": {
                                "obj": {
                                    "ps": {"resourceAccesses": _OBJECTS},
                                    "renamed": {"resourceAccesses": "resource_access"},
                                }
                            }
                        }
                    }
                },
                "singlePageApplication": _single("redirectUris"),
                "tags": _LIST,
                "web": _single("redirectUris", implicitGrant=_single()),
            },
            "renamed": {
                "appRoles": "app_role",
                "requiredResourceAccesses": "required_resource_access",
            },
        }
    },
    "ApplicationIdentifierUri": {"obj": {}},
    "ServicePrincipal": {
        "obj": {
            "ps": {
                "appRoleIds": _MAP,
                "appRoles": _LIST,
                "featureTags": _OBJECTS,
                "features": _OBJECTS,
                "oauth2PermissionScopeIds": _MAP,
                "oauth2PermissionScopes": _LIST,
                "owners": _LIST,
                "redirectUris": _LIST,
                "samlSingleSignOn": _single(),
                "servicePrincipalNames": _LIST,
                "tags": _LIST,
            }
        }
    },
    "ServicePrincipalDelegatedPermissionGrant": {"obj": {"ps": {"claimValues": _LIST}}},
    "ApplicationFederatedIdentityCredential": {"obj": {"ps": {"audiences": _LIST}}},
    "ApplicationPassword": {"obj": {"ps": {"rotateWhenChanged": _MAP}}},
}

# Null after an apply although Graph answers with an empty collection: the program set nothing.
NULL_AFTER_UP = {
    "Application": {"groupMembershipClaims", "identifierUris", "password"},
    "ApplicationIdentifierUri": set(),
    "ServicePrincipal": {"alternativeNames", "notificationEmailAddresses", "useExisting"},
    "ServicePrincipalDelegatedPermissionGrant": set(),
    "ApplicationFederatedIdentityCredential": set(),
    "ApplicationPassword": {"endDateRelative"},
}
# What the first refresh shows of them; the resources count as unchanged.
FIRST_REFRESH = {
    "alternativeNames",
    "notificationEmailAddresses",
    "knownClientApplications",
    "groupMembershipClaims",
    "identifierUris",
}
DEFAULTS = {
    "Application": [],
    "ApplicationIdentifierUri": [],
    "ServicePrincipal": ["accountEnabled"],
    "ServicePrincipalDelegatedPermissionGrant": [],
    "ApplicationFederatedIdentityCredential": [],
    "ApplicationPassword": [],
}
