"""The ready file, which is there while the emulator serves and says how clients reach it.

It holds secrets of the tenants, so it is its user's alone.
"""

import contextlib
import errno
import os
import socket
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from emulator import json_text, tls
from emulator.config import Config
from emulator.directory.tenant import TenantSpec
from emulator.json_text import Json

HTTPS = 443
"""The port that an address without one means."""


@dataclass(frozen=True)
class Ports:
    """Where each part serves, once that is known."""

    tenant: int
    admin: int
    smtp: int
    proself: int

    def origin(self, host: str) -> str:
        """Return the address of the tenants as clients compare it: HTTPS's own port is left out."""
        return f"https://{host}" if self.tenant == HTTPS else f"https://{host}:{self.tenant}"


def bundle_of(ready_file: Path) -> Path:
    """Return the file of certificates that belongs to a ready file, beside it."""
    return ready_file.with_name(f"{ready_file.stem}-ca.pem")


def refuse_taken(ready_file: Path) -> None:
    """Raise OSError if an emulator serves by a ready file, or something else is in its place.

    What one that was killed left there may be replaced, and a file without content. So is a folder
    refused in which others could put a file of theirs in its place.
    """
    _refuse_others(ready_file.parent)
    ready = _content(ready_file)
    if ready and not _is_ready_file(ready):
        raise _taken(ready_file, "no ready file")
    if (bundle := _content(bundle_of(ready_file))) and not tls.is_bundle(bundle):
        raise _taken(bundle_of(ready_file), "no file of certificates of an embedded tenant")
    if ready:
        _refuse_second(ready_file, json_text.read(ready))


def _refuse_others(folder: Path) -> None:
    if sys.platform == "win32" or not folder.exists():
        return
    found = folder.stat()
    # Whose program is running could have it write anywhere.
    is_ours = found.st_uid in (os.geteuid(), 0, Path(__file__).stat().st_uid)
    is_shut = not found.st_mode & stat.S_IWOTH or found.st_mode & stat.S_ISVTX
    if not (is_ours and is_shut):
        message = (
            f"{folder} is another user's, or others may write to it (owner {found.st_uid}, mode "
            f"{stat.S_IMODE(found.st_mode):04o}), and secrets are to lie there. Next: give another "
            "--ready-file, in a folder of your own."
        )
        raise OSError(errno.EPERM, message)


def _content(path: Path) -> bytes | None:
    """Return what a file has; None where there is none. Raises OSError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        if path.is_file():
            raise _taken(path, "not to be read") from error
        return None


def _is_ready_file(content: bytes) -> bool:
    try:
        ready = json_text.read(content)
    except ValueError:
        return False
    return isinstance(ready, dict) and {"pid", "admin_url", "client_secret"} <= set(ready)


def _taken(path: Path, what: str) -> OSError:
    message = (
        f"{path} is there already and is {what}; it is left as it is. Next: give another "
        "--ready-file."
    )
    return OSError(errno.EEXIST, message)


def _refuse_second(ready_file: Path, ready: Json) -> None:
    try:
        pid, port = int(ready["pid"]), int(urlsplit(ready["admin_url"]).port or 0)
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            lives = psutil.pid_exists(pid)
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return  # it was killed
    if lives:
        message = (
            f"another embedded tenant, process {pid}, serves by {ready_file}. Next: end that "
            "process, or give another --ready-file."
        )
        raise OSError(errno.EEXIST, message)


def content(config: Config, specs: tuple[TenantSpec, ...], ports: Ports, bundle: Path) -> Json:
    """Return what leads clients to the tenants, the first of them at the top."""
    origin = ports.origin(config.hosts[0])
    proself = [f"{name}:{ports.proself}" for name in config.proself_hostnames]
    shared: Json = {
        "metadata_host": f"{config.hosts[0]}:{ports.tenant}",
        "ca_file": str(bundle),
        "authority": origin,
        "graph": origin,
        "admin_url": f"http://127.0.0.1:{ports.admin}",
        "smtp_host": config.hostnames[0],
        "smtp_port": ports.smtp,
        "proself_server": proself[0],
        "proself_servers": proself,
        "proself_url": f"https://{proself[0]}/proself/",
        "pid": os.getpid(),
        "seed": config.seed,
    }
    tenants = [shared | _of_tenant(spec) for spec in specs]
    return tenants[0] | {"tenants": tenants}


def _of_tenant(spec: TenantSpec) -> Json:
    return {
        "tenant_id": spec.id,
        "tenant_name": spec.display_name,
        "domains": list(spec.domains),
        "client_id": spec.deployer_id,
        "client_secret": spec.deployer_secret,
        "mailbox": spec.users[-1].name,
        "mailbox_password": spec.users[-1].password,
        "users": [
            {"id": user.id, "user_principal_name": user.name, "password": user.password}
            for user in spec.users
        ],
    }


def write(path: Path, content: bytes) -> None:
    """Put a file that only this user can read in its place at once, whole, or leave nothing."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise
    except OSError as error:
        message = (
            f"cannot write {path}: {error.strerror}. Next: give another --ready-file, in a folder "
            "that is there and is yours."
        )
        raise OSError(error.errno, message) from error


def remove(path: Path, content: bytes) -> None:
    """Remove a file that we wrote, unless another emulator's is in its place by now."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_file() and path.read_bytes() == content:
            path.unlink()
