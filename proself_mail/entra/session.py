"""A signed-in look at one tenant: the credential, the caller, and the directory behind them."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from proself_mail import clock
from proself_mail.config.settings import Settings, TargetName
from proself_mail.entra import credentials, daemon_thread, target
from proself_mail.entra.credentials import Caller
from proself_mail.entra.directory import Directory
from proself_mail.entra.patience import Patience
from proself_mail.entra.target import Target
from proself_mail.errors import Refused
from proself_mail.stack.stack import Stack
from proself_mail.stack.state import State


@dataclass(frozen=True)
class Session:
    """What a command works with while it is signed in."""

    target: Target
    caller: Caller
    source: str
    """What was signed in with."""
    directory: Directory
    skew: timedelta
    """How far the tenant's clock is ahead of ours, to a second."""

    def tenant_now(self) -> datetime:
        """Return the time by the tenant's clock, never later than it is there."""
        return clock.now() + self.skew


async def read(
    stack: Stack, *, covered: bool = False, ahead: Sequence[str] = ()
) -> tuple[Settings, State]:
    """Read a stack (`Stack.read`), while what signing in will need is imported.

    `ahead` are modules that the command needs later. Raises as that.
    """
    known, _ = await asyncio.gather(
        stack.read(covered=covered), asyncio.to_thread(import_ahead, *ahead)
    )
    return known


def import_ahead(*others: str) -> None:
    """Import what signing in and Graph will need, in half a second that the CLI is busy for."""
    for module in ("proself_mail.entra.graph", "azure.identity.aio", "aiohttp", *others):
        importlib.import_module(module)


@asynccontextmanager
async def sign_in(name: TargetName, tenant_id: str | None) -> AsyncIterator[Session]:
    """Sign in to the pinned tenant, as the environment says; None takes the signed-in one.

    Refuses an environment that leads elsewhere, a clock that is wrong, and a token of another
    tenant, before anything is read.
    """
    target.check_environment(name, tenant_id)
    where, there = await daemon_thread.run(target.reach, name, tenant_id or "organizations")
    here = clock.now()
    clock.check(here, there)
    credential, source = credentials.choose(where, tenant_id or "")

    from proself_mail.entra import graph  # 0.3 s, and another second until its first answer

    async with graph.connect(credential, where) as directory:
        caller = await credentials.sign_in(credential, where, source)
        if tenant_id is not None and caller.tenant_id != tenant_id:
            raise Refused(
                f"{source} signs in to the tenant {caller.tenant_id}, but this stack is pinned to "
                f"{tenant_id}.",
                f"Sign in to {tenant_id} (`az login --tenant {tenant_id}`), then try again.",
            )
        yield Session(where, caller, source, directory, there - here)


@asynccontextmanager
async def awaited(name: TargetName, tenant_id: str, patience: Patience) -> AsyncIterator[Session]:
    """Do the same, again and again while the tenant has no time or the connection breaks."""
    async with AsyncExitStack() as opening:
        yield await patience.answered(lambda: opening.enter_async_context(sign_in(name, tenant_id)))
