"""`proself-mail verify`: it sees what is wrong, says what mends it, and writes nothing.

What differs by the tenant or by a setting alone is looked at without a process for each
(`tests.looking`); the rest is the command's.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from proself_mail import facts
from proself_mail.config.settings import Consent
from tests.journey import Journey, instant
from tests.looking import Look, looking
from tests.tenant import Tenant

ROLES = (
    "Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "User.ReadWrite.All"
)  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """One stack that is up, for all tests of the module: each puts back what it changes."""
    with Tenant("--deployer-role", *ROLES) as tenant:
        journey = Journey(tenant, tmp_path_factory.mktemp("verify"))
        journey.environment["COLUMNS"] = "80"
        journey.make_stack("dev")
        done = journey.up("dev")
        assert done.returncode == 0, done.stdout
        yield journey


@pytest.fixture(scope="module")
def look(stack: Journey) -> Iterator[Look]:
    """Look at the stack, look that nothing was written, and return the checks by name."""
    with looking(stack, "dev") as report:

        def checks(code: int = 1, **how: Any) -> dict[str, Any]:
            before = stack.mark()
            found = report(**how)
            assert found["exit_code"] == code, found
            return checks_of(stack, before, found, json.dumps(found))

        yield checks


def verify(journey: Journey, *stacks: str, code: int = 0) -> dict[str, Any]:
    """Verify, look that nothing was written, and return the checks by name."""
    before = journey.mark()
    done = journey.proself_mail("verify", *(stacks or ("--stack", "dev")), "--json")
    assert done.returncode == code, done.stdout + done.stderr
    [found] = json.loads(done.stdout)["stacks"]
    return checks_of(journey, before, found, done.stdout + done.stderr)


def checks_of(journey: Journey, before: int, found: dict[str, Any], said: str) -> dict[str, Any]:
    assert journey.writes(before) == []
    for secret in journey.tenant.secrets():
        assert secret not in said
    return {check["name"]: check for check in found["checks"]}


def wrong(checks: dict[str, Any]) -> dict[str, str]:
    return {name: check["detail"] for name, check in checks.items() if check["outcome"] == "FAIL"}


def test_a_stack_that_is_up_is_as_it_should_be(stack: Journey) -> None:
    checks = verify(stack, "--all")  # of which there is one
    assert {check["outcome"] for check in checks.values()} == {"OK"}
    assert "time limit" in checks
    assert list(checks)[:5] == [
        "application", "account type", "application ID URI", "permissions", "consent"
    ]  # fmt: skip


def test_what_a_person_sees_fits_the_terminal(stack: Journey) -> None:
    done = stack.proself_mail("verify", "--stack", "dev")
    assert "All is as it should be (23 checks); nothing was written." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, 0, "The address matches the stack. このアドレスはスタックの設定と一致しています。"),
        ({"redirect_uri": "https://proself/proself/oauth2callback/smtp"}, 1, "AADSTS50011"),
    ],
)
def test_a_sign_in_address_is_compared_with_the_stack(
    stack: Journey, changes: dict[str, str], code: int, said: str
) -> None:
    outputs = stack.outputs("dev")
    asked = {
        "client_id": outputs["clientId"],
        "response_type": "code",
        "redirect_uri": outputs["redirectUri"],
        "scope": "https://outlook.office.com/Mail.Send offline_access",
    } | changes
    path = f"{outputs['tenantId']}/oauth2/v2.0/authorize?{urlencode(asked)}"
    address = f"{stack.tenant.authority}/{path}"
    before = stack.mark()
    done = stack.proself_mail("explain", "--stack", "dev", address)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join(done.stdout.split())
    assert stack.tenant.history(before) == []


@pytest.fixture
def app(stack: Journey) -> Iterator[str]:
    """Give the application's path; what a test patches is put back from what was read."""
    path = f"/applications/{stack.outputs('dev')['applicationObjectId']}"
    before = stack.tenant.ask("GET", path)
    yield path
    kept = ("displayName", "identifierUris", "web", "spa", "api", "tags", "requiredResourceAccess",
            "signInAudience")  # fmt: skip
    stack.tenant.ask("PATCH", path, {key: before[key] for key in kept})


CALLBACK = "https://proself.example.jp/proself/oauth2callback/smtp"
GRAPH_ACCESS = {
    "resourceAppId": "00000003-0000-0000-c000-000000000000",
    "resourceAccess": [{"id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope"}],
}


@pytest.mark.parametrize(
    ("change", "check", "detail"),
    [
        ({"displayName": "Other"}, "drift", "its name is 'Other'"),
        ({"signInAudience": "AzureADMultipleOrgs"}, "account type", "AzureADMultipleOrgs"),
        ({"identifierUris": []}, "application ID URI", "is missing"),
        ({"requiredResourceAccess": []}, "permissions", "Mail.Send is missing"),
        ({"requiredResourceAccess": [GRAPH_ACCESS]}, "permissions", "Mail.Send is missing"),
        ({"web": {"redirectUris": []}}, "redirect URI", "there is none"),
        (
            {"web": {"redirectUris": [CALLBACK, "https://evil.example/"]}},
            "drift",
            "further redirect URI https://evil.example/",
        ),
        (
            {"web": {"redirectUris": [CALLBACK, "http://localhost:20587/proself-mail"]}},
            "mail proof's redirect URI",
            "20587",
        ),
        ({"spa": {"redirectUris": ["http://localhost/x"]}}, "mail proof's redirect URI", "/x"),
        ({"tags": ["proself-mail"]}, "stamp", "the application's differs"),
    ],
)
def test_a_changed_application_is_seen(
    stack: Journey, look: Look, app: str, change: dict[str, Any], check: str, detail: str
) -> None:
    stack.tenant.ask("PATCH", app, change)
    checks = look()
    assert detail in wrong(checks)[check]
    assert "--stack dev" in checks[check]["next_step"]


def test_a_foreign_secret_is_reported_by_its_key_id(stack: Journey, app: str) -> None:
    made = stack.tenant.ask(
        "POST", f"{app}/addPassword", {"passwordCredential": {"displayName": "x"}}
    )
    try:
        checks = verify(stack, code=1)
    finally:
        stack.tenant.ask("POST", f"{app}/removePassword", {"keyId": made["keyId"]})
    assert list(wrong(checks)) == ["foreign client secrets"]
    assert made["keyId"] in checks["foreign client secrets"]["detail"]
    principal = f"/servicePrincipals/{stack.outputs('dev')['servicePrincipalObjectId']}"
    made = stack.tenant.ask("POST", f"{principal}/addPassword", {"passwordCredential": {}})
    try:
        checks = verify(stack, code=1)
    finally:
        stack.tenant.ask("POST", f"{principal}/removePassword", {"keyId": made["keyId"]})
    assert list(wrong(checks)) == ["foreign client secrets"]
    assert f"{made['keyId']} of the service principal" in checks["foreign client secrets"]["detail"]
    assert "removePassword" in checks["foreign client secrets"]["next_step"]


def test_another_owner_is_seen(stack: Journey, look: Look, app: str) -> None:
    user = stack.tenant.ready["users"][-1]["id"]
    reference = {"@odata.id": f"{stack.tenant.graph}/v1.0/directoryObjects/{user}"}
    stack.tenant.ask("POST", f"{app}/owners/$ref", reference)
    try:
        assert wrong(look()) == {"owners": f"{user} owns it too"}
    finally:
        stack.tenant.ask("DELETE", f"{app}/owners/{user}/$ref")


def test_a_disabled_service_principal_is_seen(stack: Journey, look: Look) -> None:
    path = f"/servicePrincipals/{stack.outputs('dev')['servicePrincipalObjectId']}"
    stack.tenant.ask("PATCH", path, {"accountEnabled": False})
    try:
        checks = look()
    finally:
        stack.tenant.ask("PATCH", path, {"accountEnabled": True})
    assert set(wrong(checks)) == {"service principal", "newest secret signs in"}
    assert "AADSTS7000112" in checks["newest secret signs in"]["detail"]


def test_a_narrowed_consent_is_seen(stack: Journey, look: Look) -> None:
    principal = stack.outputs("dev")["servicePrincipalObjectId"]
    [grant] = stack.tenant.ask("GET", f"/oauth2PermissionGrants?$filter=clientId eq '{principal}'"
    )["value"]  # fmt: skip
    path = f"/oauth2PermissionGrants/{grant['id']}"
    try:
        stack.tenant.ask("PATCH", path, {"scope": "SMTP.Send"})
        checks = look()
        assert wrong(checks)["consent"] == "Mail.Send is not granted for everyone"
        assert wrong(checks)["drift"] == "consent to SMTP.Send too"
        assert "`pulumi up --refresh --stack dev`" in checks["drift"]["next_step"]
        drift = look(consent=Consent.BY_ADMINISTRATOR)["drift"]
        assert drift["next_step"] == facts.CONSENT_TAKEN_AWAY, "no engine manages that consent"
    finally:
        stack.tenant.ask("PATCH", path, {"scope": "Mail.Send"})


def test_a_consent_that_no_engine_knows_is_an_administrators(stack: Journey, look: Look) -> None:
    found = stack.tenant.ask("GET", f"/servicePrincipals(appId='{facts.GRAPH_APP_ID}')")
    user = stack.tenant.ready["users"][-1]["id"]
    grant = {
        "clientId": stack.outputs("dev")["servicePrincipalObjectId"],
        "resourceId": found["id"],
        "scope": "User.Read",
    }
    made = [
        stack.tenant.ask("POST", "/oauth2PermissionGrants", grant | whose)["id"]
        for whose in (
            {"consentType": "AllPrincipals"},
            {"consentType": "Principal", "principalId": user},
        )
    ]
    try:
        step = look()["drift"]["next_step"]
    finally:
        for each in made:
            stack.tenant.ask("DELETE", f"/oauth2PermissionGrants/{each}")
    assert facts.CONSENT_TAKEN_AWAY in step
    assert f"`DELETE /oauth2PermissionGrants/{made[1]}`" in step
    assert "pulumi" not in step


def test_nobody_is_sent_to_consent_where_the_mailbox_was_before(look: Look) -> None:
    checks = look(mailbox_tenant_id="99999999-2222-4333-8444-555555555555")
    assert wrong(checks).keys() == {"consent"}
    assert checks["consent"]["next_step"] == "`proself-mail up --stack dev`"
    # That of the same name in the application's tenant is another one.
    assert checks["mailbox"]["outcome"] == "UNKNOWN"
    assert checks["mailbox"]["permission"] == "User.Read.All in that tenant"


@pytest.mark.parametrize(
    ("mailbox", "seeded", "detail"),
    [
        ("gone@contoso.example", None, "has no user"),
        ("off@contoso.example", {"enabled": False}, "is disabled"),
        ("upn@contoso.example", {"mail": "other@contoso.example"}, "other@contoso.example"),
        ("alias@contoso.example", {"user_principal_name": "real@contoso.example",
                                   "mail": "alias@contoso.example"}, "signs in as real@"),
    ],
)  # fmt: skip
def test_a_mailbox_that_cannot_do_is_seen(
    stack: Journey, look: Look, mailbox: str, seeded: dict[str, Any] | None, detail: str
) -> None:
    if seeded is not None:
        user = {"user_principal_name": mailbox, "password": "Pa55-w0rd"}
        stack.tenant.seed(users=[user | seeded])
    found = wrong(look(mailbox=mailbox, config_file="none"))
    assert list(found) == ["mailbox"]
    assert detail in found["mailbox"]


@pytest.mark.parametrize(
    ("old", "new", "detail"),
    [
        ("port = 587", "prot = 587", "mail_server.prot: Extra inputs"),
        ("port = 587", 'port = "587"', "mail_server.port"),
        ('mail_address = "proself@', 'mail_address = "other@', "must equal mail_server.user_id"),
        ("port = 587", "port = 25", "differs from the stack in mail_server.port"),
        ("[mail_server]", "[mail_server", "it is not TOML"),
    ],
)
def test_an_edited_config_file_is_seen(
    stack: Journey, look: Look, old: str, new: str, detail: str
) -> None:
    text = stack.config_file.read_text(encoding="utf-8")
    assert old in text
    stack.config_file.write_text(text.replace(old, new), encoding="utf-8")
    try:
        checks = look()
        assert detail in wrong(checks)["config file"]
        assert "proself-mail config --stack dev --write" in checks["config file"]["next_step"]
        assert stack.config_file.read_text(encoding="utf-8") == text.replace(old, new)
    finally:
        stack.config_file.write_text(text, encoding="utf-8")


def test_a_config_file_that_others_may_read_is_seen(stack: Journey, look: Look) -> None:
    stack.config_file.chmod(0o644)
    try:
        checks = look()
    finally:
        stack.config_file.chmod(0o600)
    assert "other users of this machine may read it (mode 0644)" in wrong(checks)["config file"]
    assert "chmod 600" in checks["config file"]["next_step"]


def test_a_link_in_the_config_files_place_is_seen(stack: Journey, look: Look) -> None:
    """No update would write it, wherever it leads."""
    elsewhere = stack.config_file.rename(stack.folder / "vault.toml")
    stack.config_file.symlink_to(elsewhere)
    try:
        assert "is a link" in wrong(look())["config file"]
    finally:
        elsewhere.rename(stack.config_file)


def test_no_config_file_is_as_it_should_be(stack: Journey, look: Look) -> None:
    text = stack.config_file.read_text(encoding="utf-8")
    stack.config_file.unlink()
    try:
        assert look(code=0)["config file"]["outcome"] == "OK"
    finally:
        stack.config_file.write_text(text, encoding="utf-8")
        stack.config_file.chmod(0o600)


def test_what_could_not_be_read_is_unknown(stack: Journey) -> None:
    """A listing that is refused is never an empty one."""
    stack.tenant.faults(
        {"match": {"path": "/oauth2PermissionGrants"}, "strike": "status", "status": 500}
    )
    try:
        checks = verify(stack, code=4)
    finally:
        stack.tenant.faults()
    assert checks["consent"]["outcome"] == "UNKNOWN"
    assert checks["consent"]["permission"] == "DelegatedPermissionGrant.Read.All"


def test_a_window_that_has_passed_needs_an_up(stack: Journey, look: Look) -> None:
    stack.tenant.advance(151 * 86400)
    ahead = {"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": str(151 * 86400)}
    try:
        found = wrong(look(environment=ahead))
        assert "a new one is due since" in found["newest client secret"]
    finally:
        stack.tenant.admin("POST", "/clock", {"now": instant(timedelta())})


def test_all_stacks_at_once_tell_one_from_the_other(stack: Journey) -> None:
    stack.make_stack("empty", stackId="11111111-2222-4333-8444-555555555555")
    try:
        done = stack.proself_mail("verify", "--all", "--json")
        document = json.loads(done.stdout)
        assert done.returncode == document["exit_code"] == 5
        assert [(s["stack"], s["exit_code"]) for s in document["stacks"]] == [
            ("dev", 0), ("empty", 2)
        ]  # fmt: skip
        alone = stack.proself_mail("verify", "--stack", "empty", "--json")
        assert alone.returncode == 2
        [told] = json.loads(alone.stdout)["stacks"]
        assert told == document["stacks"][1] | {"error": told["error"]}
        assert told["error"]["cause"] in " ".join(alone.stderr.split())
        assert "--stack empty" in told["error"]["next_step"]
    finally:
        stack.pulumi("stack", "rm", "--yes", "empty")


def test_a_pipeline_gets_a_summary(stack: Journey, app: str, tmp_path: Path) -> None:
    name = "a|b<script>\n@org/x\n::error::\x1b[2J ##vso[x.y]"
    stack.tenant.ask("PATCH", app, {"displayName": name})
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    done: subprocess.CompletedProcess[str] = stack.proself_mail(
        "verify", "--stack", "dev",
        env={"GITHUB_STEP_SUMMARY": str(summary), "TF_BUILD": "True",
             "AGENT_TEMPDIRECTORY": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    page = summary.read_text(encoding="utf-8")
    assert page.startswith("before\n## proself-mail verify")
    assert "a\\|b\\<script\\> `@org/x`" in page
    assert "\x1b" not in done.stdout
    assert not re.search(r"^\s*::", done.stdout, re.MULTILINE)
    assert [line.split("]")[0] for line in done.stdout.splitlines() if "##" in line] == [
        "##vso[task.uploadsummary"
    ]
    line = done.stdout.splitlines()[-1]
    prefix, _, path = line.partition("]")
    assert prefix == "##vso[task.uploadsummary"
    assert Path(path).read_text(encoding="utf-8") in page
