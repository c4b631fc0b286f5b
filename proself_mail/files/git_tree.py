"""What a git working tree would take into a commit."""

import subprocess
from pathlib import Path

from proself_mail.errors import Refused


def would_take(path: Path) -> bool:
    """Say whether a file would lie in a working tree of git that does not ignore it.

    `path` need not exist. Raises `Refused` where git does not tell, such as in another user's tree.
    """
    place = path.resolve()
    tree = next((folder for folder in place.parents if (folder / ".git").exists()), None)
    if tree is None:
        return False
    asked = ["git", "-C", str(tree), "check-ignore", "--quiet", "--", str(place)]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, errors="replace")  # noqa: S603
    except OSError as error:
        said = f"git does not start: {error.strerror or error}"
    else:
        if done.returncode in (0, 1):
            return done.returncode == 1
        said = " ".join(done.stderr.split()).rstrip(".")
    raise Refused(
        f"{path} lies in a working tree of git, {tree}, which does not tell whether it ignores the "
        f"file, with the client secret in it ({said}).",
        "Name a place outside of it, or see to it that git answers there, then try again.",
    )
