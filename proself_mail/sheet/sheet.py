"""The setup sheet: what a person does, in which order, from an application to Proself's first mail.

Made from a stack's configuration and outputs alone, so that it needs no tenant; what it says of
Entra is what was made, not what is there now, which is `verify`'s. Screens and labels are
`proself`'s and `faq`'s. `sheet_page` writes it as HTML, `sheet_server` and `sheet_file` hand it to
a person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from proself_mail import clock, facts
from proself_mail.config.settings import Audience, Settings
from proself_mail.diagnosis.refusal import Text
from proself_mail.entra import faq
from proself_mail.proself.proself import Label, ProselfConfig, Screen
from proself_mail.schedule import open_windows
from proself_mail.sheet import local_time
from proself_mail.stack import carried_out
from proself_mail.stack.client_secret import ClientSecret
from proself_mail.stack.outputs import Outputs, check_newest, outputs_of
from proself_mail.stack.stack import Stack
from proself_mail.text.command_line import powershell_word


class Kind(StrEnum):
    """What a person does with a value."""

    PASTED = "pasted"
    CHOSEN = "chosen"
    """From a list."""
    SWITCHED_ON = "on"
    BLANK = "blank"
    """The field is left empty."""
    SECRET = "secret"  # noqa: S105


@dataclass(frozen=True)
class Value:
    """One field of a screen."""

    key: str
    """`screen.field`, as in the Proself config file."""
    label: Label
    kind: Kind
    text: str
    """What is entered; of the secret, its cover."""


@dataclass(frozen=True)
class SheetScreen:
    """One of Proself's screens."""

    name: str
    title: str
    english: str
    values: Sequence[Value]


@dataclass(frozen=True)
class Sheet:
    """Everything that stands on it."""

    stack: str
    settings: Settings
    outputs: Outputs
    at: datetime
    """When it was made."""
    screens: Sequence[SheetScreen]
    record: Sequence[tuple[faq.Label, Text]]
    """The FAQ's steps in Entra, each with what was made."""
    earlier: Sequence[ClientSecret]
    """Valid secrets beside the newest: Proself may have one of them still."""
    rotation_is_due: bool

    @property
    def newest(self) -> ClientSecret:
        """The secret to paste."""
        return self.outputs.newest

    @property
    def left(self) -> timedelta:
        """How long it is valid still."""
        return self.newest.expires - self.at

    @property
    def consent_url(self) -> str | None:
        """Where an administrator has to consent first; none where the stack gave the consent."""
        return None if self.settings.manages_grant else self.outputs.consent_url

    @property
    def is_mailbox_elsewhere(self) -> bool:
        """Whether the mailbox is in another tenant than the application."""
        return self.settings.mailbox_tenant != self.settings.tenant_id

    @property
    def enable_smtp(self) -> str:
        """The command that lets the mailbox's user sign in to SMTP."""
        return f"Set-CASMailbox -Identity {self._mailbox} -SmtpClientAuthenticationDisabled $false"

    @property
    def see_smtp(self) -> str:
        """The command that shows whether it may."""
        return f"Get-CASMailbox -Identity {self._mailbox} | Format-List Smtp*"

    @property
    def acknowledge(self) -> str:
        """The command that records what Proself has now."""
        return f"proself-mail rotate --acknowledge --stack {self.stack}"

    @property
    def config_file(self) -> str | None:
        """The file with the same values, to delete in the end."""
        return None if self.outputs.config_file == "none" else self.outputs.config_file

    @property
    def _mailbox(self) -> str:
        return powershell_word(self.settings.mailbox)


async def read(name: str, project: Path) -> Sheet:
    """Make a stack's sheet.

    Raises `ConfigurationError` where nothing was set up yet, or the configuration cannot be used or
    was changed and not carried out, which nobody should enter into Proself; `Refused` where it is
    another stack's; and as `of`.
    """
    settings, state = await Stack(name, project).read()
    carried_out.check(name, settings, state)
    return of(name, settings, outputs_of(state, name), clock.now())


def of(name: str, settings: Settings, outputs: Outputs, now: datetime) -> Sheet:
    """Make a sheet.

    Raises `CheckFailed` where the newest secret has ended: nobody should enter it into Proself.
    """
    check_newest(outputs, name, now)
    newest = outputs.newest
    config = ProselfConfig.of(settings, outputs.client_id, newest).without_secret()
    windows = open_windows(settings.entries, now)
    return Sheet(
        stack=name,
        settings=settings,
        outputs=outputs,
        at=now,
        screens=[_screen(table, screen) for table, screen in config.screens()],
        record=list(_record(settings, outputs)),
        earlier=[each for each in outputs.client_secrets[:-1] if each.expires > now],
        rotation_is_due=bool(windows) and windows[-1].starts > newest.starts,
    )


def _screen(name: str, screen: Screen) -> SheetScreen:
    values = [
        _value(f"{name}.{field}", label, getattr(screen, field))
        for field, label in screen.labels().items()
        if label.is_entered
    ]
    return SheetScreen(name, screen.name(), screen.english, values)


def _value(key: str, label: Label, value: object) -> Value:
    if key == SECRET_KEY:
        kind = Kind.SECRET
    elif value is True:
        kind = Kind.SWITCHED_ON
    elif value == "":
        kind = Kind.BLANK
    else:
        kind = Kind.CHOSEN if label.is_chosen else Kind.PASTED
    return Value(key, label, kind, label.option if kind is Kind.SWITCHED_ON else str(value))


SECRET_KEY = "mail_server.client_secret"  # noqa: S105


def _record(settings: Settings, outputs: Outputs) -> Iterator[tuple[faq.Label, Text]]:
    """Say what was made for each step of the FAQ in Entra."""
    permissions = ", ".join(settings.permissions)
    newest = outputs.newest
    ends = local_time.day_and_hour(newest.expires)
    kind = {
        Audience.SINGLE: Text("シングルテナント", "single tenant"),
        Audience.MULTI: Text("マルチテナント", "multi-tenant"),
    }[settings.audience]
    yield faq.SIGN_IN, Text(f"テナント {outputs.tenant_id}", f"tenant {outputs.tenant_id}")
    yield (
        faq.REGISTRATION,
        Text(f"{settings.display_name} ({kind.ja})", f"{settings.display_name}, {kind.en}"),
    )
    yield faq.IDENTIFIER_URI, _same(outputs.identifier_uri)
    yield (
        faq.PERMISSIONS,
        Text(
            f"{facts.EXCHANGE_ONLINE_NAME}、委任されたアクセス許可: {permissions}",
            f"{facts.EXCHANGE_ONLINE_NAME}, delegated: {permissions}",
        ),
    )
    yield (
        faq.CONSENT,
        Text(f"同意済み: {permissions}", f"granted: {permissions}")
        if settings.manages_grant
        else Text("管理者が行います (手順 2)", "an administrator's to give: step 2"),
    )
    yield faq.REDIRECT_URI, _same(outputs.redirect_uri)
    yield (
        faq.SECRET,
        Text(
            f"キー ID {newest.key_id}、{ends.ja} まで",
            f"key ID {newest.key_id}, until {ends.en}",
        ),
    )
    ids = (outputs.client_id, outputs.tenant_id)
    yield faq.IDS, Text("、".join(ids), ", ".join(ids))


def _same(text: str) -> Text:
    return Text(text, text)
