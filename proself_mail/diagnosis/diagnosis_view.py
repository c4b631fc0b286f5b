"""How diagnoses are shown: in both languages, on a terminal of any width, and as a page.

Results only; what a refusal means is `diagnosis`'s.
"""

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Styled

from proself_mail.diagnosis import sign_in_address, sign_in_errors, smtp_replies
from proself_mail.diagnosis.diagnosis import Diagnosis, explained
from proself_mail.diagnosis.refusal import Entry, Names
from proself_mail.text.report import folded


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
    for number, line in enumerate(folded(text, max(20, console.width - indent)).splitlines()):
        first = label if number == 0 else ""
        padding = " " * (indent - cell_len(first))
        console.print(Styled(f"{first}{padding}{line}", style=style or ""), soft_wrap=True)


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
    yield "## サインイン画面のアドレス / The address of a sign-in page"
    for entry in sign_in_address.FINDINGS:
        yield from _section(entry)
    yield ""


def _section(entry: Entry, *, quote: bool = True) -> Iterator[str]:
    shown = explained(entry, entry.example)
    yield ""
    yield f"{'###' if quote else '####'} {entry.key}"
    if quote:
        yield ""
        yield f"> `{entry.example}`"
        if entry.source:
            yield ">"
            yield f"> {entry.source}"
    yield ""
    yield f"**原因** {shown.cause.ja}  "
    yield f"**対処** {shown.fix.ja}"
    yield ""
    yield f"**Cause** {shown.cause.en}  "
    yield f"**Fix** {shown.fix.en}"
    yield from _lines(shown)
    if entry.by_administrator:
        shown = explained(entry, entry.example, Names(manages_grant=False))
        yield ""
        yield f"**対処 (`consent: by-administrator`、別テナントのメールボックス)** {shown.fix.ja}"
        yield ""
        yield f"**Fix (`consent: by-administrator`, mailbox in another tenant)** {shown.fix.en}"
        yield from _lines(shown)


def _lines(shown: Diagnosis) -> Iterator[str]:
    if shown.commands:
        yield ""
        yield "```"
        yield from shown.commands
        yield "```"
