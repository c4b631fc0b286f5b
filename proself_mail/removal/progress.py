"""How far one object has come on its way out of a tenant."""

from dataclasses import dataclass
from enum import IntEnum, auto

from proself_mail.removal.removal_item import Item


class Stage(IntEnum):
    """The stages, in their order; none is left for an earlier one."""

    KNOWN = auto()
    """A plan names it or a listing shows it, and nothing says that it is deleted."""
    DELETED = auto()
    """It was in the recycle bin, or went there with its application; not looked at there yet."""
    LOOKED_AT = auto()
    """Deleted too, and seen to be ours and as we left it: in the recycle bin or just before."""
    PURGED = auto()
    """Gone for good, by our request."""


@dataclass
class Progress:
    """One object's."""

    item: Item
    client_id: str = ""
    stage: Stage = Stage.KNOWN
    deleted_lately: bool = False
    """It was found in the recycle bin so soon after its deletion that readers may trail behind."""
    failure: str = ""
    since: float = 0.0
    """When it was first known, then when it was deleted or seen to be, by the loop's clock."""

    def reach(self, stage: Stage) -> None:
        """Come to a stage; a reader that trails may show an earlier one, which changes nothing."""
        self.stage = max(self.stage, stage)

    @property
    def is_deleted(self) -> bool:
        """Whether it went to the recycle bin; it may have left that by now."""
        return self.stage >= Stage.DELETED

    @property
    def is_open(self) -> bool:
        """Whether there may be something left to do about it."""
        return self.stage is not Stage.PURGED and not self.failure
