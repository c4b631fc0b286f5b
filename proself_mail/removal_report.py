"""Plans and reports of `teardown` and `sweep`: tables for people, JSON for programs.

It decides nothing. JSON has one form for both commands; instants are RFC 3339, ages are left to
the reader.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from proself_mail import sweep, teardown
from proself_mail.removal import Item, Outcome, Result
from proself_mail.schedule import format_instant

_STYLES = {
    Result.REMOVED: "green",
    Result.GONE: "green",
    Result.KEPT: "yellow",
    Result.FAILED: "bold red",
}


def items(found: Iterable[Item], now: datetime) -> Table:
    """Lay out what is to be removed: kind, id, name, age, and why it is ours."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found:
        facts = [_age(each, now), each.why]
        detail = Text(each.id)
        if each.name:
            detail.append(f"\n{each.name}")
        detail.append(f"\n{'; '.join(filter(None, facts))}", style="dim")
        table.add_row(each.kind, detail)
    return table


def outcomes(found: Iterable[Outcome]) -> Table:
    """Lay out what became of each thing."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found:
        detail = Text(each.item.id)
        if each.detail:
            detail.append(f"\n{each.detail}")
        table.add_row(Text(each.result, style=_STYLES[each.result]), each.item.kind, detail)
    return table


def _age(item: Item, now: datetime) -> str:
    if item.deleted is not None:
        return f"in the recycle bin since {format_instant(item.deleted)}"
    if item.created is None:
        return ""
    days = (now - item.created).total_seconds() / 86400
    return f"{days:.1f} days old"


def plan_json(plan: "teardown.Plan | sweep.Plan") -> dict[str, Any]:
    """Return a plan as a JSON object."""
    return {
        "tenantId": plan.tenant_id,
        "tenantName": plan.tenant_name,
        "confirmed": False,
        "stacks": [
            {
                "stack": each.name if isinstance(each, teardown.StackPlan) else str(each.stack_id),
                "items": [_item(item) for item in each.items],
                "additions": list(each.additions) if isinstance(each, teardown.StackPlan) else [],
                "leftAlone": list(each.left_alone),
            }
            for each in plan.stacks
        ],
        "leftAlone": list(plan.left_alone) if isinstance(plan, sweep.Plan) else [],
    }


def report_json(
    plan: "teardown.Plan | sweep.Plan", reports: Sequence[teardown.StackReport]
) -> dict[str, Any]:
    """Return a report as a JSON object."""
    return {
        "tenantId": plan.tenant_id,
        "tenantName": plan.tenant_name,
        "confirmed": True,
        "stacks": [
            {
                "stack": each.name,
                "failed": each.failed,
                "seconds": round(each.took.total_seconds(), 2),
                "items": [
                    {**_item(one.item), "result": one.result.name.lower(), "detail": one.detail}
                    for one in each.outcomes
                ],
                "leftAlone": list(each.left_alone),
            }
            for each in reports
        ],
        "leftAlone": list(plan.left_alone) if isinstance(plan, sweep.Plan) else [],
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "id": item.id,
        "name": item.name,
        "why": item.why,
        "created": format_instant(item.created) if item.created else None,
        "deleted": format_instant(item.deleted) if item.deleted else None,
    }


def exit_code(reports: Sequence[teardown.StackReport]) -> int:
    """Return 5 where something is left that was to be removed, else 0."""
    return 5 if any(each.failed for each in reports) else 0
