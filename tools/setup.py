"""Everything that a rehearsal and the tests need beside the Python packages, which uv installs.

    uv run python -m tools.setup

Safe to run again and again; where all is there, it looks and is done in a second.
"""

import contextlib
import importlib
import importlib.util
import os
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from proself_mail.errors import Error, MissingTool
from proself_mail.text import shell
from tools import browser, output, pulumi_cli
from tools.pulumi_cli import PulumiCli

_CHECKOUT = Path(__file__).resolve().parent.parent
_OWN_PACKAGES = ("proself_mail", "infra", "emulator", "tools")

Say = Callable[[str], None]


def run(say: Say) -> PulumiCli:
    """Get what is missing; `say` hears each thing with its version and place. Returns the CLI.

    A browser that cannot be had is said, and is no error here: a rotation needs none. What does
    (the tests of pages, the picture of the sheet) says so again.
    """
    cli = pulumi_cli.get(say)
    _compile(say)
    if importlib.util.find_spec("playwright"):  # only the tests' packages ask for a browser
        try:
            browser.get(say)
        except MissingTool as error:
            say(f"browser: {error}")
    return cli


def path_line(cli: PulumiCli) -> str:
    """Return the line by which a person's shell finds `proself-mail` and the CLI."""
    folders = [Path(sys.executable).parent]
    found = shutil.which("pulumi")
    if found is None or Path(found).resolve() != cli.path:
        folders.insert(0, cli.path.parent)
    return shell.first_on_path(folders, "powershell" if sys.platform == "win32" else "bash")


def _compile(say: Say) -> None:
    """Have bytecode written where Python is told to write none, or each command pays for parsing.

    That is a second of each `pulumi up`, whose host starts Python afresh. Only what ours imports:
    all of msgraph-sdk alone takes half a minute.
    """
    if not sys.dont_write_bytecode:
        return
    packages = Path(sysconfig.get_path("purelib"))
    stamp = packages / ".compiled-by-proself-mail"
    sources = [file for own in _OWN_PACKAGES for file in (_CHECKOUT / own).rglob("*.py")]
    newest = max(path.stat().st_mtime for path in (*sources, *packages.glob("*.dist-info")))
    if stamp.exists() and stamp.stat().st_mtime >= newest:
        return
    say("python: compiling what will be imported (a few seconds, once) …")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [sys.executable, "-c", "from tools import setup; setup.import_all()"],
        cwd=_CHECKOUT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,  # nothing but time is lost
    )
    with contextlib.suppress(OSError):
        stamp.touch()


def import_all() -> None:
    """Import every module of ours, and with it what it imports."""
    names = ["aiohttp", "pip._internal.commands.list"]  # what others import for us only when asked
    for own in _OWN_PACKAGES:
        found = pkgutil.walk_packages([str(_CHECKOUT / own)], f"{own}.")
        names += [module.name for module in found if not module.name.endswith("__main__")]
    for name in names:
        with contextlib.suppress(ImportError):  # another system's, or a group left out
            importlib.import_module(name)


def main() -> None:
    """Run it, telling each step on standard output."""
    try:
        cli = run(output.show)
        output.show(f"To type `pulumi` and `proself-mail` in this shell:\n  {path_line(cli)}")
    except Error as error:
        sys.exit(f"setup: {error}")


if __name__ == "__main__":
    main()
