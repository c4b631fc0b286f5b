"""The client secrets on an application, by whose they are and how far their time has come.

Decided purely. Which are ours is `ledger`'s to say; what is done about them `rotation`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from proself_mail.entra.directory import PasswordRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.schedule import SecretsEntry, Window, open_windows, revoked_windows
from proself_mail.stack.state import State


@dataclass(frozen=True)
class SortedSecrets:
    """Those of one application."""

    keys: Mapping[str, str]
    """Key ids of ours, by the ids of their windows, which are open."""
    expired: tuple[PasswordRecord, ...]
    """Ours, to remove at once."""
    revoked: tuple[PasswordRecord, ...]
    """Ours, valid still, to remove when the newest is proven: one of them leaked."""
    lost: tuple[PasswordRecord, ...]
    """Ours, valid still, and gone from the state: no run replaces them, and Proself may have one.

    They are removed when they have ended.
    """
    foreign: tuple[PasswordRecord, ...]
    """Secrets that this product has no record of; left alone."""
    suspects: tuple[PasswordRecord, ...]
    """Those of them that end with a revoked window: the leaked one may be among them."""
    vanished: tuple[Window, ...]
    """Open windows whose secret was made and is not on the application any more."""


def sort(
    entries: Sequence[SecretsEntry],
    state: State,
    passwords: Sequence[PasswordRecord],
    ledger: Ledger,
    now: datetime,
    surely: datetime,
) -> SortedSecrets:
    """Sort an application's secrets; the instants are `rotation.plan`'s."""
    there = {each.key_id: each for each in passwords}
    windows = open_windows(entries, now)
    is_open = {window.id for window in windows}
    leaked = {window.id: window.expires for window in revoked_windows(entries, now)}
    ours = [(window, there[key]) for key, window in ledger.made.items() if key in there]
    closed = [(window, each) for window, each in ours if window not in is_open]
    foreign = ledger.foreign(passwords)
    keys = {
        window: key for window, key in state.key_ids.items() if window in is_open and key in there
    }
    return SortedSecrets(
        keys=keys,
        expired=tuple(each for _, each in closed if each.has_ended(surely)),
        revoked=tuple(
            each for window, each in closed if window in leaked and not each.has_ended(surely)
        ),
        lost=tuple(
            each
            for each in ledger.lost(passwords, state.key_ids)
            if not each.has_ended(now) and ledger.made[each.key_id] not in leaked
        ),
        foreign=foreign,
        suspects=tuple(
            each
            for each in foreign
            if each.expires in leaked.values() and not each.has_ended(surely)
        ),
        vanished=tuple(
            window for window in windows if window.id in state.key_ids and window.id not in keys
        ),
    )
