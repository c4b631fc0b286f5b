"""The port to Entra: what the operations ask of a tenant's directory, and the records they get.

No SDK type crosses it. `graph` implements it over msgraph-sdk; tests of decisions use a fake in
memory. A method returns what it read or raises a `DirectoryError`; it never returns "nothing" for
"could not look".
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from proself_mail.config.stamp import stack_tag
from proself_mail.errors import NoAnswerYet, RemoteError
from proself_mail.schedule import format_instant


class DirectoryError(RemoteError):
    """The directory refused or could not be asked."""

    retry_after = timedelta()
    """How long the directory asks to be left alone, where it says so (Retry-After)."""

    def __init__(self, status: int | None, code: str, message: str, request_id: str = "") -> None:
        asked = f" (request {request_id})" if request_id else ""
        super().__init__(
            f"Microsoft Graph answered {status or 'nothing'}: {code}: {message}{asked}.",
            "Try again; if it stays so, look the code up in Microsoft's documentation of Graph.",
        )
        self.status = status
        """None where there was no answer at all."""
        self.code = code
        """Graph's own, such as `Request_ResourceNotFound`."""
        self.message = message

    @property
    def passes(self) -> bool:
        """Whether the same question may well be answered in a moment: 401 by a renewed token."""
        return self.status in (None, 401, 409, 429) or (self.status or 0) >= 500


class SignInRefused(DirectoryError):
    """No token was given for the question, and none will be."""

    passes = False

    def __init__(self, code: str, message: str) -> None:
        super().__init__(None, code, message)
        self.cause = f"There is no token for Microsoft Graph any more: {message}."
        self.next_step = "Sign in again, then try again."


class NoTokenYet(DirectoryError):
    """No token was given for the question in time; one may well be in a moment."""

    def __init__(self, late: NoAnswerYet) -> None:
        super().__init__(None, "no token", late.cause)
        self.cause, self.next_step = late.cause, late.next_step


class Unreadable(DirectoryError):
    """It was answered, and not by what was asked for: who answers so is hardly the directory."""

    passes = False

    def __init__(self, what: str, status: int = 200) -> None:
        super().__init__(status, "unreadable", what)
        self.next_step = "Try again; if it stays so, check that no proxy stands between."


class NotFound(DirectoryError):
    """There is no such object, or the replica that was asked does not know of it yet."""


class Forbidden(DirectoryError):
    """The signed-in identity may not do this."""


@dataclass(frozen=True)
class PasswordRecord:
    """A client secret as the directory lists it: without its value."""

    key_id: str
    display_name: str
    starts: datetime | None
    expires: datetime | None
    hint: str = ""
    """The value's first three characters."""

    def has_ended(self, at: datetime) -> bool:
        """Say whether it signs nobody in any more."""
        return self.expires is not None and self.expires <= at

    @property
    def until(self) -> str:
        """Until when it signs in, for a person."""
        return format_instant(self.expires) if self.expires else "for ever"

    @property
    def shown(self) -> str:
        """What names it to a person; nothing of its value."""
        return f"{self.display_name!r} (key id {self.key_id}, until {self.until})"


@dataclass(frozen=True)
class ApplicationRecord:
    """An application object, in the tenant or in its recycle bin."""

    object_id: str
    client_id: str
    display_name: str
    created: datetime | None
    tags: tuple[str, ...]
    sign_in_audience: str
    identifier_uris: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    access_token_version: int | None
    required_access: Mapping[str, frozenset[str]]
    """Ids of delegated permissions, by the resource's application id."""
    passwords: tuple[PasswordRecord, ...]
    notes: str = ""
    other_redirect_uris: tuple[str, ...] = ()
    """Those under another platform than Web."""
    deleted: datetime | None = None
    """When it went to the recycle bin; none for a live one."""


@dataclass(frozen=True)
class ServicePrincipalRecord:
    """A service principal: an application as one tenant knows it."""

    object_id: str
    client_id: str
    display_name: str
    enabled: bool
    tags: tuple[str, ...]
    delegated_permissions: Mapping[str, str] = field(default_factory=dict)
    """What it offers to others: id by name, the enabled ones."""
    deleted: datetime | None = None
    """When it went to the recycle bin; none for a live one."""
    passwords: tuple[PasswordRecord, ...] = ()
    """Client secrets of its own, beside its application's; empty where it was found by a tag."""
    certificates: tuple[str, ...] = ()
    """Key ids of certificates of its own; likewise."""


@dataclass(frozen=True)
class DeletedItem:
    """An object in the recycle bin, of whatever kind."""

    object_id: str
    client_id: str
    """Of an application or a service principal; blank for others."""
    display_name: str
    tags: tuple[str, ...]
    deleted: datetime | None
    created: datetime | None = None
    notes: str = ""
    passwords: tuple[PasswordRecord, ...] = ()
    certificates: tuple[str, ...] = ()
    """Key ids."""


@dataclass(frozen=True)
class GrantRecord:
    """A delegated permission grant (`oauth2PermissionGrant`)."""

    grant_id: str
    client_id: str
    """Object id of the service principal that may call."""
    resource_id: str
    """Object id of the service principal that is called."""
    principal_id: str | None
    """The one user it is for; none for everybody, which is admin consent."""
    scopes: frozenset[str]

    def is_consent_to(self, resource_id: str) -> bool:
        """Say whether it is the admin consent to call this service principal."""
        return self.resource_id == resource_id and self.principal_id is None


def consented(grants: Iterable[GrantRecord], resource_id: str) -> frozenset[str]:
    """Return the scopes of the admin consent to call this service principal."""
    found = (each.scopes for each in grants if each.is_consent_to(resource_id))
    return frozenset().union(*found)


@dataclass(frozen=True)
class UserRecord:
    """A user of the tenant."""

    object_id: str
    principal_name: str
    """What one signs in by (`userPrincipalName`)."""
    mail: str
    """The primary mail address; empty where there is none."""
    enabled: bool


@dataclass(frozen=True)
class OrganizationRecord:
    """The tenant itself."""

    tenant_id: str
    display_name: str
    domains: tuple[str, ...]
    """The verified ones."""


@dataclass(frozen=True)
class AppPolicy:
    """What app management policy holds for an application."""

    name: str
    """As it is told."""
    is_own: bool
    """Whether it is the application's own, in the place of the tenant's default one."""
    passwords_allowed: bool
    maximum_lifetime_days: int | None
    """Of a client secret; none where the tenant sets no limit of its own."""
    spares_some: bool = False
    """Whether a restriction on client secrets does not hold for callers of some attribute."""
    identifier_uri_rules: frozenset[str] = frozenset()
    """Names of the restrictions on Application ID URIs that are in force."""


@dataclass(frozen=True)
class DirectoryQuota:
    """How many objects the tenant holds, and how many it may."""

    used: int
    total: int


class Directory(Protocol):
    """What a tenant's directory can be asked and told."""

    async def organization(self) -> OrganizationRecord:
        """Return the tenant's name and domains."""
        ...

    async def application(self, object_id: str) -> ApplicationRecord:
        """Return one application; `NotFound` where it is missing or in the recycle bin."""
        ...

    def applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield the live applications that bear a tag, a page at a time."""
        ...

    def deleted_applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield the applications in the recycle bin that bear a tag."""
        ...

    async def applications_of(self, client_id: str) -> tuple[ApplicationRecord, ...]:
        """Return the application with this client ID, live or deleted; both where readers trail."""
        ...

    async def delete_application(self, object_id: str) -> None:
        """Put an application into the recycle bin; `NotFound` where it is not there."""
        ...

    async def purge_application(self, object_id: str) -> None:
        """Remove an application from the recycle bin for good; `NotFound` where it is not there."""
        ...

    def service_principals_tagged(self, tag: str) -> AsyncIterator[ServicePrincipalRecord]:
        """Yield the live service principals that bear a tag, a page at a time."""
        ...

    def deleted_service_principals_tagged(self, tag: str) -> AsyncIterator[ServicePrincipalRecord]:
        """Yield the service principals in the recycle bin that bear a tag."""
        ...

    async def deleted_service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
        """Return the service principal of an application id from the recycle bin, if any."""
        ...

    async def deleted_item(self, object_id: str) -> DeletedItem:
        """Return one object of the recycle bin; `NotFound` where it is not there."""
        ...

    async def delete_service_principal(self, object_id: str) -> None:
        """Put a service principal into the recycle bin; `NotFound` where it is not there."""
        ...

    async def purge_service_principal(self, object_id: str) -> None:
        """Remove a service principal from the recycle bin for good; `NotFound` likewise."""
        ...

    async def certificates(self, application_id: str) -> tuple[str, ...]:
        """Return the key ids of an application's certificates."""
        ...

    async def federated_credentials(self, application_id: str) -> tuple[str, ...]:
        """Return the names of an application's federated identity credentials."""
        ...

    async def service_principal_owners(self, object_id: str) -> frozenset[str]:
        """Return the object ids of a service principal's owners."""
        ...

    async def remove_password(self, application_id: str, key_id: str) -> None:
        """Remove one client secret of an application; `NotFound` where it is not there."""
        ...

    async def set_notes(self, application_id: str, notes: str) -> None:
        """Replace an application's notes; `NotFound` where it is not there."""
        ...

    async def owners(self, application_id: str) -> frozenset[str]:
        """Return the object ids of an application's owners."""
        ...

    async def service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
        """Return the service principal of an application id; none where the tenant has none."""
        ...

    async def service_principal_by_id(self, object_id: str) -> ServicePrincipalRecord:
        """Return one service principal; `NotFound` where no such object is one."""
        ...

    async def grants(self, service_principal_id: str) -> tuple[GrantRecord, ...]:
        """Return what a service principal may do on behalf of users."""
        ...

    async def user(self, principal_name: str) -> UserRecord:
        """Return a user by sign-in name; `NotFound` where there is none."""
        ...

    async def users_with_mail(self, address: str) -> tuple[UserRecord, ...]:
        """Return the users with this primary mail address."""
        ...

    async def app_policy(self, application_id: str | None = None) -> AppPolicy:
        """Return the app management policy that holds for an application; None is a new one."""
        ...

    async def quota(self) -> DirectoryQuota:
        """Return the tenant's size and its limit."""
        ...


async def stamped(directory: Directory, stack_id: UUID) -> list[ApplicationRecord]:
    """List the live applications that bear a stack's stamp."""
    return [each async for each in directory.applications_tagged(stack_tag(stack_id))]
