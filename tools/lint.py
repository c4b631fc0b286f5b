"""Lint, format and type checks in one go; every one runs, and any complaint fails.

uv run python -m tools.lint

The workflows cannot be run here, so they are looked at all the harder: actionlint for what GitHub
would refuse, zizmor for what an attacker would like.
"""

import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
"""No Python package of it comes without a download from elsewhere; Go's checksum pins this one."""


def main() -> None:
    """Run the checks; exit 1 where one complains."""
    bare, tools = [sys.executable, "-m"], Path(sys.executable).parent
    checks = {
        "ruff check": [*bare, "ruff", "check", "."],
        "ruff format": [*bare, "ruff", "format", "--check", "."],
        "mypy": [*bare, "mypy"],
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
    """Return how to run it: one on PATH, or one that Go fetches and builds once."""
    if found := shutil.which("actionlint"):
        return [found]
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        sys.exit("lint: needs actionlint or Go 1.25 for the workflows; install one of them")
    return [go, "run", _ACTIONLINT]


if __name__ == "__main__":
    main()
