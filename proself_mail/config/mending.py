"""Command lines that mend a stack's configuration, as they are printed for a person to paste.

Each names its stack: the one that is selected may be another. Pulumi takes an instant or a
description for a secret that it was not told of, and refuses it without `--plaintext`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from proself_mail.schedule import (
    SecretsEntry,
    format_instant,
    in_order,
    lost_entries,
    opens_soon,
)
from proself_mail.text.command_line import shell_word

EARLIER_REMOVED = (
    "a newer one stands, so that no run makes it anew; a refresh by Pulumi would, and nobody needs "
    "that"
)
"""What becomes of a client secret that somebody removed and that is not the newest: a clause."""

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


def config_set_secrets(
    stack: str, before: Sequence[SecretsEntry], after: Sequence[SecretsEntry]
) -> str:
    """Return the line that makes a stack's `secrets` what they are to be."""
    keys = secrets_keys(before, after)
    options = [f"--plaintext '{path}={value}'" for path, value in keys.items()]
    return " ".join(["pulumi config set-all --path", *options, "--stack", shell_word(stack)])


def secrets_keys(
    before: Sequence[SecretsEntry], after: Sequence[SecretsEntry]
) -> Mapping[str, str]:
    """Return the keys of a stack's configuration that make `secrets` what they are to be.

    There are no fewer entries `after` than `before`, and not the same.
    """
    pairs = enumerate(zip_longest(before, after))
    first = next(place for place, (old, new) in pairs if old != new)
    found: dict[str, str] = {}
    for place, entry in enumerate(after[first:], first):
        is_said = any(each.revokes_earlier for each in before[place : place + 1])
        found[f"secrets[{place}].from"] = format_instant(entry.starts)
        found[f"secrets[{place}].everyDays"] = str(entry.every.days)
        found[f"secrets[{place}].overlapDays"] = str(entry.overlap.days)
        if entry.revokes_earlier or is_said:
            found[f"secrets[{place}].revokesEarlier"] = str(entry.revokes_earlier).lower()
    return found


def undeclared(
    stack: str,
    windows: Sequence[str],
    ends: Mapping[str, datetime],
    entries: Sequence[SecretsEntry],
    now: datetime,
) -> tuple[str, str]:
    """Say of live secrets that a stack's file does not declare why that is, and what mends it.

    `windows` are those of `vanishing` that matter; `ends` says when each secret ends that was made,
    by its window's id.
    """
    if opens := opens_soon(ends, entries, now):
        return (
            f"the state holds client secrets whose windows open at {format_instant(opens)}, and it "
            f"is {format_instant(now)}: a machine whose clock is ahead made them: "
            f"{', '.join(windows)}",
            f"try again after {format_instant(opens)}; enable time synchronisation on all machines "
            "that work on this stack",
        )
    return (
        "your stack file is older than the state, or its `secrets` were edited: the state holds "
        f"live client secrets that the file does not declare so: {', '.join(windows)}",
        _newest_file(stack, ends, entries, now),
    )


def _newest_file(
    stack: str, ends: Mapping[str, datetime], entries: Sequence[SecretsEntry], now: datetime
) -> str:
    bring = (
        "bring the newest stack file here (`git pull`), or undo the edit: entries of `secrets` are "
        "only ever appended"
    )
    lost = lost_entries(ends, entries, now)
    if not lost:
        return bring
    line = config_set_secrets(stack, entries, in_order([*entries, *lost]))
    commands = ["`rotate --revoke`" if each.revokes_earlier else "`rotate --now`" for each in lost]
    if len(lost) == 1:
        return (
            f"{bring}; if the file of a {commands[0]} was lost before its commit, `{line}` "
            "puts its entry there again"
        )
    return (
        f"{bring}; if the entries of {len(lost)} runs were lost before their commit "
        f"({', '.join(commands)}), `{line}` puts them there again"
    )


def lost_from_state(stack: str) -> str:
    """Say how what a state has lost comes back: two sentences."""
    return (
        "If the backend's history has the state from before, bring that back: it has the client "
        f"secrets. Else `proself-mail up --stack {shell_word(stack)}` takes in again what is in "
        "Entra, and makes a new client secret for Proself in place of one that is lost."
    )


def in_stack(stack: str) -> Mend:
    """Return what writes the lines for one stack."""

    def mend(path: str, value: str | None) -> str:
        return config_rm(stack, path) if value is None else config_set(stack, path, value)

    return mend


class Literal(str):
    """A key whose name only looks like a path, as one is that was set without `--path`."""


def _is_path(path: str) -> bool:
    return not isinstance(path, Literal) and ("[" in path or "." in path)
