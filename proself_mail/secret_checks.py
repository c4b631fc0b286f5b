"""The checks of `verify` on client secrets: known, foreign, how long, and whether Entra takes them.

Pure functions of the evidence; no value of a secret is looked at or shown.
"""

from collections.abc import Sequence
from datetime import timedelta

from proself_mail import rotation, rotation_report
from proself_mail.check import Check, Outcome, fail, ok
from proself_mail.diagnosis import diagnose
from proself_mail.directory import ApplicationRecord, PasswordRecord
from proself_mail.errors import Refused
from proself_mail.evidence import Evidence
from proself_mail.explain import names_of
from proself_mail.judging import of_application, up
from proself_mail.ledger import Ledger
from proself_mail.quotation import quoted
from proself_mail.reminder import Level
from proself_mail.schedule import format_instant, open_windows


@of_application("client secrets")
def secrets(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look whether Entra holds every secret that the stack knows."""
    name, listed = "client secrets", {password.key_id for password in found.passwords}
    gone = [secret for secret in seen.outputs.client_secrets if secret.key_id not in listed]
    if gone:
        return fail(
            name,
            "Entra no longer holds "
            + ", ".join(f"{s.key_id} (until {format_instant(s.expires)})" for s in gone),
            f"`pulumi up --refresh --stack {seen.stack}`, which makes a new one for it; then enter "
            "that in Proself",
        )
    if alive := _revoked(seen, found):
        return fail(
            name,
            "Entra still accepts "
            + ", ".join(f"{p.key_id} (until {_until(p)})" for p in alive)
            + ", which the stack file revokes",
            f"`proself-mail rotate --stack {seen.stack}`, which removes it",
        )
    ended = sum(1 for p in found.passwords if p.has_ended(seen.at))
    valid = [secret for secret in seen.outputs.client_secrets if secret.expires > seen.at]
    shown = f"{len(seen.outputs.client_secrets)} known to the stack; valid, the newest first: " + (
        ", ".join(f"{s.key_id} until {format_instant(s.expires)}" for s in reversed(valid))
        or "none"
    )
    return ok(name, f"{shown}, {ended} expired and of no use" if ended else shown)


def _revoked(seen: Evidence, found: ApplicationRecord) -> Sequence[PasswordRecord]:
    try:
        return rotation.plan(seen.settings.entries, seen.state, found, seen.at, seen.at).revoked
    except Refused:
        return ()  # the stack file is too old to say what it revokes; "secret in Proself" says so


def _until(password: PasswordRecord) -> str:
    return format_instant(password.expires) if password.expires else "for ever"


@of_application("foreign client secrets")
def foreign_secrets(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look for secrets that still work and that the stack does not know."""
    name = "foreign client secrets"
    ours, damaged = Ledger.known(found.notes, seen.state.key_ids)
    foreign = [p for p in ours.foreign(found.passwords) if not p.has_ended(seen.at)]
    if not foreign:
        return ok(name, "none")
    shown = ", ".join(
        f"{quoted(p.display_name)!r} (key ID {p.key_id}, until {_until(p)})" for p in foreign
    )
    return fail(
        name,
        f"{len(foreign)} that the stack does not know can sign in as the application: {shown}"
        + "; the application's notes, which may know more, cannot be read" * damaged,
        "find out who made it; if nobody needs it, remove it (Entra → App registrations → "
        f"{quoted(found.display_name)} → Certificates & secrets)",
    )


def newest_secret(seen: Evidence) -> Check:
    """Say how long the newest secret lasts, and whether a newer one is due."""
    name, newest = "newest client secret", seen.outputs.newest
    left = newest.expires - seen.at
    shown = f"{format_instant(newest.expires)}, {max(left, timedelta()).days} days left"
    due = [window for window in open_windows(seen.settings.entries, seen.at) if window.newest]
    if left <= timedelta():
        return fail(
            name,
            f"it ended at {format_instant(newest.expires)}: no mail can be sent with it",
            f"{up(seen)}, then enter the new one in Proself",
        )
    if due and due[0].id != newest.window:
        return fail(
            name,
            f"until {shown}; a new one is due since {format_instant(due[0].starts)}",
            f"{up(seen)}, then enter the new one in Proself",
        )
    return ok(name, f"until {shown}")


@of_application("secret in Proself")
def secret_in_proself(seen: Evidence, found: ApplicationRecord) -> Check:
    """Say which secret Proself has, by what people acknowledged, and when that one ends."""
    name = "secret in Proself"
    try:
        plan = rotation.plan(seen.settings.entries, seen.state, found, seen.at, seen.at)
    except Refused as error:
        return Check(name, Outcome.UNKNOWN, error.cause.rstrip("."), required=False)
    if plan.reminder is None:
        return Check(name, Outcome.UNKNOWN, "none of ours is valid", required=False)
    reminder = plan.reminder
    if reminder.level is Level.OVERDUE:
        what = "the one that Proself has is not valid any more: mail has stopped"
        return fail(name, what, " ".join(rotation_report.person(seen.stack, reminder)))
    if reminder.in_proself is None or not reminder.is_known:
        what = "nobody has said which one it is"
    else:
        words = "the newest" if reminder.in_proself is reminder.newest else "an older one"
        ends = format_instant(reminder.in_proself.expires)
        what = f"{words}, {reminder.in_proself.key_id}, until {ends}"
    due = () if reminder.level is Level.NONE else rotation_report.person(seen.stack, reminder)
    return Check(name, Outcome.OK, what, next_step=" ".join(due))


def secret_signs_in(seen: Evidence) -> Check:
    """Judge what Entra said to the newest secret."""
    name, said = "newest secret signs in", seen.secret_refusal
    if said is None:
        return ok(name, "Entra gave a token for it")
    if "AADSTS" not in said:
        return Check(name, Outcome.UNKNOWN, f"no answer of Entra: {quoted(said)}")
    found = diagnose(said, names_of(seen.stack, seen.settings, seen.outputs))
    steps = " ".join(f"`{command}`" for command in found.commands)
    return fail(name, f"{found.cause.en} ({found.said})", f"{found.fix.en} {steps}".strip())
