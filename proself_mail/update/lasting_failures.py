"""Which failures of the engine end an update, in the words of what a person does about them.

What one failure means is `stack/failure`'s to say. Here is what only the update knows: its stack's
configuration, and how often it has failed so.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from proself_mail import clock
from proself_mail.config import lifetime
from proself_mail.config.settings import Settings
from proself_mail.stack.failure import Failure, Kind
from proself_mail.stack.state import State

_LAST_OF_THE_SAME = 3
"""So many runs in a row end by the same failure of the program, before it is taken for good."""

_FOR_GOOD = {
    # By itself it passes: the next run signs in anew. One that is refused for good is refused at
    # the program's first question.
    Kind.EXPIRED: (
        "the tenant refuses tokens that it has just issued",
        "Look at the identity's sign-ins in Entra (is it disabled, does a Conditional Access "
        "policy hold it back?), then try again.",
    ),
    Kind.KILLED: (
        "the Pulumi program is killed each time that it runs",
        "Look for what kills it, such as too little memory (on Linux the kernel's log tells), "
        "then try again.",
    ),
}
"""What such a failure is then, and what a person does about it."""


class LastingFailures:
    """Tells those of one stack, during one update."""

    def __init__(self, stack: str, settings: Settings) -> None:
        self._stack = stack
        self._settings = settings
        self._ends = deque[Kind | None](maxlen=_LAST_OF_THE_SAME)
        """By which failures of the program the last runs ended; none for those of a resource."""

    def check(self, failure: Failure, state: State) -> None:
        """Raise a failure that does not pass. `state` is what the engine knows after it."""
        if failure.is_of_lifetime:
            raise self._shorter(failure, state).error()
        if not failure.kind.passes:
            raise failure.error()

    def _shorter(self, refused: Failure, state: State) -> Failure:
        """Say what to do about a secret that a policy refuses and that nobody could foresee."""
        entries = self._settings.entries
        step = lifetime.way_out(self._stack, entries, state.ends, clock.now(), None)
        return replace(refused, next_step=step)

    def check_run(self, failures: Sequence[Failure]) -> None:
        """Note how a run ended; raise what is said in words of one that passes, and does not."""
        owners = {str(owner) for owner in self._settings.owners}
        for each in failures:
            if each.kind is Kind.LAG and (missing := [o for o in owners if o in each.said]):
                raise replace(
                    each,
                    cause=f"the tenant knows no {missing[0]}, which is configured as an owner",
                    next_step=f"`pulumi config --stack {self._stack}` shows `owners`: take it out "
                    "there, then try again; wait a minute first if it has just been made.",
                ).error()
        first = failures[0]
        self._ends.append(None if first.resource else first.kind)
        if first.kind in _FOR_GOOD and self._ends.count(first.kind) == _LAST_OF_THE_SAME:
            cause, next_step = _FOR_GOOD[first.kind]
            raise replace(first, cause=cause, next_step=next_step).error()
