"""Scripted misbehaviour of the SMTP server: at which step, how often, and what.

For replies that no switch makes, and for what networks do. It knows nothing of SMTP itself.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from emulator.admin_input import AdminError, Fields
from emulator.json_text import Json


class Step(StrEnum):
    """Where in the dialogue a script acts."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    MESSAGE = "message"
    """After the final dot."""


class Action(StrEnum):
    """What happens in the place of an answer."""

    HANG = "hang"
    """Nothing, and the connection stays."""
    DROP = "drop"
    """The connection is closed."""


@dataclass
class Script:
    """One scripted event."""

    at: Step
    reply: str | None
    """What is answered; None where `action` says what happens instead."""
    action: Action | None
    times: int | None
    """How often; None for always."""

    def as_json(self) -> Json:
        """Return the form in which the admin port shows it."""
        return {"at": self.at, "reply": self.reply, "do": self.action, "times": self.times}


@dataclass
class Scripts:
    """All scripts, tried in order."""

    scripts: list[Script] = field(default_factory=list)

    def next(self, at: Step) -> Script | None:
        """Return the script that acts now, and count it."""
        for script in self.scripts:
            if script.at is at and script.times != 0:
                if script.times is not None:
                    script.times -= 1
                return script
        return None


def read_script(fields: Fields) -> Script:
    """Read one of `scripts`. AdminError if it is not understood."""
    at = Step(fields.choice("at", Step))
    reply, action = fields.text("reply", None), fields.choice("do", Action, None)
    times = fields.whole("times", None, least=1)
    if (reply is None) is (action is None):
        raise AdminError(f"{fields.name_of('reply')} or do, one of them, says what happens.")
    if reply is not None and not (reply[:3].isdecimal() and reply.isascii() and "\n" not in reply):
        raise fields.refuse("reply", "one line that begins with a code, such as 451 4.7.500 Busy")
    return Script(at, reply, Action(action) if action is not None else None, times)
