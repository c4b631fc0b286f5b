"""The ready file, which is there while the emulator serves and says how clients reach it.

It holds secrets of the tenants, so it is its user's alone.
"""

import contextlib
import errno
import json
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from emulator.config import Config
from emulator.store import Json
from emulator.tenant import TenantSpec


@dataclass(frozen=True)
class Ports:
    """Where each part serves, once that is known."""

    tenant: int
    admin: int
    smtp: int
    proself: int


def refuse_second(ready_file: Path) -> None:
    """Raise OSError if the emulator that a ready file describes serves still."""
    try:
        ready = json.loads(ready_file.read_text(encoding="utf-8"))
        pid, port = int(ready["pid"]), int(urlsplit(ready["admin_url"]).port or 0)
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            lives = psutil.pid_exists(pid)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return  # there is none, or it is no ready file, or left by one that was killed
    if lives:
        message = (
            f"another embedded tenant, process {pid}, serves by {ready_file}. Next: end that "
            "process, or give another --ready-file."
        )
        raise OSError(errno.EEXIST, message)


def content(config: Config, specs: tuple[TenantSpec, ...], ports: Ports, bundle: Path) -> Json:
    """Return what leads clients to the tenants, the first of them at the top."""
    host = f"{config.hosts[0]}:{ports.tenant}"
    proself = [f"{name}:{ports.proself}" for name in config.proself_hostnames]
    shared: Json = {
        "metadata_host": host,
        "ca_file": str(bundle),
        "authority": f"https://{host}",
        "graph": f"https://{host}",
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
