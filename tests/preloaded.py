"""`proself-mail` and the embedded tenant, forked from a process with their imports behind it.

A command takes a good half second of a core to import what it needs, and the journeys start
hundreds. A forked one has a folder, an environment and standard streams of its own, as its script
has; `tests/journeys/test_script.py` holds the two against each other.
"""

import contextlib
import gc
import multiprocessing
import os
import pkgutil
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING

import psutil

import emulator
import proself_mail
from tests.forked_python import FORKS

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

_OTHERS = (
    "aiohttp.connector",
    "azure.identity.aio",
    "azure.core.pipeline.transport._aiohttp",
    "azure.core.rest._aiohttp",
    "anyio._backends._asyncio",
    "cryptography.hazmat.backends.openssl.backend",
    "grpc._server",
    "h2.connection",
    "httpcore",
    "msal",
    "uvicorn.lifespan.off",
)
"""What commands and tenants import where they need it, besides modules of the product."""


def _modules(package: ModuleType) -> Iterator[str]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(".__main__"):
            yield module.name


_context: "ForkServerContext | SpawnContext"
if FORKS:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload([*_modules(proself_mail), *_modules(emulator), *_OTHERS])
else:  # each imports for itself
    _context = multiprocessing.get_context("spawn")


def run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str | None,
    seconds: float,
    *,
    with_children: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run `proself-mail` with these arguments, as `subprocess.run` would with output captured.

    `TimeoutExpired` has what it had said when it was killed, if `with_children` with its children.
    """
    with TemporaryDirectory(prefix="preloaded-") as scratch:
        streams = [Path(scratch) / name for name in ("in", "out", "err")]
        streams[0].write_text(stdin or "", encoding="utf-8")
        process = _start("proself_mail", arguments, folder, environment, streams)
        process.join(seconds)
        code = process.exitcode
        if code is None:
            below = psutil.Process(process.pid).children(recursive=True) if with_children else []
            process.kill()
            for each in below:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.join()
        out, error = (path.read_text(encoding="utf-8") for path in streams[1:])
        if code is None:
            raise subprocess.TimeoutExpired(list(arguments), seconds, out, error)
    return subprocess.CompletedProcess(list(arguments), code, out, error)


def start_emulator(options: Sequence[str]) -> BaseProcess:
    """Start an embedded tenant, as `python -m emulator` would be."""
    return _start(
        "emulator", options, Path.cwd(), os.environ, [Path(os.devnull)], ends_with_us=True
    )


def _start(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    streams: Sequence[Path],
    *,
    ends_with_us: bool = False,
) -> BaseProcess:
    """Start a module as a program; `streams` stand for its standard input, output and error."""
    process = _context.Process(
        target=_be,
        args=(module, list(arguments), folder, dict(environment), list(streams)),
        daemon=ends_with_us,  # a command has children of its own
    )
    process.start()
    return process


def _be(
    module: str,
    arguments: list[str],
    folder: Path,
    environment: dict[str, str],
    streams: list[Path],
) -> None:
    """Be the program, in the process that is its."""
    gc.freeze()  # what is imported stays, and need not be looked through again
    for number, path in enumerate(streams):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    from aiohttp import connector  # here, for tests import it when they have set what to trust

    # It read which certificates to trust when it was imported.
    connector._SSL_CONTEXT_VERIFIED = connector._make_ssl_context(True)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=False)
