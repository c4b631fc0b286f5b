"""What `verify` makes of Entra's answer to the newest secret."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail import secret_checks
from proself_mail.check import Outcome
from proself_mail.secret_sign_in import SignInRefusal
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
