"""What must be true before the first write: looked at, never changed.

Each check names the permission that it needs. An identity with the documented least privileges
passes: what only more could see is optional, and unknown to it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from proself_mail import facts
from proself_mail.check import Check, Outcome
from proself_mail.config import time_limit
from proself_mail.config.configuration import permission_not_offered
from proself_mail.config.mending import undeclared
from proself_mail.config.settings import Settings
from proself_mail.config.stamp import stack_tag
from proself_mail.entra import rights, secret_policy
from proself_mail.entra.credentials import Caller
from proself_mail.entra.directory import (
    ApplicationRecord,
    AppPolicy,
    Directory,
    DirectoryError,
    DirectoryQuota,
    Forbidden,
    NotFound,
)
from proself_mail.entra.patience import AGREEING
from proself_mail.errors import Refused
from proself_mail.quantity import quantity
from proself_mail.schedule import open_windows, vanishing
from proself_mail.stack.foreign import foreign_in_state, without_foreign
from proself_mail.stack.lock import Lock
from proself_mail.stack.state import APPLICATION, SERVICE_PRINCIPAL, State
from proself_mail.stack.taint import tainted, untaint
from proself_mail.text.quotation import literal
from proself_mail.update import leftovers
from proself_mail.update.journal import Journal
from proself_mail.update.stack_session import StackSession

_PAUSES = (0, 1, 3)
"""Seconds before each look for an application that no reader showed."""
_SETTLED = timedelta(hours=1)
_STAMP = "left by earlier runs"
_COUNTED = {APPLICATION: "an application", SERVICE_PRINCIPAL: "its service principal"}
"""What a stack makes that counts, by its name in the state."""
_OWN = "how many the identity itself may still make (250 without an administrator's role) is unseen"
"""Graph tells nobody; the refusal is `Directory_QuotaExceeded` (Microsoft, service limits)."""


async def look(
    at: StackSession, asked: Awaitable[AppPolicy] | None = None, no_consent: str = ""
) -> Sequence[Check]:
    """Look at everything that can be told before a write.

    `asked` is what has been asked already, `no_consent` what a person types to leave the consent to
    an administrator where it is not the stack's configuration that is to be changed.
    """
    directory, caller = at.opened.directory, at.opened.caller
    policy = asyncio.ensure_future(asked or directory.app_policy(at.state.application_id))
    try:
        found = await asyncio.gather(
            _tenant(directory, caller),
            _exchange(directory, at.settings, at.stack.name),
            _secrets(policy, at),
            _identifier_uri(policy),
            _quota(directory, at.settings, at.state),
        )
    finally:
        policy.cancel()  # of a look that is broken off
    return (*found, *rights.of(caller, at.settings, at.stack.name, no_consent))


async def application(
    directory: Directory,
    state: State,
    stamped: Sequence[ApplicationRecord],
    stack_id: UUID,
    now: datetime,
    stack: str,
) -> Check:
    """Look whether the application that the state knows is there.

    The engine hears of one that is gone in the words of a lag, which no update would see the end
    of. One that was just made is taken for gone only where the recycle bin shows it.
    """
    name, resource = "application", state.resources.get(APPLICATION)
    if resource is None:
        return Check(name, Outcome.OK, "none in the state yet")
    object_id = resource.graph_id

    async def is_shown(ask: Callable[[str], Awaitable[object]]) -> bool:
        try:
            await ask(object_id)
        except NotFound:
            return False
        return True

    async def is_there() -> bool:
        for pause in _PAUSES:  # one that was restored is in the bin and not, by turns, for a while
            await asyncio.sleep(pause)
            if any(
                await asyncio.gather(*(is_shown(directory.application) for _ in range(AGREEING)))
            ):
                return True
        return False

    if object_id in {each.object_id for each in stamped} or await is_there():
        return Check(name, Outcome.OK, f"{object_id} is in the tenant")
    is_new = not resource.created or now - datetime.fromisoformat(resource.created) < _SETTLED
    try:
        is_binned = await is_shown(directory.deleted_item)
    except Forbidden:
        is_binned = False
    if is_new and not is_binned:
        detail = f"{object_id} was just made, and the tenant does not show it yet"
        return Check(name, Outcome.UNKNOWN, detail, required=False)
    others = leftovers.unknown(state, stamped, stack_id)
    return Check(
        name,
        Outcome.FAIL,
        f"{object_id}, which the state knows, is not in the tenant"
        f"{': it lies in the recycle bin' if is_binned else ''}",
        next_step=leftovers.instead_of_making(others, object_id, stack)
        if others
        else "restore it if it was deleted within 30 days (Entra → App registrations → "
        f"Deleted applications); then, or else, `pulumi up --refresh --stack {stack}` makes what "
        "is missing, and an application that it makes has a new client ID for Proself. If a "
        "teardown removed it, there is nothing to bring back",
    )


def of_stack(
    at: StackSession,
    stamped: Sequence[ApplicationRecord],
    owners: frozenset[str] | DirectoryError | None,
    now: datetime,
    record: Journal | None,
) -> Sequence[Check]:
    """Compare a stack's state, its file and what bears its stamp. Reads nothing.

    `owners` are the object ids of the application's, or why they could not be seen; none where
    they do not matter. `record` is the journal of the update that is to go on; None where another
    one is at work.
    """
    name, caller = at.stack.name, at.opened.caller
    made = [each.created for each in stamped if each.object_id == at.state.application_id]
    # Of an application that has just been made a trailing reader may not show them yet.
    is_settled = any(each is not None and now - each > _SETTLED for each in made)
    return (
        rights.ownership(at.settings, name, caller, owners if is_settled else None),
        # By our clock, as the program opens windows.
        _file_and_state(at.state, at.settings, now - at.opened.skew, name),
        _stamp(at.state, at.settings, stamped, record, name),
    )


def unseen(forbidden: Forbidden) -> Check:
    """Say that what bears the stack's stamp could not be looked for."""
    return Check(
        _STAMP,
        Outcome.UNKNOWN,
        f"{forbidden.code}: needs {rights.LEAST}",
        permission=rights.LEAST,
    )


def _file_and_state(state: State, settings: Settings, now: datetime, stack: str) -> Check:
    """Find live secrets in the state that the stack file does not declare."""
    name = "stack file"
    declared = {window.id for window in open_windows(settings.entries, now)}
    lost = vanishing(state.ends, settings.entries, now)
    if not lost:
        return Check(name, Outcome.OK, f"declares {quantity(len(declared), 'client secret')} now")
    cause, next_step = undeclared(stack, lost, state.ends, settings.entries, now)
    return Check(name, Outcome.FAIL, cause, next_step=next_step, is_guard=True)


def _stamp(
    state: State,
    settings: Settings,
    stamped: Sequence[ApplicationRecord],
    record: Journal | None,
    stack: str,
) -> Check:
    """Say what an update would find of earlier ones; FAIL where it would not know what to do."""
    name = _STAMP
    if state.tainted:
        mending = f"`{untaint(stack, state.tainted)}` keeps what is there; then try again"
        detail = tainted(state.tainted)
        return Check(name, Outcome.FAIL, detail, next_step=mending, is_guard=True)
    if record is None:
        return Check(name, Outcome.UNKNOWN, "another run is at work", required=False)
    try:
        found = leftovers.plan(
            state,
            stamped,
            settings.stack_id,
            record,
            settings.secret_description,
            stack,
            state.made,
        )
    except Refused as refused:
        cause, next_step = refused.cause, refused.next_step
        return Check(name, Outcome.FAIL, cause, next_step=next_step, is_guard=True)
    known = {state.application_id, *state.replaced_applications}
    others = [each for each in stamped if each.object_id not in known]
    shown = ", ".join(each.object_id for each in others)
    seen = [
        f"{quantity(len(others), 'application')} in no state: {shown}"
        if others
        else "no application without a state",
        *([f"{quantity(len(state.pending), 'operation')} cut short"] if state.pending else []),
        *([f"{quantity(len(found.remove), 'client secret')} in no state"] if found.remove else []),
        *found.reports,
    ]
    return Check(name, Outcome.OK, "; ".join(seen))


async def _tenant(directory: Directory, caller: Caller) -> Check:
    async def look() -> Check:
        tenant = await directory.organization()
        return Check("tenant", Outcome.OK, f"{tenant.display_name}, {seen}")

    seen = f"{caller.tenant_id}, signed in as {caller.name}"
    return await _or_unknown("tenant", look, "Organization.Read.All", required=False, seen=seen)


async def _exchange(directory: Directory, settings: Settings, stack: str) -> Check:
    name = facts.EXCHANGE_ONLINE_NAME

    async def look() -> Check:
        exchange = await directory.service_principal(facts.EXCHANGE_ONLINE_APP_ID)
        if exchange is None:
            return Check(
                name,
                Outcome.FAIL,
                "this tenant has no service principal of it: it has no Exchange Online",
                next_step="use a tenant with Exchange Online mailboxes, or give one user a licence "
                "with Exchange Online and wait until it is there",
            )
        offered = exchange.delegated_permissions
        if missing := permission_not_offered(settings.permissions, offered, stack):
            permission, mending = missing
            return Check(
                name,
                Outcome.FAIL,
                f"it offers no delegated permission {literal(permission)}; it offers "
                f"{', '.join(sorted(offered))}",
                next_step=f"`{mending}`",
            )
        return Check(name, Outcome.OK, f"offers {', '.join(settings.permissions)}")

    return await _or_unknown(name, look, rights.LEAST)


async def _secrets(asked: Awaitable[AppPolicy], at: StackSession) -> Check:
    now = at.opened.tenant_now()

    async def look() -> Check:
        return secret_policy.judge(
            await asked,
            at.stack.name,
            at.settings.entries,
            at.state.ends,
            now,
            is_made=at.state.application_id is not None,
        )

    return await _or_unknown(secret_policy.NAME, look, "Policy.Read.All", required=False)


async def _identifier_uri(asked: Awaitable[AppPolicy]) -> Check:
    """Say what restricts Application ID URIs; ours is the default one, which no rule refuses."""
    name = "policy on Application ID URI"

    async def look() -> Check:
        rules = ", ".join(sorted((await asked).identifier_uri_rules)) or "no restriction"
        return Check(name, Outcome.OK, f"{rules}; api://{{client ID}} is allowed by each")

    return await _or_unknown(name, look, "Policy.Read.All", required=False)


async def _quota(directory: Directory, settings: Settings, state: State) -> Check:
    """Say how full the tenant is, and what of this stack's lies in the recycle bin and counts."""
    name = "quota"
    to_make = [its for each, its in _COUNTED.items() if each not in state.resources]

    async def asked() -> DirectoryQuota | DirectoryError:
        try:
            return await directory.quota()
        except DirectoryError as error:
            return error

    quota, binned = await asyncio.gather(asked(), _binned(directory, settings))

    async def look() -> Check:
        if isinstance(quota, DirectoryError):
            raise quota
        seen = "; ".join(
            filter(None, [f"{quota.used} of {quota.total} objects in the tenant", _OWN, binned])
        )
        if to_make and quota.total - quota.used < len(to_make):
            return Check(
                name,
                Outcome.FAIL,
                f"{seen}: no room for {' and '.join(to_make)}",
                next_step="have an administrator purge deleted objects in Entra (App "
                "registrations, Deleted applications), or ask Microsoft for a larger quota",
            )
        return Check(name, Outcome.OK, seen)

    return await _or_unknown(name, look, "Organization.Read.All", required=False, seen=binned)


async def _binned(directory: Directory, settings: Settings) -> str:
    """Say what of this stack lies in the recycle bin; blank for nothing."""
    tag = stack_tag(settings.stack_id)
    try:
        count = sum([1 async for _ in directory.deleted_applications_tagged(tag)])
    except DirectoryError as error:
        return f"the recycle bin is unseen ({error.code})"
    if not count:
        return ""
    return f"the recycle bin holds {quantity(count, 'application')} of this stack, which count"


def clock(skew: timedelta) -> Check:
    """Say how far the tenant's clock is from ours; one that is too far has been refused before."""
    seconds = abs(skew.total_seconds())
    way = "ahead of" if skew > timedelta() else "behind"
    return Check(
        "clock",
        Outcome.OK,
        f"the tenant's is {seconds:.0f} s {way} ours" if seconds else "agrees with the tenant's",
    )


def until(settings: Settings, state: State, stack: str, now: datetime) -> Check:
    """Say when a sweep may remove what the stack made; an update of it is as good as before."""
    return replace(time_limit.judge(stack, settings, state.stamp, now), outcome=Outcome.OK)


def foreign(state: State, stack: str) -> Check:
    """Find what an update would delete because the program does not declare it."""
    name = "foreign resources"
    if not state.foreign:
        return Check(name, Outcome.OK, "none in the state")
    return Check(
        name,
        Outcome.FAIL,
        foreign_in_state(state.foreign),
        next_step=f"{without_foreign(stack, state.foreign)}; then try again",
        is_guard=True,
    )


def lock(name: str, holders: Sequence[Lock] | None) -> Check:
    """Say who holds the stack; none where the backend does not show it before an update."""
    if holders is None:
        return Check(
            "lock",
            Outcome.UNKNOWN,
            "this backend tells only when an update begins, before its first write",
            required=False,
        )
    if alive := [each for each in holders if not each.is_dead and not each.is_abandoned]:
        return Check(
            "lock",
            Outcome.FAIL,
            f"another run holds the stack {name}: {', '.join(map(str, alive))}",
            next_step="wait for it to end; if it is surely gone, `pulumi cancel --stack "
            f"{name}`, then try again",
            is_guard=True,
        )
    if holders:
        return Check("lock", Outcome.OK, f"left by a dead run: {', '.join(map(str, holders))}")
    return Check("lock", Outcome.OK, "free")


async def _or_unknown(
    name: str,
    look: Callable[[], Awaitable[Check]],
    permission: str,
    *,
    required: bool = True,
    seen: str = "",
) -> Check:
    try:
        return await look()
    except DirectoryError as error:
        denied = isinstance(error, Forbidden)
        detail = f"{error.code}: needs {permission}" if denied else error.cause
        return Check(
            name,
            Outcome.UNKNOWN,
            f"{seen}; {detail}" if seen else detail,
            required=required,
            permission=permission,
            next_step="" if denied else error.next_step,
            # A token that is refused was renewed before by the adapter.
            passes_in=error.retry_after if error.passes and error.status != 401 else None,
        )
