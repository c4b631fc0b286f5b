"""Entra's refusals of a sign-in: the table in `refusals/sign-in.toml`, by AADSTS number.

Where an answer has no number, by OAuth's word for it. Pure but for reading its table.
"""

import re
from collections.abc import Iterator

from proself_mail.diagnosis.refusal import Entry, Match, read_table

_NUMBER = re.compile(
    r"(?:AADSTS[\s:#=_-]{0,3}|\"error_codes\" ?: ?\[ ?)(\d{1,8})(?!\d)"
    # A long line may be broken within the number; `=` is quoted-printable's mark of it.
    r"(?:=?\n(\d{1,7})(?!\d|[.:/-]\d))?",
    re.IGNORECASE,
)

ROWS = read_table("sign-in.toml")["error"]

ERRORS: tuple[Entry, ...] = tuple(Entry.of({**row, "source": "Microsoft"}) for row in ROWS)

_BY_NUMBER = {
    number: entry for row, entry in zip(ROWS, ERRORS, strict=True) for number in row["numbers"]
}
_BY_WORD = {
    word: entry for row, entry in zip(ROWS, ERRORS, strict=True) for word in row.get("words", ())
}
_WORD = re.compile(
    rf"(?:error[\"']? ?[=:] ?[\"']?|^[\"']?)({'|'.join(_BY_WORD)})\b", re.IGNORECASE | re.MULTILINE
)

_DETAIL = re.compile(
    r"(?:\berror ?code|エラー ?コード)(?: ?: ?|\s)(\d{5,8})(?![\w.-]*\w)", re.IGNORECASE
)
"""A number in the details of a page that refuses a sign-in, or of the sign-in log."""
_SHORTEST = 5
"""Digits of a number; fewer are one that was cut."""
_OUTER = _BY_NUMBER[70002]
"""What says less than the number behind it: `AADSTS70002: Error validating credentials.
AADSTS70008: …` (Azure/azure-cli#856)."""
_KNOWN_NUMBER, _KNOWN_OUTER, _UNKNOWN_NUMBER, _ANY_WORD = -2, -1, 1000, 1001
"""Ranks beside those of replies: why a sign-in failed is why the mail did. A word is said with very
different numbers, so it says nothing beside one."""


def matches(text: str) -> Iterator[Match]:
    """Find what may be a refusal of a sign-in, in a text that is `pasted.cleaned`."""
    for found in _NUMBER.finditer(text):
        number, rest = found[1], found[2] or ""
        entry = _BY_NUMBER.get(int(number + rest)) or _BY_NUMBER.get(int(number))
        if entry or len(number) >= _SHORTEST:
            known = _KNOWN_OUTER if entry is _OUTER else _KNOWN_NUMBER
            rank = known if entry else _UNKNOWN_NUMBER
            yield Match(found.start(), found.end(1), entry, of_sign_in=True, rank=rank)
    for found in _DETAIL.finditer(text):
        if entry := _BY_NUMBER.get(int(found[1])):
            yield Match(*found.span(), entry, of_sign_in=True, rank=_KNOWN_NUMBER)
    for found in _WORD.finditer(text):
        yield Match(*found.span(), _BY_WORD[found[1].lower()], of_sign_in=True, rank=_ANY_WORD)
