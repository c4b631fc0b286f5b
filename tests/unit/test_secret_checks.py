"""What `verify` makes of Entra's answer to the newest secret, and of secrets that are foreign."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from proself_mail.check import Outcome
from proself_mail.entra.directory import ApplicationRecord, PasswordRecord, ServicePrincipalRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.entra.secret_sign_in import SignInRefusal
from proself_mail.schedule import format_instant, open_windows
from proself_mail.stack.state import SECRET_PREFIX, Resource, State
from proself_mail.verification import secret_checks
from tests.unit.test_settings import good


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (
            "Authentication failed: AADSTS90033: A transient error has occurred. Please try again.",
            Outcome.UNKNOWN,
        ),
        ("Cannot connect to host login.microsoftonline.com:443", Outcome.UNKNOWN),
        (
            "Authentication failed: AADSTS7000215: Invalid client secret provided.",
            Outcome.FAIL,
        ),
    ],
)
def test_a_secret_fails_by_a_refusal_that_lasts_alone(said: str, outcome: Outcome) -> None:
    outputs = SimpleNamespace(client_id="of-the-stack", consent_url="")
    seen = SimpleNamespace(
        stack="prod",
        settings=good(),
        outputs=outputs,
        application=None,
        secret_refusal=SignInRefusal(said),
    )
    found = secret_checks.secret_signs_in(cast(Any, seen))
    assert found.outcome is outcome
    assert found.stops
    assert said in found.detail or outcome is Outcome.FAIL


def test_who_pasted_a_secret_that_was_removed_is_led_to_a_new_one_in_both_languages() -> None:
    settings, now = good(), datetime(2027, 9, 1, tzinfo=UTC)
    older, newest = open_windows(settings.entries, now)
    resources = {
        SECRET_PREFIX + window.id: Resource(
            SECRET_PREFIX + window.id,
            f"o/password/{UUID(int=number)}",
            {"endDate": format_instant(window.expires)},
        )
        for number, window in enumerate((older, newest))
    }
    removed = str(UUID(int=1))
    seen = SimpleNamespace(
        stack="prod",
        settings=settings,
        state=State(resources, (), (), {}),
        outputs=SimpleNamespace(newest=SimpleNamespace(key_id=removed, window=newest.id)),
        application=ApplicationRecord(
            "o", "c", "Proself mail", None, (), "AzureADMyOrg", (), (), 2, {},
            (PasswordRecord(str(UUID(int=0)), "x", older.starts, older.expires),),
            Ledger({}, removed).into(""),
        ),
        at=now,
    )  # fmt: skip
    found = secret_checks.secret_in_proself(cast(Any, seen))
    assert "mail has stopped" in found.detail
    for step in (found.next_step, found.next_step_ja):
        assert step.startswith("`proself-mail rotate --now --stack prod`")
        assert "sheet" not in step, "which would show the one that is gone"


@pytest.mark.parametrize(("hours", "left"), [(47, "1 day left"), (49, "2 days left")])
def test_the_last_day_of_a_secret_is_one(hours: int, left: str) -> None:
    settings, now = good(), datetime(2027, 9, 1, tzinfo=UTC)
    newest = SimpleNamespace(
        key_id="of-the-newest",
        window=open_windows(settings.entries, now)[-1].id,
        expires=now + timedelta(hours=hours),
    )
    seen = SimpleNamespace(
        settings=settings,
        state=State({}, (), (), {}),
        outputs=SimpleNamespace(newest=newest),
        application=None,
        at=now,
    )
    assert secret_checks.newest_secret(cast(Any, seen)).detail.endswith(f", {left}")


@pytest.mark.parametrize("of_the_principal", [False, True])
@pytest.mark.parametrize("days_left", [1, 0])
def test_a_foreign_secret_that_has_ended_signs_nobody_in(
    days_left: int, of_the_principal: bool
) -> None:
    now = datetime(2027, 4, 2, tzinfo=UTC)
    foreign = (PasswordRecord("theirs", "x", now, now + timedelta(days=days_left)),)
    its_own, principals = ((), foreign) if of_the_principal else (foreign, ())
    seen = SimpleNamespace(
        stack="dev",
        settings=good(),
        state=State({}, (), (), {}),
        outputs=SimpleNamespace(client_secrets=()),
        application=ApplicationRecord(
            "o", "c", "Proself mail", None, (), "AzureADMyOrg", (), (), 2, {}, its_own
        ),
        principal=ServicePrincipalRecord("p", "c", "Proself mail", True, (), passwords=principals),
        at=now,
    )
    found = secret_checks.foreign_secrets(cast(Any, seen))
    assert found.outcome is (Outcome.FAIL if days_left else Outcome.OK)
    assert ("theirs" in found.detail) is bool(days_left)
