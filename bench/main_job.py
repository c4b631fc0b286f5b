"""The main job: `up`, a second `up`, a refreshing preview, `destroy`; and what leads up to them."""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench import ground, process
from bench.process import Run
from bench.results import Results
from proself_mail.rehearsal import embedded
from proself_mail.rehearsal.embedded import EmbeddedTenant
from proself_mail.rehearsal.sandbox import Sandbox

LATENCY_MS = 100
_ROOT = Path(__file__).resolve().parent.parent
_MAIN_JOB = (
    ("up", ("up", "--yes", "--skip-preview")),
    ("no-op up", ("up", "--yes", "--skip-preview")),
    ("no-op up with its preview", ("up", "--yes")),
    ("preview --refresh", ("preview", "--refresh")),
    ("destroy", ("destroy", "--yes", "--skip-preview")),
)


def measure(results: Results, rounds: int, seed: int) -> None:
    """Measure everything about the main job."""
    _set_up(results, rounds)
    _tenant(results, rounds, seed)
    for latency_ms in (0, LATENCY_MS):
        _engine(results, rounds, seed, latency_ms)
    beside(results, rounds, seed)


def _set_up(results: Results, rounds: int) -> None:
    samples = [
        _timed(
            lambda: subprocess.run(["make", "setup"], cwd=_ROOT, capture_output=True, check=True)
        )
        for _ in range(rounds)
    ]
    results.add("make setup, warm", "s", samples)


def _tenant(results: Results, rounds: int, seed: int) -> None:
    starts: list[float] = []
    reads: list[float] = []
    for _ in range(rounds):
        with TemporaryDirectory() as folder:
            ready_file = Path(folder) / "tenant.json"
            began = time.monotonic()
            tenant = embedded.start(ready_file, ["--seed", str(seed)])
            starts.append(time.monotonic() - began)
            try:
                reads += _reads(tenant, 40)
            finally:
                embedded.stop(ready_file)
    results.add("embedded tenant, start to ready", "s", starts)
    results.add("embedded tenant, one Graph read", "ms", reads)


def _reads(tenant: EmbeddedTenant, count: int) -> Iterator[float]:
    trusted = ssl.create_default_context(cafile=str(tenant.ca_file))
    with httpx.Client(verify=trusted, trust_env=False) as http:
        ground.sign_in(http, tenant)
        for _ in range(count):
            began = time.perf_counter()
            http.get(f"{tenant.graph}/v1.0/servicePrincipals?$top=1").raise_for_status()
            yield (time.perf_counter() - began) * 1000


def _engine(results: Results, rounds: int, seed: int, latency_ms: int) -> None:
    found: dict[str, list[tuple[Run, int, int]]] = {name: [] for name, _ in _MAIN_JOB}
    options = ["--seed", str(seed), "--latency-ms", str(latency_ms)]
    with ground.project(options) as (prepared, project):
        environment = dict(os.environ) | prepared.environment
        results.note("azuread_plugin", "stand-in" if prepared.plugin.is_stand_in else "real")
        for number in range(rounds):
            stack = f"round-{number}"
            _init(stack, project, prepared)
            for name, arguments in _MAIN_JOB:
                since = _last(prepared.tenant)
                command = ["pulumi", "--non-interactive", *arguments, "--stack", stack]
                done = process.run(command, project, environment)
                exchanges = _history(prepared.tenant, since)
                found[name].append((done, len(exchanges), one_after_another(exchanges)))
    for name, runs in found.items():
        results.add(
            f"{name}, {latency_ms} ms a request",
            "s",
            [done.wall_seconds for done, _, _ in runs],
            requests=runs[-1][1],
            round_trips=runs[-1][2],
            our_cpu_s=round(sum(done.our_cpu_seconds for done, _, _ in runs) / rounds, 2),
            engine_cpu_s=round(sum(done.engine_cpu_seconds for done, _, _ in runs) / rounds, 2),
        )


def beside(results: Results, rounds: int, seed: int) -> None:
    """Measure what `proself-mail up` costs beside `pulumi up`, in turn, on stacks of their own."""
    ours = [sys.executable, "-m", "proself_mail", "up"]
    plain = ["pulumi", "--non-interactive", "up", "--yes"]
    with ground.project(["--seed", str(seed)]) as (prepared, project):
        environment = dict(os.environ) | prepared.environment
        for job in ("first", "nothing to do"):
            took: dict[str, list[float]] = {"ours": [], "plain": []}
            for number in range(rounds):
                for name, command in (("plain", plain), ("ours", ours)):
                    stack = f"{name}-{number}"
                    if job == "first":
                        _init(stack, project, prepared)
                    done = process.run([*command, "--stack", stack], project, environment)
                    took[name].append(done.wall_seconds)
            results.add(f"pulumi up, {job}, 0 ms a request", "s", took["plain"])
            results.add(f"proself-mail up, {job}, 0 ms a request", "s", took["ours"])
            more = [a - b for a, b in zip(took["ours"], took["plain"], strict=True)]
            results.add(f"proself-mail up costs more, {job}", "s", more)


def _init(stack: str, project: Path, prepared: Sandbox) -> None:
    own = ["--stack", stack, "--config-file", str(project / f"{stack}.toml")]
    told = [*ground.answers(prepared.tenant), *own]
    command = [sys.executable, "-m", "proself_mail", "init", *told]
    process.run(command, project, os.environ | prepared.environment)


def one_after_another(exchanges: Sequence[dict[str, Any]]) -> int:
    """Count the requests that waited for one another: the most of them that do not overlap."""
    spans = sorted(
        (began + each["duration_ms"] / 1000, began)
        for each in exchanges
        for began in (datetime.fromisoformat(each["time"]).timestamp(),)
    )
    count, free_from = 0, 0.0
    for end, start in spans:
        if start >= free_from:
            count, free_from = count + 1, end
    return count


def _history(tenant: EmbeddedTenant, since: int) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{tenant.admin_url}/history?since={since}") as answer:  # noqa: S310
        found: list[dict[str, Any]] = json.load(answer)
    return found


def _last(tenant: EmbeddedTenant) -> int:
    history = _history(tenant, 0)
    return int(history[-1]["n"]) if history else 0


def _timed(action: Any) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began
