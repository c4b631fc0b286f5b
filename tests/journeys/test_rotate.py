"""`proself-mail rotate` from a shell: what it makes, removes, refuses and says."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml

from tests.journey import Journey, instant

DAY = timedelta(days=1)
STACK = "contoso.test"


def later(journey: Journey, days: float) -> None:
    """Let so much time pass, here and at the tenant."""
    journey.tenant.advance(days * 86400)
    offset = (journey.tenant.now() - datetime.now().astimezone()).total_seconds()
    journey.environment["PROSELF_MAIL_CLOCK_OFFSET_SECONDS"] = str(round(offset))


@pytest.fixture(autouse=True)
def _set_up(journey: Journey) -> None:
    journey.tenant.reset()
    later(journey, 0)
    journey.make_stack(STACK)
    done = journey.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr


def entries(journey: Journey) -> list[dict[str, Any]]:
    document = yaml.safe_load((journey.folder / f"Pulumi.{STACK}.yaml").read_text())
    found: list[dict[str, Any]] = document["config"]["proself-mail:secrets"]
    return found


def set_entries(journey: Journey, *changed: dict[str, Any]) -> None:
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(path.read_text())
    document["config"]["proself-mail:secrets"] = list(changed)
    path.write_text(yaml.safe_dump(document))


def rotate(journey: Journey, *options: str, code: int = 0, stdin: str | None = None) -> str:
    done = journey.proself_mail("rotate", "--stack", STACK, *options, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for secret in journey.tenant.secrets():
        assert secret not in done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def passwords(journey: Journey) -> dict[str, dict[str, Any]]:
    found = journey.outputs(STACK)
    with journey.tenant.http(journey.tenant.token()) as http:
        answer = http.get(f"/v1.0/applications/{found['applicationObjectId']}").json()
    return {each["keyId"]: each for each in answer["passwordCredentials"]}


def signs_in(journey: Journey, secret: dict[str, str]) -> bool:
    client_id = journey.outputs(STACK)["clientId"]
    answer = journey.tenant.sign_in(client_id=client_id, client_secret=secret["value"])
    return answer.status_code == 200


def removals(journey: Journey, since: int) -> list[str]:
    return [
        each["request"]["keyId"]
        for each in journey.tenant.writes(since)
        if each["path"].endswith("/removePassword")
    ]


def test_nothing_due_changes_nothing(journey: Journey) -> None:
    before = journey.mark()
    assert "Nothing is due" in rotate(journey)
    assert journey.writes(before) == []


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
    assert new["value"] in journey.config_file.read_text()
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
    path.write_text("# Contoso's\n" + path.read_text())
    later(journey, 10)
    before = journey.mark()
    said = rotate(journey, "--now")
    assert f"Commit Pulumi.{STACK}.yaml" in said
    assert path.read_text().startswith("# Contoso's\n")
    [old, added] = entries(journey)
    assert (added["everyDays"], added["overlapDays"]) == (150, 30)
    assert added["from"] > str(old["from"])
    assert removals(journey, before) == []
    secrets = journey.outputs(STACK)["clientSecrets"]
    assert secrets[0] == first
    assert all(signs_in(journey, each) for each in secrets)
    later(journey, 10)
    rotate(journey, "--now")
    as_it_is, before = path.read_bytes(), journey.mark()
    assert "valid at once" in rotate(journey, "--now", code=3)
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
        assert "not confirmed" in rotate(journey, "--revoke", code=3, stdin=typed)
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


def test_a_revocation_that_was_cut_off_is_finished_on_another_machine(journey: Journey) -> None:
    """The state has forgotten the leaked secret by then; the notes have not."""
    [leaked] = journey.outputs(STACK)["clientSecrets"]
    later(journey, 10)
    journey.tenant.faults({"match": "/removePassword", "status": 403})
    before = journey.mark()
    rotate(journey, "--revoke", code=4, stdin=f"{STACK}\n")
    assert leaked["keyId"] in passwords(journey)
    assert leaked["keyId"] not in [e["keyId"] for e in journey.outputs(STACK)["clientSecrets"]]
    assert entries(journey)[-1]["revokesEarlier"] is True, "a secret was made: the entry stays"
    journey.tenant.faults()
    rotate(journey, code=6)
    assert removals(journey, before)[-1] == leaked["keyId"]
    assert leaked["keyId"] not in passwords(journey)


def test_who_pasted_is_remembered_where_a_fresh_runner_reads_it(journey: Journey) -> None:
    [first] = journey.outputs(STACK)["clientSecrets"]
    application = journey.outputs(STACK)["applicationObjectId"]
    with journey.tenant.http(journey.tenant.token()) as http:
        http.patch(f"/v1.0/applications/{application}", json={"notes": "Call Sato first."})
    said = rotate(journey, "--acknowledge")
    assert first["keyId"] in said
    assert "対応は不要です" in said
    later(journey, 150)
    assert "Mail stops at" in rotate(journey)
    with journey.tenant.http(journey.tenant.token()) as http:
        notes = http.get(f"/v1.0/applications/{application}").json()["notes"]
    assert notes.startswith("Call Sato first.\n")
    later(journey, 14)
    rotate(journey)
    later(journey, 2)
    said = rotate(journey, code=6)
    assert "Soon: Mail stops at" in said
    assert "至急" in said
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
    rotate(journey, "--acknowledge")
    later(journey, 150)
    renamed = journey.pulumi("config", "set", "displayName", "Another name", "--stack", STACK)
    assert renamed.returncode == 0, renamed.stderr
    assert "Mail stops at" in rotate(journey)
    assert "if Proself still has" not in rotate(journey)


@pytest.mark.parametrize("edit", ["removed", "reordered", "longer", "older", "later"])
def test_a_file_that_lacks_a_live_secret_is_refused(journey: Journey, edit: str) -> None:
    later(journey, 10)
    rotate(journey, "--now")
    first, second = entries(journey)
    changed = {
        "removed": [second],
        "reordered": [second, first],
        "longer": [first | {"overlapDays": 31}, second],
        "older": [first],
        "later": [first | {"from": instant(timedelta(hours=1))}, second],
    }[edit]
    set_entries(journey, *changed)
    before = journey.mark()
    said = rotate(journey, code=2 if edit == "reordered" else 3)
    assert "stack file is older" in said or "in the order of their `from`" in said
    assert journey.writes(before) == []
    up = journey.up(STACK)
    assert (up.returncode == 0) == (edit != "reordered"), up.stdout
    assert removals(journey, before) == []


def test_a_secret_that_somebody_removed_is_told(journey: Journey) -> None:
    made = journey.outputs(STACK)
    [first] = made["clientSecrets"]
    with journey.tenant.http(journey.tenant.token()) as http:
        path = f"/v1.0/applications/{made['applicationObjectId']}/removePassword"
        assert http.post(path, json={"keyId": first["keyId"]}).status_code == 204
    later(journey, 1)
    assert "--now" in rotate(journey, code=1)
    rotate(journey, "--now", code=6)
    assert signs_in(journey, journey.outputs(STACK)["clientSecrets"][-1])


def test_without_anything_set_up_it_says_so(journey: Journey) -> None:
    journey.make_stack("bare.test")
    done = journey.proself_mail("rotate", "--stack", "bare.test")
    assert done.returncode == 2, done.stderr
    assert "proself-mail up" in done.stderr


@pytest.mark.parametrize(
    ("env", "code", "cause"),
    [
        (
            {"PULUMI_CONFIG_PASSPHRASE": "wrong", "PULUMI_CONFIG_PASSPHRASE_FILE": ""},
            2,
            "passphrase",
        ),
        ({"ARM_USE_OIDC": "true"}, 2, "id-token: write"),
        ({"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "4000"}, 2, "minutes apart"),
        ({"ARM_CLIENT_SECRET": "wrong"}, 4, "AADSTS7000215"),
    ],
)
@pytest.mark.parametrize("option", [None, "--now"])
def test_nothing_is_written_where_something_is_wrong(
    journey: Journey, env: dict[str, str], code: int, cause: str, option: str | None
) -> None:
    before, path = journey.mark(), journey.folder / f"Pulumi.{STACK}.yaml"
    as_it_is = path.read_bytes()
    done = journey.proself_mail("rotate", "--stack", STACK, *([option] if option else []), env=env)
    assert done.returncode == code, done.stderr
    assert cause in done.stderr
    assert path.read_bytes() == as_it_is
    assert journey.writes(before) == []


def test_an_entry_that_came_to_nothing_is_taken_back(journey: Journey) -> None:
    """Another run holds the stack: the file must not promise a secret that nobody made."""
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    later(journey, 10)
    as_it_is = path.read_bytes()
    locks = journey.folder / "state/.pulumi/locks/organization/proself-mail" / STACK
    locks.mkdir(parents=True)
    lock = '{"pid":1,"username":"x","hostname":"elsewhere","timestamp":"2026-11-23T00:00:00Z"}'
    (locks / "11111111-2222-4333-8444-555555555555.json").write_text(lock)
    before = journey.mark()
    assert "holds the stack" in rotate(journey, "--now", code=3)
    assert path.read_bytes() == as_it_is
    assert journey.writes(before) == []
