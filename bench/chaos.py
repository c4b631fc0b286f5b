"""`python -m bench.chaos`: many seeded runs under faults, ours beside plain `pulumi up`."""

import argparse
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--store", action="store_true", help="write bench/chaos.json")
    options = parser.parse_args()
    results = Results("chaos", options.seed)
    for scenario in SCENARIOS:
        if options.only in (None, scenario.name):
            count = {"all together": options.mixed_runs, "killed": options.kill_runs}.get(
                scenario.name, options.runs
            )
            _measure(results, scenario, OURS, count, options)
            _measure(results, scenario, PLAIN, options.plain_runs, options)
            if options.store:
                results.store()


def _measure(
    results: Results, scenario: Scenario, how: str, count: int, options: argparse.Namespace
) -> None:
    if count == 0:
        return
    seeds = range(options.seed, options.seed + count)
    with ThreadPoolExecutor(options.workers) as pool:
        outcomes = list(pool.map(lambda seed: _one(scenario, how, seed), seeds))
    right = [each for each in outcomes if each.completed and not each.problems]
    results.add(
        f"{how}: {scenario.name}",
        "s",
        [each.seconds for each in outcomes],
        runs=count,
        completed=sum(each.completed for each in outcomes),
        right=len(right),
        applications=_span([each.applications for each in outcomes]),
        requests=round(statistics.median(each.requests for each in outcomes)),
        seeds=f"{seeds[0]}–{seeds[-1]}",
        workers=options.workers,
        wrong_seeds=[each.seed for each in outcomes if each not in right],
    )


def _one(scenario: Scenario, how: str, seed: int) -> Outcome:
    outcome = chaos_run.run(scenario, how, seed)
    state = "right" if outcome.completed and not outcome.problems else "WRONG"
    sys.stderr.write(
        f"{how}: {scenario.name}: seed {seed}: {state} in {outcome.seconds:.1f} s"
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
