"""Words of others, fit to be shown: without control characters, credentials, or endless length.

A server's reply or a pasted address may hold an escape sequence that rewrites the terminal, a
token, or an authorization code. Nothing here understands what is quoted.
"""

import re

from proself_mail.secret import MASK

LONGEST = 1000
"""Characters that a quotation has at most; replies of real servers have a few hundred."""

_JWT = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){1,4}")
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\x01,;()]{8,}")
_BASE64_XOAUTH2 = re.compile(r"dXNlcj[\w+/=-]{16,}")
"""`user=` at the beginning of a base64 text: the initial response of AUTH XOAUTH2."""
_PARAMETER = re.compile(
    r"(?i)\b((?:code|access_token|refresh_token|id_token|client_secret|client_assertion|password"
    r"|passwd|code_verifier|session_state)(?:=|%3D|\"?:\s*\"?))[^&\s\"'#]+"
)


def quoted(text: str) -> str:
    """Return a text of others on one line, credentials covered, cut where it is too long."""
    covered = uncredentialed(text)
    shown = " ".join("".join(c if c.isprintable() else " " for c in covered).split())
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


def uncredentialed(text: str) -> str:
    """Cover what may be a token, a code or a secret."""
    for pattern in (_JWT, _BASE64_XOAUTH2):
        text = pattern.sub(MASK, text)
    for pattern in (_BEARER, _PARAMETER):
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text
