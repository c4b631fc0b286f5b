"""What the tenant was asked and what it answered, secrets masked, for tests and people to read."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from emulator.clock import graph_time
from emulator.store import Json

MASK = "***"
_LARGEST_KEPT = 64 * 1024

_SECRET_NAMES = frozenset(
    {
        "access_token",
        "assertion",
        "client_assertion",
        "client_secret",
        "code",
        "code_verifier",
        "id_token",
        "oidctoken",
        "passwd",
        "password",
        "refresh_token",
        "secrettext",
        "value",
    }
)
_GRAPH_ERROR_CODE = re.compile(r"^[A-Za-z_.]{3,60}$")


@dataclass(kw_only=True)
class Exchange:
    """One request and its reply. `finish` masks the bodies; before it they are not kept."""

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
    """Return a body as JSON (or text) with every secret in it masked; None for an empty one.

    Of a very large one, such as a page of many objects, only the size is kept.
    """
    if not body:
        return None
    if len(body) > _LARGEST_KEPT:
        return f"({content_type}, {len(body)} bytes)"
    text = body.decode("utf-8", "replace")
    if "json" in content_type:
        try:
            return mask(json.loads(text))
        except ValueError:
            return text
    if "form-urlencoded" in content_type:
        return dict(_masked_pairs(text))
    return f"({content_type or 'no content type'}, {len(body)} bytes)"


def mask(value: Any) -> Any:
    """Return the same JSON with the values of secret names masked."""
    if isinstance(value, dict):
        return {
            name: MASK if _is_secret(name, inner) else mask(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [mask(inner) for inner in value]
    return value


def _is_secret(name: str, value: Any) -> bool:
    if name.lower() not in _SECRET_NAMES or value is None:
        return False
    if name == "value":  # lists of Graph's, and the ID token that GitHub gives a job
        return isinstance(value, str) and value.startswith("eyJ")
    if name == "code":  # Graph's errors have a `code` too
        return not (isinstance(value, str) and _GRAPH_ERROR_CODE.match(value))
    return not isinstance(value, dict | list)


def _masked_pairs(text: str) -> list[tuple[str, str]]:
    return [
        (name, MASK if name.lower() in _SECRET_NAMES else value)
        for name, value in parse_qsl(text, keep_blank_values=True)
    ]


def _masked_path(path: str) -> str:
    address, mark, query = path.partition("?")
    if not any(f"{name}=" in query for name in _SECRET_NAMES):
        return path
    return f"{address}{mark}{urlencode(_masked_pairs(query), safe='*$/:')}"
