"""Sending again: what is worth repeating, and how long to wait before it.

408, 424, 429 and 5xx but 501 are repeated after Retry-After in whole seconds, else after 1, 2, 4
... 61 s, as go-azure-sdk's client does. A request that fails because a reader is behind is
repeated only where its caller says so; there the stand-in waits shorter (docs/adr/0012).
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from emulator.azuread.errors import NoAnswerError
from emulator.azuread.transport import Response


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` to `most`, given up after `in_all`."""

    first: timedelta
    most: timedelta
    in_all: timedelta

    def wait(self, attempt: int) -> timedelta:
        """Give the wait after an attempt, counted from 0."""
        # 2**attempt soon exceeds what a timedelta holds.
        return self.most if attempt > 30 else min(self.first * 2**attempt, self.most)


THROTTLED = Backoff(timedelta(seconds=1), timedelta(seconds=61), timedelta(minutes=10))
BEHIND = Backoff(timedelta(milliseconds=100), timedelta(seconds=2), timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Retries:
    """A client's patience."""

    throttled: Backoff = THROTTLED
    behind: Backoff = BEHIND
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def answer(
        self,
        send: Callable[[], Response],
        *,
        repeatable: bool,
        is_behind: Callable[[Response], bool] | None = None,
    ) -> Response:
        """Send until an answer is final, and give it, whatever its status.

        `repeatable` says whether a request without an answer may be sent again. Raises
        NoAnswerError.
        """
        started = self.clock()
        attempt = 0
        while True:
            answer: Response | None = None
            try:
                answer = send()
            except NoAnswerError as failure:
                if not repeatable:
                    raise NoAnswerError(
                        f"HTTP response was nil; connection may have been reset ({failure})",
                        transient=False,
                    ) from failure
                wait = self.throttled.wait(attempt)
                if not failure.transient or self._is_over(started, wait, self.throttled):
                    raise
            else:
                if _is_throttled(answer.status):
                    backoff, told = self.throttled, _retry_after(answer)
                    wait = backoff.wait(attempt) if told is None else told
                elif is_behind is not None and answer.status >= 300 and is_behind(answer):
                    backoff, wait = self.behind, self.behind.wait(attempt)
                else:
                    return answer
                if self._is_over(started, wait, backoff):
                    return answer
            self.sleep(wait.total_seconds())
            attempt += 1

    def _is_over(self, started: float, wait: timedelta, backoff: Backoff) -> bool:
        spent = timedelta(seconds=self.clock() - started)
        return spent + wait > backoff.in_all


def _is_throttled(status: int) -> bool:
    return status in (408, 424, 429) or (status >= 500 and status != 501)


def _retry_after(answer: Response) -> timedelta | None:
    value = answer.headers.get("retry-after", "").strip()
    # A date is allowed by HTTP, and not understood by the real client either.
    return timedelta(seconds=int(value)) if re.fullmatch(r"\d{1,6}", value) else None
