"""Where this user's cache of downloaded and built tools lies.

Outside of every checkout, so that a second clone downloads and builds nothing again. Standard
library only: `tools.uv` runs before anything is installed.
"""

import contextlib
import os
import stat
import sys
from pathlib import Path

from tools import trusted_path

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def cache_directory() -> Path:
    """Return this user's cache folder for the project; it need not exist yet.

    `PROSELF_MAIL_CACHE` overrides it, for machines whose home folder is small or thrown away.
    """
    if chosen := os.environ.get("PROSELF_MAIL_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return base / "proself-mail"


def home() -> Path:
    """Return this user's home folder; by the system where HOME is blank or no absolute path."""
    if sys.platform == "win32" or Path(os.environ.get("HOME", "/")).is_absolute():
        return Path.home()
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def unwritable(error: OSError) -> tuple[str, str]:
    """Return the cause and the next step where the cache cannot be written."""
    return (
        f"This user's cache of tools, {cache_directory()}, cannot be written: {error.strerror}.",
        "Set PROSELF_MAIL_CACHE, and UV_CACHE_DIR for uv's own, to folders that you may write to, "
        "then try again.",
    )


def make(folder: Path) -> None:
    """Make a folder of the cache and those above it that are missing. Raises `OSError`.

    Whatever the umask is, this user alone may write to them; what is in them is no secret.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o777 & ~_OTHERS, exist_ok=True)


def shut(path: Path) -> None:
    """Leave writing to what was made in the cache, and to what lies in it, to this user alone."""
    for each in (path, *path.rglob("*")):
        if not each.is_symlink():
            each.chmod(each.stat().st_mode & ~_OTHERS)


def doubt(folder: Path) -> tuple[str, str] | None:
    """Return the cause and the next step where others could decide what is run from `folder`.

    It is one of the cache. What a umask of 002 left open to the user's group there is shut. Whose
    folders the cache lies in does not count: they are somebody else's in many a container, and what
    their owner puts in the cache's place is not ours.
    """
    if sys.platform == "win32":
        return None
    top, folder = cache_directory().absolute(), folder.absolute()
    inside = [each for each in (folder, *folder.parents) if top in each.parents]
    with contextlib.suppress(OSError):  # may be root's, and kept from being listed
        inside += folder.iterdir()
    tops = [trusted_path.doubt_of(each) for each in (top, top.resolve()) if each.exists()]
    told = next(filter(None, tops), None)
    for each in inside:
        with contextlib.suppress(FileNotFoundError):  # another process's, which it has removed
            found = each.lstat()
            is_groups = found.st_mode & _OTHERS == stat.S_IWGRP and not each.is_symlink()
            if is_groups and found.st_uid == os.geteuid():
                each.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
            told = told or trusted_path.doubt_of(each, _OTHERS)
    if told is not None:
        return (
            f"{told}, and programs are to be run from {folder}.",
            "If it is yours, `chmod go-w` it and delete what lies in the cache; or set "
            "PROSELF_MAIL_CACHE to a folder that only you may write to. What is missing then is "
            "fetched anew.",
        )
    return None
