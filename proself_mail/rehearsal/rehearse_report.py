"""What a rehearsal shows: the FAQ's steps, each with what the tenant answers."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from proself_mail.check import Outcome
from proself_mail.entra.faq import Step
from proself_mail.text.quotation import one_line
from proself_mail.text.report import folded, state

_INDENT = 13


def show_steps(console: Console, found: Sequence[Step], *, japanese: bool) -> None:
    """Print the FAQ's steps, and below each what the tenant answers.

    Not beside it: addresses and ids, which are to be copied, are as long as a narrow terminal's
    line. They stay whole.
    """
    for step in found:
        label = step.label.japanese if japanese else step.label.english
        outcome = state(Outcome.OK if step.holds else Outcome.FAIL)
        outcome.pad_right(4 - len(outcome))
        console.print(outcome, Text(f" {step.label.numbers:>5}  {label}"), soft_wrap=True)
        answer = folded(one_line(step.answer), max(20, console.width - _INDENT))
        for line in answer.splitlines():
            console.print(Text(" " * _INDENT + line), soft_wrap=True)
