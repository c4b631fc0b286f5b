"""Runs the emulator: its ports on loopback, a ready file while it serves, a quick end."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from emulator import ready_file
from emulator.admin.admin import admin_application
from emulator.cloud import Cloud
from emulator.config import Config
from emulator.entra import tenant_application
from emulator.exchange.smtp import SmtpServer
from emulator.pipelines import Pipelines
from emulator.proself.proself import ProselfServers
from emulator.proself.proself_server import Proself
from emulator.proself.proself_world import World
from emulator.ready_file import HTTPS, Ports
from emulator.tls import Identity

_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 1
_ATTEMPTS = 5
"""How many free ports are tried until one is free on both loopback addresses."""

_ENDINGS = [
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose connections an application may reset, for faults."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["reset"] = self._reset

    def _reset(self) -> None:
        connection = self.transport.get_extra_info("socket")
        # No lingering: the client sees RST instead of an orderly end.
        form = "hh" if os.name == "nt" else "ii"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        self.transport.abort()


class _Server(uvicorn.Server):
    """A server among others in one loop; signals are not its own business."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. OSError if a port or the ready file is taken."""
    asyncio.run(_serve(config))


async def _serve(config: Config) -> None:
    ready_file.refuse_taken(config.ready_file)
    sockets = _listen(config.port)
    admin_sockets = _listen(config.admin_port)
    smtp_sockets = _listen(config.smtp_port)
    proself_sockets = _listen(config.proself_port)
    ports = Ports(*map(_port_of, (sockets, admin_sockets, smtp_sockets, proself_sockets)))
    identity = Identity(config.hostnames, config.proself_hostnames)
    cloud = Cloud(config)
    names = dict.fromkeys([*config.hosts, "localhost", "127.0.0.1", "[::1]"])
    suffixes = (f":{ports.tenant}", "") if ports.tenant == HTTPS else (f":{ports.tenant}",)
    origins = frozenset(f"https://{name}{suffix}" for name in names for suffix in suffixes)
    world = World(
        authority=ports.origin(config.hosts[0]),
        tenant_port=ports.tenant,
        smtp_port=ports.smtp,
        trust=identity.client_context(),
        now=lambda: cloud.clock.now(),
    )
    proself = ProselfServers(
        lambda: {name: Proself(name, world) for name in config.proself_hostnames}
    )
    pipelines = Pipelines(cloud)
    context = identity.server_context()
    servers = [
        (_server(tenant_application(cloud, origins, pipelines), context), sockets),
        (_server(admin_application(cloud, proself, pipelines), None), admin_sockets),
        (_server(proself.application(cloud), identity.proself), proself_sockets),
    ]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    _on_signals(loop, stop)
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancelled_request)
    tasks = [asyncio.create_task(server.serve(sockets=socks)) for server, socks in servers]
    smtp = SmtpServer(cloud, identity)
    smtp_servers = [await loop.create_server(smtp.connection, sock=one) for one in smtp_sockets]
    await asyncio.gather(*(server.serving.wait() for server, _ in servers))
    bundle = ready_file.bundle_of(config.ready_file)
    ready = ready_file.content(config, cloud.specs, ports, bundle)
    files = {
        bundle: identity.bundle(),
        config.ready_file: json.dumps(ready, indent=2).encode(),  # the last, for others wait for it
    }
    try:
        for path, content in files.items():
            ready_file.write(path, content)
        sys.stdout.write(
            f"The embedded tenant serves {ready['authority']}, its admin interface "
            f"{ready['admin_url']}; seed {config.seed}.\n"
        )
        sys.stdout.flush()
        await asyncio.gather(*tasks)
    finally:
        for one in smtp_servers:
            one.close()
        smtp.close()
        for path, content in files.items():
            ready_file.remove(path, content)


def _is_no_cancelled_request(record: logging.LogRecord) -> bool:
    """Leave out the stack of each request that was under way past the grace: it is no failure."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


def _port_of(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def _listen(port: int) -> list[socket.socket]:
    """Open sockets on both loopback addresses, or the one that the machine has, on one port.

    OSError if another process has the port on either: `localhost` might lead clients there.
    """
    for attempts_left in range(_ATTEMPTS, 0, -1):
        first = _bound(socket.AF_INET, "127.0.0.1", port)
        try:
            return [first, _bound(socket.AF_INET6, "::1", first.getsockname()[1])]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # no IPv6 here
                return [first]
            first.close()
            if port or attempts_left == 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, the second
    # write of a reply waits 40 ms for the client's delayed acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        next_step = (
            # `::1` alone would not do: Pulumi's parts listen here (its sdk, rpcutil/serve.go).
            f"give this machine's loopback interface {address} (on Linux `ip addr add "
            f"{address}/8 dev lo`, as root)"
            if error.errno == errno.EADDRNOTAVAIL
            else "choose another port, or 0 for any that is free"
        )
        message = (
            f"cannot listen on {address} port {port}: {error.strerror}. Next: {next_step}, then "
            "try again."
        )
        raise OSError(error.errno, message) from error
    return bound


def _server(app: ASGIApp, context: ssl.SSLContext | None) -> _Server:
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    config.load()
    config.ssl = context
    return _Server(config)


def _on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    for number in _ENDINGS:
        if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN:
            continue  # as nohup has it
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
