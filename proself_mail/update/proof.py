"""The proof that an update is done: the tenant says so, several times, and the secret signs in."""

import asyncio
from datetime import timedelta
from typing import NamedTuple

from proself_mail.entra import faq, secret_sign_in
from proself_mail.entra.directory import NotFound
from proself_mail.entra.faq import ReadBack
from proself_mail.entra.patience import AGREEING, Patience
from proself_mail.errors import CheckFailed, RemoteError
from proself_mail.stack.outputs import Outputs
from proself_mail.update.stack_session import StackSession

DRIFT = timedelta(minutes=3)
"""What still differs after so long is hardly a lag any more."""


class _Differing(NamedTuple):
    """A reading that does not hold."""

    shown: str
    mending: str
    """What shows the difference, or mends it, where it is no lag."""


async def read_back(
    at: StackSession, outputs: Outputs, patience: Patience, *, wrote: bool
) -> ReadBack:
    """Read the FAQ's steps back until several readers, asked side by side, show all of them.

    Returns what they show. Raises `CheckFailed` where they differ for good: at
    once where the update wrote nothing and readers agree, else when it is too late for a lag.
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
        wrong = [each for each in seen.steps if not each.holds]
        if not wrong:
            return seen
        shown = "; ".join(f"step {each.label.numbers} ({each.answer})" for each in wrong)
        is_secret_alone = [each.label for each in wrong] == [faq.SECRET]
        return _Differing(shown, rotate if is_secret_alone else refresh)

    clock = asyncio.get_running_loop()
    ends = clock.time() + DRIFT.total_seconds()
    while True:
        looks = await asyncio.gather(*(look() for _ in range(AGREEING)))
        differing = [each for each in looks if isinstance(each, _Differing)]
        if isinstance(looks[-1], ReadBack) and not differing:
            return looks[-1]
        shown, mending = differing[0]
        no_lag = not wrote and not patience.trailing
        if no_lag and len(differing) == AGREEING:
            raise CheckFailed(
                f"The tenant differs from the stack: {shown}.",
                f"{mending}.",
            )
        if clock.time() > ends:
            raise CheckFailed(
                f"The tenant has differed from the stack for {DRIFT.total_seconds() / 60:.0f} "
                f"minutes: {shown}.",
                f"In some minutes `proself-mail up --stack {at.stack.name}` looks again. If that "
                f"says the same, somebody has changed it: {mending} then. Not before: a trailing "
                "reader may not show all that is there.",
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
