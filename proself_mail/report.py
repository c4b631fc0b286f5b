"""What a person sees: checks, steps and lines of progress, at any width, Japanese included.

Results go to standard output, commentary to standard error. Rich measures full-width characters;
nothing here decides anything.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proself_mail.check import Check, Outcome
from proself_mail.schedule import format_instant

if TYPE_CHECKING:  # half a second, which an error's one paragraph need not wait for
    from proself_mail.converge import Done
    from proself_mail.faq import Step

_OPERATIONS = {
    "create": "made",
    "update": "changed",
    "import": "adopted",
    "replace": "replaced",
    "delete": "forgotten",  # all that `infra` ever takes out of a state by an update, it retains
}
_STYLES = {Outcome.OK: "green", Outcome.FAIL: "bold red", Outcome.UNKNOWN: "yellow"}


def output() -> Console:
    """Return the console for results."""
    return Console(highlight=False, soft_wrap=False)


def commentary() -> Console:
    """Return the console for everything that is not a result."""
    return Console(stderr=True, highlight=False)


def folded(text: str, width: int) -> str:
    """Fold text at a width, but no command in backquotes, which is to be copied whole."""
    joint = "\0"
    kept = re.sub(r"`[^`]*`", lambda command: command[0].replace(" ", joint), text)
    lines = (
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in kept.splitlines()
    )
    return "\n".join(lines).replace(joint, " ")


def checks(found: Iterable[Check]) -> Table:
    """Lay checks out: state, name, what was seen; below it the next step where one is due."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=28)
    table.add_column(overflow="fold")
    for check in found:
        detail = Text(check.detail)
        if not check.required and check.outcome is Outcome.UNKNOWN:
            detail.append(" (optional)")
        if check.next_step:
            detail.append(f"\nNext: {check.next_step}")
        table.add_row(Text(check.outcome, style=_STYLES[check.outcome]), check.name, detail)
    return table


def show_checks(console: Console, found: Sequence[Check]) -> None:
    """Print checks, and below them, unfolded, the commands that mend what failed.

    Those are the ones that next steps begin with. One in the midst of a sentence has conditions.
    """
    console.print(checks(found))
    command = "`((?:pulumi|proself-mail) [^`]*)`"
    begun = (
        re.match(rf"(?:{command}(?:, then )?)+", each.next_step)
        for each in found
        if each.outcome is Outcome.FAIL
    )
    commands = dict.fromkeys(one for step in begun if step for one in re.findall(command, step[0]))
    if commands:
        console.print("\nThe commands, to be copied:")
    for command in commands:
        console.print(f"  {command}", markup=False, soft_wrap=True)


def steps(found: "Sequence[Step]", *, japanese: bool) -> Table:
    """Lay the FAQ's steps out beside what the tenant answers."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", max_width=30)
    table.add_column(overflow="fold")
    for step in found:
        state = Outcome.OK if step.holds else Outcome.FAIL
        label = step.label.japanese if japanese else step.label.english
        table.add_row(
            Text(state, style=_STYLES[state]), step.label.numbers, label, Text(step.answer)
        )
    return table


def done(update: "Done") -> Iterator[str]:
    """Say how an update ended."""
    changed = ", ".join(
        f"{count} {_OPERATIONS[operation]}"
        for operation, count in update.changes.items()
        if operation in _OPERATIONS
    )
    yield f"Proven: {changed or 'nothing had to change'}, and the newest client secret signs in."
    yield from (f"Note: {report}." for report in update.reports)
    newest = update.outputs.newest
    yield f"Client ID {update.outputs.client_id}, tenant {update.outputs.tenant_id}."
    yield f"The client secret ends at {format_instant(newest.expires)}."
    if not update.settings.manages_grant:
        yield f"Consent is an administrator's to give: {update.outputs.consent_url}"
    if update.config_file:
        yield f"For Proself: {update.config_file}"
