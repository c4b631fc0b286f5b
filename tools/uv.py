"""Run uv, which runs everything else; fetch it first where the machine has none.

    python3 -m tools.uv run pytest

A `uv` on PATH is used as it is, unless it is older than what pyproject.toml requires. Otherwise the
version named here is installed by pip into this user's cache, once, by the hashes of `uv.txt`; the
file appears there whole or not at all. Standard library only.

A lock that does not fit pyproject.toml is refused: uv alone would resolve anew, and run it.
"""

import codecs
import locale
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tools import cache, programs

VERSION = "0.13.9"
"""The uv that is installed where there is none that will do."""

OLDEST = "0.13.0"
"""The first one that writes the lock in its revision, as pyproject.toml requires it."""

_CHECKOUT = Path(__file__).resolve().parent.parent
_NAME = "uv.exe" if sys.platform == "win32" else "uv"


def find() -> Path:
    """Return a uv to run, installed into the cache where there is none.

    Raises `SystemExit` with the cause and the next step where pip cannot get it, or others could
    decide what is run.
    """
    if on_path := programs.find("uv"):
        version = _version(on_path)
        if version is not None and _parts(version) >= _parts(OLDEST):
            return on_path
        shown = f"{version}, older than {OLDEST}" if version else "of an unknown version"
        print(f"uv: {on_path} is {shown}: passed over", file=sys.stderr)  # noqa: T201
    cached = cache.cache_directory() / "uv" / VERSION / _NAME
    try:
        cache.make(cached.parent)
    except OSError as error:
        sys.exit(" Next: ".join(cache.unwritable(error)))
    if doubt := cache.doubt(cached.parent):
        sys.exit(" Next: ".join(doubt))
    if not cached.exists():
        _install(cached)
    return cached


def _version(uv: Path) -> str | None:
    try:
        said = subprocess.run([uv, "--version"], stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
    except OSError:
        return None
    found = re.match(r"uv (\d+\.\d+\.\d+)", said)
    return found[1] if found else None


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _check_proxies() -> None:
    """End where pip would quote a proxy's address, password and all, since it can make none of it.

    `tools` runs before there is any package, so that this is not `proself_mail.entra.proxies`.
    """
    for name in (
        "https_proxy",
        "HTTPS_PROXY",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        address = os.environ.get(name, "")
        try:
            parts = urlsplit(address if "://" in address else f"//{address}")
            is_usable = not address or (bool(parts.hostname) and parts.port != 0)
        except ValueError:
            is_usable = False
        if not is_usable:
            sys.exit(
                f"{name} is no address of a proxy such as http://proxy.example:8080. Next: correct "
                "it (in a password `/`, `#`, `?` and `@` are written `%2F`, `%23`, `%3F` and "
                "`%40`) or unset it, then try again."
            )


def _install(to: Path) -> None:
    _check_proxies()
    print(f"uv: installing {VERSION} into {to.parent} …", file=sys.stderr)  # noqa: T201
    with tempfile.TemporaryDirectory(dir=to.parent) as scratch:
        packages = Path(scratch) / "packages"
        # --target is allowed where the system's Python refuses other installs (PEP 668).
        arguments: list[str | Path] = [
            "install",
            "--quiet",
            "--no-input",
            "--target",
            packages,
            "--require-hashes",
            "--requirement",
            Path(__file__).with_suffix(".txt"),
        ]
        said = _run([sys.executable, "-m", "pip", *arguments])
        if said is not None:  # some distributions' Python has no pip of its own
            venv = Path(scratch) / "venv"
            next_step = (
                "give this Python its pip (on Debian and Ubuntu `apt install python3-venv`), or "
                "install uv by hand (its manual names the ways)"
            )
            if (said_2 := _run([sys.executable, "-m", "venv", venv])) is None:
                next_step = "install uv by hand (its manual names the ways)"
                [python] = [*venv.glob("bin/python"), *venv.glob("Scripts/python.exe")]
                said_2 = _run([python, "-m", "pip", *arguments])
            said = said_2 and f"{said}\n{said_2}"
        if said is not None:
            sys.exit(
                f"{said}\nuv could not be installed with {sys.executable}. Next: {next_step}, then "
                "try again."
            )
        [program] = packages.glob(f"bin/{_NAME}")
        program.chmod(0o755)
        program.replace(to)  # atomic: two at once both end with a whole file


def _run(command: Sequence[str | Path]) -> str | None:
    """Run a command; return what it said where it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
    return done.stdout.strip() if done.returncode else None


def _choose_utf_8() -> None:
    """Have what uv starts read paths in UTF-8 where the locale has another encoding, or is none.

    Python before 3.13 reads the venv's path files in the locale's, and does not start below 山田. A
    locale that is there and knows more than ASCII is the terminal's, and stays where it can. The
    language stays in any case.
    """
    if sys.platform == "win32":
        return
    try:
        locale.setlocale(locale.LC_CTYPE, "")
        encoding = codecs.lookup(locale.nl_langinfo(locale.CODESET)).name
    except (locale.Error, LookupError):  # the machine has no such one
        encoding = "ascii"
    if encoding == "utf-8" or (encoding != "ascii" and str(_CHECKOUT).isascii()):
        return
    if language := os.environ.pop("LC_ALL", ""):  # which would decide on the encoding too
        os.environ["LC_MESSAGES"] = language
    os.environ["LC_CTYPE"] = "C.UTF-8"
    if not str(_CHECKOUT).isascii():
        print(  # noqa: T201
            f"uv: the locale of this shell is not of UTF-8, and Python before 3.13 starts below "
            f"{_CHECKOUT} only by `python3 -m tools.uv run`. Next: `export LC_ALL=C.UTF-8`, or "
            "move the checkout to a path of ASCII letters.",
            file=sys.stderr,
        )


def main() -> None:
    """Become uv, with the arguments given."""
    uv = str(find())
    if sys.argv[1:2] in (["run"], ["sync"]):  # `uv lock` and `uv add` are there to change it
        os.environ.setdefault("UV_LOCKED", "1")
        os.environ.pop("UV_FROZEN", None)  # which would not look, and uv takes but one of them
    _choose_utf_8()
    if sys.platform == "win32" and not str(_CHECKOUT).isascii():
        # An older one reads the path of an installed checkout in Windows' code page, in which it
        # is not written, and does not start, or does not find us (python/cpython#77102).
        os.environ.setdefault("UV_PYTHON", ">=3.13")
    if sys.platform == "win32":  # exec would return to the shell at once there
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # uv hears it too, and ends in order
        sys.exit(subprocess.call([uv, *sys.argv[1:]]))  # noqa: S603
    os.execv(uv, [uv, *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
