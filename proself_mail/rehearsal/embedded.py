"""The embedded tenant as a process: start it, find it, lead a shell or a child process to it.

What it is and does is `emulator`'s; this knows only its command line and its ready file.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import psutil

from proself_mail import json_text
from proself_mail.errors import ConfigurationError, RemoteError
from proself_mail.secret import Secret
from proself_mail.text.command_line import shell_word

_STARTING = timedelta(seconds=20)
_STOPPING = timedelta(seconds=5)
_NO_PROXY = ("NO_PROXY", "no_proxy")
_STARTED: dict[int, "subprocess.Popen[bytes]"] = {}
"""By process id. Kept, for Python warns of one that is dropped while it runs, and these are to
outlive us."""


@dataclass(frozen=True)
class EmbeddedTenant:
    """A running embedded tenant, as its ready file describes it."""

    metadata_host: str
    ca_file: Path
    """The tenant's CA and the system's roots, PEM."""
    authority: str
    graph: str
    tenant_id: str
    client_id: str
    client_secret: Secret
    admin_url: str
    pid: int
    mailbox: str
    """Sign-in name, and address, of a user with a mailbox."""
    mailbox_password: Secret
    smtp_host: str
    smtp_port: int

    @classmethod
    def read(cls, ready_file: Path) -> Self:
        """Read a ready file. Raises `ConfigurationError` where it is none."""
        try:
            fields = json_text.read(ready_file.read_text(encoding="utf-8"))
            return cls(
                metadata_host=fields["metadata_host"],
                ca_file=Path(fields["ca_file"]),
                authority=fields["authority"],
                graph=fields["graph"],
                tenant_id=fields["tenant_id"],
                client_id=fields["client_id"],
                client_secret=Secret(fields["client_secret"]),
                admin_url=fields["admin_url"].rstrip("/"),
                pid=int(fields["pid"]),
                mailbox=fields["mailbox"],
                mailbox_password=Secret(fields["mailbox_password"]),
                smtp_host=fields["smtp_host"],
                smtp_port=int(fields["smtp_port"]),
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            what = getattr(error, "strerror", None) or "it is not the ready file of one"
            start = f"`proself-mail emulator start --ready-file {shell_word(str(ready_file))}`"
            raise ConfigurationError(
                f"No embedded tenant is described by {ready_file}: {what}.",
                f"{start} starts one."
                if isinstance(error, FileNotFoundError)
                else "Give --ready-file the file that `proself-mail emulator start` wrote.",
            ) from error

    def environment(self, ambient: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the variables that lead any client to it: Go, httpx, requests, Node, curl.

        They are to be laid over `ambient`, whatever that has: an empty one takes back what would
        lead elsewhere.
        """
        trusted = str(self.ca_file)
        secret = self.client_secret.reveal()
        return {
            "ARM_METADATA_HOSTNAME": self.metadata_host,
            "ARM_TENANT_ID": self.tenant_id,
            "ARM_CLIENT_ID": self.client_id,
            "ARM_CLIENT_SECRET": secret,
            # They would be preferred to the secret, or contradict it.
            "ARM_CLIENT_ID_FILE_PATH": "",
            "ARM_CLIENT_SECRET_FILE_PATH": "",
            "ARM_CLIENT_CERTIFICATE": "",
            "ARM_USE_OIDC": "",
            "ARM_USE_AKS_WORKLOAD_IDENTITY": "",
            "AZURE_FEDERATED_TOKEN_FILE": "",
            "ARM_CLIENT_CERTIFICATE_PATH": "",
            "AZURE_AUTHORITY_HOST": self.authority,
            "AZURE_TENANT_ID": self.tenant_id,
            "AZURE_CLIENT_ID": self.client_id,
            "AZURE_CLIENT_SECRET": secret,
            "SSL_CERT_FILE": trusted,
            "REQUESTS_CA_BUNDLE": trusted,
            "CURL_CA_BUNDLE": trusted,  # curl prefers it to SSL_CERT_FILE
            "NODE_EXTRA_CA_CERTS": trusted,
            # Go reads the upper one first, Python the lower one.
            **dict.fromkeys(_NO_PROXY, self._not_by_proxy(ambient)),
            "PROSELF_MAIL_SMTP_HOST": self.smtp_host,
            "PROSELF_MAIL_SMTP_PORT": str(self.smtp_port),
            "PROSELF_MAIL_ADMIN_URL": self.admin_url,  # for a person, and for curl
        }

    def process(self) -> psutil.Process | None:
        """Return its process; None where it has ended, and the number may be another's by now."""
        try:
            found = psutil.Process(self.pid)
            return found if "emulator" in found.cmdline() else None
        except psutil.Error:
            return None

    def _not_by_proxy(self, ambient: Mapping[str, str]) -> str:
        """List the hosts that no proxy is asked for: those of `ambient`, and this machine's."""
        names = [name.strip() for key in _NO_PROXY for name in ambient.get(key, "").split(",")]
        if "*" in names:
            return "*"  # which Python takes for all hosts only where it stands alone
        host = self.metadata_host.rpartition(":")[0].strip("[]")
        ours = ("localhost", "127.0.0.1", "::1", host)
        return ",".join(dict.fromkeys(name for name in (*names, *ours) if name))


@contextlib.contextmanager
def running(ready_file: Path, arguments: Sequence[str] = ()) -> Iterator[EmbeddedTenant]:
    """Run an embedded tenant for the length of a `with` block."""
    tenant = start(ready_file, arguments)
    try:
        yield tenant
    finally:
        stop(ready_file)


def start(ready_file: Path, arguments: Sequence[str] = ()) -> EmbeddedTenant:
    """Start one in the background and return when it serves.

    Raises `RemoteError` with what it said where it ends or stays silent.
    """
    ready_file.unlink(missing_ok=True)
    log = ready_file.with_suffix(".log")
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(  # noqa: S603
            [*command(), "--ready-file", str(ready_file), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for us, who end it in order; and one that is kept outlives the terminal.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # a console of its own
        )
    _STARTED[process.pid] = process
    try:
        _wait_for(process, ready_file, log)
    except BaseException:  # Ctrl-C among them, and again
        process.kill()
        process.wait()
        ready_file.unlink(missing_ok=True)
        raise
    return EmbeddedTenant.read(ready_file)


def _wait_for(process: "subprocess.Popen[bytes]", ready_file: Path, log: Path) -> None:
    deadline = time.monotonic() + _STARTING.total_seconds()
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(encoding="utf-8").strip().splitlines()
            cause, _, next_step = said[-1].partition(" Next: ") if said else ("", "", "")
            last = f"; it said: {cause}" if said else ", and it said nothing."
            raise RemoteError(
                f"The embedded tenant did not start{last}",
                f"{next_step[:1].upper()}{next_step[1:]} All that it said is in {log}."
                if next_step
                else f"See {log}.",
            )
        time.sleep(0.01)


def command() -> list[str]:
    """Return the command line that starts one in the foreground, without its options."""
    # -P: the folder that it is typed in may hold another `emulator`, and be anybody's.
    return [sys.executable, "-P", "-m", "emulator"]


def stop(ready_file: Path) -> None:
    """End the one that a ready file describes, and wait for its end. Quiet where it has ended.

    Raises `ConfigurationError` where the file describes no embedded tenant.
    """
    tenant = EmbeddedTenant.read(ready_file)
    with contextlib.suppress(psutil.NoSuchProcess):
        if process := tenant.process():
            process.terminate()
            if not _ends(process):
                process.kill()
                _ends(process)
    if child := _STARTED.pop(tenant.pid, None):
        child.wait()  # it has ended, and is not to be warned of
    # It takes its files with it where it is asked to end; Windows just ends it.
    # Its certificates lie beside it; the file may name any other.
    for left in (ready_file, ready_file.with_name(f"{ready_file.stem}-ca.pem")):
        left.unlink(missing_ok=True)


def _ends(process: psutil.Process) -> bool:
    """Wait for a process that need not be our child; one that only waits to be reaped has ended."""
    deadline = time.monotonic() + _STOPPING.total_seconds()
    while time.monotonic() < deadline:
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False
