"""What Pulumi's `state taint` marked in a state, and how the marks go again."""

from collections.abc import Sequence

from proself_mail.stack.urn import Urn
from proself_mail.text.command_line import shell_word


def untaint(stack: str, urns: Sequence[Urn]) -> str:
    """Return the line that takes the marks away again."""
    return f"pulumi state untaint {' '.join(map(shell_word, urns))} --stack {shell_word(stack)}"


def tainted(urns: Sequence[Urn]) -> str:
    """Say what bears such a mark."""
    names = ", ".join(urn.name for urn in urns)
    return f"Pulumi's `state taint` marked {names}, and an update replaces what is marked so"
