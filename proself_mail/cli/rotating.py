"""`rotate`: the plan, a typed confirmation, the summary, and what a person has to do."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from proself_mail.cli.arguments import Commands
from proself_mail.cli.terminal import ask, both, greet, say
from proself_mail.errors import Error, Interrupted, PersonNeeded, Refused

if TYPE_CHECKING:
    from proself_mail.rotation.reminder import Reminder
    from proself_mail.rotation.rotation import Plan


def add_rotate(commands: Commands) -> None:
    """Add `rotate`."""
    rotate = commands.add_parser(
        "rotate",
        help="make what secret is due, remove what has expired, say what a person has to do",
    )
    rotate.add_argument("--stack", required=True, help="its name")
    what = rotate.add_mutually_exclusive_group()
    what.add_argument("--now", action="store_true", help="rotate early: append to `secrets`")
    what.add_argument(
        "--revoke", action="store_true", help="after a leak: a new secret, and the others die"
    )
    what.add_argument(
        "--acknowledge",
        nargs="?",
        const="",
        metavar="KEY_ID",
        help="record that Proself has the newest secret (or that one), proven by a mail",
    )
    what.add_argument("--dry-run", action="store_true", help="show the plan and change nothing")
    rotate.set_defaults(run=_rotate)


def _rotate(arguments: argparse.Namespace) -> int:
    from proself_mail.cli import pipeline
    from proself_mail.stack.project import CHECKOUT, find_project
    from proself_mail.stack.stack import check_name

    check_name(arguments.stack)  # which names a folder
    project, planned = CHECKOUT, list["Plan"]()
    try:
        project = find_project(Path.cwd())
        return _carry_out(arguments, project, planned.append)
    except Error as error:
        plan = planned[-1] if planned else None
        if pipeline.is_one(os.environ):
            _tell_failure(error, arguments.stack, project, plan)
        if not (arguments.now or arguments.revoke):  # after which another may be the newest
            _tell_person(arguments.stack, _red(plan))
        raise


def _tell_failure(error: Error, stack: str, project: Path, plan: "Plan | None") -> None:
    """Show a pipeline's readers why it failed. What would have passed has been waited for by then.

    So a person must act, unless one ended it; that mail stops stays the first thing told.
    """
    from proself_mail.cli import pipeline
    from proself_mail.rotation import rotation_report

    outputs = {"person": "failed", "title": rotation_report.title(stack, _red(plan))}
    told = pipeline.publish(
        rotation_report.failure(stack, error, plan),
        _summary(project, stack),
        {} if isinstance(error, Interrupted) else outputs,
    )
    if told:
        sys.stdout.write(f"{told}\n")  # as it is: the agent obeys no line of a report


def _red(plan: "Plan | None") -> "Reminder | None":
    """Return what a person must do in Proself now, whatever a rotation failed by."""
    from proself_mail.rotation import rotation_report

    reminder = rotation_report.still_to_do(plan)
    return reminder if reminder and reminder.level.is_red else None


def _tell_person(stack: str, reminder: "Reminder | None") -> None:
    from proself_mail.rotation import rotation_report
    from proself_mail.text import report

    for line in both(*rotation_report.person(stack, reminder)) if reminder else ():
        report.show(report.output(), line)


def _summary(project: Path, stack: str) -> Path:
    """Return where the summary is kept; the workflow's steps know it."""
    from proself_mail.stack import stack_folder

    return stack_folder.path(project, stack) / stack_folder.ROTATION


def _carry_out(
    arguments: argparse.Namespace, project: Path, plan_is: "Callable[[Plan], None]"
) -> int:
    from proself_mail.cli import pipeline
    from proself_mail.rotation import rotate, rotation_report
    from proself_mail.text import report

    stack = arguments.stack

    def show(plan: "Plan") -> None:
        plan_is(plan)
        lines = [*rotation_report.plan(plan, revokes=arguments.revoke)]
        is_told_last = plan.is_newest_in_proself and not arguments.dry_run  # in both languages
        # After an early rotation it is another one.
        if not (arguments.now or arguments.revoke or is_told_last):
            lines += rotation_report.days_left(plan)
        for line in lines:
            report.show(report.commentary(), line)
        if arguments.revoke:
            _confirm_revocation(plan, stack)

    if arguments.acknowledge is not None:
        key_id = arguments.acknowledge or None
        plan = asyncio.run(rotate.acknowledge(stack, project, key_id, say, greet=greet))
        words = both(*rotation_report.acknowledged(stack, plan))
        for line in (f"Recorded: Proself has {plan.noted.ledger.pasted}.", *words):
            report.show(report.output(), line)
        return _exit_code(plan.reminder)
    append = rotate.Append.NOW if arguments.now else None
    rotated = asyncio.run(
        rotate.run(
            stack,
            project,
            say,
            append=rotate.Append.REVOKE if arguments.revoke else append,
            greet=greet,
            show=show,
            dry_run=arguments.dry_run,
        )
    )
    reminder = rotated.after.reminder
    if arguments.dry_run:
        report.show(report.output(), rotation_report.dry_run(stack, rotated.before))
        return _exit_code(reminder)
    lines = list(rotation_report.end(rotated))
    outputs = {"person": reminder.level if reminder else "none"}
    if reminder:
        outputs["title"] = rotation_report.title(stack, reminder)
    told = pipeline.publish(
        rotation_report.summary(stack, str(rotated.settings.tenant_id), rotated),
        _summary(project, stack),
        outputs,
    )
    # No reader of a pipeline's log can open what its runner has; the summary says what they can do.
    if rotated.done and rotated.done.config_file and not pipeline.is_one(os.environ):
        lines.append(f"For Proself: {rotated.done.config_file}")
    for line in lines:
        report.show(report.output(), line)
    if told:
        sys.stdout.write(f"{told}\n")  # as it is: the agent obeys no line of a report
    _tell_person(stack, reminder)
    return _exit_code(reminder)


def _exit_code(reminder: "Reminder | None") -> int:
    return PersonNeeded.exit_code if reminder and reminder.level.is_red else 0


def _confirm_revocation(plan: "Plan", stack: str) -> None:
    """Have a person type the stack's name. Raises `Refused` or `Interrupted` where nobody does."""
    from proself_mail.text import report

    dying = ", ".join(plan.dying)
    for line in (
        f"These client secrets die as soon as a new one is proven: {dying or 'none'}.",
        "Mail stops then, until somebody pastes the new one into Proself and signs in there.",
    ):
        report.show(report.commentary(), line)
    unconfirmed = (
        "The revocation was not confirmed; no secret was made, and none was revoked.",
        f"`proself-mail rotate --revoke --stack {stack}` asks again.",
    )
    try:
        typed = ask(f"Type the stack's name ({stack}) to go on: ")
    except KeyboardInterrupt:  # who takes it for a rotation that was cut short would not revoke
        raise Interrupted(*unconfirmed) from None
    if typed != stack:
        raise Refused(*unconfirmed)
