"""Words of others, fit to be shown: without control characters, credentials, or endless length.

A name in the tenant, a server's reply or a pasted address may hold an escape sequence that rewrites
the terminal, a line break behind which it forges a line of ours, a command to the pipeline that
logs it, a token, or an authorization code. Nothing here understands what is quoted.

A runner of GitHub Actions takes commands from a line that begins with `::`, spaces aside, and from
`##[` anywhere in it (actions/runner, ActionCommand.cs); an agent of Azure Pipelines from `##vso[`
anywhere (azure-pipelines-agent, Command.cs). Both compare as a culture does, for which characters
that are not seen do not count.
"""

import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Sequence

from proself_mail.secret import MASK

LONGEST = 1000
"""Characters that a quotation has at most; replies of real servers have a few hundred."""
_PIECE = 8
"""Characters of a secret that give it away; fewer may be anything's."""
_LONGEST_VALUE = 100
"""Characters of a value that a person gave, and that is too long to be a right one."""

_CONTROL = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"  # C0 but tab and line feed, C1, separators
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # which turn the direction of what follows
    r"\ud800-\udfff"  # half a character
)
_CONTROLS = re.compile(f"[{_CONTROL}]")
_BREAKS = re.compile(rf"[{_CONTROL}\t\n]+")
_UNSEEN = r"[^\w\s!-~]*"
"""Characters that may not be seen, symbols among them: none of ASCII, no letter, no space."""
_TWO_NUMBER_SIGNS = re.compile(rf"#(?={_UNSEEN}#)")
_COLONS_FIRST = re.compile(rf"^((?:{_UNSEEN}[^\S\n])*{_UNSEEN}:)(?={_UNSEEN}:)", re.MULTILINE)

_JWT = re.compile(r"(?<![\w-])((?>[\w-]*?(?=eyJ)))[\w-]{11,}+(?:\.[\w-]*){1,4}")
"""Looks at each run of its characters once: in a long one without a dot, `eyJ` may stand often."""
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\x01,;()]{8,}")
_BASE64_XOAUTH2 = re.compile(r"()dXNlcj[\w+/=-]{16,}")
"""`user=` at the beginning of a base64 text: the initial response of AUTH XOAUTH2."""
_CLIENT_SECRET = re.compile(r"(?a)()[\w.~-]{3}\dQ~[\w.~-]{16,}")
"""What Entra makes as one, whatever stands before it (microsoft/security-utilities, SEC101/156)."""

_OPENS = r"(?:sig|signature|token|secret|password|passwd|passphrase|credential|AccountKey)"
"""How the name of a parameter ends that opens what an address leads to: of Azure, of S3 and its
like, of a database; and that of a shell's variable.

Azure, "Create a service SAS" (`sig`); AWS, "Authenticating Requests: Using Query Parameters"
(`X-Amz-Signature` and its like); PostgreSQL, "Database Connection Control Functions" (`password`,
`sslpassword`).
"""
_NAMED = (
    r"(?:(?<![^\W_])(?:access|refresh|id)[_-]?token"  # not the end of `invalid_token`
    r"|client[_-]?(?:secret|assertion)|secret[_-]?text|password|passwd"
    r"|code[_-]?verifier|session_state)"
)
_MARK = r"(?:[\"']|%22|&(?:quot|apos|#34|#39);)"
"""A quotation mark, as it is, in an address, or on a page of HTML."""
_IS = (
    rf"\\{{0,15}}+{_MARK}?\s{{0,9}}+(?:[=:>]{{1,2}}|%3D|%3A)[\s{{]{{0,9}}+"
    rf"(?>(?:\\{{0,15}}+{_MARK}value\\{{0,15}}+{_MARK}\s{{0,9}}:\s{{0,9}}+)?)"
)
"""Between a name and its value, in a file or a body, however often that was quoted since."""
_ASSIGNED = (
    rf"(?:--{_NAMED}\s{{1,9}}+|(?:{_NAMED}|AccountKey){_IS}"
    # A shell's variable, but not what is written as an error's code is.
    rf"|(?-i:(?<!INVALID)(?<!EXPIRED)_(?:TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIAL)){_IS}"
    # By a colon only where the name is quoted: others are words of a sentence.
    rf"|{_OPENS}(?:\s{{0,9}}+=\s{{0,9}}+|%3D|{_MARK}\s{{0,9}}+:\s{{0,9}}+(?={_MARK}))"
    # With nothing between the two, as in a table: what follows is long, of letters and digits.
    rf"|{_NAMED}{_MARK}?[\s(]{{1,9}}+(?=[\"']?(?!AADSTS)[\w.~-]{{12}})"
    r"(?=[\"']?[\w.~-]{0,64}?\d)(?=[\"']?[\w.~-]{0,64}?[^\W\d_]))"
)
# `(?>x+)` and not `x++` where x is more than a class of characters: Python before 3.11.5 goes on
# from wherever x came to when it failed (python/cpython#106052).
_VALUE = (
    rf"(?>(?P<quote>\\{{0,15}}+(?P<mark>{_MARK}))?))"
    r"(?(quote)"
    # To the mark that closes it; one with more backslashes is of the value, one with fewer is not,
    # and one that is doubled is, or that a shell reads between two strings.
    r"(?>(?:[^\"'&%\\\n]++|(?!(?P=mark))[\"'&%]|\\++(?!(?P=mark))|\\+(?P=quote)"
    r"|(?P=mark)(?P=mark)|(?P=mark)\\(?P=mark)(?P=mark))+)"
    # To a shell, what stands against that mark is of the value too.
    r"(?>(?:(?P=quote)(?=[\w$])[^\s\"'&\\;,)}\]]++)?)"
    # An apostrophe and a semicolon are legal in an address (RFC 3986, sub-delims).
    r"|(?>(?:[^\s\"&\\;]++|;(?=\S)(?![\w.%-]++=)|\\++(?!\"|u0026))+))"
)
"""Closes a first group, and covers what stands behind that."""
_PARAMETER = re.compile(rf"(?i)({_ASSIGNED}{_VALUE}")
_CODE = re.compile(
    r"(?i)(\bcode(?:=|%3D|\\?[\"']\s*:\s*|\s*:\s*(?=[^&\s\"'#]{60}))"
    rf"(?!\\*[\"']?(?:\d{{1,8}}|[a-z_]{{1,64}})(?![\w.-])){_VALUE}"
)
"""`code` alone before a colon is an error's (`Error Code: 53003`), but for one of that length: an
authorization code has hundreds of characters, and is never a short number or a word."""
_USER = r"://[^\s:/@\[\"`]*:"
_USERINFO = re.compile(
    rf"(?i)((?<!http)(?<!https){_USER}|{_USER}(?!\d{{1,5}}[/?#]))(?:(?!://)[^\s\"`])*(?=@)"
)
"""A password before an address's host, a slash in it or not; a port of HTTP's is none."""
_CREDENTIALS = (_JWT, _BASE64_XOAUTH2, _BEARER, _CLIENT_SECRET, _PARAMETER, _CODE, _USERINFO)
"""Each shows what its first group matches, and covers what stands behind that."""
_OF_ADDRESS = (
    re.compile(r"(?is)(\A(?!https?:)[^:]*://[^:/?#@\[]*:).*(?=@)"),
    re.compile(rf"(?i)([?&][^=&]*{_OPENS}=)[^&]*"),
)
"""In an address of which both ends are known: any character may be a password's."""


def one_line(text: str) -> str:
    """Return a text on one line: a space for each run of control characters and line breaks."""
    return _BREAKS.sub(" ", text)


def literal(value: object) -> str:
    """Return a value as Python writes it, cut where it is too long; it has no control characters.

    For what a person gave, and is to recognise.
    """
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        return f"{value[:_LONGEST_VALUE]!r}…"
    text = repr(value)
    return text if len(text) <= 2 * _LONGEST_VALUE else f"{text[: 2 * _LONGEST_VALUE]}…"


def is_typed(text: str) -> bool:
    """Say whether a person could have typed it on one line: it has only what is seen, or spaces."""
    return len(text) <= LONGEST and all(
        each.isprintable() or unicodedata.category(each) == "Zs" for each in text
    )


def harmless(text: str) -> str:
    """Return a text that no terminal and no pipeline obeys; line breaks stay.

    A space parts what a pipeline would take for the beginning of a command.
    """
    seen = _TWO_NUMBER_SIGNS.sub("# ", _CONTROLS.sub("", text))
    return _COLONS_FIRST.sub(r"\1 ", seen)


def in_json(document: object) -> str:
    """Write JSON that no terminal and no pipeline obeys, and that reads as any other."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # All of these stand in strings; by JSON's own lines none begins with a colon.
    text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _TWO_NUMBER_SIGNS.sub(r"\\u0023", text)


def quoted(text: str) -> str:
    """Return a text of others on one line, credentials covered, cut where it is too long."""
    shown = " ".join(one_line(uncredentialed(text)).split())
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


def excerpt(text: str, start: int, end: int) -> str:
    """Quote a part of a text; what is a credential in the whole is covered in the part."""
    covered = _covered(_CONTROLS.sub(" ", text), lambda length: "\0" * length)
    part = re.sub("\0+", MASK, covered[start : min(end, start + LONGEST)])
    before, after = "… " if text[:start].strip() else "", " …" if text[end:].strip() else ""
    return f"{before}{' '.join(one_line(part).split())}{after}"


def uncredentialed(text: str) -> str:
    """Cover what may be a token, a code or a secret."""
    return _covered(text, lambda _: MASK)


def without_pieces(text: str, secret: str) -> str:
    """Cover a known secret, whole or in pieces of some characters, whatever stands between them."""
    pieces = {secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)}
    is_covered = [False] * len(text)
    for at in range(len(text) - _PIECE + 1):
        if text[at : at + _PIECE] in pieces:
            is_covered[at : at + _PIECE] = [True] * _PIECE
    runs = itertools.groupby(zip(is_covered, text, strict=True), key=lambda each: each[0])
    return "".join(MASK if covered else "".join(c for _, c in run) for covered, run in runs)


def uncredentialed_address(address: str) -> str:
    """Cover what opens the place that an address leads to, such as a state backend's."""
    return _covered(address, lambda _: MASK, _OF_ADDRESS)


def _covered(
    text: str, cover: Callable[[int], str], patterns: Sequence[re.Pattern[str]] = _CREDENTIALS
) -> str:
    """Put `cover`, of so many characters, in the place of what may be a credential."""
    for pattern in patterns:
        text = pattern.sub(lambda found: found[1] + cover(len(found[0]) - len(found[1])), text)
    return text
