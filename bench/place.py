"""A stack on an embedded tenant, the command line, and a clock that both of them follow."""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from bench import ground
from proself_mail import clock
from proself_mail.rehearsal.embedded import EmbeddedTenant

STACK = "bench"


@dataclass
class Place:
    """A stack, the tenant that it lies in, and the environment that leads there."""

    tenant: EmbeddedTenant
    folder: Path
    environment: dict[str, str]
    seen: int = 0
    """The last exchange with the tenant that was looked at."""
    up_seconds: float = 0.0
    """How long this machine took to bring the stack up."""
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """Open a client of the tenant's."""
        trusted = ssl.create_default_context(cafile=str(self.tenant.ca_file))
        self.http = httpx.Client(verify=trusted, trust_env=False)

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.folder / f"Pulumi.{STACK}.yaml"

    def command(
        self, *arguments: str, kill_after_s: float | None = None, with_children: bool = False
    ) -> tuple[int, float, str]:
        """Run `proself-mail`; return its exit code, its seconds, and what it said."""
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "proself_mail", *arguments, "--stack", STACK],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            below = psutil.Process(process.pid).children(recursive=True) if with_children else []
            process.kill()
            for each in below:
                if each.is_running():
                    each.kill()
            said, _ = process.communicate()
        return process.returncode, time.monotonic() - began, said

    def advance(self, by: timedelta) -> datetime:
        """Move the tenant's clock and ours; return the new time."""
        document = self.admin("/clock", {"advance_seconds": by.total_seconds()})
        now = datetime.fromisoformat(document["now"])
        offset = (now - datetime.now(UTC)).total_seconds()
        self.environment[clock.OFFSET_VARIABLE] = str(round(offset))
        return now

    def now(self) -> datetime:
        """Return the tenant's time."""
        return datetime.fromisoformat(self.admin("/clock")["now"])

    def exchanges(self) -> list[dict[str, Any]]:
        """Return what was asked of the tenant since the last call."""
        found: list[dict[str, Any]] = self.admin(f"/history?since={self.seen}")
        self.seen = found[-1]["n"] if found else self.seen
        return found

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets included."""
        done = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", STACK],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def token(self, client_id: str, secret: str) -> httpx.Response:
        """Sign in."""
        return ground.ask_token(self.http, self.tenant, client_id, secret)

    def entries(self) -> list[dict[str, Any]]:
        """Return the stack file's `secrets`."""
        document = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = document["config"]["proself-mail:secrets"]
        return found

    def write_entries(self, *entries: Mapping[str, Any]) -> None:
        """Change the stack file's `secrets`, as a person does."""
        document = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        document["config"]["proself-mail:secrets"] = list(entries)
        self.file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def admin(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the tenant's admin interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.tenant.admin_url}{path}", data=data)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.load(answer)


def keep_only_the_tenants_ca(bundle: Path) -> None:
    """Take the system's roots out of a bundle: reading them is half of what a run costs."""
    end = "-----END CERTIFICATE-----\n"
    first, _, _ = bundle.read_text(encoding="utf-8").partition(end)
    bundle.write_text(first + end, encoding="utf-8")


@contextmanager
def place(seed: int, latency_ms: int, every_days: int, overlap_days: int) -> Iterator[Place]:
    """Make a stack that is up."""
    options = ["--seed", str(seed), "--latency-ms", str(latency_ms)]
    with ground.project(options) as (prepared, folder):
        tenant = prepared.tenant
        keep_only_the_tenants_ca(tenant.ca_file)
        found = Place(tenant, folder, dict(os.environ) | prepared.environment)
        code, _, said = found.command("init", *ground.answers(tenant))
        if code:
            raise RuntimeError(said)
        [entry] = found.entries()
        lengths = {"everyDays": every_days, "overlapDays": overlap_days}
        found.write_entries(entry | lengths)
        code, found.up_seconds, said = found.command("up")
        if code:
            raise RuntimeError(said)
        with found.http:
            yield found
