"""Until when what a test stack made is to be there: `deleteAfter`, which a sweep goes by. Pure."""

from datetime import datetime, timedelta

from proself_mail.check import Check, Outcome, fail, ok
from proself_mail.config.mending import config_set
from proself_mail.config.settings import Environment, Settings
from proself_mail.config.stamp import Stamp
from proself_mail.schedule import format_instant

NAME = "time limit"
LENGTH = timedelta(days=30)
"""What `init` gives a test stack, and what it gets once more."""
_NOTICE = timedelta(days=7)


def judge(stack: str, settings: Settings, borne: Stamp | None, now: datetime) -> Check:
    """Say when a sweep may remove what a stack made; FAIL from then on, a next step before.

    A sweep goes by `borne`, the stamp that the last update wrote on the application; None before
    the first. The next one writes the configuration's, which counts where it gives less time.
    """
    configured = settings.delete_after
    written = borne.delete_after if borne and borne.environment is Environment.TEST else None
    ends = min(filter(None, (written, configured)), default=None)
    if ends is None:
        if settings.environment is Environment.PRODUCTION:
            return ok(NAME, "none, for the stack is for production")
        return ok(NAME, "none: no sweep removes what the stack made")
    shown = format_instant(ends)
    if ends - now > _NOTICE:
        return ok(NAME, f"no sweep removes what the stack made before {shown}")
    next_step = _next_step(stack, configured, now)
    if ends > now:
        detail = f"from {shown} on a sweep removes what the stack made"
        return Check(NAME, Outcome.OK, detail, next_step=next_step)
    over = f"over since {shown}: the next sweep removes what the stack made"
    return fail(NAME, over, next_step)


def _next_step(stack: str, configured: datetime | None, now: datetime) -> str:
    if configured is None:
        return f"`proself-mail up --stack {stack}` takes the limit away, as it is configured"
    if configured - now > _NOTICE:
        keeps = f"keeps it until {format_instant(configured)}, as it is configured"
        return f"`proself-mail up --stack {stack}` {keeps}"
    longer = config_set(stack, "deleteAfter", format_instant(now + LENGTH))
    return (
        f"`{longer}`, then `proself-mail up --stack {stack}` keeps it for "
        f"{LENGTH.days} days more; once it is not needed, `proself-mail teardown --stack "
        f"{stack}` removes it with the stack's state"
    )
