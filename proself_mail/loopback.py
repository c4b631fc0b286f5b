"""Where the browser brings a sign-in's answer back to: one loopback address, for one answer.

It listens on this machine alone, takes only a form posted to the very path with the very state, and
once. It understands nothing of the answer. msal has a receiver too; inside of a container it
listens on every interface, and it takes any path and host (docs/adr/0015).
"""

import asyncio
import contextlib
import hmac
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from proself_mail.errors import ConfigurationError, RemoteError

_LONGEST_FORM_BYTES = 64 * 1024
_SILENT_CONNECTION = timedelta(seconds=10)

_PAGE = """<!doctype html><html lang="ja"><meta charset="utf-8"><title>proself-mail</title>
<meta name="viewport" content="width=device-width"><p>{ja}</p><p lang="en">{en}</p></html>"""
_DONE = (
    "サインインの結果を受け取りました。このページを閉じて、ターミナルに戻ってください。",
    "The sign-in's answer has arrived. Close this page and go back to the terminal.",
)
_FOREIGN = (
    "これは待っているサインインの結果ではありません。ターミナルに表示されたアドレスから"
    "やり直してください。",
    "This is not the answer of the sign-in that is waited for. Begin again at the address in the "
    "terminal.",
)


class Loopback:
    """Listens for one answer at a redirect URI. Made and used inside of one event loop."""

    def __init__(self, redirect_uri: str, state: str) -> None:
        """Begin to listen. Raises `ConfigurationError` where the port is taken."""
        parts = urlsplit(redirect_uri)
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Mapping[str, str]] = self._loop.create_future()
        self.foreign = 0
        """How many answers were refused because they were not of this sign-in."""
        self._servers = [
            _Server(address, family, parts.netloc, parts.path, state, self)
            for family, address in _addresses(parts.port or 80)
        ]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True, args=(0.1,)).start()

    async def answer(self, patience: timedelta) -> Mapping[str, str]:
        """Wait for the answer's fields. Raises `RemoteError` where none comes."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                return await self._answer
        except TimeoutError:
            foreign = f" {self.foreign} of other sign-ins were refused." if self.foreign else ""
            raise RemoteError(
                f"Nobody finished the sign-in within {patience.total_seconds() / 60:g} minutes."
                f"{foreign} No mail was sent.",
                "Run it again with the mailbox's user at hand; --timeout gives more time.",
            ) from None

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def take(self, fields: Mapping[str, str]) -> bool:
        """Take an answer from a server's thread; say whether it was the first one."""
        if self._answer.done():
            return False
        self._loop.call_soon_threadsafe(self._settle, fields)
        return True

    def _settle(self, fields: Mapping[str, str]) -> None:
        if not self._answer.done():
            self._answer.set_result(fields)


@contextlib.contextmanager
def listening(redirect_uri: str, state: str) -> Iterator[Loopback]:
    """Listen for the length of a `with` block."""
    loopback = Loopback(redirect_uri, state)
    try:
        yield loopback
    finally:
        loopback.close()


def _addresses(port: int) -> Iterator[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    yield socket.AF_INET, ("127.0.0.1", port)
    if socket.has_ipv6:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))  # a machine without it has nobody who could be there either
            yield socket.AF_INET6, ("::1", port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # It passes over what an earlier proof left closing; Windows would share the port with others.
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self,
        address: tuple[Any, ...],
        family: socket.AddressFamily,
        netloc: str,
        path: str,
        state: str,
        loopback: Loopback,
    ) -> None:
        self.address_family = family
        self.netloc, self.path, self.state, self.loopback = netloc, path, state, loopback
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise ConfigurationError(
                f"Port {address[1]} of this machine, where the sign-in comes back to, is taken: "
                f"{error.strerror or error}.",
                f"End what listens there (`ss -ltnp 'sport = :{address[1]}'` names it; it may be "
                "another mail proof), then try again.",
            ) from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave broken connections alone; the terminal is for our own words."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SILENT_CONNECTION.total_seconds()
    server_version, sys_version = "proself-mail", ""

    def do_GET(self) -> None:
        self._reply(404, _FOREIGN)

    def do_POST(self) -> None:
        fields = self._fields()
        state = fields.get("state", "")
        if not hmac.compare_digest(state.encode(), self.server.state.encode()):
            self.server.loopback.foreign += 1
            self._reply(400, _FOREIGN)
        elif self.server.loopback.take(fields):
            self._reply(200, _DONE)
        else:
            self._reply(400, _FOREIGN)

    def _fields(self) -> Mapping[str, str]:
        """Read the form; nothing where it is not for us."""
        length = self.headers.get("content-length", "")
        # By name, so that a page of another site cannot reach it through a name of its own.
        ours = self.headers.get("host") == self.server.netloc and self.path == self.server.path
        if not ours or not length.isdigit() or int(length) > _LONGEST_FORM_BYTES:
            return {}
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        return {name: values[0] for name, values in parse_qs(body).items()}

    def _reply(self, status: int, text: tuple[str, str]) -> None:
        page = _PAGE.format(ja=text[0], en=text[1]).encode()
        self.send_response(status)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(page)))
        self.send_header("cache-control", "no-store")
        self.send_header("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("referrer-policy", "no-referrer")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Log nothing: requests hold authorization codes."""
