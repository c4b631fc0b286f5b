"""The stand-in for pulumi-resource-azuread: the process that Pulumi's engine starts.

Owns the process: the port told to the engine, the threads, and the end. What it serves is in
`emulator.azuread`. It yields to an installed real plugin: who puts the launcher's directory on
PATH decides that, not this module.

Run as `python -m emulator.azuread_plugin [engine address]`; `write_launcher` makes the executable
that the engine looks for on PATH.
"""

import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

# The engine asks for as many resources at a time as --parallel says; a thread that waits for the
# tenant costs little, and one too few would hold up an unrelated resource.
THREADS = 128
RECONNECT_SECONDS = 0.25
ATTEMPTS = 12
MODULE = "emulator.azuread_plugin"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the engine is gone or the process is told to end."""
    import grpc

    from emulator.azuread.provider import Provider
    from emulator.azuread.registry import FUNCTIONS, RESOURCES

    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        engines = [_parse(each) for each in given if not each.startswith("-")]
    except ValueError as error:
        sys.exit(f"pulumi-resource-azuread: {error}")
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider = Provider(RESOURCES, FUNCTIONS, on_attach=lambda address: _end_with(*_parse(address)))
    server.add_generic_rpc_handlers((provider.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    # The engine ends a plugin by SIGINT and waits five seconds for one that stays: no handler of
    # ours, which would have to wait for its turn in the interpreter.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server.start()
    print(port, flush=True)  # noqa: T201 the protocol: the engine reads the port from here
    for engine in engines:
        _end_with(*engine)
    server.wait_for_termination()


def write_launcher(directory: Path) -> Path:
    """Write the executable that the engine finds on PATH, running this interpreter.

    Gives its path: `pulumi-resource-azuread`, with `.cmd` on Windows.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # -P: the engine starts plugins in the program's folder, whose modules are not ours.
    if os.name == "nt":
        launcher = directory / "pulumi-resource-azuread.cmd"
        # cmd reads it in the console's code page, which may not be the one it is written in: where
        # both lie in a folder with a name in Japanese, that name is left out of it.
        try:
            start, python = "%~dp0", os.path.relpath(sys.executable, directory)
        except ValueError:  # on another drive
            start, python = "", sys.executable
        command = f'@"{start}{python.replace("%", "%%")}" -P -m {MODULE} %*\r\n'
    else:
        launcher = directory / "pulumi-resource-azuread"
        command = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m {MODULE} "$@"\n'
    launcher.write_text(command, encoding="utf-8", newline="")
    launcher.chmod(0o755)
    return launcher


def _parse(address: str) -> tuple[str, int]:
    """Return host and port of an engine's address. Raises `ValueError`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) not in range(1, 65536):
        raise ValueError(f"{address!r} is no address of an engine, which is HOST:PORT")
    return host, int(port)


def _end_with(host: str, port: int) -> None:
    """End the process when the engine there is gone, however it went."""
    Thread(target=_wait_for_end_of, args=(host, port), daemon=True).start()


def _wait_for_end_of(host: str, port: int) -> None:
    """End the process when nothing listens at an address any more.

    A kept connection ends the moment the engine does. The engine itself closes one that says
    nothing for a while, and at its own end stops listening before it ends plugins: hence the
    attempts before believing it.
    """
    refused = 0
    while refused < ATTEMPTS:
        try:
            with socket.create_connection((host, port)) as connection:
                refused = 0
                while connection.recv(4096):
                    pass
        except OSError:
            refused += 1
        time.sleep(RECONNECT_SECONDS)
    # Not by unwinding: the interpreter would wait for threads that wait for the tenant.
    os._exit(0)


if __name__ == "__main__":
    main()
