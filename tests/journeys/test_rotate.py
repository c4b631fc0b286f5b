"""`proself-mail rotate` from a shell: what it makes, what it removes, and what it says."""

import json
import shutil
import subprocess
import time
from datetime import timedelta

import pytest

from tests.journey import Journey
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
    signs_in,
    write_notes,
)
from tests.waiting import until


@pytest.fixture
def journey(stack_to_rotate: Journey) -> Journey:
    """A stack that is up, as new for each test."""
    return stack_to_rotate.as_kept()


def test_nothing_due_changes_nothing(journey: Journey) -> None:
    before = journey.mark()
    done = journey.proself_mail("rotate", "--stack", STACK, env={"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert "Nothing is due" in done.stdout
    assert journey.writes(before) == []
    told = " ".join(done.stderr.split())
    whom = f"Signed in to tenant {journey.tenant.tenant_id} as "
    assert told.count(whom) == 1
    assert told.startswith(whom)
    assert max(len(line) for line in done.stderr.splitlines()) <= 80


def test_a_secret_that_was_made_twice_is_not_told_as_somebody_elses(journey: Journey) -> None:
    """The update removes the one whose value came nowhere; the summary shows it no more."""
    [first] = journey.outputs(STACK)["clientSecrets"]
    later(journey, 150)
    before = journey.mark()
    match = {"method": "POST", "path": "/applications/*/addPassword"}
    journey.tenant.faults({"name": "twice", "match": match, "strike": "twice", "times": 1})
    told = rotate(journey)
    assert journey.tenant.struck() == {"twice": 1}
    _, new = journey.outputs(STACK)["clientSecrets"]
    assert set(passwords(journey)) == {first["keyId"], new["keyId"]}
    assert len(removals(journey, before)) == 1
    assert "Made and proven" in told
    assert "recorded nowhere as ours" not in told


def test_a_window_opens_and_the_one_before_it_runs_out(journey: Journey) -> None:
    [first] = journey.outputs(STACK)["clientSecrets"]
    later(journey, 150)
    before = journey.mark()
    assert "Made and proven" in rotate(journey)
    assert removals(journey, before) == []
    old, new = journey.outputs(STACK)["clientSecrets"]
    assert old == first
    assert signs_in(journey, old)
    assert signs_in(journey, new)
    assert new["value"] in journey.config_file.read_text(encoding="utf-8")
    later(journey, 30)
    before = journey.mark()
    # Nobody said that Proself has the new one.
    assert "Removed" in rotate(journey, code=6)
    assert removals(journey, before) == [first["keyId"]]
    assert list(passwords(journey)) == [new["keyId"]]
    assert [each["keyId"] for each in journey.outputs(STACK)["clientSecrets"]] == [new["keyId"]]
    before = journey.mark()
    rotate(journey, code=6)
    assert journey.writes(before) == []


def test_early_by_an_entry_that_keeps_everything_else_of_the_file(journey: Journey) -> None:
    [first] = journey.outputs(STACK)["clientSecrets"]
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    path.write_text("# Contoso's\n" + path.read_text(encoding="utf-8"))
    later(journey, 10)
    before = journey.mark()
    said = rotate(journey, "--now")
    assert f"Commit Pulumi.{STACK}.yaml" in said
    assert "Made and proven" in said
    assert "Nothing is due" not in said
    assert "Nobody has to act" not in said
    assert path.read_text(encoding="utf-8").startswith("# Contoso's\n")
    [old, added] = entries(journey)
    assert (added["everyDays"], added["overlapDays"]) == (150, 30)
    assert added["from"] > str(old["from"])
    assert removals(journey, before) == []
    secrets = journey.outputs(STACK)["clientSecrets"]
    assert secrets[0] == first
    assert all(signs_in(journey, each) for each in secrets)
    later(journey, 10)
    as_it_is, before = path.read_bytes(), journey.mark()
    assert "up to 4 client secrets would be valid at once" in rotate(journey, "--now", code=3)
    assert path.read_bytes() == as_it_is
    assert journey.writes(before) == []


def test_a_leaked_secret_dies_after_a_typed_word_and_nobody_elses(journey: Journey) -> None:
    [leaked] = journey.outputs(STACK)["clientSecrets"]
    application = journey.outputs(STACK)["applicationObjectId"]
    foreign = {
        "passwordCredential": {"displayName": "Somebody's", "endDateTime": leaked["expires"]}
    }
    with journey.tenant.http(journey.tenant.token()) as http:
        theirs = http.post(f"/v1.0/applications/{application}/addPassword", json=foreign).json()
    later(journey, 10)
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    as_it_is, before = path.read_bytes(), journey.mark()
    for typed in (None, "", "yes\n", "contoso.prod\n"):
        refused = journey.proself_mail("rotate", "--revoke", "--stack", STACK, stdin=typed)
        assert refused.returncode == 3
        told = " ".join(refused.stderr.split())
        assert f"die as soon as a new one is proven: {leaked['keyId']}." in told
        assert "Mail stops then, until somebody pastes the new one into Proself" in told
        assert "not confirmed; no secret was made, and none was revoked" in told
        assert "good for" not in told, "what dies is good for no day"
    assert path.read_bytes() == as_it_is
    assert journey.writes(before) == []

    # Theirs ends with the same window, so it may be a leaked one of ours that nobody recorded.
    said = rotate(journey, "--revoke", code=5, stdin=f"{STACK}\n")
    assert leaked["keyId"] in said
    assert theirs["keyId"] in said
    assert removals(journey, before) == [leaked["keyId"]]
    assert entries(journey)[-1]["revokesEarlier"] is True
    [new] = journey.outputs(STACK)["clientSecrets"]
    assert signs_in(journey, new)
    assert not signs_in(journey, leaked)
    assert set(passwords(journey)) == {theirs["keyId"], new["keyId"]}

    with journey.tenant.http(journey.tenant.token()) as http:
        http.post(
            f"/v1.0/applications/{application}/removePassword", json={"keyId": theirs["keyId"]}
        )
    later(journey, 1)
    # A rotation that is planned for later is no reason to let a leaked secret live until then.
    comes = journey.tenant.now() + timedelta(days=40)
    planned = {"from": f"{comes:%Y-%m-%dT%H:%M:%SZ}", "everyDays": 90, "overlapDays": 20}
    set_entries(journey, *entries(journey), planned)
    # Nor is what somebody changed: a refresh mends that, and a revocation does not wait for it.
    with journey.tenant.http(journey.tenant.token()) as http:
        changed = {"displayName": "Somebody's name"}
        http.patch(f"/v1.0/applications/{application}", json=changed).raise_for_status()
    began = time.monotonic()
    said = rotate(journey, "--revoke", code=6, stdin=f"{STACK}\n")
    assert time.monotonic() - began < 60, "three minutes are waited where it may be a lag"
    told = " ".join(said.split())
    assert "the tenant differs from the stack: step 2 (Somebody's name, single tenant" in told
    assert f"`pulumi up --refresh --stack {STACK}` shows the difference and mends it." in told
    [*_, revoking, last] = entries(journey)
    assert (revoking["revokesEarlier"], revoking["everyDays"]) == (True, 150)
    assert last == planned
    assert not signs_in(journey, new)
    summary = (journey.folder / "out" / STACK / "rotation.md").read_text(encoding="utf-8")
    for told in (said, summary):
        assert "Made and proven: the client secret of the window" in told
        assert "Removed: 'Proself SMTP OAuth" in told
        assert f"key id {new['keyId']}, until" in told
        assert "Nothing is due" not in told


def test_a_revocation_that_was_killed_is_finished_on_another_machine(journey: Journey) -> None:
    """The state has forgotten the leaked secret by then; the notes have not."""
    [leaked] = journey.outputs(STACK)["clientSecrets"]
    later(journey, 10)
    removal = {"path": "/applications/*/removePassword"}
    journey.tenant.faults({"name": "removal", "strike": "reset-before", "match": removal})
    revoke = ("rotate", "--revoke", "--stack", STACK)
    with journey.started(*revoke, stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(f"{STACK}\n")
        process.stdin.flush()
        until(lambda: journey.tenant.struck()["removal"])
    journey.tenant.faults()
    assert leaked["keyId"] in passwords(journey)
    assert leaked["keyId"] not in [e["keyId"] for e in journey.outputs(STACK)["clientSecrets"]]
    assert entries(journey)[-1]["revokesEarlier"] is True, "a secret was made: the entry stays"
    verified = journey.proself_mail("verify", "--stack", STACK, "--json")
    assert verified.returncode == 1, verified.stdout
    [seen] = json.loads(verified.stdout)["stacks"]
    checks = {each["name"]: each for each in seen["checks"]}
    assert leaked["keyId"] in checks["client secrets"]["detail"]
    assert checks["foreign client secrets"]["detail"] == "none"
    shutil.rmtree(journey.folder / "out")
    before = journey.mark()
    rotate(journey, code=6)
    assert removals(journey, before) == [leaked["keyId"]]
    assert leaked["keyId"] not in passwords(journey)


def test_who_pasted_is_remembered_where_a_fresh_runner_reads_it(journey: Journey) -> None:
    [first] = journey.outputs(STACK)["clientSecrets"]
    write_notes(journey, "Call Sato first.")
    said = rotate(journey, "--acknowledge")
    assert first["keyId"] in said
    assert "対応は不要です" in said
    told = rotate(journey, "--dry-run")
    assert "Nobody has to act. The client secret in Proself is good" in told
    assert "Nothing is due; nothing was changed." in told
    told = rotate(journey)
    assert told.count("Nobody has to act") == told.count("対応は不要です") == 1
    later(journey, 150)
    assert "Nothing was changed: this was a dry run." in rotate(journey, "--dry-run")
    assert "Mail stops at" in rotate(journey)
    assert notes(journey).startswith("Call Sato first.\n")
    later(journey, 14)
    rotate(journey)
    later(journey, 2)
    said = rotate(journey, code=6)
    assert "Soon: Mail stops at" in said
    assert "至急" in said
    assert "A person must act within" in rotate(journey, "--dry-run", code=6)
    verified = journey.proself_mail("verify", "--stack", STACK, env={"COLUMNS": "200"})
    assert verified.returncode == 6, verified.stdout
    assert "A person must act (see “secret in Proself”); nothing else is wrong" in verified.stdout
    assert "Soon: Mail stops at" in verified.stdout
    before = journey.mark()
    rotate(journey, "--acknowledge", "00000000-0000-4000-8000-000000000000", code=2)
    assert journey.writes(before) == []
    assert "Nobody has to act" in rotate(journey, "--acknowledge")
    later(journey, 20)
    rotate(journey)
    preview = journey.pulumi(
        "preview", "--refresh", "--stack", STACK, "--expect-no-changes", "--json"
    )
    assert preview.returncode == 0, preview.stdout[-2000:]


def test_an_update_of_the_application_does_not_lose_what_was_pasted(journey: Journey) -> None:
    """The plugin blanks the notes with every update of the application."""
    write_notes(journey, "Call Sato first.")
    rotate(journey, "--acknowledge")
    as_they_are = notes(journey)
    rename(journey, "Another name")
    done = journey.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert notes(journey) == as_they_are
    later(journey, 150)
    rename(journey, "A third name")
    assert "Mail stops at" in rotate(journey)
    assert "if Proself still has" not in rotate(journey)
    assert notes(journey).startswith("Call Sato first.\n")
    old, new = journey.outputs(STACK)["clientSecrets"]
    verified = journey.proself_mail("verify", "--stack", STACK, "--json")
    assert verified.returncode == 0, verified.stdout
    [seen] = json.loads(verified.stdout)["stacks"]
    checks = {each["name"]: each for each in seen["checks"]}
    valid = f"{new['keyId']} until {new['expires']}, {old['keyId']} until {old['expires']}"
    assert checks["client secrets"]["detail"].endswith(f"valid, the newest first: {valid}")
    has = checks["secret in Proself"]
    assert has["detail"] == f"an older one, {old['keyId']}, until {old['expires']}"
    assert f"Mail stops at {old['expires']}" in has["next_step"]
    ends = old["expires"].replace("T", " ").replace("Z", " UTC")
    assert f"{ends} に期限が切れ、メール送信が停止します。" in has["next_step_ja"]


def test_an_update_killed_before_it_gave_the_notes_back_loses_none_of_them(
    journey: Journey,
) -> None:
    [first] = journey.outputs(STACK)["clientSecrets"]
    write_notes(journey, "Call Sato first.")
    rotate(journey, "--acknowledge")
    later(journey, 180)  # the first one has ended, and its window leaves the state
    rename(journey, "Another name")
    rule = {"match": {"path": "/applications/*", "method": "PATCH"}, "strike": "reset-before"}
    # The first is the engine's, which blanks the notes; the others would bring them back.
    journey.tenant.faults({"name": "back", "nth": list(range(2, 99))} | rule)
    with journey.started("up", "--stack", STACK):
        until(lambda: journey.tenant.struck()["back"])
    journey.tenant.faults()
    assert notes(journey) == ""
    assert first["keyId"] not in [e["keyId"] for e in journey.outputs(STACK)["clientSecrets"]]
    done = journey.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert notes(journey).startswith("Call Sato first.\n")
    before = journey.mark()
    said = rotate(journey, code=6)
    assert "Mail has stopped" in said, "it is known still which one Proself has"
    assert "recorded nowhere as ours" not in said
    assert removals(journey, before) == [first["keyId"]]
