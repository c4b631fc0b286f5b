"""One process of this machine at a time, by a file that is locked while it works."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from proself_mail.errors import ConfigurationError, Refused
from proself_mail.files import private_file


@contextlib.contextmanager
def hold(file: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of `file`, 0600, whose folder is made where it is missing, 0700.

    Raises `Refused` where another holds it, `ConfigurationError` where it cannot be made.
    """
    held = FileLock(file, mode=0o600)
    try:
        private_file.make_folder(file.parent)
        held.acquire(timeout=0)
    except Timeout:
        raise Refused(refusal, "Wait for it to end, then try again.") from None
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror or error}.",
            f"Make {file.parent} a folder that you may write to, with room in it; if the file is "
            "there and is another user's, or a folder, move it away. Then try again.",
        ) from error
    try:
        yield
    finally:
        held.release()
