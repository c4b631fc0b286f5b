"""One process of this machine at a time, by a file that is locked while it works."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from proself_mail.errors import Refused


@contextlib.contextmanager
def hold(file: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of `file`, whose folder is there. Raises `Refused` where another holds it."""
    held = FileLock(file)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise Refused(refusal, "Wait for it to end, then try again.") from None
    try:
        yield
    finally:
        held.release()
