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
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "proself-mail"


def unwritable(error: OSError) -> tuple[str, str]:
    """Return the cause and the next step where the cache cannot be written."""
    return (
        f"This user's cache of tools, {cache_directory()}, cannot be written: {error.strerror}.",
        "Set PROSELF_MAIL_CACHE, and UV_CACHE_DIR for uv's own, to folders that you may write to, "
        "then try again.",
    )
