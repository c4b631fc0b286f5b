"""Bad input to `proself-mail up`: cause, next step, exit code, and no write in the tenant."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
import yaml

from proself_mail.config import configuration
from tests.emulator.browser import sign_in
from tests.emulator.objects import assign_policy, make_application, make_principal
from tests.journey import LEAST, MAILBOX, SERVER, Journey, instant, kept_stack
from tests.tenant import Tenant

SEEING = ("Policy.Read.All", "Organization.Read.All")


@pytest.fixture(scope="module")
def stack_that_is_made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with kept_stack(tmp_path_factory.mktemp("refusals"), *LEAST, *SEEING) as kept:
        yield kept


@pytest.fixture
def stack(stack_that_is_made: Journey) -> Journey:
    """A stack that was never brought up; its caller may see the tenant's policies and its quota."""
    return stack_that_is_made.as_kept()


def refused(journey: Journey, code: int, env: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Run `up` into a refusal; return its cause, as one line, and its next step."""
    before = journey.mark()
    done = journey.proself_mail("up", "--stack", "dev", env=env)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "get_token failed" not in done.stderr, "the library's words, before ours"
    assert journey.tenant.client_secret not in done.stdout + done.stderr
    assert journey.writes(before) == []
    assert not journey.config_file.exists()
    cause, _, next_step = " ".join(done.stderr.split()).partition(" Next: ")
    assert next_step, done.stderr
    return cause, next_step


def secrets(**changes: object) -> list[dict[str, object]]:
    return [{"from": instant(timedelta()), "everyDays": 150, "overlapDays": 30} | changes]


@pytest.mark.parametrize(
    ("changes", "causes"),
    [
        (
            {"server": "https://x.example.jp", "mailbox": "nobody", "stackId": "1"},
            ("has a scheme", "not a mail address", "not a UUID"),
        ),
        (
            {"server": "x.example.jp/proself", "secrets": secrets(**{"from": "soon"})},
            ("`server`", "not an instant"),
        ),
        (
            {"secretDescription": " ", "mailbox": None, "secrets": secrets(overlapDays=150)},
            ("one line", "`mailbox` is missing", "less than everyDays"),
        ),
        ({"secrets": {"from": instant(timedelta())}}, ("`secrets` is {'from'",)),
        (
            {"server": "-x-", "sever": "x", "secrets": secrets(everyDays=720)},
            ("`server`", "did you mean `server`", "the 730 days"),
        ),
    ],
)
def test_wrong_values_are_told_together(
    stack: Journey, changes: dict[str, object], causes: tuple[str, ...]
) -> None:
    """And mended together, by the lines that are told, whichever stack is selected."""
    stack.change("dev", **changes)
    before = len(stack.tenant.history())
    cause, next_step = refused(stack, 2)
    for each in causes:
        assert each in cause + next_step
    assert len(stack.tenant.history()) == before  # nobody was asked anything
    lines = re.findall(r"`(pulumi [^`]*)`", next_step)
    lines = [line.replace("HOST_NAME", SERVER).replace("ADDRESS", MAILBOX) for line in lines]
    typed = subprocess.run(
        ["sh", "-ec", "\n".join(["pulumi stack init other", *lines])],
        cwd=stack.folder,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )
    assert typed.returncode == 0, typed.stderr
    config = yaml.safe_load((stack.folder / "Pulumi.dev.yaml").read_text(encoding="utf-8"))[
        "config"
    ]
    mended = configuration.parse(
        {key.partition(":")[2]: value for key, value in config.items()}, "dev"
    )
    assert mended.stack_id
    other = yaml.safe_load((stack.folder / "Pulumi.other.yaml").read_text(encoding="utf-8"))
    assert "config" not in (other or {})


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize(
    ("mode", "code", "cause", "next_step"),
    [
        (None, 2, "cannot be written", "config set configFile PATH --plaintext --stack dev`"),
        (0o777, 3, "Others may write", "chmod go-w"),
        (0o700, 3, "proself.toml is there already and is no Proself config file", "Move it away"),
    ],
)
def test_a_config_file_where_none_can_be(
    stack: Journey, mode: int | None, code: int, cause: str, next_step: str
) -> None:
    folder = stack.folder / "elsewhere"
    if mode is None:
        folder.write_text("", encoding="utf-8")
    else:
        folder.mkdir()
        folder.chmod(mode)
        (folder / "proself.toml").write_text("theirs = true\n", encoding="utf-8")
    stack.change("dev", configFile=str(folder / "proself.toml"))
    said, step = refused(stack, code)
    assert mode is None or (folder / "proself.toml").read_text("utf-8") == "theirs = true\n"
    assert cause in said
    assert next_step in step


def test_a_permission_that_is_not_offered(stack: Journey) -> None:
    stack.change("dev", permissions=["Mail.Send", "SMTP.Sennd"])
    cause, next_step = refused(stack, 1)
    assert "SMTP.Sennd" in cause
    assert "pulumi config set --path 'permissions[1]' SMTP.Send" in next_step


@pytest.mark.parametrize("seconds", [320, -320])
def test_a_clock_that_is_five_minutes_off(stack: Journey, seconds: int) -> None:
    cause, next_step = refused(stack, 2, {"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": str(seconds)})
    assert "5 minutes apart" in cause
    assert "clock" in next_step


@pytest.mark.parametrize(
    ("env", "cause", "next_step"),
    [
        ({"ARM_CLIENT_SECRET": "wrong"}, "AADSTS7000215", "new client secret"),
        ({"ARM_METADATA_HOSTNAME": "localhost:1"}, "cannot be reached", "emulator start"),
    ],
)
def test_a_tenant_that_lets_nobody_in(
    stack: Journey, env: dict[str, str], cause: str, next_step: str
) -> None:
    said, step = refused(stack, 4, env)
    assert cause in said
    assert next_step in step


@pytest.fixture
def unfit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journey]:
    """A stack that was never brought up, in a tenant of these options."""
    with Tenant(*request.param) as tenant:
        journey = Journey(tenant, tmp_path)
        journey.make_stack("dev")
        yield journey


@pytest.mark.parametrize(
    ("unfit", "cause", "next_step"),
    [
        (["--without-exchange"], "it has no Exchange Online", "licence"),
        (
            ["--deployer-role", LEAST[0]],
            "may give admin consent",
            f"{LEAST[1]} of Microsoft Graph, with admin consent, or leave the consent to an "
            "administrator: `pulumi config set consent by-administrator --plaintext --stack dev`",
        ),
        (["--deployer-role", LEAST[1], "Application.Read.All"], "may manage", LEAST[0]),
        (["--deployer-role", "User.Read.All"], "may manage its applications", LEAST[0]),
    ],
    indirect=["unfit"],
)
def test_a_tenant_or_an_identity_that_does_not_suffice(
    unfit: Journey, cause: str, next_step: str
) -> None:
    said, step = refused(unfit, 1)
    assert cause in said
    assert next_step in step
    assert "app role Directory.ReadWrite.All" not in said + step


@pytest.mark.parametrize("unfit", [["--deployer-role", *LEAST]], indirect=True)
def test_what_the_least_rights_do_not_show_is_optional(unfit: Journey) -> None:
    done = unfit.proself_mail("preflight", "--stack", "dev", env={"COLUMNS": "200"})
    assert done.returncode == 0, done.stdout + done.stderr
    states = {line.split("  ")[0] for line in done.stdout.splitlines() if line[0] != " "}
    assert states == {"OK", "UNKNOWN"}
    for name in ("policy on client secrets", "policy on Application ID URI", "quota"):
        [row] = re.findall(rf"^UNKNOWN +{name} .*", done.stdout, re.MULTILINE)
        assert row.rstrip().endswith("(optional)")


def test_an_expired_credential(stack: Journey) -> None:
    ends = {"passwordCredential": {"endDateTime": instant(timedelta(hours=1))}}
    with stack.tenant.http(stack.tenant.token()) as graph:
        application = make_application(graph)
        make_principal(graph, application)
        path = f"/v1.0/applications/{application['id']}/addPassword"
        secret = graph.post(path, json=ends).json()["secretText"]
    stack.tenant.advance(7200)
    env = {
        "PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "7200",
        "ARM_CLIENT_ID": application["appId"],
        "ARM_CLIENT_SECRET": secret,
    }
    cause, next_step = refused(stack, 4, env)
    assert "AADSTS7000222" in cause
    assert "new client secret" in next_step
    assert secret not in cause + next_step


def test_a_tenant_that_is_full(stack: Journey) -> None:
    stack.tenant.seed(directory_quota=1)
    cause, _ = refused(stack, 1)
    assert "no room for an application" in cause


def test_a_policy_that_forbids_client_secrets(stack: Journey) -> None:
    forbidden = {"restrictionType": "passwordAddition", "state": "enabled"}
    policy = {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [forbidden]}}
    stack.tenant.seed(default_policy=policy)
    cause, _ = refused(stack, 1)
    assert "forbids client secrets" in cause


def test_what_a_tenant_allows_new_ones_does_not_stop_one_that_stands(stack: Journey) -> None:
    """Neither a full tenant nor a policy, until a new secret is due; then its own policy counts."""
    assert stack.up("dev").returncode == 0
    forbidden = {"restrictionType": "passwordAddition", "state": "enabled"}
    policy = {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [forbidden]}}
    stack.tenant.seed(directory_quota=1, default_policy=policy)
    before = stack.mark()
    done = stack.proself_mail("up", "--stack", "dev")
    assert done.returncode == 0, done.stderr
    assert "none is to be made now" in " ".join(done.stderr.split())
    file = stack.folder / "Pulumi.dev.yaml"
    [entry] = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]["proself-mail:secrets"]
    stack.change("dev", secrets=[entry, entry | {"from": instant(timedelta())}])
    # A reader that trails and does not know the application says nothing against the default one.
    own_policies = {"method": "GET", "path": "/applications/*/appManagementPolicies"}
    stack.tenant.faults({"match": own_policies, "strike": "status", "status": 404})
    done = stack.proself_mail("up", "--stack", "dev")
    stack.tenant.faults()
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stderr.split())
    assert "the tenant's default app management policy forbids client secrets" in said
    assert "an app management policy of its own" in said
    assert stack.writes(before) == []
    own = {"displayName": "Mail", "isEnabled": True, "restrictions": {"passwordCredentials": []}}
    with stack.tenant.http(sign_in(stack.tenant, stack.tenant.ready["users"][0])) as http:
        assign_policy(http, stack.outputs("dev")["applicationObjectId"], own)
    done = stack.proself_mail("up", "--stack", "dev")
    assert done.returncode == 0, done.stderr
    assert len(stack.outputs("dev")["clientSecrets"]) == 2


def test_a_lifetime_above_the_tenants_policy(stack: Journey) -> None:
    restriction = {"restrictionType": "passwordLifetime", "maxLifetime": "P90D"}
    policy = {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [restriction]}}
    stack.tenant.seed(default_policy=policy)
    cause, next_step = refused(stack, 1)
    assert "a secret may live 90 days by the tenant's default" in cause + next_step
    [*_, command] = re.findall(r"`pulumi (config set-all [^`]*)`", next_step)
    assert stack.pulumi(*shlex.split(command)).returncode == 0
    looked = stack.proself_mail("preflight", "--stack", "dev")
    assert looked.returncode == 0, looked.stdout
    assert "a secret may live 90 days by the tenant's default" in " ".join(looked.stdout.split())
    told = f"--stack=new --server={SERVER} --mailbox={MAILBOX} --target=embedded --environment=test"
    made = stack.proself_mail("init", *told.split())
    assert made.returncode == 0, made.stderr
    document = yaml.safe_load((stack.folder / "Pulumi.new.yaml").read_text(encoding="utf-8"))
    [entry] = document["config"]["proself-mail:secrets"]
    assert (entry["everyDays"], entry["overlapDays"]) == (60, 30)


@pytest.mark.skipif(sys.platform == "win32", reason="stands in for a program by a script")
def test_an_engine_that_is_too_old(stack: Journey, tmp_path: Path) -> None:
    """One on PATH is passed over; where there is no other, the way to one is said."""
    old = tmp_path / "pulumi"
    old.write_text("#!/bin/sh\necho v3.219.0\n", encoding="utf-8")
    old.chmod(0o755)
    env = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "PROSELF_MAIL_CACHE": str(tmp_path / "cache"),
    }
    cause, next_step = refused(stack, 2, env)
    assert "no Pulumi CLI of a supported version (>=3.220.0 <4.0.0)" in cause
    assert "make setup" in next_step


def test_a_program_that_needs_a_newer_engine(stack: Journey) -> None:
    """The engine itself refuses what Pulumi.yaml requires, by `pulumi up` and under ours."""
    path = stack.folder / "Pulumi.yaml"
    project = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(
        yaml.safe_dump(project | {"requiredPulumiVersion": ">=99.0.0"}), encoding="utf-8"
    )
    before = stack.mark()
    typed = stack.up("dev")
    assert typed.returncode != 0
    assert ">=99.0.0" in typed.stdout + typed.stderr
    assert stack.writes(before) == []
    cause, next_step = refused(stack, 2)
    assert "needs another version of the Pulumi CLI" in cause
    assert ">=99.0.0" in cause
    assert "make setup" in next_step


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"secrets": secrets(**{"from": instant(timedelta(days=1))})}, "still to come"),
        ({"mailProofUntil": instant(timedelta(hours=25))}, "more than 24 hours ahead"),
        ({"configFile": "out/" + "x" * 300}, "cannot be written: File name too long"),
    ],
    ids=["from", "mailProofUntil", "configFile"],
)
def test_a_configuration_that_cannot_be_used_now(
    stack: Journey, changes: dict[str, object], cause: str
) -> None:
    stack.change("dev", **changes)
    assert cause in refused(stack, 2)[0]


def test_a_stack_that_is_not_there(stack: Journey) -> None:
    """A misspelt name leaves no folder of its own behind, and is told as it was typed."""
    for command, name in (("up", "dve"), ("rotate", "S-dve")):
        done = stack.proself_mail(command, "--stack", name)
        assert done.returncode == 2
        assert f"There is no stack {name}" in done.stderr
        assert f"`proself-mail init --stack {name}` makes it" in " ".join(done.stderr.split())
        assert not (stack.folder / "out" / name).exists()
    typed = stack.proself_mail("verify", "--stack", r"d\1ve")
    assert typed.returncode == 2
    assert "is not the name of a stack of this project" in " ".join(typed.stderr.split())


def test_a_stack_whose_file_alone_is_there(stack: Journey, tmp_path: Path) -> None:
    """On another backend than the one that is chosen here: `init` would refuse its name."""
    elsewhere = {"PULUMI_BACKEND_URL": tmp_path.as_uri()}
    done = stack.proself_mail("verify", "--stack", "dev", "--json", env=elsewhere)
    cause, _, step = " ".join(done.stderr.split()).partition(" Next: ")
    assert done.returncode == 2
    assert "no stack dev on this backend, though its file Pulumi.dev.yaml is there." in cause
    assert "set PULUMI_BACKEND_URL to its address; `pulumi stack init dev` makes it on this" in step
    assert "proself-mail init" not in step
    told = json.loads(done.stdout)["stacks"][0]
    (stack.folder / "Pulumi.example.yaml").write_text("", encoding="utf-8")
    for of_which in ([told], []):  # a monitor, for which all is well at 0
        done = stack.proself_mail("verify", "--all", "--json", env=elsewhere)
        document = json.loads(done.stdout)
        assert document["stacks"] == of_which
        assert done.returncode == document["exit_code"] == (2 if of_which else 4)
        (stack.folder / "Pulumi.dev.yaml").unlink(missing_ok=True)
    assert "Nothing was looked at: there is no stack on this backend" in done.stderr
    assert "Next: `pulumi whoami --verbose`" in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["Pulumi.dev.yaml", "Pulumi.yaml"])
def test_a_file_that_is_no_yaml(stack: Journey, name: str) -> None:
    (stack.folder / name).write_text("config: [unclosed", encoding="utf-8")
    cause, next_step = refused(stack, 2)
    assert "YAML" in cause
    assert "git checkout HEAD -- Pulumi.yaml" in next_step


@pytest.mark.parametrize(
    ("address", "code", "cause"),
    [
        ("file://127.0.0.1:1/nowhere", 2, "There is no backend"),
        (
            "postgres://u:x'sekret@127.0.0.1:1/nowhere?sslpassword=x\" sekret",
            4,
            "The backend cannot be opened",
        ),
    ],
)
def test_a_backend_that_is_not_there(
    stack: Journey, tmp_path: Path, address: str, code: int, cause: str
) -> None:
    """Nor is the password in its address told, on a terminal or on a pipeline's page."""
    env = {"PULUMI_BACKEND_URL": address}
    said, next_step = refused(stack, code, env)
    assert cause in said
    assert "PULUMI_BACKEND_URL" in next_step
    page = tmp_path / "page"
    job = env | {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    done = stack.proself_mail("rotate", "--stack", "dev", env=job)
    assert done.returncode == code, done.stderr
    summary = page.read_text(encoding="utf-8")
    assert cause in summary
    assert "sekret" not in said + done.stdout + done.stderr + summary


@pytest.mark.parametrize("key", ["azuread:tenantId", "proself-mial:environment"])
def test_settings_that_nothing_reads(stack: Journey, key: str) -> None:
    stack.pulumi("config", "set", "--stack", "dev", key, "x")
    cause, next_step = refused(stack, 2)
    assert f"`{key}`, which has no effect" in cause
    assert f"`pulumi config rm {key} --stack dev`" in next_step


def test_a_key_that_only_looks_like_a_path_is_taken_away_alone(stack: Journey) -> None:
    """As `pulumi config set` without --path makes one."""
    file = stack.folder / "Pulumi.dev.yaml"
    before = file.read_bytes()
    words = ("secrets[0].everyDays", "100", "--plaintext", "--stack", "dev")
    assert stack.pulumi("config", "set", *words).returncode == 0
    _, next_step = refused(stack, 2)
    [mending] = re.findall(r"`pulumi (config rm [^`]*)`", next_step)
    assert stack.pulumi(*shlex.split(mending)).returncode == 0
    assert yaml.safe_load(file.read_bytes()) == yaml.safe_load(before)


@pytest.mark.parametrize(
    "address", ["nonsense://aki:hidden@127.0.0.1:9", "http://aki:hidden/1@127.0.0.1:9"]
)
def test_a_proxy_that_cannot_be_used(stack: Journey, address: str) -> None:
    cause, next_step = refused(stack, 2, {"ALL_PROXY": address})
    assert "proxy variable of this shell cannot be used" in cause
    assert "hidden" not in cause + next_step
    assert "ALL_PROXY" in next_step


def gives(token: str) -> str:
    """Return a shell's line that answers as the Azure CLI does that gives this token."""
    answer = {"accessToken": token, "expiresOn": "2030-01-01 00:00:00.000000"}
    return f"echo '{json.dumps(answer)}'"


def azure_cli(journey: Journey, line: str) -> dict[str, str]:
    """Stand in for the Azure CLI with a line of the shell; return what has it asked."""
    az = journey.folder / "bin" / "az"
    az.parent.mkdir()
    az.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    az.chmod(0o700)
    return {
        "PATH": f"{az.parent}:{journey.environment['PATH']}",
        "ARM_CLIENT_SECRET": "",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="a script named az")
def test_nobody_is_signed_in(stack: Journey) -> None:
    """To an embedded tenant; what leads a shell there is said, and not the Azure CLI's sign-in."""
    env = azure_cli(stack, "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    cause, next_step = refused(stack, 2, env)
    assert "Nobody is signed in" in cause
    assert "proself-mail emulator env" in next_step


@pytest.mark.skipif(sys.platform == "win32", reason="a script named az")
@pytest.mark.parametrize("token", ["opaque", "eyJhIjoxfQ.e30.x"])
def test_a_token_that_is_none_of_entras(stack: Journey, token: str) -> None:
    cause, next_step = refused(stack, 4, azure_cli(stack, gives(token)))
    assert "The Azure CLI's sign-in gives a token that is none of Entra's" in cause
    assert "az login --tenant" in next_step


@pytest.mark.skipif(sys.platform == "win32", reason="a script named az")
def test_a_sign_in_that_gives_another_tenants_token(stack: Journey) -> None:
    """As the Azure CLI could that is signed in elsewhere and ignores what it is asked for."""
    other = "99999999-2222-4333-8444-555555555555"
    claims = jwt.decode(stack.tenant.token(), options={"verify_signature": False})
    token = jwt.encode(claims | {"tid": other}, "no key that a reader would look at", "HS256")
    cause, next_step = refused(stack, 3, azure_cli(stack, gives(token)))
    assert f"signs in to the tenant {other}" in cause
    assert f"pinned to {stack.tenant.tenant_id}" in cause
    assert "az login --tenant" in next_step
