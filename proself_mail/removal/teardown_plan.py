"""What `teardown` would remove: read from each stack's state and file, and from the tenant.

It only reads. What of it is ours, `ownership` decides; whether it may be removed, `guards`.
"""

import asyncio
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from proself_mail.config.settings import Settings
from proself_mail.config.stamp import stack_tag
from proself_mail.entra.directory import ApplicationRecord, NotFound
from proself_mail.entra.patience import Patience
from proself_mail.entra.session import Session
from proself_mail.errors import RemoteError
from proself_mail.files import whole_file
from proself_mail.proself import proself_file
from proself_mail.quantity import quantity
from proself_mail.removal import guards, inspection, remains
from proself_mail.removal.ownership import OfStack, Verdict
from proself_mail.removal.removal_item import Item, Kind
from proself_mail.removal.removal_plan import STACKS_AT_ONCE, Plan, StackPlan
from proself_mail.stack import state
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.state import State

_LOOKING = timedelta(minutes=2)


@dataclass(frozen=True)
class NamedStackPlan(StackPlan):
    """What is to be removed of a stack that was named."""

    settings: Settings
    state: State | None
    """None where the backend has no such stack (any more)."""

    @property
    def key_ids(self) -> Mapping[str, str]:
        """Key ids of the client secrets that the state knows, by their windows."""
        return self.state.key_ids if self.state else {}


async def make(
    opened: Session, configured: dict[str, Settings], states: dict[str, State | None]
) -> Plan[NamedStackPlan]:
    """Read what there is of each stack. Raises `RemoteError` where it cannot be read."""
    turns = asyncio.Semaphore(STACKS_AT_ONCE)

    async def one(name: str, settings: Settings) -> NamedStackPlan:
        async with turns:
            return await _plan_stack(opened, name, settings, states[name])

    try:
        async with asyncio.timeout(_LOOKING.total_seconds()):
            tenant, stacks = await asyncio.gather(
                guards.tenant_of(opened),
                asyncio.gather(*(one(*each) for each in configured.items())),
            )
    except TimeoutError:
        raise RemoteError(
            f"What is there could not be read within {_LOOKING.total_seconds() / 60:.0f} minutes.",
            "Nothing was removed. Try again later.",
        ) from None
    return Plan(opened.caller.tenant_id, tenant, opened.tenant_now(), tuple(stacks))


async def _plan_stack(
    opened: Session, name: str, settings: Settings, found: State | None
) -> NamedStackPlan:
    directory, patience = opened.directory, Patience(lambda _: None)
    ours = OfStack(settings.stack_id)
    tag = stack_tag(settings.stack_id)
    seen, of_state = await asyncio.gather(
        remains.look(directory, patience, tag, ours), _of_state(opened, patience, found)
    )
    guards.check_stamps(name, settings, seen.tagged, of_state)
    inspector = inspection.Inspector(
        directory, patience, found.key_ids if found else {}, [*map(str, settings.owners)]
    )
    inspected = await inspector.inspect(seen)
    items = [*seen.items(ours), *inspected.items]
    left = [*seen.left_alone, *inspected.notes]
    clients = seen.clients
    items += _known_to_state(found, clients)
    for path in _config_files(name, settings):
        try:
            verdict = of_config_file(path, name, settings)
        except FileNotFoundError:  # gone since it was listed
            continue
        if verdict.ours:
            items.append(Item(Kind.CONFIG_FILE, str(path), path.name, verdict.why))
        else:
            left.append(f"{path}: {verdict.why}")
    if found is not None:
        count = f"{quantity(len(found.resources), 'resource')} of the tenant"
        items.append(Item(Kind.STACK_STATE, name, count, "is this stack's"))
    return NamedStackPlan(
        name=name,
        stack_id=settings.stack_id,
        items=tuple(items),
        clients=clients,
        additions=inspected.additions,
        left_alone=tuple(left),
        settings=settings,
        state=found,
    )


async def _of_state(
    opened: Session, patience: Patience, found: State | None
) -> ApplicationRecord | None:
    application_id = found.application_id if found else None
    if application_id is None:
        return None
    try:
        return await patience.told(lambda: opened.directory.application(application_id))
    except NotFound:
        return None


def _known_to_state(found: State | None, clients: dict[str, str]) -> Iterator[Item]:
    """Give what the state knows and no listing showed, and add it to `clients`."""
    kinds = {
        state.APPLICATION: Kind.APPLICATION,
        state.SERVICE_PRINCIPAL: Kind.SERVICE_PRINCIPAL,
    }
    for resource in (*found.resources.values(), *found.replaced) if found else ():
        kind = kinds.get(resource.name)
        object_id = resource.graph_id
        if kind and object_id not in clients:
            clients[object_id] = resource.outputs.get("clientId") or ""
            yield Item(kind, object_id, "", "is in the stack's state; no listing shows it")


def _config_files(name: str, settings: Settings) -> list[Path]:
    """Return the Proself config file, and what killed runs left of it: it holds a secret too.

    With those from before the stack was renamed, or its `configFile` changed.
    """
    earlier = proself_file.left_behind(settings, name, CHECKOUT)
    path = settings.config_file_path(name, CHECKOUT)
    if path is None:
        return [*earlier]
    return [*([path] if os.path.lexists(path) else []), *whole_file.scratches(path), *earlier]


def of_config_file(path: Path, name: str, settings: Settings) -> Verdict:
    """Say whether a file is a stack's Proself config file, or what a write of it left.

    Raises `FileNotFoundError` where there is none.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return Verdict(False, "it is a link, or no file")  # which the program never makes
        text = path.read_text(encoding="utf-8")
        names = tomllib.loads(text).get("stack_id")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:  # the last of nested lists
        return Verdict(False, f"it is no Proself config file ({type(error).__name__})")
    # The file itself is put in its place whole; only beside it can a write be killed at its start.
    own = settings.config_file_path(name, CHECKOUT)
    if not text and own is not None and path in whole_file.scratches(own):
        return Verdict(True, "a write of this stack's config file was killed at its start")
    if names == str(settings.stack_id):
        return Verdict(True, "names this stack's UUID")
    return Verdict(False, f"it is of another stack ({names})" if names else "it names no stack")
