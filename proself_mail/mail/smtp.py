"""One mail through Exchange Online, by STARTTLS and AUTH XOAUTH2, with every refusal kept as said.

The token goes out only after TLS with a checked certificate. What a refusal means is
`diagnosis`'s; it retries nothing, for the proof is to show what Proself would meet.
"""

import base64
import contextlib
import io
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING, cast

from proself_mail.secret import Secret
from proself_mail.text.quotation import quoted, without_pieces

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PATIENCE = timedelta(seconds=30)
"""How long each answer may take to its end; Exchange Online answers within one."""
_CHALLENGE, _AUTHENTICATED = 334, 235
"""Reply codes to AUTH (RFC 4954)."""
_LONGEST_ANSWER = 65536
"""Bytes of one; of real servers it is the list of what they offer, within a thousand."""


@dataclass(frozen=True)
class Server:
    """An SMTP server for submission with STARTTLS."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class SmtpRefused(Exception):
    """The mail was not accepted."""

    def __init__(self, stage: str, said: str, *, connection: str = "") -> None:
        super().__init__(said)
        self.stage = stage
        """`connection`, `authentication`, or `mail`."""
        self.said = said
        """The server's reply; where there is none, what happened."""
        self.connection = connection
        """Key of the diagnosis where the connection itself failed (`smtp_replies.CONNECTION`)."""


def deliver(server: Server, user: str, token: Secret, message: EmailMessage) -> str:
    """Send a message from and to whom it names; return the server's word of acceptance.

    Blocks. Raises `SmtpRefused`.
    """
    stage = "connection"
    try:
        with _connected(server) as smtp:
            stage = "authentication"
            _authenticate(smtp, server, user, token)
            stage = "mail"
            return _submit(smtp, message)
    except SmtpRefused:
        raise
    except smtplib.SMTPResponseException as error:
        raise SmtpRefused(stage, _reply(error.smtp_code, error.smtp_error)) from error
    except TimeoutError as error:
        raise _failed(stage, server, "connection-silent", error) from error
    except smtplib.SMTPServerDisconnected as error:
        # smtplib's word for a read that took too long, too.
        silent = isinstance(error.__context__, TimeoutError)
        key = "connection-silent" if silent else "connection-dropped"
        raise _failed(stage, server, key, error) from error
    except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
        raise _failed(stage, server, "connection-dropped", error) from error


class _Smtp(smtplib.SMTP):
    """A connection each of whose answers has an end: smtplib's own patience is with each read.

    None of them tells what was sent to authenticate, for a server may repeat it.
    """

    sent: tuple[str, ...] = ()
    """The token, and the forms that it was sent in."""

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer, of however many lines. Raises `SMTPException` for one of no SMTP."""
        if self.file is None:
            self.file = _Lines(_Bounded(cast(socket.socket, self.sock)))
        lines = cast(_Lines, self.file)
        lines.bounded.begin()
        code, said = super().getreply()
        if code not in range(200, 600):  # or smtplib's -1, and words that are cut
            self.close()
            line = self._covered(lines.last).decode("utf-8", "replace").strip()
            raise smtplib.SMTPException(f"{line} (no SMTP)")
        return code, self._covered(said)

    def _covered(self, said: bytes) -> bytes:
        text = said.decode("utf-8", "surrogateescape")
        for each in self.sent:
            text = without_pieces(text, each)
        return text.encode("utf-8", "surrogateescape")


class _Lines(io.BufferedReader):
    """What a server sends, line by line."""

    last = b""
    """The last one, whole."""

    def __init__(self, bounded: "_Bounded") -> None:
        super().__init__(bounded)
        self.bounded = bounded

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line."""
        self.last = super().readline(size)
        return self.last


class _Bounded(io.RawIOBase):
    """What a server sends, as far as one answer may go, in time and in bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def begin(self) -> None:
        """Begin to read an answer."""
        self._ends = time.monotonic() + PATIENCE.total_seconds()
        self._bytes_left = _LONGEST_ANSWER

    def readable(self) -> bool:
        """Say that it can be read from."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read some of an answer. Raises `TimeoutError`, `OSError` where it has no end."""
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        if self._bytes_left <= 0:
            raise OSError(f"an answer of more than {_LONGEST_ANSWER} bytes")
        self._socket.settimeout(seconds)
        try:
            count = self._socket.recv_into(buffer)
        finally:
            self._socket.settimeout(PATIENCE.total_seconds())
        self._bytes_left -= count
        return count


@contextlib.contextmanager
def _connected(server: Server) -> Iterator[_Smtp]:
    """Connect and encrypt."""
    try:
        smtp = _Smtp(server.host, server.port, timeout=PATIENCE.total_seconds())
    except (smtplib.SMTPException, TimeoutError):
        raise
    except OSError as error:
        raise _failed("connection", server, "connection-refused", error) from error
    try:
        smtp.ehlo_or_helo_if_needed()
        if not smtp.has_extn("starttls"):
            raise SmtpRefused(
                "connection", f"{server} does not offer STARTTLS", connection="starttls-not-offered"
            )
        try:
            smtp.starttls(context=ssl.create_default_context())
        except ssl.SSLCertVerificationError as error:
            raise SmtpRefused(
                "connection",
                f"{server} shows a certificate that is not to be trusted: {error.verify_message}",
                connection="certificate-wrong",
            ) from error
        smtp.ehlo()
        yield smtp
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
    finally:
        smtp.close()


def _authenticate(smtp: _Smtp, server: Server, user: str, token: Secret) -> None:
    if "XOAUTH2" not in smtp.esmtp_features.get("auth", "").upper().split():
        raise SmtpRefused(
            "authentication", f"{server} does not offer AUTH XOAUTH2", connection="xoauth2-missing"
        )

    response = f"user={user}\x01auth=Bearer {token.reveal()}\x01\x01"
    encoded = base64.b64encode(response.encode()).decode()
    smtp.sent = token.reveal(), encoded
    code, said = smtp.docmd("AUTH", f"XOAUTH2 {encoded}")
    if code == _CHALLENGE:  # an error as JSON; the reply that follows says it in words
        code, said = smtp.docmd("")
    if code != _AUTHENTICATED:
        raise SmtpRefused("authentication", _reply(code, said))


def _submit(smtp: smtplib.SMTP, message: EmailMessage) -> str:
    """Hand the message over, command by command, for the last reply names it in the queue."""
    sender, recipient = str(message["From"]), str(message["To"])
    _accepted(*smtp.mail(sender))
    _accepted(*smtp.rcpt(recipient))
    return _accepted(*smtp.data(message.as_bytes()))


def _accepted(code: int, said: bytes) -> str:
    if code not in (250, 251):
        raise SmtpRefused("mail", _reply(code, said))
    return _reply(code, said)


def _reply(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return quoted(f"{code} {text}")


def _failed(stage: str, server: Server, key: str, error: Exception) -> SmtpRefused:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return SmtpRefused(stage, quoted(f"{server}: {reason}"), connection=key)
