"""`proself-mail verify`: whether everything of a stack is as it should be, without a write.

Named checks over one look at the tenant. It mends nothing; each check says what does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from proself_mail import check
from proself_mail.check import Check
from proself_mail.config.settings import Settings
from proself_mail.config.stack_name import short_name
from proself_mail.diagnosis.diagnosis import Diagnosis
from proself_mail.entra import session
from proself_mail.entra.session import Session
from proself_mail.errors import Error, PartlyFailed, RemoteError
from proself_mail.stack import backend, stack
from proself_mail.stack.outputs import Outputs, outputs_of
from proself_mail.stack.project import stack_files
from proself_mail.stack.stack import Stack
from proself_mail.stack.state import State
from proself_mail.verification import application_checks as entra
from proself_mail.verification import mailbox_checks, secret_checks
from proself_mail.verification.evidence import Evidence, gather
from tools import stacks

CHECKS: Sequence[Callable[[Evidence], Check]] = (
    entra.application,
    entra.account_type,
    entra.identifier_uri,
    entra.permissions,
    entra.consent,
    entra.redirect_uri,
    entra.loopback_redirect_uri,
    entra.recorded,
    entra.protection,
    secret_checks.secrets,
    secret_checks.foreign_secrets,
    secret_checks.newest_secret,
    secret_checks.secret_in_proself,
    secret_checks.secret_signs_in,
    entra.service_principal,
    entra.owners,
    entra.stamped,
    entra.until,
    entra.leftovers,
    entra.foreign_resources,
    entra.drift,
    mailbox_checks.mailbox,
    mailbox_checks.config_file,
)
"""In the order in which they are shown. Their names are stable: programs read them."""


@dataclass(frozen=True)
class Verified:
    """One stack, looked at."""

    stack: str
    tenant_id: str
    at: datetime
    """By the tenant's clock."""
    checks: Sequence[Check]
    diagnoses: Sequence[Diagnosis] = ()
    """What a refused mail proof means."""
    mail_accepted: bool = False
    """Whether Exchange Online took a mail."""

    @property
    def exit_code(self) -> int:
        """0 as it should be, 1 a check failed, 4 a required one is unknown, 6 a person must act."""
        return check.exit_code(self.checks)


@dataclass(frozen=True)
class Known:
    """What this machine knows of a stack before the tenant is asked."""

    settings: Settings
    state: State
    outputs: Outputs


async def run(name: str, project: Path) -> Verified:
    """Look at a stack. Raises an `Error` where it, or its tenant, cannot be looked at at all."""
    known = await read(name, project)
    settings = known.settings
    async with session.sign_in(settings.target, str(settings.tenant_id)) as opened:
        return await look(name, known, opened)


async def read(name: str, project: Path) -> Known:
    """Read what this machine knows of a stack. Raises `ConfigurationError` before its first up."""
    found = Stack(name, project)
    settings, state = await session.read(found)
    return Known(settings, state, outputs_of(state, name))


async def look(name: str, known: Known, opened: Session) -> Verified:
    """Look at a stack with a session that is open."""
    seen = await gather(opened, name, known.settings, known.state, known.outputs)
    checks = tuple(judge(seen) for judge in CHECKS)
    return Verified(name, opened.caller.tenant_id, seen.at, checks)


async def names(project: Path) -> Sequence[str]:
    """Return the project's stacks: those on this backend, and those with a file alone.

    A backend that is not the one that is meant looks like one without stacks.
    """
    listed = await stack.names(project)
    there = {short_name(each) for each in listed}
    return [*listed, *(each for each in stacks.names(stack_files(project)) if each not in there)]


def nothing(project: Path) -> RemoteError:
    """Return the error for a project without any stack: nothing was looked at."""
    return RemoteError(
        "Nothing was looked at: there is no stack on this backend, and no stack file in "
        f"{stack_files(project)}.",
        "`pulumi whoami --verbose` shows the backend; if the stacks are on another one, "
        f"{backend.how_to_change()}. `proself-mail init` makes one.",
    )


async def run_all(names: Sequence[str], project: Path) -> Mapping[str, Verified | Error]:
    """Look at several stacks, one after the other: each signs in to its own tenant."""
    found: dict[str, Verified | Error] = {}
    for name in names:
        try:
            found[name] = await run(name, project)
        except Error as error:
            found[name] = error
    return found


def exit_code(found: Mapping[str, Verified | Error]) -> int:
    """Return the code that all stacks share, else 5: part of several failed.

    Without any it is 4, for nothing is known.
    """
    codes = {each.exit_code for each in found.values()}
    if len(codes) > 1:
        return PartlyFailed.exit_code
    return codes.pop() if codes else RemoteError.exit_code
