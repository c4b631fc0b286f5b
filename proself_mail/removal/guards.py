"""What stands between a command and a deletion: each guard raises `Refused` before the first write.

Which tenants are for tests is said by `testTenants` in Pulumi.yaml, a top-level key: Pulumi keeps
and ignores keys that it does not know there, and a change to that file is reviewed, which a stack's
own file need not be (docs/adr/0021). What of a tenant is ours is `ownership`'s.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from proself_mail.config.settings import Environment, Settings
from proself_mail.entra.directory import ApplicationRecord, DirectoryError, OrganizationRecord
from proself_mail.entra.session import Session
from proself_mail.errors import ConfigurationError, Refused
from proself_mail.removal.ownership import OfStack, of_production
from proself_mail.stack import integrity
from proself_mail.stack.foreign import foreign_in_state, without_foreign
from proself_mail.stack.state import State

_KEY = "testTenants"


def test_tenants(project: Path) -> frozenset[str]:
    """Read the list of tenants that tests may be torn down in.

    Raises `ConfigurationError` where it is no list of tenant IDs.
    """
    path = project / "Pulumi.yaml"
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8")).get(_KEY)
        return frozenset(str(UUID(str(each))) for each in found or ())
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"`{_KEY}` in {path} is no list of tenant IDs ({error}).",
            f"Write it as `{_KEY}: [11111111-2222-3333-4444-555555555555]`, then try again.",
        ) from error


def check_tenant(tenant_id: str, project: Path) -> None:
    """Refuse a tenant that is not on the list of test tenants."""
    listed = test_tenants(project)
    if tenant_id not in listed:
        shown = f"it lists {', '.join(sorted(listed))}" if listed else "its list is empty"
        raise Refused(
            f"The tenant {tenant_id} is not among `{_KEY}` in Pulumi.yaml; {shown}.",
            f"If this tenant is used for tests alone, add its ID to `{_KEY}` and have the change "
            "reviewed.",
        )


def check_environment(name: str, configured: Settings) -> None:
    """Refuse a stack that is not for tests."""
    if configured.environment is not Environment.TEST:
        raise Refused(
            f"The stack {name} is for {configured.environment}: only test stacks are torn down.",
            "Nothing here removes it. Whoever really wants it gone lifts the protection by hand: "
            f"`pulumi state unprotect --all --stack {name}`, then "
            f"`pulumi destroy --stack {name}`; but first `proself-mail verify --stack {name}`: "
            "where it names foreign resources, those would be deleted too.",
        )


def check_state(name: str, found: State) -> None:
    """Refuse a state that is another stack's, protected, or holds what this program never made.

    It is dropped as a whole in the end, so everything in it must be known to be removed.
    """
    integrity.check_own(name, found)  # one that the engine refuses can be torn down
    check_nothing_foreign(name, found)
    if found.protected:
        raise Refused(
            f"The state of {name} protects {', '.join(found.protected)} from deletion.",
            f"Think again. `pulumi state unprotect --all --stack {name}` lifts it.",
        )


def check_nothing_foreign(name: str, found: State) -> None:
    """Refuse a state that holds what this program never made."""
    if found.foreign:
        raise Refused(
            f"{name}: {foreign_in_state(found.foreign)}.",
            f"{without_foreign(name, found.foreign)}. Then try again.",
        )


def check_stamps(
    name: str,
    configured: Settings,
    tagged: Sequence[tuple[str, Sequence[str]]],
    of_state: ApplicationRecord | None,
) -> None:
    """Refuse where the tenant contradicts the stack's file.

    `tagged` is the object id and the tags of whatever bears the stack's UUID; `of_state` is the
    live application that the state knows.
    """
    for object_id, tags in tagged:
        if of_production(tags, configured.stack_id):
            raise Refused(
                f"The tags of {object_id} say that it is of {name} and for production, but the "
                "stack file says test.",
                "Bring the right stack file back (`git log -p` shows who changed it).",
            )
    if of_state is not None:
        verdict = OfStack(configured.stack_id).verdict(of_state.tags, of_state.created)
        if not verdict.ours:
            raise Refused(
                f"The application {of_state.object_id}, which the state of {name} knows, is not "
                f"this stack's by its tags: {verdict.why}.",
                "Look at it in Entra's App registrations. If it is this stack's after all, "
                f"`proself-mail up --stack {name}` writes them again.",
            )


def check_modified(name: str, found: Sequence[str], *, include: bool) -> None:
    """Refuse what got credentials or owners that are not ours, unless told otherwise."""
    if found and not include:
        raise Refused(
            f"{name} got what the program did not give it: {'; '.join(found)}. Somebody may use "
            "it.",
            "Ask them; --include-modified removes it all the same.",
        )


def check_confirmation(typed: str, tenant_id: str, tenant: OrganizationRecord | None) -> None:
    """Refuse unless the tenant was named in full: its ID, its name, or a verified domain."""
    given = typed.strip()
    is_named = given.lower() == tenant_id.lower()
    if tenant is not None and given:
        domains = {each.lower() for each in tenant.domains}
        is_named = is_named or given == tenant.display_name or given.lower() in domains
    if not is_named:
        named = "name or ID" if tenant else "ID"
        unread = "" if tenant else ", whose name could not be read"
        raise Refused(
            f"{given!r} is not the {named} of the tenant {tenant_id}{unread}.",
            f"Look which tenant this is, and type its {named} in full.",
        )


async def tenant_of(opened: Session) -> OrganizationRecord | None:
    """Return the tenant as it names itself; None where the identity may not read that."""
    try:
        return await opened.directory.organization()
    except DirectoryError:
        return None
