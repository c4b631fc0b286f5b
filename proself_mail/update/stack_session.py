"""A stack as it is now, and the session in its tenant: what every look and every update is of."""

from dataclasses import dataclass

from proself_mail.config.settings import Settings
from proself_mail.entra.session import Session
from proself_mail.stack.stack import Stack
from proself_mail.stack.state import State


@dataclass(frozen=True)
class StackSession:
    """What was read of a stack, and who is signed in to its tenant."""

    stack: Stack
    settings: Settings
    state: State
    """What the engine knows; empty for a stack that is yet to be made."""
    opened: Session
