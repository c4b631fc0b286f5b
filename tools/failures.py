"""Writes the table of docs/failures.md from the rules behind it: `python -m tools.failures`.

What stands above and below it is written by hand.
"""

from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

from proself_mail.stack.failure import RULES

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "failures.md"
_HEAD = "| words | kind | cause → next step | ends with | source |\n|---|---|---|---|---|\n"


def page(written: str) -> str:
    """Return the page with the table as the rules are now."""
    above, head, rest = written.partition(_HEAD)
    below = dropwhile(lambda line: line.startswith("|"), rest.splitlines(keepends=True))
    return "".join([above, head, *_rows(), *below])


def _rows() -> Iterator[str]:
    for rule in RULES:
        words = " ".join(f"`{each}`" for each in _alternatives(rule.pattern))
        told = " → ".join(filter(None, (rule.cause, rule.next_step)))
        code = "–" if rule.kind.passes else f"exit {rule.ends_as.exit_code}"
        cells = (words, str(rule.kind), told or "–", code, rule.source)
        yield f"| {' | '.join(each.replace('|', _PIPE) for each in cells)} |\n"


_PIPE = r"\|"
"""A cell's own, in GitHub's Markdown."""


def _alternatives(pattern: str) -> Iterator[str]:
    """Part a regular expression at each `|` that stands in no parentheses; none is in brackets."""
    depth, start = 0, 0
    for place, character in enumerate(pattern):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            yield pattern[start:place]
            start = place + 1
    yield pattern[start:]


if __name__ == "__main__":
    _PAGE.write_text(page(_PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
