"""What a teardown costs, and seeded runs of it among look-alikes: `python -m bench.teardown`.

Times are of commands at 100 ms a request, `pulumi destroy` beside them. Memory is that of a sweep's
plan in a tenant of thousands. The runs are `removal_runs`' and `teardown_kills`'.
"""

import argparse
import contextlib
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psutil

from bench import removal_runs, teardown_kills
from bench.results import Results
from bench.teardown_stand import Stand, ours, pulumi, stand

_LATENCY_MS = 100
_THOUSANDS = 5000
_PLUGIN = "the stand-in, which polls a deletion every 50 ms; the real one every 5 s, 20 s in all"


def main() -> None:
    """Run what is asked for, print the figures, and store them."""
    parser = argparse.ArgumentParser(prog="python -m bench.teardown", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed")
    parser.add_argument("--stacks", type=int, default=20, help="torn down in one call")
    parser.add_argument("--memory", action="store_true", help="of a sweep among thousands")
    parser.add_argument("--runs", type=int, default=1000, help="seeded, in process")
    parser.add_argument("--kills", type=int, default=50, help="seeded, of the command, killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", action="store_true", help="write bench/teardown.json")
    options = parser.parse_args()
    results = Results("teardown", options.seed)
    if options.rounds:
        _one(results, options.rounds)
    if options.stacks:
        _many(results, options.stacks)
    if options.memory:
        _memory(results)
    if options.runs:
        seeds = range(options.seed, options.seed + options.runs)
        found = removal_runs.carry_out(seeds, options.workers)
        name = "seeded runs in process: faults, kills, look-alikes"
        _judged(results, name, seeds, [(s, seconds, p) for s, seconds, p in found])
    if options.kills:
        seeds = range(options.seed, options.seed + options.kills)
        runs = teardown_kills.carry_out(seeds, options.workers)
        name = "seeded runs of the command, killed and run again"
        _judged(
            results,
            name,
            seeds,
            [(seed, seconds, problems) for seed, seconds, _, problems in runs],
            kills=sum(kills for _, _, kills, _ in runs),
        )
    if options.store:
        results.store()


def _one(results: Results, rounds: int) -> None:
    with stand() as ready:
        for way in ("teardown", "pulumi destroy"):
            samples = []
            for number in range(rounds):
                stack = f"{way.split()[-1]}-{number}.test"
                ready.make(stack)
                command = ready.teardown(stack)
                if way != "teardown":
                    command = pulumi("destroy", "--yes", "--skip-preview", "--stack", stack)
                samples.append(_timed(ready, command))
            left = "purged, state removed" if way == "teardown" else "not purged, stack kept"
            told = {} if way == "teardown" else {"plugin": _PLUGIN}
            results.add(f"{way}, {left}, {_LATENCY_MS} ms a request", "s", samples, **told)


def _many(results: Results, stacks: int) -> None:
    with stand() as ready:
        names = [f"many-{number}.test" for number in range(stacks)]
        for name in names:
            ready.make(name)
        took = _timed(ready, ready.teardown(*names))
        results.add(f"{stacks} stacks in one call, {_LATENCY_MS} ms a request", "s", [took])


def _timed(ready: Stand, command: list[str]) -> float:
    ready.faults(latency_ms=_LATENCY_MS)
    began = time.monotonic()
    ready.run(*command)
    return time.monotonic() - began


def _memory(results: Results) -> None:
    """Compare what a sweep's plan takes in a nearly empty tenant and among thousands."""
    with stand("--deployer-role", *removal_runs.ROLES) as ready:
        command = ours(
            "sweep", "--tenant", ready.tenant.tenant_id, "--target", "embedded", "--json"
        )
        few = _highest(ready, command)
        tags = ["proself-mail", f"proself-mail:stack={uuid4()}", "proself-mail:environment=test"]
        ends = datetime.now(UTC) + timedelta(days=1)
        stamped = [*tags, f"proself-mail:deleteAfter={ends:%Y-%m-%dT%H:%M:%SZ}"]
        seeds: list[dict[str, Any]] = [
            {"display_name": "foreign {n}", "count": _THOUSANDS, "service_principal": True},
            {"display_name": "not due {n}", "count": _THOUSANDS, "body": {"tags": stamped}},
        ]
        ready.admin.post("/seed", json={"applications": seeds}).raise_for_status()
        many = _highest(ready, command)
    results.add("a sweep's plan in a small tenant, resident", "MiB", [few])
    results.add(
        f"… among {_THOUSANDS} foreign and {_THOUSANDS} that are not due yet", "MiB", [many]
    )


def _highest(ready: Stand, command: list[str]) -> float:
    """Run a command and return the most memory that it had, in MiB, sampled every 5 ms."""
    most = 0
    process = subprocess.Popen(
        command, cwd=ready.project, env=ready.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    seen = psutil.Process(process.pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.poll() is None:
            most = max(most, seen.memory_info().rss)
            time.sleep(0.005)
    if code := process.wait():
        raise RuntimeError(f"{' '.join(command)}: exit code {code}")
    return most / 2**20


def _judged(
    results: Results,
    name: str,
    seeds: range,
    found: list[tuple[int, float, list[str]]],
    **more: object,
) -> None:
    wrong = {str(seed): problems for seed, _, problems in found if problems}
    results.add(
        name,
        "s",
        [seconds for _, seconds, _ in found],
        runs=len(found),
        right=len(found) - len(wrong),
        seeds=f"{seeds[0]}–{seeds[-1]}",
        wrong=wrong,
        **more,
    )


if __name__ == "__main__":
    main()
