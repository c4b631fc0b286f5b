"""What a git working tree would take into a commit."""

import os
import subprocess
from pathlib import Path

from proself_mail.errors import Refused
from proself_mail.files import whole_file
from tools import programs


def would_take(path: Path) -> bool:
    """Say whether a file would lie in a working tree of git that does not ignore it.

    Or that does not ignore the name that it is written under first, which a killed write leaves.
    `path` need not exist. Raises `Refused` where git does not tell, such as in another user's tree.
    """
    place = path.resolve()
    tree = next((folder for folder in place.parents if (folder / ".git").exists()), None)
    if tree is None:
        return False
    names = [place, place.parent / whole_file.scratch_name(place.name)]
    said = "git does not start: it is not on PATH"
    if git := programs.find("git"):
        asked = [str(git), "-C", str(tree), "check-ignore", "-z", "--stdin"]
        try:
            done = subprocess.run(  # noqa: S603
                asked, input=b"\0".join(map(os.fsencode, names)), capture_output=True
            )
        except OSError as error:
            said = f"git does not start: {error.strerror or error}"
        else:
            if done.returncode in (0, 1):
                return done.stdout.count(b"\0") < len(names)  # it tells those that it ignores
            said = " ".join(done.stderr.decode(errors="replace").split()).rstrip(".")
    raise Refused(
        f"{path} lies in a working tree of git, {tree}, which does not tell whether it ignores the "
        f"file, with the client secret in it ({said}).",
        "Name a place outside of it, or see to it that git answers there, then try again.",
    )
