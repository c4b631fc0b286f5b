"""Seeded runs of the removal itself, in process, without the engine, among look-alikes.

By turns what a teardown does once it knows the stack, and a whole sweep, guards and all. The tenant
has faults and its readers trail; every other run is cancelled at random instants and run again. The
tenant trails for less than a real one, so that a run takes seconds; the product's own patience is
as it is everywhere.
"""

import asyncio
import contextlib
import json
import os
import random
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import UUID

import httpx

from bench import ground
from bench.look_alikes import LookAlikes
from bench.place import keep_only_the_tenants_ca
from bench.removal_judge import Judge
from proself_mail.config.settings import TargetName
from proself_mail.config.stamp import stack_tag
from proself_mail.entra import session
from proself_mail.entra.patience import Patience
from proself_mail.errors import Error
from proself_mail.rehearsal.embedded import EmbeddedTenant
from proself_mail.removal import sweep
from proself_mail.removal.ownership import OfStack
from proself_mail.removal.removal import Removal
from proself_mail.removal.removal_item import Outcome, Result

_LAG_SECONDS = 0.5
_LATE_SECONDS = 2.5
"""How much later a busy machine may serve what a cancelled run had sent."""
ROLES = ("Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
"""The deployer may do anything to any application: no right stands in the way of a mistake."""


class Runs:
    """One tenant, and one seeded run after the other in it."""

    def __init__(self, tenant: EmbeddedTenant, project: Path) -> None:
        self._tenant = tenant
        self._project = project
        self.admin = httpx.Client(base_url=tenant.admin_url, trust_env=False, timeout=60)
        trusted = ssl.create_default_context(cafile=str(tenant.ca_file))
        self.graph = httpx.Client(base_url=tenant.graph, verify=trusted, trust_env=False)

    async def run(self, seed: int) -> list[str]:
        """Carry one out, and say what is wrong with it."""
        chance = random.Random(seed)  # noqa: S311
        stack_id = UUID(int=chance.getrandbits(128))
        self.admin.post("/reset").raise_for_status()
        ground.sign_in(self.graph, self._tenant)
        planted = LookAlikes(chance, stack_id).plant(self.admin, self.graph)
        # What people did to their objects was done before; readers trail behind the removal alone.
        past = {"advance_seconds": 2 * _LAG_SECONDS}
        self.admin.post("/clock", json=past).raise_for_status()
        judge = Judge.of(self.admin, planted.ours)
        self.admin.post("/faults", json=_faults(seed, chance)).raise_for_status()
        remove = self._sweep if seed % 4 in (2, 3) else lambda again: self._remove(stack_id, again)
        try:
            if seed % 2:
                for _ in range(chance.randint(1, 3)):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(remove(False), chance.uniform(0.02, 1.2))
            outcomes = await remove(bool(seed % 2))
        except Error as error:
            return [f"ended by {type(error).__name__}: {error.cause}"]
        self.admin.delete("/faults").raise_for_status()
        failed = [f"{each.item.id}: {each.detail}" for each in outcomes if _failed(each)]
        return [*judge.problems(self.admin), *(f"reported as failed: {each}" for each in failed)]

    async def _remove(self, stack_id: UUID, again: bool) -> Sequence[Outcome]:
        """Do what a teardown does; `again`: after a kill, watching for as long as readers trail."""
        async with session.sign_in(TargetName.EMBEDDED, self._tenant.tenant_id) as opened:
            now = asyncio.get_running_loop().time()
            until = now + _LAG_SECONDS + _LATE_SECONDS if again else None
            work = Removal(
                opened.directory,
                Patience(_unheard),
                stack_tag(stack_id),
                OfStack(stack_id),
                opened.tenant_now,
            )
            return await work.run(until=until)

    async def _sweep(self, again: bool) -> Sequence[Outcome]:
        """Sweep the whole tenant; `again`: on another night, when no reader trails any more."""
        if again:
            await asyncio.sleep(_LAG_SECONDS)
        reports = await sweep.run(
            UUID(self._tenant.tenant_id),
            TargetName.EMBEDDED,
            self._project,
            _unheard,
            sweep.Options(),
            show=lambda _: None,
            confirm=lambda plan: plan.tenant_id,
        )
        return [each for report in reports or () for each in report.outcomes]


def _unheard(_: str) -> None:
    """Take what a run says; only its end is of interest."""


def _failed(outcome: Outcome) -> bool:
    return outcome.result is Result.FAILED


def _faults(seed: int, chance: random.Random) -> dict[str, Any]:
    graph = {"service": "graph"}
    bins = {"method": "DELETE", "path": "/directory/deletedItems/*"}
    rules = [
        {"match": bins, "ratio": 0.1, "strike": "status", "status": 429, "retry_after_seconds": 1},
        {"match": graph, "ratio": 0.03, "strike": "reset-after"},
        {"match": graph, "ratio": 0.02, "strike": "status", "status": 500},
        {"match": graph, "ratio": 0.02, "strike": "reset-before"},
    ]
    lag = {"seconds": _LAG_SECONDS, "stale_ratio": chance.choice((0.0, 0.3, 0.6))}
    return {"seed": seed, "rules": chance.sample(rules, chance.randint(0, 3)), "lag": lag}


def in_tenant(work: Callable[[Runs], Awaitable[Any]]) -> Any:
    """Let `work` have a tenant of its own, which this process' environment leads to."""
    with ground.project(["--deployer-role", *ROLES]) as (prepared, project):
        keep_only_the_tenants_ca(prepared.tenant.ca_file)
        before = dict(os.environ)
        os.environ.update(prepared.environment)
        try:
            return asyncio.run(_awaited(work(Runs(prepared.tenant, project))))
        finally:
            os.environ.clear()
            os.environ.update(before)


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def _worker(seeds: Sequence[int]) -> list[tuple[int, float, list[str]]]:
    async def all_of_them(runs: Runs) -> list[tuple[int, float, list[str]]]:
        found = []
        for seed in seeds:
            began = time.monotonic()
            problems = await runs.run(seed)
            found.append((seed, time.monotonic() - began, problems))
            if problems:
                kept = Path(gettempdir()) / f"wrong-{seed}.json"
                kept.write_text(
                    json.dumps(runs.admin.get("/history").json(), indent=1), encoding="utf-8"
                )
                for each in problems:
                    sys.stderr.write(f"seed {seed}: WRONG: {each} (history: {kept})\n")
        return found

    return list(in_tenant(all_of_them))


def carry_out(seeds: range, workers: int) -> list[tuple[int, float, list[str]]]:
    """Carry runs out: seed, seconds and problems of each."""
    parts = [list(seeds)[number::workers] for number in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        return sorted(each for part in pool.map(_worker, parts) for each in part)
