"""One client secret of a stack, with its value."""

from dataclasses import dataclass
from datetime import datetime

from proself_mail.secret import Secret


@dataclass(frozen=True)
class ClientSecret:
    """One client secret that Entra holds, with its value, as the stack's outputs give it."""

    window: str
    """The id of the window that it was made for (`schedule.Window.id`)."""
    key_id: str
    starts: datetime
    expires: datetime
    value: Secret
