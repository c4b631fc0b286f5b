"""Serves the setup sheet to one person, once, for as long as the page is open.

Two addresses on loopback, one for a file that leads there and one to be typed, give the page, the
first time that either is asked for; with it goes a token by which that page, and no other, asks for
the secret. A connection that the page holds open tells that it is there still. Nothing is logged,
and the secret is in no page, address or header: it goes out as the body of an answer, each time
that the person asks for it.
"""

import contextlib
import hmac
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from proself_mail.browser.loopback_http import LoopbackHandler, LoopbackServer
from proself_mail.errors import RemoteError
from proself_mail.quantity import format_minutes
from proself_mail.sheet import sheet_page
from proself_mail.sheet.sheet import Sheet

PATIENCE = timedelta(minutes=5)
"""How long the address waits to be opened."""

_BROWSER = timedelta(seconds=10)
"""How long a browser has before the address is told."""
_GRACE = timedelta(seconds=5)
"""How long a page may be without its connection: one that slept comes back, a closed one not."""
_BEAT = timedelta(seconds=15)
"""How often something is said on that connection; Firefox gives a silent one up."""
_LOOK_SECONDS = 0.2

_SPENT = (
    ("このアドレスは一度しか開けません", "This address opens once"),
    (
        "設定シートはすでに開かれたか、終了しています。もう一度表示するには、ターミナルで "
        "proself-mail sheet を実行してください。自分で開いた覚えがない場合は、この"
        "コンピューターのほかのユーザーがシークレットを見た可能性があります。"
        "proself-mail rotate --revoke で無効にしてください。",
        "The setup sheet was opened already, or has ended. To see it again, run proself-mail sheet "
        "in the terminal. If it was not you who opened it, another user of this machine may have "
        "seen the secret: proself-mail rotate --revoke makes it worthless.",
    ),
)
_FOREIGN = (
    ("ここには何もありません", "There is nothing here"),
    (
        "ターミナルに表示されたアドレスを、ブラウザーのアドレス欄に入力して開いてください。",
        "Open the address from the terminal by typing it into the browser's address bar.",
    ),
)


@dataclass(frozen=True)
class Person:
    """Where the person is who reads the sheet."""

    open_browser: Callable[[str], object]
    """Takes an address; says something false where it knows that no browser opened.

    Who hands it on keeps it out of arguments, which every user of the machine can read.
    """
    tell: Callable[[str], None]
    """Hears another address, to be typed, where no browser opened the first one."""
    patience: timedelta = PATIENCE


def serve(sheet: Sheet, person: Person, port: int = 0) -> int:
    """Serve a sheet until its page is closed; return how often the address was opened again.

    Port 0 takes any that is free. Raises `ConfigurationError` where the port cannot be had and
    `RemoteError` where nobody opens the address.
    """
    server = _Server(sheet, port)
    threading.Thread(target=server.serve_forever, daemon=True, args=(_LOOK_SECONDS,)).start()
    try:
        _wait_for_visit(server, person)
        server.wait_for_end()
        return server.again
    finally:
        server.end()


def _wait_for_visit(server: "_Server", person: Person) -> None:
    failed = threading.Event()

    def browse() -> None:
        if not person.open_browser(server.origin + server.by_file):
            failed.set()

    # Some browsers' launchers return only when the browser is closed.
    threading.Thread(target=browse, daemon=True).start()
    began, told = time.monotonic(), False
    while not server.opened.wait(_LOOK_SECONDS):
        waited = timedelta(seconds=time.monotonic() - began)
        if waited > person.patience:
            raise RemoteError(
                f"Nobody opened the setup sheet within {format_minutes(person.patience)}; its "
                "address is worthless now.",
                "Run it again; --timeout gives more time, --out FILE writes it to a file.",
            )
        if not told and (failed.is_set() or waited > _BROWSER):
            told = True
            person.tell(server.origin + server.typed)


class _Server(LoopbackServer):
    def __init__(self, sheet: Sheet, port: int) -> None:
        self.by_file, self.typed = (f"/{secrets.token_urlsafe(32)}" for _ in range(2))
        self.token = secrets.token_urlsafe(32)
        self.secret = sheet.newest.value
        self.page = sheet_page.served(sheet, self.token)
        self.opened, self.ended = threading.Event(), threading.Event()
        self.again = 0
        self._lock = threading.Lock()
        self._held: set[socket.socket] = set()
        self._last = time.monotonic()
        super().__init__(
            ("127.0.0.1", port),
            _Handler,
            purpose="where the setup sheet is to be served",
            instead="leave --port out",
        )
        self.origin = f"http://{self.netloc}"

    def opens(self, path: str, site: str) -> bool:
        """Say whether a visit is a person's; `site` is where it comes from, as browsers tell it.

        Absent in old ones; `none` is what a person typed, or a program had opened. A file that
        leads here is of another site, as a page is that somebody else made.
        """
        for ours, sites in ((self.typed, ("none",)), (self.by_file, ("none", "cross-site"))):
            if hmac.compare_digest(path.encode(), ours.encode()):
                return site in sites
        return False

    def open(self) -> bool:
        """Give the page away; say whether this was the first time."""
        with self._lock:
            first = not self.opened.is_set()
            if not first:
                self.again += 1
            self._last = time.monotonic()
            self.opened.set()
        return first

    def hold(self, connection: socket.socket) -> None:
        """Take a connection as the sign that the page is open."""
        with self._lock:
            self._held.add(connection)

    def let_go(self, connection: socket.socket) -> None:
        with self._lock:
            self._held.discard(connection)
            self._last = time.monotonic()

    def wait_for_end(self) -> None:
        while not self.ended.wait(_LOOK_SECONDS):
            with self._lock:
                if not self._held and time.monotonic() - self._last > _GRACE.total_seconds():
                    return

    def end(self) -> None:
        """Cut what stands and stop listening."""
        self.ended.set()
        with self._lock:
            for connection in self._held:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()


class _Handler(LoopbackHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802
        site = self.headers.get("sec-fetch-site", "none")
        ahead = "prefetch" in self.headers.get("sec-purpose", "")
        if not self.is_for_us():
            self._refuse(421, _FOREIGN)
        elif ahead:
            self._refuse(503, _FOREIGN)
        elif self.path == "/":  # what the page makes of its address: it was loaded anew
            self._refuse(410, _SPENT)
        elif not self.server.opens(self.path, site):
            self._refuse(404, _FOREIGN)
        elif self.server.open():
            self.reply(200, self.server.page.html, self.server.page.policy)
        else:
            self._refuse(410, _SPENT)

    def do_POST(self) -> None:  # noqa: N802
        if not self._is_from_the_page():
            self._refuse(403, _FOREIGN)
        elif self.path == "/secret":
            self.reply(200, self.server.secret.reveal(), media="text/plain")
        elif self.path == "/open":
            self._hold()
        elif self.path == "/closed":
            self.reply(200, "", media="text/plain")
            self.server.ended.set()
        else:
            self._refuse(404, _FOREIGN)

    def _is_from_the_page(self) -> bool:
        token = self.headers.get("x-sheet-token", "")
        return (
            self.is_for_us()
            and self.headers.get("origin") == self.server.origin
            and self.headers.get("sec-fetch-site", "same-origin") == "same-origin"
            and hmac.compare_digest(token.encode(), self.server.token.encode())
            and self.server.opened.is_set()
            and not self.server.ended.is_set()
        )

    def _hold(self) -> None:
        """Stay connected until the page goes."""
        self.begin(200, "default-src 'none'", "text/plain")
        self.end_headers()
        self.server.hold(self.connection)
        try:
            while not self.server.ended.is_set():
                gone, _, _ = select.select([self.connection], [], [], _BEAT.total_seconds())
                if gone and not self.connection.recv(1024):
                    break
                self.wfile.write(b"\n")
        except OSError:
            pass
        finally:
            self.server.let_go(self.connection)

    def _refuse(self, status: int, words: tuple[tuple[str, str], tuple[str, str]]) -> None:
        page = sheet_page.refusal(*words)
        self.reply(status, page.html, page.policy)
