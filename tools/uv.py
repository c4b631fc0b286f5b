"""Run uv, which runs everything else; fetch it first where the machine has none.

    python3 -m tools.uv run pytest

A `uv` on PATH is used as it is. Otherwise the version named here is installed by pip into this
user's cache, once; the file appears there whole or not at all. Standard library only.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.cache import cache_directory

VERSION = "0.13.9"
"""The uv that the lock was written with; any newer one on PATH will do as well."""

_NAME = "uv.exe" if sys.platform == "win32" else "uv"


def find() -> Path:
    """Return a uv to run, installed into the cache where there is none.

    Raises `SystemExit` with the cause and the next step where pip cannot get it.
    """
    if on_path := shutil.which("uv"):
        return Path(on_path)
    cached = cache_directory() / "uv" / VERSION / _NAME
    if not cached.exists():
        _install(cached)
    return cached


def _install(to: Path) -> None:
    print(f"uv: none on PATH; installing {VERSION} into {to.parent} …", file=sys.stderr)  # noqa: T201
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as scratch:
        # --target is allowed where the system's Python refuses other installs (PEP 668).
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        command = [*pip, "install", "--quiet", "--target", scratch, f"uv=={VERSION}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
        found = list(Path(scratch).rglob(_NAME))
        if done.returncode or not found:
            sys.exit(
                f"{done.stdout.strip()}\nuv could not be installed by `{' '.join(pip[:3])}`. "
                "Next: install uv by hand (https://docs.astral.sh/uv/), then try again."
            )
        found[0].chmod(0o755)
        found[0].replace(to)  # atomic: two at once both end with a whole file


def main() -> None:
    """Become uv, with the arguments given."""
    uv = str(find())
    if sys.platform == "win32":  # exec would return to the shell at once there
        sys.exit(subprocess.call([uv, *sys.argv[1:]]))  # noqa: S603
    os.execv(uv, [uv, *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
