"""What every process of this machine was started with, while a test looks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_LOOKS = 10
"""At each process, in its first 0.2 s: it has another's arguments until its launcher executes it.

To read the arguments of every process each time would take a third of a core.
"""


@contextmanager
def arguments() -> Iterator[set[str]]:
    """Collect the arguments of all processes that run during a `with` block."""
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        looks: dict[int, int] = {}
        while not ended.wait(0.02):
            looks = {pid: looks.get(pid, 0) + 1 for pid in psutil.pids()}
            for pid, count in looks.items():
                if count <= _LOOKS:
                    try:
                        seen.update(psutil.Process(pid).cmdline())
                    except psutil.Error:
                        continue

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()
