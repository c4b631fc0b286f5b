"""Until when what a test stack made is to be there: `deleteAfter`, which a sweep goes by. Pure."""

from datetime import datetime, timedelta

from proself_mail.check import Check, Outcome, fail
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
    the first, which writes what is configured. What is not written yet is told, and counts not.
    """
    configured = settings.delete_after
    ends = _written(borne) if borne else configured
    shown = _shown(settings, ends, now)
    is_soon = ends is not None and ends - now <= _NOTICE
    next_step = _next_step(stack, configured, now) if is_soon else ""
    if ends != configured:
        until = format_instant(configured) if configured else "none"
        shown += f"; `deleteAfter` is {until} in the configuration, which no update has written yet"
        next_step = next_step or f"`proself-mail up --stack {stack}` writes it"
    if ends is not None and ends <= now:
        return fail(NAME, shown, next_step)
    return Check(NAME, Outcome.OK, shown, next_step=next_step)


def _written(borne: Stamp) -> datetime | None:
    return borne.delete_after if borne.environment is Environment.TEST else None


def _shown(settings: Settings, ends: datetime | None, now: datetime) -> str:
    if ends is None:
        if settings.environment is Environment.PRODUCTION:
            return "none, for the stack is for production"
        return "none: no sweep removes what the stack made"
    shown = format_instant(ends)
    if ends <= now:
        return f"over since {shown}: the next sweep removes what the stack made"
    if ends - now <= _NOTICE:
        return f"from {shown} on a sweep removes what the stack made"
    return f"no sweep removes what the stack made before {shown}"


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
