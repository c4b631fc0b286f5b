"""Which folders are copied elsewhere: those of OneDrive, Dropbox, iCloud Drive and their like.

Told by the folder's name, by what the service's client leaves in it, by the variables that OneDrive
sets on Windows, and by the list that Dropbox keeps. What none of these shows is not recognised: an
answer of None promises nothing. It reads names of files and that list, and nothing else.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from proself_mail import json_text

_NAMES = {
    "OneDrive": r"OneDrive( ?-.*)?",
    "Dropbox": r"Dropbox( ?\(.*\))?",
    "iCloud Drive": r"iCloud ?Drive|Mobile Documents|com~apple~CloudDocs",
    "Google Drive": r"Google ?Drive( ?\(.*\)|-.*)?|My Drive|マイドライブ",
    "Box": r"Box( Sync|-.*)?",
    "Nextcloud": r"(Nextcloud|ownCloud).*",
    "a cloud storage of macOS": r"CloudStorage",
}
"""What the services' clients call the folders that they copy, in whole."""

_MARKS = {
    "OneDrive": (".849C9593-D756-4E56-8D6E-42412F2A707B",),
    "Dropbox": (".dropbox", ".dropbox.cache"),
    "Google Drive": (".tmp.driveupload", ".tmp.drivedownload"),
    "Nextcloud": (".nextcloudsync.log", ".owncloudsync.log", ".sync_*.db", "._sync_*.db"),
    "Syncthing": (".stfolder", ".stignore"),
}
"""What lies at the top of such a folder, whatever it is called."""

_VARIABLES = ("OneDrive", "OneDriveCommercial", "OneDriveConsumer")


def service_of(
    path: Path, home: Path | None = None, environment: Mapping[str, str] = os.environ
) -> str | None:
    """Return the service that copies the folder a file is to lie in; None where none shows.

    `path` need not exist. It is looked at as it is named and as it is with every link followed.
    """
    own = home or Path.home()
    roots = dict(_roots(own, environment))
    for place in (path.absolute(), path.resolve()):
        for folder in place.parents:
            if folder in (own, own.resolve()):
                # `.dropbox` in the home itself is Dropbox's own, and a home is no such folder.
                break
            if folder in roots:
                return roots[folder]
            for service, pattern in _NAMES.items():
                if re.fullmatch(pattern, folder.name, re.IGNORECASE):
                    return service
            for service, marks in _MARKS.items():
                if any(any(folder.glob(mark)) for mark in marks):
                    return service
    return None


def _roots(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Return the folders that the services themselves name, as they are with links followed."""
    for variable in _VARIABLES:
        if named := environment.get(variable):
            yield Path(named).resolve(), "OneDrive"
    for folder in (home / ".dropbox", *_windows(environment)):
        try:
            accounts = json_text.read((folder / "info.json").read_text(encoding="utf-8"))
            found = [account["path"] for account in accounts.values()]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue
        yield from ((Path(each).resolve(), "Dropbox") for each in found)


def _windows(environment: Mapping[str, str]) -> Iterator[Path]:
    for variable in ("APPDATA", "LOCALAPPDATA"):
        if named := environment.get(variable):
            yield Path(named) / "Dropbox"
