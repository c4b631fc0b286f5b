"""How an update waits: bounded, jittered, and remembering whether a reader was seen to trail."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from proself_mail.entra.directory import DirectoryError, NotFound
from proself_mail.errors import NoAnswerYet
from proself_mail.stack.failure import Failure, Kind

AGREEING = 3
"""So many reads in a row must say the same before it counts."""
SETTLING = timedelta(seconds=12)
"""How long listings are watched once a reader was seen to trail, and nobody knows how far."""
_SHORTEST = timedelta(seconds=5)

_AGAIN = timedelta(minutes=1)
"""So long after it was said what is waited for, a person may want to hear it again."""
_LONGEST_SECONDS = 15.0
_LAST_REFUSAL = 2
"""A token that was just renewed and is refused so often in a row is not one that ran out."""
_WAITING_FOR = {
    Kind.LAG: "Entra's readers to catch up with its writes",
    Kind.BUSY: "Entra to have time",
    Kind.CONFLICT: "another write to the same object",
    Kind.LOST: "the connection",
    Kind.KILLED: "the Pulumi program, which was killed",
    Kind.EXPIRED: "a new token",
    Kind.EXISTS: "Entra to show what is there already",
}

_READ_AGAIN = frozenset({Kind.LAG, Kind.EXISTS, Kind.LOST})

Say = Callable[[str], None]
T = TypeVar("T")


class Patience:
    """What one update knows of the tenant's state of health, and its waits."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.trailing = False
        """Whether a reader was seen to trail behind a write, or an answer was lost."""
        self._furthest = timedelta()
        self._busy = 0
        """How many runs of the engine a tenant without time has cost."""
        self.waits_for = ""
        """What is waited for, or was last."""
        self._told: dict[str, float] = {}
        """When what was said last, by the loop's clock."""

    def seen_trailing(self, how_far: timedelta) -> None:
        """Note how long a reader took to catch up."""
        self._furthest = max(self._furthest, how_far)

    @property
    def settling(self) -> timedelta:
        """How long after a write whatever it made shows to all readers, by what was seen so far."""
        return max(_SHORTEST, 1.5 * self._furthest) if self._furthest else SETTLING

    async def after(self, failure: Failure) -> None:
        """Wait after a run of the engine that failed so, saying what for."""
        self.trailing = True
        about = f"{failure.resource}: " if failure.resource else ""
        self.wait_for(f"{_WAITING_FOR[failure.kind]} ({about}{failure.said[:160]})")
        # What trails is then read until it is steady; only a throttled tenant wants more distance.
        if failure.kind not in _READ_AGAIN:
            self._busy += 1
            longest = min(_LONGEST_SECONDS, 0.75 * 2**self._busy)
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311

    def wait_for(self, what: str) -> None:
        """Say what is waited for, where it is something else than before and was not just said.

        What is waited for side by side comes in turn, several times a second.
        """
        if what == self.waits_for:
            return
        self.waits_for, now = what, asyncio.get_running_loop().time()
        if now - self._told.get(what, -math.inf) >= _AGAIN.total_seconds():
            self._told[what] = now
            self._say(f"waiting for {what} …")

    @property
    def waited_for(self) -> str:
        """The sentence on it for who is told that time ran out; blank where nothing was."""
        return f" It waited for {self.waits_for}." if self.waits_for else ""

    async def moment(self, seconds: float = 1.0) -> None:
        """Wait about so long."""
        await asyncio.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311

    async def answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer, whatever it is. Raises what does not pass."""
        wait = 1.0
        while True:
            try:
                return await ask()
            except NoAnswerYet as error:
                self.wait_for(f"an answer ({error.cause.rstrip('.')})")
                await asyncio.sleep(error.retry_after.total_seconds())
                await self.moment(wait)
                wait = min(2 * wait, _LONGEST_SECONDS)

    async def shown(self, ask: Callable[[], Awaitable[object]]) -> bool:
        """Say whether the directory answers by an object, or that there is none."""
        try:
            await self.told(ask)
        except NotFound:
            return False
        return True

    async def told(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the directory until it answers. Raises what does not pass, `NotFound` included."""
        refused = 0
        while True:
            try:
                return await ask()
            except NotFound:
                raise
            except DirectoryError as error:
                refused = refused + 1 if error.status == 401 else 0
                if not error.passes or refused == _LAST_REFUSAL:
                    raise
                self.trailing = True
                self.wait_for(f"Microsoft Graph ({error.status or 'no answer'}: {error.code})")
                await asyncio.sleep(error.retry_after.total_seconds())
                await self.moment()
