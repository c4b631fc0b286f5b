"""What a rotation is to do: decided purely, from the schedule, the state and the application.

Which client secrets are whose is `sorted_secrets`' to say; reading and doing are `rotate`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from proself_mail.config.mending import undeclared
from proself_mail.entra.directory import ApplicationRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.errors import Refused, sentence
from proself_mail.rotation.reminder import Level, LiveSecret, Reminder, remind
from proself_mail.rotation.sorted_secrets import SortedSecrets, sort
from proself_mail.schedule import (
    SecretsEntry,
    Window,
    open_windows,
    vanishing,
    window_id,
)
from proself_mail.stack.outputs import are_secrets_told
from proself_mail.stack.state import State


@dataclass(frozen=True)
class Noted:
    """What the application's notes hold, and what they should."""

    text: str
    ledger: Ledger
    """With everything that a plan knows to be ours."""
    is_damaged: bool
    """Whether what the notes said of it cannot be read."""

    @property
    def is_complete(self) -> bool:
        """Whether they hold all of it."""
        return self.ledger.is_in(self.text)


@dataclass(frozen=True)
class Plan:
    """What a rotation would do, from what is there now."""

    client_id: str
    now: datetime
    windows: tuple[Window, ...]
    """Those that are open, the newest last."""
    secrets: SortedSecrets
    """Those on the application; the expired and the revoked go."""
    add: tuple[Window, ...]
    """Open windows without a secret."""
    forget: tuple[str, ...]
    """Windows that have closed and that the state knows still."""
    are_outputs_behind: bool
    """Whether they have other secrets than the state: whoever looked for one found another."""
    noted: Noted
    reminder: Reminder | None
    """What a person is to be told; none while no secret of ours signs in."""

    @property
    def live(self) -> tuple[str, ...]:
        """Key ids of our secrets that sign in now, the newest last."""
        keys = self.secrets.keys
        return tuple(keys[window.id] for window in self.windows if window.id in keys)

    @property
    def dying(self) -> tuple[str, ...]:
        """Key ids of our secrets that a revocation now would end, those of the state last.

        What the state has lost of a window that is open is among them.
        """
        made, is_open = self.noted.ledger.made, {window.id for window in self.windows}
        lost = (each.key_id for each in self.secrets.lost if made[each.key_id] in is_open)
        return (*(each.key_id for each in self.secrets.revoked), *lost, *self.live)

    @property
    def is_newest_removed(self) -> bool:
        """Whether somebody removed the newest secret that was made; older ones may sign in."""
        made = [window for window in self.windows if window not in self.add]
        return bool(made) and made[-1] in self.secrets.vanished

    @property
    def is_newest_in_proself(self) -> bool:
        """Whether a person said that Proself has the secret of the newest window: all is done."""
        is_there = bool(self.windows) and self.windows[-1].id in self.secrets.keys
        return is_there and self.reminder is not None and self.reminder.level is Level.NONE

    @property
    def needs_engine(self) -> bool:
        """Whether the stack has to be brought up to date."""
        return bool(self.add or self.forget or self.are_outputs_behind)

    @property
    def only_forgets(self) -> bool:
        """Whether that is for closed windows alone: nothing new is made then, nor proven."""
        is_more = self.add or self.secrets.revoked or self.are_outputs_behind
        return bool(self.forget) and not is_more

    @property
    def is_due(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.needs_engine or self.secrets.expired or self.secrets.revoked)


def is_update_due(entries: Sequence[SecretsEntry], state: State, now: datetime) -> bool:
    """Say whether a window has opened or closed that the state does not know so yet.

    Or whether its outputs are behind it.
    """
    known = {window.id for window in open_windows(entries, now)} == state.key_ids.keys()
    return not known or not are_secrets_told(state)


def check_file(stack: str, entries: Sequence[SecretsEntry], state: State, now: datetime) -> None:
    """Raise `Refused` where the entries lack a live secret that the state knows."""
    if missing := vanishing(state.ends, entries, now):
        cause, next_step = undeclared(stack, missing, state.ends, entries, now)
        raise Refused(sentence(cause), f"{sentence(next_step)} Nothing was changed.")


def plan(
    stack: str,
    entries: Sequence[SecretsEntry],
    state: State,
    application: ApplicationRecord,
    now: datetime,
    surely: datetime,
) -> Plan:
    """Decide what a rotation of `stack` is to do.

    `now` is the clock by which the program opens windows; `surely` is not later than `now`, nor
    than the tenant's clock, and decides what has expired. Raises `Refused` where the entries lack
    a live secret that the state knows.
    """
    check_file(stack, entries, state, now)
    ledger, damaged = Ledger.known(application.notes, state.made)
    windows = open_windows(entries, now)
    is_open = {window.id for window in windows}
    secrets = sort(entries, state, application.passwords, ledger, now, surely)
    return Plan(
        client_id=application.client_id,
        now=now,
        windows=windows,
        secrets=secrets,
        add=tuple(window for window in windows if window.id not in state.key_ids),
        forget=tuple(window for window in state.key_ids if window not in is_open),
        are_outputs_behind=not are_secrets_told(state),
        noted=Noted(application.notes, ledger, damaged),
        reminder=_reminder(entries, windows, secrets, ledger, now),
    )


def _reminder(
    entries: Sequence[SecretsEntry],
    windows: Sequence[Window],
    secrets: SortedSecrets,
    ledger: Ledger,
    now: datetime,
) -> Reminder | None:
    keys = secrets.keys
    live = [each for each in windows if each.id in keys]
    if not live:
        return None
    overlap = entries[live[-1].entry].overlap
    known = [
        LiveSecret(keys[each.id], each.id, each.expires, entries[each.entry].overlap)
        for each in live
    ]
    lost = [
        LiveSecret(each.key_id, ledger.made[each.key_id], each.expires, overlap)
        for each in secrets.lost
        if each.expires
    ]
    first = window_id(entries[0].starts)
    is_first_there = any(each.window == first for each in (*known, *lost))
    return remind(known, lost, ledger.pasted, now, first=is_first_there)
