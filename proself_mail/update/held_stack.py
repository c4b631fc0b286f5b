"""A stack that another run may hold: freed of one that is dead, waited for where one is ending.

Whether a holder is dead is `lock`'s to say. Raises `Refused` where one may be alive.
"""

from collections.abc import Sequence

from proself_mail.config.settings import PROJECT
from proself_mail.entra.patience import Patience, Say
from proself_mail.errors import Refused
from proself_mail.stack import lock
from proself_mail.stack.lock import Lock
from proself_mail.stack.stack import Stack

_LAST_UNSEEN = 3
"""So often a lock that only the engine sees is taken for one that went in between."""


class HeldStack:
    """One stack, during one update."""

    def __init__(self, stack: Stack, patience: Patience, say: Say) -> None:
        self._stack = stack
        self._patience = patience
        self._say = say
        self._unseen = 0
        """How often the engine found a lock that could not be seen by then."""

    async def free(self) -> bool:
        """Free a stack on files of whoever holds it; say whether anybody did."""
        was_held = False
        while held := self._standing():
            was_held = True
            await self._free(held)
        return was_held

    async def unlock(self, said: str) -> None:
        """Take away or wait for a lock that the engine found. `said` are its words.

        An engine whose `proself-mail` was killed ends by itself, and is waited for.
        """
        held = self._standing()
        if held is None:
            held = lock.holders(said)
            if not held:
                raise lock.refusal(self._stack.name, said)
        if held:
            await self._free(held)
            return
        # Gone since, as a rule; what the engine sees and we do not, is said to hold it.
        self._unseen += 1
        if self._unseen == _LAST_UNSEEN:
            raise lock.refusal(self._stack.name, said)
        self._patience.wait_for(f"the lock that the engine found ({said[:160]})")
        await self._patience.moment()

    async def mend(self) -> None:
        """Take out of the state what blocks the engine, which needs the stack unlocked."""
        while True:
            await self.free()
            try:
                await self._stack.engine.awaited(self._stack.mend_state)
            except Refused as refused:  # another backend tells who holds it only now
                await self.unlock(refused.cause)
            else:
                return

    def _standing(self) -> tuple[Lock, ...] | None:
        return lock.standing(self._stack.backend_folder, PROJECT, self._stack.name)

    async def _free(self, held: Sequence[Lock]) -> None:
        on_files = self._stack.backend_folder is not None
        if on_files and all(each.is_dead for each in held):
            self._say(f"removing the lock of a dead run: {', '.join(map(str, held))}")
            for each in held:
                lock.remove(each)
            return
        # A dead run's lock on another backend stays until a person takes it away.
        if all(each.is_abandoned or (on_files and each.is_dead) for each in held):
            self._patience.wait_for(f"the engine of a killed run: {', '.join(map(str, held))}")
            await self._patience.moment()
            return
        raise lock.refusal(self._stack.name, ", ".join(map(str, held)))
