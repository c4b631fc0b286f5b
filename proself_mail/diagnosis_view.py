"""How diagnoses are shown: in both languages, on a terminal of any width, and as a page.

Results only; what a refusal means is `diagnosis`'s.
"""

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Styled

from proself_mail import sign_in_errors, smtp_replies
from proself_mail.diagnosis import Diagnosis, explained
from proself_mail.refusal import Entry

_NOT_FIRST = frozenset("、。,.)）」』】〕:;!?！？・ー…,")
"""Marks that do not begin a line."""
_NOT_LAST = frozenset("(（「『【〔“")


def show(console: Console, found: Sequence[Diagnosis], *, japanese_first: bool) -> None:
    """Print diagnoses; command lines stay whole, so that they can be copied."""
    for each in found:
        console.print()
        _labelled(console, "", each.said, style="bold")
        if each.sent:
            _labelled(console, "", f"→ {each.sent}")
        languages = [
            (("原因", each.cause.ja), ("対処", each.fix.ja)),
            (("Cause", each.cause.en), ("Fix", each.fix.en)),
        ]
        for language in languages if japanese_first else reversed(languages):
            console.print()
            for label, text in language:
                _labelled(console, label, text)
        if each.commands:
            console.print()
        for command in each.commands:
            console.print(f"    {command}", markup=False, soft_wrap=True)


def show_asked(console: Console, asked: Mapping[str, str]) -> None:
    """Print what a sign-in address asks for."""
    for name, value in asked.items():
        _labelled(console, name, value, width=14)


def _labelled(
    console: Console, label: str, text: str, *, width: int = 7, style: str | None = None
) -> None:
    indent = width if label else 0
    for number, line in enumerate(folded(text, max(20, console.width - indent))):
        first = label if number == 0 else ""
        padding = " " * (indent - cell_len(first))
        console.print(Styled(f"{first}{padding}{line}", style=style or ""), soft_wrap=True)


def folded(text: str, width: int) -> Iterator[str]:
    """Break a text into lines of at most `width` cells.

    At spaces, and between full-width characters where no mark is torn off; rich breaks Japanese
    at spaces alone, which leaves lines half empty.
    """
    line = ""
    for piece in _pieces(text):
        if line and cell_len(line) + cell_len(piece.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece
        while cell_len(line.rstrip()) > width:  # one word that is longer than a line
            end = next(i for i in range(1, len(line) + 1) if cell_len(line[:i]) > width) - 1
            yield line[: max(end, 1)]
            line = line[max(end, 1) :]
    if line.strip():
        yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """Yield what must stay together."""
    piece = ""
    for here, following in zip(text, f"{text[1:]} ", strict=False):
        piece += here
        wide = cell_len(here) > 1 or cell_len(following) > 1
        breakable = wide and following not in _NOT_FIRST and here not in _NOT_LAST
        if (here == " " or breakable) and following != " ":
            yield piece
            piece = ""
    yield piece


def page() -> str:
    """Write the tables as one Markdown page, with placeholders where a stack has its own names."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    yield "# 診断表 / Diagnosis"
    yield ""
    yield "`proself-mail explain`、`proself-mail verify --mail` の診断の一覧です。この文書は表から"
    yield "作られます。"
    yield ""
    yield "What `proself-mail explain` and `proself-mail verify --mail` know, written from their"
    yield "tables: `proself-mail explain --table > docs/diagnosis.md`."
    yield ""
    yield "## SMTP (Exchange Online)"
    for entry in smtp_replies.REPLIES:
        yield from _section(entry)
    yield ""
    yield f"### What `{smtp_replies.GENERAL.example.partition(' [')[0]}` means"
    yield ""
    yield "送った内容から原因を切り分けます (`verify --mail`)。"
    yield ""
    yield "Told apart by what was sent (`verify --mail`)."
    for entry in smtp_replies.NARROWED.values():
        yield from _section(entry, quote=False)
    yield ""
    yield "### What it means that a server does not reply"
    for entry in smtp_replies.CONNECTION.values():
        yield from _section(entry, quote=False)
    yield ""
    yield "## サインイン / Sign-in (Microsoft Entra ID)"
    for entry in sign_in_errors.ERRORS:
        yield from _section(entry)
    yield ""


def _section(entry: Entry, *, quote: bool = True) -> Iterator[str]:
    shown = explained(entry, entry.example)
    yield ""
    yield f"{'###' if quote else '####'} {entry.key}"
    if quote:
        yield ""
        yield f"> `{entry.example}`"
        yield ">"
        yield f"> {entry.source}"
    yield ""
    yield f"**原因** {shown.cause.ja}  "
    yield f"**対処** {shown.fix.ja}"
    yield ""
    yield f"**Cause** {shown.cause.en}  "
    yield f"**Fix** {shown.fix.en}"
    if shown.commands:
        yield ""
        yield "```"
        yield from shown.commands
        yield "```"
