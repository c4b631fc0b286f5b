"""`proself-mail rotate` where something is wrong: a clear error, and nothing lost or written."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.journey import LEAST, Journey, instant
from tests.rotating import (
    STACK,
    entries,
    later,
    notes,
    passwords,
    removals,
    rename,
    rotate,
    set_entries,
    set_up,
    signs_in,
)
from tests.tenant import Tenant
from tests.waiting import until


@pytest.fixture
def journey(stack_to_rotate: Journey) -> Journey:
    """A stack that is up, as new for each test."""
    return stack_to_rotate.as_kept()


def test_a_file_that_lacks_a_live_secret_is_refused(journey: Journey) -> None:
    """Edited, moved, removed or old."""
    for days in (10, 20):
        later(journey, days)
        rotate(journey, "--now")
    secrets = journey.outputs(STACK)["clientSecrets"]
    first, second, third = entries(journey)
    before = journey.mark()
    for changed in (
        [second, third],
        [first | {"overlapDays": 31}, second, third],
        [first],
        [first | {"from": instant(timedelta(hours=1))}, second, third],
    ):
        set_entries(journey, *changed)
        assert "stack file is older" in rotate(journey, code=3)
    refused = journey.proself_mail("up", "--stack", STACK)
    assert refused.returncode == 3, refused.stderr
    assert "stack file is older" in " ".join(refused.stderr.split())
    set_entries(journey, second, first)
    assert "in the order of their `from`" in rotate(journey, code=2)
    refused = journey.proself_mail("up", "--stack", STACK)
    assert refused.returncode == 2, refused.stderr
    assert "in the order of their `from`" in " ".join(refused.stderr.split())
    for kept, lost in (
        ([first, second], "the file of a `rotate --now` was lost before its commit"),
        ([first], "2 runs were lost before their commit (`rotate --now`, `rotate --now`)"),
    ):
        set_entries(journey, *kept)
        told = rotate(journey, code=3)
        line = told.partition(f"{lost}, `")[2].partition("`")[0]
        typed = subprocess.run(
            ["sh", "-ec", line], cwd=journey.folder, env=journey.environment, capture_output=True
        )
        assert typed.returncode == 0, told
        assert entries(journey) == [first, second, third]
    assert "Nothing is due" in rotate(journey)
    # What would stop a rotation is told while there is time.
    tree = journey.folder / "tree"
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    journey.change(STACK, configFile=str(tree / "proself.toml"))
    assert "git, which would take the file" in rotate(journey, code=3)
    journey.change(STACK, configFile=str(journey.config_file))
    set_entries(journey, second)
    plain = journey.up(STACK)
    assert plain.returncode != 0, plain.stdout
    assert "stack file is older" in plain.stdout
    check = _check(journey, "newest client secret")
    assert "stack file is older" in check["detail"]
    assert "`git pull`" in check["next_step"]
    assert journey.writes(before) == []
    assert all(signs_in(journey, each) for each in secrets)


def test_a_uuid_that_is_not_the_stacks_own_is_refused(journey: Journey) -> None:
    """Changed, missing or copied: the state and the other stacks' files tell whose it is."""
    file, copied = (journey.folder / f"Pulumi.{name}.yaml" for name in (STACK, "copy"))
    text = file.read_text(encoding="utf-8")
    own = yaml.safe_load(text)["config"]["proself-mail:stackId"]
    mending = f"pulumi config set stackId {own} --plaintext --stack {STACK}"
    journey.make_stack("copy")
    copied.write_text(text, encoding="utf-8")
    before = journey.mark()

    def told(code: int | None, *command: str, stack: str = STACK) -> str:
        run = journey.pulumi if code is None else journey.proself_mail
        done = run(*command, "--stack", stack)
        assert done.returncode == code or (code is None and done.returncode), done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    journey.change(STACK, stackId=None)
    assert f"`{mending}`" in told(2, "preflight")
    assert f"`{mending}`" in told(None, "preview")
    journey.change(STACK, stackId=str(uuid.uuid4()))
    for command in ("up", "rotate", "preflight"):
        assert f"`{mending}`" in told(3, command)
    assert f"`{mending}`" in told(None, "preview")
    assert f"`{mending}`" in told(
        None, "up", "--yes", "--skip-preview", "--target", "**application"
    )
    file.write_text(text, encoding="utf-8")
    for said in (
        told(3, "up", stack="copy"),
        told(3, "teardown", stack="copy"),
        told(None, "preview", stack="copy"),
    ):
        assert f"Pulumi.copy.yaml has the `stackId` of Pulumi.{STACK}.yaml" in said
        assert "remove it, and `proself-mail init --stack copy` writes a new one" in said
    assert journey.writes(before) == []
    told(0, "preflight")


def test_what_is_marked_to_be_replaced_is_told_before(journey: Journey) -> None:
    """By `pulumi state taint`: the engine would make another application without a question."""
    urn = (
        f"urn:pulumi:{STACK}::proself-mail::proself-mail:index:MailApp$"
        "azuread:index/application:Application::application"
    )
    marked = journey.pulumi("state", "taint", urn, "--yes", "--stack", STACK)
    assert marked.returncode == 0, marked.stderr
    before = journey.mark()
    mending = f"pulumi state untaint {shlex.quote(urn)} --stack {STACK}"
    assert f"`{mending}`" in rotate(journey, "--dry-run", code=3)
    for command, code in (("up", 3), ("preflight", 1), ("verify", 1)):
        done = journey.proself_mail(command, "--stack", STACK)
        assert done.returncode == code, done.stdout + done.stderr
        assert mending in done.stdout + done.stderr
    assert journey.writes(before) == []
    mended = journey.pulumi(*shlex.split(mending)[1:], "--yes")
    assert mended.returncode == 0, mended.stderr
    rotate(journey, "--dry-run")


def test_a_secret_that_somebody_removed_is_told(journey: Journey, tmp_path: Path) -> None:
    made = journey.outputs(STACK)
    [first] = made["clientSecrets"]
    with journey.tenant.http(journey.tenant.token()) as http:
        path = f"/v1.0/applications/{made['applicationObjectId']}/removePassword"
        assert http.post(path, json={"keyId": first["keyId"]}).status_code == 204
    later(journey, 1)
    mends = f"`proself-mail rotate --now --stack {STACK}`"
    assert mends in rotate(journey, code=1)
    assert mends in rotate(journey, "--acknowledge", code=2)
    for _ in range(2):  # the first one wrote nothing: the second has no reader to wait for
        up = journey.proself_mail("up", "--stack", STACK)
        assert up.returncode == 1
        assert mends in " ".join(up.stderr.split())
        assert "waiting for" not in up.stderr
    assert mends in _client_secrets(journey)["next_step"]
    rotate(journey, "--now", code=6)
    secret = journey.outputs(STACK)["clientSecrets"][-1]
    assert signs_in(journey, secret)
    assert f"The first client secret to end does so at {secret['expires']}." in rotate(
        journey, code=6
    )
    found = _client_secrets(journey)
    assert found["outcome"] == "OK", "nothing has to be made good"
    assert f"Entra no longer holds {first['keyId']}" in found["detail"]
    # Pulumi makes what the program declares, which a person who uses it is to know.
    preview = journey.pulumi("preview", "--refresh", "--stack", STACK)
    assert "+ 1 to create" in preview.stdout
    refreshing = "no run makes it anew; a refresh by Pulumi would, and nobody needs that"
    assert refreshing in found["detail"]
    assert refreshing in rotate(journey, code=6)
    up = journey.proself_mail("up", "--stack", STACK)
    assert up.returncode == 0, up.stderr
    assert f"{first['keyId']}, until {first['expires']}, was removed" in " ".join(up.stdout.split())
    assert refreshing in " ".join(up.stdout.split())

    journey.change(STACK, owners=[str(uuid.uuid4())])
    told = tmp_path / "told"
    runner = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(told)}
    done = journey.proself_mail("rotate", "--stack", STACK, env=runner)
    assert done.returncode == 1, done.stderr
    assert "lock itself out" in " ".join(done.stderr.split())
    assert "Paste the newest client secret (key ID " in " ".join(done.stdout.split())
    assert told.read_text(encoding="utf-8").splitlines() == [
        "person=failed",
        f"title=Proself mail {STACK}: mail may have stopped, paste the new client secret",
    ]


def test_a_secret_that_the_state_has_lost_is_told_and_mail_goes_on(journey: Journey) -> None:
    """`pulumi destroy` of a production stack loses it too, and `pulumi stack import`.

    An update that was killed as it was made, and that this one carries on, is not said to have
    made it.
    """
    [lost] = journey.outputs(STACK)["clientSecrets"]
    rotate(journey, "--acknowledge")
    file = yaml.safe_load((journey.folder / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8"))
    made = {"stackId": file["config"]["proself-mail:stackId"], "notes": ""}
    made |= dict.fromkeys(("began", "wrote"), passwords(journey)[lost["keyId"]]["startDateTime"])
    update = journey.folder / "out" / STACK / "update.json"
    update.parent.mkdir(exist_ok=True)
    update.write_text(json.dumps(made), encoding="utf-8")
    before = journey.mark()
    component = f"urn:pulumi:{STACK}::proself-mail::proself-mail:index:MailApp$azuread:index/"
    urn = f"{component}applicationPassword:ApplicationPassword::secret-{lost['id']}"
    assert journey.pulumi("state", "delete", urn, "--yes", "--stack", STACK).returncode == 0
    said = rotate(journey)
    assert f"Mail stops at {lost['expires']}, when the client secret that Proself has ends" in said
    assert "Paste the newest client secret (key ID " in said
    assert f"{lost['keyId']}, until {lost['expires']}) is this stack's and no longer in" in said
    assert removals(journey, before) == []
    assert not update.exists(), "it was carried on"
    foreign = _check(journey, "foreign client secrets")
    assert f"{lost['keyId']}, the stack's own, which its state has lost" in foreign["detail"]
    assert "enter the newest in Proself" in foreign["next_step"]


def test_mail_goes_on_where_the_newest_secret_was_removed_shortly_after_it_was_made(
    journey: Journey,
) -> None:
    """Proself has the one before: nobody is led to paste the one that is gone, and room is left."""
    rotate(journey, "--acknowledge")
    later(journey, 10)
    rotate(journey, "--now")
    made = journey.outputs(STACK)
    [first, gone] = made["clientSecrets"]
    path = f"/applications/{made['applicationObjectId']}/removePassword"
    journey.tenant.ask("POST", path, {"keyId": gone["keyId"]})
    later(journey, 1)
    mends = f"`proself-mail rotate --now --stack {STACK}`"
    said = rotate(journey, code=1)
    assert mends in said
    assert "Nobody has to act" not in said
    done = journey.proself_mail("verify", "--stack", STACK, "--json")
    assert done.returncode == 1, done.stderr
    [stack] = json.loads(done.stdout)["stacks"]
    checks = {each["name"]: each for each in stack["checks"]}
    for name in ("client secrets", "newest client secret", "newest secret signs in"):
        assert checks[name]["outcome"] == "FAIL", name
        assert checks[name]["next_step"].startswith(f"{mends}, which makes a new one"), name
        assert checks[name]["next_step_ja"].startswith(f"{mends} で新しいシークレットを"), name
    assert checks["secret in Proself"]["outcome"] == "OK"
    assert f"an older one, {first['keyId']}" in checks["secret in Proself"]["detail"]
    refused = rotate(journey, "--acknowledge", code=2)  # whoever pasted that one has no mail
    assert mends in refused
    assert f"`proself-mail rotate --acknowledge {first['keyId']} --stack {STACK}`" in refused
    said = rotate(journey, "--acknowledge", first["keyId"])
    assert f"Recorded: Proself has {first['keyId']}. Somebody removed the newest" in said
    assert "Nobody has to act" not in said
    japanese = f"最新のシークレットは Entra で削除されています。{mends}"
    assert "".join(japanese.split()) in "".join(said.split())  # folded between any two letters
    assert "Made and proven" in rotate(journey, "--now")
    assert signs_in(journey, journey.outputs(STACK)["clientSecrets"][-1])


def test_what_another_machine_makes_before_the_engine_begins_is_not_dropped(
    journey: Journey, tmp_path: Path
) -> None:
    """The file was not older when it was read."""
    later(journey, 150)
    other = journey.clone()
    pulumi = shutil.which("pulumi", path=journey.environment["PATH"])
    waits = f'case " $* " in *" up "*) touch {tmp_path}/up; cat {tmp_path}/goes_on;; esac'
    (tmp_path / "pulumi").write_text(f'#!/bin/sh\n{waits}\nexec {pulumi} "$@"\n', "utf-8")
    (tmp_path / "pulumi").chmod(0o755)
    os.mkfifo(tmp_path / "goes_on")
    journey.environment["PATH"] = f"{tmp_path}{os.pathsep}{journey.environment['PATH']}"
    with journey.started("rotate", "--stack", STACK) as process:
        until((tmp_path / "up").exists)
        rotate(other, "--now")
        rotate(other, "--acknowledge")
        before = journey.mark()
        (tmp_path / "goes_on").write_text("")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "stack file is older than the state" in " ".join(said.split())
    assert journey.writes(before) == []
    _, due, early = journey.outputs(STACK)["clientSecrets"]
    assert signs_in(journey, early)
    for noted in (due["keyId"], f'"pasted":"{early["keyId"]}"'):
        assert noted in notes(journey)


def _client_secrets(journey: Journey) -> dict[str, str]:
    return _check(journey, "client secrets")


def _check(journey: Journey, name: str) -> dict[str, str]:
    """Return a check of `verify`, which does not end well."""
    done = journey.proself_mail("verify", "--stack", STACK, "--json")
    assert done.returncode in (1, 6), done.stderr
    [stack] = json.loads(done.stdout)["stacks"]
    [check] = [each for each in stack["checks"] if each["name"] == name]
    return dict(check)


def test_a_pipeline_opens_an_issue_for_what_stops_a_rotation(
    journey: Journey, tmp_path: Path
) -> None:
    """That the newest secret is gone: no run mends it, and the command's words are in its log."""
    told = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    runner = {"GITHUB_ACTIONS": "true"} | {name: str(path) for name, path in told.items()}
    made = journey.outputs(STACK)
    [first] = made["clientSecrets"]
    path = f"/applications/{made['applicationObjectId']}/removePassword"
    rotate(journey, "--acknowledge")
    journey.tenant.ask("POST", path, {"keyId": first["keyId"]})
    done = journey.proself_mail("rotate", "--stack", STACK, env=runner)
    assert done.returncode == 1, done.stderr
    outputs = told["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
    assert outputs == [
        "person=failed",
        f"title=Proself mail {STACK}: the rotation failed, and a person must act",
    ]
    body = (journey.folder / "out" / STACK / "rotation.md").read_text(encoding="utf-8")
    assert told["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8") == body
    assert f"Next: `proself-mail rotate --now --stack {STACK}` makes a new one." in body
    assert "| removed by somebody |" in body
    assert first["value"] not in body
    done = journey.proself_mail("rotate", "--stack", STACK, env=runner | {"TF_BUILD": "True"})
    assert f"##vso[task.uploadsummary]{journey.folder}/out/{STACK}/rotation.md" in done.stdout


def test_entries_that_are_all_to_come_are_told_where_every_secret_has_ended(
    journey: Journey, tmp_path: Path
) -> None:
    """No window is open then, so there is no newest secret to tell a person of."""
    told = tmp_path / "outputs"
    runner = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(told)}
    [first] = entries(journey)
    later(journey, 200)
    set_entries(journey, first | {"from": instant(timedelta(days=300))})
    before = journey.mark()
    done = journey.proself_mail("rotate", "--stack", STACK, env=runner)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "which is still to come" in " ".join(done.stderr.split())
    assert "removed" not in done.stderr
    assert told.read_text(encoding="utf-8").startswith("person=failed\n")
    body = (journey.folder / "out" / STACK / "rotation.md").read_text(encoding="utf-8")
    line = "pulumi config set --path 'secrets[0].from'"
    assert f"Next: `{line}" in body
    assert line in rotate(journey, "--now", code=2)
    # A leak waits for nothing, and ends here because nobody types the stack's name.
    done = journey.proself_mail("rotate", "--stack", STACK, "--revoke", env=runner)
    assert done.returncode == 3, done.stderr
    assert "not confirmed" in done.stderr
    assert journey.writes(before) == []


def test_nothing_is_written_where_something_is_wrong(journey: Journey) -> None:
    later(journey, 150)
    rotate(journey)
    later(journey, 150)  # one has expired, another is due: there is something to write
    changed = journey.pulumi("stack", "change-secrets-provider", "passphrase", "--stack", STACK)
    assert changed.returncode == 0, changed.stderr
    before, path = journey.mark(), journey.folder / f"Pulumi.{STACK}.yaml"
    as_it_is = path.read_bytes()
    wrong = {"PULUMI_CONFIG_PASSPHRASE": "wrong"}
    for env, code, cause in (
        (wrong, 2, "passphrase"),
        ({"ARM_CLIENT_SECRET": "", "ARM_USE_OIDC": "true"}, 2, "id-token: write"),
        ({"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": str(300 * 86400 + 4000)}, 2, "67 minutes apart"),
        ({"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "0"}, 2, "300 days apart"),
        ({"ARM_CLIENT_SECRET": "wrong"}, 4, "AADSTS7000215"),
    ):
        for option in ([], ["--now"]):
            done = journey.proself_mail("rotate", "--stack", STACK, *option, env=env)
            assert done.returncode == code, done.stderr
            assert cause in done.stderr
            assert "Traceback" not in done.stderr
    for changes, code, cause in (
        ({"secrets": None}, 2, "secrets"),
        ({"owners": [str(uuid.uuid4())]}, 1, "lock itself out"),
    ):
        _configure(journey, **changes)
        assert cause in rotate(journey, code=code)
        path.write_bytes(as_it_is)
    assert journey.writes(before) == []
    stranger = _somebody_without_rights(journey)
    before = journey.mark()
    done = journey.proself_mail("rotate", "--stack", STACK, env=stranger)
    assert done.returncode == 4, done.stderr
    assert "Authorization_RequestDenied" in done.stderr
    journey.make_stack("bare.test")
    done = journey.proself_mail("rotate", "--stack", "bare.test")
    assert done.returncode == 2, done.stderr
    assert "proself-mail up" in done.stderr
    assert path.read_bytes() == as_it_is
    assert journey.writes(before) == []


def _configure(journey: Journey, **changes: object) -> None:
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if value is None:
            del document["config"][f"proself-mail:{key}"]
        else:
            document["config"][f"proself-mail:{key}"] = value
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def _somebody_without_rights(journey: Journey) -> dict[str, str]:
    """Make an identity that may sign in and nothing more; return the variables that do so."""
    with journey.tenant.http(journey.tenant.token()) as http:
        made = http.post("/v1.0/applications", json={"displayName": "Somebody"}).json()
        http.post("/v1.0/servicePrincipals", json={"appId": made["appId"]}).raise_for_status()
        secret = http.post(f"/v1.0/applications/{made['id']}/addPassword", json={}).json()
    return {"ARM_CLIENT_ID": made["appId"], "ARM_CLIENT_SECRET": secret["secretText"]}


def test_an_entry_that_came_to_nothing_is_taken_back(journey: Journey) -> None:
    """Another run holds the stack: the file must not promise a secret that nobody made."""
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    later(journey, 10)
    as_it_is = path.read_bytes()
    locks = journey.folder / "state/.pulumi/locks/organization/proself-mail" / STACK
    locks.mkdir(parents=True, exist_ok=True)
    lock = '{"pid":1,"username":"x","hostname":"elsewhere","timestamp":"2026-11-23T00:00:00Z"}'
    (locks / "11111111-2222-4333-8444-555555555555.json").write_text(lock, encoding="utf-8")
    before = journey.mark()
    assert "holds the stack" in rotate(journey, "--now", code=3)
    assert path.read_bytes() == as_it_is
    later(journey, 170)  # one has ended, another is due
    assert "holds the stack" in rotate(journey, code=3)
    assert journey.writes(before) == []


def test_an_interrupted_early_rotation_takes_its_entry_back(journey: Journey) -> None:
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    later(journey, 10)
    as_it_is, before = path.read_bytes(), journey.mark()
    journey.tenant.faults(latency_ms=1000)  # there is time between the entry and the engine
    with journey.started("rotate", "--now", "--stack", STACK) as process:
        until(lambda: path.read_bytes() != as_it_is)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"{path.name} is as it was: no secret was made" in said
    assert path.read_bytes() == as_it_is
    assert journey.writes(before) == []


def test_an_entry_stays_whose_secret_was_made_without_an_answer(journey: Journey) -> None:
    """It is live for half a year, and no reader shows it yet to who looks for it."""
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    later(journey, 10)
    [first] = journey.outputs(STACK)["clientSecrets"]
    lost = {"match": {"method": "POST", "path": "/applications/*/addPassword"}}
    journey.tenant.faults(
        {"name": "lost", "strike": "reset-after"} | lost, lag={"seconds": 20, "stale_ratio": 1.0}
    )
    with journey.started("rotate", "--now", "--stack", STACK) as process:
        until(lambda: journey.tenant.struck()["lost"])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    journey.tenant.faults()
    assert f"{path.name} keeps its new entry" in said
    goes_on = f"`proself-mail rotate --stack {STACK}` goes on from here."
    assert said.rstrip().endswith(goes_on)
    assert len(entries(journey)) == len(passwords(journey)) == 2
    assert [each["keyId"] for each in journey.outputs(STACK)["clientSecrets"]] == [first["keyId"]]


@pytest.fixture
def seeing_journey(tmp_path: Path) -> Iterator[Journey]:
    """Sign in as an identity that may see policies, which the least privileges do not include."""
    folder = tmp_path / "seeing"
    folder.mkdir()
    with Tenant("--deployer-role", *LEAST, "Policy.Read.All") as tenant:
        journey = Journey(tenant, folder)
        set_up(journey)
        yield journey


def test_a_policy_that_forbids_the_lifetime_is_told_and_the_old_secret_stays(
    seeing_journey: Journey,
) -> None:
    journey = seeing_journey
    [first] = journey.outputs(STACK)["clientSecrets"]
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    later(journey, 10)
    as_it_is = path.read_bytes()
    _limit_lifetimes(journey)
    before = journey.mark()
    assert "30 days" in rotate(journey, "--now", code=1)
    assert path.read_bytes() == as_it_is
    assert "one that is to come, of 180, will be refused" in _preflight(journey)
    later(journey, 140)
    told = rotate(journey, code=1)
    assert path.read_bytes() == as_it_is
    assert journey.writes(before) == []
    assert signs_in(journey, first)
    _follow(journey, told)
    assert "Made and proven" in rotate(journey)
    assert all(signs_in(journey, each) for each in journey.outputs(STACK)["clientSecrets"])
    assert removals(journey, before) == []


def test_the_way_out_of_such_a_policy_needs_no_right_to_read_it(journey: Journey) -> None:
    """As in a pipeline: the tenant refuses the secret itself, after it took other changes."""
    [first] = journey.outputs(STACK)["clientSecrets"]
    rotate(journey, "--acknowledge")
    as_they_are = notes(journey)
    later(journey, 152)
    rename(journey, "Another name")
    _limit_lifetimes(journey)
    before = journey.mark()
    told = rotate(journey, code=4)
    assert "a policy of the tenant allows client secrets for a shorter time only" in told
    assert notes(journey) == as_they_are, "they come back after a failure, too"
    _follow(journey, told)
    assert "Made and proven" in rotate(journey)
    old, new = journey.outputs(STACK)["clientSecrets"]
    assert old == first
    assert signs_in(journey, old)
    assert signs_in(journey, new)
    assert removals(journey, before) == []
    before = journey.mark()
    assert "Nothing is due" in rotate(journey)
    assert journey.writes(before) == []


def _limit_lifetimes(journey: Journey) -> None:
    restriction = {"restrictionType": "passwordLifetime", "maxLifetime": "P30D"}
    policy = {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [restriction]}}
    journey.tenant.seed(default_policy=policy)


def _follow(journey: Journey, told: str) -> None:
    """Type the command that is told."""
    [command] = re.findall(r"`pulumi (config set-all [^`]*)`", told)
    done = journey.pulumi(*shlex.split(command))
    assert done.returncode == 0, done.stderr


def _preflight(journey: Journey) -> str:
    done = journey.proself_mail("preflight", "--stack", STACK)
    assert done.returncode == 0, done.stdout
    return " ".join(done.stdout.split())
