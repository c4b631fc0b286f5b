"""The checks of `verify` on client secrets: known, foreign, how long, and whether Entra takes them.

Pure functions of the evidence; no value of a secret is looked at or shown.
"""

from collections.abc import Sequence
from datetime import timedelta

from proself_mail.check import Check, Outcome, fail, ok
from proself_mail.config.mending import EARLIER_REMOVED, undeclared
from proself_mail.diagnosis.diagnosis import diagnose
from proself_mail.diagnosis.explain import names_of
from proself_mail.entra.directory import ApplicationRecord, PasswordRecord, ServicePrincipalRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.errors import Refused
from proself_mail.quantity import quantity
from proself_mail.rotation import rotation, rotation_report
from proself_mail.rotation.reminder import Level
from proself_mail.schedule import (
    Window,
    format_instant,
    open_windows,
    vanishing,
)
from proself_mail.text.quotation import quoted
from proself_mail.verification.evidence import Evidence
from proself_mail.verification.judging import of_application, up


@of_application("client secrets")
def secrets(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look whether Entra holds every secret that the stack knows."""
    name, listed = "client secrets", {password.key_id for password in found.passwords}
    gone = [secret for secret in seen.outputs.client_secrets if secret.key_id not in listed]
    removed = "Entra no longer holds " + ", ".join(
        f"{s.key_id} (until {format_instant(s.expires)})" for s in gone
    )
    if _is_removed(seen):
        return fail(name, removed, *_anew(seen))
    if alive := _revoked(seen, found):
        return fail(
            name,
            "Entra still accepts "
            + ", ".join(f"{p.key_id} (until {p.until})" for p in alive)
            + ", which the stack file revokes",
            f"`proself-mail rotate --stack {seen.stack}`, which removes it",
        )
    ended = sum(1 for p in found.passwords if p.has_ended(seen.at))
    valid = [secret for secret in seen.outputs.client_secrets if secret.expires > seen.at]
    shown = f"{len(seen.outputs.client_secrets)} known to the stack; valid, the newest first: " + (
        ", ".join(f"{s.key_id} until {format_instant(s.expires)}" for s in reversed(valid))
        or "none"
    )
    # Of an earlier one nothing has to be made good; "secret in Proself" says whether it was there.
    notes = [f"{ended} expired and of no use"] if ended else []
    if gone:
        is_open = any(secret.expires > seen.at for secret in gone)
        notes.append(f"{removed}: {EARLIER_REMOVED}" if is_open else removed)
    return ok(name, ", ".join([shown, *notes]))


def _is_removed(seen: Evidence) -> bool:
    """Say whether Entra is known to hold the newest secret no longer."""
    found = seen.application
    return isinstance(found, ApplicationRecord) and seen.outputs.newest.key_id not in {
        password.key_id for password in found.passwords
    }


def _anew(seen: Evidence) -> tuple[str, str]:
    """Return the step where the newest secret was removed: nothing that can be pasted mends it."""
    return rotation_report.anew(seen.stack, is_due=_due(seen) is not None)


def _revoked(seen: Evidence, found: ApplicationRecord) -> Sequence[PasswordRecord]:
    try:
        plan = rotation.plan(seen.stack, seen.settings.entries, seen.state, found, seen.at, seen.at)
    except Refused:
        return ()  # the stack file is too old to say what it revokes; "secret in Proself" says so
    return plan.secrets.revoked


@of_application("foreign client secrets")
def foreign_secrets(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look for secrets that still work and that the stack does not know.

    The service principal's own are none of the stack's, and sign in as the application too. Of the
    stack's own its state has lost some, which no rotation replaces.
    """
    name = "foreign client secrets"
    ours, damaged = Ledger.known(found.notes, seen.state.made)
    principal = seen.principal if isinstance(seen.principal, ServicePrincipalRecord) else None
    foreign = [p for p in ours.foreign(found.passwords) if not p.has_ended(seen.at)]
    others = [p for p in principal.passwords if not p.has_ended(seen.at)] if principal else []
    revoked = _revoked(seen, found)  # which "client secrets" tells
    told = {secret.key_id for secret in seen.outputs.client_secrets}  # which "state" tells
    lost = [
        p
        for p in ours.lost(found.passwords, seen.state.key_ids)
        if not p.has_ended(seen.at) and p not in revoked and p.key_id not in told
    ]
    if not foreign and not others and not lost:
        return ok(name, "none")
    shown = [f"{quoted(p.display_name)!r} (key ID {p.key_id}, until {p.until})" for p in foreign]
    shown += [
        f"{p.key_id}, the stack's own, which its state has lost (until {p.until})" for p in lost
    ]
    shown += [f"{p.key_id} of the service principal (until {p.until})" for p in others]
    where = f"Entra → App registrations → {quoted(found.display_name)} → Certificates & secrets"
    steps = []
    if lost:
        steps.append(
            "enter the newest in Proself "
            f"(`proself-mail sheet --stack {seen.stack}` shows it), then remove what is lost "
            f"({where})"
        )
    if others and principal:
        by_graph = f"by Graph's removePassword of the service principal {principal.object_id}"
        where = f"{where}; {by_graph}" if foreign else by_graph
    if foreign or others:
        steps.append(f"find out who made it; if nobody needs it, remove it ({where})")
    return fail(
        name,
        f"{len(shown)} that the stack does not know can sign in as the application: "
        + ", ".join(shown)
        + ("; the application's notes, which may know more, cannot be read" if damaged else ""),
        "; ".join(steps),
    )


def newest_secret(seen: Evidence) -> Check:
    """Say how long the newest secret lasts, and whether a newer one is due."""
    name, newest = "newest client secret", seen.outputs.newest
    # No run would do as it says.
    if lost := vanishing(seen.state.ends, seen.settings.entries, seen.at):
        entries = seen.settings.entries
        return fail(name, *undeclared(seen.stack, lost, seen.state.ends, entries, seen.at))
    if _is_removed(seen):
        return fail(name, "it was removed in Entra", *_anew(seen))
    left = newest.expires - seen.at
    days = quantity(max(left, timedelta()).days, "day")
    shown = f"{format_instant(newest.expires)}, {days} left"
    if left <= timedelta():
        return fail(
            name,
            f"it ended at {format_instant(newest.expires)}: no mail can be sent with it",
            f"{up(seen)}, then enter the new one in Proself",
        )
    if due := _due(seen):
        return fail(
            name,
            f"until {shown}; a new one is due since {format_instant(due.starts)}",
            f"{up(seen)}, then enter the new one in Proself",
        )
    return ok(name, f"until {shown}")


def _due(seen: Evidence) -> Window | None:
    """Return the newest open window, where nobody has made its secret yet."""
    newest = next(reversed(open_windows(seen.settings.entries, seen.at)), None)
    return newest if newest and newest.id != seen.outputs.newest.window else None


@of_application("secret in Proself")
def secret_in_proself(seen: Evidence, found: ApplicationRecord) -> Check:
    """Say which secret Proself has, by what people acknowledged, and when that one ends."""
    name = "secret in Proself"
    try:
        plan = rotation.plan(seen.stack, seen.settings.entries, seen.state, found, seen.at, seen.at)
    except Refused as error:
        return Check(name, Outcome.UNKNOWN, error.cause.rstrip("."), required=False)
    if plan.reminder is None:
        return Check(name, Outcome.UNKNOWN, "none that the stack knows is valid", required=False)
    reminder, is_removed = plan.reminder, _is_removed(seen)
    if reminder.level is Level.OVERDUE:
        what = "the one that Proself has is not valid any more: mail has stopped"
    elif reminder.in_proself is None or not reminder.is_known:
        what = "nobody has said which one it is"
    else:
        is_newest = reminder.in_proself is reminder.newest and not is_removed
        words = "the newest" if is_newest else "an older one"
        ends = format_instant(reminder.in_proself.expires)
        what = f"{words}, {reminder.in_proself.key_id}, until {ends}"
    if reminder.level is Level.NONE:
        return ok(name, what)
    english, japanese = rotation_report.person(seen.stack, reminder)
    if is_removed:  # a sheet would show that one
        english, japanese = _anew(seen)
    return Check(
        name,
        Outcome.FAIL if reminder.level.is_red else Outcome.OK,
        what,
        next_step=english,
        next_step_ja=japanese,
        needs_person=reminder.level.is_red,
    )


def secret_signs_in(seen: Evidence) -> Check:
    """Judge what Entra said to the newest secret.

    Of one that was removed it says that it is wrong, which is no reason to paste it once more.
    """
    name = "newest secret signs in"
    refusal = seen.secret_refusal
    if refusal is None:
        return ok(name, "Entra gave a token for it")
    if refusal.passes:
        detail = f"Entra gave neither a token nor a refusal that lasts: {quoted(refusal.said)}"
        return Check(name, Outcome.UNKNOWN, detail, next_step="try again in a minute")
    if _is_removed(seen):
        return fail(name, "it was removed in Entra", *_anew(seen))
    found = diagnose(refusal.said, names_of(seen.stack, seen.settings, seen.outputs))
    return fail(name, f"{found.cause.en} ({found.said})", found.next_step)
