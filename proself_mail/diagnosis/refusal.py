"""What the tables of refusals are made of: texts in two languages, names to fill in, what was sent.

The tables themselves are data, in `refusals/`; `smtp_replies`, `sign_in_errors` and
`sign_in_address` read them, `diagnosis` looks a text up.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Self

from proself_mail.text.quotation import quoted


@dataclass(frozen=True)
class Text:
    """One text in both languages."""

    ja: str
    en: str

    def filled(self, names: Mapping[str, str]) -> Text:
        """Put names in the place of `{…}`."""
        return Text(self.ja.format_map(names), self.en.format_map(names))


@dataclass(frozen=True)
class Entry:
    """One row of a table: a refusal, its cause, and what mends it."""

    key: str
    """Its stable name."""
    example: str
    """The refusal as it was seen or documented."""
    source: str
    """Who says so; empty where it follows from the stack."""
    cause: Text
    """With `{mailbox}` and the other fields of `Names`."""
    fix: Text
    commands: tuple[str, ...] = ()
    """Exact command lines of the fix, with names like the texts, `{add_smtp_send}`,
    `{add_permission}` and `{try_connection}`, which are as many lines as that takes."""
    placeholders: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Names that only this row has, as they are shown where nothing gives them."""
    pattern: re.Pattern[str] | None = None
    """Words by which it is recognised."""
    code: re.Pattern[str] | None = None
    """The enhanced status code of an SMTP reply by which it is recognised."""
    by_administrator: Entry | None = None
    """What it is where an administrator, not the stack, gives the consent; none if the same."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Make it of a table's row."""
        others = row.get("by_administrator")
        words, code = row.get("pattern"), row.get("code")
        return cls(
            key=row["key"],
            example=row["example"],
            source=row["source"],
            cause=Text(**row["cause"]),
            fix=Text(**row["fix"]),
            commands=tuple(row.get("commands", ())),
            placeholders=row.get("placeholders", {}),
            pattern=re.compile(words.replace(" ", r"\s+"), re.IGNORECASE) if words else None,
            code=re.compile(code) if code else None,
            by_administrator=cls.of({**row, "by_administrator": None, **others})
            if others
            else None,
        )


@dataclass(frozen=True)
class Names:
    """What a stack calls the things that a fix speaks of; placeholders where no stack is given."""

    mailbox: str = "MAILBOX"
    stack: str = "STACK"
    client_id: str = "CLIENT-ID"
    tenant_id: str = "TENANT-ID"
    redirect_uri: str = "https://SERVER/proself/oauth2callback/smtp"
    consent_url: str = (
        "https://login.microsoftonline.com/TENANT-ID/adminconsent?client_id=CLIENT-ID"
    )
    permissions: tuple[str, ...] = ("Mail.Send",)
    manages_grant: bool = True
    """Whether the stack gives the admin consent, and not an administrator."""
    server: tuple[str, int] | None = None
    """The server, and its port, that a connection is about; none where nothing names it."""


@dataclass(frozen=True)
class Match:
    """A place in a text that may be a refusal."""

    start: int
    end: int
    entry: Entry | None
    """What it is; none where its form is a refusal's and no table knows it."""
    of_sign_in: bool
    """Whether Entra says so, and not a mail server."""
    rank: int
    """Of several in one message the lowest says the most."""


@dataclass(frozen=True)
class Sent:
    """What was sent before an SMTP refusal; the token itself is not in it."""

    user: str
    """User name of AUTH XOAUTH2."""
    sender: str
    """MAIL FROM and From; empty where it was refused before."""
    signed_in: str
    """Sign-in name that the token is for."""
    audience: str
    """Resource that the token is for (`aud`)."""
    scopes: frozenset[str]
    """Delegated permissions in the token (`scp`)."""

    def shown(self) -> str:
        """Describe it on one line."""
        return quoted(
            f"AUTH XOAUTH2 user={self.user} auth=Bearer (left out: a token of {self.signed_in} "
            f"for {self.audience} with {' '.join(sorted(self.scopes)) or 'no permission'})"
            + (f", From: {self.sender}" if self.sender else "")
        )


def read_table(name: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Read a table that lies beside the code."""
    table = resources.files("proself_mail.diagnosis").joinpath("refusals", name)
    return tomllib.loads(table.read_text(encoding="utf-8"))
