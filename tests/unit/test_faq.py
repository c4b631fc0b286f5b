"""Every step of the FAQ is held against what the tenant answers; one that is wrong is told."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail import facts
from proself_mail.entra import faq
from proself_mail.entra.credentials import Caller
from proself_mail.entra.directory import (
    ApplicationRecord,
    Forbidden,
    GrantRecord,
    PasswordRecord,
    ServicePrincipalRecord,
)
from proself_mail.entra.faq import Label, ReadBack
from proself_mail.secret import Secret
from proself_mail.stack.client_secret import ClientSecret
from proself_mail.stack.outputs import Outputs
from tests.unit.test_settings import OTHER_TENANT, TENANT, good

ENDS = datetime(2027, 9, 28, tzinfo=UTC)
SETTINGS = good()
CALLER = Caller(TENANT, "caller", "Aki", "client", False, frozenset(), frozenset())
APPLICATION = ApplicationRecord(
    object_id="object",
    client_id="client-id",
    display_name=SETTINGS.display_name,
    created=None,
    tags=(),
    sign_in_audience="AzureADMyOrg",
    identifier_uris=("api://client-id",),
    redirect_uris=("https://proself.example.jp/proself/oauth2callback/smtp",),
    access_token_version=2,
    required_access={facts.EXCHANGE_ONLINE_APP_ID: frozenset({"scope-id"})},
    passwords=(PasswordRecord("key", "Proself SMTP OAuth 2027-04-01", None, ENDS),),
)
EXCHANGE = ServicePrincipalRecord(
    "exchange", facts.EXCHANGE_ONLINE_APP_ID, "Exchange", True, (), {"Mail.Send": "scope-id"}
)
GRANT = GrantRecord("grant", "principal", "exchange", None, frozenset({"Mail.Send"}))
OUTPUTS = Outputs(
    client_id="client-id",
    tenant_id=TENANT,
    application_object_id="object",
    service_principal_object_id="principal",
    identifier_uri="api://client-id",
    redirect_uri=APPLICATION.redirect_uris[0],
    consent_url="https://login.example/adminconsent",
    config_file="none",
    client_secrets=(ClientSecret("w", "key", datetime(2027, 4, 1, tzinfo=UTC), ENDS, Secret("x")),),
)
WHOLE: dict[str, Any] = {
    "application": APPLICATION,
    "exchange": EXCHANGE,
    "grants": (GRANT,),
    "caller": CALLER,
    "outputs": OUTPUTS,
    "settings": SETTINGS,
}


def read(**changes: Any) -> ReadBack:
    """Read back from a tenant with these changes."""
    found = WHOLE | changes

    async def application(_: str) -> ApplicationRecord:
        answer: ApplicationRecord = found["application"]
        return answer

    async def service_principal(client_id: str) -> ServicePrincipalRecord | None:
        own = ServicePrincipalRecord("principal", "client-id", "Proself mail", True, ())
        return found["exchange"] if client_id == facts.EXCHANGE_ONLINE_APP_ID else own

    async def grants(_: str) -> tuple[GrantRecord, ...]:
        answer: tuple[GrantRecord, ...] | Forbidden = found["grants"]
        if isinstance(answer, Forbidden):
            raise answer
        return answer

    directory = SimpleNamespace(
        application=application, service_principal=service_principal, grants=grants
    )
    return asyncio.run(
        faq.read_back(cast(Any, directory), found["caller"], found["settings"], found["outputs"])
    )


def wrong_steps(**changes: Any) -> list[Label]:
    """Read back from a tenant with these changes; return the steps that do not hold."""
    return [step.label for step in read(**changes).steps if not step.holds]


def changed(**values: Any) -> dict[str, ApplicationRecord]:
    return {"application": dataclasses.replace(APPLICATION, **values)}


def test_what_is_as_it_should_be_holds() -> None:
    assert wrong_steps() == []


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({"caller": dataclasses.replace(CALLER, tenant_id=OTHER_TENANT)}, [faq.SIGN_IN]),
        (changed(sign_in_audience="AzureADMultipleOrgs"), [faq.REGISTRATION]),
        (changed(display_name="another"), [faq.REGISTRATION]),
        (changed(identifier_uris=()), [faq.IDENTIFIER_URI]),
        (changed(identifier_uris=("api://another",)), [faq.IDENTIFIER_URI]),
        (changed(required_access={}), [faq.PERMISSIONS]),
        (
            changed(required_access={facts.EXCHANGE_ONLINE_APP_ID: {"scope-id", "more"}}),
            [faq.PERMISSIONS],
        ),
        ({"grants": ()}, [faq.CONSENT]),
        ({"grants": (dataclasses.replace(GRANT, scopes=frozenset()),)}, [faq.CONSENT]),
        ({"grants": (dataclasses.replace(GRANT, principal_id="one user"),)}, [faq.CONSENT]),
        ({"grants": (dataclasses.replace(GRANT, resource_id="Graph"),)}, [faq.CONSENT]),
        ({"exchange": None}, [faq.PERMISSIONS, faq.CONSENT]),
        (changed(redirect_uris=()), [faq.REDIRECT_URI]),
        (changed(redirect_uris=("https://elsewhere.example.jp/",)), [faq.REDIRECT_URI]),
        (changed(passwords=()), [faq.SECRET]),
        (changed(passwords=(PasswordRecord("key", "", None, None),)), [faq.SECRET]),
        ({"outputs": dataclasses.replace(OUTPUTS, tenant_id=OTHER_TENANT)}, [faq.IDS]),
        ({"outputs": dataclasses.replace(OUTPUTS, client_id="another")}, [faq.IDS]),
    ],
)
def test_what_is_wrong_is_told_of_its_step(changes: dict[str, Any], labels: list[Label]) -> None:
    assert wrong_steps(**changes) == labels


def test_a_wider_consent_holds_and_is_named() -> None:
    """No mail fails by it, so no rotation is to stop at it."""
    assert read().further_consent == frozenset()
    wider = dataclasses.replace(GRANT, scopes=GRANT.scopes | {"IMAP.AccessAsUser.All"})
    found = read(grants=(wider,))
    assert all(step.holds for step in found.steps)
    assert found.further_consent == {"IMAP.AccessAsUser.All"}


def test_whether_consent_was_given_is_known_only_where_it_can_be_seen() -> None:
    assert read().is_consented is True
    persons = good(consent="by-administrator")
    assert read(settings=persons).is_consented is True
    assert read(settings=persons, grants=()).is_consented is False
    unseen = Forbidden(403, "Authorization_RequestDenied", "no")
    assert read(settings=persons, grants=unseen).is_consented is None
    elsewhere = good(audience="multi", mailboxTenantId=OTHER_TENANT)
    assert read(settings=elsewhere, grants=()).is_consented is None
