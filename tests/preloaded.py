"""`proself-mail` in a process that is forked from one with its imports behind it.

The SDK takes a command a second of a core to import, and the journeys start hundreds of commands.
A forked one has a folder, an environment and standard streams of its own, as the script's has; the
script itself is what `Journey.started` runs, and the README's commands.
"""

import multiprocessing
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import proself_mail

_OTHERS = ("azure.identity.aio", "msal")
"""What commands import where they need it, besides modules of the product.

Not aiohttp: it reads which certificates to trust when it is imported.
"""

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(
    [
        *(
            module.name
            for module in pkgutil.walk_packages(proself_mail.__path__, "proself_mail.")
            if not module.name.endswith(".__main__")
        ),
        *_OTHERS,
    ]
)


def run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str | None,
    seconds: float,
) -> "subprocess.CompletedProcess[str]":
    """Run `proself-mail` with these arguments, as `subprocess.run` would with output captured."""
    with TemporaryDirectory(prefix="preloaded-") as scratch:
        streams = [Path(scratch) / name for name in ("in", "out", "err")]
        streams[0].write_text(stdin or "", encoding="utf-8")
        process = _server.Process(
            target=_command, args=(list(arguments), folder, dict(environment), streams)
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), seconds)
        out, error = (path.read_text(encoding="utf-8") for path in streams[1:])
    return subprocess.CompletedProcess(list(arguments), process.exitcode, out, error)


def _command(
    arguments: list[str], folder: Path, environment: dict[str, str], streams: list[Path]
) -> None:
    """Be the command, in the forked process."""
    for number, (path, flags) in enumerate(
        zip(streams, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)
    ):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)

    from proself_mail import cli

    cli.main(arguments)
