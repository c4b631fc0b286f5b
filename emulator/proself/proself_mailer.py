"""How the model of Proself sends a mail: SMTP with STARTTLS and AUTH XOAUTH2, as a client of all.

It blocks, so it runs in a thread. Nothing here knows who answers at the other end.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message

_PATIENCE_SECONDS = 10


class NotSent(Exception):
    """A mail that was not taken; the text is the server's reply, or what the connection did."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One mail, and the way that it goes."""

    host: str
    port: int
    trust: ssl.SSLContext
    starttls: bool
    message: Message
    sender: str
    recipient: str
    user: str = ""
    """Who signs in; empty for nobody."""
    token: str = field(default="", repr=False)

    def carry_out(self) -> str:
        """Hand the mail over and return the server's last reply. Raises `NotSent`."""
        with _told(), smtplib.SMTP(self.host, self.port, timeout=_PATIENCE_SECONDS) as client:
            if self.starttls:
                _taken(client.starttls(context=self.trust))
            client.ehlo()
            if self.user:
                said = f"user={self.user}\x01auth=Bearer {self.token}\x01\x01"
                client.auth("XOAUTH2", lambda _=None: said)
            _taken(client.mail(self.sender))
            _taken(client.rcpt(self.recipient))
            return _taken(client.data(self.message.as_bytes()))


def _taken(reply: tuple[int, bytes]) -> str:
    code, text = reply
    said = f"{code} {text.decode('utf-8', 'replace')}"
    if code >= 400:
        raise NotSent(said)
    return said


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the library raises into `NotSent`."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        raise NotSent(f"{error.smtp_code} {said}") from error
    except (smtplib.SMTPException, OSError, UnicodeError) as error:  # a name's labels, in IDNA
        raise NotSent(f"SMTPサーバーと通信できません: {error}") from error
