"""Seeded runs of the whole command, engine included, killed at random instants and run again.

SIGKILL goes to the command alone or to it and all its children, up to three times; then it runs to
its end. The tenant throttles, loses replies, and its readers trail. Nothing of the stack may be
left anywhere, and nothing else may have been touched.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import psutil

from bench.removal_judge import Judge
from bench.removal_runs import ROLES
from bench.teardown_stand import Stand, pulumi, stand

_LAG_SECONDS = 2.0
_HELD = "Another run holds the stack"
_LONGEST_SECONDS = 600


def carry_out(seeds: range, workers: int) -> list[tuple[int, float, int, list[str]]]:
    """Carry runs out: seed, seconds, kills and problems of each."""
    parts = [list(seeds)[number::workers] for number in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        return sorted(each for part in pool.map(_worker, parts) for each in part)


def _worker(seeds: Sequence[int]) -> list[tuple[int, float, int, list[str]]]:
    found = []
    with stand("--deployer-role", *ROLES) as ready:
        for seed in seeds:
            began = time.monotonic()
            kills, problems = _run(ready, seed)
            found.append((seed, time.monotonic() - began, kills, problems))
            sys.stderr.write(f"seed {seed}: {kills} kills, {problems or 'right'}\n")
    return found


def _run(ready: Stand, seed: int) -> tuple[int, list[str]]:
    chance = random.Random(seed)  # noqa: S311
    stack = f"killed-{seed}.test"
    ready.make(stack)
    outputs = json.loads(ready.run(*pulumi("stack", "output", "--json", "--stack", stack)))
    _plant_look_alikes(ready, outputs)
    judge = Judge.of(
        ready.admin,
        {outputs["applicationObjectId"], outputs["servicePrincipalObjectId"]},
    )
    ready.faults(**_faults(seed, chance))
    kills = sum(_killed(ready, stack, chance) for _ in range(chance.randint(1, 3)))
    code, said = _to_its_end(ready, stack)
    ready.faults()
    problems = judge.problems(ready.admin)
    if code:
        problems.append(f"exit code {code}: {said[-2000:]}")
    if stack in ready.run(*pulumi("stack", "ls")):
        problems.append("the stack is left")
    problems += [
        f"{path.name} is left"
        for path in (ready.config_file(stack), ready.project / "out" / stack)
        if path.exists()
    ]
    return kills, problems


def _plant_look_alikes(ready: Stand, outputs: dict[str, Any]) -> None:
    """Put in what bears the same name and a stamp that only looks like ours."""
    everything = ready.admin.get("/objects").json()
    [ours] = [e for e in everything if e["id"] == outputs["applicationObjectId"]]
    name, tags = ours["body"]["displayName"], ours["body"]["tags"]
    other = [each.replace("stack=", "stack=f") for each in tags]
    lists: list[list[str]] = [[], tags[:2], [each.upper() for each in tags], other]
    seeds = [
        {"display_name": name, "body": {"tags": each}, "service_principal": True} for each in lists
    ]
    ready.admin.post("/seed", json={"applications": seeds}).raise_for_status()


def _faults(seed: int, chance: random.Random) -> dict[str, Any]:
    graph = {"service": "graph"}
    rules = [
        {"match": graph, "ratio": 0.03, "strike": "status", "status": 429,
         "retry_after_seconds": 1},
        {"match": graph, "ratio": 0.03, "strike": "reset-after"},
        {"match": graph, "ratio": 0.02, "strike": "status", "status": 503},
    ]  # fmt: skip
    lag = {"seconds": _LAG_SECONDS, "stale_ratio": chance.choice((0.0, 0.3, 0.6))}
    return {
        "seed": seed,
        "rules": chance.sample(rules, chance.randint(0, 3)),
        "lag": lag,
        "latency_ms": 50,
    }


def _killed(ready: Stand, stack: str, chance: random.Random) -> bool:
    """Start the command and kill it; say whether that came before its end."""
    with_children = chance.random() < 0.5
    process = subprocess.Popen(
        ready.teardown(stack), cwd=ready.project, env=ready.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.wait(chance.uniform(0.3, 9.0))
    except subprocess.TimeoutExpired:
        family = [psutil.Process(process.pid)]
        if with_children:
            family += family[0].children(recursive=True)
        for each in family:
            try:
                os.kill(each.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        return True
    return False


def _to_its_end(ready: Stand, stack: str) -> tuple[int, str]:
    """Run the command as a person would: again where an engine still ends what it had begun."""
    ends = time.monotonic() + _LONGEST_SECONDS
    while True:
        done = subprocess.run(
            ready.teardown(stack), cwd=ready.project, env=ready.environment,
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        said = " ".join((done.stdout + done.stderr).split())
        if done.returncode != 3 or _HELD not in said or time.monotonic() > ends:
            return done.returncode, said
