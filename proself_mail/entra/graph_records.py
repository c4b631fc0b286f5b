"""Graph's answers, as JSON, made the records of `directory`.

Without the SDK's own models, which take longer than the requests do (docs/adr/0007). A reader
raises one of Python's own errors (`KeyError`, `TypeError`, `ValueError` and their like) for what is
not of the form that Microsoft documents; `graph_transport` makes that `Unreadable`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter

from proself_mail.entra.directory import (
    ApplicationRecord,
    DeletedItem,
    DirectoryQuota,
    GrantRecord,
    OrganizationRecord,
    PasswordRecord,
    ServicePrincipalRecord,
    UserRecord,
)

T = TypeVar("T")
Read = Callable[[Mapping[str, Any]], T]
"""Makes a record of an answer's object."""

APPLICATION_FIELDS = [
    "id", "appId", "displayName", "createdDateTime", "deletedDateTime", "tags", "notes",
    "signInAudience", "identifierUris", "web", "spa", "publicClient", "api",
    "requiredResourceAccess", "passwordCredentials",
]  # fmt: skip
USER_FIELDS = ["id", "userPrincipalName", "mail", "accountEnabled"]
PRINCIPAL_FIELDS = ["id", "appId", "displayName", "accountEnabled", "tags", "deletedDateTime"]
"""What to ask for in a `$select`."""

_FRACTION = re.compile(r"\.\d+")
_DURATION = TypeAdapter(timedelta)


class PasswordRule(NamedTuple):
    """A restriction on client secrets that is in force."""

    kind: str
    since: datetime | None
    """For applications that were made later; none for all."""
    longest: timedelta | None
    """How long a client secret may last; none where the rule is of something else."""
    spares_some: bool


class Restrictions(NamedTuple):
    """What an app management policy restricts."""

    on_passwords: tuple[PasswordRule, ...] = ()
    on_identifier_uris: frozenset[str] = frozenset()


class OwnPolicy(NamedTuple):
    """An app management policy that is assigned to an application."""

    name: str
    restrictions: Restrictions


def object_id(found: Mapping[str, Any]) -> str:
    """Return an object's id."""
    return _text(found, "id")


def credential_name(found: Mapping[str, Any]) -> str:
    """Return a federated credential's name."""
    return _text(found, "name")


def _text(found: Mapping[str, Any], name: str) -> str:
    """Return a property that there must be."""
    text = found[name]
    if not isinstance(text, str):
        raise TypeError(name)
    return text


def _said(found: Mapping[str, Any], name: str) -> str:
    """Return a property; blank where it is null or missing."""
    return "" if found.get(name) is None else _text(found, name)


def _texts(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a property that is a list of texts; none where it is null or missing."""
    texts = found.get(name) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(name)
    return tuple(texts)


def _object(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a property that is an object; an empty one where it is null or missing."""
    value = found.get(name) or {}
    if not isinstance(value, dict):
        raise TypeError(name)
    return value


def _objects(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a property that is a list of objects; none where it is null or missing."""
    values = found.get(name) or []
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise TypeError(name)
    return values


def listed(read: Read[T]) -> Read[tuple[T, ...]]:
    """Return what reads a list, each of its things by `read`."""

    def read_all(page: Mapping[str, Any]) -> tuple[T, ...]:
        if not isinstance(page["value"], list):  # null is no empty list here
            raise TypeError("value")
        return tuple(read(found) for found in _objects(page, "value"))

    return read_all


def page(read: Read[T]) -> Read[tuple[tuple[T, ...], str]]:
    """Return what reads a list and the address of its next page; blank after the last."""
    return lambda page: (listed(read)(page), _said(page, "@odata.nextLink"))


def organization(page: Mapping[str, Any]) -> OrganizationRecord:
    """Return the tenant from the list that it is the only one of."""
    [found] = _objects(page, "value")
    domains = tuple(_text(domain, "name") for domain in _objects(found, "verifiedDomains"))
    return OrganizationRecord(object_id(found), _said(found, "displayName"), domains)


def quota(found: Mapping[str, Any]) -> DirectoryQuota | None:
    """Return a tenant's size; None where it is not told."""
    quota = _object(found, "directorySizeQuota")
    if not {"used", "total"} <= set(quota):
        return None
    return DirectoryQuota(int(quota["used"]), int(quota["total"]))


def deleted_item(found: Mapping[str, Any]) -> DeletedItem:
    """Return an object of the recycle bin."""
    return DeletedItem(
        object_id=object_id(found),
        client_id=_said(found, "appId"),
        display_name=_said(found, "displayName"),
        tags=_texts(found, "tags"),
        deleted=_utc(found.get("deletedDateTime")),
        created=_utc(found.get("createdDateTime")),
        notes=_said(found, "notes"),
        passwords=_passwords(found),
        certificates=certificates(found),
    )


def grant(found: Mapping[str, Any]) -> GrantRecord:
    """Return a grant of delegated permissions."""
    return GrantRecord(
        grant_id=object_id(found),
        client_id=_text(found, "clientId"),
        resource_id=_text(found, "resourceId"),
        principal_id=_said(found, "principalId") or None,
        scopes=frozenset(_said(found, "scope").split()),
    )


def default_policy(found: Mapping[str, Any]) -> Restrictions | None:
    """Return the tenant's restrictions on applications; None where they are not in force."""
    restrictions = _object(found, "applicationRestrictions")
    return _restrictions(restrictions) if found.get("isEnabled") and restrictions else None


def own_policy(found: Mapping[str, Any]) -> OwnPolicy | None:
    """Return a policy that is in force; none for another."""
    if not found["isEnabled"]:
        return None
    restrictions = _object(found, "restrictions")
    return OwnPolicy(
        f"the application's own app management policy {_text(found, 'displayName')!r}",
        _restrictions({**restrictions, **_object(restrictions, "applicationRestrictions")}),
    )


def _restrictions(found: Mapping[str, Any]) -> Restrictions:
    return Restrictions(
        tuple(
            PasswordRule(
                kind=_said(rule, "restrictionType"),
                since=_utc(rule.get("restrictForAppsCreatedAfterDateTime")),
                longest=_DURATION.validate_python(_text(rule, "maxLifetime"))
                if rule.get("restrictionType") == "passwordLifetime" and rule.get("maxLifetime")
                else None,
                spares_some=bool(_object(rule, "excludeActors").get("customSecurityAttributes")),
            )
            for rule in _objects(found, "passwordCredentials")
            if rule.get("state") != "disabled"
        ),
        frozenset(
            name
            for name, rule in _object(found, "identifierUris").items()
            if isinstance(rule, dict) and rule.get("state") == "enabled"
        ),
    )


def application(found: Mapping[str, Any]) -> ApplicationRecord:
    """Return an application, whose fields a `$select` names."""
    return ApplicationRecord(
        object_id=object_id(found),
        client_id=_text(found, "appId"),
        display_name=_said(found, "displayName"),
        created=_utc(found.get("createdDateTime")),
        tags=_texts(found, "tags"),
        sign_in_audience=_said(found, "signInAudience"),
        identifier_uris=_texts(found, "identifierUris"),
        redirect_uris=_texts(_object(found, "web"), "redirectUris"),
        access_token_version=_object(found, "api").get("requestedAccessTokenVersion"),
        required_access={
            _text(resource, "resourceAppId"): frozenset(
                object_id(access)
                for access in _objects(resource, "resourceAccess")
                if access.get("type") == "Scope"
            )
            for resource in _objects(found, "requiredResourceAccess")
        },
        passwords=_passwords(found),
        notes=_said(found, "notes"),
        other_redirect_uris=tuple(
            uri
            for platform in ("spa", "publicClient")
            for uri in _texts(_object(found, platform), "redirectUris")
        ),
        deleted=_utc(found.get("deletedDateTime")),
    )


def user(found: Mapping[str, Any]) -> UserRecord:
    """Return a user."""
    return UserRecord(
        object_id=object_id(found),
        principal_name=_text(found, "userPrincipalName"),
        mail=_said(found, "mail"),
        enabled=found.get("accountEnabled") is not False,
    )


def principal(found: Mapping[str, Any]) -> ServicePrincipalRecord:
    """Return a service principal, as much of it as was read."""
    return ServicePrincipalRecord(
        object_id=object_id(found),
        client_id=_text(found, "appId"),
        display_name=_said(found, "displayName"),
        enabled=found.get("accountEnabled") is not False,
        tags=_texts(found, "tags"),
        delegated_permissions={
            _text(scope, "value"): object_id(scope)
            for scope in _objects(found, "oauth2PermissionScopes")
            if scope.get("isEnabled") is not False and scope.get("value")
        },
        deleted=_utc(found.get("deletedDateTime")),
        passwords=_passwords(found),
        certificates=certificates(found),
    )


def _passwords(found: Mapping[str, Any]) -> tuple[PasswordRecord, ...]:
    return tuple(
        PasswordRecord(
            key_id=_text(password, "keyId"),
            display_name=_said(password, "displayName"),
            starts=_utc(password.get("startDateTime")),
            expires=_utc(password.get("endDateTime")),
            hint=_said(password, "hint"),
        )
        for password in _objects(found, "passwordCredentials")
    )


def certificates(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return key ids. A read of one object, without `$select`, leaves out the value alone.

    (Microsoft, "Get servicePrincipal"; of an application it is not said, so it is named there.)
    """
    return tuple(_text(key, "keyId") for key in _objects(found, "keyCredentials"))


def _utc(instant: str | None) -> datetime | None:
    """Read an instant of Graph's, whose fractions have up to seven digits."""
    if not instant:
        return None
    return datetime.fromisoformat(_FRACTION.sub("", instant)).astimezone(UTC)
