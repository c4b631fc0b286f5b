"""The proof that an update is done: the tenant says so, several times, and the secret signs in."""

import asyncio
from datetime import timedelta

from proself_mail import credentials, faq
from proself_mail.directory import NotFound
from proself_mail.errors import CheckFailed
from proself_mail.faq import ReadBack
from proself_mail.patience import AGREEING, Patience
from proself_mail.session import Session
from proself_mail.settings import Settings
from proself_mail.stack import Outputs

DRIFT = timedelta(minutes=3)
"""What still differs after so long is hardly a lag any more."""


async def read_back(
    opened: Session, settings: Settings, outputs: Outputs, patience: Patience, *, wrote: bool
) -> ReadBack:
    """Read the FAQ's steps back until several readers, asked side by side, show all of them.

    Returns what they show. Raises `CheckFailed` where they differ for good: at
    once where the update wrote nothing and readers agree, else when it is too late for a lag.
    """

    async def look() -> ReadBack | str:
        """Return a reading that holds, or what differs."""
        try:
            seen = await patience.told(
                lambda: faq.read_back(opened.directory, opened.caller, settings, outputs)
            )
        except NotFound as error:
            return error.message
        wrong = [each for each in seen.steps if not each.holds]
        return "; ".join(f"step {each.label.numbers} ({each.answer})" for each in wrong) or seen

    clock = asyncio.get_running_loop()
    ends = clock.time() + DRIFT.total_seconds()
    while True:
        looks = await asyncio.gather(*(look() for _ in range(AGREEING)))
        differing = [each for each in looks if isinstance(each, str)]
        if isinstance(looks[-1], ReadBack) and not differing:
            return looks[-1]
        shown = differing[0]
        no_lag = not wrote and not patience.trailing
        if no_lag and len(differing) == AGREEING:
            raise CheckFailed(
                f"The tenant differs from the stack: {shown}.",
                "`pulumi up --refresh --stack S` shows the difference and mends it.",
            )
        if clock.time() > ends:
            raise CheckFailed(
                f"The tenant has differed from the stack for {DRIFT.total_seconds() / 60:.0f} "
                f"minutes: {shown}.",
                "Run it again in some minutes. If that says the same, somebody has changed it: "
                "`pulumi up --refresh --stack S` shows the difference and mends it then. Not "
                "before: a refresh forgets what a trailing reader does not show.",
            )
        if not no_lag:
            patience.trailing = True
            patience.wait_for(f"Entra's readers to show {shown}")
        await patience.moment(0.3)


async def sign_in(opened: Session, outputs: Outputs, patience: Patience) -> None:
    """Sign in with the newest secret, waiting while Entra does not accept it yet."""
    while not await credentials.signs_in(
        opened.target, outputs.tenant_id, outputs.client_id, outputs.newest.value
    ):
        patience.wait_for("Entra to accept the new client secret")
        await patience.moment()
