"""Parts of applications and service principals that Graph and Pulumi word differently.

`from_graph_*` make properties of Graph's JSON, `to_graph_*` the reverse. Shared by both resource
types and by the functions that read them.
"""

from collections.abc import Iterable
from typing import Any

from emulator.azuread import rules
from emulator.azuread.schema import Field, Fields, Kind, output
from emulator.azuread.values import Properties

_TAG_OF_FEATURE = {
    "customSingleSignOn": "WindowsAzureActiveDirectoryCustomSingleSignOnApplication",
    "enterprise": "WindowsAzureActiveDirectoryIntegratedApp",
    "gallery": "WindowsAzureActiveDirectoryGalleryApplicationNonPrimaryV1",
    "hide": "HideApp",
}
# The same features under the names of an older major version, `visibleToUsers` the other way round.
_OLDER_NAME = {
    "customSingleSignOnApp": "customSingleSignOn",
    "enterpriseApplication": "enterprise",
    "galleryApplication": "gallery",
}

FEATURE_TAGS: Fields = {name: Field(kind=Kind.BOOLEAN) for name in _TAG_OF_FEATURE}
FEATURES: Fields = {
    **{name: Field(kind=Kind.BOOLEAN) for name in _OLDER_NAME},
    "visibleToUsers": Field(kind=Kind.BOOLEAN, default=True),
}

APP_ROLE: Fields = {
    "allowedMemberTypes": Field(
        kind=Kind.SET, required=True, checks=(rules.one_of("Application", "User"),)
    ),
    "description": Field(required=True, checks=(rules.is_not_empty,)),
    "displayName": Field(required=True, checks=(rules.is_not_empty,)),
    "enabled": Field(kind=Kind.BOOLEAN, default=True),
    "id": Field(required=True, checks=(rules.is_uuid,)),
    "value": Field(checks=(rules.is_claim_value,)),
}
SCOPE: Fields = {
    "adminConsentDescription": Field(checks=(rules.is_not_empty,)),
    "adminConsentDisplayName": Field(checks=(rules.is_not_empty,)),
    "enabled": Field(kind=Kind.BOOLEAN, default=True),
    "id": Field(required=True, checks=(rules.is_uuid,)),
    "type": Field(default="User", checks=(rules.one_of("Admin", "User"),)),
    "userConsentDescription": Field(checks=(rules.is_not_empty,)),
    "userConsentDisplayName": Field(checks=(rules.is_not_empty,)),
    "value": Field(checks=(rules.is_claim_value,)),
}


def computed(fields: Fields) -> Fields:
    """Describe the same properties where only the plugin sets them."""
    return {name: output(field.kind, computed(field.fields)) for name, field in fields.items()}


def from_graph_features(tags: Iterable[str] | None) -> list[Properties]:
    """Tell the features that tags stand for."""
    present = {tag.lower() for tag in tags or ()}
    return [{name: tag.lower() in present for name, tag in _TAG_OF_FEATURE.items()}]


def from_graph_older_features(tags: Iterable[str] | None) -> list[Properties]:
    """Tell the same features under their older names."""
    (features,) = from_graph_features(tags)
    older = {name: features[current] for name, current in _OLDER_NAME.items()}
    return [{**older, "visibleToUsers": not features["hide"]}]


def to_graph_features(blocks: list[Properties]) -> list[str]:
    """Give the tags of a block of features, under either set of names."""
    block = blocks[0] if blocks else {}
    tags = []
    for name, tag in _TAG_OF_FEATURE.items():
        older = {current: old for old, current in _OLDER_NAME.items()}.get(name, "")
        if block.get(name) or block.get(older):
            tags.append(tag)
    if block.get("visibleToUsers") is False:
        tags.append(_TAG_OF_FEATURE["hide"])
    return tags


def from_graph_roles(roles: list[dict[str, Any]] | None) -> list[Properties]:
    """Give app roles."""
    return [
        {
            "allowedMemberTypes": sorted(role.get("allowedMemberTypes") or []),
            "description": role.get("description") or "",
            "displayName": role.get("displayName") or "",
            "enabled": bool(role.get("isEnabled")),
            "id": role.get("id") or "",
            "value": role.get("value") or "",
        }
        for role in roles or []
    ]


def to_graph_roles(roles: list[Properties] | None) -> list[dict[str, Any]]:
    """Write app roles."""
    return [
        {
            "allowedMemberTypes": role["allowedMemberTypes"],
            "description": role["description"],
            "displayName": role["displayName"],
            "id": role["id"],
            "isEnabled": bool(role["enabled"]),
            "value": role["value"] or "",
        }
        for role in roles or []
    ]


def from_graph_scopes(scopes: list[dict[str, Any]] | None) -> list[Properties]:
    """Give delegated permissions."""
    names = SCOPE.keys() - {"enabled"}
    return [
        {**{name: scope.get(name) or "" for name in names}, "enabled": bool(scope.get("isEnabled"))}
        for scope in scopes or []
    ]


def to_graph_scopes(scopes: list[Properties] | None) -> list[dict[str, Any]]:
    """Write delegated permissions."""
    names = sorted(SCOPE.keys() - {"enabled"})
    return [
        {**{name: scope[name] or "" for name in names}, "isEnabled": bool(scope["enabled"])}
        for scope in scopes or []
    ]


def ids_by_value(permissions: list[dict[str, Any]] | None) -> dict[str, str]:
    """Map the values of roles or scopes to their ids; those without a value are left out."""
    return {
        permission["value"]: permission["id"]
        for permission in permissions or []
        if permission.get("value") and permission.get("id")
    }
