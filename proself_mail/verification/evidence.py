"""What `verify` judges by: everything that could be read of a stack, each reading or why not.

It reads and decides nothing. The readings run side by side, so that they take the time of one.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from proself_mail import facts
from proself_mail.config.settings import Settings
from proself_mail.entra import secret_sign_in
from proself_mail.entra.credentials import Caller
from proself_mail.entra.directory import (
    ApplicationRecord,
    Directory,
    DirectoryError,
    Forbidden,
    GrantRecord,
    NotFound,
    ServicePrincipalRecord,
    UserRecord,
    stamped,
)
from proself_mail.entra.secret_sign_in import SignInRefusal
from proself_mail.entra.session import Session
from proself_mail.stack.outputs import Outputs
from proself_mail.stack.state import State

T = TypeVar("T")


@dataclass(frozen=True)
class Unread:
    """What could not be read; never the same as nothing being there."""

    reason: str
    permission: str
    """What the identity needs for it."""


@dataclass(frozen=True)
class Evidence:
    """One look at a stack and at its tenant."""

    stack: str
    settings: Settings
    state: State
    outputs: Outputs
    caller: Caller
    at: datetime
    """By the tenant's clock."""
    application: ApplicationRecord | Unread | None
    """None where the tenant has no such application."""
    exchange: ServicePrincipalRecord | Unread | None
    principal: ServicePrincipalRecord | Unread | None
    grants: Sequence[GrantRecord] | Unread | None
    """None where the tenant has no such service principal."""
    owners: frozenset[str] | Unread | None
    stamped: Sequence[ApplicationRecord] | Unread | None
    """The live applications with the stack's stamp."""
    mailbox: UserRecord | Unread | None
    mailbox_namesakes: Sequence[UserRecord] | Unread | None
    """Users whose primary mail address is the mailbox's."""
    secret_refusal: SignInRefusal | None
    """What Entra said to the newest secret; none where it gave a token."""


async def gather(
    opened: Session, stack: str, settings: Settings, state: State, outputs: Outputs
) -> Evidence:
    """Read everything at once. A reading that fails is `Unread`; nothing is raised for it."""
    directory = opened.directory
    manage, users = "Application.ReadWrite.OwnedBy", "User.Read.All"
    grants = "DelegatedPermissionGrant.Read.All"
    async with asyncio.TaskGroup() as tasks:
        application = tasks.create_task(
            _read(directory.application(outputs.application_object_id), manage)
        )
        exchange = tasks.create_task(
            _read(directory.service_principal(facts.EXCHANGE_ONLINE_APP_ID), manage)
        )
        principal = tasks.create_task(_read(directory.service_principal(outputs.client_id), manage))
        granted = tasks.create_task(
            _read(directory.grants(outputs.service_principal_object_id), grants)
        )
        owners = tasks.create_task(_read(directory.owners(outputs.application_object_id), manage))
        bearers = tasks.create_task(_read(stamped(directory, settings.stack_id), manage))
        mailbox = tasks.create_task(_read_mailbox(directory, settings, users))
        refusal = tasks.create_task(
            secret_sign_in.refusal(
                opened.target, outputs.tenant_id, outputs.client_id, outputs.newest.value
            )
        )
    user, namesakes = mailbox.result()
    return Evidence(
        stack=stack,
        settings=settings,
        state=state,
        outputs=outputs,
        caller=opened.caller,
        at=opened.tenant_now(),
        application=application.result(),
        exchange=exchange.result(),
        principal=principal.result(),
        grants=granted.result(),
        owners=owners.result(),
        stamped=bearers.result(),
        mailbox=user,
        mailbox_namesakes=namesakes,
        secret_refusal=refusal.result(),
    )


async def _read_mailbox(
    directory: Directory, settings: Settings, permission: str
) -> tuple[UserRecord | Unread | None, Sequence[UserRecord] | Unread | None]:
    if settings.mailbox_tenant != settings.tenant_id:
        reason = f"it belongs to the tenant {settings.mailbox_tenant}, not to be seen from here"
        unseen = Unread(reason, f"{permission} in that tenant")
        return unseen, unseen
    return await asyncio.gather(
        _read(directory.user(settings.mailbox), permission),
        _read(directory.users_with_mail(settings.mailbox), permission),
    )


async def _read(reading: Awaitable[T], permission: str) -> T | Unread | None:
    try:
        return await reading
    except NotFound:
        return None
    except DirectoryError as error:
        denied = isinstance(error, Forbidden)
        reason = f"{error.code}: needs {permission}" if denied else error.cause.rstrip(".")
        return Unread(reason, permission)
