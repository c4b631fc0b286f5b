"""`teardown` and `sweep`: the plan, the question, the report."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from proself_mail.cli.arguments import Commands, age, choice, stack_id, tenant_id
from proself_mail.cli.terminal import ask, print_json, say
from proself_mail.config.settings import TargetName
from proself_mail.errors import Refused

if TYPE_CHECKING:
    from proself_mail.removal.removal_item import StackReport
    from proself_mail.removal.removal_plan import Plan, StackPlan

    _Show = Callable[[Plan[StackPlan]], None]
    _Confirm = Callable[[Plan[StackPlan]], str | None]


def add_teardown(commands: Commands) -> None:
    """Add `teardown`."""
    teardown = commands.add_parser(
        "teardown", help="remove all that test stacks made, recycle bin and state included"
    )
    teardown.add_argument(
        "--stack", required=True, nargs="+", action="extend", metavar="S", help="their names"
    )
    _add_removing(teardown)
    teardown.add_argument("--keep-stack", action="store_true", help="empty its state, keep it")
    teardown.set_defaults(run=_teardown)


def _add_removing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--confirm", metavar="TENANT", help="the tenant's name or ID, in place of typing it"
    )
    command.add_argument(
        "--include-modified",
        action="store_true",
        help="also what got credentials or owners that are not ours",
    )
    command.add_argument(
        "--keep-in-recycle-bin", action="store_true", help="delete without purging"
    )
    command.add_argument("--json", action="store_true", help="plan or report as JSON")


def _teardown(arguments: argparse.Namespace) -> int:
    from proself_mail.removal import teardown
    from proself_mail.stack.project import find_project

    options = teardown.Options(
        include_modified=arguments.include_modified,
        keep_stack=arguments.keep_stack,
        keep_in_recycle_bin=arguments.keep_in_recycle_bin,
    )
    project = find_project(Path.cwd())
    return _removing(
        arguments,
        lambda show, confirm: teardown.run(
            arguments.stack, project, say, options, show=show, confirm=confirm
        ),
    )


def add_sweep(commands: Commands) -> None:
    """Add `sweep`."""
    sweep = commands.add_parser(
        "sweep", help="remove what was made for tests and is past its time, without any state"
    )
    sweep.add_argument("--tenant", type=tenant_id, required=True, metavar="ID", help="tenant ID")
    sweep.add_argument(
        "--target",
        **choice("target", TargetName),
        default=TargetName.CLOUD,
        help="which kind of tenant it is (default: cloud)",
    )
    sweep.add_argument(
        "--older-than", type=age, metavar="AGE", help="only what is so old, such as 12h or 7d"
    )
    sweep.add_argument(
        "--stack-id",
        type=stack_id,
        nargs="+",
        action="extend",
        default=[],
        metavar="UUID",
        help="what these stacks made alone: `stackId` in their files",
    )
    _add_removing(sweep)
    sweep.set_defaults(run=_sweep)


def _sweep(arguments: argparse.Namespace) -> int:
    from proself_mail.removal import sweep
    from proself_mail.stack.project import find_project

    options = sweep.Options(
        older_than=arguments.older_than,
        stacks=frozenset(arguments.stack_id),
        include_modified=arguments.include_modified,
        keep_in_recycle_bin=arguments.keep_in_recycle_bin,
    )
    project = find_project(Path.cwd())
    return _removing(
        arguments,
        lambda show, confirm: sweep.run(
            arguments.tenant, arguments.target, project, say, options, show=show, confirm=confirm
        ),
    )


def _removing(
    arguments: argparse.Namespace,
    work: "Callable[[_Show, _Confirm], Coroutine[None, None, tuple[StackReport, ...] | None]]",
) -> int:
    """Run a command that removes things: show the plan, ask, report."""
    from proself_mail.removal import removal_report
    from proself_mail.text import report

    plans: list[Plan[StackPlan]] = []

    def show(plan: "Plan[StackPlan]") -> None:
        plans.append(plan)
        if not arguments.json:
            for each in removal_report.plan(plan):
                report.output().print(each)

    def confirm(plan: "Plan[StackPlan]") -> str | None:
        if arguments.confirm or arguments.json or not sys.stdin.isatty():
            given: str | None = arguments.confirm
            return given
        if not any(each.items for each in plan.stacks):
            return None
        return ask(f"Type the tenant's {_named(plan)} to remove all of this: ") or None

    try:
        reports = asyncio.run(work(show, confirm))
    except Refused:
        if arguments.json and plans:  # what the refusal is about stands in it
            print_json(removal_report.plan_json(plans[0]))
        raise
    [plan] = plans
    if arguments.json:
        print_json(
            removal_report.plan_json(plan)
            if reports is None
            else removal_report.report_json(plan, reports)
        )
    elif reports is None:
        report.output().print(
            f"\nNothing was removed: this is the plan. --confirm with the tenant's {_named(plan)} "
            "carries it out."
            if any(each.items for each in plan.stacks)
            else "\nThere is nothing to remove."
        )
    else:
        for each in removal_report.report(reports):
            report.output().print(each)
    return 0 if reports is None else removal_report.exit_code(reports)


def _named(plan: "Plan[StackPlan]") -> str:
    """Say by what the tenant can be named: a name that could not be read is not compared."""
    return "name or ID" if plan.tenant_name else "ID"
