"""Where this user's cache of downloaded and built tools lies.

Outside of every checkout, so that a second clone downloads and builds nothing again. Standard
library only: `tools.uv` runs before anything is installed.
"""

import os
import sys
from pathlib import Path


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
