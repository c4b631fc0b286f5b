"""`proself-mail teardown`: everything of ours, nothing else, whatever state it is found in."""

import json
import shutil
import uuid

from tests.journey import Journey
from tests.removing import (
    STACK,
    bearing,
    refused,
    stack_id,
    tags,
    teardown,
)


def test_everything_goes_and_running_it_again_is_quiet(standing: Journey) -> None:
    other = str(uuid.uuid4())
    doubled = [*tags(stack_id(standing)), *tags(other)]
    foreign = standing.tenant.seed(
        applications=[
            {"display_name": "Proself mail", "service_principal": True},
            {"display_name": "Proself mail", "body": {"tags": tags(other)}},
            {"display_name": "Proself mail", "body": {"tags": doubled}},
            {"display_name": "Proself mail", "body": {"tags": tags(stack_id(standing))[:2]}},
        ]
    )["applications"]
    cut_short = [  # by kills in the midst of writing
        standing.config_file.with_name(".proself.toml.0a1b2c_d.tmp"),
        standing.folder / "out" / STACK / ".teardown.json.z0a1b2c3.tmp",
    ]
    cut_short[1].parent.mkdir(parents=True, exist_ok=True)
    for path in cut_short:
        shutil.copy(standing.config_file, path)
    others = standing.config_file.with_name(".proself.toml.another1.tmp")
    text = standing.config_file.read_text(encoding="utf-8")
    others.write_text(text.replace(stack_id(standing), str(uuid.uuid4())), encoding="utf-8")
    before = standing.mark()
    dry = teardown(standing, confirm=False)
    assert dry.returncode == 0, dry.stderr
    assert "Nothing was removed" in dry.stdout
    assert max(map(len, dry.stdout.splitlines())) <= 80
    assert standing.writes(before) == []

    done = teardown(standing, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)["stacks"][0]
    assert {each["kind"]: each["result"] for each in report["items"]} == {
        "application": "removed",
        "service principal": "removed",
        "grant": "removed",
        "config file": "removed",
        "stack state": "removed",
    }
    left = set(bearing(standing, stack_id(standing)))
    assert left == {each["id"] for each in foreign[2:]}  # doubled or damaged: not ours
    touched = " ".join(path for _, path in standing.writes(before))
    for each in foreign:
        assert each["id"] not in touched
        assert standing.tenant.ask("GET", f"/applications/{each['id']}")
    assert len(standing.writes(before)) == 3  # one deletion, two purges
    assert not standing.config_file.exists()
    assert not [path for path in cut_short if path.exists()]
    assert not (standing.folder / "out" / STACK).exists()
    assert others.exists()
    assert STACK not in standing.pulumi("stack", "ls").stdout
    assert (standing.folder / f"Pulumi.{STACK}.yaml").exists()
    said = dry.stdout + dry.stderr + done.stdout + done.stderr
    assert not [secret for secret in standing.tenant.secrets() if secret in said]

    again = teardown(standing)
    assert again.returncode == 0, again.stderr
    assert f"{STACK}: nothing was left\n" in again.stderr
    assert len(standing.writes(before)) == 3


def test_a_lost_state_is_no_hindrance_but_hides_whose_a_secret_is(standing: Journey) -> None:
    """The one secret that came with the application is ours; of two nobody can tell."""
    path = f"/applications/{standing.outputs(STACK)['applicationObjectId']}"
    shutil.rmtree(standing.folder / "state")
    (standing.folder / "state").mkdir()
    plan = teardown(standing, confirm=False)
    assert plan.returncode == 0, plan.stderr
    assert "Not the program's" not in plan.stdout
    ours = standing.tenant.ask("GET", path)["passwordCredentials"][0]["displayName"]
    added = {"passwordCredential": {"displayName": ours}}
    key = standing.tenant.ask("POST", f"{path}/addPassword", added)["keyId"]
    assert key in refused(standing)
    standing.tenant.ask("POST", f"{path}/removePassword", {"keyId": key})
    done = teardown(standing)
    assert done.returncode == 0, done.stderr
    assert bearing(standing, stack_id(standing)) == []


def test_what_a_person_destroyed_by_one_deletion_is_purged(standing: Journey) -> None:
    application = standing.outputs(STACK)["applicationObjectId"]
    before = standing.mark()
    assert standing.pulumi("destroy", "--stack", STACK, "--yes").returncode == 0
    assert standing.writes(before) == [("DELETE", f"/v1.0/applications/{application}")]
    assert len(bearing(standing, stack_id(standing))) == 2
    exported = json.loads(standing.pulumi("stack", "export", "--stack", STACK).stdout)
    assert not exported["deployment"].get("resources")
    assert standing.config_file.exists()  # the README says so
    done = teardown(standing)
    assert done.returncode == 0, done.stderr
    assert bearing(standing, stack_id(standing)) == []


def test_the_stack_and_the_recycle_bin_are_kept_when_asked(standing: Journey) -> None:
    before = standing.mark()
    done = teardown(standing, "--keep-stack", "--keep-in-recycle-bin")
    assert done.returncode == 0, done.stderr
    assert len(standing.writes(before)) == 1
    assert len(bearing(standing, stack_id(standing))) == 2
    exported = json.loads(standing.pulumi("stack", "export", "--stack", STACK).stdout)
    assert not exported["deployment"].get("resources")


def test_without_the_right_to_purge_it_says_what_is_left_and_for_how_long(
    standing: Journey,
) -> None:
    principal = standing.outputs(STACK)["servicePrincipalObjectId"]
    owner = standing.caller()
    standing.tenant.ask("DELETE", f"/servicePrincipals/{principal}/owners/{owner}/$ref")
    done = teardown(standing)
    said = " ".join(done.stdout.split())
    assert done.returncode == 5, said
    assert "may not purge it" in said
    assert "30 days" in said
    assert STACK in standing.pulumi("stack", "ls").stdout  # nothing is forgotten that is left
    assert bearing(standing, stack_id(standing)) == [principal]
    assert (standing.folder / "out" / STACK / "teardown.json").exists()
    report = json.loads(teardown(standing, "--json").stdout)["stacks"][0]
    assert report["failed"]
    assert "FAILED" not in {each["result"] for each in report["items"] if each["id"] != principal}


def test_lag_throttling_and_lost_replies(standing: Journey) -> None:
    bins = {"path": "/directory/deletedItems/*", "method": "DELETE"}
    standing.tenant.faults(
        {"match": bins, "nth": 1, "strike": "status", "status": 429, "retry_after_seconds": 1},
        {"match": {"method": "DELETE", "path": "/applications/*"}, "nth": 1,
         "strike": "reset-after"},
        lag={"seconds": 2, "stale_ratio": 0.5, "list_seconds": 2, "deletion_seconds": 2},
    )  # fmt: skip
    try:
        done = teardown(standing)
    finally:
        standing.tenant.faults()
    assert done.returncode == 0, done.stdout + done.stderr
    assert bearing(standing, stack_id(standing)) == []


def test_several_stacks_in_one_call(journey: Journey) -> None:
    names = ["a.test", "b.test"]
    ids = [journey.make_stack(name, configFile="none")["stackId"] for name in names]
    for name in names:
        assert journey.up(name).returncode == 0
    named = [f"organization/proself-mail/{names[0]}", *names]  # one of them twice
    confirmation = ("--confirm", journey.tenant.tenant_id.upper())
    done = journey.proself_mail("teardown", "--stack", *named, *confirmation)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[2/2]" in done.stderr
    assert " ".join(done.stdout.split()).count("5 resources of the tenant") == 2
    assert [found for each in ids for found in bearing(journey, each)] == []
