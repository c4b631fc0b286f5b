"""Lint, format and type checks in one go; every one runs, and any complaint fails.

uv run python -m tools.lint
"""

import subprocess
import sys
from pathlib import Path

_CHECKS = (
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
)
_ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the checks; exit 1 where one complains."""
    failed = [
        " ".join(command)
        for command in _CHECKS
        if subprocess.run([sys.executable, "-m", *command], cwd=_ROOT).returncode  # noqa: S603
    ]
    if failed:
        sys.exit(f"lint: {', '.join(failed)} complained")


if __name__ == "__main__":
    main()
