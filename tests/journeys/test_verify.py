"""`proself-mail verify`: it sees what is wrong, says what mends it, and writes nothing."""

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.journey import MAILBOX, Journey, instant
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


def verify(journey: Journey, *options: str, code: int = 0, **env: str) -> dict[str, Any]:
    """Verify, look that nothing was written, and return the checks by name."""
    before = journey.mark()
    done = journey.proself_mail("verify", "--stack", "dev", "--json", *options, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    assert journey.writes(before) == []
    for secret in journey.tenant.secrets():
        assert secret not in done.stdout + done.stderr
    [found] = json.loads(done.stdout)["stacks"]
    return {check["name"]: check for check in found["checks"]}


def wrong(checks: dict[str, Any]) -> dict[str, str]:
    return {name: check["detail"] for name, check in checks.items() if check["outcome"] == "FAIL"}


def test_a_stack_that_is_up_is_as_it_should_be(stack: Journey) -> None:
    checks = verify(stack)
    assert {check["outcome"] for check in checks.values()} == {"OK"}
    assert list(checks)[:5] == [
        "application", "account type", "application ID URI", "permissions", "consent"
    ]  # fmt: skip


def test_what_a_person_sees_fits_the_terminal(stack: Journey) -> None:
    done = stack.proself_mail("verify", "--stack", "dev")
    assert "All is as it should be (19 checks); nothing was written." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def graph(journey: Journey, method: str, path: str, body: object = None) -> Any:
    with journey.tenant.http(journey.tenant.token()) as http:
        answer = http.request(method, f"/v1.0{path}", json=body).raise_for_status()
    return answer.json() if answer.content else None


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, 0, "The address matches the stack."),
        ({"client_id": "00000000-0000-4000-8000-000000000000"}, 1, "AADSTS700016"),
        ({"redirect_uri": "https://proself/proself/oauth2callback/smtp"}, 1, "AADSTS50011"),
        ({"tenant": "common"}, 1, "AADSTS50194"),
        ({"scope": "https://outlook.office.com/SMTP.Send offline_access"}, 1, "permissions[1]"),
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
    tenant = asked.pop("tenant", outputs["tenantId"])
    address = f"{stack.tenant.authority}/{tenant}/oauth2/v2.0/authorize?{urlencode(asked)}"
    before = stack.mark()
    done = stack.proself_mail("explain", "--stack", "dev", address)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join(done.stdout.split())
    assert stack.tenant.history(before) == []


@pytest.fixture
def app(stack: Journey) -> Iterator[str]:
    """Give the application's path; what a test patches is put back from what was read."""
    path = f"/applications/{stack.outputs('dev')['applicationObjectId']}"
    before = graph(stack, "GET", path)
    yield path
    kept = ("displayName", "identifierUris", "web", "spa", "api", "tags", "requiredResourceAccess",
            "signInAudience")  # fmt: skip
    graph(stack, "PATCH", path, {key: before[key] for key in kept})


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
    stack: Journey, app: str, change: dict[str, Any], check: str, detail: str
) -> None:
    graph(stack, "PATCH", app, change)
    checks = verify(stack, code=1)
    assert detail in wrong(checks)[check]
    assert "--stack dev" in checks[check]["next_step"]


def test_a_foreign_secret_is_reported_by_its_key_id(stack: Journey, app: str) -> None:
    made = graph(stack, "POST", f"{app}/addPassword", {"passwordCredential": {"displayName": "x"}})
    try:
        checks = verify(stack, code=1)
    finally:
        graph(stack, "POST", f"{app}/removePassword", {"keyId": made["keyId"]})
    assert list(wrong(checks)) == ["foreign client secrets"]
    assert made["keyId"] in checks["foreign client secrets"]["detail"]


def test_another_owner_is_seen(stack: Journey, app: str) -> None:
    user = stack.tenant.ready["users"][-1]["id"]
    reference = {"@odata.id": f"{stack.tenant.graph}/v1.0/directoryObjects/{user}"}
    graph(stack, "POST", f"{app}/owners/$ref", reference)
    try:
        assert wrong(verify(stack, code=1)) == {"owners": f"{user} owns it too"}
    finally:
        graph(stack, "DELETE", f"{app}/owners/{user}/$ref")


def test_a_disabled_service_principal_is_seen(stack: Journey) -> None:
    path = f"/servicePrincipals/{stack.outputs('dev')['servicePrincipalObjectId']}"
    graph(stack, "PATCH", path, {"accountEnabled": False})
    try:
        checks = verify(stack, code=1)
    finally:
        graph(stack, "PATCH", path, {"accountEnabled": True})
    assert set(wrong(checks)) == {"service principal", "newest secret signs in"}
    assert "AADSTS7000112" in checks["newest secret signs in"]["detail"]


def test_a_narrowed_consent_is_seen(stack: Journey) -> None:
    principal = stack.outputs("dev")["servicePrincipalObjectId"]
    [grant] = graph(
        stack, "GET", f"/oauth2PermissionGrants?$filter=clientId eq '{principal}'"
    )["value"]  # fmt: skip
    path = f"/oauth2PermissionGrants/{grant['id']}"
    try:
        graph(stack, "PATCH", path, {"scope": "SMTP.Send"})
        found = wrong(verify(stack, code=1))
        assert found["consent"] == "Mail.Send is not granted for everyone"
        assert found["drift"] == "consent to SMTP.Send too"
    finally:
        graph(stack, "PATCH", path, {"scope": "Mail.Send"})


def test_a_mailbox_that_cannot_do_is_seen(stack: Journey) -> None:
    cases = [
        ("gone@contoso.example", None, "has no user"),
        ("off@contoso.example", {"enabled": False}, "is disabled"),
        ("upn@contoso.example", {"mail": "other@contoso.example"}, "other@contoso.example"),
        ("alias@contoso.example", {"user_principal_name": "real@contoso.example",
                                   "mail": "alias@contoso.example"}, "signs in as real@"),
    ]  # fmt: skip
    config = stack.pulumi("config", "set", "--stack", "dev", "configFile", "none")
    assert config.returncode == 0
    for mailbox, seeded, detail in cases:
        if seeded is not None:
            stack.tenant.seed(
                users=[{"user_principal_name": mailbox, "password": "Pa55-w0rd", **seeded}]
            )
        stack.pulumi("config", "set", "--stack", "dev", "mailbox", mailbox)
        try:
            checks = verify(stack, code=1)
        finally:
            stack.pulumi("config", "set", "--stack", "dev", "mailbox", MAILBOX)
        assert detail in wrong(checks)["mailbox"]
    stack.pulumi("config", "set", "--stack", "dev", "configFile", str(stack.config_file))


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
def test_an_edited_config_file_is_seen(stack: Journey, old: str, new: str, detail: str) -> None:
    text = stack.config_file.read_text()
    assert old in text
    stack.config_file.write_text(text.replace(old, new))
    try:
        checks = verify(stack, code=1)
        assert detail in wrong(checks)["config file"]
        assert "proself-mail config --stack dev --write" in checks["config file"]["next_step"]
        assert stack.config_file.read_text() == text.replace(old, new)
    finally:
        stack.config_file.write_text(text)


def test_a_config_file_that_others_may_read_is_seen(stack: Journey) -> None:
    stack.config_file.chmod(0o644)
    try:
        checks = verify(stack, code=1)
    finally:
        stack.config_file.chmod(0o600)
    assert "others may read it (mode 0644)" in wrong(checks)["config file"]
    assert "chmod 600" in checks["config file"]["next_step"]


def test_no_config_file_is_as_it_should_be(stack: Journey) -> None:
    text = stack.config_file.read_text()
    stack.config_file.unlink()
    try:
        assert verify(stack)["config file"]["outcome"] == "OK"
    finally:
        stack.config_file.write_text(text)
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


def test_an_identity_with_the_least_privileges_passes(tmp_path: Path) -> None:
    """It cannot see users; that is optional, and never called well."""
    with Tenant() as tenant:
        journey = Journey(tenant, tmp_path)
        journey.make_stack("dev")
        assert journey.up("dev").returncode == 0
        checks = verify(journey)
        assert checks["mailbox"]["outcome"] == "UNKNOWN"
        assert checks["mailbox"]["permission"] == "User.Read.All"
        assert {c["outcome"] for name, c in checks.items() if name != "mailbox"} == {"OK"}


def test_a_window_that_has_passed_needs_an_up(stack: Journey) -> None:
    stack.tenant.advance(151 * 86400)
    try:
        found = wrong(verify(
            stack, code=1, PROSELF_MAIL_CLOCK_OFFSET_SECONDS=str(151 * 86400)
        ))  # fmt: skip
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
    finally:
        stack.pulumi("stack", "rm", "--yes", "empty")
    assert stack.proself_mail("verify", "--all").returncode == 0


def test_a_pipeline_gets_a_summary(stack: Journey, app: str, tmp_path: Path) -> None:
    graph(stack, "PATCH", app, {"displayName": "a|b<script>\n"})
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    done: subprocess.CompletedProcess[str] = stack.proself_mail(
        "verify", "--stack", "dev",
        env={"GITHUB_STEP_SUMMARY": str(summary), "TF_BUILD": "True",
             "AGENT_TEMPDIRECTORY": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    page = summary.read_text()
    assert page.startswith("before\n## proself-mail verify")
    assert "a\\|b&lt;script>" in page
    line = done.stdout.splitlines()[-1]
    prefix, _, path = line.partition("]")
    assert prefix == "##vso[task.uploadsummary"
    assert Path(path).read_text() in page


@pytest.mark.parametrize(
    ("hours", "code"), [(1, 0), (25, 1)], ids=["an hour ahead", "more than a day ahead"]
)
def test_the_mail_proofs_redirect_uri_comes_and_goes(stack: Journey, hours: int, code: int) -> None:
    set_ = ("config", "set", "--stack", "dev", "mailProofUntil")
    assert stack.pulumi(*set_, instant(timedelta(hours=hours))).returncode == 0
    try:
        before = stack.mark()
        done = stack.up("dev")
        assert (done.returncode != 0) == bool(code), done.stdout
        if code:
            assert "more than 24 hours ahead" in " ".join((done.stdout + done.stderr).split())
            assert stack.writes(before) == []
            return
        assert "open until" in verify(stack)["mail proof's redirect URI"]["detail"]
        stack.pulumi(*set_, instant(timedelta(seconds=-1)))
        assert "20587" in wrong(verify(stack, code=1))["mail proof's redirect URI"]
        assert stack.up("dev").returncode == 0
        assert verify(stack)["mail proof's redirect URI"]["detail"] == "none is left"
    finally:
        stack.pulumi("config", "rm", "--stack", "dev", "mailProofUntil")
