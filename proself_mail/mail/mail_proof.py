"""`proself-mail verify --mail`: one mail from the mailbox to itself, as Proself would send it.

A person signs in, the mail goes through Exchange Online, and a refusal is diagnosed. It writes
nothing to the tenant but that mail; the redirect URI that it needs is `up`'s.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from proself_mail.check import Check, Outcome, fail, ok
from proself_mail.config.settings import Settings, open_mail_proof
from proself_mail.diagnosis import explain
from proself_mail.diagnosis.diagnosis import Diagnosis, diagnose, explained
from proself_mail.diagnosis.refusal import Names, Sent
from proself_mail.diagnosis.smtp_replies import CONNECTION, NARROWED
from proself_mail.entra import daemon_thread, session, target
from proself_mail.entra.target import Target
from proself_mail.errors import ConfigurationError, RemoteError
from proself_mail.mail.mail_sign_in import OpenBrowser, SignInRefused, sign_in
from proself_mail.mail.smtp import Server, SmtpRefused, deliver
from proself_mail.secret import Secret
from proself_mail.stack.outputs import Outputs
from proself_mail.verification import verify
from proself_mail.verification.verify import Verified

PATIENCE = timedelta(minutes=5)
"""How long a person has to sign in."""

MARK = "X-Proself-Mail-Proof"
"""The header that marks the mail, with an id of its own."""


@dataclass(frozen=True)
class Person:
    """Where the person is who signs in."""

    open_browser: OpenBrowser
    tell: Callable[[str], None]
    """Hears the sign-in page's address, in case no browser opens."""
    patience: timedelta = PATIENCE


@dataclass(frozen=True)
class Proof:
    """How it ended."""

    checks: Sequence[Check]
    diagnosis: Diagnosis | None
    """None where the mail was accepted."""
    mark: str
    """What the mail is found by."""


async def run(name: str, project: Path, person: Person, relay: Server | None = None) -> Verified:
    """Look at a stack, then send the mail; one verdict on both.

    Raises `ConfigurationError` where the mail proof is not open or its port is taken, `Refused`
    where an embedded tenant's mail would leave this machine, and as `verify.run`.
    """
    known = await verify.read(name, project)
    settings, outputs = known.settings, known.outputs
    if relay:
        target.check_relay(settings.target, relay.host)
    server = relay or Server(*target.smtp_server(settings.target))
    async with session.sign_in(settings.target, str(settings.tenant_id)) as opened:
        check_open(name, settings, opened.tenant_now())
        found = await verify.look(name, known, opened)
        closed = [
            f"“{each.name}”"
            for each in found.checks
            if each.name in ("application", "mail proof's redirect URI")
            and each.outcome is not Outcome.OK
        ]
        if closed:  # nobody could sign in
            why = f"no sign-in and no mail was tried: see {' and '.join(closed)} above"
            untried = (Check(_STEPS[0], Outcome.UNKNOWN, why), *_skipped(1))
            return replace(found, checks=(*found.checks, *untried))
        try:
            proof = await prove(
                opened.target, name, settings, outputs, server, person, opened.tenant_now()
            )
        except RemoteError as error:  # nobody signed in in time, say; what was seen is told still
            said = error.cause.rstrip(".")
            unknown = Check(_STEPS[0], Outcome.UNKNOWN, said, next_step=error.next_step)
            return replace(found, checks=(*found.checks, unknown, *_skipped(1)))
    diagnoses = (proof.diagnosis,) if proof.diagnosis else ()
    return replace(
        found,
        checks=(*found.checks, *proof.checks),
        diagnoses=diagnoses,
        mail_accepted=proof.diagnosis is None,
    )


def check_open(name: str, settings: Settings, now: datetime) -> None:
    """Refuse a mail proof without its redirect URI. Raises `ConfigurationError`."""
    if not settings.proves_mail(now):
        raise ConfigurationError(
            "The mail proof is not open: the application has no redirect URI for this machine.",
            f"`{open_mail_proof(name, now)}`, "
            f"`proself-mail up --stack {name}`, then try again. The first up after that instant "
            "closes it.",
        )


async def prove(
    where: Target,
    name: str,
    settings: Settings,
    outputs: Outputs,
    server: Server,
    person: Person,
    now: datetime,
) -> Proof:
    """Have the mailbox's user sign in and send the mail. Raises as `sign_in`."""
    names = explain.names_of(name, settings, outputs)
    mark = uuid.uuid4().hex
    try:
        token = await sign_in(
            where, settings, outputs, person.open_browser, person.tell, person.patience
        )
    except SignInRefused as refused:
        found = diagnose(str(refused), names)
        return Proof((_failed("mail: sign-in", found), *_skipped(1)), found, mark)
    sent = Sent(settings.mailbox, settings.mailbox, token.signed_in, token.audience, token.scopes)
    if token.signed_in.lower() != settings.mailbox.lower():
        said = f"signed in as {token.signed_in or 'nobody who could be named'}"
        found = explained(NARROWED["signed-in-as-another-user"], said, names)
        return Proof((_failed("mail: sign-in", found), *_skipped(1)), found, mark)
    signed_in = ok("mail: sign-in", f"{token.signed_in}, {', '.join(sorted(token.scopes))}")
    mail = message(settings.mailbox, mark, now)
    checks, refusal = await _send(server, token.token, mail, sent, names)
    return Proof((signed_in, *checks), refusal, mark)


async def _send(
    server: Server, token: Secret, mail: EmailMessage, sent: Sent, names: Names
) -> tuple[Sequence[Check], Diagnosis | None]:
    """Send the mail; tell of each step after the sign-in, and what a refusal means."""
    try:
        accepted = await daemon_thread.run(deliver, server, sent.user, token, mail)
    except SmtpRefused as refused:
        names = replace(names, server=(server.host, server.port))
        if refused.connection:
            found = explained(CONNECTION[refused.connection], refused.said, names)
        else:
            went_out = {
                "connection": None,
                "authentication": replace(sent, sender=""),
                "mail": sent,
            }
            found = diagnose(refused.said, names, went_out[refused.stage])
        passed = {"connection": 0, "authentication": 1, "mail": 2}[refused.stage]
        checks = [ok(step, str(server)) for step in _STEPS[1 : passed + 1]]
        failed = _failed(_STEPS[passed + 1], found)
        return (*checks, failed, *_skipped(passed + 2)), found
    checks = [ok(step, str(server)) for step in _STEPS[1:3]]
    shown = f"from {sent.sender} to itself, {MARK} {mail[MARK]}: {accepted}"
    return (*checks, ok(_STEPS[3], shown)), None


_STEPS = ("mail: sign-in", "mail: encrypted connection", "mail: authentication", "mail: accepted")


def _failed(step: str, found: Diagnosis) -> Check:
    return fail(step, found.said, "see the diagnosis below")


def _skipped(first: int) -> Sequence[Check]:
    return tuple(Check(step, Outcome.UNKNOWN, "not reached") for step in _STEPS[first:])


def message(mailbox: str, mark: str, now: datetime) -> EmailMessage:
    """Write the mail: marked, to the mailbox itself, in both languages."""
    mail = EmailMessage()
    mail["From"] = mail["To"] = mailbox
    mail["Subject"] = "Proself メール送信テスト / mail proof (proself-mail)"
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{mark}@{mailbox.rpartition('@')[2]}>"
    mail[MARK] = mark
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(
        "このメールは proself-mail verify --mail が送信したテストです。Proself のメール設定 "
        "(Exchange Online、SMTP、OAuth) で送信できることを確認しました。削除してかまいません。\n\n"
        "This is a test by proself-mail verify --mail. It shows that mail goes out through "
        "Exchange Online by SMTP with OAuth. You may delete it.\n",
        cte="base64",
    )
    return mail
