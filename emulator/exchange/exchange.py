"""Exchange Online as an SMTP client meets it: who may sign in, and what may be sent.

Every tenant's mailboxes are its users with an address. The dialogue is `smtp`'s, the texts are in
`smtp_replies`. Mail is not delivered anywhere: it lies in the outbox.
"""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import jwt

from emulator.clock import Clock, graph_time
from emulator.cloud import Cloud
from emulator.directory.first_party import EXCHANGE_APP_ID
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant
from emulator.exchange import mail_content
from emulator.exchange import smtp_replies as replies
from emulator.exchange.exchange_switches import MailboxSwitches, ServerSwitches, TenantSwitches
from emulator.json_text import Json

_AUDIENCES = frozenset(
    {
        EXCHANGE_APP_ID,
        "https://outlook.office.com",
        "https://outlook.office.com/",
        "https://outlook.office365.com",
        "https://outlook.office365.com/",
    }
)
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Mailbox:
    """A mailbox that a connection has signed in to, and as whom."""

    tenant: Tenant
    owner: Record
    """The user whose mailbox it is."""
    user: str
    """Sign-in name of the one the token was made for."""
    client_id: str
    """Application that got the token."""

    @property
    def address(self) -> str:
        """The primary address."""
        return str(self.owner.body["mail"])

    @property
    def addresses(self) -> frozenset[str]:
        """Every address that is the mailbox's own, in small letters."""
        return frozenset(
            proxy.partition(":")[2].lower() for proxy in self.owner.body["proxyAddresses"]
        )


@dataclass(frozen=True)
class Mail:
    """A mail that was taken."""

    mailbox: Mailbox
    time: datetime
    """When it goes out: later than it came where more came in a minute than may."""
    envelope_from: str
    envelope_to: tuple[str, ...]
    content: EmailMessage

    def as_json(self) -> Json:
        """Return the form in which the admin port shows it."""
        headers = mail_content.headers(self.content)
        return {
            "time": graph_time(self.time),
            "tenant": self.mailbox.tenant.id,
            "client": self.mailbox.client_id,
            "user": self.mailbox.user,
            "mailbox": self.mailbox.address,
            "from": next(iter(mail_content.addresses(self.content, "from")), ""),
            "envelope_from": self.envelope_from,
            "to": [mail_content.shown(address) for address in self.envelope_to],
            "subject": next((text for name, text in headers if name.lower() == "subject"), ""),
            "headers": headers,
            "text": mail_content.text(self.content),
        }


class Exchange:
    """The mail side of all tenants."""

    def __init__(
        self,
        clock: Clock,
        tenant: Callable[[str], Tenant | None],
        verify: Callable[[str], dict[str, Any]],
    ) -> None:
        """Serve the tenants that `tenant` finds; `verify` reads tokens by their signature."""
        self._clock = clock
        self._tenant = tenant
        self._verify = verify
        self._mails: list[Mail] = []
        self._switches: dict[str, TenantSwitches] = {}
        self._sending: Counter[str] = Counter()
        self.server = ServerSwitches()

    def switches(self, tenant_id: str) -> TenantSwitches:
        """Return what is set for a tenant."""
        return self._switches.setdefault(tenant_id, TenantSwitches())

    def outbox(self) -> list[Mail]:
        """List the mails that have gone out by now, oldest first."""
        now = self._clock.now()
        return sorted((m for m in self._mails if m.time <= now), key=lambda mail: mail.time)

    def sign_in(self, user: str, token: str) -> Mailbox:
        """Judge what came with XOAUTH2. SmtpRefusal if the mailbox is not to be opened."""
        now = self._clock.now()
        claims = self._claims(token)
        tenant = self._tenant(str(claims.get("tid", "")))
        if tenant is None:
            raise replies.bad_token(now)
        switches = self.switches(tenant.id)
        if not set(str(claims.get("scp", "")).split()) & set(switches.accepted_scopes):
            raise replies.bad_token(now)
        bearer = next((u for u in tenant.live(Kind.USER) if u.id == claims.get("oid")), None)
        owner = _owner(tenant, user)
        if bearer is None or owner is None or not bearer.body["accountEnabled"]:
            raise replies.bad_token(now)
        settings = switches.mailbox(owner.body["mail"])
        sign_in_name = str(bearer.body["userPrincipalName"])
        may_open = bearer.id == owner.id or sign_in_name.lower() in map(
            str.lower, settings.delegates
        )
        if not settings.exists or not may_open:
            raise replies.bad_token(now)
        self._check_policies(switches, settings)
        return Mailbox(tenant, owner, sign_in_name, str(claims.get("appid", "")))

    def _claims(self, token: str) -> dict[str, Any]:
        now = self._clock.now()
        try:
            claims = self._verify(token)
        except jwt.InvalidTokenError as error:
            raise replies.bad_token(now) from error
        # A token is good for its own time only, at the tenant's clock.
        in_time = float(claims.get("nbf", 0)) - 300 <= now.timestamp() < float(claims["exp"])
        if claims.get("aud") not in _AUDIENCES or not in_time:
            raise replies.bad_token(now)
        return claims

    def _check_policies(self, switches: TenantSwitches, settings: MailboxSwitches) -> None:
        """Raise SmtpRefusal where an administrator keeps SMTP out; a mailbox's own setting wins."""
        now = self._clock.now()
        if switches.security_defaults:
            raise replies.security_defaults(now)
        if settings.smtp_auth_disabled:
            raise replies.smtp_auth_disabled("Mailbox", now)
        if settings.smtp_auth_disabled is None and switches.smtp_auth_disabled:
            raise replies.smtp_auth_disabled("Tenant", now)
        if switches.conditional_access:
            raise replies.conditional_access(now)

    def begin_sending(self, mailbox: Mailbox) -> None:
        """Count one more connection that hands a mail in."""
        self._sending[mailbox.owner.id] += 1

    def end_sending(self, mailbox: Mailbox) -> None:
        """Count one less."""
        self._sending[mailbox.owner.id] -= 1

    def submit(self, mailbox: Mailbox, sender: str, recipients: list[str], content: bytes) -> str:
        """Take a mail and return the reply. SmtpRefusal if it is not taken."""
        message = mail_content.read(content)
        switches = self.switches(mailbox.tenant.id)
        settings = switches.mailbox(mailbox.address)
        if self._sending[mailbox.owner.id] > switches.connections_per_mailbox:
            raise replies.too_many_connections()
        authors = mail_content.addresses(message, "from")
        senders = mail_content.addresses(message, "sender")
        if len(authors) > 1 and len(senders) != 1:
            raise replies.several_authors()
        for address in (sender, *(authors or [""]), *senders):
            if address.lower() not in mailbox.addresses:
                raise replies.send_as_denied(mailbox.address, address)
        if settings.blocked:
            raise replies.blocked_sender()
        if settings.full:
            raise replies.mailbox_full()
        if self._recipients_today(mailbox) + len(recipients) > switches.recipients_per_day:
            raise replies.too_many_recipients()
        time = self._next_slot(mailbox, switches.messages_per_minute)
        self._mails.append(Mail(mailbox, time, sender, tuple(recipients), message))
        made_up = f"<{uuid.uuid4()}@{replies.HOST}>"
        return replies.accepted(mail_content.message_id(message) or made_up)

    def _of(self, mailbox: Mailbox) -> list[Mail]:
        return [mail for mail in self._mails if mail.mailbox.owner.id == mailbox.owner.id]

    def _recipients_today(self, mailbox: Mailbox) -> int:
        since = self._clock.now() - _DAY
        return sum(len(mail.envelope_to) for mail in self._of(mailbox) if mail.time > since)

    def _next_slot(self, mailbox: Mailbox, per_minute: int) -> datetime:
        """Find the minute that has room: what is too much is carried over, not refused."""
        times = [mail.time for mail in self._of(mailbox)]
        slot = self._clock.now()
        while sum(slot - _MINUTE < time <= slot for time in times) >= per_minute:
            slot = min(time for time in times if time > slot - _MINUTE) + _MINUTE
        return slot


def _owner(tenant: Tenant, name: str) -> Record | None:
    """Find the user with a mailbox whose sign-in name or primary address this is."""
    for user in tenant.live(Kind.USER):
        mail, sign_in_name = user.body["mail"], user.body["userPrincipalName"]
        if mail and name.lower() in (mail.lower(), sign_in_name.lower()):
            return user
    return None


def exchange_of(cloud: Cloud) -> Exchange:
    """Return a cloud's Exchange."""
    return cloud.part(Exchange, lambda: Exchange(cloud.clock, cloud.tenant, cloud.key.verify))
