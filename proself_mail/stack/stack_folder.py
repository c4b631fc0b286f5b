"""The folder of what commands keep beside a stack on this machine, and who has the stack.

What each file in it says is its writer's.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from proself_mail.config.stack_name import short_name
from proself_mail.files import exclusive, whole_file

UPDATE = "update.json"
"""The journal of an update."""
TEARDOWN = "teardown.json"
"""The journal of a teardown."""
ROTATION = "rotation.md"
"""The summary of a rotation, which the workflow's steps know too."""
_LOCK = ".update.lock"


def path(project: Path, name: str) -> Path:
    """Return a stack's folder, which need not be there."""
    return project / "out" / short_name(name)


@contextlib.contextmanager
def alone(project: Path, name: str) -> Iterator[None]:
    """Keep a second `proself-mail` that changes the stack on this machine out."""
    folder = path(project, name)
    refusal = f"Another `proself-mail` works on the stack {name} on this machine."
    try:
        with exclusive.hold(folder / _LOCK, refusal):
            try:
                yield
            finally:
                if sys.platform != "win32":  # once let go, it may be another's
                    _remove_if_bare(folder)
    finally:
        if sys.platform == "win32":  # what anybody has open is not removed there
            _remove_if_bare(folder)


def forget(project: Path, name: str) -> None:
    """Remove what commands keep there; to be called by the one that has the stack."""
    folder = path(project, name)
    for kept in (UPDATE, TEARDOWN, ROTATION):
        for each in (folder / kept, *whole_file.scratches(folder / kept)):
            with contextlib.suppress(OSError):  # nothing of the stack's is in them
                each.unlink()


def _remove_if_bare(folder: Path) -> None:
    """Remove a folder that has nothing in it but the lock, as of a name that was misspelt."""
    with contextlib.suppress(OSError):
        if [each.name for each in folder.iterdir()] == [_LOCK]:
            (folder / _LOCK).unlink()
            folder.rmdir()
