"""Programs on PATH.

Standard library only: `tools.uv` runs before anything is installed.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path


def find(name: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return where the program of that name lies, on Windows without its extension; or None.

    `shutil.which` looks into the current folder first on Windows: until Python 3.12 whatever is
    set, since then unless NoDefaultCurrentDirectoryInExePath is (its documentation). That may be
    a folder of downloads, or another's.
    """
    path = environment.get("PATH", "")
    if sys.platform == "win32":
        extensions = os.environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";")
        folders = [Path(folder) for folder in path.split(os.pathsep) if folder]
        every = (folder / f"{name}{extension}" for folder in folders for extension in extensions)
        return next((each for each in every if _is_file(each)), None)
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # of a folder that this user may not look into, or that can be none
        return False
