"""What a rehearsal shows: the FAQ's steps, each with what the tenant answers."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from proself_mail.check import Outcome
from proself_mail.entra.faq import Step
from proself_mail.text.quotation import one_line
from proself_mail.text.report import state


def steps(found: Sequence[Step], *, japanese: bool) -> Table:
    """Lay the FAQ's steps out beside what the tenant answers."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", max_width=30)
    table.add_column(overflow="fold")
    for step in found:
        label = step.label.japanese if japanese else step.label.english
        table.add_row(
            state(Outcome.OK if step.holds else Outcome.FAIL),
            step.label.numbers,
            label,
            Text(one_line(step.answer)),
        )
    return table
