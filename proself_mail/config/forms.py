"""The forms that the values of a stack's configuration have, by themselves.

Each reads what a person wrote and returns it in its one form, or raises `ValueError` saying what
is wrong with it. What values mean together is `settings`'.
"""

import re
import unicodedata
import uuid
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from proself_mail.schedule import format_instant, parse_instant
from proself_mail.text.quotation import literal

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_YAML_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+")
"""How Pulumi gives an instant that stands in a stack file without quotes, inside of a list."""


def _half_width(text: str) -> str:
    """Return what was meant by text that an input method for Japanese wrote full-width."""
    return unicodedata.normalize("NFKC", text.replace("。", ".")).strip()


def _check_width(text: str) -> None:
    wide = [each for each in text if unicodedata.east_asian_width(each) == "F" or each == "。"]
    if wide:
        listed = ", ".join(
            "a space (U+3000)" if each == "\u3000" else each for each in dict.fromkeys(wide)
        )
        raise ValueError(
            f"{literal(text)} has full-width characters (全角) where half-width ones (半角) "
            f"belong: {listed}"
        )


def _lowercase_host(host: str) -> str:
    name = host.lower()
    is_number = name.rpartition(".")[2].isdigit()
    if len(name) > 253 or is_number or not _HOST.fullmatch(name):
        raise ValueError(f"{literal(host)} is not a host name")
    return name


def _server(text: str) -> str:
    _check_width(text)
    if "://" in text:
        raise ValueError(f"{literal(text)} has a scheme: give the host name alone")
    if "/" in text:
        raise ValueError(f"{literal(text)} has a path: give the host name alone")
    if text.startswith("[") or text.count(":") > 1:
        raise ValueError(f"{literal(text)} is not a host name: give a name, and no address")
    host, colon, port = text.partition(":")
    if not host.isascii() or any(label.startswith("xn--") for label in host.lower().split(".")):
        raise ValueError(
            f"{literal(host)} is an international host name, which Entra takes in no redirect "
            "URI: give the server a name of plain letters, digits and hyphens too"
        )
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{literal(port)} is not a port")
    host = _lowercase_host(host)
    # A browser leaves the usual port out of the address that it is sent back to.
    return host if not colon or int(port) == 443 else f"{host}:{int(port)}"


def server_of(address: str) -> str | None:
    """Return the server in an address as a browser shows it; None where there is none."""
    text = _half_width(address)
    bare = text.partition("://")[2] or text
    try:
        return _server(re.split(r"[/?#]", bare)[0])
    except ValueError:
        return None


def _mail_address(text: str) -> str:
    _check_width(text)
    local, at, domain = text.rpartition("@")
    if not at or not _MAIL_ADDRESS.fullmatch(local) or "." not in domain:
        raise ValueError(f"{literal(text)} is not a mail address")
    return f"{local}@{_lowercase_host(domain)}"


def mailbox_of(text: str) -> str | None:
    """Return the mail address that text has but for its width and spaces; None without one."""
    try:
        return _mail_address(_half_width(text))
    except ValueError:
        return None


def _tenant_or_blank(value: object) -> str:
    try:
        return "" if value == "" else str(uuid.UUID(str(value)))
    except ValueError:
        raise ValueError(f"{literal(value)} is neither blank nor a UUID") from None


def _instant(value: object) -> datetime:
    text = str(value)
    if _YAML_TIMESTAMP.fullmatch(text):
        text = text.rpartition(" ")[0]
    try:
        return parse_instant(text)
    except ValueError:
        raise ValueError(
            f"{literal(value)} is not an instant with a time zone, such as 2027-04-01T00:00:00Z"
        ) from None


def _beginning(value: object) -> datetime:
    """Read an instant that has room for time before and after it, to reckon with."""
    instant = _instant(value)
    if not 1970 <= instant.year < 3000:
        raise ValueError(f"{literal(value)} is not an instant of the years from 1970 to 2999")
    return instant


def path_here(text: str) -> str:
    """Return the path itself. Raises `ValueError` where its home folder is nobody's."""
    try:
        Path(text).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{literal(text)} begins in the home folder of nobody on this machine"
        ) from None
    return text


def one_line(text: str) -> str:
    """Return the text itself, as a console shows it. Raises `ValueError` for any other."""
    # Spaces other than U+0020, such as the full-width one, are unprintable to Python.
    shown = (each.isprintable() or unicodedata.category(each) == "Zs" for each in text)
    if text != text.strip() or not all(shown):
        raise ValueError(
            "it must be one line without spaces at its ends, and without invisible characters"
        )
    return text


def _one_permission(text: str) -> str:
    if len(words(text)) != 1:
        raise ValueError(f"{literal(text)} is not the name of one permission")
    return text


def words(text: str) -> list[str]:
    """Return the names in a text that has several, as it was meant."""
    return [word for word in re.split(r"[\s,;]+", text) if word]


def _no_truth(value: object) -> object:
    if isinstance(value, bool):  # which is a number to Python
        raise PydanticCustomError("int_type", "a truth value")
    return value


Identifier = Annotated[uuid.UUID, PlainSerializer(str)]
Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(format_instant)]
Beginning = Annotated[datetime, BeforeValidator(_beginning), PlainSerializer(format_instant)]
Days = Annotated[int, BeforeValidator(_no_truth)]
Permission = Annotated[str, AfterValidator(one_line), AfterValidator(_one_permission)]
ProselfServer = Annotated[str, AfterValidator(_server)]
"""A host name, with a port where it is not 443."""
MailAddress = Annotated[str, AfterValidator(_mail_address)]
TenantOrBlank = Annotated[str, BeforeValidator(_tenant_or_blank)]
