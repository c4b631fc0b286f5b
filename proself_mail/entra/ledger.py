"""Which client secrets are ours: those that the state or the application's notes know.

That is the only rule, for every command: a name or a date that fits makes nobody's secret ours
(`ownership` has the one exception: a teardown where neither knows any). Two things outlive the
state and the machine that a pipeline ran on: which key ids this product made, because a secret
leaves the state when its window closes and Entra's listing does not say who made it; and which of
them a person pasted into Proself. Both stand in one line of JSON, beside whatever people write into
the notes. No secret is part of it. Writing the notes is `notes`'; docs/adr/0019 says why they are
there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from uuid import UUID

from proself_mail import json_text
from proself_mail.entra.directory import PasswordRecord

_MARK = "proself-mail: "
"""How the line begins."""


class Damaged(ValueError):
    """The line is there and cannot be read: what it said is unknown."""


@dataclass(frozen=True)
class Ledger:
    """The record."""

    made: Mapping[str, str] = field(default_factory=dict)
    """Windows' ids by the key ids of the secrets that were made for them."""
    pasted: str | None = None
    """Key id of the secret that Proself was last said to have; none where nobody said."""

    @classmethod
    def read(cls, notes: str) -> Self:
        """Read it out of an application's notes; an empty one where they hold none.

        Raises `Damaged` where it was edited by hand or stands there twice.
        """
        lines = [line for line in notes.splitlines() if line.startswith(_MARK)]
        if not lines:
            return cls()
        try:
            [line] = lines
            found = json_text.read(line.removeprefix(_MARK))
            made = {str(UUID(key)): str(window) for key, window in found["made"].items()}
            pasted = found.get("pasted")
            return cls(made, str(UUID(pasted)) if pasted else None)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Damaged(str(error)) from error

    @classmethod
    def known(cls, notes: str, made: Mapping[str, str]) -> tuple[Self, bool]:
        """Return all that is known to be ours, and whether the notes' part of it is damaged.

        `notes` are the application's; `made` is what the state tells of, windows' ids by key ids
        (`State.made`).
        """
        try:
            return cls.read(notes).adding(made), False
        except Damaged:
            return cls(made), True

    def foreign(self, passwords: Iterable[PasswordRecord]) -> tuple[PasswordRecord, ...]:
        """Return those that are not known to be ours."""
        return tuple(each for each in passwords if each.key_id not in self.made)

    def lost(
        self, passwords: Iterable[PasswordRecord], key_ids: Mapping[str, str]
    ) -> tuple[PasswordRecord, ...]:
        """Return those that are known to be ours and that the state does not have.

        `key_ids` are its own by their windows (`State.key_ids`). Those of windows that have closed
        are among them.
        """
        kept = frozenset(key_ids.values())
        return tuple(each for each in passwords if each.key_id in self.made.keys() - kept)

    def into(self, notes: str) -> str:
        """Return the notes with this in them instead of what they held of it; the rest stays."""
        kept = [line for line in notes.splitlines() if not line.startswith(_MARK)]
        entry: dict[str, object] = {"made": dict(sorted(self.made.items(), key=_by_window))}
        if self.pasted:
            entry["pasted"] = self.pasted
        return "\n".join([*kept, _MARK + json.dumps(entry, separators=(",", ":"))])

    def is_in(self, notes: str) -> bool:
        """Say whether an application's notes hold just this."""
        try:
            return Ledger.read(notes) == self
        except Damaged:
            return False

    def adding(self, made: Mapping[str, str]) -> Self:
        """Return it with more key ids."""
        return replace(self, made={**self.made, **made})

    def over(self, earlier: Self) -> Self:
        """Return it with what an earlier one said, where it does not itself."""
        return replace(
            self, made={**earlier.made, **self.made}, pasted=self.pasted or earlier.pasted
        )

    def keeping(self, key_ids: frozenset[str]) -> Self:
        """Return it without what is no longer on the application; what was pasted stays."""
        return replace(self, made={key: w for key, w in self.made.items() if key in key_ids})


def merged(notes: str, earlier: str) -> str:
    """Return notes that also say what an earlier text of them did, where they do not themselves.

    Of what people wrote, and of a line that cannot be read, the later text stands if there is one.
    """
    if not notes or not earlier:
        return notes or earlier
    try:
        now, before = Ledger.read(notes), Ledger.read(earlier)
    except Damaged:
        return notes
    both = now.over(before)
    return notes if both == now else both.into(notes)


def _by_window(item: tuple[str, str]) -> str:
    return item[1]
