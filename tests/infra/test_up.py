"""`pulumi up` on the embedded tenant: the FAQ's steps, once, and nothing after that."""

import json
import os
import shutil
import stat
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from proself_mail.proself import proself_file
from proself_mail.secret import MASK
from tests.journey import MAILBOX, SERVER, Journey, instant
from tests.tenant import Tenant


def up(journey: Journey, stack: str) -> None:
    done = journey.up(stack)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def stack_that_is_up(tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = Journey(tenant, tmp_path_factory.mktemp("standing"))
    journey.make_stack("dev")
    up(journey, "dev")
    journey.keep()
    return journey


@pytest.fixture
def standing(stack_that_is_up: Journey) -> Journey:
    """A stack `dev` after its first `up`, whose exchanges are all of the tenant's history."""
    return stack_that_is_up.as_kept()


def test_history_shows_the_twelve_steps(standing: Journey) -> None:
    made = standing.outputs("dev")
    sent = {
        (each["method"], each["path"].replace(made["applicationObjectId"], "{app}")): each
        for each in standing.tenant.writes()
    }
    # Without it an identity that may manage only what it owns would lose its own application.
    assert not [path for method, path in sent if method == "DELETE"]
    bodies = {key: each["request"] for key, each in sent.items()}
    application = bodies["POST", "/v1.0/applications"]
    assert application["signInAudience"] == "AzureADMyOrg"
    assert application["api"]["requestedAccessTokenVersion"] == 2
    assert application["web"]["redirectUris"] == [f"https://{SERVER}/proself/oauth2callback/smtp"]
    [access] = application["requiredResourceAccess"]
    assert access["resourceAppId"] == "00000002-0000-0ff1-ce00-000000000000"
    assert [each["type"] for each in access["resourceAccess"]] == ["Scope"]
    uris = [body["identifierUris"] for body in bodies.values() if body and "identifierUris" in body]
    assert [f"api://{made['clientId']}"] in uris
    assert bodies["POST", "/v1.0/servicePrincipals"]["appId"] == made["clientId"]
    grant = bodies["POST", "/v1.0/oauth2PermissionGrants"]
    assert grant["consentType"] == "AllPrincipals"
    assert grant["scope"] == "Mail.Send"
    password = bodies["POST", "/v1.0/applications/{app}/addPassword"]["passwordCredential"]
    assert password["displayName"].startswith("Proself SMTP OAuth ")
    assert password["endDateTime"] == made["clientSecrets"][0]["expires"]


def test_outputs_are_complete_and_the_secret_signs_in(standing: Journey) -> None:
    made = standing.outputs("dev")
    assert set(made) == {
        "clientId", "tenantId", "applicationObjectId", "servicePrincipalObjectId",
        "identifierUri", "redirectUri", "consentUrl", "clientSecret", "clientSecrets",
        "configFile",
    }  # fmt: skip
    assert set(made["clientSecrets"][0]) == {"id", "keyId", "starts", "expires", "value"}
    assert made["clientSecret"] == made["clientSecrets"][-1]["value"]
    assert made["tenantId"] == standing.tenant.tenant_id
    assert made["consentUrl"] == (
        f"{standing.tenant.authority}/{made['tenantId']}/adminconsent?client_id={made['clientId']}"
    )
    answer = standing.tenant.sign_in(client_id=made["clientId"], client_secret=made["clientSecret"])
    assert answer.status_code == 200, answer.text


def test_destroy_takes_one_deletion(standing: Journey) -> None:
    made = standing.outputs("dev")
    before = standing.mark()
    done = standing.pulumi("destroy", "--stack", "dev", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout
    assert standing.writes(before) == [
        ("DELETE", f"/v1.0/applications/{made['applicationObjectId']}")
    ]


def test_no_preview_and_no_refresh_writes_anything(standing: Journey) -> None:
    """Nor does a second `up` change anything in the tenant; it alone writes the config file."""
    made = standing.outputs("dev")
    path = standing.config_file
    config = proself_file.read(path, "dev")
    assert config.mail_server.client_id == made["clientId"]
    assert config.mail_server.client_secret == made["clientSecret"]
    assert config.mail_server.user_id == config.system_mail.mail_address == MAILBOX
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()
    before = standing.mark()
    preview = standing.pulumi(
        "preview", "--refresh", "--stack", "dev", "--json", "--expect-no-changes"
    )
    assert preview.returncode == 0, preview.stdout[-2000:] + preview.stderr
    assert json.loads(preview.stdout)["changeSummary"] == {"same": 8}
    assert not path.exists()
    for command in (
        ("refresh", "--yes", "--skip-preview"),
        ("refresh", "--yes", "--skip-preview", "--run-program"),
    ):
        done = standing.pulumi("--stack", "dev", *command)
        assert done.returncode == 0, done.stdout
        assert not path.exists(), command
    under = standing.pulumi(
        "up", "--stack", "dev", "--yes", "--skip-preview", env={"PROSELF_MAIL_UP": "1"}
    )
    assert under.returncode == 0
    assert not path.exists()
    again = standing.up("dev", "--expect-no-changes")
    assert again.returncode == 0, again.stdout
    assert proself_file.read(path, "dev") == config
    assert standing.writes(before) == []


@pytest.mark.skipif(os.name == "nt", reason="a link needs a right there")
def test_a_cli_of_another_name_is_known_for_what_it_does(standing: Journey, tmp_path: Path) -> None:
    """As Nix wraps it: a refresh writes no config file, and what the file leaves out is seen.

    Nor is the script of its name above it taken for it.
    """
    found = shutil.which("pulumi", path=standing.environment["PATH"])
    assert found
    wrapped = tmp_path / ".pulumi-wrapped"
    wrapped.symlink_to(found)
    cli = tmp_path / "pulumi"
    cli.write_text(f'#!/bin/sh\n"{wrapped}" "$@"\nexit $?\n', encoding="utf-8")
    cli.chmod(0o755)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [cli, "--non-interactive", "--stack", "dev", *command, "--yes", "--skip-preview"],
            cwd=standing.folder,
            env=standing.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
        )

    standing.config_file.unlink()
    refreshed = run("refresh", "--run-program")
    assert refreshed.returncode == 0, refreshed.stdout
    assert not standing.config_file.exists()
    written = run("up")
    assert written.returncode == 0, written.stdout
    assert standing.config_file.exists()
    standing.change("dev", stackId=str(uuid.uuid4()))
    before = standing.mark()
    refused = run("up")
    assert refused.returncode != 0, refused.stdout
    assert " Next: " in refused.stdout + refused.stderr
    assert standing.writes(before) == []


def test_config_command_renders_the_same(standing: Journey) -> None:
    text = standing.config_file.read_text(encoding="utf-8")
    assert standing.proself_mail("config", "--stack", "dev").stdout == text
    secret = standing.outputs("dev")["clientSecret"]
    covered = standing.proself_mail("config", "--stack", "dev", "--without-secret", "--json")
    assert json.loads(covered.stdout)["mail_server"]["client_secret"] is None
    assert secret not in covered.stdout + covered.stderr
    commented = standing.proself_mail("config", "--stack", "dev", "--without-secret").stdout
    values = text[text.index("\n\n") :]  # below what is said of the secret
    assert commented.endswith(values.replace(secret, MASK))
    as_json = standing.proself_mail("config", "--stack", "dev", "--json").stdout
    shown = json.loads(as_json)
    assert shown == proself_file.read(standing.config_file, "dev").model_dump(mode="json")
    assert shown["mail_server"]["client_secret"] == secret
    standing.config_file.unlink()
    for option in ("--without-secret", "--json"):
        refused = standing.proself_mail("config", "--stack", "dev", "--write", option)
        assert refused.returncode == 2, refused.stdout
        assert "Next: Leave out either --write or the others" in " ".join(refused.stderr.split())
        assert not standing.config_file.exists()
    written = standing.proself_mail("config", "--stack", "dev", "--write")
    assert written.returncode == 0, written.stderr
    assert standing.config_file.read_text(encoding="utf-8") == text


def test_no_input_deletes_or_replaces_a_live_secret(standing: Journey) -> None:
    """A new description, an early rotation, an entry taken away: what signs in goes on doing so.

    Nor does consent that is left to an administrator take away a grant that lives.
    """
    made = standing.outputs("dev")
    standing.change("dev", secretDescription="Another description", consent="by-administrator")
    before = standing.mark()
    up(standing, "dev")
    assert standing.writes(before) == []

    first = {"from": made["clientSecrets"][0]["starts"], "everyDays": 150, "overlapDays": 30}
    added = {"from": instant(timedelta(seconds=-1)), "everyDays": 100, "overlapDays": 20}
    standing.change("dev", secrets=[first, added])
    up(standing, "dev")
    [write] = standing.tenant.writes(before)
    assert write["path"].endswith("/addPassword")
    assert write["request"]["passwordCredential"]["displayName"].startswith("Another description")
    rotated = standing.outputs("dev")["clientSecrets"]
    assert rotated[0] == made["clientSecrets"][0]
    assert len(rotated) == 2

    before = standing.mark()
    standing.change("dev", secrets=[added])
    for options in ((), ("--exclude", "**::consent")):
        refused = standing.up("dev", *options)
        assert refused.returncode != 0
        assert "Your stack file is older than the state" in refused.stdout
    assert standing.writes(before) == []
    assert standing.outputs("dev")["clientSecrets"] == rotated
    for secret in (made["clientSecret"], rotated[1]["value"]):
        answer = standing.tenant.sign_in(client_id=made["clientId"], client_secret=secret)
        assert answer.status_code == 200, answer.text
    part = standing.pulumi("up", "--stack", "dev", "-yft", "**::service-principal")
    assert part.returncode == 0, part.stdout + part.stderr
    listed = standing.pulumi("stack", "--stack", "dev", "--show-ids").stdout
    assert all(secret["keyId"] in listed for secret in rotated)


def test_production_without_consent_of_ours(journey: Journey) -> None:
    """A preview writes nothing, an update touches no grant, and a destroy is refused.

    Also where the protection was lifted before the last update.
    """
    journey.make_stack("dev", environment="production", consent="by-administrator")
    before = journey.mark()
    preview = journey.pulumi("preview", "--stack", "dev")
    assert preview.returncode == 0, preview.stdout
    assert not journey.config_file.exists()
    assert journey.writes(before) == []
    up(journey, "dev")
    assert journey.config_file.exists()
    assert not [path for _, path in journey.writes(before) if "Grants" in path]
    lifted = journey.pulumi("state", "unprotect", "--all", "--yes", "--stack", "dev")
    assert lifted.returncode == 0, lifted.stderr
    up(journey, "dev")
    before = journey.mark()
    done = journey.pulumi("destroy", "--exclude-protected", "--stack", "dev", "--yes")
    assert done.returncode == 0, done.stdout
    assert journey.writes(before) == []
    done = journey.pulumi("destroy", "--stack", "dev", "--yes", "--skip-preview")
    assert done.returncode != 0
    assert "protected" in done.stdout + done.stderr
    assert journey.writes(before) == []


def test_a_multi_tenant_application_with_both_permissions(journey: Journey) -> None:
    """Its file as people write YAML: `from: 2027-01-01T00:00:00Z` is a timestamp to YAML."""
    configuration = journey.make_stack(
        "dev",
        audience="multi",
        permissions=["Mail.Send", "SMTP.Send"],
        server=f"{SERVER}:8443",
        environment="production",
    )
    path = journey.folder / "Pulumi.dev.yaml"
    text = path.read_text(encoding="utf-8")
    start = configuration["secrets"][0]["from"]
    assert f"'{start}'" in text
    assert ": 150" in text
    path.write_text(text.replace(f"'{start}'", start).replace(": 150", ": '150'"), encoding="utf-8")
    before = journey.mark()
    up(journey, "dev")
    sent = {each["path"]: each["request"] for each in journey.tenant.writes(before)}
    application = sent["/v1.0/applications"]
    assert application["signInAudience"] == "AzureADMultipleOrgs"
    callback = f"https://{SERVER}:8443/proself/oauth2callback/smtp"
    assert application["web"]["redirectUris"] == [callback]
    assert set(sent["/v1.0/oauth2PermissionGrants"]["scope"].split()) == {"Mail.Send", "SMTP.Send"}
    assert proself_file.read(journey.config_file, "dev").mail_server.tenant_id == ""
    assert journey.outputs("dev")["clientSecrets"][0]["starts"] == start
    preview = journey.pulumi("preview", "--refresh", "--stack", "dev", "--expect-no-changes")
    assert preview.returncode == 0, preview.stdout


def test_a_mailbox_in_another_tenant_gets_no_grant_here(journey: Journey) -> None:
    other = "99999999-2222-4333-8444-555555555555"
    journey.make_stack("dev", audience="multi", mailboxTenantId=other)
    before = journey.mark()
    up(journey, "dev")
    assert not [path for _, path in journey.writes(before) if "Grants" in path]
    assert f"/{other}/adminconsent" in journey.outputs("dev")["consentUrl"]
