"""Paths that programs are run from: whether others can put theirs in the place.

Standard library only: `tools.uv` runs before anything is installed.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

_PROGRAM = Path(__file__).resolve()


def doubt(path: Path) -> str | None:
    """Return why what lies at an absolute path may be others' work, a clause; None where it is not.

    Each folder and link that leads there counts, as far as there are any, and itself. Those that
    this program lies in do not: who may write to one could have changed this program.
    """
    # What is not there, or is not to be looked at, is not run; nor is what links in a loop lead to.
    with contextlib.suppress(OSError, RecursionError):
        for step in _steps(path):
            if step not in _PROGRAM.parents and (found := doubt_of(step)):
                return found
    return None


def doubt_of(step: Path, writers: int = stat.S_IWOTH) -> str | None:
    """Say the same of one step of a path, to which `writers` may not write. Raises `OSError`.

    By default a group may, which is how a folder is shared. In a sticky one, such as /tmp, nobody
    takes away what is another's.
    """
    if sys.platform == "win32":
        return None
    found = step.lstat()
    mode = stat.S_IMODE(found.st_mode)
    # Whose program is running could have it run anything: the owner of a checkout that root uses.
    # In a user namespace the machine's root is not 0, but still whose the root folder is.
    trusted = (os.geteuid(), 0, Path(os.sep).stat().st_uid, _PROGRAM.stat().st_uid)
    is_shut = stat.S_ISLNK(found.st_mode) or mode & stat.S_ISVTX or not mode & writers
    if found.st_uid in trusted and is_shut:
        return None
    return (
        f"{step} is another user's, or others may write to it (owner {found.st_uid}, "
        f"mode {mode:04o})"
    )


def _steps(path: Path) -> Iterator[Path]:
    for step in (*reversed(path.parents), path):
        yield step
        if step.is_symlink():
            yield from _steps(step.parent / step.readlink())
