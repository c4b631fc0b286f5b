"""Sentences on a page of Markdown: what they quote of others is text there, never a part of it.

A name in the tenant may be written as a link, an image, HTML, or the mention of somebody, who is
then called to the issue that it stands in. Mentions, references and addresses become what they
are after Markdown has been read, so that no backslash keeps them from it: a word that may be one
is shown as code, in which nothing is anything else (GitHub Flavored Markdown, 6.1 and 6.9). Nobody
can tell our own addresses from others' any more; as code they can still be copied.
"""

import re

from proself_mail.text.quotation import one_line

_PIECE = re.compile(r"(?P<code>`[^`|]+`)|(?P<word>[^\s`|]+)|.", re.DOTALL)
_CALLS = re.compile(r"@|://|www\.|[#!]\d|\bGH-\d", re.IGNORECASE)
"""In a mention, a mail address, an address, or the number of an issue or a work item."""
_MARK = re.compile(r"[\\`*_\[\]<>|~$&#]")


def text(sentence: str) -> str:
    """Write a sentence for the inside of a paragraph, a list or a cell, code in backquotes kept."""
    shown = code = ""
    for piece in _PIECE.finditer(one_line(sentence)):
        if piece["code"] or (piece["word"] and _CALLS.search(piece["word"])):
            code += piece[0].strip("`")
            continue
        shown, code = f"{shown}{_code(code)}", ""
        shown += _MARK.sub(r"\\\g<0>", piece[0])
    return shown + _code(code)


def _code(words: str) -> str:
    return f"`{words}`" if words else ""
