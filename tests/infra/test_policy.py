"""A tenant's policy on client secrets under plain `pulumi up`: refused with nothing written."""

import re
import shlex
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import yaml

from tests.emulator.browser import sign_in
from tests.emulator.objects import assign_policy
from tests.journey import Journey, instant
from tests.tenant import Tenant

LEAST = ("Application.ReadWrite.OwnedBy", "DelegatedPermissionGrant.ReadWrite.All")
LIMIT = {"restrictionType": "passwordLifetime", "maxLifetime": "P90D", "state": "enabled"}
FORBIDDEN = {"restrictionType": "passwordAddition", "state": "enabled"}
OF_POLICIES = "/v1.0/policies/defaultAppManagementPolicy"


def policy(*restrictions: object) -> dict[str, object]:
    return {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [*restrictions]}}


@pytest.fixture(scope="module")
def stack_that_is_made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with Tenant("--deployer-role", *LEAST, "Policy.Read.All") as tenant:
        journey = Journey(tenant, tmp_path_factory.mktemp("policy"))
        journey.make_stack("dev")
        journey.keep()
        yield journey


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


def questions(journey: Journey, since: int) -> int:
    """Return how often the tenant's policy was asked for after a mark."""
    return sum(each["path"] == OF_POLICIES for each in journey.tenant.history(since))


@pytest.mark.parametrize(
    "command", [("up", "--yes", "--skip-preview"), ("up", "--yes"), ("preview",)], ids=" ".join
)
def test_a_lifetime_above_the_tenants_policy(stack: Journey, command: tuple[str, ...]) -> None:
    stack.tenant.seed(default_policy=policy(LIMIT))
    cause, next_step = refused(stack, *command)
    assert cause.startswith("A secret may live 90 days by the tenant's default app management")
    assert not stack.config_file.exists()
    [mending] = re.findall(r"`pulumi (config set-all [^`]*)`", next_step)
    assert stack.pulumi(*shlex.split(mending)).returncode == 0
    done = stack.up("dev")
    assert done.returncode == 0, done.stdout + done.stderr
    [secret] = stack.outputs("dev")["clientSecrets"]
    assert secret["starts"] < secret["expires"] <= instant(timedelta(days=90))


def test_client_secrets_that_are_forbidden(stack: Journey) -> None:
    stack.tenant.seed(default_policy=policy(FORBIDDEN))
    cause, next_step = refused(stack, "up", "--yes", "--skip-preview")
    assert "forbids client secrets" in cause
    assert next_step.startswith("Have an administrator lift that")


def test_a_stack_that_stands_until_a_secret_is_due(stack: Journey) -> None:
    """Nobody is asked while none is; then a change of another kind is not written either."""
    assert stack.up("dev").returncode == 0
    stack.tenant.seed(default_policy=policy(LIMIT))
    before = stack.mark()
    done = stack.up("dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert questions(stack, before) == 0
    file = stack.folder / "Pulumi.dev.yaml"
    [entry] = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]["proself-mail:secrets"]
    later = entry | {"from": instant(timedelta())}
    stack.change("dev", secrets=[entry, later], displayName="Another name")
    kept = stack.config_file.read_bytes()
    cause, _ = refused(stack, "up", "--yes", "--skip-preview")
    assert "would until" in cause
    assert stack.config_file.read_bytes() == kept
    own = {"displayName": "Mail", "isEnabled": True, "restrictions": {"passwordCredentials": []}}
    with stack.tenant.http(sign_in(stack.tenant, stack.tenant.ready["users"][0])) as http:
        assign_policy(http, stack.outputs("dev")["applicationObjectId"], own)
    done = stack.up("dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(stack.outputs("dev")["clientSecrets"]) == 2


def test_destroy_and_refresh_are_never_refused_for_it(stack: Journey) -> None:
    assert stack.up("dev").returncode == 0
    stack.tenant.seed(default_policy=policy(FORBIDDEN))
    before = stack.mark()
    stack.change("dev", secrets=[{"from": instant(timedelta()), "everyDays": 9, "overlapDays": 1}])
    for command in ("refresh", "destroy"):
        done = stack.pulumi(command, "--run-program", "--stack", "dev", "--yes", "--skip-preview")
        assert done.returncode == 0, done.stdout + done.stderr
    assert questions(stack, before) == 0


def left_to_the_plugin(journey: Journey) -> None:
    """Run `up` into the refusal of a secret by the tenant."""
    done = journey.up("dev")
    assert done.returncode != 0
    assert "CredentialInvalidLifetimeAsPerAppPolicy" in done.stdout + done.stderr


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
    late = {"match": {"path": "/policies/*"}, "strike": "slow", "seconds": 60}
    stack.tenant.faults(late)
    began = time.monotonic()
    left_to_the_plugin(stack)
    assert time.monotonic() - began < 40


def test_proself_mail_up_asks_once(stack: Journey) -> None:
    """It has looked ahead itself, so the program does not."""
    before = stack.mark()
    done = stack.proself_mail("up", "--stack", "dev")
    assert done.returncode == 0, done.stderr
    assert questions(stack, before) == 1
