"""What `verify` makes of an application that somebody changed since the stack made it."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from proself_mail import facts
from proself_mail.check import Check, Outcome
from proself_mail.config.stamp import Stamp
from proself_mail.entra.directory import ApplicationRecord, ServicePrincipalRecord
from proself_mail.verification import application_checks
from tests.unit.test_settings import good

SETTINGS = good()
TAGS = tuple(Stamp(SETTINGS.stack_id, SETTINGS.environment).tags())
OFFERED = {"Mail.Send": "mail-send", "SMTP.Send": "smtp-send"}
APPLICATION = ApplicationRecord(
    "o", "c", SETTINGS.display_name, None, TAGS, "AzureADMyOrg", ("api://c",),
    (SETTINGS.redirect_uri,), 2, {facts.EXCHANGE_ONLINE_APP_ID: frozenset({"mail-send"})}, (),
)  # fmt: skip
PRINCIPAL = ServicePrincipalRecord("p", "c", SETTINGS.display_name, True, TAGS)


def seen(application: ApplicationRecord, principal: ServicePrincipalRecord = PRINCIPAL) -> Any:
    exchange = ServicePrincipalRecord("e", facts.EXCHANGE_ONLINE_APP_ID, "", True, (), OFFERED)
    return SimpleNamespace(
        stack="prod",
        settings=SETTINGS,
        outputs=SimpleNamespace(redirect_uri=SETTINGS.redirect_uri),
        application=application,
        principal=principal,
        exchange=exchange,
        grants=(),
        at=datetime(2027, 4, 2, tzinfo=UTC),
    )


def drift(**changes: Any) -> Check:
    return application_checks.drift(seen(replace(APPLICATION, **changes)))


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"access_token_version": None}, "its access token version is None, not 2"),
        (
            {"required_access": {**APPLICATION.required_access, "another": frozenset({"x"})}},
            "asks for permissions of another",
        ),
        (
            {
                "required_access": {
                    facts.EXCHANGE_ONLINE_APP_ID: frozenset({"mail-send", "smtp-send", "x"})
                }
            },
            "asks for SMTP.Send too; asks for x too",
        ),
        ({"other_redirect_uris": ("myapp://auth",)}, "further redirect URI myapp://auth"),
    ],
)
def test_what_goes_beyond_the_stack_is_drift(changes: dict[str, Any], detail: str) -> None:
    found = drift(**changes)
    assert (found.outcome, found.detail) == (Outcome.FAIL, detail)


@pytest.mark.parametrize("uri", ["http://localhost/x", "http://127.0.0.1:20587/", "http://[::1]/"])
def test_an_address_of_this_machine_is_the_mail_proofs(uri: str) -> None:
    assert drift(other_redirect_uris=(uri,)).outcome is Outcome.OK
    of = seen(replace(APPLICATION, other_redirect_uris=(uri,)))
    found = application_checks.loopback_redirect_uri(of)
    assert found.outcome is Outcome.FAIL
    assert uri in found.detail


def test_a_service_principal_bears_the_stamp_too() -> None:
    assert application_checks.stamped(seen(APPLICATION)).outcome is Outcome.OK
    other = replace(PRINCIPAL, tags=("proself-mail",))
    found = application_checks.stamped(seen(APPLICATION, other))
    assert found.outcome is Outcome.FAIL
    assert found.detail == "the service principal's differs from the stack"
