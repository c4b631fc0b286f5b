"""What a git working tree would take into a commit."""

import subprocess
from pathlib import Path


def would_take(path: Path) -> bool:
    """Say whether a file would lie in a working tree of git that does not surely ignore it.

    `path` need not exist.
    """
    place = path.resolve()
    tree = next((folder for folder in place.parents if (folder / ".git").exists()), None)
    if tree is None:
        return False
    asked = ["git", "-C", str(tree), "check-ignore", "--quiet", "--", str(place)]
    try:
        return subprocess.run(asked, capture_output=True).returncode != 0  # noqa: S603
    except OSError:  # there is no git here, and who knows where else
        return True
