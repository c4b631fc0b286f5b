"""A process with the imports of the product's Python programs behind it, which becomes them.

Its clients are `tests/fork_client.py`, each where Python would have been started, and tests
(`tests.forked_process`). For each it forks a process, which goes on as Python does with the
client's arguments, folder, environment and standard streams, and ends as Python does. Signals to
the client reach that process, and it does not outlive the client. `tests.forked_python` starts it.

Only imports happen before the fork: no channel of gRPC, no thread, no connection.
"""

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from types import ModuleType
from typing import NoReturn, Self

import aiohttp.connector
import psutil
from aiohttp import ClientRequest, TCPConnector

import emulator
import proself_mail


def _modules(package: ModuleType) -> Iterator[str]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        # What Pulumi generates, of which the plugin needs a part that it imports itself.
        is_generated = ".pulumirpc." in module.name
        if not module.name.endswith(".__main__") and not is_generated:
            yield module.name


_GRAPH = (
    "applications.item.app_management_policies.app_management_policies_request_builder",
    "applications.item.federated_identity_credentials"
    ".federated_identity_credentials_request_builder",
    "applications.item.owners.owners_request_builder",
    "applications.item.remove_password.remove_password_request_builder",
    "directory.deleted_items.item.directory_object_item_request_builder",
    "models.o_data_errors.error_details",
    "models.o_data_errors.main_error",
    "organization.organization_request_builder",
    "policies.default_app_management_policy.default_app_management_policy_request_builder",
)
_IMPORTS = (
    # What programs import where they need it.
    "anyio._backends._asyncio",
    "azure.core.pipeline.transport._aiohttp",
    "azure.core.rest._aiohttp",
    "azure.identity.aio",
    "concurrent.futures.thread",
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.utf_8_sig",
    "grpc._server",
    "grpc.experimental",
    "h2.connection",
    "httpcore",
    "infra.mail_app",
    "infra.operation",
    "infra.outputs",
    "infra.pipeline.identity",
    "infra.pipeline.settings",
    "infra.settings",
    "infra.tenant",
    "msal",
    "uvicorn.lifespan.off",
    *(f"msgraph.generated.{module}" for module in _GRAPH),
    *_modules(emulator),
    *_modules(proself_mail),
)


@dataclass(frozen=True)
class _Request:
    """What a client is, in its program's place."""

    pid: int
    """The one that stands for the program; 0 where none does."""
    arguments: list[str]
    """Python's: `SCRIPT …` or `-P -m MODULE …`."""
    folder: bytes
    environment: dict[bytes, bytes]
    streams: list[int]
    """Standard input, output and error, as descriptors of ours."""

    @classmethod
    def read(cls, connection: socket.socket) -> Self:
        """Receive one. Raises `EOFError` if the client ended before."""
        size, streams, _, _ = socket.recv_fds(connection, 4, 3)
        # Not a byte more: what follows are signals.
        told = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
        try:
            pid, arguments, folder, environment = marshal.loads(told)  # noqa: S302
        except EOFError:
            for stream in streams:
                os.close(stream)
            raise
        return cls(pid, arguments, folder, environment, streams)

    def become(self) -> None:
        """Be the program, in a process forked for it."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
            os.close(stream)
        # Ours remember of what kind the server's were, and are as Python opens them.
        sys.stdin, sys.stdout = (
            os.fdopen(number, mode, encoding="utf-8", closefd=False)
            for number, mode in enumerate("rw")
        )
        sys.stderr = os.fdopen(
            2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
        )
        os.chdir(self.folder)
        os.environb.clear()
        os.environb.update(self.environment)
        tempfile.tempdir = None  # it was looked for in our environment
        TCPConnector._get_ssl_context = _what_it_trusts  # type: ignore[assignment,method-assign]
        if self.pid:
            _Place.pid_of_this = self.pid
            psutil.Process = _Place  # type: ignore[misc]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        if self.arguments[:2] == ["-P", "-m"]:
            module, *arguments = self.arguments[2:]
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            script = self.arguments[0]
            sys.argv = self.arguments
            sys.path.insert(0, str(Path(script).parent))
            runpy.run_path(script, run_name="__main__")


_trusts = TCPConnector._get_ssl_context


def _what_it_trusts(connector: TCPConnector, request: ClientRequest) -> SSLContext | None:
    # aiohttp read which certificates to trust when it was imported. They are read anew where they
    # are needed: most programs never do, and reading them takes as long as a fork.
    aiohttp.connector._SSL_CONTEXT_VERIFIED = aiohttp.connector._make_ssl_context(True)
    TCPConnector._get_ssl_context = _trusts  # type: ignore[method-assign]
    return _trusts(connector, request)


class _Place(psutil.Process):
    """A process; without an id this one as the engine sees it, which started the client."""

    pid_of_this: int

    def __init__(self, pid: int | None = None) -> None:
        super().__init__(self.pid_of_this if pid is None else pid)


class _Forked:
    """A forked process, as seen from the server, and the connection to its client."""

    def __init__(self, pid: int, ended: int, connection: socket.socket) -> None:
        """`ended` is the end of a pipe whose other end is the process's alone."""
        self.connection = connection
        self.ended = ended
        self._pid = pid

    def tell(self, number: int) -> None:
        """Send it a signal; 0 kills it and all that it has started."""
        # It is ours, for nobody has waited for it yet.
        below = psutil.Process(self._pid).children(recursive=True) if number == 0 else []
        os.kill(self._pid, number or signal.SIGKILL)
        for each in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()

    def end(self) -> None:
        """Wait for its end, and tell the client of it."""
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(BrokenPipeError):
            self.connection.sendall(code.to_bytes(2, "big", signed=True))
        self.close()

    def close(self) -> None:
        """Let go of both."""
        self.connection.close()
        os.close(self.ended)


class _Server:
    """The loop that serves the clients."""

    def __init__(self, listener: socket.socket, owner: int) -> None:
        """Serve at `listener` until the descriptor `owner` ends, as it does with its writer."""
        self._listener = listener
        self._owner = owner
        self._ready = selectors.DefaultSelector()
        self._ready.register(listener, selectors.EVENT_READ)
        self._ready.register(owner, selectors.EVENT_READ)
        self._forked: set[_Forked] = set()

    def serve(self) -> _Request | None:
        """Return None in the end, and in each forked process the request that it is for."""
        while True:
            for key, _ in self._ready.select():
                if key.fd == self._owner:
                    self._kill()
                    return None
                if key.data is None:
                    if request := self._accept():
                        return request
                elif key.data in self._forked:  # still, after what was ready before
                    self._look_after(key.data, key.fd)

    def _accept(self) -> _Request | None:
        connection, _ = self._listener.accept()
        try:
            request = _Request.read(connection)
        except EOFError:
            connection.close()
            return None
        ended, runs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ended)
            connection.close()
            self._close()
            return request
        os.close(runs)
        for stream in request.streams:
            os.close(stream)
        forked = _Forked(pid, ended, connection)
        self._forked.add(forked)
        self._ready.register(connection, selectors.EVENT_READ, forked)
        self._ready.register(forked.ended, selectors.EVENT_READ, forked)
        return None

    def _look_after(self, forked: _Forked, descriptor: int) -> None:
        """Do what one of its two descriptors is ready for."""
        if descriptor != forked.ended:
            if signals := forked.connection.recv(16):
                for number in signals:
                    forked.tell(number)
                return
            forked.tell(signal.SIGKILL)  # the client is gone
        self._ready.unregister(forked.connection)
        self._ready.unregister(forked.ended)
        self._forked.remove(forked)
        forked.end()

    def _kill(self) -> None:
        for forked in self._forked:
            forked.tell(signal.SIGKILL)

    def _close(self) -> None:
        self._listener.close()
        self._ready.close()
        for forked in self._forked:
            forked.close()


def main() -> None:
    """Serve at the listening socket whose descriptor is the argument, until standard input ends."""
    for name in _IMPORTS:
        importlib.import_module(name)
    gc.freeze()  # what is imported stays, and need not be looked through by any of them
    # Or the interpreter ignores it where it comes while a fork is not done.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    request = _Server(socket.socket(fileno=int(sys.argv[1])), owner=0).serve()
    if request is None:
        return
    try:
        request.become()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        _end(end.code or 0)
    _end(0)


def _end(code: int) -> NoReturn:
    """End as Python does, but for taking apart all modules, which would be a third of it all."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
