"""An application's properties, and their form in Graph: azuread_application without its calls."""

from typing import Any

from emulator.azuread import rules, shapes
from emulator.azuread.schema import Field, Fields, Kind, output
from emulator.azuread.values import UNKNOWN, Properties

AUDIENCES = (
    "AzureADMyOrg",
    "AzureADMultipleOrgs",
    "AzureADandPersonalMicrosoftAccount",
    "PersonalMicrosoftAccount",
)
MEMBERSHIP_CLAIMS = ("All", "None", "ApplicationGroup", "DirectoryRole", "SecurityGroup")


def _not_imitated(value: Any, name: str) -> str | None:
    if value is False:
        return None
    return (
        f"the stand-in azuread plugin does not imitate {name}: leave it out, or install the real "
        f"plugin and use a tenant in the cloud"
    )


_UUIDS = Field(kind=Kind.SET, checks=(rules.is_uuid,))
_REDIRECTS = Field(kind=Kind.SET, checks=(rules.is_uri,))
_CLAIM: Fields = {
    "additionalProperties": Field(kind=Kind.LIST),
    "essential": Field(kind=Kind.BOOLEAN),
    "name": Field(required=True),
    "source": Field(),
}
_IMPLICIT_GRANT: Fields = {
    "accessTokenIssuanceEnabled": Field(kind=Kind.BOOLEAN),
    "idTokenIssuanceEnabled": Field(kind=Kind.BOOLEAN),
}
_PASSWORD: Fields = {
    "displayName": Field(
        required=True, checks=(lambda value, _: _not_imitated(value, "password"),)
    ),
    "endDate": Field(computed=True),
    "keyId": output(),
    "startDate": Field(computed=True),
    "value": output(sensitive=True),
}


def _claims(terraform: str) -> Field:
    return Field(kind=Kind.LIST, fields=_CLAIM, terraform=terraform)


FIELDS: Fields = {
    "api": Field(
        kind=Kind.BLOCK,
        fields={
            "knownClientApplications": _UUIDS,
            "mappedClaimsEnabled": Field(kind=Kind.BOOLEAN),
            "oauth2PermissionScopes": Field(
                kind=Kind.SET, fields=shapes.SCOPE, terraform="oauth2_permission_scope"
            ),
            "requestedAccessTokenVersion": Field(
                kind=Kind.INTEGER, default=1, checks=(rules.token_version,)
            ),
        },
    ),
    "appRoleIds": output(Kind.MAP),
    "appRoles": Field(kind=Kind.SET, fields=shapes.APP_ROLE, terraform="app_role"),
    "clientId": output(),
    "description": Field(checks=(rules.length_between(0, 1024),)),
    "deviceOnlyAuthEnabled": Field(kind=Kind.BOOLEAN),
    "disabledByMicrosoft": output(),
    "displayName": Field(required=True, checks=(rules.is_not_empty,)),
    "fallbackPublicClientEnabled": Field(kind=Kind.BOOLEAN),
    "featureTags": Field(
        kind=Kind.LIST, fields=shapes.FEATURE_TAGS, computed=True, conflicts=("tags",)
    ),
    "groupMembershipClaims": Field(kind=Kind.SET, checks=(rules.one_of(*MEMBERSHIP_CLAIMS),)),
    "identifierUris": Field(kind=Kind.SET, checks=(rules.is_not_empty,)),
    "logoImage": Field(checks=(_not_imitated,)),
    "logoUrl": output(),
    "marketingUrl": Field(),
    "notes": Field(checks=(rules.is_not_empty,)),
    "oauth2PermissionScopeIds": output(Kind.MAP),
    "oauth2PostResponseRequired": Field(kind=Kind.BOOLEAN, checks=(_not_imitated,)),
    "objectId": output(),
    "optionalClaims": Field(
        kind=Kind.BLOCK,
        fields={
            "accessTokens": _claims("access_token"),
            "idTokens": _claims("id_token"),
            "saml2Tokens": _claims("saml2_token"),
        },
    ),
    "owners": _UUIDS,
    "password": Field(kind=Kind.BLOCK, fields=_PASSWORD),
    "preventDuplicateNames": Field(kind=Kind.BOOLEAN),
    "privacyStatementUrl": Field(),
    "publicClient": Field(kind=Kind.BLOCK, fields={"redirectUris": _REDIRECTS}),
    "publisherDomain": output(),
    "requiredResourceAccesses": Field(
        kind=Kind.SET,
        fields={
            "resourceAccesses": Field(
                kind=Kind.LIST,
                fields={
                    "id": Field(required=True, checks=(rules.is_uuid,)),
                    "type": Field(required=True, checks=(rules.one_of("Role", "Scope"),)),
                },
                required=True,
                terraform="resource_access",
            ),
            "resourceAppId": Field(required=True),
        },
        terraform="required_resource_access",
    ),
    "serviceManagementReference": Field(),
    "signInAudience": Field(default="AzureADMyOrg", checks=(rules.one_of(*AUDIENCES),)),
    "singlePageApplication": Field(kind=Kind.BLOCK, fields={"redirectUris": _REDIRECTS}),
    "supportUrl": Field(),
    "tags": Field(kind=Kind.SET, computed=True, conflicts=("featureTags",)),
    "templateId": Field(computed=True, replaces=True, checks=(_not_imitated,)),
    "termsOfServiceUrl": Field(),
    "web": Field(
        kind=Kind.BLOCK,
        fields={
            "homepageUrl": Field(checks=(rules.is_web_url,)),
            "implicitGrant": Field(kind=Kind.BLOCK, fields=_IMPLICIT_GRANT),
            "logoutUrl": Field(checks=(rules.is_web_url, rules.length_between(1, 255))),
            "redirectUris": _REDIRECTS,
        },
    ),
}

# Written only when they change: other resources may own them (ApplicationIdentifierUri, ...).
_SPLIT_OUT = ("appRoles", "identifierUris", "optionalClaims", "requiredResourceAccesses")


def to_graph(planned: Properties, changed: frozenset[str] | None = None) -> dict[str, Any]:
    """Write an application; `changed` is None for a new one, which is written whole."""
    info = ("marketingUrl", "privacyStatementUrl", "supportUrl", "termsOfServiceUrl")
    body: dict[str, Any] = {
        "@odata.type": "#microsoft.graph.application",
        "api": _api(planned["api"] or {}),
        "description": planned["description"] or None,
        "displayName": planned["displayName"],
        "groupMembershipClaims": ",".join(planned["groupMembershipClaims"] or ()) or None,
        "info": {name: planned[name] or None for name in info},
        "isDeviceOnlyAuthSupported": bool(planned["deviceOnlyAuthEnabled"]),
        "isFallbackPublicClient": bool(planned["fallbackPublicClientEnabled"]),
        "notes": planned["notes"] or None,
        "publicClient": _redirects(planned["publicClient"]),
        "serviceManagementReference": planned["serviceManagementReference"] or None,
        "signInAudience": planned["signInAudience"],
        "spa": _redirects(planned["singlePageApplication"]),
        "tags": tags_of(planned, changed),
        "web": _web(planned["web"] or {}),
    }
    if changed is not None and "api.oauth2PermissionScopes" not in changed:
        del body["api"]["oauth2PermissionScopes"]
    split_out = {
        "appRoles": ("appRoles", shapes.to_graph_roles(planned["appRoles"])),
        "identifierUris": ("identifierUris", planned["identifierUris"] or []),
        "optionalClaims": ("optionalClaims", _optional_claims(planned["optionalClaims"])),
        "requiredResourceAccesses": (
            "requiredResourceAccess",
            _required(planned["requiredResourceAccesses"]),
        ),
    }
    for name in _SPLIT_OUT:
        if changed is None or name in changed:
            key, value = split_out[name]
            body[key] = value
    return body


def from_graph(app: dict[str, Any]) -> Properties:
    """Read what Graph v1.0 says of an application."""
    api, info = app.get("api") or {}, app.get("info") or {}
    claims = app.get("optionalClaims") or {}
    memberships = app.get("groupMembershipClaims")
    return {
        "api": {
            "knownClientApplications": sorted(api.get("knownClientApplications") or []),
            "mappedClaimsEnabled": bool(api.get("acceptMappedClaims")),
            "oauth2PermissionScopes": shapes.from_graph_scopes(api.get("oauth2PermissionScopes")),
            "requestedAccessTokenVersion": api.get("requestedAccessTokenVersion") or 1,
        },
        "appRoleIds": shapes.ids_by_value(app.get("appRoles")),
        "appRoles": shapes.from_graph_roles(app.get("appRoles")),
        "clientId": app["appId"],
        "description": app.get("description") or "",
        "deviceOnlyAuthEnabled": bool(app.get("isDeviceOnlyAuthSupported")),
        "disabledByMicrosoft": app.get("disabledByMicrosoftStatus") or "",
        "displayName": app.get("displayName") or "",
        "fallbackPublicClientEnabled": bool(app.get("isFallbackPublicClient")),
        "featureTags": shapes.from_graph_features(app.get("tags")),
        "groupMembershipClaims": [part.strip() for part in memberships.split(",")]
        if memberships
        else [],
        "identifierUris": sorted(app.get("identifierUris") or []),
        "logoUrl": info.get("logoUrl") or "",
        "marketingUrl": info.get("marketingUrl") or "",
        "notes": app.get("notes") or "",
        "oauth2PermissionScopeIds": shapes.ids_by_value(api.get("oauth2PermissionScopes")),
        "objectId": app["id"],
        "optionalClaims": {
            "accessTokens": _from_graph_claims(claims.get("accessToken")),
            "idTokens": _from_graph_claims(claims.get("idToken")),
            "saml2Tokens": _from_graph_claims(claims.get("saml2Token")),
        },
        "privacyStatementUrl": info.get("privacyStatementUrl") or "",
        "publicClient": _from_graph_redirects(app.get("publicClient")),
        "publisherDomain": app.get("publisherDomain") or "",
        "requiredResourceAccesses": [
            {
                "resourceAccesses": [
                    {"id": access["id"], "type": access.get("type") or ""}
                    for access in required.get("resourceAccess") or []
                ],
                "resourceAppId": required["resourceAppId"],
            }
            for required in app.get("requiredResourceAccess") or []
        ],
        "serviceManagementReference": app.get("serviceManagementReference") or "",
        "signInAudience": app.get("signInAudience") or "",
        "singlePageApplication": _from_graph_redirects(app.get("spa")),
        "supportUrl": info.get("supportUrl") or "",
        "tags": sorted(app.get("tags") or []),
        "templateId": app.get("applicationTemplateId") or "",
        "termsOfServiceUrl": info.get("termsOfServiceUrl") or "",
        "web": _from_graph_web(app.get("web") or {}),
    }


def tags_of(planned: Properties, changed: frozenset[str] | None) -> list[str]:
    """Give the tags to write: those of the features, when a program sets features."""
    features = planned["featureTags"]
    if features and features is not UNKNOWN and (changed is None or "featureTags" in changed):
        return shapes.to_graph_features(features)
    tags = planned["tags"]
    return [] if tags is UNKNOWN or not tags else list(tags)


def _api(api: Properties) -> dict[str, Any]:
    return {
        "acceptMappedClaims": bool(api.get("mappedClaimsEnabled")),
        "knownClientApplications": api.get("knownClientApplications") or [],
        "oauth2PermissionScopes": shapes.to_graph_scopes(api.get("oauth2PermissionScopes")),
        "requestedAccessTokenVersion": api.get("requestedAccessTokenVersion") or 1,
    }


def _redirects(block: Properties | None) -> dict[str, Any]:
    return {"redirectUris": (block or {}).get("redirectUris") or []}


def _from_graph_redirects(block: dict[str, Any] | None) -> Properties:
    return {"redirectUris": sorted((block or {}).get("redirectUris") or [])}


def _web(web: Properties) -> dict[str, Any]:
    implicit = web.get("implicitGrant") or {}
    return {
        "homePageUrl": web.get("homepageUrl") or None,
        "implicitGrantSettings": {
            "enableAccessTokenIssuance": bool(implicit.get("accessTokenIssuanceEnabled")),
            "enableIdTokenIssuance": bool(implicit.get("idTokenIssuanceEnabled")),
        },
        "logoutUrl": web.get("logoutUrl") or None,
        "redirectUris": web.get("redirectUris") or [],
    }


def _from_graph_web(web: dict[str, Any]) -> Properties:
    implicit = web.get("implicitGrantSettings") or {}
    return {
        "homepageUrl": web.get("homePageUrl") or "",
        "implicitGrant": {
            "accessTokenIssuanceEnabled": bool(implicit.get("enableAccessTokenIssuance")),
            "idTokenIssuanceEnabled": bool(implicit.get("enableIdTokenIssuance")),
        },
        "logoutUrl": web.get("logoutUrl") or "",
        "redirectUris": sorted(web.get("redirectUris") or []),
    }


def _required(accesses: list[Properties] | None) -> list[dict[str, Any]]:
    return [
        {
            "resourceAccess": [
                {"id": access["id"], "type": access["type"]}
                for access in required["resourceAccesses"]
            ],
            "resourceAppId": required["resourceAppId"],
        }
        for required in accesses or []
    ]


def _optional_claims(block: Properties | None) -> dict[str, Any]:
    names = {"accessTokens": "accessToken", "idTokens": "idToken", "saml2Tokens": "saml2Token"}
    return {} if block is None else {key: _claim_list(block[ours]) for ours, key in names.items()}


def _claim_list(claims: list[Properties] | None) -> list[dict[str, Any]]:
    return [
        {
            "additionalProperties": claim["additionalProperties"] or [],
            "essential": bool(claim["essential"]),
            "name": claim["name"],
            **({"source": claim["source"]} if claim["source"] else {}),
        }
        for claim in claims or []
    ]


def _from_graph_claims(claims: list[dict[str, Any]] | None) -> list[Properties]:
    return [
        {
            "additionalProperties": claim.get("additionalProperties") or [],
            "essential": bool(claim.get("essential")),
            "name": claim.get("name") or "",
            "source": claim.get("source") or "",
        }
        for claim in claims or []
    ]
