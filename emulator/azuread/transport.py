"""HTTPS to loopback, and to nowhere else.

Owns sockets: resolving a name, refusing what is not loopback, TLS, and keeping connections. That
no byte leaves the machine is decided here, at the socket, so a redirecting name server or a link
in an answer changes nothing. Trust is OpenSSL's: SSL_CERT_FILE and SSL_CERT_DIR, else the system's
roots, TLS 1.2 or later, as the real plugin's Go runtime has it on Linux.

It does not retry (`graph` does) and uses no proxy, which would be another machine.
"""

import ipaddress
import select
import socket
import ssl
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, IncompleteRead
from threading import Lock
from urllib.parse import SplitResult, urlsplit

from emulator.azuread.errors import ConfigurationError, NoAnswerError

ANSWER_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: header names in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class LoopbackTransport:
    """Sends requests to https origins on this machine; safe for use by many threads."""

    def __init__(self, answer_within: timedelta = ANSWER_WITHIN) -> None:
        self._timeout = answer_within.total_seconds()
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, int], list[_Connection]] = defaultdict(list)
        self._lock = Lock()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send one request and read the whole answer.

        Raises ConfigurationError for a host that is not loopback and NoAnswerError when no
        answer came.
        """
        parts = urlsplit(url)
        origin = origin_of(parts)
        connection = self._take(origin)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target or "/", body=body, headers=dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as failure:
            connection.close()
            raise _connection_failed(origin, failure) from failure
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle[origin].append(connection)
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, answer.reason, named, content)

    def _take(self, origin: tuple[str, int]) -> "_Connection":
        while True:
            with self._lock:
                idle = self._idle[origin]
                connection = idle.pop() if idle else None
                if self._tls is None:
                    self._tls = ssl.create_default_context()
                    self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            if connection is None:
                return _Connection(origin, self._tls, self._timeout)
            if connection.is_usable():
                return connection
            connection.close()


def origin_of(parts: SplitResult) -> tuple[str, int]:
    """Give host and port of an https URL; raises ConfigurationError for any other."""
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigurationError(
            f"The stand-in azuread plugin speaks https only, and was led to "
            f"{parts.geturl()!r}. Start the embedded tenant and use the address that it prints."
        )
    return parts.hostname, parts.port or 443


def loopback_addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """Resolve a host; raises ConfigurationError unless every address of it is loopback."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as failure:
        raise ConfigurationError(
            f"The stand-in azuread plugin cannot resolve {host!r} ({failure}). It serves an "
            f"embedded tenant on this machine only: name it by localhost or a name that resolves "
            f"to loopback."
        ) from failure
    addresses: list[tuple[socket.AddressFamily, tuple[str, int]]] = [
        (family, (str(address[0]), port)) for family, _, _, _, address in found
    ]
    foreign = sorted({ip for _, (ip, _) in addresses if not _is_loopback(ip)})
    if foreign:
        raise ConfigurationError(
            f"The stand-in azuread plugin serves an embedded tenant on this machine only, and "
            f"{host!r} resolves to {', '.join(foreign)}, which is not loopback. For a tenant in "
            f"the cloud install the real plugin: pulumi plugin install resource azuread 6.10.0."
        )
    return addresses


def _is_loopback(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


class _Connection(HTTPConnection):
    """One kept connection, opened to an address that was checked."""

    def __init__(self, origin: tuple[str, int], tls: ssl.SSLContext, timeout: float) -> None:
        super().__init__(*origin, timeout=timeout)
        self._origin = origin
        self._tls = tls
        if origin[1] == 443:
            self.default_port = 443

    def connect(self) -> None:
        failure: OSError | None = None
        for family, address in loopback_addresses(*self._origin):
            plain = socket.socket(family, socket.SOCK_STREAM)
            try:
                plain.settimeout(self.timeout)
                plain.connect(address)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock = self._tls.wrap_socket(plain, server_hostname=self._origin[0])
                return
            except OSError as problem:
                plain.close()
                failure = problem
        raise failure or OSError("no address")

    def is_usable(self) -> bool:
        """Whether the other side still waits: a kept connection that is readable was closed."""
        readable, _, _ = select.select([self.sock], [], [], 0)
        return not readable


def _connection_failed(origin: tuple[str, int], failure: Exception) -> NoAnswerError:
    host = f"{origin[0]}:{origin[1]}"
    if isinstance(failure, ssl.SSLCertVerificationError):
        return NoAnswerError(
            f"the certificate of {host} is not trusted ({failure.verify_message}); SSL_CERT_FILE "
            f"must name the embedded tenant's CA file",
            transient=False,
        )
    # The Go client sends again after a reset or a timeout, but not after a refused connection or
    # one that ended before an answer.
    transient = isinstance(failure, (ConnectionResetError, TimeoutError))
    # In the words of Go's io package.
    said = "unexpected EOF" if isinstance(failure, IncompleteRead) else failure
    return NoAnswerError(f"{host}: {said or type(failure).__name__}", transient=transient)
