"""A tenant's limit on how long a client secret may live, and a schedule that keeps to it.

Pure. A policy may come when a stack has stood for years: what lives goes on to its end, and the
window whose secret is refused gets a shorter one, by an entry of its own from where it began. An
entry from now on would not do: the refused window stays open beside it, and asks for its secret
with every run.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from proself_mail.config import mending
from proself_mail.quantity import quantity
from proself_mail.schedule import (
    SecretsEntry,
    Window,
    open_windows,
    shortened,
    vanishing,
)

_GUESS = timedelta(days=30)
"""What is tried where nobody may read the policy: few tenants allow less."""


def too_long(
    entries: Sequence[SecretsEntry], made: Collection[str], now: datetime, limit: timedelta
) -> tuple[Window, ...]:
    """Return the open windows whose secret is to be made now and would live longer than `limit`.

    `made` are the ids of windows that have one.
    """
    found = (each for each in open_windows(entries, now) if each.id not in made)
    return tuple(each for each in found if each.expires - now > limit)


def fitting(
    entries: Sequence[SecretsEntry], made: Collection[str], now: datetime, limit: timedelta
) -> Sequence[SecretsEntry]:
    """Return entries whose secrets that are to be made live at most `limit`, whole days."""
    while found := too_long(entries, made, now, limit):
        entries = shortened(entries, found[0], limit)
    return entries


def way_out(
    stack: str,
    entries: Sequence[SecretsEntry],
    ends: Mapping[str, datetime],
    now: datetime,
    limit: timedelta | None,
) -> str:
    """Say what a person does about secrets that live too long; `limit` is None where unknown.

    `ends` says when each secret ends that was made, by its window's id.
    """
    due = [each.expires - now for each in open_windows(entries, now) if each.id not in ends]
    longest = max(due, default=timedelta())
    tried = limit if limit is not None else min(_GUESS, timedelta(days=longest.days // 2))
    found = fitting(entries, ends, now, tried) if tried >= timedelta(days=1) else entries
    if found == entries or vanishing(ends, found, now):
        return (
            "Have an administrator exempt this application in an app management policy of its own."
        )
    line = mending.config_set_secrets(stack, entries, found)
    told = f"`{line}` lets it end sooner; commit the stack file, then try again."
    if limit is None:
        guessed = f"{quantity(tried.days, 'day')} {'is' if tried.days == 1 else 'are'}"
        told += (
            f" {guessed} a guess: `proself-mail preflight --stack {stack}` of somebody who may "
            "read the policy says how many it allows."
        )
    return told
