"""What the checks of `verify` share: how they name what mends, and what they need to be made.

A check that needs the application says UNKNOWN without it; what could not be read is never well.
"""

from collections.abc import Callable

from proself_mail.check import Check, Outcome
from proself_mail.entra.directory import ApplicationRecord
from proself_mail.verification.evidence import Evidence, Unread


def unknown(name: str, unread: Unread, *, required: bool = True) -> Check:
    """Return a check that could not be made."""
    return Check(name, Outcome.UNKNOWN, unread.reason, required, unread.permission)


def up(seen: Evidence) -> str:
    """Name the command that brings the stack up to date."""
    return f"`proself-mail up --stack {seen.stack}`"


def mended_by_refresh(seen: Evidence) -> str:
    """Name the command that mends what somebody changed."""
    return f"`pulumi up --refresh --stack {seen.stack}` shows the difference and mends it"


def of_application(
    name: str,
) -> Callable[[Callable[[Evidence, ApplicationRecord], Check]], Callable[[Evidence], Check]]:
    """Make a check of one that needs the application: without it nothing can be said."""

    def decorate(
        judge: Callable[[Evidence, ApplicationRecord], Check],
    ) -> Callable[[Evidence], Check]:
        def check(seen: Evidence) -> Check:
            if isinstance(seen.application, Unread):
                return unknown(name, seen.application)
            if seen.application is None:
                return Check(name, Outcome.UNKNOWN, "the application is not there")
            return judge(seen, seen.application)

        return check

    return decorate
