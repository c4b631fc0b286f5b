"""Files that are written whole or not at all, and changed though somebody has them open."""

import contextlib
import functools
import glob
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from proself_mail.errors import ConfigurationError

_HELD_OPEN = tuple(timedelta(seconds=wait) for wait in (0.05, 0.1, 0.2, 0.4, 0.8))
"""How long each try to change a file that may be open waits for the next."""
_TRIES = 5
"""How often a file is written anew whose scratch was taken for what a killed write left."""


def write(path: Path, content: bytes, prepare: Callable[[Path], object]) -> None:
    """Write a file under another name beside its place, 0600, and put it there in one step.

    `prepare` is given it while it is empty, to make it as it is to be. What killed writes of the
    file left is removed first; of several at once the last one stays. Raises `OSError`, and leaves
    what was there as it was then.
    """
    for left in reversed(range(_TRIES)):
        try:
            with _beside(path, content, prepare) as scratch:
                _when_closed(lambda: scratch.replace(path))
        except FileNotFoundError:
            # Another write saw it when it was not held: just made, or on Windows closed already.
            if not left:
                raise
        else:
            return


def spare(path: Path) -> Path:
    """Write a copy of a file beside it, for `put_back`; return where. Raises `OSError`.

    What killed runs left of such copies is removed first.
    """
    with _beside(path, path.read_bytes(), lambda scratch: shutil.copymode(path, scratch)) as copy:
        return copy


def put_back(copy: Path, path: Path) -> None:
    """Put a `spare` in the place of its file, for which no room is needed. Raises `OSError`."""
    _when_closed(lambda: copy.replace(path))


@contextlib.contextmanager
def _beside(path: Path, content: bytes, prepare: Callable[[Path], object]) -> Iterator[Path]:
    """Give the block a file that is written whole, and held until its end; it goes if that raises.

    On Windows it is held no longer than it takes to write it: nothing renames what is open.
    """
    for left in scratches(path):
        _remove_unless_held(left)
    prefix, _, suffix = scratch_name(path.name, os.sep).partition(os.sep)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=suffix)
    with removed_if_in_vain(Path(name)) as scratch, os.fdopen(handle, "wb") as file:
        _hold(handle)
        prepare(scratch)
        file.write(content)
        file.flush()
        os.fsync(handle)
        if sys.platform == "win32":
            file.close()
        yield scratch


def _hold(handle: int) -> None:
    """Mark an open file as being written, until it is closed or its process ends."""
    if sys.platform != "win32":  # where that it is open says so
        import fcntl

        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(handle, fcntl.LOCK_EX)


def _remove_unless_held(scratch: Path) -> None:
    """Remove what a killed write left, and nothing that another process is writing."""
    remove_it = functools.partial(scratch.unlink, missing_ok=True)
    if sys.platform == "win32":
        with contextlib.suppress(PermissionError):  # it is open: the next write looks again
            _when_closed(remove_it)
        return
    import fcntl

    try:
        with scratch.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except OSError:  # gone, another's, no file at all, or without locks: removing it says which
        pass
    remove_it()


@contextlib.contextmanager
def removed_if_in_vain(path: Path) -> Iterator[Path]:
    """Give a file that the block makes, and remove it where that raises."""
    try:
        yield path
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def scratch_name(name: str, drawn: str = "x" * 8) -> str:
    """Return a name that a file is written under first; `drawn` are eight letters of a lot.

    Nobody else ends a copy of theirs so: what bears such a name is removed unasked.
    """
    return f".{name}.{drawn}.tmp"


def scratches(path: Path) -> list[Path]:
    """Return what writes of `path` left beside it that were killed before their end."""
    if not os.path.isdir(path.parent):  # noqa: PTH112  the glob fails on a name that is too long
        return []
    return sorted(path.parent.glob(scratch_name(glob.escape(path.name), "[a-z0-9_]" * 8)))


def remove(path: Path) -> None:
    """Remove a file, if it is there. Raises `ConfigurationError` where that cannot be."""
    try:
        _when_closed(lambda: path.unlink(missing_ok=True))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be removed: {error.strerror or error}.",
            "Close what has it open, or delete it by hand, then try again.",
        ) from error


def _when_closed(change: Callable[[], object]) -> None:
    """Change a file's name or delete it.

    Windows refuses that while somebody has it open, as a search for viruses has what is new.
    """
    for wait in _HELD_OPEN if sys.platform == "win32" else ():
        try:
            change()
            return
        except PermissionError:
            time.sleep(wait.total_seconds())
    change()
