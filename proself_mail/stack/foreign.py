"""What a stack's state holds that the program does not declare so, and how it goes from there.

Somebody imported it, or Pulumi's commands on the state renamed or moved it. An update would delete
it; no command of ours lets it, and each prints what leads out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proself_mail.stack.urn import Urn
from proself_mail.text.command_line import shell_word


@dataclass(frozen=True)
class Foreign:
    """A resource in a state that the program does not declare so."""

    urn: Urn
    own_name: str = ""
    """The name that the program has for it, where it is the stack's own under another one."""

    @property
    def name(self) -> str:
        """Its name in the state."""
        return self.urn.name

    @property
    def kind(self) -> str:
        """What it is: the last word of its type."""
        return self.urn.kind.rpartition(":")[2]

    @property
    def is_secret(self) -> bool:
        """Whether it is a client secret, whose value nothing gives out again."""
        return self.kind == "ApplicationPassword"


def foreign_in_state(foreign: Sequence[Foreign]) -> str:
    """Say what a state holds that the program does not declare so."""
    shown = ", ".join(
        f"{each.name} ({each.kind})"
        + (f", the stack's own {each.own_name}" if each.own_name else "")
        for each in foreign
    )
    return (
        "the state holds what this program does not make, as after an import, or under another "
        f"name: {shown}; the engine would delete it"
    )


def without_foreign(stack: str, foreign: Sequence[Foreign]) -> str:
    """Say how a state comes to hold nothing of the kind, each by what loses nothing."""
    secrets = [each for each in foreign if each.is_secret and not each.own_name]
    others = [each for each in foreign if not each.is_secret and not each.own_name]
    steps = [renamed(stack, foreign)] if any(each.own_name for each in foreign) else []
    if secrets:
        steps.append(
            "of a client secret this may be the one copy of its value: if Pulumi's `state move` or "
            "`state rename` did this, first bring the state from before, of the stack that it came "
            "from, back from the backend's history, or have `proself-mail up --stack STACK` make a "
            f"new one there for Proself. Then {_state_delete(stack, secrets)}"
        )
    if others:
        steps.append(_state_delete(stack, others))
    return "; ".join(steps)


def renamed(stack: str, foreign: Sequence[Foreign]) -> str:
    """Say how those that are the stack's own get the names again that the program has for them."""
    lines = (
        f"`pulumi state rename {shell_word(each.urn)} {shell_word(each.own_name)} "
        f"--stack {shell_word(stack)}`"
        for each in foreign
        if each.own_name
    )
    return f"{', '.join(lines)}: it is the stack's own, and loses nothing by that"


def _state_delete(stack: str, foreign: Sequence[Foreign]) -> str:
    """Say how a state forgets such resources, the dependants first.

    By --force also those that are protected, which an import is by default.
    """
    lines = (
        f"`pulumi state delete {shell_word(each.urn)} --force --stack {shell_word(stack)}`"
        for each in reversed(foreign)
    )
    return f"{', '.join(lines)}: the state forgets it, and it stays as it is in the tenant"
