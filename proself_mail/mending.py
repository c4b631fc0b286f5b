"""Command lines that mend a stack's configuration, as they are printed for a person to paste.

Each names its stack: the one that is selected may be another. Pulumi takes an instant or a
description for a secret that it was not told of, and refuses it without `--plaintext`.
"""

from collections.abc import Callable, Sequence

from proself_mail.command_line import shell_word

Mend = Callable[[str, str | None], str]
"""Writes the line that gives the key at a path a value; None takes the key away."""


def config_set(stack: str, path: str, value: str) -> str:
    """Return the line that sets one key of a stack's configuration."""
    by_path = "--path " if _is_path(path) else ""
    words = f"{shell_word(path)} {shell_word(value)} --plaintext --stack {shell_word(stack)}"
    return f"pulumi config set {by_path}{words}"


def config_rm(stack: str, path: str) -> str:
    """Return the line that takes one key of a stack's configuration away."""
    by_path = "--path " if _is_path(path) else ""
    return f"pulumi config rm {by_path}{shell_word(path)} --stack {shell_word(stack)}"


def config_add_permission(stack: str, permissions: Sequence[str], permission: str) -> Sequence[str]:
    """Return the lines that add a permission to a stack's `permissions`; none where it is there."""
    if permission in permissions:
        return ()
    place = len(permissions)
    add = [(place, permission)]
    if place == 1:  # it may be the default, which stands in no file: the list would begin with null
        add = [*enumerate(permissions), *add]
    return [config_set(stack, f"permissions[{at}]", each) for at, each in add]


def in_stack(stack: str) -> Mend:
    """Return what writes the lines for one stack."""

    def mend(path: str, value: str | None) -> str:
        return config_rm(stack, path) if value is None else config_set(stack, path, value)

    return mend


class Literal(str):
    """A key whose name only looks like a path, as one is that was set without `--path`."""


def _is_path(path: str) -> bool:
    return not isinstance(path, Literal) and ("[" in path or "." in path)
