"""Who calls Graph, and what a call needs: app roles for applications, scopes and rights for users.

The sets are those of the permission tables of Graph's reference pages, the higher privileged ones
included.
"""

from dataclasses import dataclass

from emulator.odata.problems import forbidden

OWNED_BY = "Application.ReadWrite.OwnedBy"
_AS_USER = "Directory.AccessAsUser.All"
"""A scope that lets an application do whatever its user may."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The bearer of an accepted token."""

    tenant_id: str
    client_id: str
    object_id: str
    """Of the service principal, or of the user when there is one."""
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    user: bool = False
    """Whether a user is signed in (delegated access)."""
    administrator: bool = False
    """Whether that user has a directory role for managing applications."""


@dataclass(frozen=True)
class Needs:
    """What a call needs: one of the app roles, or one of the scopes."""

    application: frozenset[str]
    """Empty where an application has no business at all; the handler says so then."""
    delegated: frozenset[str]
    administrator: bool = False
    """Whether a user must be an administrator besides."""

    def check(self, caller: Caller) -> None:
        """Raise GraphError 403 if the caller has none of them."""
        if caller.user:
            allowed = caller.scopes & self.delegated
            allowed = allowed if caller.administrator or not self.administrator else frozenset()
        else:
            allowed = caller.roles & self.application
            if not self.application:
                return
        if not allowed:
            raise forbidden()

    def only_if_owned(self, caller: Caller) -> bool:
        """Whether the caller may change only what it owns."""
        if caller.user:
            return not caller.administrator
        return not caller.roles & (self.application - {OWNED_BY})


def _needs(roles: str, scopes: str | None = None, *, administrator: bool = False) -> Needs:
    """Take both as words; scopes are the roles' names unless given, and what a user may besides."""
    application = frozenset(roles.split())
    delegated = application - {OWNED_BY} if scopes is None else frozenset(scopes.split())
    return Needs(application, delegated | {_AS_USER}, administrator)


APPLICATION_READ = _needs(
    "Application.Read.All Application.ReadWrite.OwnedBy Application.ReadWrite.All "
    "Directory.Read.All Directory.ReadWrite.All"
)
APPLICATION_WRITE = _needs("Application.ReadWrite.OwnedBy Application.ReadWrite.All")
PRINCIPAL_WRITE = _needs(
    "Application.ReadWrite.OwnedBy Application.ReadWrite.All Directory.ReadWrite.All"
)
GRANT_READ = _needs(
    "DelegatedPermissionGrant.Read.All Directory.Read.All "
    "DelegatedPermissionGrant.ReadWrite.All Directory.ReadWrite.All"
)
GRANT_WRITE = _needs(
    "DelegatedPermissionGrant.ReadWrite.All Directory.ReadWrite.All", administrator=True
)
APP_ROLE_WRITE = _needs("AppRoleAssignment.ReadWrite.All", administrator=True)
_EVERY_USER = "User.Read.All User.ReadWrite.All Directory.Read.All Directory.ReadWrite.All"
_OWN_USER = f"User.Read User.ReadWrite {_EVERY_USER}"
USER_READ = _needs(_EVERY_USER)
USER_OR_OWN_READ = _needs(_EVERY_USER, _OWN_USER)
"""Of one user; whose, where the right to one's own is all there is, `get_user` checks."""
ME_READ = _needs("", _OWN_USER)
ORGANIZATION_READ = _needs(
    "Organization.Read.All Directory.Read.All Directory.ReadWrite.All",
    "User.Read Organization.Read.All Directory.Read.All Directory.ReadWrite.All",
)
POLICY_READ = _needs("Policy.Read.All Policy.ReadWrite.ApplicationConfiguration")
POLICY_WRITE = _needs("Policy.ReadWrite.ApplicationConfiguration", administrator=True)
DIRECTORY_READ = _needs(
    "Directory.Read.All Directory.ReadWrite.All Application.Read.All Application.ReadWrite.All "
    "Application.ReadWrite.OwnedBy User.Read.All"
)
