"""The entity types served here: their properties with Graph's defaults, and how to ask for them.

Sources: the resource pages of the Graph v1.0 reference, and the descriptions in Graph's own OpenAPI
document, which say for each property which `$filter` operators it supports.
"""

from emulator.directory.entity_type import EntityType

_ALL = frozenset({"eq", "ne", "not", "ge", "le", "in", "startswith"})
_NO_IN = _ALL - {"in"}
_COLLECTION = frozenset({"eq", "not", "ge", "le", "startswith"})
_OBJECTS = frozenset({"eq", "not", "ge", "le"})
_EXACT = frozenset({"eq", "ne", "not", "in"})
_DATE = frozenset({"eq", "ne", "not", "ge", "le", "in"})
_MAIL = _ALL | {"endswith"}
_EQ = frozenset({"eq"})

_SORTS = frozenset({"createdDateTime", "deletedDateTime", "displayName"})

APPLICATION = EntityType(
    name="application",
    collection="applications",
    properties={
        "id": None,
        "deletedDateTime": None,
        "appId": None,
        "applicationTemplateId": None,
        "disabledByMicrosoftStatus": None,
        "createdByAppId": None,
        "createdDateTime": None,
        "displayName": None,
        "description": None,
        "groupMembershipClaims": None,
        "identifierUris": [],
        "isDeviceOnlyAuthSupported": None,
        "isDisabled": None,
        "isFallbackPublicClient": None,
        "nativeAuthenticationApisEnabled": None,
        "notes": None,
        "publisherDomain": None,
        "serviceManagementReference": None,
        "signInAudience": "AzureADandPersonalMicrosoftAccount",
        "tags": [],
        "tokenEncryptionKeyId": None,
        "uniqueName": None,
        "samlMetadataUrl": None,
        "defaultRedirectUri": None,
        "certification": None,
        "optionalClaims": None,
        "servicePrincipalLockConfiguration": None,
        "requestSignatureVerification": None,
        "addIns": [],
        "api": {
            "acceptMappedClaims": None,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": None,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
        "appRoles": [],
        "info": {
            "logoUrl": None,
            "marketingUrl": None,
            "privacyStatementUrl": None,
            "supportUrl": None,
            "termsOfServiceUrl": None,
        },
        "keyCredentials": [],
        "parentalControlSettings": {
            "countriesBlockedForMinors": [],
            "legalAgeGroupRule": "Allow",
        },
        "passwordCredentials": [],
        "publicClient": {"redirectUris": []},
        "requiredResourceAccess": [],
        "verifiedPublisher": {
            "displayName": None,
            "verifiedPublisherId": None,
            "addedDateTime": None,
        },
        "web": {
            "homePageUrl": None,
            "logoutUrl": None,
            "redirectUris": [],
            "implicitGrantSettings": {
                "enableAccessTokenIssuance": False,
                "enableIdTokenIssuance": False,
            },
            "redirectUriSettings": [],
        },
        "spa": {"redirectUris": []},
        "oauth2RequirePostResponse": False,
        "authenticationBehaviors": None,
    },
    filters={
        "id": _EXACT,
        "appId": _EXACT,
        "applicationTemplateId": frozenset({"eq", "ne", "not"}),
        "createdDateTime": _DATE,
        "deletedDateTime": _DATE,
        "description": _NO_IN,
        "disabledByMicrosoftStatus": frozenset({"eq", "ne", "not"}),
        "displayName": _ALL,
        "identifierUris": _COLLECTION,
        "info": _OBJECTS | {"ne"},
        "keyCredentials": _OBJECTS,
        "publisherDomain": _NO_IN - {"not"},
        "requiredResourceAccess": _OBJECTS,
        "signInAudience": frozenset({"eq", "ne", "not"}),
        "tags": _COLLECTION,
        "uniqueName": _EQ,
    },
    advanced_sorts=_SORTS,
    searches=frozenset({"displayName", "description", "tags"}),
    guids=frozenset({"tokenEncryptionKeyId"}),
    navigations={
        "owners": "directoryObject",
        "federatedIdentityCredentials": "federatedIdentityCredential",
        "appManagementPolicies": "appManagementPolicy",
    },
    beta=frozenset({"oauth2RequirePostResponse", "authenticationBehaviors"}),
)

SERVICE_PRINCIPAL = EntityType(
    name="servicePrincipal",
    collection="servicePrincipals",
    properties={
        "id": None,
        "deletedDateTime": None,
        "accountEnabled": True,
        "alternativeNames": [],
        "appDisplayName": None,
        "appDescription": None,
        "appId": None,
        "applicationTemplateId": None,
        "appOwnerOrganizationId": None,
        "appRoleAssignmentRequired": False,
        "createdByAppId": None,
        "createdDateTime": None,
        "description": None,
        "disabledByMicrosoftStatus": None,
        "displayName": None,
        "homepage": None,
        "isDisabled": None,
        "loginUrl": None,
        "logoutUrl": None,
        "notes": None,
        "notificationEmailAddresses": [],
        "preferredSingleSignOnMode": None,
        "preferredTokenSigningKeyThumbprint": None,
        "replyUrls": [],
        "servicePrincipalNames": [],
        "servicePrincipalType": "Application",
        "signInAudience": None,
        "tags": [],
        "tokenEncryptionKeyId": None,
        "samlSingleSignOnSettings": None,
        "addIns": [],
        "appRoles": [],
        "info": {
            "logoUrl": None,
            "marketingUrl": None,
            "privacyStatementUrl": None,
            "supportUrl": None,
            "termsOfServiceUrl": None,
        },
        "keyCredentials": [],
        "oauth2PermissionScopes": [],
        "passwordCredentials": [],
        "resourceSpecificApplicationPermissions": [],
        "verifiedPublisher": {
            "displayName": None,
            "verifiedPublisherId": None,
            "addedDateTime": None,
        },
        "samlMetadataUrl": None,
    },
    filters={
        "id": _EXACT,
        "accountEnabled": _EXACT,
        "alternativeNames": _COLLECTION,
        "appDisplayName": _ALL,
        "appId": _EXACT | {"startswith"},
        "applicationTemplateId": frozenset({"eq", "ne", "not"}),
        "appOwnerOrganizationId": frozenset({"eq", "ne", "not", "ge", "le"}),
        "appRoleAssignmentRequired": frozenset({"eq", "ne", "not"}),
        "createdDateTime": _DATE,
        "deletedDateTime": _DATE,
        "description": _NO_IN,
        "disabledByMicrosoftStatus": frozenset({"eq", "ne", "not"}),
        "displayName": _ALL,
        "homepage": _NO_IN,
        "info": _OBJECTS | {"ne"},
        "keyCredentials": _OBJECTS,
        "servicePrincipalNames": _COLLECTION,
        "servicePrincipalType": frozenset({"eq", "in"}),
        "tags": _COLLECTION,
    },
    advanced_sorts=_SORTS,
    searches=frozenset({"displayName", "description", "appDisplayName"}),
    guids=frozenset({"appOwnerOrganizationId", "tokenEncryptionKeyId"}),
    navigations={
        "owners": "directoryObject",
        "appRoleAssignments": "appRoleAssignment",
        "appRoleAssignedTo": "appRoleAssignment",
        "oauth2PermissionGrants": "oAuth2PermissionGrant",
    },
    beta=frozenset({"samlMetadataUrl"}),
)

GRANT = EntityType(
    name="oAuth2PermissionGrant",
    collection="oauth2PermissionGrants",
    properties={
        "clientId": None,
        "consentType": None,
        "id": None,
        "principalId": None,
        "resourceId": None,
        "scope": None,
    },
    filters={"clientId": _EQ, "consentType": _EQ, "principalId": _EQ, "resourceId": _EQ},
    directory_object=False,
)

APP_ROLE_ASSIGNMENT = EntityType(
    name="appRoleAssignment",
    collection="appRoleAssignments",
    properties={
        "id": None,
        "deletedDateTime": None,
        "appRoleId": None,
        "createdDateTime": None,
        "principalDisplayName": None,
        "principalId": None,
        "principalType": None,
        "resourceDisplayName": None,
        "resourceId": None,
    },
    filters={"principalDisplayName": frozenset({"eq", "startswith"}), "resourceId": _EQ},
    guids=frozenset({"appRoleId", "principalId", "resourceId"}),
    directory_object=False,
)

FEDERATED_CREDENTIAL = EntityType(
    name="federatedIdentityCredential",
    collection="federatedIdentityCredentials",
    properties={
        "id": None,
        "name": None,
        "issuer": None,
        "subject": None,
        "description": None,
        "audiences": [],
    },
    filters={"name": _EQ, "subject": _EQ},
    directory_object=False,
)

USER = EntityType(
    name="user",
    collection="users",
    properties={
        "id": None,
        "deletedDateTime": None,
        "accountEnabled": True,
        "businessPhones": [],
        "createdDateTime": None,
        "displayName": None,
        "givenName": None,
        "jobTitle": None,
        "mail": None,
        "mailNickname": None,
        "mobilePhone": None,
        "officeLocation": None,
        "otherMails": [],
        "preferredLanguage": None,
        "proxyAddresses": [],
        "surname": None,
        "userPrincipalName": None,
        "userType": "Member",
    },
    filters={
        "id": _EXACT,
        "accountEnabled": _EXACT,
        "createdDateTime": _DATE,
        "displayName": _ALL,
        "givenName": _ALL,
        "jobTitle": _ALL,
        "mail": _MAIL,
        "mailNickname": _ALL,
        "otherMails": _COLLECTION | {"endswith"},
        "proxyAddresses": _COLLECTION | {"endswith"},
        "surname": _ALL,
        "userPrincipalName": _MAIL,
        "userType": _EXACT,
    },
    sorts=frozenset({"displayName", "userPrincipalName"}),
    advanced_sorts=_SORTS,
    searches=frozenset({"displayName", "mail", "userPrincipalName", "mailNickname"}),
    shown=frozenset(
        {
            "businessPhones",
            "displayName",
            "givenName",
            "id",
            "jobTitle",
            "mail",
            "mobilePhone",
            "officeLocation",
            "preferredLanguage",
            "surname",
            "userPrincipalName",
        }
    ),
)

DIRECTORY_OBJECT = EntityType(
    name="directoryObject",
    collection="directoryObjects",
    properties={"id": None, "deletedDateTime": None},
    filters={"id": _EQ},
    searches=frozenset({"displayName", "description"}),
    derived=frozenset({*APPLICATION.properties, *SERVICE_PRINCIPAL.properties, *USER.properties}),
    beta=APPLICATION.beta | SERVICE_PRINCIPAL.beta,
)
"""What applications, service principals and users have in common.

The reference names no filter. That lists of owners take `id eq` is known from Terraform's azuread
provider, whose `azuread_application_owner` asks so.
"""

ORGANIZATION = EntityType(
    name="organization",
    collection="organization",
    properties={
        "id": None,
        "deletedDateTime": None,
        "businessPhones": [],
        "city": None,
        "country": None,
        "countryLetterCode": None,
        "createdDateTime": None,
        "defaultUsageLocation": None,
        "displayName": None,
        "marketingNotificationEmails": [],
        "onPremisesLastSyncDateTime": None,
        "onPremisesSyncEnabled": None,
        "partnerTenantType": None,
        "postalCode": None,
        "preferredLanguage": None,
        "securityComplianceNotificationMails": [],
        "securityComplianceNotificationPhones": [],
        "state": None,
        "street": None,
        "technicalNotificationMails": [],
        "tenantType": "AAD",
        "assignedPlans": [],
        "provisionedPlans": [],
        "verifiedDomains": [],
        "directorySizeQuota": None,
    },
    beta=frozenset({"directorySizeQuota"}),
    directory_object=False,
)

APP_MANAGEMENT_POLICY = EntityType(
    name="appManagementPolicy",
    collection="policies/appManagementPolicies",
    properties={
        "id": None,
        "deletedDateTime": None,
        "displayName": None,
        "description": None,
        "isEnabled": False,
        "restrictions": None,
    },
    filters={"id": _EQ, "displayName": _EQ, "isEnabled": _EQ},
    directory_object=False,
)

DEFAULT_POLICY = EntityType(
    name="tenantAppManagementPolicy",
    collection="policies/defaultAppManagementPolicy",
    properties={
        "id": None,
        "deletedDateTime": None,
        "displayName": "Default app management tenant policy",
        "description": "Default tenant policy that enforces app management restrictions on "
        "applications and service principals. To apply policy to targeted resources, create a new "
        "policy under appManagementPolicies collection.",
        "isEnabled": True,
        "applicationRestrictions": {
            "identifierUris": {
                "nonDefaultUriAddition": None,
                "uriAdditionWithoutUniqueTenantIdentifier": {
                    "state": "enabled",
                    "isStateSetByMicrosoft": True,
                    "restrictForAppsCreatedAfterDateTime": None,
                    "excludeAppsReceivingV2Tokens": True,
                    "excludeSaml": True,
                },
            },
            "passwordCredentials": [],
            "keyCredentials": [],
        },
        "servicePrincipalRestrictions": {"passwordCredentials": [], "keyCredentials": []},
    },
    directory_object=False,
)
"""What Microsoft has set in most tenants since 2025 is on from the start."""

TYPES = {
    entity.name: entity
    for entity in (
        DIRECTORY_OBJECT,
        FEDERATED_CREDENTIAL,
        GRANT,
        APP_ROLE_ASSIGNMENT,
        APP_MANAGEMENT_POLICY,
    )
}
"""Those that a relationship leads to, by name."""
