"""What stands before Entra and Graph alike: history, latency, the Date header."""

import asyncio
import time
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.cloud import Cloud
from emulator.history import Exchange, masked


class Front:
    """ASGI middleware around the whole tenant. It reads and sends bodies whole."""

    def __init__(self, app: ASGIApp, cloud: Cloud) -> None:
        self._app = app
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and note it and its reply."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        body = await _whole_body(receive)
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        exchange = self._cloud.history.begin(self._cloud.clock.now(), scope["method"], path)
        exchange.request = masked(body, _header(scope["headers"], b"content-type"))
        scope["emulator.exchange"] = exchange
        if self._cloud.config.latency:
            await asyncio.sleep(self._cloud.config.latency.total_seconds())
        reply = await self._reply(scope, body)
        _note(exchange, reply)
        exchange.duration_ms = (time.perf_counter() - started) * 1000
        for message in reply:
            await send(message)

    async def _reply(self, scope: Scope, body: bytes) -> tuple[Message, Message]:
        """The reply of the tenant, as the two messages of ASGI."""
        start: Message = {}
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        await self._app(scope, receive, collect)
        date = format_datetime(self._cloud.clock.now(), usegmt=True).encode()
        start["headers"] = [*start["headers"], (b"date", date)]
        return start, {"type": "http.response.body", "body": b"".join(chunks)}


async def _whole_body(receive: Receive) -> bytes:
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _note(exchange: Exchange, reply: tuple[Message, Message]) -> None:
    start, body = reply
    exchange.status = start["status"]
    exchange.response = masked(body["body"], _header(start["headers"], b"content-type"))


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")
