"""Exchange Online's refusals of a mail: the table in `refusals/smtp.toml`, and how one is found.

Where Microsoft has one reply for several causes, what was sent tells them apart. Pure but for
reading its table: it sends nothing and knows no stack.
"""

import re
from collections.abc import Iterator

from proself_mail import facts
from proself_mail.diagnosis.refusal import Entry, Match, Sent, read_table

_TABLE = read_table("smtp.toml")

REPLIES: tuple[Entry, ...] = tuple(map(Entry.of, _TABLE["reply"]))
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
"""What it means that a server did something else than reply; in the same order."""

EXCHANGE_AUDIENCES = frozenset(
    {
        "https://outlook.office.com",
        "https://outlook.office365.com",
        facts.EXCHANGE_ONLINE_APP_ID,
    }
)


_KNOWN = (*REPLIES, *CONNECTION.values())

_CODE = r"(?P<code>[45]\.\d{1,3}\.\d{1,3})(?![\w.]*\w|-\w)"
_STATUS = re.compile(
    # RFC 2034: behind a reply code of the same class, whatever a client puts in between; as in
    # `535 5.7.3`, `550-5.1.8`, `550 #5.1.8`, `535: 5.7.3`, `(535, b'5.7.3 …')`.
    r"(?:(?<![\w.-])(?=([45])[0-5]\d\b)\d{3}[\s:;,#(-]{1,3}(?:b?['\"])?(?=\1)"
    # A report of a delivery that failed (RFC 3464, Exchange's `#5.1.8`, Postfix's `dsn=5.1.8`).
    r"|(?<!\w)(?:#|Status: ?|dsn=)"
    # What .NET leaves of a reply.
    r"|(?:server|SMTP) response(?: was)?: ?"
    # The reply's text alone, if it is all that there is.
    r"|\A(?=\S+(?:\Z| [A-Z])))"
    # A long line may be broken anywhere.
    rf"{_CODE}(?:\n(?P<rest>\d{{1,2}})(?!\d|[.:/-]\d))?",
    re.IGNORECASE,
)


def matches(text: str) -> Iterator[Match]:
    """Find what may be a refusal of a mail, in a text that is `pasted.cleaned`."""
    for found in _STATUS.finditer(text):
        code, rest = found["code"], found["rest"] or ""
        entry = _of_code(code + rest) or _of_code(code)
        rank = REPLIES.index(entry) if entry else len(_KNOWN)
        yield Match(found.start(), found.end("code"), entry, of_sign_in=False, rank=rank)
    for rank, entry in enumerate(_KNOWN):
        for found in entry.pattern.finditer(text) if entry.pattern else ():
            yield Match(*found.span(), entry, of_sign_in=False, rank=rank)


def _of_code(code: str) -> Entry | None:
    return next((each for each in REPLIES if each.code and each.code.fullmatch(code)), None)


def narrowed(entry: Entry | None, sent: Sent) -> Entry | None:
    """Return what an entry means by what was sent."""
    return NARROWED[_narrowed(sent)] if entry is GENERAL else entry


def _narrowed(sent: Sent) -> str:
    """Tell by what was sent what the general reply is about."""
    if sent.audience.rstrip("/") not in EXCHANGE_AUDIENCES:
        return "token-for-another-resource"
    if sent.signed_in.lower() != sent.user.lower():
        return "signed-in-as-another-user"
    if "SMTP.Send" in sent.scopes:
        return "no-mailbox"
    return "mail-send-alone" if "Mail.Send" in sent.scopes else "permission-missing-in-token"
