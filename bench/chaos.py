"""`python -m bench.chaos`: many seeded runs under faults, ours beside plain `pulumi up`.

With `--store` every run is kept by its seed in bench/chaos.json. What is measured again takes the
place of what was there; `--append` adds seeds to it, for what takes longer than one sitting.
"""

import argparse
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import chaos_run
from bench.chaos_run import Outcome
from bench.results import Results
from bench.scenario import SCENARIOS, Scenario

OURS = "proself-mail up"
PLAIN = "pulumi up"


def main() -> None:
    """Run what is asked for, print a line a run, and store the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=25, help="of ours per scenario")
    parser.add_argument("--plain-runs", type=int, default=8, help="of pulumi up per scenario")
    parser.add_argument("--mixed-runs", type=int, default=200, help="of all faults together")
    parser.add_argument("--kill-runs", type=int, default=100)
    parser.add_argument("--only", help="the scenario of this name alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", action="store_true", help="write bench/chaos.json")
    parser.add_argument("--append", action="store_true", help="keep the seeds that it holds")
    options = parser.parse_args()
    results = Results("chaos", options.seed)
    spared: list[str] = []
    for scenario in SCENARIOS:
        if options.only in (None, scenario.name):
            count = {"all together": options.mixed_runs, "killed": options.kill_runs}.get(
                scenario.name, options.runs
            )
            for how, runs in ((OURS, count), (PLAIN, options.plain_runs)):
                if runs:
                    outcomes = _measure(results, scenario, how, runs, options)
                    if options.store:
                        results.store()
                    spared += [f"{how}: {scenario.name}: {each}" for each in never_killed(outcomes)]
    if spared:
        sys.exit(f"To be killed, and never found to run: {'; '.join(spared)}.")


def never_killed(outcomes: Iterable[Outcome]) -> Sequence[str]:
    """Return what some of the runs were to kill and none did: it may have another name here."""
    done = list(outcomes)
    return sorted({e.victim for e in done if e.victim} - {e.killed.split(" ")[0] for e in done})


def _measure(
    results: Results, scenario: Scenario, how: str, count: int, options: argparse.Namespace
) -> Sequence[Outcome]:
    name = f"{how}: {scenario.name}"
    before = results.stored(name) if options.append else {}
    seeds = range(options.seed, options.seed + count)
    with ThreadPoolExecutor(options.workers) as pool:
        outcomes = list(pool.map(lambda seed: _one(scenario, how, seed), seeds))
    runs = before.get("by_seed", {}) | {str(each.seed): _row(each) for each in outcomes}
    commits = dict.fromkeys([*before.get("commits", ()), results.commit])
    results.add(
        name,
        "s",
        [row["seconds"] for row in runs.values()],
        runs=len(runs),
        completed=sum(row["completed"] for row in runs.values()),
        right=sum(not row["wrong"] for row in runs.values()),
        killed=sum(bool(row["killed"]) for row in runs.values()),
        applications=_span([row["applications"] for row in runs.values()]),
        secrets_left=sum(row["secrets_left"] for row in runs.values()),
        requests=round(statistics.median(row["requests"] for row in runs.values())),
        wrong_seeds=[int(seed) for seed, row in runs.items() if row["wrong"]],
        workers=options.workers,
        commits=list(commits),
        by_seed=runs,
    )
    return outcomes


def _row(outcome: Outcome) -> Mapping[str, Any]:
    wrong = outcome.problems or ([] if outcome.completed else ["not completed"])
    return {
        "seconds": round(outcome.seconds, 1),
        "completed": outcome.completed,
        "applications": outcome.applications,
        "secrets_left": outcome.secrets_left,
        "requests": outcome.requests,
        "killed": outcome.killed,
        "wrong": "; ".join(wrong)[:200],
    }


def _one(scenario: Scenario, how: str, seed: int) -> Outcome:
    outcome = chaos_run.run(scenario, how, seed)
    state = "right" if outcome.completed and not outcome.problems else "WRONG"
    sys.stderr.write(
        f"{how}: {scenario.name}: seed {seed}: {state} in {outcome.seconds:.1f} s"
        f"{f' ({outcome.killed} killed)' if outcome.killed else ''}"
        f"{'' if outcome.completed else ', not completed'}"
        f"{': ' + '; '.join(outcome.problems) if outcome.problems else ''}\n"
    )
    if state == "WRONG" and how == OURS:
        sys.stderr.write("".join(f"    | {line}\n" for line in outcome.said.splitlines()))
    sys.stderr.flush()
    return outcome


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


if __name__ == "__main__":
    main()
