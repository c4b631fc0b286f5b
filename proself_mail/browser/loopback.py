"""Where the browser brings a sign-in's answer back to: one loopback address, for one answer.

It listens on this machine alone, takes only a form posted to the very path with the very state, and
once. It understands nothing of the answer; of others it knows an administrator's consent, which
Entra may bring to any redirect URI of the application. msal has a receiver too; inside of a
container it listens on every interface, and it takes any path and host (docs/adr/0015).
"""

import asyncio
import contextlib
import hmac
import html
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from proself_mail.browser.loopback_http import LoopbackHandler, LoopbackServer
from proself_mail.errors import ConfigurationError, RemoteError
from proself_mail.quantity import format_minutes
from proself_mail.text.quotation import quoted

_LONGEST_FORM_BYTES = 64 * 1024

_PAGE = """<!doctype html><html lang="ja"><meta charset="utf-8"><title>proself-mail</title>
<meta name="viewport" content="width=device-width"><p>{ja}</p><p lang="en">{en}</p>{said}</html>"""
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
_CONSENTED = (
    "管理者の同意が与えられました。このページは閉じてかまいません。メールボックスのユーザーの"
    "サインインは、引き続き待っています。",
    "The administrator's consent was given; this page may be closed. The sign-in of the mailbox's "
    "user is waited for still.",
)
_NOT_CONSENTED = (
    "管理者の同意は与えられませんでした。Microsoft からの応答は次のとおりです。メールボックスの"
    "ユーザーのサインインは、引き続き待っています。",
    "The administrator's consent was not given; what Microsoft answered stands below. The sign-in "
    "of the mailbox's user is waited for still.",
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
        self._servers: list[_Server] = []
        try:
            for family, address in _addresses(parts.port or 80):
                server = _Server(address, family, parts.hostname or "", parts.path, state, self)
                self._servers.append(server)
        except ConfigurationError:
            for server in self._servers:
                server.server_close()
            raise
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
                f"Nobody finished the sign-in within {format_minutes(patience)}."
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


class _Server(LoopbackServer):
    def __init__(
        self,
        address: tuple[Any, ...],
        family: socket.AddressFamily,
        host: str,
        path: str,
        state: str,
        loopback: Loopback,
    ) -> None:
        self.path, self.state, self.loopback = path, state, loopback
        super().__init__(
            address,
            _Handler,
            purpose="where the sign-in comes back to",
            family=family,
            name=host,
        )


class _Handler(LoopbackHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802
        address = urlsplit(self.path)
        given = _fields(address.query)
        if not (self.is_for_us() and address.path == self.server.path and "admin_consent" in given):
            self._say(404, _FOREIGN)
        elif "error" in given:
            said = filter(None, (given["error"], given.get("error_description")))
            self._say(400, _NOT_CONSENTED, quoted(": ".join(said)))
        elif given["admin_consent"].lower() == "true":
            self._say(200, _CONSENTED)
        else:
            self._say(404, _FOREIGN)

    def do_POST(self) -> None:  # noqa: N802
        fields = self._form()
        state = fields.get("state", "")
        if not hmac.compare_digest(state.encode(), self.server.state.encode()):
            self.server.loopback.foreign += 1
            self._say(400, _FOREIGN)
        elif self.server.loopback.take(fields):
            self._say(200, _DONE)
        else:
            self._say(400, _FOREIGN)

    def _form(self) -> Mapping[str, str]:
        """Read the form; nothing where it is not for us."""
        length = self.headers.get("content-length", "")
        ours = self.is_for_us() and self.path == self.server.path
        if not ours or not length.isdigit() or int(length) > _LONGEST_FORM_BYTES:
            return {}
        return _fields(self.rfile.read(int(length)).decode("utf-8", "replace"))

    def _say(self, status: int, text: tuple[str, str], said: str = "") -> None:
        shown = f'<p lang="">{html.escape(said)}</p>' if said else ""
        self.reply(status, _PAGE.format(ja=text[0], en=text[1], said=shown))


def _fields(encoded: str) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(encoded).items()}
