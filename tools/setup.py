"""Everything that a rehearsal and the tests need beside the Python packages, which uv installs.

    uv run python -m tools.setup

Safe to run again and again; where all is there, it looks and is done in a second.
"""

import compileall
import importlib.util
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from proself_mail.errors import Error, MissingTool
from tools import browser, pulumi_cli

_CHECKOUT = Path(__file__).resolve().parent.parent
_OWN_PACKAGES = ("proself_mail", "infra", "emulator", "tools")

Say = Callable[[str], None]


def run(say: Say) -> None:
    """Get what is missing; `say` hears each thing with its version and place.

    A browser that cannot be had is said, and is no error here: a rotation needs none. What does
    (the tests of pages, the picture of the sheet) says so again.
    """
    pulumi_cli.get(say)
    _compile(say)
    if importlib.util.find_spec("playwright"):  # only the tests' packages ask for a browser
        try:
            browser.get(say)
        except MissingTool as error:
            say(f"browser: {error}")


def _compile(say: Say) -> None:
    """Compile what is imported, or each `pulumi up` pays a second for parsing.

    Pulumi's host starts Python afresh each time, and some machines are told to write no bytecode.
    """
    for own in _OWN_PACKAGES:
        compileall.compile_dir(str(_CHECKOUT / own), quiet=2)  # only what has changed
    packages = Path(sysconfig.get_path("purelib"))
    stamp = packages / ".compiled-by-proself-mail"
    installed = max(entry.stat().st_mtime for entry in packages.glob("*.dist-info"))
    if stamp.exists() and stamp.stat().st_mtime >= installed:
        return
    say("python: compiling the installed packages (some 15 s, once) …")
    compileall.compile_dir(str(packages), quiet=2, workers=0)
    stamp.touch()


def main() -> None:
    """Run it, telling each step on standard output."""
    try:
        run(lambda line: print(line, flush=True))  # noqa: T201
    except Error as error:
        sys.exit(f"setup: {error}")


if __name__ == "__main__":
    main()
