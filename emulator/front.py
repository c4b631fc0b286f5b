"""What stands before Entra and Graph alike: history, latency, connection faults, the date."""

import asyncio
import logging
import time
from email.utils import format_datetime

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.cloud import Cloud
from emulator.faults import Rule, Strike, plain_path
from emulator.graph.graph_auth import claimed_client
from emulator.history import Exchange, masked
from emulator.sign_in import parameters

GRAPH_PATHS = ("/v1.0/", "/beta/", "/oidc/")
"""How the paths begin that are Graph's, in small letters."""
_LOG = logging.getLogger(__name__)
_ELSEWHERE = frozenset({"proself", "pipelines"})
"""What is served here and is no part of Microsoft's cloud: no fault of that strikes it."""
_HALF_READ_SECONDS = 0.02
"""How long a client may take to read the half of a reply before the connection is cut."""


class Front:
    """ASGI middleware around the whole tenant. It reads and sends bodies whole."""

    def __init__(self, app: ASGIApp, cloud: Cloud) -> None:
        self._app = app
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and note it and its reply."""
        started = time.perf_counter()
        scope = {**scope, "headers": list(map(_plain, scope["headers"]))}
        cloud = self._cloud
        body, complete = await _body(receive)
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        whole_path = f"{path}?{query}" if query else path
        exchange = cloud.history.begin(cloud.clock.now(), scope["method"], whole_path)
        exchange.request = masked(body, _header(scope["headers"], b"content-type"))
        service, client_id = _origin_of(path, scope["headers"], body)
        exchange.client_id = client_id
        if not complete:  # and so not to be acted on (RFC 9112, 8)
            return
        rule = (
            cloud.faults.decide(service, scope["method"], plain_path(path), client_id)
            if service not in _ELSEWHERE
            else None
        )
        exchange.fault = rule.name if rule is not None else None
        scope["emulator.exchange"] = exchange
        scope["emulator.rule"] = rule
        await asyncio.sleep(cloud.latency.total_seconds())
        if rule is not None and rule.strike is Strike.RESET_BEFORE:
            await _cut(scope, receive)
            return
        if rule is not None and rule.strike is Strike.TWICE:
            await self._reply_to_nobody(scope, body, exchange)
        reply = await self._reply(scope, body)
        if rule is not None and rule.strike is Strike.SLOW:
            await asyncio.sleep(rule.seconds)
        _note(exchange, reply, rule)
        exchange.duration_ms = (time.perf_counter() - started) * 1000
        await _deliver(scope, receive, send, reply, rule)

    async def _reply_to_nobody(self, scope: Scope, body: bytes, again: Exchange) -> None:
        """Do what is asked for once more, as an exchange of its own whose reply is not seen."""
        cloud = self._cloud
        first = cloud.history.begin(cloud.clock.now(), again.method, again.path)
        first.request, first.client_id, first.fault = again.request, again.client_id, again.fault
        _note(first, await self._reply({**scope, "emulator.exchange": first}, body), None)
        first.delivered = False

    async def _reply(self, scope: Scope, body: bytes) -> tuple[Message, Message]:
        """Return the reply of the tenant, as the two messages of ASGI."""
        start: Message = {}
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        # Answers name this server as its client knows it; a request must say so, once
        # (RFC 9112, 3.2).
        named = [value for name, value in scope["headers"] if name == b"host"]
        app = self._app
        if len(named) != 1 or not named[0]:
            app = PlainTextResponse("One Host header is needed.", 400)
        try:
            await app(scope, receive, collect)
        except Exception:
            # Starlette has answered 500 by now; the request itself is in the history.
            _LOG.exception("the emulator failed on request %d", scope["emulator.exchange"].n)
        date = format_datetime(self._cloud.clock.now(), usegmt=True).encode()
        start["headers"] = [*start["headers"], (b"date", date)]
        return start, {"type": "http.response.body", "body": b"".join(chunks)}


def _plain(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Write the host in small letters: it is the same in capitals (RFC 9110, 4.2.3)."""
    name, value = header
    return name, value.lower() if name == b"host" else value


def _origin_of(
    path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[str, str | None]:
    """Tell Graph, the sign-in and Proself apart, and which application asks."""
    if path.lower().startswith(GRAPH_PATHS):
        return "graph", claimed_client(_header(headers, b"authorization"))
    if path.lower().startswith("/proself/"):
        return "proself", None
    if path.startswith("/_pipelines/"):
        return "pipelines", None
    fields, _ = parameters.read_form(body, _header(headers, b"content-type"))
    return "login", fields.get("client_id")


async def _deliver(
    scope: Scope,
    receive: Receive,
    send: Send,
    reply: tuple[Message, Message],
    rule: Rule | None,
) -> None:
    """Send the reply, or as much of it as a fault of the connection lets through."""
    start, body = reply
    if rule is not None and rule.strike is Strike.RESET_AFTER:
        await _cut(scope, receive)
        return
    await send(start)
    if rule is not None and rule.strike is Strike.RESET_IN_BODY:
        half = body["body"][: len(body["body"]) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(_HALF_READ_SECONDS)
        await _cut(scope, receive)
        return
    await send(body)


async def _cut(scope: Scope, receive: Receive) -> None:
    """Reset the connection, and wait until the server has seen that it is gone."""
    scope["state"]["reset"]()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> tuple[bytes, bool]:
    """Read a request's body, and say whether it came to its end before the client left."""
    chunks = []
    while (message := await receive())["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks), True
    return b"".join(chunks), False


def _note(exchange: Exchange, reply: tuple[Message, Message], rule: Rule | None) -> None:
    start, body = reply
    exchange.status = start["status"]
    exchange.response = masked(body["body"], _header(start["headers"], b"content-type"))
    exchange.delivered = rule is None or rule.strike not in (
        Strike.RESET_AFTER,
        Strike.RESET_IN_BODY,
    )


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")
