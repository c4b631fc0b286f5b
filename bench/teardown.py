"""What a teardown costs, and seeded runs of it among look-alikes: `python -m bench.teardown`.

The seeded runs are of the removal itself, in process, without the engine: the tenant has faults
and trailing readers, every other run is cancelled at a random instant and run again. Judged by the
tenant with its faults taken away: what is left of ours, and whether any other object differs.
"""

import argparse
import asyncio
import contextlib
import os
import random
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.results import Results
from proself_mail import embedded, rehearse, sandbox, session
from proself_mail.embedded import EmbeddedTenant
from proself_mail.ownership import OfStack
from proself_mail.patience import Patience
from proself_mail.removal import Removal
from proself_mail.settings import TargetName
from proself_mail.stamp import stack_tag

_LATENCY_MS = 100
_LAG_SECONDS = 1.0


def main() -> None:
    """Run what is asked for, print the figures, and store them."""
    parser = argparse.ArgumentParser(prog="python -m bench.teardown", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="seeded runs")
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed")
    parser.add_argument("--stacks", type=int, default=20, help="torn down in one call")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", action="store_true", help="write bench/teardown.json")
    options = parser.parse_args()
    results = Results("teardown", options.seed)
    if options.rounds:
        _times(results, options.rounds, options.stacks)
    if options.runs:
        _seeded(results, range(options.seed, options.seed + options.runs), options.workers)
    if options.store:
        results.store()


def _times(results: Results, rounds: int, stacks: int) -> None:
    with _project(["--latency-ms", str(_LATENCY_MS)]) as (tenant, project, environment):
        ways = {
            "teardown of a stack": _command("teardown", "--confirm", tenant.tenant_id, "--stack"),
            "pulumi destroy of a stack, not purged": [
                "pulumi", "--non-interactive", "destroy", "--yes", "--skip-preview", "--stack",
            ],
        }  # fmt: skip
        for name, command in ways.items():
            samples = []
            for number in range(rounds):
                stack = f"{name.split()[0]}-{number}.test"
                _make(tenant, project, environment, stack)
                samples.append(_timed([*command, stack], project, environment))
            results.add(f"{name}, {_LATENCY_MS} ms a request", "s", samples)
        if stacks:
            names = [f"many-{number}.test" for number in range(stacks)]
            for stack in names:
                _make(tenant, project, environment, stack)
            command = [*_command("teardown", "--confirm", tenant.tenant_id, "--stack"), *names]
            took = _timed(command, project, environment)
            results.add(f"{stacks} stacks in one call, {_LATENCY_MS} ms a request", "s", [took])


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "proself_mail", *arguments]


def _make(
    tenant: EmbeddedTenant, project: Path, environment: Mapping[str, str], stack: str
) -> None:
    """Set a stack up, without latency."""
    with httpx.Client(base_url=tenant.admin_url, trust_env=False) as admin:
        admin.post("/faults", json={"latency_ms": 0}).raise_for_status()
        given = {
            "--stack": stack,
            "--server": rehearse.SERVER,
            "--mailbox": tenant.mailbox,
            "--target": "embedded",
            "--environment": "test",
            "--config-file": str(project / f"{stack}.toml"),
        }
        pairs = [word for pair in given.items() for word in pair]
        _timed(_command("init", *pairs), project, environment)
        up = ["pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--stack", stack]
        _timed(up, project, environment)
        admin.post("/faults", json={"latency_ms": _LATENCY_MS}).raise_for_status()


def _timed(command: list[str], project: Path, environment: Mapping[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(
        command, cwd=project, env=environment, check=True, capture_output=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - began


@contextlib.contextmanager
def _project(options: list[str]) -> Iterator[tuple[EmbeddedTenant, Path, dict[str, str]]]:
    with tempfile.TemporaryDirectory() as folder:
        ready_file = Path(folder) / "tenant.json"
        with embedded.running(ready_file, options) as tenant:
            project = Path(folder) / "project"
            project.mkdir()
            rehearse.make_project(project, tenant.tenant_id)
            assert yaml.safe_load((project / "Pulumi.yaml").read_text())["testTenants"]  # noqa: S101
            yield tenant, project, dict(os.environ) | sandbox.prepare(ready_file).environment


def _seeded(results: Results, seeds: range, workers: int) -> None:
    parts = [list(seeds)[number::workers] for number in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        outcomes = [each for part in pool.map(_worker, parts) for each in part]
    wrong = sorted(seed for seed, _, problem in outcomes if problem)
    results.add(
        "seeded runs: faults, kills, look-alikes",
        "s",
        [seconds for _, seconds, _ in outcomes],
        runs=len(outcomes),
        right=len(outcomes) - len(wrong),
        seeds=f"{seeds[0]}–{seeds[-1]}",
        wrong_seeds=wrong,
    )


def _worker(seeds: list[int]) -> list[tuple[int, float, str]]:
    with _project(["--deployer-role", "Application.ReadWrite.All"]) as (tenant, _, environment):
        os.environ.update(environment)
        return asyncio.run(_runs(tenant, seeds))


async def _runs(tenant: EmbeddedTenant, seeds: list[int]) -> list[tuple[int, float, str]]:
    found = []
    with httpx.Client(base_url=tenant.admin_url, trust_env=False, timeout=60) as admin:
        for seed in seeds:
            admin.post("/reset").raise_for_status()
            began = time.monotonic()
            problem = await _run(tenant, admin, seed)
            found.append((seed, time.monotonic() - began, problem))
            if problem:
                sys.stderr.write(f"seed {seed}: WRONG: {problem}\n")
    return found


async def _run(tenant: EmbeddedTenant, admin: httpx.Client, seed: int) -> str:
    chance = random.Random(seed)  # noqa: S311
    stack_id, other = uuid.UUID(int=chance.getrandbits(128)), uuid.UUID(int=chance.getrandbits(128))
    admin.post("/seed", json={"applications": _planted(chance, stack_id, other)}).raise_for_status()
    async with session.sign_in(TargetName.EMBEDDED, tenant.tenant_id) as opened:
        before = _everything(tenant)
        own = _ours(before, stack_id)
        admin.post("/faults", json=_faults(seed, chance)).raise_for_status()
        watched: float | None = None
        if seed % 2:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_remove(opened, stack_id, None), chance.uniform(0.02, 0.8))
            # As after a kill: readers are watched for as long as they may trail.
            watched = asyncio.get_running_loop().time() + _LAG_SECONDS + 0.5
        outcomes = await _remove(opened, stack_id, watched)
        admin.delete("/faults").raise_for_status()
        after = _everything(tenant)
        if left := own & set(after):
            return f"{len(left)} of {len(own)} of ours left"
        if after != {key: each for key, each in before.items() if key not in own}:
            return "a foreign object differs"
        failed = [each.detail for each in outcomes if each.result == "FAILED"]
        return f"reported as failed: {failed}" if failed else ""


async def _remove(opened: session.Session, stack_id: uuid.UUID, until: float | None) -> Any:
    work = Removal(
        opened.directory, Patience(lambda _: None), stack_tag(stack_id), OfStack(stack_id)
    )
    await work.run(until=until)
    return work.outcomes()


def _planted(chance: random.Random, ours: uuid.UUID, other: uuid.UUID) -> list[dict[str, Any]]:
    """Describe what is ours and what only looks like it, in a number that follows from the seed."""

    def tags(stack: uuid.UUID, environment: str = "test") -> list[str]:
        return ["proself-mail", stack_tag(stack), f"proself-mail:environment={environment}"]

    def some(body: dict[str, Any], most: int = 3) -> dict[str, Any]:
        deleted = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return {
            "display_name": "Proself mail",
            "body": body,
            "count": chance.randint(1, most),
            "service_principal": chance.random() < 0.7,
            **({"deleted": deleted} if chance.random() < 0.3 else {}),
        }

    return [
        some({"tags": tags(ours)}),
        some({"tags": tags(ours)}, 2),
        some({}, 20),
        some({"tags": ["proself-mail"]}, 20),
        some({"tags": tags(other)}, 20),
        some({"tags": tags(other, "production")}),
        some({"tags": [*tags(ours), stack_tag(other)]}),
        some({"tags": tags(ours)[:2]}),
        some({"tags": [each.upper() for each in tags(ours)]}),
    ]


def _faults(seed: int, chance: random.Random) -> dict[str, Any]:
    everywhere = {"service": "graph"}
    bins = {"method": "DELETE", "path": "/directory/deletedItems/*"}
    rules = [
        {"match": bins, "ratio": 0.1, "strike": "status", "status": 429, "retry_after_seconds": 1},
        {"match": everywhere, "ratio": 0.03, "strike": "reset-after"},
        {"match": everywhere, "ratio": 0.02, "strike": "status", "status": 500},
        {"match": everywhere, "ratio": 0.02, "strike": "reset-before"},
    ]
    lag = {
        "seconds": _LAG_SECONDS,
        "list_seconds": _LAG_SECONDS,
        "deletion_seconds": _LAG_SECONDS,
        "stale_ratio": chance.choice((0.0, 0.3, 0.6)),
    }
    return {"seed": seed, "rules": chance.sample(rules, chance.randint(0, 3)), "lag": lag}


_PLACES = (
    "applications",
    "servicePrincipals",
    "directory/deletedItems/microsoft.graph.application",
    "directory/deletedItems/microsoft.graph.servicePrincipal",
)


def _everything(tenant: EmbeddedTenant) -> dict[str, dict[str, Any]]:
    """Read every application and service principal, live and deleted, as the tenant has it."""
    trusted = ssl.create_default_context(cafile=str(tenant.ca_file))
    form = {
        "grant_type": "client_credentials",
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret.reveal(),
        "scope": f"{tenant.graph}/.default",
    }
    found: dict[str, dict[str, Any]] = {}
    with httpx.Client(verify=trusted, trust_env=False) as http:
        token = http.post(f"{tenant.authority}/{tenant.tenant_id}/oauth2/v2.0/token", data=form)
        http.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        for place in _PLACES:
            page = http.get(f"{tenant.graph}/v1.0/{place}?$top=999").raise_for_status().json()
            found |= {each["id"]: {"place": place, **each} for each in page["value"]}
    return found


def _ours(found: dict[str, dict[str, Any]], stack_id: uuid.UUID) -> set[str]:
    """Return the ids of applications with our stamp, of their service principals, and theirs."""
    judge = OfStack(stack_id)
    stamped = {
        each["id"]: each["appId"]
        for each in found.values()
        if judge.verdict(each["tags"], None).ours
    }
    of_ours = set(stamped.values())
    return {each["id"] for each in found.values() if each["appId"] in of_ours}


if __name__ == "__main__":
    main()
