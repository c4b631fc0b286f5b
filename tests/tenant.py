"""An embedded tenant for a test: a process of its own, started and ended here."""

import json
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

_START_SECONDS = 20
_STOP_SECONDS = 5


class Tenant:
    """A running `python -m emulator`. Use it in a `with`, or call `stop`."""

    def __init__(self, *options: str) -> None:
        """Start one with these command-line options and wait until it serves."""
        self._directory = tempfile.TemporaryDirectory(prefix="tenant-")
        self.ready_file = Path(self._directory.name) / "ready.json"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "emulator", "--ready-file", str(self.ready_file), *options],
            stdin=subprocess.DEVNULL,
        )
        self.ready: dict[str, Any] = self._wait()
        self._admin = httpx.Client(base_url=self.admin_url, trust_env=False)

    def _wait(self) -> dict[str, Any]:
        deadline = time.monotonic() + _START_SECONDS
        while not self.ready_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._directory.cleanup()
                raise RuntimeError(f"the emulator did not start: exit {self._process.wait()}")
            time.sleep(0.01)
        ready: dict[str, Any] = json.loads(self.ready_file.read_text())
        return ready

    def stop(self) -> int:
        """End it and return its exit code."""
        self._admin.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP_SECONDS)
        finally:
            self._process.kill()
            self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def metadata_host(self) -> str:
        """`host:port` of Entra and Graph."""
        return str(self.ready["metadata_host"])

    @property
    def authority(self) -> str:
        """The address of the sign-in, without the tenant."""
        return str(self.ready["authority"])

    @property
    def graph(self) -> str:
        """The address of Graph, without the version."""
        return str(self.ready["graph"])

    @property
    def ca_file(self) -> str:
        """Path of the certificates to trust."""
        return str(self.ready["ca_file"])

    @property
    def tenant_id(self) -> str:
        """The first tenant's id."""
        return str(self.ready["tenant_id"])

    @property
    def client_id(self) -> str:
        """The deployer's application id."""
        return str(self.ready["client_id"])

    @property
    def client_secret(self) -> str:
        """The deployer's secret."""
        return str(self.ready["client_secret"])

    @property
    def admin_url(self) -> str:
        """The address of the admin interface."""
        return str(self.ready["admin_url"])

    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts the tenant."""
        return ssl.create_default_context(cafile=self.ca_file)

    def history(self, since: int = 0) -> list[dict[str, Any]]:
        """Every exchange with a number above `since`."""
        return self._get(f"/history?since={since}")

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """Those that could have changed something: no reads, no token requests."""
        return [
            exchange
            for exchange in self.history(since)
            if exchange["method"] != "GET"
            and "/oauth2/" not in exchange["path"]
            and "/$batch" not in exchange["path"]
        ]

    def reset(self) -> None:
        """Let the tenant be as at its start."""
        self._admin.post("/reset").raise_for_status()

    def _get(self, path: str) -> Any:
        return self._admin.get(path).raise_for_status().json()

    def sign_in(self, **form: str) -> httpx.Response:
        """Ask the token endpoint, by default for the deployer's Graph token."""
        fields: Sequence[tuple[str, str]] = (
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id),
            ("client_secret", self.client_secret),
            ("scope", f"{self.graph}/.default"),
        )
        with httpx.Client(verify=self.ssl_context(), trust_env=False) as client:
            url = f"{self.authority}/{self.tenant_id}/oauth2/v2.0/token"
            return client.post(url, data=dict(fields) | form)
