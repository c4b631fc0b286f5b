"""`python -m bench.rotation`: years of rotation, and how long one takes; writes rotation.json.

Whole lives of stacks pass with the real engine (`rotation_years`) and many more on a model
(`rotation_model`). What was drawn follows from the seeds that are stored.
"""

import argparse
import time
from collections.abc import Sequence

from bench import rotation_years
from bench.place import place
from bench.results import Results
from bench.rotation_model import Life
from bench.rotation_years import DAY, Years


def measure_times(results: Results, rounds: int, seed: int) -> None:
    """Measure one rotation, one run without work, one removal, at 100 ms a request."""
    found: dict[str, list[tuple[float, int]]] = {}
    for number in range(rounds):
        with place(seed + number, 100, 60, 20) as at:
            for name, days in (
                ("nothing due", 0),
                ("a new secret, made and proven", 60),
                ("an expired secret, removed", 20),
            ):
                at.advance(days * DAY)
                at.exchanges()
                code, seconds, said = at.command("rotate")
                if code not in (0, 6):
                    raise RuntimeError(said)
                found.setdefault(name, []).append((seconds, len(at.exchanges())))
    for name, samples in found.items():
        results.add(
            f"{name}, 100 ms a request",
            "s",
            [seconds for seconds, _ in samples],
            requests=samples[-1][1],
        )


def measure_years(results: Results, seed: int, years: float) -> None:
    """Let years pass with the real engine."""
    began = time.monotonic()
    with place(seed, 0, rotation_years.EVERY, rotation_years.OVERLAP) as at:
        life = Years(at, seed)
        life.live(round(years * 365))
    results.add(
        f"{years:g} years with the real engine, seed {seed}",
        "s",
        [time.monotonic() - began],
        **life.figures(),
    )


def measure_model(results: Results, seeds: Sequence[int]) -> None:
    """Let years pass on the model, many times."""
    began = time.monotonic()
    tallies = [Life(seed).live() for seed in seeds]
    results.add(
        "3 years on the model",
        "s",
        [time.monotonic() - began],
        seeds=f"{seeds[0]}–{seeds[-1]}",
        sign_ins=sum(each.sign_ins for each in tallies),
        refused=sum(each.refused for each in tallies),
        rotations=sum(each.rotations for each in tallies),
        early=sum(each.early for each in tallies),
        killed=sum(each.kills for each in tallies),
        missed=sum(each.missed for each in tallies),
        removed=sum(each.removed for each in tallies),
        removed_alive=sum(each.removed_alive for each in tallies),
        most_valid=max(each.most_valid for each in tallies),
        most_valid_after_an_early_one=max(each.most_valid_early for each in tallies),
    )


def main() -> None:
    """Measure what is asked for; all of it by default, which takes half an hour."""
    parser = argparse.ArgumentParser(prog="python -m bench.rotation", description=__doc__)
    parser.add_argument("--only", choices=["times", "model", "engine"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lives", type=int, default=200, help="on the model")
    parser.add_argument("--years", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    results = Results("rotation", options.seed)
    if options.only in (None, "times"):
        measure_times(results, options.rounds, options.seed)
    if options.only in (None, "model"):
        measure_model(results, range(options.seed, options.seed + options.lives))
    if options.only in (None, "engine"):
        measure_years(results, options.seed, options.years)
    results.store()


if __name__ == "__main__":
    main()
