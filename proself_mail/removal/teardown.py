"""`proself-mail teardown`: remove everything that test stacks made, and nothing else.

Plan, guards, confirmation, apply. The plan only reads. What is applied is ordered so that a kill at
any instant leaves enough to go on from: the tenant first, the stack's state last, and the stack's
file, which holds the UUID, stays. The engine is not asked to delete anything: it would poll for
20 s, and knows nothing of the recycle bin (docs/adr/0022).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from proself_mail.config.settings import PROJECT, Settings
from proself_mail.config.stack_name import short_name
from proself_mail.config.stamp import stack_tag
from proself_mail.entra import session
from proself_mail.entra.patience import SETTLING, Patience, Say
from proself_mail.entra.session import Session
from proself_mail.errors import ConfigurationError, Error
from proself_mail.removal import guards, teardown_plan
from proself_mail.removal.inspection import Inspector
from proself_mail.removal.ownership import OfStack
from proself_mail.removal.removal import Removal
from proself_mail.removal.removal_item import Item, Kind, Outcome, Result, StackReport
from proself_mail.removal.removal_plan import STACKS_AT_ONCE, Plan
from proself_mail.removal.teardown_plan import NamedStackPlan
from proself_mail.stack import lock, stack_folder
from proself_mail.stack.stack import Stack
from proself_mail.text.quotation import literal
from proself_mail.update import journal

_ENGINES = 2
"""Processes of Pulumi's at once: each takes a core."""

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What a person may ask for."""

    include_modified: bool = False
    keep_stack: bool = False
    keep_in_recycle_bin: bool = False


async def run(
    names: Sequence[str],
    project: Path,
    say: Say,
    options: Options,
    *,
    show: Callable[[Plan[NamedStackPlan]], None],
    confirm: Callable[[Plan[NamedStackPlan]], str | None],
) -> tuple[StackReport, ...] | None:
    """Tear stacks down. Returns None where nobody confirmed, and then nothing was written.

    `show` is given the plan; `confirm` returns the tenant's name or ID as it was typed. Raises
    `Refused` by a guard, and whatever stands against the plan, before the first write.
    """
    stacks = _named(names, project)
    configured = {each.name: await each.engine.awaited(each.last_settings) for each in stacks}
    for name, settings in configured.items():
        guards.check_environment(name, settings)
    first = _of_one_tenant(configured)
    guards.check_tenant(str(first.tenant_id), project)
    engines = asyncio.Semaphore(_ENGINES)
    with _alone(project, configured):
        *states, _ = await asyncio.gather(
            *(_in_turn(engines, each, each.covered_state) for each in stacks),
            asyncio.to_thread(session.import_ahead),
        )
        for each, found in zip(stacks, states, strict=True):
            if found is not None:
                guards.check_state(each.name, found)
            each.check_identity(configured[each.name], found)
        async with session.sign_in(first.target, str(first.tenant_id)) as opened:
            known = dict(zip(configured, states, strict=True))
            plan = await teardown_plan.make(opened, configured, known)
            show(plan)
            for planned in plan.stacks:
                guards.check_modified(
                    planned.name, planned.additions, include=options.include_modified
                )
            typed = confirm(plan)
            if typed is None:
                return None
            guards.check_confirmation(typed, plan.tenant_id, plan.tenant)
            work = _Work(opened, project, say, options, engines)
            reports = await work.apply(stacks, plan)
        for report in reports:
            if not report.failed:
                stack_folder.forget(project, report.name)
        return reports


def _named(names: Sequence[str], project: Path) -> Sequence[Stack]:
    """Return the stacks, one that was given twice, with its organization and without, once.

    Raises `ConfigurationError` for a name that is none of this project's, and where two would go by
    one stack file.
    """
    found: dict[str, Stack] = {}
    for name in names:
        first = found.setdefault(short_name(name), Stack(name, project)).name
        if "/" in name and "/" in first and name.partition("/")[0] != first.partition("/")[0]:
            raise ConfigurationError(
                f"{literal(first)} and {literal(name)} are of two organizations, and have one "
                "stack file.",
                "Tear down the one that the file is of.",
            )
    return [*found.values()]


def _of_one_tenant(configured: dict[str, Settings]) -> Settings:
    first = next(iter(configured.values()))
    for name, settings in configured.items():
        if (settings.tenant_id, settings.target) != (first.tenant_id, first.target):
            raise ConfigurationError(
                f"{name} is in the tenant {settings.tenant_id}, others are in {first.tenant_id}.",
                "Tear the stacks of one tenant down at a time.",
            )
    return first


@contextlib.contextmanager
def _alone(project: Path, names: dict[str, Settings]) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        for name in sorted(names):
            held.enter_context(stack_folder.alone(project, name))
        yield


async def _in_turn(engines: asyncio.Semaphore, stack: Stack, work: Callable[[], T]) -> T:
    async with engines:
        return await stack.engine.awaited(work)


class _Work:
    """The removal of planned stacks."""

    def __init__(
        self,
        opened: Session,
        project: Path,
        say: Say,
        options: Options,
        engines: asyncio.Semaphore,
    ) -> None:
        self._session = opened
        self._project = project
        self._say = say
        self._options = options
        self._engines = engines

    async def apply(
        self, stacks: Sequence[Stack], plan: Plan[NamedStackPlan]
    ) -> tuple[StackReport, ...]:
        """Remove them, several at once. Raises `Refused` where another run holds one."""
        pairs = list(zip(stacks, plan.stacks, strict=True))
        await asyncio.gather(*(self._claim(*each) for each in pairs))
        turns = asyncio.Semaphore(STACKS_AT_ONCE)
        done = 0

        async def one(stack: Stack, planned: NamedStackPlan) -> StackReport:
            nonlocal done
            async with turns:
                report = await self._stack(stack, planned)
            done += 1
            word = "not all removed" if report.failed else "removed"
            ended = f"{word} in {report.took.total_seconds():.1f} s"
            self._say(
                f"[{done}/{len(pairs)}] {planned.name}: "
                f"{ended if report.outcomes else 'nothing was left'}"
            )
            return report

        return tuple(await asyncio.gather(*(one(*each) for each in pairs)))

    async def _claim(self, stack: Stack, planned: NamedStackPlan) -> None:
        """See that no other run holds the stack. A lock whose process is dead is taken away.

        A backend that does not lie in files shows its lock only to a write, so the state is written
        back as it is there, without what a killed run had under way.
        """
        if planned.state is None:
            return
        holders = lock.standing(stack.backend_folder, PROJECT, stack.name)
        while any(
            isinstance(each, lock.Unreadable) and each.is_abandoned for each in holders or ()
        ):
            await asyncio.sleep(0.5)  # it gets its name, or is one that was cut off, within seconds
            holders = lock.standing(stack.backend_folder, PROJECT, stack.name)
        if holders is None:
            await _in_turn(self._engines, stack, stack.mend_state)
        elif alive := [each for each in holders if not each.is_dead]:
            raise lock.refusal(stack.name, ", ".join(map(str, alive)))
        elif holders:
            self._say(f"removing the lock of a dead run: {', '.join(map(str, holders))}")
            for each in holders:
                lock.remove(each)

    async def _stack(self, stack: Stack, planned: NamedStackPlan) -> StackReport:
        clock = asyncio.get_running_loop()
        began = clock.time()
        outcomes = list(await self._tenant(planned))
        tenant_is_clean = all(each.result is not Result.FAILED for each in outcomes)
        for item in planned.items:
            if item.kind is Kind.CONFIG_FILE:
                outcomes.append(_remove_file(item, planned, tenant_is_clean=tenant_is_clean))
            elif item.kind is Kind.STACK_STATE:
                outcomes.append(await self._state(stack, item, tenant_is_clean=tenant_is_clean))
            elif item.kind in (Kind.GRANT, Kind.FEDERATED_CREDENTIAL):
                outcomes.append(self._dependant(item, tenant_is_clean=tenant_is_clean))
        took = timedelta(seconds=clock.time() - began)
        return StackReport(planned.name, tuple(outcomes), planned.left_alone, took)

    async def _tenant(self, planned: NamedStackPlan) -> tuple[Outcome, ...]:
        settings = planned.settings
        work = Removal(
            self._session.directory,
            Patience(self._say),
            stack_tag(settings.stack_id),
            OfStack(settings.stack_id),
            self._session.tenant_now,
            keep_in_recycle_bin=self._options.keep_in_recycle_bin,
            inspector=None if self._options.include_modified else self._inspector(planned),
        )
        work.know(planned.items, planned.clients)
        folder = stack_folder.path(self._project, planned.name)
        now = self._session.tenant_now()
        record = journal.begin(folder / stack_folder.TEARDOWN, settings.stack_id, now)
        recently = record.carries_on and now - record.began < timedelta(minutes=2)
        until = asyncio.get_running_loop().time() + SETTLING.total_seconds() if recently else None
        outcomes = await work.run(until=until)
        if all(each.result is not Result.FAILED for each in outcomes):
            record.end()
        return outcomes

    def _inspector(self, planned: NamedStackPlan) -> Inspector:
        owners = [*map(str, planned.settings.owners)]
        return Inspector(self._session.directory, Patience(self._say), planned.key_ids, owners)

    def _dependant(self, item: Item, *, tenant_is_clean: bool) -> Outcome:
        if not tenant_is_clean:
            return Outcome(item, Result.FAILED, "What it belongs to is left.")
        if self._options.keep_in_recycle_bin:
            return Outcome(item, Result.KEPT, "with what it belongs to")
        return Outcome(item, Result.REMOVED)

    async def _state(self, stack: Stack, item: Item, *, tenant_is_clean: bool) -> Outcome:
        """Bring Pulumi's state in line, which is done last: a kill before it loses nothing."""
        if not tenant_is_clean:
            return Outcome(item, Result.FAILED, "It is kept until the tenant is clean.")
        try:
            if self._options.keep_stack:
                await _in_turn(self._engines, stack, stack.empty)
                return Outcome(item, Result.KEPT, "empty")
            await _in_turn(self._engines, stack, stack.remove)
        except Error as error:
            return Outcome(item, Result.FAILED, str(error))
        return Outcome(item, Result.REMOVED)


def _remove_file(item: Item, planned: NamedStackPlan, *, tenant_is_clean: bool) -> Outcome:
    """Remove a config file that is still this stack's; the question may have stood for hours."""
    if not tenant_is_clean:
        return Outcome(item, Result.FAILED, "It is kept until the tenant is clean.")
    path = Path(item.id)
    try:
        verdict = teardown_plan.of_config_file(path, planned.name, planned.settings)
        if not verdict.ours:
            why = f"It was changed since the plan was made and is kept: {verdict.why}."
            return Outcome(item, Result.FAILED, why)
        path.unlink()
    except FileNotFoundError:
        return Outcome(item, Result.GONE)
    except OSError as error:
        return Outcome(item, Result.FAILED, error.strerror or str(error))
    return Outcome(item, Result.REMOVED)
