"""The folder of what commands keep beside a stack on this machine, and who has the stack.

What each file in it says is its writer's.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from proself_mail import exclusive, whole_file
from proself_mail.stack import NoStackError
from proself_mail.stack_name import short_name

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
    lock = folder / _LOCK
    try:
        with exclusive.hold(lock, refusal):
            yield
    except NoStackError:  # a name that was misspelt leaves nothing behind
        with contextlib.suppress(OSError):
            lock.unlink()
            folder.rmdir()
        raise


def forget(project: Path, name: str) -> None:
    """Remove what commands keep there, and the folder where nothing else is in it."""
    folder = path(project, name)
    for kept in (UPDATE, TEARDOWN, ROTATION, _LOCK):
        for each in (folder / kept, *whole_file.scratches(folder / kept)):
            with contextlib.suppress(OSError):  # nothing of the stack's is in them
                each.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
