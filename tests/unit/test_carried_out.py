"""What was changed in a stack's file and not carried out: nobody is shown a mixture of both."""

import traceback
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail.check import Check, Outcome
from proself_mail.config.settings import Settings
from proself_mail.diagnosis import explain
from proself_mail.errors import ConfigurationError
from proself_mail.schedule import format_instant
from proself_mail.stack import carried_out, outputs
from proself_mail.stack.state import (
    APPLICATION,
    CONSENT,
    IDENTIFIER_URI,
    SECRET_PREFIX,
    SERVICE_PRINCIPAL,
    Resource,
    State,
)
from proself_mail.verification import application_checks
from tests.sheets import STACK, VALUE, client_secret, outputs_of
from tests.unit.test_settings import OTHER_TENANT, good


def made(*, consent: bool = True) -> State:
    """The state after an `up` of the good configuration."""
    given = outputs_of(good(), [client_secret()])
    secret = given.newest
    resources: dict[str, dict[str, Any]] = {
        APPLICATION: {
            "signInAudience": "AzureADMyOrg",
            "displayName": good().display_name,
            "requiredResourceAccesses": [{"resourceAccesses": [{"id": "a", "type": "Scope"}]}],
        }
    }
    if consent:
        resources[CONSENT] = {"claimValues": ["Mail.Send"]}
    ids = {
        APPLICATION: f"/applications/{given.application_object_id}",
        SERVICE_PRINCIPAL: f"/servicePrincipals/{given.service_principal_object_id}",
        SECRET_PREFIX + secret.window: f"app/password/{secret.key_id}",
        **({CONSENT: "/oauth2PermissionGrants/g"} if consent else {}),
    }
    return State(
        {name: Resource(name, its, resources.get(name, {})) for name, its in ids.items()},
        (),
        (),
        {
            "clientId": given.client_id,
            "tenantId": given.tenant_id,
            "applicationObjectId": given.application_object_id,
            "servicePrincipalObjectId": given.service_principal_object_id,
            "identifierUri": given.identifier_uri,
            "redirectUri": given.redirect_uri,
            "consentUrl": given.consent_url,
            "configFile": given.config_file,
            "clientSecrets": [
                {
                    "id": secret.window,
                    "keyId": secret.key_id,
                    "starts": format_instant(secret.starts),
                    "expires": format_instant(secret.expires),
                    "value": secret.value.reveal(),
                }
            ],
        },
    )


def test_what_was_carried_out_is_shown() -> None:
    carried_out.check(STACK, good(), made())
    carried_out.check(STACK, good(mailbox="other@example.jp", configFile="none"), made())
    carried_out.check(STACK, good(consent="by-administrator"), made(consent=False))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"server": "new.example.jp"}, "server"),
        ({"tenantId": OTHER_TENANT}, "tenantId"),
        ({"audience": "multi"}, "audience"),
        ({"displayName": "Other"}, "displayName"),
        ({"permissions": ["Mail.Send", "SMTP.Send"]}, "permissions"),
    ],
)
def test_what_was_not_carried_out_is_refused(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"changed since .*\({key}\)") as failed:
        carried_out.check(STACK, good(**changes), made())
    assert f"up --stack {STACK}" in failed.value.next_step


def test_a_consent_that_is_still_to_be_given_or_to_go_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"changed since .*\(consent\), or a part .*"):
        carried_out.check(STACK, good(), made(consent=False))
    left = good(consent="by-administrator")
    with pytest.raises(ConfigurationError, match=r"changed since .*\(consent\)"):
        carried_out.check(STACK, left, made())
    more = good(consent="by-administrator", permissions=["Mail.Send", "SMTP.Send"])
    with pytest.raises(ConfigurationError, match=r"changed since .*\(permissions\)"):
        carried_out.check(STACK, more, made(consent=False))


def test_a_mailbox_that_moved_to_another_tenant_is_told() -> None:
    """An administrator of the one would be sent to where the other's consents."""
    before, after = (
        good(audience="multi", mailboxTenantId=f"{OTHER_TENANT[:-1]}{each}") for each in "67"
    )
    there = outputs_of(before, [client_secret()])
    state = made(consent=False)
    application = state.resources[APPLICATION]
    multi = {**application.outputs, "signInAudience": "AzureADMultipleOrgs"}
    state = replace(
        state,
        resources={**state.resources, APPLICATION: replace(application, outputs=multi)},
        outputs={**state.outputs, "consentUrl": there.consent_url},
    )
    carried_out.check(STACK, before, state)
    with pytest.raises(ConfigurationError, match=r"changed since .*\(mailboxTenantId\)"):
        carried_out.check(STACK, after, state)
    at_home = good(audience="multi", consent="by-administrator")
    with pytest.raises(ConfigurationError, match=r"changed since .*\(mailboxTenantId\)"):
        carried_out.check(STACK, at_home, state)

    def check(settings: Settings) -> Check:
        seen = SimpleNamespace(settings=settings, outputs=there, stack=STACK)
        return application_checks.consent(cast(Any, seen))

    found = check(before)
    assert (found.outcome, found.required) == (Outcome.UNKNOWN, False)
    assert found.next_step.endswith(f" {there.consent_url}"), "an address to be copied"
    for moved in (after, at_home):
        found = check(moved)
        assert found.outcome is Outcome.FAIL
        assert str(moved.mailbox_tenant) in found.detail
        assert found.next_step == f"`proself-mail up --stack {STACK}`"
    expected = explain.expected_of(STACK, after, there)
    assert expected.authority == "https://login.microsoftonline.com"


def test_a_stack_without_outputs_is_told_by_what_it_holds() -> None:
    """They are lost where the engine was stopped; what was made is there all the same."""
    with pytest.raises(ConfigurationError) as told:
        carried_out.check(STACK, good(), replace(made(), outputs={}))
    assert "holds application, consent, secret-" in told.value.cause
    assert f"`proself-mail up --stack {STACK}`" in told.value.next_step
    with pytest.raises(ConfigurationError, match="nothing has been set up yet, or nothing of"):
        carried_out.check(STACK, good(), replace(made(), outputs={}, resources={}))


def test_a_secret_of_the_state_that_the_outputs_lack_is_told() -> None:
    """A part-update by an older stack file left it out: no older one is shown for the newest."""
    newer = Resource(SECRET_PREFIX + "later", f"app/password/{NEWER}", {})
    state = replace(made(), resources={**made().resources, newer.name: newer})
    with pytest.raises(ConfigurationError, match=f"lack .* the client secret {NEWER}") as told:
        carried_out.check(STACK, good(), state)
    assert told.value.next_step.startswith(f"`proself-mail up --stack {STACK}`")
    assert not outputs.are_secrets_told(state)
    assert outputs.are_secrets_told(replace(state, outputs={"clientSecrets": None})), "covered"


def test_what_the_state_has_lost_is_told_before_what_was_changed() -> None:
    """`pulumi state delete`, or `pulumi destroy --target`: no key of the stack's was changed."""
    state = made()
    kept = {name: each for name, each in state.resources.items() if name == SERVICE_PRINCIPAL}
    with pytest.raises(ConfigurationError, match=r"does not hold: the application .*, the client"):
        carried_out.check(STACK, good(), replace(state, resources=kept))
    kept = {name: each for name, each in state.resources.items() if name != APPLICATION}
    with pytest.raises(ConfigurationError, match=r"does not hold: the application [^,]*state"):
        carried_out.check(STACK, good(), replace(state, resources=kept))


def test_verify_tells_a_state_without_what_no_output_tells_of() -> None:
    uri = Resource(IDENTIFIER_URI, "/applications/a/identifierUris/u", {})
    state = replace(made(), resources={**made().resources, uri.name: uri})

    def check(*lost: str, **changes: Any) -> Check:
        left = {name: each for name, each in state.resources.items() if name not in lost}
        seen = SimpleNamespace(
            state=replace(state, resources=left), settings=good(**changes), stack=STACK
        )
        return application_checks.recorded(cast(Any, seen))

    assert check().outcome is Outcome.OK
    assert check(CONSENT, consent="by-administrator").outcome is Outcome.OK
    found = check(CONSENT, IDENTIFIER_URI)
    assert found.outcome is Outcome.FAIL
    assert found.detail == "it does not hold identifier-uri, consent"
    assert check(APPLICATION).outcome is Outcome.FAIL


def test_verify_tells_a_protection_that_was_lifted() -> None:
    """`pulumi state unprotect`, of one or of all, forgotten before the next update."""
    uri = Resource(IDENTIFIER_URI, "/applications/a/identifierUris/u", {})
    state = replace(made(), resources={**made().resources, uri.name: uri})

    def check(*protected: str, environment: str = "production") -> Check:
        found, settings = replace(state, protected=protected), good(environment=environment)
        seen = SimpleNamespace(state=found, settings=settings, stack=STACK)
        return application_checks.protection(cast(Any, seen))

    assert check(APPLICATION, IDENTIFIER_URI, SERVICE_PRINCIPAL).outcome is Outcome.OK
    assert check(environment="test").outcome is Outcome.OK
    assert check(environment="test").detail.startswith("none")
    assert check("proself", APPLICATION, environment="test").detail.startswith("of 2 resources")
    found = check(APPLICATION)
    assert found.outcome is Outcome.FAIL
    assert "lifted from identifier-uri, service-principal:" in found.detail
    assert found.next_step.startswith(f"`proself-mail up --stack {STACK}`")
    assert check().outcome is Outcome.FAIL


NEWER = "99999999-9999-4999-8999-999999999999"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.mark.parametrize(
    "changes",
    [
        {"clientSecrets": UNKNOWN},
        {"clientSecrets": []},
        {"clientSecrets": None},
        {"clientSecrets": {}},
        {"clientSecrets": [UNKNOWN]},
        {"clientSecrets": [{"id": "w", "value": VALUE}]},
        {"clientId": UNKNOWN},
        {"servicePrincipalObjectId": None},
        *({"keys": {key: UNKNOWN}} for key in ("id", "keyId", "starts", "expires", "value")),
        *({"keys": {key: 1}} for key in ("id", "keyId", "starts", "expires", "value")),
    ],
    ids=str,
)
def test_what_a_part_update_left_is_told_as_such(changes: Mapping[str, Any]) -> None:
    """Pulumi keeps a mark for what a `--target` or `--exclude` left unknown."""
    found = dict(made().outputs)
    if keys := changes.get("keys"):
        found["clientSecrets"] = [found["clientSecrets"][0] | keys]
    else:
        found |= changes
    with pytest.raises(ConfigurationError, match="a part-update") as failed:
        outputs.outputs_of(replace(made(), outputs=found), STACK)
    assert failed.value.next_step.startswith(f"`proself-mail up --stack {STACK}`")
    assert VALUE not in "".join(traceback.format_exception(failed.value))
