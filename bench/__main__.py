"""`python -m bench`: measure the main job, print the figures and write bench/results.json."""

import argparse
import sys

from bench import main_job
from bench.results import Results
from proself_mail.cli import heed_ctrl_c


def main() -> None:
    """Run the measurements that are asked for; all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (default: 5)")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--beside", action="store_true", help="proself-mail up beside pulumi up")
    options = parser.parse_args()
    results = Results("results", options.seed)
    measure = main_job.beside if options.beside else main_job.measure
    measure(results, options.rounds, options.seed)
    results.store()
    sys.stdout.write(f"\n{results.path}\n")


if __name__ == "__main__":
    heed_ctrl_c()
    main()
