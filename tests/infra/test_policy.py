"""A tenant's policy on client secrets under plain `pulumi up`: refused with nothing written."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from tests.emulator.browser import sign_in
from tests.emulator.objects import assign_policy
from tests.journey import LEAST, Journey, instant, kept_stack
from tests.tenant import Tenant

LIMIT = {"restrictionType": "passwordLifetime", "maxLifetime": "P90D", "state": "enabled"}
FORBIDDEN = {"restrictionType": "passwordAddition", "state": "enabled"}
posix = pytest.mark.skipif(sys.platform == "win32", reason="a link, or a script")
OF_POLICIES = "/v1.0/policies/defaultAppManagementPolicy"


UP = ("up", "--yes", "--skip-preview")


def policy(*restrictions: object) -> dict[str, object]:
    return {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [*restrictions]}}


@pytest.fixture(scope="module")
def stack_that_is_made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with kept_stack(tmp_path_factory.mktemp("policy"), *LEAST, "Policy.Read.All") as kept:
        yield kept


@pytest.fixture
def stack(stack_that_is_made: Journey) -> Journey:
    """A stack that was never brought up; its caller may see the tenant's policies."""
    return stack_that_is_made.as_kept()


def refused(journey: Journey, *command: str) -> tuple[str, str]:
    """Run `pulumi` into a refusal by the program; return its cause and its next step."""
    before = journey.mark()
    done = journey.pulumi(*command, "--stack", "dev", "--color", "never")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert 'File "' not in said
    errors = re.findall(r"^ *error: (.*)$", said, re.MULTILINE)
    [paragraph] = [each for each in errors if " Next: " in each]
    cause, _, next_step = paragraph.partition(" Next: ")
    assert journey.writes(before) == []
    assert journey.tenant.client_secret not in said
    return cause, next_step


def append(journey: Journey, **entry: object) -> None:
    """Let a new window open now; `displayName` is the application's."""
    file = journey.folder / "Pulumi.dev.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    name = {"displayName": entry.pop("displayName")} if "displayName" in entry else {}
    before = document["proself-mail:secrets"]
    later = before[-1] | {"from": instant(timedelta())} | entry
    journey.change("dev", secrets=[*before, later], **name)


def questions(journey: Journey, since: int) -> int:
    """Return how often the tenant's policy was asked for after a mark."""
    return sum(each["path"] == OF_POLICIES for each in journey.tenant.history(since))


def test_a_lifetime_above_the_tenants_policy(stack: Journey) -> None:
    stack.tenant.seed(default_policy=policy(LIMIT))
    cause, _ = refused(stack, "preview")
    assert cause.startswith("A secret may live 90 days by the tenant's default app management")
    again, next_step = refused(stack, *UP)
    assert again == cause
    assert not stack.config_file.exists()
    [mending] = re.findall(r"`pulumi (config set-all [^`]*)`", next_step)
    assert stack.pulumi(*shlex.split(mending)).returncode == 0
    done = stack.up("dev")
    assert done.returncode == 0, done.stdout + done.stderr
    [secret] = stack.outputs("dev")["clientSecrets"]
    assert secret["starts"] < secret["expires"] <= instant(timedelta(days=90))


def test_client_secrets_that_are_forbidden(stack: Journey) -> None:
    stack.tenant.seed(default_policy=policy(FORBIDDEN))
    cause, next_step = refused(stack, *UP)
    assert "forbids client secrets" in cause
    assert next_step.startswith("Have an administrator lift that")
    stack.tenant.seed(default_policy=policy())
    assert stack.up("dev").returncode == 0
    stack.tenant.seed(default_policy=policy(FORBIDDEN))
    append(stack, displayName="Another name")
    _, next_step = refused(stack, *UP)
    assert next_step.startswith("Have an administrator give the application an app management")


def test_a_restriction_that_spares_some_callers(stack: Journey) -> None:
    """Whether this one is spared is not to be seen, so that the tenant tells."""
    spared = {"customSecurityAttributes": [{"id": "IT_Mail", "operator": "equals", "value": "yes"}]}
    stack.tenant.seed(default_policy=policy(LIMIT | {"excludeActors": spared}))
    looked = stack.proself_mail("preflight", "--stack", "dev", env={"COLUMNS": "300"})
    assert looked.returncode == 0, looked.stdout
    assert re.search(r"UNKNOWN +policy on client secrets .*\(excludeActors\)", looked.stdout)
    left_to_the_plugin(stack)


def test_a_stack_that_stands_until_a_secret_is_due(stack: Journey) -> None:
    """Nobody is asked while none is; then a change of another kind is not written either."""
    assert stack.up("dev").returncode == 0
    stack.tenant.seed(default_policy=policy(LIMIT))
    before = stack.mark()
    done = stack.up("dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert questions(stack, before) == 0
    append(stack, displayName="Another name")
    kept = stack.config_file.read_bytes()
    cause, _ = refused(stack, *UP)
    assert "would live until" in cause
    assert stack.config_file.read_bytes() == kept
    own = {"displayName": "Mail", "isEnabled": True, "restrictions": {"passwordCredentials": []}}
    with stack.tenant.http(sign_in(stack.tenant, stack.tenant.ready["users"][0])) as http:
        assign_policy(http, stack.outputs("dev")["applicationObjectId"], own)
    done = stack.up("dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(stack.outputs("dev")["clientSecrets"]) == 2


@posix
def test_destroy_and_refresh_are_never_refused_for_it(stack: Journey) -> None:
    """By whatever name the CLI runs, which wrappers change."""
    assert stack.up("dev").returncode == 0
    stack.tenant.seed(default_policy=policy(FORBIDDEN))
    before = stack.mark()
    stack.change("dev", secrets=[{"from": instant(timedelta()), "everyDays": 9, "overlapDays": 1}])
    wrapped = stack.folder / ".pulumi-wrapped"
    wrapped.symlink_to(shutil.which("pulumi", path=stack.environment["PATH"]) or "")
    for name, command in (("pulumi", "refresh"), (str(wrapped), "destroy")):
        options = ("--run-program", "--stack", "dev", "--yes", "--skip-preview")
        done = subprocess.run(
            [name, "--non-interactive", command, *options],
            cwd=stack.folder,
            env=stack.environment,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert questions(stack, before) == 0


def test_a_part_of_it_is_not_refused_for_a_secret_that_is_left_out(stack: Journey) -> None:
    """So that an application can be made and then given a policy of its own."""
    stack.tenant.seed(default_policy=policy(FORBIDDEN))
    done = stack.up("dev", "--exclude", "**ApplicationPassword**")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stack.outputs("dev")["applicationObjectId"]


def left_to_the_plugin(journey: Journey) -> None:
    """Run `up` into the refusal of a secret by the tenant."""
    done = journey.up("dev")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "CredentialInvalidLifetimeAsPerAppPolicy" in said
    assert "Traceback" not in said


def test_an_identity_that_may_not_see_policies(journey: Journey) -> None:
    journey.make_stack("dev")
    journey.tenant.seed(default_policy=policy(LIMIT))
    before = journey.mark()
    left_to_the_plugin(journey)
    [asked] = [each for each in journey.tenant.history(before) if each["path"] == OF_POLICIES]
    assert asked["status"] == 403


def test_a_tenant_that_does_not_tell(stack: Journey) -> None:
    stack.tenant.seed(default_policy=policy(LIMIT))
    stack.tenant.faults({"match": {"path": "/policies/*"}, "strike": "reset-before"})
    left_to_the_plugin(stack)


def test_a_tenant_that_takes_long_to_tell(stack: Journey) -> None:
    stack.tenant.seed(default_policy=policy(LIMIT))
    late = {"match": {"path": "/policies/*"}, "strike": "slow", "seconds": 120}
    stack.tenant.faults(late)
    before = stack.mark()
    left_to_the_plugin(stack)
    asked = [each for each in stack.tenant.history(before) if each["path"] == OF_POLICIES]
    assert [each["status"] for each in asked] == [None], "the answer was waited for"


def test_what_a_run_leaves_out_takes_nothing_off_the_outputs(stack: Journey) -> None:
    """A new secret is not known to a refresh that runs the program, nor to a part-update."""
    assert stack.up("dev").returncode == 0
    made = stack.outputs("dev")
    file = stack.folder / "Pulumi.dev.yaml"
    older = file.read_bytes()
    stack.tenant.seed(default_policy=policy(LIMIT))
    append(stack, everyDays=60, overlapDays=20)
    refresh = ("refresh", "--run-program", "--yes", "--skip-preview")
    for leaving_out in (refresh, (*UP, "--target", "**::consent")):
        done = stack.pulumi(*leaving_out, "--stack", "dev")
        assert done.returncode == 0, done.stdout + done.stderr
        assert stack.outputs("dev") == made
    for command in (("preview",), UP):
        before = stack.mark()
        done = stack.pulumi(*command, "--stack", "dev")
        assert done.returncode == 0, done.stdout + done.stderr
        assert questions(stack, before) == 1
    assert len(stack.outputs("dev")["clientSecrets"]) == 2
    written, newer = stack.config_file.read_bytes(), file.read_bytes()
    file.write_bytes(older)
    assert stack.up("dev", "--target", "**::consent").returncode == 0
    assert stack.config_file.read_bytes() == written, "no older secret over the newest"
    file.write_bytes(newer)
    told = stack.proself_mail("rotate", "--acknowledge", "--stack", "dev")
    assert told.returncode == 2, told.stderr
    assert "Proself may have an older one" in " ".join(told.stderr.split())


def test_a_live_secret_that_is_not_declared_is_refused(stack: Journey) -> None:
    """Its entry was edited, or the file is an old one: another would take its place in the state.

    Where it begins later now, it would be the first one to come, too.
    """
    entry = {"from": instant(timedelta()), "everyDays": 60, "overlapDays": 20}
    stack.change("dev", secrets=[entry])
    assert stack.up("dev").returncode == 0
    later = {"from": instant(timedelta(days=1))}
    for edited in ([entry | {"everyDays": 150}], [entry | later]):
        stack.change("dev", secrets=edited, displayName="Another name")
        cause, next_step = refused(stack, *UP)
        assert cause.startswith("Your stack file is older than the state, or its `secrets` were")
        assert "git pull" in next_step
        assert "undo the edit" in next_step


def test_an_application_that_the_state_has_lost_is_made_no_second_time(stack: Journey) -> None:
    assert stack.up("dev").returncode == 0
    made = stack.outputs("dev")
    urn = "urn:pulumi:dev::proself-mail::proself-mail:index:MailApp$azuread:index/application:"
    lost = ("state", "delete", "--yes", "--target-dependents", f"{urn}Application::application")
    assert stack.pulumi(*lost, "--stack", "dev").returncode == 0
    for command in (UP, (*UP, "--target", "**::application")):
        cause, next_step = refused(stack, *command)
        assert f"the application {made['applicationObjectId']}, which its state does" in cause
        assert "`proself-mail up --stack dev` takes in again what is in Entra" in next_step
    checks = stack.proself_mail("verify", "--stack", "dev", "--json")
    assert checks.returncode == 1
    [wrong] = [e for e in json.loads(checks.stdout)["stacks"][0]["checks"] if e["name"] == "state"]
    assert "the client secret" in wrong["detail"]
    mended = stack.proself_mail("up", "--stack", "dev")
    assert mended.returncode == 0, mended.stderr
    again = stack.outputs("dev")
    assert again["clientId"] == made["clientId"]
    with stack.tenant.http(stack.tenant.token()) as graph:
        graph.delete(f"/v1.0/applications/{made['applicationObjectId']}").raise_for_status()
    anew = stack.up("dev", "--refresh")  # which loses it as well, and has seen that it is gone
    assert anew.returncode == 0, anew.stdout
    assert stack.outputs("dev")["clientId"] != made["clientId"]


def test_a_secret_that_is_gone_is_due(stack: Journey) -> None:
    assert stack.up("dev").returncode == 0
    outputs = stack.outputs("dev")
    with stack.tenant.http(stack.tenant.token()) as graph:
        url = f"/v1.0/applications/{outputs['applicationObjectId']}/removePassword"
        [secret] = outputs["clientSecrets"]
        graph.post(url, json={"keyId": secret["keyId"]}).raise_for_status()
    stack.tenant.seed(default_policy=policy(LIMIT))
    stack.change("dev", displayName="Another name")
    done = stack.pulumi("refresh", "--yes", "--skip-preview", "--stack", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    cause, _ = refused(stack, *UP)
    assert "would live until" in cause


@pytest.mark.parametrize(
    "env",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"ARM_CLIENT_CERTIFICATE_PATH": "/nowhere/certificate.pem"},
    ],
    ids=str,
)
def test_what_stands_in_the_way_of_the_look_stops_nothing(
    stack: Journey, env: dict[str, str]
) -> None:
    done = stack.pulumi("preview", "--stack", "dev", env=env)
    assert done.returncode == 0, done.stdout + done.stderr


@posix
def test_another_tenants_policy_is_not_asked_for(tmp_path: Path) -> None:
    """The Azure CLI may be signed in elsewhere and give that tenant's token."""
    with Tenant("--tenant", "contoso", "--tenant", "fabrikam") as tenant:
        journey = Journey(tenant, tmp_path)
        journey.make_stack("dev")
        other = tenant.ready["tenants"][1]
        token = tenant.sign_in(
            other["tenant_id"], client_id=other["client_id"], client_secret=other["client_secret"]
        ).json()["access_token"]
        az = tmp_path / "bin" / "az"
        az.parent.mkdir()
        answer = {"accessToken": token, "expiresOn": "2090-01-01 00:00:00.000000"}
        az.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n", encoding="utf-8")
        az.chmod(0o700)
        path = f"{az.parent}:{journey.environment['PATH']}"
        nobody = {"PATH": path, "ARM_CLIENT_SECRET": ""}
        journey.pulumi(*UP, "--stack", "dev", env=nobody)
        told = httpx.get(f"{other['admin_url']}/history", trust_env=False).json()
        assert OF_POLICIES not in [each["path"] for each in told]


def test_proself_mail_up_asks_once(stack: Journey) -> None:
    """It has looked ahead itself, so the program does not."""
    before = stack.mark()
    done = stack.proself_mail("up", "--stack", "dev")
    assert done.returncode == 0, done.stderr
    assert questions(stack, before) == 1
