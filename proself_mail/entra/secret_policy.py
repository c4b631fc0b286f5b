"""What a tenant's policy says to the client secrets that a stack is to make now. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from proself_mail.check import Check, Outcome
from proself_mail.config import lifetime
from proself_mail.entra.directory import AppPolicy
from proself_mail.quantity import quantity
from proself_mail.schedule import SecretsEntry, format_instant, open_windows

NAME = "policy on client secrets"


def is_due(entries: Sequence[SecretsEntry], ends: Mapping[str, datetime], now: datetime) -> bool:
    """Say whether a secret is to be made now; `ends` are of those that are, by window id."""
    return any(window.id not in ends for window in open_windows(entries, now))


def judge(
    policy: AppPolicy,
    stack: str,
    entries: Sequence[SecretsEntry],
    ends: Mapping[str, datetime],
    now: datetime,
    *,
    is_made: bool,
) -> Check:
    """Say whether the secrets that are to be made now may live so long; others live already.

    `ends` are when those end that are made, by their windows' ids; `is_made` says whether the
    application is. The next step is a command for the stack of that name where there is one.
    """
    if not policy.passwords_allowed:
        seen = f"{policy.name} forbids client secrets (passwordAddition)"
        if not is_due(entries, ends, now):
            return Check(NAME, Outcome.OK, f"{seen}; none is to be made now")
        return _refused(policy, seen, _lifting(policy, is_made=is_made))
    if policy.maximum_lifetime_days is None:
        return Check(NAME, Outcome.OK, "it limits no lifetime")
    limit = timedelta(days=policy.maximum_lifetime_days)
    seen = f"a secret may live {quantity(limit.days, 'day')} by {policy.name}"
    if refused := lifetime.too_long(entries, ends, now, limit):
        return _refused(
            policy,
            f"{seen}, and the one of the window {refused[0].id} would live until "
            f"{format_instant(refused[0].expires)}",
            lifetime.way_out(stack, entries, ends, now, limit),
        )
    if entries[-1].lifetime > limit:
        seen += f"; one that is to come, of {entries[-1].lifetime.days}, will be refused"
    return Check(NAME, Outcome.OK, seen)


def _refused(policy: AppPolicy, seen: str, next_step: str) -> Check:
    if not policy.spares_some:
        return Check(NAME, Outcome.FAIL, seen, next_step=next_step)
    # Who bears an attribute of that kind is seen with CustomSecAttributeAssignment.Read.All alone.
    seen += "; whether this identity is exempt from it (excludeActors) is unseen"
    return Check(NAME, Outcome.UNKNOWN, seen, required=False)


def _lifting(policy: AppPolicy, *, is_made: bool) -> str:
    """Say what an administrator does where client secrets are forbidden."""
    if policy.is_own:
        return "have an administrator change that policy"
    if is_made:
        return "have an administrator give the application an app management policy of its own"
    return (
        "have an administrator lift that until the application is there, and give it an app "
        "management policy of its own then"
    )
