"""Questions to the tenant before anything is registered, where the answer is due.

Of the policy on client secrets the plugin asks nobody: it would refuse the secret when the
application, its service principal and the consent are made already. That look is optional, for few
identities may see a policy: what is not told within seconds is left to the plugin (docs/adr/0029).
And an application that the state has lost is made a second time only where the tenant says that the
first is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from infra.made import Made
from proself_mail.check import Outcome
from proself_mail.config.mending import lost_from_state
from proself_mail.config.settings import Settings
from proself_mail.entra import credentials, secret_policy
from proself_mail.entra.directory import Directory, NotFound
from proself_mail.entra.target import Target
from proself_mail.errors import CheckFailed, Refused, sentence

T = TypeVar("T")

_PATIENCE = timedelta(seconds=10)


def check_policy(settings: Settings, stack: str, where: Target, made: Made, now: datetime) -> None:
    """Refuse client secrets that the tenant's policy would refuse. Raises `CheckFailed`."""
    if not secret_policy.is_due(settings.entries, made.ends, now):
        return
    policy = asyncio.run(
        _ask(where, str(settings.tenant_id), lambda tenant: tenant.app_policy(made.application_id))
    )
    if policy is None:
        return
    found = secret_policy.judge(
        policy, stack, settings.entries, made.ends, now, is_made=made.application_id is not None
    )
    if found.outcome is Outcome.FAIL:
        raise CheckFailed(sentence(found.detail), sentence(found.next_step))


def check_not_lost(stack: str, tenant_id: str, where: Target, made: Made) -> None:
    """Refuse a state that has lost its application: a second one would be made. Raises `Refused`.

    A refresh loses it as well, of one that is gone from the tenant; there another is to be made.
    """
    told = made.told_application_id
    if told is None or made.application_id is not None:
        return
    if asyncio.run(_ask(where, tenant_id, lambda directory: _is_there(directory, told))) is False:
        return
    raise Refused(
        f"The outputs of the stack {stack} tell of the application {told}, which its state does "
        "not hold: it was taken out of the state, and a second one would be made.",
        lost_from_state(stack),
    )


async def _is_there(directory: Directory, application_id: str) -> bool:
    try:
        await directory.application(application_id)
    except NotFound:
        return False
    return True


async def _ask(
    where: Target, tenant_id: str, question: Callable[[Directory], Awaitable[T]]
) -> T | None:
    """Return the tenant's answer; None where it cannot be seen."""
    try:
        # With azure-identity 0.5 s, where a secret is due alone.
        from proself_mail.entra import graph

        async with asyncio.timeout(_PATIENCE.total_seconds()):
            credential, source = credentials.choose(where, tenant_id)
            async with graph.connect(credential, where) as directory:
                caller = await credentials.sign_in(credential, where, source)
                if caller.tenant_id != tenant_id:
                    return None
                return await question(directory)
    # What stands in its way is not told: the plugin signs in for itself, by more ways than ours,
    # and has the words for what fails.
    except Exception:
        return None
