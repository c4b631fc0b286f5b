"""Until when what a test stack made is to be there: `deleteAfter`, which a sweep goes by. Pure."""

from datetime import datetime, timedelta

from proself_mail.check import Check, Outcome, fail, ok
from proself_mail.config.mending import config_set
from proself_mail.config.settings import Environment, Settings
from proself_mail.schedule import format_instant

NAME = "time limit"
LENGTH = timedelta(days=30)
"""What `init` gives a test stack, and what it gets once more."""
_NOTICE = timedelta(days=7)


def judge(stack: str, settings: Settings, now: datetime) -> Check:
    """Say when a sweep may remove what a stack made; FAIL from then on, a next step before."""
    ends = settings.delete_after
    if settings.environment is Environment.PRODUCTION:
        return ok(NAME, "none, for the stack is for production")
    if ends is None:
        return ok(NAME, "none: no sweep removes what the stack made")
    written = format_instant(ends)
    if ends - now > _NOTICE:
        return ok(NAME, f"no sweep removes what the stack made before {written}")
    longer = config_set(stack, "deleteAfter", format_instant(now + LENGTH))
    next_step = (
        f"`{longer}`, then `proself-mail up --stack {stack}` keeps it for "
        f"{LENGTH.days} days more; once it is not needed, `proself-mail teardown --stack "
        f"{stack}` removes it with the stack's state"
    )
    if ends > now:
        return Check(
            NAME,
            Outcome.OK,
            f"from {written} on a sweep removes what the stack made",
            next_step=next_step,
        )
    over = f"over since {written}: the next sweep removes what the stack made"
    return fail(NAME, over, next_step)
