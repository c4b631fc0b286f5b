"""What the signed-in identity may do to a stack, by its own token and the application's owners.

A check of what a stack needs, before any write: the tenant itself decides, and may allow more.
"""

from collections.abc import Sequence

from proself_mail.check import Check, Outcome
from proself_mail.config.mending import config_set
from proself_mail.config.settings import Consent, Settings
from proself_mail.entra.credentials import Caller
from proself_mail.entra.directory import Directory, DirectoryError
from proself_mail.stack.state import State

LEAST = "Application.ReadWrite.OwnedBy"
"""The least app role that a stack's application can be managed with."""
_LEAST_TO_GRANT = "DelegatedPermissionGrant.ReadWrite.All"
_MAY_WRITE_APPLICATIONS = frozenset({LEAST, "Application.ReadWrite.All", "Directory.ReadWrite.All"})
_MAY_GRANT = frozenset({_LEAST_TO_GRANT, "Directory.ReadWrite.All"})
_ADMINISTRATORS = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
}
"""Directory roles that may do all of it (Microsoft, built-in roles, template ids, 2026-11-23)."""


def of(caller: Caller, settings: Settings, stack: str, no_consent: str = "") -> Sequence[Check]:
    """Compare what the caller may do, by its own token, with what a stack needs."""
    needs = [("may manage its applications", _MAY_WRITE_APPLICATIONS, LEAST, "")]
    if settings.manages_grant:
        no_consent = no_consent or config_set(stack, "consent", Consent.BY_ADMINISTRATOR)
        other = f", or leave the consent to an administrator: `{no_consent}`"
        needs.append(("may give admin consent", _MAY_GRANT, _LEAST_TO_GRANT, other))
    return [_right(caller, *each) for each in needs]


def _right(caller: Caller, name: str, any_of: frozenset[str], least: str, other: str) -> Check:
    if caller.is_user:
        held = sorted(_ADMINISTRATORS[r] for r in caller.directory_roles if r in _ADMINISTRATORS)
        if held:
            return Check(name, Outcome.OK, ", ".join(held))
        return Check(
            name,
            Outcome.UNKNOWN,
            f"{caller.name} holds none of {', '.join(sorted(_ADMINISTRATORS.values()))}; "
            "the tenant may allow it all the same",
            required=False,
        )
    if held := sorted(caller.rights & any_of):
        return Check(name, Outcome.OK, ", ".join(held))
    return Check(
        name,
        Outcome.FAIL,
        f"{caller.name} has none of {', '.join(sorted(any_of))}",
        next_step=f"give the application {caller.client_id} the app role {least} of Microsoft "
        f"Graph, with admin consent{other}",
    )


def may_rotate(
    caller: Caller,
    settings: Settings,
    stack: str,
    owners: frozenset[str] | DirectoryError | None,
) -> Sequence[Check]:
    """Say whether the caller could change the stack, were there anything to change. Reads nothing.

    `owners` as for `ownership`.
    """
    its = of(caller, settings, stack)
    return (*its, ownership(settings, stack, caller, owners))


async def owners(
    directory: Directory, caller: Caller, state: State
) -> frozenset[str] | DirectoryError | None:
    """Return the application's owners, or why they are unseen, where the caller has to be one."""
    if state.application_id is None or not _owns_only(caller):
        return None
    try:
        return await directory.owners(state.application_id)
    except DirectoryError as error:
        return error


def _owns_only(caller: Caller) -> bool:
    """Say whether the caller may manage nothing but what it owns."""
    all_of_them = _MAY_WRITE_APPLICATIONS - {LEAST}
    return not caller.is_user and not caller.rights & all_of_them


def ownership(
    settings: Settings,
    stack: str,
    caller: Caller,
    known: frozenset[str] | DirectoryError | None,
) -> Check:
    """Say whether the caller could lock itself out of the application, or already is.

    `known` are the object ids of its owners, or why they are unseen; None where they do not matter.
    """
    name = "owners"
    listed = caller.object_id in {str(owner) for owner in settings.owners}
    if listed and isinstance(known, DirectoryError):
        detail = f"who owns the application is unseen ({known.code})"
        return Check(name, Outcome.UNKNOWN, detail, required=False)
    if listed and isinstance(known, frozenset) and caller.object_id not in known:
        return Check(
            name,
            Outcome.FAIL,
            f"{caller.name} ({caller.object_id}) is among `owners`, and does not own the "
            "application yet",
            next_step=f"have somebody who owns it run `proself-mail up --stack {stack}` with this "
            "stack file, then wait a minute",
        )
    if listed or not _owns_only(caller):
        return Check(name, Outcome.OK, f"{len(settings.owners)} configured")
    return Check(
        name,
        Outcome.FAIL,
        f"{caller.name} ({caller.object_id}) may manage only what it owns, and is not among "
        "`owners`: it would lock itself out",
        next_step=f"`{config_set(stack, f'owners[{len(settings.owners)}]', caller.object_id)}`",
    )
