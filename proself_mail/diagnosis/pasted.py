"""What a person pastes, made fit to be looked up: as a mail, a web page or a log shows it.

Pure. The result is for recognising refusals and addresses, line by line as they were pasted.
"""

import html
import re
import unicodedata

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")
_BREAK = re.compile(r"<(?:br|/?(?:p|div|li|tr|pre|blockquote))\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|i|u|em|strong|span|font|code|kbd|samp|tt|td|th|table|tbody|ul|ol|wbr|html|body)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_CONTROL = re.compile(r"[\x00-\x09\x0e-\x1f\x7f-\x9f]")
_QUOTE_MARK = re.compile(r"^(?: ?>)+ ?")
_PACKAGING = re.compile(r"~?\[[^\[\]\s:]*+:[^\[\]\s]*+\]$")
"""Logback's packaging data, at the end of a stack's frame: `~[spring-core-5.1.8.jar:5.1.8]`."""


def cleaned(text: str) -> str:
    """Return a text in plain characters: no markup, quote marks, or white space but single ones.

    Full-width letters and digits become ASCII (NFKC). Lines stay lines.
    """
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    text = _TAG.sub("", _BREAK.sub("\n", text))
    text = _LINE_END.sub("\n", _UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
    return "\n".join(map(_line, _CONTROL.sub(" ", text).split("\n"))).strip()


def _line(line: str) -> str:
    line = _QUOTE_MARK.sub("", " ".join(line.split()))
    return _PACKAGING.sub("", line) if line.startswith("at ") else line
