"""What a rotation is to do: decided purely, from the schedule, the state and the application.

Which client secrets are ours is `ledger`'s to say; reading and doing are `rotate`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from proself_mail.config.mending import newest_file
from proself_mail.entra.directory import ApplicationRecord, PasswordRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.errors import Refused, sentence
from proself_mail.rotation.reminder import LiveSecret, Reminder, remind
from proself_mail.schedule import (
    SecretsEntry,
    Window,
    open_windows,
    revoked_windows,
    undeclared,
    vanishing,
)
from proself_mail.stack.outputs import are_secrets_told
from proself_mail.stack.state import State


@dataclass(frozen=True)
class Plan:
    """What a rotation would do, from what is there now."""

    application_id: str
    """Object id of the application."""
    client_id: str
    now: datetime
    windows: tuple[Window, ...]
    """Those that are open, the newest last."""
    keys: Mapping[str, str]
    """Key ids of our secrets that are on the application, by their windows' ids."""
    add: tuple[Window, ...]
    """Open windows without a secret."""
    expired: tuple[PasswordRecord, ...]
    """Ours, to remove at once."""
    revoked: tuple[PasswordRecord, ...]
    """Ours, valid still, to remove when the newest is proven: one of them leaked."""
    forget: tuple[str, ...]
    """Windows that have closed and that the state knows still."""
    are_outputs_behind: bool
    """Whether they have other secrets than the state: whoever looked for one found another."""
    foreign: tuple[PasswordRecord, ...]
    """Secrets that this product has no record of; left alone."""
    lost: tuple[PasswordRecord, ...]
    """Ours, valid still, and gone from the state: no run replaces them, and Proself may have one.

    They are removed when they have ended.
    """
    suspects: tuple[PasswordRecord, ...]
    """Those of them that end with a revoked window: the leaked one may be among them."""
    vanished: tuple[Window, ...]
    """Open windows whose secret was made and is not on the application any more."""
    notes: str
    """The application's."""
    ledger: Ledger
    """With everything that this plan knows to be ours."""
    is_ledger_damaged: bool
    is_noted: bool
    """Whether the application's notes hold all of it."""
    reminder: Reminder | None
    """What a person is to be told; none while no secret of ours signs in."""

    @property
    def is_newest_removed(self) -> bool:
        """Whether somebody removed the newest secret that was made; older ones may sign in."""
        made = [window for window in self.windows if window not in self.add]
        return bool(made) and made[-1] in self.vanished

    @property
    def needs_engine(self) -> bool:
        """Whether the stack has to be brought up to date."""
        return bool(self.add or self.forget or self.are_outputs_behind)

    @property
    def only_forgets(self) -> bool:
        """Whether that is for closed windows alone: nothing new is made then, nor proven."""
        return bool(self.forget) and not (self.add or self.revoked or self.are_outputs_behind)

    @property
    def is_due(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.needs_engine or self.expired or self.revoked)


def is_update_due(entries: Sequence[SecretsEntry], state: State, now: datetime) -> bool:
    """Say whether a window has opened or closed that the state does not know so yet.

    Or whether its outputs are behind it.
    """
    known = {window.id for window in open_windows(entries, now)} == state.key_ids.keys()
    return not known or not are_secrets_told(state)


def plan(
    entries: Sequence[SecretsEntry],
    state: State,
    application: ApplicationRecord,
    now: datetime,
    surely: datetime,
) -> Plan:
    """Decide.

    `now` is the clock by which the program opens windows; `surely` is not later than `now`, nor
    than the tenant's clock, and decides what has expired. Raises `Refused` where the entries lack
    a live secret that the state knows.
    """
    if missing := vanishing(state.ends, entries, now):
        raise Refused(
            sentence(undeclared(missing)),
            f"{sentence(newest_file('S', state.ends, entries, now))} Nothing was changed.",
        )
    ledger, damaged = Ledger.known(application.notes, state.made)
    there = {each.key_id: each for each in application.passwords}
    windows = open_windows(entries, now)
    is_open = {window.id for window in windows}
    leaked = {window.id: window.expires for window in revoked_windows(entries, now)}
    ours = [(window, there[key]) for key, window in ledger.made.items() if key in there]
    closed = [(window, each) for window, each in ours if window not in is_open]
    foreign = ledger.foreign(application.passwords)
    lost = tuple(
        each
        for each in ledger.lost(application.passwords, state.key_ids)
        if not each.has_ended(now) and ledger.made[each.key_id] not in leaked
    )
    keys = {
        window: key for window, key in state.key_ids.items() if window in is_open and key in there
    }
    return Plan(
        application_id=application.object_id,
        client_id=application.client_id,
        now=now,
        windows=windows,
        keys=keys,
        add=tuple(window for window in windows if window.id not in state.key_ids),
        expired=tuple(each for _, each in closed if each.has_ended(surely)),
        revoked=tuple(
            each for window, each in closed if window in leaked and not each.has_ended(surely)
        ),
        forget=tuple(window for window in state.key_ids if window not in is_open),
        are_outputs_behind=not are_secrets_told(state),
        foreign=foreign,
        lost=lost,
        suspects=tuple(
            each
            for each in foreign
            if each.expires in leaked.values() and not each.has_ended(surely)
        ),
        vanished=tuple(
            window for window in windows if window.id in state.key_ids and window.id not in keys
        ),
        notes=application.notes,
        ledger=ledger,
        is_ledger_damaged=damaged,
        is_noted=ledger.is_in(application.notes),
        reminder=_reminder(entries, windows, keys, ledger, lost, now),
    )


def _reminder(
    entries: Sequence[SecretsEntry],
    windows: Sequence[Window],
    keys: Mapping[str, str],
    ledger: Ledger,
    lost: Sequence[PasswordRecord],
    now: datetime,
) -> Reminder | None:
    live = [each for each in windows if each.id in keys]
    if not live:
        return None
    overlap = entries[live[-1].entry].overlap
    return remind(
        [
            LiveSecret(keys[each.id], each.id, each.expires, entries[each.entry].overlap)
            for each in live
        ],
        [
            LiveSecret(each.key_id, ledger.made[each.key_id], each.expires, overlap)
            for each in lost
            if each.expires
        ],
        ledger.pasted,
        now,
        first=live[-1].starts == entries[0].starts,
    )
