"""What the checks of `verify` share: how they name what mends, and what they need to be made.

A check that needs the application says UNKNOWN without it; what could not be read is never well.
"""

from collections.abc import Callable, Sequence

from proself_mail.check import Check, Outcome
from proself_mail.entra.directory import ApplicationRecord
from proself_mail.update import leftovers
from proself_mail.verification.evidence import Evidence, Unread


def unknown(name: str, unread: Unread, *, required: bool = True) -> Check:
    """Return a check that could not be made."""
    return Check(name, Outcome.UNKNOWN, unread.reason, required, unread.permission)


def up(seen: Evidence) -> str:
    """Name the command that brings the stack up to date."""
    return f"`proself-mail up --stack {seen.stack}`"


def alive_instead(seen: Evidence) -> Sequence[ApplicationRecord]:
    """Return the stack's applications that are there where the one of its state is not."""
    if seen.application is not None or isinstance(seen.stamped, Unread):
        return ()
    return leftovers.unknown(seen.state, seen.stamped or (), seen.settings.stack_id)


def mended_by_refresh(seen: Evidence) -> str:
    """Name the command that mends what somebody changed."""
    if alive_instead(seen):
        return "mend first what the check “application” says: a refresh would make another"
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
