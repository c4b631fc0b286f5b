"""The types of what is written: complex ones with their members, and the properties of entities.

Sources: the resource pages of the Graph v1.0 reference, and Graph's own OpenAPI document, as
msgraph-sdk has it. A member without a default is null where a request leaves it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BINARY = "Edm.Binary"
BOOLEAN = "Edm.Boolean"
DURATION = "Edm.Duration"
GUID = "Edm.Guid"
INSTANT = "Edm.DateTimeOffset"
INTEGER = "Edm.Int32"
STRING = "Edm.String"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A property of an entity or of a complex type."""

    type: str = STRING
    """An `Edm` type, or the name of a complex one, such as `appRole`."""
    many: bool = False
    """Whether it is a collection."""
    required: bool = False
    default: Any = None
    """What stands for null, and for a member that a collection's object leaves out."""
    values: frozenset[Any] | None = None
    """All that it may be; None for anything of its type."""
    claim: bool = False
    """Whether it is a value of the `roles` or `scp` claim, which not every character may be in."""


_TEXT = Member()
_FLAG = Member(type=BOOLEAN)
_ID = Member(type=GUID, required=True)
_INSTANT = Member(type=INSTANT)
_BINARY = Member(type=BINARY)


def many(type_: str = STRING, values: frozenset[Any] | None = None) -> Member:
    """Describe a collection, which is empty and never null."""
    return Member(type=type_, many=True, default=[], values=values)


_ENABLED = Member(type=BOOLEAN, default=True)

_RESTRICTION = {
    "excludeActors": Member(type="appManagementPolicyActorExemptions"),
    "restrictForAppsCreatedAfterDateTime": _INSTANT,
    "state": Member(default="enabled", values=frozenset({"enabled", "disabled"})),
}
"""What every restriction of an app management policy has."""
_CREDENTIALS = {
    "keyCredentials": many("keyCredentialConfiguration"),
    "passwordCredentials": many("passwordCredentialConfiguration"),
}
_APPLICATION = {
    **_CREDENTIALS,
    "identifierUris": Member(type="identifierUriConfiguration"),
}

COMPLEX: Mapping[str, Mapping[str, Member]] = {
    "addIn": {"id": Member(type=GUID), "properties": many("keyValue"), "type": _TEXT},
    "apiApplication": {
        "acceptMappedClaims": _FLAG,
        "knownClientApplications": many(GUID),
        "oauth2PermissionScopes": many("permissionScope"),
        "preAuthorizedApplications": many("preAuthorizedApplication"),
        "requestedAccessTokenVersion": Member(type=INTEGER, values=frozenset({1, 2})),
    },
    "appManagementApplicationConfiguration": _APPLICATION,
    "appManagementPolicyActorExemptions": {
        "customSecurityAttributes": many("customSecurityAttributeExemption"),
    },
    "appManagementServicePrincipalConfiguration": _CREDENTIALS,
    "appRole": {
        "allowedMemberTypes": many(values=frozenset({"Application", "User"})),
        "description": _TEXT,
        "displayName": _TEXT,
        "id": _ID,
        "isEnabled": _ENABLED,
        "origin": Member(default="Application"),
        "value": Member(claim=True),
    },
    "authenticationBehaviors": {
        "blockAzureADGraphAccess": _FLAG,
        "removeUnverifiedEmailClaim": _FLAG,
        "requireClientServicePrincipal": _FLAG,
    },
    "customAppManagementConfiguration": {
        **_CREDENTIALS,
        "applicationRestrictions": Member(type="appManagementApplicationConfiguration"),
        "servicePrincipalRestrictions": Member(type="appManagementServicePrincipalConfiguration"),
    },
    "customSecurityAttributeExemption": {"id": _TEXT, "operator": _TEXT, "value": _TEXT},
    "identifierUriConfiguration": {
        "nonDefaultUriAddition": Member(type="identifierUriRestriction"),
        "uriAdditionWithoutUniqueTenantIdentifier": Member(type="identifierUriRestriction"),
    },
    "identifierUriRestriction": {
        **_RESTRICTION,
        "excludeAppsReceivingV2Tokens": Member(type=BOOLEAN, default=False),
        "excludeSaml": Member(type=BOOLEAN, default=False),
        "isStateSetByMicrosoft": Member(type=BOOLEAN, default=False),
    },
    "implicitGrantSettings": {
        "enableAccessTokenIssuance": Member(type=BOOLEAN, default=False),
        "enableIdTokenIssuance": Member(type=BOOLEAN, default=False),
    },
    "informationalUrl": {
        "logoUrl": _TEXT,
        "marketingUrl": _TEXT,
        "privacyStatementUrl": _TEXT,
        "supportUrl": _TEXT,
        "termsOfServiceUrl": _TEXT,
    },
    "keyCredential": {
        "customKeyIdentifier": _BINARY,
        "displayName": _TEXT,
        "endDateTime": _INSTANT,
        "key": _BINARY,
        "keyId": Member(type=GUID),
        "startDateTime": _INSTANT,
        "type": _TEXT,
        "usage": _TEXT,
    },
    "keyCredentialConfiguration": {
        **_RESTRICTION,
        "certificateBasedApplicationConfigurationIds": many(),
        "maxLifetime": Member(type=DURATION),
        "restrictionType": Member(
            required=True,
            values=frozenset({"asymmetricKeyLifetime", "trustedCertificateAuthority"}),
        ),
    },
    "keyValue": {"key": _TEXT, "value": _TEXT},
    "optionalClaim": {
        "additionalProperties": many(),
        "essential": Member(type=BOOLEAN, default=False),
        "name": _TEXT,
        "source": _TEXT,
    },
    "optionalClaims": {
        "accessToken": many("optionalClaim"),
        "idToken": many("optionalClaim"),
        "saml2Token": many("optionalClaim"),
    },
    "parentalControlSettings": {
        "countriesBlockedForMinors": many(),
        "legalAgeGroupRule": Member(default="Allow"),
    },
    "passwordCredential": {
        "customKeyIdentifier": _BINARY,
        "displayName": _TEXT,
        "endDateTime": _INSTANT,
        "hint": _TEXT,
        "keyId": Member(type=GUID),
        "secretText": _TEXT,
        "startDateTime": _INSTANT,
    },
    "passwordCredentialConfiguration": {
        **_RESTRICTION,
        "maxLifetime": Member(type=DURATION),
        "restrictionType": Member(
            required=True,
            values=frozenset(
                {
                    *("customPasswordAddition", "passwordAddition", "passwordLifetime"),
                    *("symmetricKeyAddition", "symmetricKeyLifetime"),
                }
            ),
        ),
    },
    "permissionScope": {
        "adminConsentDescription": _TEXT,
        "adminConsentDisplayName": _TEXT,
        "id": _ID,
        "isEnabled": _ENABLED,
        "origin": _TEXT,
        "type": Member(default="User", values=frozenset({"Admin", "User"})),
        "userConsentDescription": _TEXT,
        "userConsentDisplayName": _TEXT,
        "value": Member(claim=True),
    },
    "preAuthorizedApplication": {"appId": _TEXT, "delegatedPermissionIds": many()},
    "publicClientApplication": {"redirectUris": many()},
    "redirectUriSettings": {"index": Member(type=INTEGER), "uri": _TEXT},
    "requestSignatureVerification": {
        "allowedWeakAlgorithms": _TEXT,
        "isSignedRequestRequired": _FLAG,
    },
    "requiredResourceAccess": {
        "resourceAccess": many("resourceAccess"),
        "resourceAppId": _ID,
    },
    "resourceAccess": {
        "id": _ID,
        "type": Member(required=True, values=frozenset({"Role", "Scope"})),
    },
    "resourceSpecificPermission": {
        "description": _TEXT,
        "displayName": _TEXT,
        "id": Member(type=GUID),
        "isEnabled": _FLAG,
        "value": _TEXT,
    },
    "samlSingleSignOnSettings": {"relayState": _TEXT},
    "servicePrincipalLockConfiguration": {
        "allProperties": _FLAG,
        "credentialsWithUsageSign": _FLAG,
        "credentialsWithUsageVerify": _FLAG,
        "isEnabled": _FLAG,
        "tokenEncryptionKeyId": _FLAG,
    },
    "spaApplication": {"redirectUris": many()},
    "webApplication": {
        "homePageUrl": _TEXT,
        "implicitGrantSettings": Member(
            type="implicitGrantSettings",
            default={"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
        ),
        "logoutUrl": _TEXT,
        "redirectUriSettings": many("redirectUriSettings"),
        "redirectUris": many(),
    },
}

PROPERTIES: Mapping[str, Member] = {
    "accountEnabled": _FLAG,
    "applicationRestrictions": Member(type="appManagementApplicationConfiguration"),
    "addIns": many("addIn"),
    "alternativeNames": many(),
    "api": Member(type="apiApplication"),
    "appRoleAssignmentRequired": _FLAG,
    "appRoles": many("appRole"),
    "audiences": many(),
    "authenticationBehaviors": Member(type="authenticationBehaviors"),
    "identifierUris": many(),
    "info": Member(type="informationalUrl"),
    "isDeviceOnlyAuthSupported": _FLAG,
    "isDisabled": _FLAG,
    "isEnabled": _FLAG,
    "isFallbackPublicClient": _FLAG,
    "keyCredentials": many("keyCredential"),
    "notificationEmailAddresses": many(),
    "oauth2PermissionScopes": many("permissionScope"),
    "oauth2RequirePostResponse": _FLAG,
    "optionalClaims": Member(type="optionalClaims"),
    "parentalControlSettings": Member(type="parentalControlSettings"),
    "passwordCredentials": many("passwordCredential"),
    "publicClient": Member(type="publicClientApplication"),
    "replyUrls": many(),
    "requestSignatureVerification": Member(type="requestSignatureVerification"),
    "requiredResourceAccess": many("requiredResourceAccess"),
    "resourceSpecificApplicationPermissions": many("resourceSpecificPermission"),
    "restrictions": Member(type="customAppManagementConfiguration"),
    "samlSingleSignOnSettings": Member(type="samlSingleSignOnSettings"),
    "servicePrincipalLockConfiguration": Member(type="servicePrincipalLockConfiguration"),
    "servicePrincipalNames": many(),
    "servicePrincipalRestrictions": Member(type="appManagementServicePrincipalConfiguration"),
    "spa": Member(type="spaApplication"),
    "tags": many(),
    "tokenEncryptionKeyId": Member(type=GUID),
    "web": Member(type="webApplication"),
}
"""Properties of applications, service principals, federated credentials and app management policies
that are no plain text.

A name means the same on each of them.
"""
