"""Whether a state is one that its stack's next update can go on from.

The engine reads states that it then does not use, and worse: what is in one under another stack's
or project's name counts as gone from the program, which makes all of it anew and deletes that.
"""

from proself_mail.config.settings import PROJECT
from proself_mail.config.stack_name import short_name
from proself_mail.errors import Refused
from proself_mail.stack import failure
from proself_mail.stack.state import State


def check(name: str, found: State) -> None:
    """Raise `Refused` where no update of the stack of this name is to use the state."""
    check_own(name, found)
    if found.fault:
        raise Refused(
            f"The state of the stack {name} cannot be right, and the engine refuses to use it: "
            f"{found.fault}.",
            failure.how_to_repair(name),
        )


def check_own(name: str, found: State) -> None:
    """Raise `Refused` where the state is another stack's."""
    if others := found.stacks - {f"{PROJECT}/{short_name(name)}"}:
        raise Refused(
            f"The state of the stack {name} is another stack's: {', '.join(sorted(others))}. An "
            "update would make all of it anew, and delete what is there.",
            f"Bring the state of {name} itself back from the backend's history.",
        )
