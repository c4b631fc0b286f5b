"""Exchange Online's replies to an SMTP client: codes and texts; FIDELITY.md has their sources.

Where a text ends in a host, a time and an id, those are made up in Exchange's form. What an error
page calls `…` in a text is left out here: no text of Microsoft's is invented.
"""

import re
import secrets
from datetime import datetime

HOST = "TYAPR01CA0001.outlook.office365.com"
"""The server's name in the greeting; made up in the form of real ones."""
_BACKEND = "TYAPR01MB0001.jpnprd01.prod.outlook.com"

START_TLS = "220 2.0.0 SMTP server ready"
AUTHENTICATED = "235 2.7.0 Authentication successful"
QUIT = "221 2.0.0 Service closing transmission channel"
SENDER_OK = "250 2.1.0 Sender OK"
RECIPIENT_OK = "250 2.1.5 Recipient OK"
START_DATA = "354 Start mail input; end with <CRLF>.<CRLF>"
RESETTING = "250 2.0.0 Resetting"
OK = "250 2.0.0 OK"
LOCAL_ERROR = "451 4.3.0 Error in processing"
"""Of this server itself, which no client should ever see."""
CANNOT_VERIFY = "252 2.1.5 Cannot VRFY user"
HELP = (
    "214-This server supports the following commands:",
    "214 HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH",
)

_NAMED = re.compile(r"[!-~]+@[!-~]+")
"""An address that a reply may hold (RFC 5321, 4.2)."""

_UNSUCCESSFUL = "535 5.7.139 Authentication unsuccessful,"

_WORDS_OF_LIBRARY = {
    "500 Command line too long": "500 5.5.2 Command line too long",
    "500 Line too long": "500 5.5.2 Line too long",
    "501 Syntax: EHLO": "501 5.5.4 Invalid domain name",
    "501 Syntax: HELO": "501 5.5.4 Invalid domain name",
    "501 Syntax": "501 5.5.4 Invalid arguments",
    "501 Error": "501 5.5.4 Invalid arguments",
    "501 Not enough value": "501 5.5.4 Invalid arguments",
    "501 Too many values": "501 5.5.4 Invalid arguments",
    "502 5.5.1 Too many unrecognized": "421 4.7.0 Too many unrecognized commands",
    "503 Already authenticated": "503 5.5.1 Already authenticated",
    "503 Error: send": "503 5.5.2 Send hello first",
    "503 Error: nested MAIL": "503 5.5.2 Sender already specified",
    "503 Error: need MAIL": "503 5.5.2 Need mail command",
    "503 Error: need RCPT": "503 5.5.2 Need rcpt command",
    "504 5.5.4 Unrecognized authentication": "504 5.7.4 Unrecognized authentication type",
    "538 5.7.11 Encryption required": "504 5.7.4 Unrecognized authentication type",
    "552 Error": "552 5.3.4 Message size exceeds fixed maximum message size",
    "555 MAIL FROM parameters": "555 5.5.4 Unsupported parameters",
    "555 RCPT TO parameters": "555 5.5.4 Unsupported parameters",
}
"""How aiosmtpd's refusals begin, and what Exchange says; of two that fit, the first."""

_COMMANDS_OF_LIBRARY = {
    "454 TLS": "STARTTLS",
    "500 Error: bad syntax": "",
    "500 Error: command 'AUTH'": "AUTH",
    "502 EXPN": "EXPN",
}
"""How its refusals of a command begin that is not offered, and which that is."""


class SmtpRefusal(Exception):
    """A reply that refuses; its text is what goes over the wire."""


UNDECODABLE = SmtpRefusal("501 5.5.2 Can't decode base64")
"""aiosmtpd's own; Exchange's is not known."""


def greeting(now: datetime) -> str:
    """Write what comes after `220`."""
    return f"Microsoft ESMTP MAIL Service ready at {now:%a, %d %b %Y %H:%M:%S} +0000 [{_id()}]"


def _id() -> str:
    return f"08DE{secrets.token_hex(6).upper()}"


def bracket(now: datetime) -> str:
    """Write what the front end's refusals end with, by which support finds them."""
    front_end = HOST.partition(".")[0]
    stamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"[{front_end}.JPNP301.PROD.OUTLOOK.COM {stamp} {_id()}]"


def accepted(message_id: str) -> str:
    """Reply to a message that is taken."""
    return f"250 2.0.0 OK {message_id} [Hostname={_BACKEND}]"


def bad_token(now: datetime) -> SmtpRefusal:
    """Refuse: token, scope, user or mailbox; Exchange does not say which."""
    return SmtpRefusal(f"535 5.7.3 Authentication unsuccessful {bracket(now)}")


def malformed_xoauth2() -> SmtpRefusal:
    """Refuse what is no `user=…^Aauth=Bearer …^A^A`."""
    return SmtpRefusal("501 5.5.124 Invalid XOAUTH2 auth data")


def smtp_auth_disabled(scope: str, now: datetime) -> SmtpRefusal:
    """Refuse: authenticated SMTP is off for the `Tenant` or the `Mailbox`."""
    return SmtpRefusal(
        f"{_UNSUCCESSFUL} SmtpClientAuthentication is disabled for the {scope}. Visit "
        f"https://aka.ms/smtp_auth_disabled for more information. {bracket(now)}"
    )


def security_defaults(now: datetime) -> SmtpRefusal:
    """Refuse: the organization has security defaults on."""
    return SmtpRefusal(
        f"{_UNSUCCESSFUL} user is locked by your organization's security defaults policy. Contact "
        f"your administrator. {bracket(now)}"
    )


def conditional_access(now: datetime) -> SmtpRefusal:
    """Refuse: a policy of Conditional Access is not met."""
    return SmtpRefusal(
        f"{_UNSUCCESSFUL} the request did not meet the criteria to be authenticated successfully. "
        f"Contact your administrator. {bracket(now)}"
    )


def basic_authentication(removed: bool, now: datetime) -> SmtpRefusal:
    """Refuse a password: disabled, or removed for good."""
    if removed:
        return SmtpRefusal(
            "550 5.7.30 Basic authentication is not supported for Client Submission. "
            f"{bracket(now)}"
        )
    return SmtpRefusal(f"{_UNSUCCESSFUL} basic authentication is disabled. {bracket(now)}")


def unknown_command(word: str, now: datetime) -> str:
    """Refuse a command that is none, or is not offered; `word` is empty if it is not known."""
    said = f"Length: {len(word)}" if word else "unknown"
    return f"500 5.3.3 Unrecognized command '{said}' {bracket(now)}"


def in_exchanges_words(text: str, now: datetime) -> str:
    """Say what aiosmtpd wants to say as Exchange does; what is Exchange's stays as it is."""
    if text.startswith("220 Ready"):
        return START_TLS
    if text.startswith("354 "):
        return START_DATA
    for beginning, word in _COMMANDS_OF_LIBRARY.items():
        if text.startswith(beginning):
            return unknown_command(word, now)
    for beginning, instead in _WORDS_OF_LIBRARY.items():
        if text.startswith(beginning):
            return f"{instead} {bracket(now)}"
    return text


def tls_already(now: datetime) -> str:
    """Refuse to begin TLS inside of TLS."""
    return f"503 5.5.2 Only one STARTTLS command can be issued per session {bracket(now)}"


def not_authenticated(now: datetime) -> str:
    """Refuse to take a mail from somebody who has not signed in."""
    return f"530 5.7.57 Client not authenticated to send mail. {bracket(now)}"


def invalid_address(code: str, now: datetime) -> str:
    """Refuse an address that is none: 5.1.7 a sender's, 5.1.3 a recipient's."""
    return f"501 {code} Invalid address {bracket(now)}"


def not_ascii(code: int, now: datetime) -> str:
    """Refuse an address that needs SMTPUTF8 where it was not asked for: a sender 550, else 553."""
    return (
        f"{code} 5.6.7 Non-ASCII addresses not permitted for that sender/recipient {bracket(now)}"
    )


def too_many_in_one_mail(now: datetime) -> str:
    """Refuse one recipient more than a mail may have."""
    return f"452 4.5.3 Too many recipients {bracket(now)}"


def _submission(text: str) -> SmtpRefusal:
    return SmtpRefusal(f"{text} [Hostname={_BACKEND}]")


def send_as_denied(mailbox: str, sender: str) -> SmtpRefusal:
    """Refuse: From or the envelope's sender is not the signed-in mailbox, or is no address."""
    if not _NAMED.fullmatch(sender):
        return SmtpRefusal(
            f"550 5.7.60 SMTP; Client does not have permissions to send as this sender [{_BACKEND}]"
        )
    return _submission(
        f"554 5.2.252 SendAsDenied; {mailbox} not allowed to send as {sender}; "
        "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied;"
    )


def several_authors() -> SmtpRefusal:
    """Refuse: From has several addresses, and no Sender says who of them sends."""
    return _submission("550 5.1.20 Multiple From addresses are not allowed without Sender address")


def too_many_connections() -> SmtpRefusal:
    """Refuse: a mailbox sends by more connections at the same time than it may."""
    return _submission(
        "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending "
        "for more information."
    )


def too_many_recipients() -> SmtpRefusal:
    """Refuse: the mailbox has written to as many recipients as it may in a day."""
    return _submission("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException")


def mailbox_full() -> SmtpRefusal:
    """Refuse: there is no room for the copy in Sent Items."""
    return _submission(
        "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException"
    )


def blocked_sender() -> SmtpRefusal:
    """Refuse: the sender is on the list of those restricted for spam."""
    return _submission("550 5.1.8 Bad outbound sender")
