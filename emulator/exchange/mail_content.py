"""What a mail says: its headers, the addresses in them and its text, however ill-formed they are.

Python's parser of headers fails on much that clients may send, by errors of every sort. A header
that it fails on is the text that came.
"""

import email.policy
import email.utils
import re
from email.headerregistry import BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

_MESSAGE_ID = re.compile(r"<[!-~]+>")


class _AsItCame(BaseHeader):
    """A header that could not be parsed, of whatever name."""

    content_disposition = None
    """What the search for a mail's text asks of a header of this name."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds |= {"decoded": value, "parse_tree": None}


class _Headers(HeaderRegistry):
    """Makes the header of a name and a value."""

    def __call__(self, name: str, value: Any) -> BaseHeader:
        try:
            return super().__call__(name, value)
        except Exception:
            return _AsItCame(name, value)


_PARSER = BytesParser(
    _class=EmailMessage, policy=email.policy.EmailPolicy(header_factory=_Headers())
)


def read(content: bytes) -> EmailMessage:
    """Read what followed DATA."""
    return _PARSER.parsebytes(content)


def addresses(message: EmailMessage, header: str) -> list[str]:
    """Read the addresses of a header, however often it stands there; empty for what is none."""
    values = map(str, message.get_all(header, []))
    try:
        return [address for _, address in email.utils.getaddresses(values)]
    except RecursionError:  # a great many brackets
        return [""]


def message_id(message: EmailMessage) -> str:
    """Read the Message-ID, empty for none and for one that no reply may hold (RFC 5321, 4.2)."""
    said = str(message["message-id"] or "").strip()
    return said if _MESSAGE_ID.fullmatch(said) else ""


def headers(message: EmailMessage) -> list[tuple[str, str]]:
    """Read the headers, decoded."""
    return [(name, shown(str(value))) for name, value in message.items()]


def text(message: EmailMessage) -> str:
    """Read the text of a mail; what its character set cannot be read by, as far as it is ASCII."""
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        return shown(str(part.get_content()))
    except (LookupError, ValueError):  # a character set that is none, or none of texts
        content = part.get_payload(decode=True)
        return content.decode("ascii", "backslashreplace") if isinstance(content, bytes) else ""


def shown(text: str) -> str:
    """Write half of a surrogate pair, which no text in JSON may have, by its number."""
    return text.encode("utf-8", "backslashreplace").decode()
