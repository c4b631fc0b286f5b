"""What a rotation decides, and years of it: nobody's mail stops, nothing alive is removed."""

import asyncio
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.rotation_model import Life
from proself_mail.check import Outcome
from proself_mail.cli import rotating
from proself_mail.entra import notes
from proself_mail.entra.directory import (
    ApplicationRecord,
    DirectoryError,
    PasswordRecord,
    Unreadable,
)
from proself_mail.entra.ledger import Damaged, Ledger, merged
from proself_mail.entra.patience import Patience
from proself_mail.errors import CheckFailed, Refused
from proself_mail.rotation import rotate, rotation, rotation_report
from proself_mail.rotation.reminder import Level, LiveSecret, remind
from proself_mail.rotation.sorted_secrets import sort
from proself_mail.schedule import SecretsEntry, format_instant, open_windows
from proself_mail.stack.state import SECRET_PREFIX, Resource, State
from proself_mail.verification import secret_checks
from tests.unit.test_settings import good

DAY = timedelta(days=1)
T0 = datetime(2027, 4, 1, tzinfo=UTC)
ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"


@pytest.mark.parametrize("seed", range(10))
def test_three_years_without_a_failed_sign_in(seed: int) -> None:
    tally = Life(seed).live()
    assert tally.sign_ins > 1000
    assert tally.rotations > 5
    assert tally.removed > 3
    assert tally.refused == 0
    assert tally.removed_alive == 0
    assert tally.most_valid <= 2
    assert tally.most_valid_early <= 3


APPLICATION = ApplicationRecord("app", "client", "mail", None, (), "", (), (), None, {}, ())


@pytest.mark.parametrize(
    ("made_on", "day", "due"), [(0, 1, False), (0, 151, True), (151, 152, False), (151, 181, True)]
)
def test_what_is_foreseen_from_the_state_alone_is_what_the_plan_says(
    made_on: int, day: int, due: bool
) -> None:
    """So that the look before an update may begin before the application has been read."""
    entries, now = [SecretsEntry(T0, 150 * DAY, 30 * DAY)], T0 + day * DAY
    made = [
        Resource(SECRET_PREFIX + each.id, f"app/password/{ONE}", {"endDate": format_instant(end)})
        for each in open_windows(entries, T0 + made_on * DAY)
        for end in [each.expires]
    ]
    told = {"clientSecrets": [{"keyId": ONE}]}
    state = State({each.name: each for each in made}, (), (), told)
    assert rotation.is_update_due(entries, state, now) is due
    assert rotation.plan("dev", entries, state, APPLICATION, now, now).needs_engine is due
    behind = replace(state, outputs={"clientSecrets": [{"keyId": TWO}]})
    assert rotation.is_update_due(entries, behind, now)
    assert rotation.plan("dev", entries, behind, APPLICATION, now, now).needs_engine


def test_what_another_machines_clock_opened_early_is_no_older_file() -> None:
    entries, opens = [SecretsEntry(T0, 150 * DAY, 30 * DAY)], T0 + 150 * DAY
    made = [
        Resource(
            SECRET_PREFIX + w.id, f"app/password/{ONE}", {"endDate": format_instant(w.expires)}
        )
        for w in open_windows(entries, opens)
    ]
    state, now = State({each.name: each for each in made}, (), (), {}), opens - timedelta(minutes=2)
    with pytest.raises(Refused) as refused:
        rotation.plan("dev", entries, state, APPLICATION, now, now)
    assert "older than the state" not in refused.value.cause
    assert "whose windows open at 2027-08-29T00:00:00Z" in refused.value.cause
    assert refused.value.next_step.startswith("Try again after 2027-08-29T00:00:00Z; ")


def test_a_planned_rotation_is_taken_away_by_a_line_and_never_waited_for_after_a_leak() -> None:
    settings = good(
        secrets=[
            {"from": "2027-04-01T00:00:00Z", "everyDays": 150, "overlapDays": 30},
            {"from": "2027-06-01T00:00:00Z", "everyDays": 90, "overlapDays": 20},
        ]
    )
    plan = cast(Any, SimpleNamespace(now=datetime(2027, 5, 1, tzinfo=UTC)))
    with pytest.raises(Refused) as refused:
        rotate._check_room(plan, rotate.Append.NOW, settings, "prod")
    assert "`pulumi config rm --path 'secrets[1]' --stack prod`" in refused.value.next_step
    rotate._check_room(plan, rotate.Append.REVOKE, settings, "prod")


def secret(key: str, starts: datetime) -> LiveSecret:
    window = f"{starts:%Y%m%dT%H%M%SZ}"
    return LiveSecret(key, window, starts + 180 * DAY, 30 * DAY)


OLD, NEW = secret(ONE, T0), secret(TWO, T0 + 150 * DAY)
LATER = secret("33333333-3333-4333-8333-333333333333", T0 + 300 * DAY)
SHORT = replace(NEW, expires=OLD.expires - 60 * DAY)


@pytest.mark.parametrize(
    ("live", "pasted", "days", "first", "level", "english"),
    [
        ([OLD], None, 1, True, Level.NOTICE, "records so"),
        ([OLD], ONE, 1, True, Level.NONE, "Nobody has to act"),
        ([OLD, NEW], ONE, 150, True, Level.NOTICE, "Mail stops at 2027-09-28"),
        ([OLD, NEW], ONE, 165, True, Level.URGENT, "Soon: Mail stops"),
        ([OLD, NEW], None, 150, True, Level.NOTICE, "if Proself still has the older"),
        ([OLD, NEW], None, 170, True, Level.URGENT, "Soon: Mail stops"),
        ([OLD, NEW], TWO, 170, True, Level.NONE, "Nobody has to act"),
        ([NEW], ONE, 181, False, Level.OVERDUE, "Mail has stopped"),
        ([NEW], None, 181, False, Level.URGENT, "if no newer one was pasted"),
        ([NEW, LATER], None, 300, False, Level.URGENT, "if no newer one was pasted"),
        ([NEW, LATER], TWO, 300, False, Level.NOTICE, "Mail stops at 2028-02-25"),
        ([OLD, SHORT], None, 1, True, Level.NOTICE, "Mail stops at 2027-09-28"),
        ([OLD, SHORT], ONE, 1, True, Level.NOTICE, "Mail stops at 2027-09-28"),
        ([OLD, SHORT], TWO, 1, True, Level.NONE, "Nobody has to act"),
    ],
)
def test_reminders_sharpen(
    live: list[LiveSecret], pasted: str | None, days: int, first: bool, level: Level, english: str
) -> None:
    reminder = remind(live, (), pasted, T0 + days * DAY, first=first)
    assert reminder.level is level
    told, japanese = rotation_report.person("contoso.test", reminder)
    assert english in told
    assert "シークレット" in japanese
    if "Paste" in told:  # by what the sheet shows of it
        key_id, ends = live[-1].key_id, format_instant(live[-1].expires)
        assert f"(key ID {key_id}, until {ends})" in told
        ends = ends.replace("T", " ").replace("Z", " UTC")
        assert f"(キー ID {key_id}、{ends} まで有効)" in japanese
        assert live[-1].window not in told + japanese
    assert not re.search(r"\dZ", japanese), "Japanese says in words that it is UTC"
    assert not re.search(r"\[|Proself[^ -]", japanese.replace("proself-mail", "")), japanese
    assert rotation_report.title("contoso.test", reminder)


def test_one_that_the_state_lost_may_be_in_proself_if_it_is_no_newer() -> None:
    """Whichever of them ends first."""
    of_lost = remind([SHORT], [OLD], None, T0, first=True)
    assert (of_lost.level, of_lost.in_proself) == (Level.NOTICE, OLD)
    behind = remind([OLD], [NEW], None, T0, first=True)
    assert (behind.level, behind.in_proself) == (Level.NOTICE, OLD)


@pytest.mark.parametrize(
    ("pasted", "days", "level", "english"),
    [
        (TWO, 1, Level.NOTICE, "Mail stops at 2027-09-28T00:00:00Z, when the client secret"),
        (TWO, 170, Level.URGENT, "Soon: Mail stops"),
        (None, 1, Level.NOTICE, "if Proself still has the older"),
        (ONE, 1, Level.NONE, "Nobody has to act"),
    ],
)
def test_mail_has_not_stopped_while_the_secret_of_proself_signs_in(
    pasted: str | None,
    days: int,
    level: Level,
    english: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The state has lost it, and another of the same window stands in its place."""
    entries, now = [SecretsEntry(T0, 150 * DAY, 30 * DAY)], T0 + days * DAY
    made = Resource(
        SECRET_PREFIX + OLD.window, f"app/password/{ONE}", {"endDate": format_instant(OLD.expires)}
    )
    lost = PasswordRecord(TWO, "", T0, OLD.expires)
    application = replace(
        APPLICATION,
        notes=Ledger({ONE: OLD.window, TWO: OLD.window}, pasted).into(""),
        passwords=(PasswordRecord(ONE, "", T0, OLD.expires), lost),
    )
    state = State({made.name: made}, (), (), {})
    plan = rotation.plan("dev", entries, state, application, now, now)
    assert plan.reminder
    assert plan.reminder.level is level
    assert english in rotation_report.person("contoso.test", plan.reminder)[0]
    assert plan.secrets.lost == (lost,)
    assert any(TWO in note and "remove it in Entra" in note for note in rotation_report.notes(plan))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert plan.dying == (TWO, ONE)
    assert "remove it in Entra" not in "".join(rotation_report.plan(plan, revokes=True))
    with pytest.raises(Refused, match="was not confirmed"):
        rotating._confirm_revocation(plan, "dev")
    asked = " ".join(capsys.readouterr().err.split())
    assert f"die as soon as a new one is proven: {TWO}, {ONE}." in asked
    emptied = rotation.plan("dev", entries, State({}, (), (), {}), application, now, now)
    assert set(emptied.dying) == {ONE, TWO}, "as `pulumi destroy` leaves it"
    lines = rotation_report.plan(emptied, revokes=True)
    assert all(line.startswith("Window ") for line in lines), "nothing to make, nor to remove later"
    ended = rotation.plan(
        "dev", entries, State({}, (), (), {}), application, OLD.expires, OLD.expires
    )
    assert ended.secrets.lost == ()
    assert lost in ended.secrets.expired


def test_a_foreign_secret_that_ends_with_a_revoked_window_may_be_the_leaked_one() -> None:
    entry, now = SecretsEntry(T0, 150 * DAY, 30 * DAY), T0 + 20 * DAY
    entries = [entry, SecretsEntry(T0 + 10 * DAY, 150 * DAY, 30 * DAY, revokes_earlier=True)]
    [window] = open_windows([entry], T0)
    leaked, other = (
        PasswordRecord(ONE, "", T0, window.expires),
        PasswordRecord(TWO, "", T0, window.expires + DAY),
    )
    nothing, both = State({}, (), (), {}), (leaked, other)
    unknown = sort(entries, nothing, both, Ledger(), now, now)
    assert (unknown.foreign, unknown.suspects, unknown.revoked) == (both, (leaked,), ())
    known = sort(entries, nothing, both, Ledger({ONE: window.id}), now, now)
    assert (known.foreign, known.suspects, known.revoked) == ((other,), (), (leaked,))


@pytest.mark.parametrize(
    ("pasted", "day", "words"),
    [
        (None, 1, "There is time: the client secret that Proself may have is good for 179 days"),
        (ONE, 1, "Nobody has to act. The client secret in Proself is good for 179 days"),
        (ONE, 150, "There is time: the client secret that Proself may have is good for 30 days"),
        (ONE, 166, "A person must act within 14 days"),
        (ONE, 179, "A person must act within 1 day, until"),
    ],
)
def test_a_person_must_only_where_the_exit_code_says_so_too(
    pasted: str | None, day: int, words: str
) -> None:
    entries = [SecretsEntry(T0, 150 * DAY, 30 * DAY)]
    now = T0 + day * DAY
    made = {SECRET_PREFIX + OLD.window: f"app/password/{ONE}"}
    if day > 150:
        made[SECRET_PREFIX + NEW.window] = f"app/password/{TWO}"
    ends = {ONE: OLD.expires, TWO: NEW.expires}
    resources = {
        name: Resource(name, id_, {"endDate": format_instant(ends[id_.rpartition("/")[2]])})
        for name, id_ in made.items()
    }
    application = replace(
        APPLICATION,
        notes=Ledger({ONE: OLD.window, TWO: NEW.window}, pasted).into(""),
        passwords=tuple(PasswordRecord(key, "", None, end) for key, end in ends.items()),
    )
    plan = rotation.plan("dev", entries, State(resources, (), (), {}), application, now, now)
    [told] = rotation_report.days_left(plan)
    assert told.startswith(words)
    assert plan.reminder is not None
    assert plan.reminder.level.is_red is ("must" in told)
    refused = CheckFailed("owners: <b> is none.", "have somebody who owns it run `x`")
    failed = rotation_report.failure("contoso.test", refused, plan)
    assert "owners: \\<b\\> is none.\n\nNext: Have somebody who owns it run `x`.\n" in failed
    assert told in failed
    is_due = plan.reminder.level is not Level.NONE
    assert ("`proself-mail rotate --acknowledge" in failed) is is_due, "the issue keeps saying so"
    assert (rotation_report.still_to_do(plan) is not None) is is_due


def test_a_rotation_alone_lowers_no_alarm() -> None:
    """What Proself has changed nothing by it; a run says the same before and after it."""
    entries = [SecretsEntry(T0, 150 * DAY, 30 * DAY)]
    [two] = open_windows(entries, T0 + 299 * DAY)
    now = T0 + 300 * DAY
    passwords = [PasswordRecord(TWO, "", None, two.expires)]
    resources = {}
    said: list[str] = []
    for key in (TWO, ONE):
        newest = open_windows(entries, now)[-1] if key == ONE else two
        name = SECRET_PREFIX + newest.id
        ends = {"endDate": format_instant(newest.expires)}
        resources[name] = Resource(name, f"app/password/{key}", ends)
        passwords.append(PasswordRecord(key, "", None, newest.expires))
        application = replace(APPLICATION, passwords=tuple(passwords))
        state = State(dict(resources), (), (), {})
        plan = rotation.plan("dev", entries, state, application, now, now)
        assert plan.reminder
        assert plan.reminder.level is Level.URGENT
        said += rotation_report.days_left(plan)
        assert "mail may have stopped" in rotation_report.title("dev", plan.reminder)
    assert len(set(said)) == 1
    noted = replace(application, notes=Ledger({}, pasted=TWO).into(""))
    plan = rotation.plan("dev", entries, state, noted, now, now)
    assert plan.reminder
    assert plan.reminder.level is Level.NOTICE, "until somebody says"


def test_the_ledger_stands_beside_what_people_write() -> None:
    ledger = Ledger({ONE: OLD.window, TWO: NEW.window}, ONE)
    text = ledger.into("Call Sato first.\nThen Suzuki.")
    assert text.startswith("Call Sato first.\nThen Suzuki.\n")
    assert Ledger.read(text) == ledger
    fewer = ledger.keeping(frozenset({TWO}))
    assert Ledger.read(fewer.into(text)) == replace(ledger, made={TWO: NEW.window})
    assert fewer.into(text).count("proself-mail: ") == 1
    assert Ledger.read("") == Ledger()
    assert len(ledger.into("")) < 250


@pytest.mark.parametrize(
    ("refused", "next_step"),
    [
        (DirectoryError(400, "Request_BadRequest", "x"), "Shorten the application's"),
        (Unreadable("a page", 400), "check that no proxy stands between"),
    ],
)
def test_notes_that_graph_itself_refuses_are_to_be_shortened(
    refused: DirectoryError, next_step: str
) -> None:
    """How long they may be is not documented."""
    application = replace(APPLICATION, notes="Call Sato first.")

    async def set_notes(*_: object) -> None:
        raise refused

    async def write() -> None:
        directory = cast(Any, SimpleNamespace(set_notes=set_notes))
        await notes.write(directory, Patience(print), application, Ledger({ONE: OLD.window}), "")

    with pytest.raises(DirectoryError, match=next_step):
        asyncio.run(write())


@pytest.mark.parametrize(
    "line",
    [
        *("", "{}", "[]", '{"made":{"x":"y"}}', '{"made":{},"pasted":"x"}', '{"made":1}'),
        "[" * 2000,
    ],
)
def test_a_damaged_ledger_is_unknown_and_not_empty(line: str) -> None:
    with pytest.raises(Damaged):
        Ledger.read(f"proself-mail: {line}")
    good = Ledger().into("")
    with pytest.raises(Damaged):
        Ledger.read(f"{good}\n{good}")


def test_what_notes_lost_comes_back_and_what_came_since_stays() -> None:
    old = Ledger({ONE: OLD.window}, ONE).into("Call Sato first.")
    assert merged("", old) == merged(old, "") == merged(old, old) == old
    since = Ledger({TWO: NEW.window}).into("Call Suzuki.")
    both = merged(since, old)
    assert both.startswith("Call Suzuki.\n")
    assert Ledger.read(both) == Ledger({ONE: OLD.window, TWO: NEW.window}, ONE)
    later = Ledger({TWO: NEW.window}, TWO).into("")
    assert Ledger.read(merged(later, old)).pasted == TWO, "what was said last counts"
    assert merged("proself-mail: {", old) == "proself-mail: {", "nobody's to repair"


def test_a_secret_that_only_the_outputs_tell_of_is_the_stacks_own() -> None:
    """Taken out of the state, as by `pulumi state move`, before anything was acknowledged."""
    now, entries = T0 + DAY, [SecretsEntry(T0, 150 * DAY, 30 * DAY)]
    [window] = open_windows(entries, now)
    told = {"clientSecrets": [{"id": window.id, "keyId": ONE}]}
    state = State({}, (), (), told)
    own = PasswordRecord(ONE, "Proself SMTP OAuth 2027-04-01", T0, window.expires)
    theirs = replace(own, key_id=TWO)
    application = replace(APPLICATION, passwords=(own, theirs))
    plan = rotation.plan("dev", entries, state, application, now, now)
    assert [each.key_id for each in plan.secrets.foreign] == [TWO]
    assert [each.key_id for each in plan.secrets.lost] == [ONE]
    assert plan.noted.ledger.made == {ONE: window.id}, "which the notes are to remember"
    seen = SimpleNamespace(
        state=state,
        settings=SimpleNamespace(entries=entries),
        outputs=SimpleNamespace(client_secrets=[SimpleNamespace(key_id=ONE)]),
        principal=None,
        at=now,
        application=application,
        stack="dev",
    )
    found = secret_checks.foreign_secrets(cast(Any, seen))
    assert TWO in found.detail
    assert ONE not in found.detail, "`state` tells, with a better way out"
    seen.application = replace(application, passwords=(own,))
    assert secret_checks.foreign_secrets(cast(Any, seen)).outcome is Outcome.OK


def test_only_the_newest_of_two_that_were_made_is_said_to_be_proven() -> None:
    """An update signs in with that one."""
    now, entry = T0 + 10 * DAY, SecretsEntry(T0, 150 * DAY, 30 * DAY)
    entries = [entry, replace(entry, starts=T0 + 9 * DAY)]
    plan = rotation.plan("dev", entries, State({}, (), (), {}), APPLICATION, now, now)
    older, newest = (each.id for each in plan.add)
    done = SimpleNamespace(before=plan, after=plan, removed=(), done=None, appended_to=None)
    first, second, *_ = rotation_report.end(cast(Any, done))
    assert first.startswith(f"Made: the client secret of the window {older}")
    assert second.startswith(f"Made and proven: the client secret of the window {newest}")


def test_the_name_of_a_foreign_secret_is_text_in_the_summary() -> None:
    """Which becomes an issue: it calls nobody and leads nowhere."""
    now, name = T0 + DAY, "@org/admins [sign in](https://evil.example) <img src=x>"
    [window] = open_windows([SecretsEntry(T0, 150 * DAY, 30 * DAY)], now)
    values = {"endDate": format_instant(window.expires)}
    made = Resource(SECRET_PREFIX + window.id, f"app/password/{ONE}", values)
    foreign = PasswordRecord(TWO, name, T0, T0 + 20 * DAY)
    state = State({made.name: made}, (), (), {})
    entries = [SecretsEntry(T0, 150 * DAY, 30 * DAY)]
    plan = rotation.plan(
        "dev", entries, state, replace(APPLICATION, passwords=(foreign,)), now, now
    )
    assert [each.key_id for each in plan.secrets.foreign] == [TWO]
    done = SimpleNamespace(before=plan, after=plan, removed=(), done=None, appended_to=None)
    page = rotation_report.summary("contoso.test", "t", cast(Any, done))
    [line] = [each for each in page.splitlines() if TWO in each]
    assert "`'@org/admins` \\[sign `in](https://evil.example)` \\<img src=x\\>" in line
    assert line.endswith("is left alone.")
    due = rotation.plan(
        "dev", entries, State({}, (), (), {}), replace(APPLICATION, passwords=(foreign,)), now, now
    )
    [note] = rotation_report.notes(due)
    assert note.endswith("unless an update that was cut short made it")
