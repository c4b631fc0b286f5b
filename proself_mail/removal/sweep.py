"""`proself-mail sweep`: remove what our stamps say was made for tests and whose time is over.

It needs no state: the stamp's own `deleteAfter` decides, by the tenant's clock. What one stack left
is removed by the same `removal` as a teardown's; here it is found, a page at a time, and only the
UUIDs of what is due are kept in memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from proself_mail.config import stamp
from proself_mail.config.settings import Environment, TargetName
from proself_mail.config.stamp import stack_tag
from proself_mail.entra import session
from proself_mail.entra.directory import ApplicationRecord, Directory, ServicePrincipalRecord
from proself_mail.entra.patience import Patience, Say
from proself_mail.entra.session import Session
from proself_mail.errors import RemoteError
from proself_mail.quantity import quantity
from proself_mail.removal import guards, remains
from proself_mail.removal.inspection import Inspector
from proself_mail.removal.ownership import Due
from proself_mail.removal.removal import Removal
from proself_mail.removal.removal_item import StackReport
from proself_mail.removal.removal_plan import STACKS_AT_ONCE, Plan, StackPlan

_LOOKING = timedelta(minutes=10)
_TEST = f"{stamp.ENVIRONMENT_PREFIX}{Environment.TEST}"


@dataclass(frozen=True)
class Options:
    """What a person may ask for."""

    older_than: timedelta | None = None
    stacks: frozenset[UUID] = frozenset()
    include_modified: bool = False
    keep_in_recycle_bin: bool = False


async def run(
    tenant_id: UUID,
    target: TargetName,
    project: Path,
    say: Say,
    options: Options,
    *,
    show: Callable[[Plan[StackPlan]], None],
    confirm: Callable[[Plan[StackPlan]], str | None],
) -> tuple[StackReport, ...] | None:
    """Sweep one tenant. Returns None where nobody confirmed, and then nothing was written.

    Raises `Refused` by a guard, `RemoteError` where a listing cannot be read.
    """
    guards.check_tenant(str(tenant_id), project)
    async with session.sign_in(target, str(tenant_id)) as opened:
        ours = Due(opened.tenant_now(), options.older_than, options.stacks)
        plan = await _plan(opened, ours, options, say)
        show(plan)
        typed = confirm(plan)
        if typed is None:
            return None
        guards.check_confirmation(typed, plan.tenant_id, plan.tenant)
        turns = asyncio.Semaphore(STACKS_AT_ONCE)

        async def one(planned: StackPlan) -> StackReport:
            async with turns:
                return await _remove(opened, ours, options, planned, say)

        return tuple(await asyncio.gather(*map(one, plan.stacks)))


async def _plan(opened: Session, ours: Due, options: Options, say: Say) -> Plan[StackPlan]:
    patience = Patience(say)
    try:
        async with asyncio.timeout(_LOOKING.total_seconds()):
            tenant, (stamped, due) = await asyncio.gather(
                guards.tenant_of(opened), _due(opened.directory, ours)
            )
            turns = asyncio.Semaphore(STACKS_AT_ONCE)

            async def one(stack_id: UUID) -> StackPlan | tuple[str, ...]:
                async with turns:
                    return await _plan_stack(opened, patience, ours, stack_id, options)

            found = await asyncio.gather(*map(one, sorted(due, key=str)))
    except TimeoutError:
        raise RemoteError(
            "What is there could not be read in time.", "Nothing was removed. Try again later."
        ) from None
    left = [sentence for each in found if isinstance(each, tuple) for sentence in each]
    stacks = [each for each in found if isinstance(each, StackPlan)]
    return Plan(
        opened.caller.tenant_id,
        tenant,
        ours.now,
        tuple(stacks),
        stamped=stamped,
        left_alone=tuple(left),
    )


async def _due(directory: Directory, ours: Due) -> tuple[int, set[UUID]]:
    """Read every test stamp in the tenant; return how many, and the stacks that are due."""
    listings: tuple[AsyncIterator[ApplicationRecord | ServicePrincipalRecord], ...] = (
        directory.applications_tagged(_TEST),
        directory.deleted_applications_tagged(_TEST),
        directory.service_principals_tagged(_TEST),
        directory.deleted_service_principals_tagged(_TEST),
    )
    stamped, due = 0, set[UUID]()
    for listing in listings:
        async for each in listing:
            stamped += 1
            created: datetime | None = None
            if isinstance(each, ApplicationRecord):
                created = each.created
            elif ours.older_than is not None:
                continue  # nobody tells when a service principal was made
            found = stamp.read(each.tags)
            if found is not None and ours.verdict(each.tags, created).ours:
                due.add(found.stack_id)
    return stamped, due


async def _plan_stack(
    opened: Session, patience: Patience, ours: Due, stack_id: UUID, options: Options
) -> StackPlan | tuple[str, ...]:
    """Look at what one stack left; return sentences where somebody changed it."""
    directory = opened.directory
    seen = await remains.look(directory, patience, stack_tag(stack_id), ours)
    inspected = await Inspector(directory, patience).inspect(seen)
    if inspected.additions and not options.include_modified:
        return tuple(
            f"what the stack {stack_id} made has {each}: --include-modified removes it"
            for each in inspected.additions
        )
    return StackPlan(
        name=str(stack_id),
        stack_id=stack_id,
        items=(*seen.items(ours), *inspected.items),
        clients=seen.clients,
        additions=(),
        left_alone=(*seen.left_alone, *inspected.notes),
    )


async def _remove(
    opened: Session, ours: Due, options: Options, planned: StackPlan, say: Say
) -> StackReport:
    clock = asyncio.get_running_loop()
    began = clock.time()
    directory, patience = opened.directory, Patience(say)
    work = Removal(
        directory,
        patience,
        stack_tag(planned.stack_id),
        ours,
        opened.tenant_now,
        keep_in_recycle_bin=options.keep_in_recycle_bin,
        inspector=None if options.include_modified else Inspector(directory, patience),
    )
    work.know(planned.items, planned.clients)
    outcomes = await work.run()
    took = timedelta(seconds=clock.time() - began)
    say(f"{planned.name}: {quantity(len(outcomes), 'object')} in {took.total_seconds():.1f} s")
    return StackReport(planned.name, outcomes, planned.left_alone, took)
