"""What a person sees: checks and sentences, at any width, Japanese included.

Results go to standard output, commentary to standard error. Rich measures full-width characters;
nothing here decides anything. Whatever of it are words of others is made harmless on its way out,
by the console; a sentence stays one line, whatever it quotes.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from proself_mail.check import Check, Outcome
from proself_mail.text.quotation import harmless, one_line

_NOT_FIRST = frozenset(
    ")]}）］｝〕〉》」』】⦆〙〗»〟’”"  # closing brackets
    "‐〜゠–"  # hyphens
    "!?！？‼⁇⁈⁉・:;：；。.．、,，…"  # marks
    "ヽヾゝゞ々〻ー"  # marks of iteration and of a long sound
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"  # small kana
)
"""What does not begin a line (W3C, Requirements for Japanese Text Layout: 3.1.7, appendix A)."""
_NOT_LAST = frozenset("([{（［｛〔〈《「『【⦅〘〖«〝‘“")
"""What does not end one (3.1.8)."""
_NARROWEST = 22
"""Cells of a line that can be read; rich shows nothing at all in none."""
_STYLES = {Outcome.OK: "green", Outcome.FAIL: "bold red", Outcome.UNKNOWN: "yellow"}


class _Console(Console):
    """A console on which nothing but its own styles is obeyed, by a terminal or a pipeline."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield the pieces of text and the styles that are going to be written."""
        for each in super().render(renderable, options):
            yield each if each.control else Segment(harmless(each.text), each.style)


def output() -> Console:
    """Return the console for results."""
    return _Console(highlight=False, emoji=False, soft_wrap=False, _environ=_environment())


def commentary() -> Console:
    """Return the console for everything that is not a result."""
    return _Console(stderr=True, highlight=False, emoji=False, _environ=_environment())


def _environment() -> dict[str, str]:
    """Return the environment; a width by which nothing could be read counts as none given."""
    return {k: v for k, v in os.environ.items() if k != "COLUMNS" or _is_width(v)}


def _is_width(columns: str) -> bool:
    return bool(re.fullmatch("[0-9]{1,4}", columns)) and int(columns) >= _NARROWEST


def show(console: Console, sentence: str) -> None:
    """Print a sentence: folded where lines have a width, else as it is."""
    sentence = one_line(sentence)
    shown = folded(sentence, console.width) if has_width(console) else sentence
    console.print(shown, markup=False, soft_wrap=True)


def has_width(console: Console) -> bool:
    """Say whether lines have one: on a terminal and where COLUMNS says so; a log has room."""
    return console.file.isatty() or _is_width(os.environ.get("COLUMNS", ""))


def folded(text: str, width: int) -> str:
    """Fold text into lines of at most `width` cells.

    At spaces, and between full-width characters where no mark is torn off; rich breaks Japanese
    at spaces alone, which leaves lines half empty. What is to be copied stays whole however long
    it is: a command in backquotes, an address, a path.
    """
    return "\n".join(line for each in text.splitlines() for line in _lines(each, width))


def _lines(text: str, width: int) -> Iterator[str]:
    line = ""
    for piece in _pieces(text):
        if line.strip() and cell_len(line) + cell_len(piece.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece
    yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """Yield what must stay together."""
    piece = ""
    for here, following in pairwise([*re.findall(r"`[^`]*`|.", text), " "]):
        piece += here
        last, first = here[-1], following[0]
        wide = cell_len(last) > 1 or cell_len(first) > 1
        breakable = wide and first not in _NOT_FIRST and last not in _NOT_LAST
        if (last == " " or breakable) and first != " ":
            yield piece
            piece = ""
    yield piece


@dataclass(frozen=True)
class _Folded:
    """Text that is `folded` to the width of its column."""

    text: str

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(folded(self.text, options.max_width))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, Text(self.text))


def checks(found: Iterable[Check], *, japanese_first: bool = False) -> Table:
    """Lay checks out: state, name, what was seen; below it the next step where one is due.

    One that is in both languages has a line of its own for each.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=28)
    table.add_column(overflow="fold")
    for check in found:
        detail = one_line(check.detail)
        if not check.required and check.permission and check.outcome is Outcome.UNKNOWN:
            detail += " (optional)"  # the permission is
        steps = [("Next", check.next_step), ("対処", check.next_step_ja)]
        for label, step in reversed(steps) if japanese_first else steps:
            detail += f"\n{label}: {one_line(step)}" if step else ""
        table.add_row(state(check.outcome), check.name, _Folded(detail))
    return table


def state(outcome: Outcome) -> Text:
    """Return an outcome's word in its colour."""
    return Text(outcome, style=_STYLES[outcome])


def show_checks(console: Console, found: Sequence[Check], *, japanese_first: bool = False) -> None:
    """Print checks, and below them, unfolded, what is to be copied of their next steps.

    Of what failed, the commands that a step begins with: one in the midst of a sentence has
    conditions, but for what a person is reminded of. Of every step the addresses, which a table
    breaks.
    """
    console.print(checks(found, japanese_first=japanese_first))
    command = "`((?:pulumi|proself-mail) [^`]*)`"
    commands: list[str] = []
    for each in found:
        begun = re.match(rf"(?:{command}(?:, then )?)+", each.next_step)
        if each.next_step_ja:
            commands += re.findall(command, each.next_step)
        elif begun and each.outcome is Outcome.FAIL:
            commands += re.findall(command, begun[0])
    addresses = [one for each in found for one in re.findall(r"https?://\S+", each.next_step)]
    for title, copied in (("commands", commands), ("addresses", addresses)):
        if copied:
            console.print(f"\nThe {title}, to be copied:")
        for one in dict.fromkeys(copied):
            console.print(f"  {one}", markup=False, soft_wrap=True)
