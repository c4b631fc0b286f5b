"""Entra's refusals of a sign-in: the table in `refusals/sign-in.toml`, by AADSTS number.

Pure but for reading its table.
"""

import re

from proself_mail.refusal import Entry, read_table

_NUMBER = re.compile(r"AADSTS\s?(\d{4,8})", re.IGNORECASE)

ROWS = read_table("sign-in.toml")["error"]

ERRORS: tuple[Entry, ...] = tuple(Entry.of({**row, "source": "Microsoft"}) for row in ROWS)

_BY_NUMBER = {
    number: entry for row, entry in zip(ROWS, ERRORS, strict=True) for number in row["numbers"]
}


def find(text: str) -> Entry | None:
    """Return the entry for the first AADSTS number in a text that the table knows."""
    for number in _NUMBER.findall(text):
        if entry := _BY_NUMBER.get(int(number)):
            return entry
    return None
