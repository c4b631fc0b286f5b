"""The twelve steps of the vendor's FAQ 481 in Entra ID, each with what the tenant answers to it.

The FAQ (of 2025-09-12) is a person's way through two consoles; this reads back what that way would
have made. It decides nothing and writes nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from proself_mail import facts
from proself_mail.config.settings import Audience, Settings
from proself_mail.entra.credentials import Caller
from proself_mail.entra.directory import (
    ApplicationRecord,
    Directory,
    Forbidden,
    GrantRecord,
    ServicePrincipalRecord,
    consented,
)
from proself_mail.schedule import format_instant
from proself_mail.stack.client_secret import ClientSecret
from proself_mail.stack.outputs import Outputs

_AUDIENCES = {Audience.SINGLE: "single tenant", Audience.MULTI: "multi-tenant"}


class Label(NamedTuple):
    """One step, or a few that make one thing."""

    numbers: str
    english: str
    """What the console calls it, in English."""
    japanese: str
    """What the FAQ calls it."""


SIGN_IN = Label("1", "Sign in to Entra ID", "Microsoft Entra ID にサインイン")
REGISTRATION = Label("2", "New registration", "新規登録")
IDENTIFIER_URI = Label("3", "Application ID URI", "アプリケーション ID の URI")
PERMISSIONS = Label("4–6", "API permissions", "API のアクセス許可")
CONSENT = Label("7", "Grant admin consent", "管理者の同意を与えます")
REDIRECT_URI = Label("8–9", "Web redirect URI", "リダイレクト URI")
SECRET = Label("10–11", "New client secret", "新しいクライアントシークレット")
IDS = Label("12", "Client ID, tenant ID", "クライアントID、テナントID")


@dataclass(frozen=True)
class Step:
    """A step as the tenant answers it."""

    label: Label
    answer: str
    """What the tenant says of it now."""
    holds: bool


@dataclass(frozen=True)
class ReadBack:
    """One reading of all steps."""

    steps: Sequence[Step]
    application: ApplicationRecord
    is_consented: bool | None
    """Whether everybody's consent is given; none where that cannot be seen."""
    further_consent: frozenset[str]
    """What it covers beyond the stack's permissions."""

    @property
    def drift(self) -> Sequence[Step]:
        """Those that do not hold."""
        return [each for each in self.steps if not each.holds]


def shown(steps: Sequence[Step]) -> str:
    """Show what the tenant answers to some steps."""
    return "; ".join(f"step {each.label.numbers} ({each.answer})" for each in steps)


async def _grants(
    directory: Directory, settings: Settings, outputs: Outputs
) -> Sequence[GrantRecord] | None:
    """Return the grants; None where an identity may not read what is a person's to give."""
    try:
        return await directory.grants(outputs.service_principal_object_id)
    except Forbidden:
        if settings.manages_grant:
            raise
        return None


async def read_back(
    directory: Directory, caller: Caller, settings: Settings, outputs: Outputs
) -> ReadBack:
    """Ask the tenant about each step. Raises `DirectoryError` where it cannot be asked."""
    application, exchange, principal, grants = await asyncio.gather(
        directory.application(outputs.application_object_id),
        directory.service_principal(facts.EXCHANGE_ONLINE_APP_ID),
        directory.service_principal(outputs.client_id),
        _grants(directory, settings, outputs),
    )
    wanted = frozenset(settings.permissions)
    asked_for = _asked_for(application, exchange)
    granted = consented(grants or (), exchange.object_id) if principal and exchange else frozenset()
    steps = (
        Step(
            SIGN_IN,
            f"{caller.name} in tenant {caller.tenant_id}",
            caller.tenant_id == str(settings.tenant_id),
        ),
        Step(
            REGISTRATION,
            f"{application.display_name}, {_AUDIENCES[settings.audience]} "
            f"({application.sign_in_audience})",
            application.sign_in_audience == settings.audience.sign_in_audience
            and application.display_name == settings.display_name,
        ),
        Step(
            IDENTIFIER_URI,
            ", ".join(application.identifier_uris) or "none",
            f"api://{application.client_id}" in application.identifier_uris,
        ),
        Step(
            PERMISSIONS,
            f"{exchange.display_name if exchange else 'no Exchange Online'}, delegated: "
            f"{', '.join(sorted(asked_for)) or 'none'}",
            asked_for == wanted,
        ),
        Step(
            CONSENT,
            f"granted: {', '.join(sorted(granted))}"
            if granted
            else f"unknown to {caller.name}, which may not read it"
            if grants is None
            else "not granted",
            wanted <= granted or not settings.manages_grant,
        ),
        Step(
            REDIRECT_URI,
            ", ".join(application.redirect_uris) or "none",
            settings.redirect_uri in application.redirect_uris,
        ),
        _secret(application, outputs.newest),
        Step(
            IDS,
            f"{application.client_id}, {outputs.tenant_id}",
            application.client_id == outputs.client_id
            and outputs.tenant_id == str(settings.tenant_id),
        ),
    )
    is_seen = grants is not None and settings.mailbox_tenant == settings.tenant_id
    is_consented = wanted <= granted if is_seen else None
    return ReadBack(steps, application, is_consented, granted - wanted)


def _asked_for(
    application: ApplicationRecord, exchange: ServicePrincipalRecord | None
) -> frozenset[str]:
    """Return the delegated permissions of Exchange Online that an application has; ids unnamed."""
    offered = exchange.delegated_permissions if exchange else {}
    names = {scope: name for name, scope in offered.items()}
    scopes = application.required_access.get(facts.EXCHANGE_ONLINE_APP_ID, ())
    return frozenset(names.get(scope, scope) for scope in scopes)


def _secret(application: ApplicationRecord, newest: ClientSecret) -> Step:
    listed = {password.key_id: password for password in application.passwords}
    password = listed.get(newest.key_id)
    if password is None:
        return Step(SECRET, "none", holds=False)
    return Step(
        SECRET,
        f"{password.display_name}, until {format_instant(newest.expires)}",
        password.expires == newest.expires,
    )
