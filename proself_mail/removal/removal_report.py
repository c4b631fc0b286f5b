"""Plans and reports of `teardown` and `sweep`: tables for people, JSON for programs.

It decides nothing. JSON has one form for both commands; instants are RFC 3339, and ages are by the
tenant's clock.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from proself_mail.errors import PartlyFailed
from proself_mail.quantity import quantity
from proself_mail.removal.removal_item import Item, Outcome, Result, StackReport
from proself_mail.removal.removal_plan import Plan, StackPlan
from proself_mail.schedule import format_instant
from proself_mail.text.quotation import one_line

_STYLES = {
    Result.REMOVED: "green",
    Result.GONE: "green",
    Result.KEPT: "yellow",
    Result.FAILED: "bold red",
}


def plan(found: Plan[StackPlan]) -> Iterator[RenderableType]:
    """Lay a plan out: kind, id, name, age, and why it is ours; then what stays, and why."""
    name = f"{found.tenant_name} ({found.tenant_id})" if found.tenant_name else found.tenant_id
    yield Text(one_line(f"In the tenant {name}:"))
    if found.stamped is not None:
        bearing = f"{quantity(found.stamped, 'object')} {'has' if found.stamped == 1 else 'have'}"
        yield Text(f"{bearing} the tag of a test, the recycle bin's included.")
    for each in found.stacks:
        yield Text(f"\n{each.name}:", style="bold")
        if each.items:
            yield _items(each.items, found.read_at)
        else:
            yield Text("Nothing of it is left.")
        yield from _points("Not the program's", each.additions, "bold yellow")
        yield from _points("Left alone", each.left_alone, "yellow")
    if found.left_alone:
        yield Text("")
        yield from _points("Left alone", found.left_alone, "yellow")


def report(found: Iterable[StackReport]) -> Iterator[RenderableType]:
    """Lay out what became of each thing."""
    for each in found:
        yield Text(f"\n{each.name}:", style="bold")
        if each.outcomes:
            yield _outcomes(each.outcomes)
        else:
            yield Text("Nothing of it was left.")


def _items(found: Iterable[Item], now: datetime) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found:
        facts = [_age(each, now), each.why]
        detail = Text(one_line(each.id))
        if each.name and each.name not in each.id:
            detail.append(f"\n{one_line(each.name)}")
        detail.append(f"\n{one_line('; '.join(filter(None, facts)))}", style="dim")
        table.add_row(each.kind, detail)
    return table


def _outcomes(found: Iterable[Outcome]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found:
        detail = Text(one_line(each.item.id))
        if each.detail:
            detail.append(f"\n{one_line(each.detail)}")
        table.add_row(Text(each.result, style=_STYLES[each.result]), each.item.kind, detail)
    return table


def _points(title: str, sentences: Iterable[str], style: str) -> Iterator[RenderableType]:
    for each in sentences:
        row = Table.grid(padding=(0, 2))
        row.add_column(no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(Text(title, style=style), Text(one_line(f"{each}.")))
        yield row


def _age(item: Item, now: datetime) -> str:
    if item.deleted is not None:
        return f"in the recycle bin since {format_instant(item.deleted)}"
    if item.created is None:
        return ""
    age = _since(item.created, now)
    if age < timedelta(days=2):
        return f"{age.total_seconds() / 3600:.1f} hours old"
    return f"{age.days} days old"


def _since(instant: datetime, now: datetime) -> timedelta:
    """Return how long ago that was; nothing where two clocks disagree on which came first."""
    return max(now - instant, timedelta())


def plan_json(found: Plan[StackPlan]) -> dict[str, Any]:
    """Return a plan as a JSON object."""
    stacks = [
        {
            "stack": each.name,
            "items": [_item(item, found.read_at) for item in each.items],
            "additions": list(each.additions),
            "leftAlone": list(each.left_alone),
        }
        for each in found.stacks
    ]
    return _document(found, stacks, confirmed=False)


def report_json(found: Plan[StackPlan], reports: Sequence[StackReport]) -> dict[str, Any]:
    """Return a report as a JSON object."""
    stacks = [
        {
            "stack": each.name,
            "failed": each.failed,
            "seconds": round(each.took.total_seconds(), 2),
            "items": [
                {
                    **_item(one.item, found.read_at),
                    "result": one.result.name.lower(),
                    "detail": one.detail,
                }
                for one in each.outcomes
            ],
            "leftAlone": list(each.left_alone),
        }
        for each in reports
    ]
    return _document(found, stacks, confirmed=True)


def _document(
    found: Plan[StackPlan], stacks: Sequence[Mapping[str, Any]], *, confirmed: bool
) -> dict[str, Any]:
    return {
        "tenantId": found.tenant_id,
        "tenantName": found.tenant_name,
        "readAt": format_instant(found.read_at),
        "confirmed": confirmed,
        "stacks": stacks,
        "leftAlone": list(found.left_alone),
    }


def _item(item: Item, now: datetime) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "id": item.id,
        "name": item.name,
        "why": item.why,
        "created": format_instant(item.created) if item.created else None,
        "ageSeconds": int(_since(item.created, now).total_seconds()) if item.created else None,
        "deleted": format_instant(item.deleted) if item.deleted else None,
    }


def exit_code(reports: Sequence[StackReport]) -> int:
    """Return 5 where something is left that was to be removed, else 0."""
    return PartlyFailed.exit_code if any(each.failed for each in reports) else 0
