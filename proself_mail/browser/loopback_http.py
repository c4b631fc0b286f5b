"""What every page of ours on loopback has in common: for this machine's browser, by name, unlogged.

A request is for us only under the name that we were reached by, so that a page of another site
cannot come here through a name of its own (DNS rebinding). What is said to whom is `loopback`'s,
where a sign-in comes back to, and `sheet_server`'s.
"""

import errno
import socket
import socketserver
import sys
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from proself_mail.errors import ConfigurationError

_SILENT_CONNECTION = timedelta(seconds=10)


class LoopbackServer(ThreadingHTTPServer):
    """Listens on one loopback address."""

    daemon_threads = True
    # It passes over what an earlier one left closing; Windows would share the port with others.
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self,
        address: tuple[Any, ...],
        handler: "type[LoopbackHandler]",
        *,
        purpose: str,
        instead: str = "",
        family: socket.AddressFamily = socket.AF_INET,
        name: str = "",
    ) -> None:
        """Begin to listen; `name` is the host by which it is reached, by default the address.

        Raises `ConfigurationError`, which tells the `purpose` and what a person may do `instead`,
        where the port cannot be had.
        """
        self.address_family = family
        try:
            super().__init__(address, handler)
        except OSError as error:
            raise _unavailable(address[1], purpose, instead, error) from error
        self.netloc = f"{name or address[0]}:{self.server_port}"

    def server_bind(self) -> None:
        """Take the address. `HTTPServer` would look its name up, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave broken connections alone; the terminal is for our own words."""


def _unavailable(port: int, purpose: str, instead: str, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        state = "is taken"
        mending = (
            f"End what listens there (`ss -ltnp 'sport = :{port}'` names it; it may be an earlier "
            "run of this command)"
        )
    else:
        state = f"cannot be used: {error.strerror or error}"
        mending = "Let this user listen there (ports below 1024 are for administrators)"
    return ConfigurationError(
        f"Port {port} of this machine, {purpose}, {state}.",
        f"{mending}{f', or {instead}' if instead else ''}, then try again.",
    )


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answers one connection."""

    timeout = _SILENT_CONNECTION.total_seconds()
    server_version, sys_version = "proself-mail", ""
    server: LoopbackServer

    def is_for_us(self) -> bool:
        """Say whether the request names this server as its host."""
        return self.headers.get("host") == self.server.netloc

    def reply(
        self,
        status: int,
        text: str,
        policy: str = "default-src 'none'; frame-ancestors 'none'",
        media: str = "text/html",
    ) -> None:
        """Answer in a way that is kept nowhere and framed by nobody."""
        content = text.encode()
        self.begin(status, policy, f"{media}; charset=utf-8")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def begin(self, status: int, policy: str, media: str) -> None:
        """Send the headers that all answers have."""
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("cache-control", "no-store")
        self.send_header("content-security-policy", policy)
        self.send_header("cross-origin-resource-policy", "same-origin")
        self.send_header("referrer-policy", "no-referrer")
        self.send_header("x-content-type-options", "nosniff")
        self.send_header("connection", "close")

    def log_message(self, *_: object) -> None:
        """Log nothing: requests hold authorization codes and one-time addresses."""
