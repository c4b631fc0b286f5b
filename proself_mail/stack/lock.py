"""Who holds a stack, read from the engine's refusal; and whether that process is dead.

The engine's file backend leaves a lock behind when it is killed. Such a lock is taken away only
where its process surely runs no more: on this machine, under that number. On any other backend the
holder may be on another machine, and a lock is never taken.

The storage of that backend (gocloud.dev, `fileblob`) writes a file beside its place, by the name
`UUID.json.NUMBER.tmp`, and renames it. One that was killed before leaves it so, and the engine
takes it for a lock as well.
"""

import contextlib
import os
import re
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from proself_mail import json_text
from proself_mail.config.stack_name import short_name
from proself_mail.errors import Refused
from proself_mail.schedule import format_instant
from proself_mail.stack import engine_environment

_SCRATCH = ".tmp"
_HELPERS = ("pulumi-language", "pulumi-resource")
_HOLDER = re.compile(
    r"(?P<path>\S+): created by (?P<user>[^@\n]+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at "
    r"(?P<at>[^\s)]+)"
)


def is_an_engine(process: psutil.Process) -> bool:
    """Say whether a process is a Pulumi CLI, which Nix wraps and a link may lend another name.

    Its language hosts and its plugins have its name in theirs. Raises `psutil.NoSuchProcess`.
    """
    name = process.name()
    if name.startswith(_HELPERS):
        return False
    if "pulumi" in name:
        return True
    try:
        return "pulumi" in Path(process.exe()).name
    except psutil.AccessDenied:
        return False  # another user's, and of another name


@dataclass(frozen=True)
class Holder:
    """The process that made a lock, as the engine names it."""

    user: str
    host: str
    pid: int
    since: datetime
    path: Path | None = None
    """The lock's own file, which no other lock ever has; none where it was not seen itself."""

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == socket.gethostname()

    @property
    def is_dead(self) -> bool:
        """Whether it surely runs no more.

        That another engine has its number by now is not looked for: a process seems to have
        started later than it did where the machine's clock was put forward since.
        """
        if not self.is_here:
            return False
        try:
            process = psutil.Process(self.pid)
            return process.status() == psutil.STATUS_ZOMBIE or not is_an_engine(process)
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False

    @property
    def is_abandoned(self) -> bool:
        """Whether it is an engine that a `proself-mail` of this machine drove, which is dead.

        It is at the end of what it had under way, and then ends by itself.
        """
        if not self.is_here:
            return False
        try:
            engine = psutil.Process(self.pid)
            driver = int(engine.environ().get(engine_environment.DRIVER, "0"))
            return driver > 0 and (
                not psutil.pid_exists(driver)
                or psutil.Process(driver).create_time() > engine.create_time()
            )
        except (psutil.Error, ValueError):
            return False

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}) since {format_instant(self.since)}"


_WRITTEN = timedelta(seconds=10)
"""What is still cut off so long after its last write nobody is writing; it takes milliseconds."""


@dataclass(frozen=True)
class Unreadable:
    """A lock's file that names nobody, being empty or cut off."""

    path: Path
    is_abandoned: bool
    """Whether it may be being written: it has another name or another content in a moment."""

    @property
    def is_dead(self) -> bool:
        """Whether it may go.

        That is one which has not come to its name yet. An engine that does go on to rename it,
        wherever it runs, finds it gone and ends without having held the stack. By its own name a
        file was whole once: a machine that fell, or a disk, cut it off, and who made it may live.
        """
        return self.path.suffix == _SCRATCH and not self.is_abandoned

    def __str__(self) -> str:
        return f"{self.path}, which is cut off and names nobody"


Lock = Holder | Unreadable
"""A lock, by who holds it or by its file alone."""


def driver() -> dict[str, str]:
    """Return what marks an engine in its environment as driven by this process."""
    return {engine_environment.DRIVER: str(os.getpid())}


def refusal(stack: str, by: str) -> Refused:
    """Return the error for a stack that another run holds."""
    return Refused(
        f"Another run holds the stack {stack}: {by}.",
        f"Wait for it to end. If it is surely gone, `pulumi cancel --stack {stack}`, then try "
        "again.",
    )


def holders(said: str) -> tuple[Holder, ...]:
    """Read the holders of a stack's locks out of the engine's refusal."""
    return tuple(
        Holder(
            found["user"],
            found["host"],
            int(found["pid"]),
            datetime.fromisoformat(found["at"]).astimezone(UTC),
        )
        for found in _HOLDER.finditer(said)
    )


def standing(folder: Path | None, project: str, stack: str) -> tuple[Lock, ...] | None:
    """Return what holds a stack now; none where the backend does not lie in a folder.

    `stack` may be written with its organization and project, as the CLI takes it too.
    """
    if folder is None:
        return None
    found: list[Lock] = []
    own = folder / ".pulumi" / "locks" / "organization" / project / short_name(stack)
    for path in (*own.glob("*.json"), *own.glob(f"*.json.*{_SCRATCH}")):
        with contextlib.suppress(OSError):  # gone, or renamed, by now
            found.append(_read(path))
    return tuple(found)


def _read(path: Path) -> Lock:
    try:
        entry = json_text.read(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(entry["timestamp"]).astimezone(UTC)
        return Holder(entry["username"], entry["hostname"], int(entry["pid"]), since, path)
    except (ValueError, LookupError, TypeError):
        # By the clock of who keeps the files, which may be ahead of ours.
        age = timedelta(seconds=abs(time.time() - path.stat().st_mtime))
        return Unreadable(path, path.suffix == _SCRATCH and age < _WRITTEN)


def remove(dead: Lock) -> None:
    """Remove one lock's file, and no other: `pulumi cancel` would take one made since as well.

    Raises `Refused` where this user may not.
    """
    if dead.path is None:
        return
    try:
        dead.path.unlink(missing_ok=True)
        own_name = dead.path.name.partition(".json")[0] + ".json"
        dead.path.with_name(f"{own_name}.attrs").unlink(missing_ok=True)
    except OSError as error:
        raise Refused(
            f"The lock of a dead run, {dead.path}, cannot be removed: {error.strerror or error}.",
            "Remove that file, then try again.",
        ) from error
