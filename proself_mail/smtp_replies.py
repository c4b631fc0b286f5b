"""Exchange Online's refusals of a mail: the table in `refusals/smtp.toml`, and how one is found.

Where Microsoft has one reply for several causes, what was sent tells them apart. Pure but for
reading its table: it sends nothing and knows no stack.
"""

import re

from proself_mail import facts
from proself_mail.refusal import Entry, Sent, read_table

_TABLE = read_table("smtp.toml")

REPLIES: tuple[Entry, ...] = tuple(
    Entry.of(row, re.compile(row["pattern"], re.IGNORECASE)) for row in _TABLE["reply"]
)
"""In the order in which they are looked for."""

GENERAL = REPLIES[-1]
"""Exchange's reply that says nothing of its cause."""

NARROWED = {
    row["key"]: Entry.of({**row, "example": GENERAL.example, "source": GENERAL.source})
    for row in _TABLE["narrowed"]
}
"""What it means, by what was sent."""

CONNECTION = {
    row["key"]: Entry.of({**row, "example": "", "source": "seen here"})
    for row in _TABLE["connection"]
}
"""What it means that a server did something else than reply."""

EXCHANGE_AUDIENCES = frozenset(
    {
        "https://outlook.office.com",
        "https://outlook.office365.com",
        facts.EXCHANGE_ONLINE_APP_ID,
    }
)


def find(text: str, sent: Sent | None = None) -> Entry | None:
    """Return the entry for an SMTP reply; none where the table does not know it."""
    joined = " ".join(text.split())
    found = next((each for each in REPLIES if each.pattern and each.pattern.search(joined)), None)
    return NARROWED[_narrowed(sent)] if found is GENERAL and sent else found


def _narrowed(sent: Sent) -> str:
    """Tell by what was sent what the general reply is about."""
    if sent.audience.rstrip("/") not in EXCHANGE_AUDIENCES:
        return "token-for-another-resource"
    if sent.signed_in.lower() != sent.user.lower():
        return "signed-in-as-another-user"
    if "SMTP.Send" in sent.scopes:
        return "no-mailbox"
    return "mail-send-alone" if "Mail.Send" in sent.scopes else "permission-missing-in-token"
