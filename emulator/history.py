"""What the tenant was asked and what it answered, secrets masked, for tests and people to read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from emulator import json_text
from emulator.clock import graph_time
from emulator.json_text import Json

MASK = "***"
_LARGEST_KEPT = 64 * 1024

_SECRETS = "|".join(
    name.replace("_", "[_-]?")
    for name in (
        "access_token",
        "(client_)?assertion",
        "(proxy_)?authorization",
        "client_secret",
        "code_verifier",
        "(set_)?cookie",
        "id_token(_hint)?",
        "oidc_token",
        "passwd",
        "password",
        "refresh_token",
        "request_token",
        "secret(_text)?",
        "token",
    )
)
_SECRET_NAME = re.compile(f"{_SECRETS}|code", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[$@\w.-]*")
_GRAPH_ERROR_CODE = re.compile(r"^[A-Za-z_.]{3,60}$")
_CREDENTIAL = re.compile(
    r"\b(Bearer|Basic(?=\s+\S*(?-i:[A-Z\d=])))\s+[\w.~+/=-]+|(Cookie:)[^\r\n]+", re.IGNORECASE
)
"""`Basic authentication` in a sentence is none."""
_TOKEN = re.compile(r"eyJ[\w-]{6,}(\.[\w-]*)*")
"""A JSON object in Base64, as each part of a signed token begins."""
_NAMED = re.compile(
    rf"""(?P<name>(({_SECRETS})([_-]?value)?\\*["']?\s*[:=]|\bcode=(?!\d{{1,7}}(?![\w.~-])))\s*\\*)"""
    r"""("(\\.|[^"\\])*"?|[^\s&"',;}\]]+)""",
    re.IGNORECASE,
)
"""A secret in the midst of a text, after its name: in an address, or in JSON inside of JSON.

The code in the address of an error's explanation is the error's number.
"""


@dataclass(kw_only=True)
class Exchange:
    """One request and its reply, whose bodies are `masked` before they are kept."""

    n: int
    time: datetime
    method: str
    path: str
    """With the query, secrets in it masked."""
    tenant_id: str | None = None
    client_id: str | None = None
    """The application that the request came from, once it is known."""
    caller_id: str | None = None
    """Object id of the service principal or user that the token was made for."""
    credential: str | None = None
    """Of a token request: key id of the secret, or id of the federated credential, it came with."""
    batch: int | None = None
    """Number of the `$batch` request that carried this one."""
    status: int | None = None
    """None when the request was not carried out."""
    delivered: bool = True
    """Whether the client got the whole reply."""
    request: Any = None
    response: Any = None
    fault: str | None = None
    """The name of the fault rule that struck."""
    duration_ms: float = 0.0

    def as_json(self) -> Json:
        """Return the form in which the admin port shows it."""
        return {
            "n": self.n,
            "time": graph_time(self.time),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "delivered": self.delivered and self.status is not None,
            "tenant": self.tenant_id,
            "client": self.client_id,
            "caller": self.caller_id,
            "credential": self.credential,
            "batch": self.batch,
            "request": self.request,
            "response": self.response,
            "fault": self.fault,
            "duration_ms": round(self.duration_ms, 2),
        }


@dataclass
class Dialogue:
    """What was said on one SMTP connection: `C: …` by the client, `S: …` by the server.

    Mails are not part of it, and whatever follows AUTH is masked.
    """

    time: datetime
    lines: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Write down what was said; bytes that are no UTF-8, now surrogates, as numbers."""
        said = line.encode("utf-8", "surrogateescape")
        self.lines.append(said.decode("utf-8", "backslashreplace"))

    def as_json(self) -> Json:
        """Return the form in which the admin port shows it."""
        return {"time": graph_time(self.time), "lines": self.lines}


@dataclass
class History:
    """All exchanges since the start or the last reset, in the order in which they came."""

    exchanges: list[Exchange] = field(default_factory=list)
    dialogues: list[Dialogue] = field(default_factory=list)

    def begin(self, at: datetime, method: str, path: str, batch: int | None = None) -> Exchange:
        """Note that a request has come."""
        number = self.exchanges[-1].n + 1 if self.exchanges else 1
        exchange = Exchange(n=number, time=at, method=method, path=_masked_path(path), batch=batch)
        self.exchanges.append(exchange)
        return exchange

    def since(self, n: int) -> Iterable[Exchange]:
        """Return the exchanges numbered above `n`."""
        return (exchange for exchange in self.exchanges if exchange.n > n)


def masked(body: bytes, content_type: str) -> Any:
    """Return a body as JSON with every secret in it masked; None for an empty one.

    Of a very large one, such as a page of many objects, only the size is kept, and of one that
    cannot be read, for nobody can tell which part of it is secret.
    """
    if not body:
        return None
    if len(body) > _LARGEST_KEPT:
        return f"({content_type}, {len(body)} bytes)"
    text = body.decode("utf-8", "replace")
    media_type = content_type.lower()
    if "json" in media_type:
        try:
            return mask(json_text.read(text))
        except ValueError:
            return f"({content_type}, {len(body)} bytes, not JSON)"
    if "form-urlencoded" in media_type:
        return dict(_masked_pairs(parse_qsl(text, keep_blank_values=True)))
    return f"({content_type or 'no content type'}, {len(body)} bytes)"


def mask(value: Any) -> Any:
    """Return the same JSON with the values of secret names masked, and what is a token anyway."""
    if isinstance(value, dict):
        return {
            name: MASK if _is_secret(name, inner) else mask(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [mask(inner) for inner in value]
    return _masked_text(value) if isinstance(value, str) else value


def _is_secret(name: str, value: Any) -> bool:
    if _SECRET_NAME.fullmatch(name) is None or value is None:
        return False
    # Graph's errors have a `code` too.
    is_code_of_error = isinstance(value, str) and _GRAPH_ERROR_CODE.match(value)
    return not (name == "code" and is_code_of_error)


_SIGNS = (
    *("assertion", "authorization", "basic", "bearer", "code", "cookie", "eyj", "passw"),
    *("secret", "token", "verifier"),
)
"""One of these is in whatever the patterns find. Most texts have none, and are looked at faster."""


def _masked_text(text: str) -> str:
    lower = text.lower()
    if not any(sign in lower for sign in _SIGNS):
        return text
    text = _CREDENTIAL.sub(lambda found: f"{found[1] or found[2]} {MASK}", text)
    text = _TOKEN.sub(MASK, text)
    return _NAMED.sub(rf"\g<name>{MASK}", text)


def _masked_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (MASK, MASK)  # it is no form at all
        if not _PLAIN_NAME.fullmatch(name) or _TOKEN.search(name)
        else (name, MASK if _SECRET_NAME.fullmatch(name) else _masked_text(value))
        for name, value in pairs
    ]


def _masked_path(path: str) -> str:
    address, mark, query = path.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    masked_pairs = _masked_pairs(pairs)
    if masked_pairs != pairs:
        query = urlencode(masked_pairs, safe="*$/:")
    return f"{_masked_text(address)}{mark}{query}"
