"""Exchange Online's SMTP submission: STARTTLS, XOAUTH2, mails; spoken by aiosmtpd.

Who may sign in and send is `exchange`'s to judge. Of what Exchange offers after EHLO, CHUNKING,
BINARYMIME and DSN are left out: aiosmtpd does not speak them. The dialogue is kept for the admin
port, with everything that was said to AUTH masked.
"""

import asyncio
import base64
import binascii
import logging
import re
import weakref
from typing import Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, Session, TLSSetupException

from emulator.cloud import Cloud
from emulator.exchange import smtp_replies as replies
from emulator.exchange.exchange import exchange_of
from emulator.exchange.smtp_connection import Connection
from emulator.exchange.smtp_replies import SmtpRefusal
from emulator.exchange.smtp_script import Step
from emulator.history import Dialogue
from emulator.tls import Identity

_LARGEST_MAIL = 157_286_400
_MOST_RECIPIENTS = 500
"""Of one mail, where no administrator has set another number."""
_MECHANISMS = ("LOGIN", "XOAUTH2")

_ATOM, _LABEL = r"[^\s\"(),.:;<>@\[\\\]\x00-\x1f\x7f]+", r"\w(?:[\w-]*\w)?"
_MAILBOX = re.compile(
    rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\]|\\.)*")'
    rf"@(?:{_LABEL}(?:\.{_LABEL})*|\[[^\[\]\s]+\])"
)
"""What RFC 5321 and, for other letters, RFC 6531 call so."""

_LOG = logging.getLogger(__name__)
logging.getLogger("mail.log").setLevel(logging.ERROR)


class SmtpServer:
    """Makes the protocol of each connection, and ends them all."""

    def __init__(self, cloud: Cloud, identity: Identity) -> None:
        self._cloud = cloud
        self._identity = identity
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()

    def connection(self) -> SMTP:
        """Return the protocol for a new connection."""
        cloud = self._cloud
        server = exchange_of(cloud).server
        context = self._identity.server_context(server.certificate) if server.starttls else None
        dialogue = Dialogue(cloud.clock.now())
        cloud.history.dialogues.append(dialogue)
        connection = Connection(
            _Handler(cloud),
            cloud=cloud,
            dialogue=dialogue,
            tls_context=context,
            hostname=replies.HOST,
            ident=replies.greeting(cloud.clock.now()),
            data_size_limit=_LARGEST_MAIL,
            enable_SMTPUTF8=True,
            auth_exclude_mechanism=["PLAIN"],
            loop=asyncio.get_running_loop(),
        )
        self._open.add(connection)
        return connection

    def close(self) -> None:
        """End every connection, those that hang too."""
        for connection in self._open:
            if connection.transport is not None:
                connection.transport.close()


class _Handler:
    """The hooks that aiosmtpd calls; what they return goes over the wire."""

    def __init__(self, cloud: Cloud) -> None:
        self._exchange = exchange_of(cloud)
        self._now = cloud.clock.now
        self._tenant = cloud.tenant

    async def handle_exception(self, error: Exception) -> str:
        """Log what went wrong, unless it is a client that did not like the certificate."""
        if not isinstance(error, TLSSetupException):
            _LOG.error("the SMTP server failed", exc_info=error)
        return replies.LOCAL_ERROR

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's name)
        self,
        _: Connection,
        session: Session,
        __: Envelope,
        hostname: str,
        offered: list[str],
    ) -> list[str]:
        """Offer what Exchange offers, in its order."""
        session.host_name = hostname
        lines = [_hello(session), f"SIZE {_LARGEST_MAIL}", "PIPELINING"]
        lines.append("ENHANCEDSTATUSCODES")
        if any("STARTTLS" in line for line in offered):
            lines.append("STARTTLS")
        if session.ssl is not None:
            lines.append(f"AUTH {' '.join(_MECHANISMS)}")
        lines += ["8BITMIME", "SMTPUTF8"]
        return [*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]

    async def handle_MAIL(  # noqa: N802
        self, _: Connection, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, or none; whether he may is said after the message."""
        if address != "<>" and not _MAILBOX.fullmatch(address):
            return replies.invalid_address("5.1.7", self._now())
        if not (address.isascii() or envelope.smtp_utf8):
            return replies.not_ascii(550, self._now())
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return replies.SENDER_OK

    async def handle_RCPT(  # noqa: N802
        self, _: Connection, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient; `<postmaster>` needs no domain (RFC 5321, 4.1.1.3)."""
        if address.lower() != "postmaster" and not _MAILBOX.fullmatch(address):
            return replies.invalid_address("5.1.3", self._now())
        if not (address.isascii() or envelope.smtp_utf8):
            return replies.not_ascii(553, self._now())
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return replies.too_many_in_one_mail(self._now())
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return replies.RECIPIENT_OK

    async def handle_HELO(  # noqa: N802
        self, _: Connection, session: Session, __: Envelope, hostname: str
    ) -> str:
        """Greet a client of the older protocol."""
        session.host_name = hostname
        return f"250 {_hello(session)}"

    async def handle_VRFY(self, *_: Any) -> str:  # noqa: N802
        """Tell nothing of an address."""
        return replies.CANNOT_VERIFY

    async def handle_RSET(self, *_: Any) -> str:  # noqa: N802
        """Forget the mail under way."""
        return replies.RESETTING

    async def handle_NOOP(self, *_: Any) -> str:  # noqa: N802
        """Do nothing."""
        return replies.OK

    async def handle_QUIT(self, *_: Any) -> str:  # noqa: N802
        """Say good-bye."""
        return replies.QUIT

    async def handle_DATA(  # noqa: N802
        self, server: Connection, _: Session, envelope: Envelope
    ) -> str:
        """Take the mail, or say why not."""
        scripted = await server.scripted(Step.MESSAGE)
        if scripted is not None:
            return scripted
        mailbox, content = server.mailbox, envelope.original_content
        if mailbox is None or content is None:
            return replies.not_authenticated(self._now())
        try:
            return self._exchange.submit(
                mailbox, envelope.mail_from or "", envelope.rcpt_tos, content
            )
        except SmtpRefusal as refusal:
            return str(refusal)

    async def auth_XOAUTH2(self, server: Connection, arguments: list[str]) -> AuthResult:  # noqa: N802
        """Sign in by a token, in one line or in two steps."""
        if len(arguments) == 1:
            said = await server.challenge_auth(b"", encode_to_b64=False)
            if said is MISSING:
                return AuthResult(success=False, handled=True)
        else:
            try:
                said = base64.b64decode(arguments[1], validate=True)
            except binascii.Error:
                return _refused(replies.UNDECODABLE)
        try:
            user, token = parse_xoauth2(bytes(said))
            mailbox = self._exchange.sign_in(user, token)
        except SmtpRefusal as refusal:
            return _refused(refusal)
        server.mailbox = mailbox
        return AuthResult(success=True, auth_data=mailbox, message=replies.AUTHENTICATED)

    async def auth_LOGIN(self, server: Connection, arguments: list[str]) -> AuthResult:  # noqa: N802
        """Refuse a password, once it has been typed."""
        try:
            said = [base64.b64decode(one, validate=True) for one in arguments[1:]]
        except binascii.Error:
            return _refused(replies.UNDECODABLE)
        for challenge in ("Username:", "Password:")[len(arguments) - 1 :]:
            answer = await server.challenge_auth(challenge)
            if answer is MISSING:
                return AuthResult(success=False, handled=True)
            said.append(bytes(answer))
        tenant = self._tenant(said[0].decode("utf-8", "replace").rpartition("@")[2])
        removed = tenant is not None and (
            self._exchange.switches(tenant.id).basic_authentication_removed
        )
        return _refused(replies.basic_authentication(removed, self._now()))


def parse_xoauth2(said: bytes) -> tuple[str, str]:
    """Read `user=…^Aauth=Bearer …^A^A`. SmtpRefusal if it is something else."""
    fields = dict(
        part.partition("=")[::2] for part in said.decode("utf-8", "replace").split("\x01") if part
    )
    user, (scheme, _, token) = fields.get("user", ""), fields.get("auth", "").partition(" ")
    if not user or scheme.lower() != "bearer" or not token or not said.endswith(b"\x01\x01"):
        raise replies.malformed_xoauth2()
    return user, token


def _hello(session: Session) -> str:
    peer = session.peer[0] if session.peer else ""
    return f"{replies.HOST} Hello [{peer}]"


def _refused(refusal: SmtpRefusal) -> AuthResult:
    return AuthResult(success=False, handled=False, message=str(refusal))
