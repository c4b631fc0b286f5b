"""Bad input under `pulumi up`: one clear paragraph, no traceback, and no write in the tenant."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.journey import MAILBOX, SERVER, Journey, instant
from tests.tenant import Tenant


def refused(
    journey: Journey, cause: str, next_step: str, *, env: dict[str, str] | None = None
) -> str:
    """Run `up`, expect it to stop before the first write, and return what it said."""
    before = journey.mark()
    done = journey.pulumi("up", "--stack", "dev", "--yes", "--skip-preview", env=env)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    errors = [line.strip() for line in said.partition("Diagnostics:")[2].splitlines()]
    [paragraph] = [line for line in errors if line.startswith("error:") and " Next: " in line]
    assert cause in paragraph, paragraph
    assert next_step in paragraph.partition(" Next: ")[2], paragraph
    assert journey.writes(before) == []
    assert not journey.config_file.exists()
    assert journey.tenant.client_secret not in said
    return paragraph


@pytest.mark.parametrize(
    ("changes", "cause", "next_step"),
    [
        (
            {"server": None, "mailbox": "nobody", "displayname": "x"},
            "`server` is missing; `mailbox`: 'nobody' is not a mail address; `displayname` is not "
            "a key (did you mean `displayName`?)",
            "`pulumi config set server HOST_NAME --plaintext --stack dev`, "
            "`pulumi config set mailbox ADDRESS --plaintext --stack dev`, "
            "`pulumi config rm displayname --stack dev`",
        ),
        ({"server": "https://x.example.jp"}, "has a scheme", "pulumi config set server"),
        (
            {"permissions": ["Mail.Sennd"]},
            "`permissions` lacks Mail.Send",
            "pulumi config set --path 'permissions[0]' Mail.Send",
        ),
        (
            {"permissions": ["Mail.Send", "SMTP.Sennd"]},
            "offers no delegated permission 'SMTP.Sennd' in this tenant; it offers ",
            "pulumi config set --path 'permissions[1]' SMTP.Send",
        ),
        (
            {"secrets": [{"from": instant(timedelta(days=1)), "everyDays": 9, "overlapDays": 1}]},
            "still to come",
            "secrets[0].from",
        ),
        (
            {"mailProofUntil": instant(timedelta(hours=25))},
            "more than 24 hours ahead",
            "pulumi config set mailProofUntil",
        ),
    ],
)
def test_a_wrong_configuration(
    journey: Journey, changes: dict[str, object], cause: str, next_step: str
) -> None:
    journey.make_stack("dev", **changes)
    refused(journey, cause, next_step)


def test_a_stack_without_keys_is_made_by_init_and_one_that_was_set_up_is_not(
    journey: Journey,
) -> None:
    journey.make_stack("dev")
    journey.configure("dev", {})
    refused(journey, "it is empty", "`proself-mail init --stack dev`")
    # The engine has a record of it by now, which is nothing.
    state = journey.folder / "state/.pulumi/stacks/proself-mail/dev.json"
    assert "pulumi:pulumi:Stack" in state.read_text(encoding="utf-8")
    options = ("--target=embedded", "--environment=test", f"--config-file={journey.config_file}")
    who = (f"--server={SERVER}", f"--mailbox={MAILBOX}")
    made = journey.proself_mail("init", "--stack", "dev", *who, *options)
    assert made.returncode == 0, made.stderr
    assert journey.up("dev").returncode == 0
    journey.config_file.unlink()
    document = yaml.safe_load((journey.folder / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    own = document["config"]["proself-mail:stackId"]
    journey.change("dev", stackId=None)
    again = journey.proself_mail("init", "--stack", "dev", *who, *options)
    assert again.returncode == 2
    mending = f"`pulumi config set stackId {own} --plaintext --stack dev`, then try again"
    assert " ".join(again.stderr.split()).endswith(f"Next: {mending}.")
    (journey.folder / "Pulumi.dev.yaml").unlink()
    refused(journey, "its file Pulumi.dev.yaml is not there", "it holds the UUID")


def test_settings_of_the_default_provider_have_no_effect_and_are_refused(journey: Journey) -> None:
    journey.make_stack("dev")
    journey.pulumi("config", "set", "--stack", "dev", "azuread:tenantId", "x")
    mending = "pulumi config rm azuread:tenantId --stack dev"
    refused(journey, "`azuread:tenantId`, which has no effect", mending)


@pytest.mark.parametrize(
    ("env", "cause", "next_step"),
    [
        ({"ARM_METADATA_HOSTNAME": ""}, "none is set up in this shell", "emulator env"),
        ({"ARM_METADATA_HOSTNAME": "localhost:1"}, "cannot be reached", "emulator start"),
        ({"ARM_TENANT_ID": "9" * 8 + "-2222-4333-8444-555555555555"}, "pinned to", "Sign in"),
        ({"SSL_CERT_FILE": "/dev/null"}, "cannot be reached", "SSL_CERT_FILE"),
        ({"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "320"}, "5 minutes apart", "clock"),
        ({"ARM_CLIENT_ID": "", "ARM_CLIENT_SECRET": ""}, "has nothing to sign in", "emulator env"),
        ({"ARM_CLIENT_SECRET": "wrong"}, "refuses the sign-in (AADSTS7000215", "ARM_CLIENT_SECRET"),
    ],
)
def test_an_environment_that_leads_elsewhere(
    journey: Journey, env: dict[str, str], cause: str, next_step: str
) -> None:
    journey.make_stack("dev")
    refused(journey, cause, next_step, env=env)


def test_an_environment_of_the_embedded_tenant_against_a_cloud_stack(journey: Journey) -> None:
    journey.make_stack("dev", target="cloud")
    refused(journey, "leads to an embedded tenant, but the target is the cloud", "--unset")
    certificates_alone = {"ARM_METADATA_HOSTNAME": "", "AZURE_AUTHORITY_HOST": ""}
    refused(journey, "SSL_CERT_FILE trusts an embedded tenant", "--unset", env=certificates_alone)


def test_a_config_file_where_none_can_be(journey: Journey, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    journey.make_stack("dev", configFile=str(tmp_path / "file" / "proself.toml"))
    refused(journey, "cannot be written", "pulumi config set configFile")


def test_a_config_file_that_others_could_replace(journey: Journey, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    configuration = journey.make_stack("dev", configFile=str(folder / "proself.toml"))
    refused(journey, "Others may write", f"chmod go-w {folder}")
    profile = tmp_path / ".profile"
    for held in ("umask 077\n", ""):
        profile.write_text(held, encoding="utf-8")
        journey.configure("dev", configuration | {"configFile": str(profile)})
        refused(journey, f"{profile} is there already and is no Proself config", "Move it away")
        assert profile.read_text(encoding="utf-8") == held


@pytest.fixture
def bare_tenant(request: pytest.FixtureRequest) -> Iterator[Tenant]:
    with Tenant(*request.param) as running:
        yield running


@pytest.mark.parametrize("bare_tenant", [["--without-exchange"]], indirect=True)
def test_a_tenant_without_exchange_online(bare_tenant: Tenant, tmp_path: Path) -> None:
    journey = Journey(bare_tenant, tmp_path)
    journey.make_stack("dev")
    refused(journey, "has no service principal of Office 365 Exchange Online", "licence")


@pytest.mark.parametrize("bare_tenant", [["--deployer-role", "User.Read.All"]], indirect=True)
def test_an_identity_without_rights(bare_tenant: Tenant, tmp_path: Path) -> None:
    """The plugin asks Graph, Graph refuses; nothing is there afterwards."""
    journey = Journey(bare_tenant, tmp_path)
    journey.make_stack("dev")
    paragraph = refused(journey, "may not do this", "proself-mail preflight")
    assert re.search(r"403|Authorization_RequestDenied", paragraph)
