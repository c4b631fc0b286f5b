"""Waiting until Graph's readers agree: several reads in a row must say the same."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from emulator.azuread.errors import PluginError

IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class Poll:
    """Reads until five reads in a row agree, as the real plugin does, at a shorter interval.

    The real one reads every second after adding and every five after deleting.
    """

    every: timedelta = timedelta(milliseconds=50)
    patience: timedelta = timedelta(minutes=5)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait; an error of `is_so` ends the wait, and so does the end of patience."""
        until = self.clock() + self.patience.total_seconds()
        agreeing = 0
        while True:
            agreeing = agreeing + 1 if is_so() else 0
            if agreeing == IN_A_ROW:
                return
            if self.clock() >= until:
                raise PluginError("timeout while waiting for the readers to agree")
            self.sleep(self.every.total_seconds())
