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


def write(path: Path, content: bytes, prepare: Callable[[Path], object]) -> None:
    """Write a file under another name beside its place, 0600, and put it there in one step.

    `prepare` is given it while it is empty, to make it as it is to be. What killed writes of the
    file left is removed first. Raises `OSError`, and leaves what was there as it was then.
    """
    with removed_if_in_vain(_beside(path, content, prepare)) as scratch:
        _when_closed(lambda: scratch.replace(path))


def spare(path: Path) -> Path:
    """Write a copy of a file beside it, for `put_back`; return where. Raises `OSError`.

    What killed runs left of such copies is removed first.
    """
    return _beside(path, path.read_bytes(), lambda scratch: shutil.copymode(path, scratch))


def put_back(copy: Path, path: Path) -> None:
    """Put a `spare` in the place of its file, for which no room is needed. Raises `OSError`."""
    _when_closed(lambda: copy.replace(path))


def _beside(path: Path, content: bytes, prepare: Callable[[Path], object]) -> Path:
    for left in scratches(path):
        _when_closed(functools.partial(left.unlink, missing_ok=True))
    prefix, _, suffix = scratch_name(path.name, os.sep).partition(os.sep)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=suffix)
    with removed_if_in_vain(Path(name)) as scratch, os.fdopen(handle, "wb") as file:
        prepare(scratch)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return scratch


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
