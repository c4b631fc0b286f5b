"""A short selection of `bench.teardown`: nothing of ours is left, nothing else is touched."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_seeds_with_and_without_a_kill() -> None:
    command = ["-m", "bench.teardown", "--runs", "6", "--rounds", "0", "--workers", "1"]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "right 6" in done.stdout
    assert "wrong_seeds []" in done.stdout
