"""The proof that an update is done: the tenant says so, several times, and the secret signs in."""

import asyncio
from collections.abc import Set
from datetime import timedelta
from typing import NamedTuple

from proself_mail.entra import faq, secret_sign_in
from proself_mail.entra.directory import NotFound
from proself_mail.entra.faq import ReadBack
from proself_mail.entra.patience import AGREEING, Patience
from proself_mail.errors import CheckFailed, RemoteError
from proself_mail.stack.outputs import Outputs
from proself_mail.stack.state import SECRET_KIND
from proself_mail.update.stack_session import StackSession

DRIFT = timedelta(minutes=3)
"""What still differs after so long is hardly a lag any more."""


class _Differing(NamedTuple):
    """A reading that does not hold."""

    shown: str
    mending: str
    """What shows the difference, or mends it, where it is no lag."""
    elsewhere: ReadBack | None = None
    """The reading, where the client secret holds and something else does not."""


async def read_back(
    at: StackSession,
    outputs: Outputs,
    patience: Patience,
    *,
    wrote: Set[str],
    leaves_drift: bool,
) -> ReadBack:
    """Read the FAQ's steps back until several readers, asked side by side, show all of them.

    `wrote` are the types of resources that the update changed. Returns what they show; with drift
    where that is to be left. Raises `CheckFailed` where they differ for good: at once where the
    update wrote nothing that could be why and readers agree, else when it is too late for a lag.
    """
    refresh = f"`pulumi up --refresh --stack {at.stack.name}` shows the difference and mends it"
    # Of a secret that was removed: it proves the new one, which a refresh does not.
    rotate = f"`proself-mail rotate --now --stack {at.stack.name}` makes a new one in its place"

    async def look() -> ReadBack | _Differing:
        """Return a reading that holds, or what differs."""
        try:
            seen = await patience.told(
                lambda: faq.read_back(at.opened.directory, at.opened.caller, at.settings, outputs)
            )
        except NotFound as error:
            return _Differing(error.message, refresh)
        if not seen.drift:
            return seen
        wrong, shown = [each.label for each in seen.drift], faq.shown(seen.drift)
        if faq.SECRET in wrong:
            return _Differing(shown, rotate if wrong == [faq.SECRET] else refresh)
        return _Differing(shown, refresh, seen)

    clock = asyncio.get_running_loop()
    ends = clock.time() + DRIFT.total_seconds()
    # Of all but the secrets: what trails below may be no more than a new one.
    nothing_else_trails = wrote <= {SECRET_KIND} and not patience.trailing
    while True:
        looks = await asyncio.gather(*(look() for _ in range(AGREEING)))
        differing = [each for each in looks if isinstance(each, _Differing)]
        if isinstance(looks[-1], ReadBack) and not differing:
            return looks[-1]
        shown, mending, drifted = differing[0]
        is_elsewhere = all(each.elsewhere for each in differing)
        no_lag = (not wrote and not patience.trailing) or (nothing_else_trails and is_elsewhere)
        is_agreed = no_lag and len(differing) == AGREEING
        if leaves_drift and drifted and is_elsewhere and (is_agreed or clock.time() > ends):
            return drifted
        if is_agreed:
            raise CheckFailed(
                f"The tenant differs from the stack: {shown}.",
                f"{mending}.",
            )
        if clock.time() > ends:
            raise CheckFailed(
                f"The tenant has differed from the stack for {DRIFT.total_seconds() / 60:.0f} "
                f"minutes: {shown}.",
                f"In some minutes `proself-mail up --stack {at.stack.name}` looks again. If that "
                f"says the same, somebody has changed it: {mending} then. Not before: Entra "
                "may not show all of it everywhere yet.",
            )
        if not no_lag:
            patience.trailing = True
            patience.wait_for(f"Entra's readers to show {shown}")
        await patience.moment(0.3)


async def sign_in(
    at: StackSession, outputs: Outputs, patience: Patience, *, wrote_lately: bool
) -> None:
    """Sign in with the newest secret, waiting while Entra does not know it yet.

    Raises `RemoteError` where it is refused for good: at once for a reason that is no lag's, and
    soon where nothing was written that Entra might not know yet; else when it is too late for that.
    """
    clock = asyncio.get_running_loop()
    ends = clock.time() + DRIFT.total_seconds()
    refused = 0
    while True:
        refusal = await secret_sign_in.refusal(
            at.opened.target, outputs.tenant_id, outputs.client_id, outputs.newest.value
        )
        if refusal is None:
            return
        if refusal.passes:
            patience.wait_for(f"an answer to the sign-in ({refusal.said[:160]})")
            await asyncio.sleep(refusal.left_alone.total_seconds())
        else:
            refused += 1
            if wrote_lately and refusal.may_lag and clock.time() < ends:
                patience.wait_for("Entra to accept the new client secret")
            elif not refusal.may_lag or refused >= AGREEING:
                # 0.03 s, which every other update would pay.
                from proself_mail.diagnosis.diagnosis import diagnose
                from proself_mail.diagnosis.explain import names_of

                found = diagnose(refusal.said, names_of(at.stack.name, at.settings, outputs))
                raise RemoteError(
                    "The tenant refuses the application's newest client secret. "
                    f"{found.cause.en} ({found.said}).",
                    found.next_step,
                )
        await patience.moment()
