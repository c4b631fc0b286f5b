"""What a person sees: checks, steps and lines of progress, at any width, Japanese included.

Results go to standard output, commentary to standard error. Rich measures full-width characters;
nothing here decides anything.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proself_mail.check import Check, State
from proself_mail.faq import Step

_STYLES = {State.OK: "green", State.FAIL: "bold red", State.UNKNOWN: "yellow"}


def output() -> Console:
    """Return the console for results."""
    return Console(highlight=False, soft_wrap=False)


def commentary() -> Console:
    """Return the console for everything that is not a result."""
    return Console(stderr=True, highlight=False)


def checks(found: Iterable[Check]) -> Table:
    """Lay checks out: state, name, what was seen; below it the next step where one is due."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=28)
    table.add_column(overflow="fold")
    for check in found:
        detail = Text(check.detail)
        if not check.required and check.state is State.UNKNOWN:
            detail.append(" (optional)")
        if check.next_step:
            detail.append(f"\nNext: {check.next_step}")
        table.add_row(Text(check.state, style=_STYLES[check.state]), check.name, detail)
    return table


def steps(found: Sequence[Step], *, japanese: bool) -> Table:
    """Lay the FAQ's steps out beside what the tenant answers."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", max_width=30)
    table.add_column(overflow="fold")
    for step in found:
        state = State.OK if step.holds else State.FAIL
        label = step.label_ja if japanese else step.label
        table.add_row(Text(state, style=_STYLES[state]), step.numbers, label, Text(step.answer))
    return table
