"""What an administrator of Exchange Online can switch, and what a test can (POST /smtp).

Judging by it is `exchange`'s.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from emulator.admin_input import Fields
from emulator.exchange.smtp_script import Scripts, read_script
from emulator.json_text import Json
from emulator.tls import CertificateName

SCOPES = ("Mail.Send", "SMTP.Send")
"""Delegated permissions of Exchange Online with one of which mail may be sent by SMTP."""


@dataclass
class MailboxSwitches:
    """What is set for one mailbox."""

    smtp_auth_disabled: bool | None = None
    """`Set-CASMailbox -SmtpClientAuthenticationDisabled`; None follows the organization."""
    full: bool = False
    blocked: bool = False
    """Restricted for sending spam."""
    exists: bool = True
    """Whether the user has a mailbox at all, whatever the directory says."""
    delegates: list[str] = field(default_factory=list)
    """Sign-in names of users who may open it and send as it: a shared mailbox."""


@dataclass
class TenantSwitches:
    """What is set for one organization."""

    smtp_auth_disabled: bool = False
    """`Set-TransportConfig -SmtpClientAuthenticationDisabled`."""
    security_defaults: bool = False
    conditional_access: bool = False
    """Whether a policy of Conditional Access keeps SMTP out."""
    basic_authentication_removed: bool = False
    accepted_scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    connections_per_mailbox: int = 3
    messages_per_minute: int = 30
    recipients_per_day: int = 10_000
    mailboxes: dict[str, MailboxSwitches] = field(default_factory=dict)
    """By address in small letters."""

    def as_json(self) -> Json:
        """Return the form in which the admin port shows it."""
        return asdict(self)

    def mailbox(self, address: str) -> MailboxSwitches:
        """Return what is set for a mailbox; as at the start where nothing is."""
        return self.mailboxes.setdefault(address.lower(), MailboxSwitches())


@dataclass
class ServerSwitches:
    """How the SMTP server itself behaves, for every tenant."""

    starttls: bool = True
    certificate: CertificateName = CertificateName.GOOD
    scripts: Scripts = field(default_factory=Scripts)

    def as_json(self) -> Json:
        """Return the form in which the admin port shows it."""
        return {
            "starttls": self.starttls,
            "certificate": self.certificate,
            "scripts": [script.as_json() for script in self.scripts.scripts],
        }


def read_tenant(fields: Fields, now: TenantSwitches) -> Callable[[], None]:
    """Read what concerns one tenant; what is left out stays. The result puts it into effect."""
    switches = {
        "smtp_auth_disabled": fields.flag("smtp_auth_disabled", now.smtp_auth_disabled),
        "security_defaults": fields.flag("security_defaults", now.security_defaults),
        "conditional_access": fields.flag("conditional_access", now.conditional_access),
        "basic_authentication_removed": fields.flag(
            "basic_authentication_removed", now.basic_authentication_removed
        ),
        "accepted_scopes": _scopes(fields, now),
        "connections_per_mailbox": fields.whole(
            "connections_per_mailbox", now.connections_per_mailbox
        ),
        "messages_per_minute": fields.whole(
            "messages_per_minute", now.messages_per_minute, least=1
        ),
        "recipients_per_day": fields.whole("recipients_per_day", now.recipients_per_day),
    }
    mailboxes = fields.each("mailboxes", lambda one: _mailbox(one, now))

    def apply() -> None:
        for name, value in switches.items():
            setattr(now, name, value)
        now.mailboxes.update(mailboxes)

    return apply


def read_server(fields: Fields, now: ServerSwitches) -> Callable[[], None]:
    """Read what concerns the server; what is left out stays. The result puts it into effect."""
    starttls = fields.flag("starttls", now.starttls)
    certificate = CertificateName(fields.choice("certificate", CertificateName, now.certificate))
    given = fields.has("scripts")
    read = fields.each("scripts", read_script)

    def apply() -> None:
        now.starttls, now.certificate = starttls, certificate
        if given:
            now.scripts = Scripts(read)

    return apply


def _scopes(fields: Fields, now: TenantSwitches) -> list[str]:
    scopes = fields.texts("accepted_scopes", now.accepted_scopes)
    if set(scopes) - set(SCOPES):
        raise fields.refuse("accepted_scopes", f"a list of {' and '.join(SCOPES)}")
    return scopes


def _mailbox(fields: Fields, tenant: TenantSwitches) -> tuple[str, MailboxSwitches]:
    address = fields.text("address").lower()
    now = tenant.mailboxes.get(address, MailboxSwitches())
    disabled = fields.take("smtp_auth_disabled", now.smtp_auth_disabled)
    if not (disabled is None or isinstance(disabled, bool)):
        raise fields.refuse("smtp_auth_disabled", "true, false or null (as the organization)")
    return address, MailboxSwitches(
        smtp_auth_disabled=disabled,
        full=fields.flag("full", now.full),
        blocked=fields.flag("blocked", now.blocked),
        exists=fields.flag("exists", now.exists),
        delegates=fields.texts("delegates", now.delegates),
    )
