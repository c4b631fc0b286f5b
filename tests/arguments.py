"""What every process of this machine was started with, while a test looks."""

import threading
from types import TracebackType
from typing import Self

import psutil


class Arguments:
    """Collects the argument lists of all processes that run during a `with` block."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            for process in psutil.process_iter():
                try:
                    self.seen.update(process.cmdline())
                except psutil.Error:
                    continue

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._watcher.join()
