"""An embedded tenant for a test: a process of its own, started and ended here."""

import json
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import httpx

from tests import forked_process

_START_SECONDS = 90
_STOP_SECONDS = 60


class Tenant:
    """A running `python -m emulator`, forked. Use it in a `with`, or call `stop`."""

    def __init__(self, *options: str, leads_out: bool = False) -> None:
        """Start one with these command-line options and wait until it serves.

        Whoever is led to it trusts nobody else, unless it `leads_out`: to package registries.
        """
        self._directory = tempfile.TemporaryDirectory(prefix="tenant-")
        self.ready_file = Path(self._directory.name) / "ready.json"
        arguments = ["--ready-file", str(self.ready_file), *options]
        streams = (Path(os.devnull), 1, 2)
        # Each of the hundreds of processes that are led to it reads whom its system trusts too.
        trusted = {} if leads_out else {"SSL_CERT_FILE": os.devnull}
        environment = os.environ | trusted
        self.process = forked_process.start("emulator", arguments, Path.cwd(), environment, streams)
        self.ready: dict[str, Any] = self._wait()
        # Over plain HTTP: nobody is to be trusted, and what the system trusts need not be read.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.admin_http = httpx.Client(base_url=self.admin_url, verify=nobody, trust_env=False)

    def _wait(self) -> dict[str, Any]:
        deadline = time.monotonic() + _START_SECONDS
        while not self.ready_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the emulator did not start: exit {self._end()}")
            time.sleep(0.01)
        ready: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return ready

    def stop(self) -> int:
        """End it and return its exit code."""
        self.admin_http.close()
        self.process.terminate()
        try:
            return self.process.wait(_STOP_SECONDS)
        finally:
            self._end()

    def _end(self) -> int:
        self.process.kill()
        code = self.process.wait()
        self._directory.cleanup()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
        """Path of the certificates to trust: the tenant's and the system's roots."""
        return str(self.ready["ca_file"])

    @cached_property
    def authority_file(self) -> str:
        """Path of the tenant's own certificate: to read the system's takes each process 0.04 s."""
        end = "-----END CERTIFICATE-----\n"
        own, _, _ = Path(self.ca_file).read_text(encoding="utf-8").partition(end)
        path = Path(self._directory.name) / "authority.pem"
        path.write_text(own + end, encoding="utf-8")
        return str(path)

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

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts the tenant."""
        return ssl.create_default_context(cafile=self.authority_file)

    def http(self, token: str | None = None) -> httpx.Client:
        """Open a client for Entra and Graph, with a token or without one."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.Client(
            base_url=self.graph, verify=self.ssl_context, headers=headers, trust_env=False
        )

    def sign_in(self, tenant: str | None = None, **form: str) -> httpx.Response:
        """Ask the token endpoint; what `form` leaves open asks for the deployer's Graph token.

        A field that is given as an empty string is left out.
        """
        asked = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": f"{self.graph}/.default",
        } | form
        with self.http() as http:
            return http.post(
                f"/{tenant or self.tenant_id}/oauth2/v2.0/token",
                data={name: value for name, value in asked.items() if value},
            )

    def token(self, **form: str) -> str:
        """Return an access token, by default the deployer's for Graph."""
        return str(self.sign_in(**form).raise_for_status().json()["access_token"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Graph, by the path after its version, as the deployer; return what it answers."""
        with self.http(self.token()) as http:
            answer = http.request(method, f"/v1.0{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def history(self, since: int = 0) -> list[dict[str, Any]]:
        """List every exchange with a number above `since`."""
        found: list[dict[str, Any]] = self.admin("GET", f"/history?since={since}").json()
        return found

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """List those that could have changed something: no reads, no sign-ins, no envelopes."""
        return [
            exchange
            for exchange in self.history(since)
            if exchange["method"] != "GET"
            and exchange["path"].startswith(("/v1.0/", "/beta/"))
            and not exchange["path"].endswith("/$batch")
        ]

    def keep(self) -> None:
        """Let the tenant as it is now be what `reset` comes back to."""
        self.admin("POST", "/keep")

    def reset(self) -> None:
        """Let the tenant be as at its start, or as when last kept."""
        self.admin("POST", "/reset")

    def faults(self, *rules: Mapping[str, Any], **habits: Any) -> None:
        """Let requests be struck by these rules, with other habits (`lag`, `latency_ms` …)."""
        self.admin("POST", "/faults", {"rules": rules, **habits})

    def struck(self) -> dict[str, int]:
        """Count by rule how often a fault has struck."""
        rules = self.admin("GET", "/faults").json()["rules"]
        return {rule["name"]: rule["struck"] for rule in rules}

    def now(self) -> datetime:
        """Read the tenant's clock."""
        return datetime.fromisoformat(self.admin("GET", "/clock").json()["now"])

    def advance(self, seconds: float) -> None:
        """Move the tenant's clock on."""
        self.admin("POST", "/clock", {"advance_seconds": seconds})

    def seed(self, **what: Any) -> dict[str, Any]:
        """Put things into the tenant that were not made through Graph, and return their ids."""
        made: dict[str, Any] = self.admin("POST", "/seed", what).json()
        return made

    def job(
        self, service: str, issuer: str, subject: str, audience: str | None = None
    ) -> tuple[str, str]:
        """Begin a pipeline's job; return where and with what it asks for ID tokens."""
        asked = {"service": service, "issuer": issuer, "subject": subject}
        asked |= {"audience": audience} if audience else {}
        job = self.admin("POST", "/jobs", asked).json()
        return f"{self.graph}{job['path']}", job["request_token"]

    def outbox(self) -> list[dict[str, Any]]:
        """List the mails that have gone out."""
        mails: list[dict[str, Any]] = self.admin("GET", "/outbox").json()
        return mails

    def smtp(self, **switches: Any) -> None:
        """Switch what an administrator of Exchange can, and what a test needs (POST /smtp)."""
        self.admin("POST", "/smtp", switches)

    def dialogues(self) -> list[list[str]]:
        """List what was said on each SMTP connection."""
        return [one["lines"] for one in self.admin("GET", "/smtp").json()["dialogues"]]

    def secrets(self) -> list[str]:
        """List every secret, token and code that the tenant ever handed out."""
        headers = {"authorization": f"Bearer {self.client_secret}"}
        found: list[str] = (
            self.admin_http.get("/secrets", headers=headers).raise_for_status().json()
        )
        return found

    def admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call the admin interface; raises if it refuses."""
        return self.admin_http.request(method, path, json=body).raise_for_status()
