"""Files that only this user may read, written whole or not at all."""

import contextlib
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

from proself_mail.errors import ConfigurationError, Refused
from proself_mail.files import whole_file
from tools import trusted_path

_LONGEST_NAME = 255
"""Of a file, in characters; systems that count bytes allow less. Windows says of one that is longer
that it is not there."""


def check(path: Path, elsewhere: str = "") -> None:
    """Look whether `write` could write there, without writing. Raises as `write` does."""
    try:
        # A link counts that leads nowhere, for nothing can be made in its place.
        folder = next(parent for parent in path.parents if os.path.lexists(parent))
        in_the_way = folder if not folder.is_dir() else path if path.is_dir() else None
        # What is to be made there; asked in the folder that stands, for inside one that does not
        # no name is too long. The file is written under another name first.
        parts = [*path.parent.relative_to(folder).parts, whole_file.scratch_name(path.name)]
        for name in parts:
            if len(name) > _LONGEST_NAME:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (folder / name).lstat()
    except (OSError, ValueError) as error:  # no name that a file can have
        why = getattr(error, "strerror", None) or str(error)
        raise unwritable(path, why, elsewhere) from error
    if in_the_way is not None:
        it = "a folder" if in_the_way == path else "no folder"
        otherwise = f", or {elsewhere}" if elsewhere else ""
        raise ConfigurationError(
            f"{path} cannot be written: {in_the_way} is {it}.",
            f"Move it away{otherwise}, then try again.",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise unwritable(path, f"{folder} may not be written to", elsewhere)
    if folder == path.parent:
        _check_folder(folder)


def write(path: Path, text: str, elsewhere: str = "") -> None:
    """Write `text` to `path`, 0600, replacing what is there in one step.

    Folders that are missing are made 0700. `elsewhere` says how a person names another place,
    where one can. Raises `ConfigurationError` where the folder cannot be made or written, and
    `Refused` where it is another user's, or others could put another file in its place.
    """
    folder = path.parent
    try:
        make_folder(folder)
        _check_folder(folder)
        whole_file.write(path, text.encode(), _restrict)
    except OSError as error:
        raise unwritable(path, error.strerror or str(error), elsewhere) from error


def read(path: Path, again: str, exposed: str) -> str:
    """Return the text of a private file.

    `again` says how a person has it written anew, `exposed` what to do about what others may have
    read in it. Raises `ConfigurationError` where it is missing or unreadable, `Refused` where
    others can read it.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            again,
        ) from error
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(
            f"{path} holds a secret, and other users of this machine may read it (mode "
            f"{stat.S_IMODE(mode):04o}).",
            f"`chmod 600 {path}`; if others use this machine, {exposed}.",
        )
    return text


def make_own_folder(folder: Path) -> None:
    """Make a folder, 0700, whose files are to be run or trusted; one of this user's may be there.

    Raises `Refused` where it is another user's, a link, or others may write in it or put another in
    its place, and `ConfigurationError` where it cannot be made.
    """
    doubt = trusted_path.doubt(folder.parent.absolute())
    if doubt is not None:
        raise Refused(
            f"{doubt}, and programs are to be run from {folder}.",
            "Choose a ready file in a folder of your own, then try again.",
        )
    try:
        make_folder(folder)
        found = folder.lstat()
    except OSError as error:
        raise unwritable(folder, error.strerror or str(error), "") from error
    if sys.platform == "win32":
        return
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Refused(
            f"{folder} is not this user's alone (owner {found.st_uid}, mode "
            f"{stat.S_IMODE(found.st_mode):04o}), and programs are to be run from it.",
            "Choose a ready file in a folder of your own, then try again.",
        )


def unwritable(path: Path, reason: str, elsewhere: str) -> ConfigurationError:
    """Return the error of a file that cannot be written."""
    otherwise = f", or {elsewhere}" if elsewhere else ""
    return ConfigurationError(
        f"{path} cannot be written: {reason}.",
        f"Make {path.parent} a folder that you may write to, with room in it{otherwise}, then try "
        "again.",
    )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each 0700. Raises `OSError`.

    By `mkdir` with `parents` only the last one is: those above it get what the umask leaves.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        _restrict(each)


def _check_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    found = folder.stat()
    mode = found.st_mode
    # Whose program is running could have it write anywhere: the owner of a checkout that root runs.
    if found.st_uid not in (os.geteuid(), 0, Path(__file__).stat().st_uid):
        raise Refused(
            f"{folder} is another user's (owner {found.st_uid}), and a client secret is to lie "
            "there.",
            "Move it away, or make yourself its owner, then try again.",
        )
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise Refused(
            f"Others may write in {folder} (mode {stat.S_IMODE(mode):04o}), and a private file is "
            "to lie there.",
            f"`chmod go-w {folder}`, then try again.",
        )


def _restrict(path: Path) -> None:
    """Leave this user alone with it. POSIX modes are set when a file or folder is made."""
    if sys.platform == "win32":
        import psutil

        # With its domain, without which the name of an Entra account is none to icacls.
        user = psutil.Process().username()
        grant = f"{user}:{'(OI)(CI)' if path.is_dir() else ''}F"
        # By a name alone Windows would take one of the current folder (Microsoft, CreateProcessW).
        icacls = Path(os.environ["SYSTEMROOT"], "System32", "icacls.exe")
        command = [str(icacls), str(path), "/inheritance:r", "/grant:r", grant]
        done = subprocess.run(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="oem"
        )
        if done.returncode:
            raise OSError(f"icacls cannot keep it to {user}: {' '.join(done.stdout.split())}")
