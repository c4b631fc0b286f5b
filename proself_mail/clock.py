"""What time it is, here and at the tenant.

Which secrets should exist is a function of time, so a clock that is wrong here would open or close
one early. A rehearsal may run in another year: `PROSELF_MAIL_CLOCK_OFFSET_SECONDS` moves our clock
as the embedded tenant's is moved, and is refused with the real cloud (`target`).
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from proself_mail import facts
from proself_mail.errors import ConfigurationError
from proself_mail.quantity import quantity
from proself_mail.schedule import format_instant

OFFSET_VARIABLE = "PROSELF_MAIL_CLOCK_OFFSET_SECONDS"


def now(environment: Mapping[str, str] = os.environ) -> datetime:
    """Return the time, to the second, as aware UTC.

    Raises `ConfigurationError` where the variable that moves it is no number of seconds.
    """
    text = environment.get(OFFSET_VARIABLE) or "0"
    try:
        offset = timedelta(seconds=float(text))
        return (datetime.now(UTC) + offset).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"{OFFSET_VARIABLE} is {text!r}, and it is a number of seconds, for rehearsals alone.",
            f"`unset {OFFSET_VARIABLE}`, or set it to such a number.",
        ) from error


def check(here: datetime, tenant: datetime) -> None:
    """Refuse to go on where our clock is far off the tenant's. Raises `ConfigurationError`."""
    off = abs(here - tenant)
    if off > facts.CLOCK_TOLERANCE:
        moved = os.environ.get(OFFSET_VARIABLE)
        raise ConfigurationError(
            f"This machine's clock{f', moved by {OFFSET_VARIABLE},' if moved else ''} says "
            f"{format_instant(here)}, the tenant's "
            f"{format_instant(tenant)}: {_length(off)} apart, and at most "
            f"{_length(facts.CLOCK_TOLERANCE)} are tolerated. Which secrets are made depends on "
            "the time.",
            f"`unset {OFFSET_VARIABLE}`, or move the tenant's clock as far, then try again."
            if moved
            else "Set this machine's clock (enable time synchronisation), then try again.",
        )


def _length(of: timedelta) -> str:
    """Say how long, in the largest unit that there are at least two of."""
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour")):
        if of >= 2 * unit:
            return quantity(round(of / unit), name)
    return quantity(round(of / timedelta(minutes=1)), "minute")
