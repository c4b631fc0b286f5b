"""`proself-mail up` on a stack that stands: what it must not lose, what it brings in line."""

import asyncio
import json
import os
import re
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from proself_mail.entra.patience import AGREEING
from proself_mail.stack import lock, stack
from tests.journey import Journey, instant
from tests.key_service import PROVIDER
from tests.removing import STACK

TRAILING = {
    "name": "trailing",
    "match": {"method": "GET", "path": "/applications/*"},
    "strike": "status",
    "status": 404,
    "times": 2,
}
CONSENT = (
    "urn:pulumi:dev.test::proself-mail::proself-mail:index:MailApp$azuread:index/"
    "servicePrincipalDelegatedPermissionGrant:ServicePrincipalDelegatedPermissionGrant::consent"
)


def test_no_setting_makes_it_refresh_or_leave_something_out(standing: Journey) -> None:
    """A refresh while readers trail would forget the live secret, and another one would be made."""
    project = standing.folder / "Pulumi.yaml"
    document = yaml.safe_load(project.read_text(encoding="utf-8"))
    project.write_text(
        yaml.safe_dump(document | {"options": {"refresh": "always"}}), encoding="utf-8"
    )
    before = standing.mark()
    standing.tenant.faults(TRAILING)
    standing.environment |= {
        "PULUMI_OPTION_REFRESH": "true",
        "PULUMI_OPTION_TARGET": "urn:pulumi:dev::proself-mail::nothing",
        "PULUMI_OPTION_CONFIG_FILE": str(standing.folder / "Pulumi.none.yaml"),
    }
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert standing.tenant.struck() == {"trailing": 2}
    assert standing.writes(before) == []


def state_file(journey: Journey) -> Path:
    return journey.folder / f"state/.pulumi/stacks/proself-mail/{STACK}.json"


def test_a_state_that_is_being_written_is_read_again(standing: Journey) -> None:
    """As by the engine of a killed run, which a file backend lets be read half-way."""
    file = state_file(standing)
    whole = file.read_bytes()
    file.write_bytes(whole[:200])
    written = threading.Timer(1, file.write_bytes, [whole])
    written.start()
    done = standing.proself_mail("rotate", "--stack", STACK)
    written.join()
    assert done.returncode == 0, done.stderr


def test_each_half_of_a_state_is_read_once_more(
    standing: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = state_file(standing)
    whole, waits = file.read_bytes(), list[float]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        file.write_bytes(whole[: (100, 200, len(whole))[len(waits) - 1]])

    for name, value in standing.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stack, "time", SimpleNamespace(sleep=wait))
    assert stack.Stack(STACK, standing.folder).state().application_id is not None
    assert len(waits) == 3


@pytest.mark.parametrize("left", ["", '{"user.cache_control":"","us'], ids=["nothing", "half"])
def test_attributes_that_a_killed_engine_cut_off_stop_nobody(standing: Journey, left: str) -> None:
    """Seen after a kill of everything at once; no command of the CLI works on such a backend."""
    own = standing.folder / "state" / ".pulumi"
    beside = [own / "meta.yaml.attrs", own / "stacks" / "proself-mail" / f"{STACK}.json.attrs"]
    for path in beside:
        assert json.loads(path.read_text(encoding="utf-8"))["md5"]
        path.write_text(left, encoding="utf-8")
    assert standing.pulumi("stack", "export", "--stack", STACK).returncode != 0
    before = standing.mark()
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert standing.writes(before) == []
    assert left not in [path.read_text(encoding="utf-8") for path in beside if path.exists()]
    for path in beside:
        path.write_text(left, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in standing.environment.items():
            patch.setenv(name, value)
        assert asyncio.run(stack.names(standing.folder)) == [STACK]


def test_what_somebody_removed_is_told_at_once(standing: Journey) -> None:
    """Nothing was written: no reader trails, and there is nothing to wait for."""
    known = standing.outputs(STACK)
    grants = f"/servicePrincipals/{known['servicePrincipalObjectId']}/oauth2PermissionGrants"
    [consent] = standing.tenant.ask("GET", grants)["value"]
    standing.tenant.ask("DELETE", f"/oauth2PermissionGrants/{consent['id']}")
    before = standing.mark()
    done = standing.proself_mail("up", "--stack", STACK)
    by_id = f"/v1.0/applications/{known['applicationObjectId']}?"
    looks = [each for each in standing.tenant.history(before) if each["path"].startswith(by_id)]
    assert len(looks) == AGREEING, "they were asked again"
    assert done.returncode == 1, done.stderr
    assert "differs from the stack: step 7" in " ".join(done.stderr.split())
    assert standing.writes(before) == []


def test_an_application_that_somebody_deleted_is_told_at_once(standing: Journey) -> None:
    """With a secret due, which the engine would be refused in the words of a reader that trails.

    What is printed makes another, which the next update proves.
    """
    gone = standing.outputs(STACK)["applicationObjectId"]
    standing.tenant.ask("DELETE", f"/applications/{gone}")
    file = standing.folder / f"Pulumi.{STACK}.yaml"
    [entry] = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]["proself-mail:secrets"]
    standing.change(STACK, secrets=[entry, entry | {"from": instant(timedelta())}])
    before = standing.mark()
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stderr.split())
    assert (
        f"{gone}, which the state knows, is not in the tenant: it lies in the recycle bin" in said
    )
    assert standing.writes(before) == []
    [*_, command] = re.findall(r"`pulumi (up [^`]*)`", said)
    assert standing.pulumi(*command.split(), "--yes", "--skip-preview").returncode == 0
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert standing.outputs(STACK)["applicationObjectId"] != gone


def test_one_that_is_restored_after_another_was_made_is_led_back_to(standing: Journey) -> None:
    """Whichever of the two somebody deletes, nothing that is printed makes a third."""
    first = standing.outputs(STACK)["applicationObjectId"]
    standing.tenant.ask("DELETE", f"/applications/{first}")
    done = standing.pulumi("up", "--refresh", "--yes", "--skip-preview", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    second = standing.outputs(STACK)["applicationObjectId"]
    standing.tenant.ask("POST", f"/directory/deletedItems/{first}/restore")
    knowing = f"`.pulumi/history/proself-mail/{STACK}` in which its object ID stands"
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 3, done.stderr
    in_doubt = " ".join(done.stderr.split())
    assert "the one which the state knows, do not make another in its place: bring" in in_doubt
    assert knowing in in_doubt
    standing.tenant.ask("DELETE", f"/applications/{second}")
    for command, code in (("up", 1), ("rotate", 1), ("verify", 1)):
        done = standing.proself_mail(command, "--stack", STACK)
        assert done.returncode == code, done.stdout + done.stderr
        said = " ".join((done.stdout + done.stderr).split())
        assert knowing in said, command
        assert "pulumi up --refresh" not in said, command
        assert f"object ID {first}" in said, command
    history = standing.folder / "state/.pulumi/history/proself-mail" / STACK
    *_, last = sorted(
        each for each in history.glob("*.checkpoint.json") if first in each.read_text("utf-8")
    )
    state_file(standing).write_bytes(last.read_bytes())
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 1, done.stderr
    assert "step 7 (not granted)" in done.stderr, "the consent did not come back"
    [command] = re.findall(r"`pulumi (up [^`]*)`", " ".join(done.stderr.split()))
    assert standing.pulumi(*command.split(), "--yes", "--skip-preview").returncode == 0
    for command in ("up", "verify"):
        done = standing.proself_mail(command, "--stack", STACK)
        assert done.returncode == 0, done.stdout + done.stderr
    assert standing.outputs(STACK)["applicationObjectId"] == first


def test_an_application_that_goes_during_an_update_is_told(standing: Journey) -> None:
    """As by a teardown at the same time: going on till the deadline does not bring it back."""
    gone = standing.outputs(STACK)["applicationObjectId"]
    file = standing.folder / f"Pulumi.{STACK}.yaml"
    [entry] = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]["proself-mail:secrets"]
    standing.change(STACK, secrets=[entry, entry | {"from": instant(timedelta())}])
    trailing = {"method": "POST", "path": "/applications/*/addPassword"}
    standing.tenant.faults(TRAILING | {"match": trailing, "times": 1000})
    with standing.started("up", "--stack", STACK, "--deadline", "1") as process:
        assert process.stderr is not None
        said = ""
        while "waiting for" not in said and (line := process.stderr.readline()):
            said += line
        standing.tenant.ask("DELETE", f"/applications/{gone}")
        said = " ".join((said + process.stderr.read()).split())
        assert process.wait(20) == 1, said
    assert f"{gone}, which the state knows, is not in the tenant" in said
    assert "If a teardown removed it" in said


def test_what_the_engine_keeps_for_its_own_use_may_be_protected(standing: Journey) -> None:
    """`pulumi state protect --all` protects the provider that tells the program of the state."""
    file = state_file(standing)
    state = json.loads(file.read_text(encoding="utf-8"))
    resources = state["checkpoint"]["latest"]["resources"]
    assert "pulumi:providers:pulumi" in [each["type"] for each in resources]
    for each in resources:
        each["protect"] = True
    file.write_text(json.dumps(state), encoding="utf-8")
    before = standing.mark()
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert "left half done" not in done.stderr
    assert standing.writes(before) == []


def test_a_state_that_stays_cut_short_is_told(standing: Journey) -> None:
    file, before = state_file(standing), standing.mark()
    whole = file.read_bytes()
    for cut in (b"", whole[:-5]):
        file.write_bytes(cut)
        done = standing.proself_mail("up", "--stack", STACK)
        assert done.returncode == 4, done.stderr
        said = " ".join(done.stderr.split())
        assert "is cut short on its backend" in said
        assert f"`{STACK}.json.bak`" in said
        assert f"`.pulumi/history/proself-mail/{STACK}`" in said
        assert file.read_bytes() == cut
    history = standing.folder / "state/.pulumi/history/proself-mail" / STACK
    *_, newest = sorted(history.glob("*.checkpoint.json"))
    file.write_bytes(newest.read_bytes())
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert standing.writes(before) == []
    assert standing.writes(before) == []


def test_preflight_shows_what_runs_before_left(standing: Journey) -> None:
    """One application of ours in no state, one in the recycle bin, and who looks at them.

    An `up` could not tell which one is Proself's, and that is told before.
    """
    document = yaml.safe_load(
        (standing.folder / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8")
    )
    tag = f"proself-mail:stack={document['config']['proself-mail:stackId']}"
    body = {"displayName": "left", "tags": ["proself-mail", tag, "proself-mail:environment=test"]}
    binned = standing.tenant.ask("POST", "/applications", body)["id"]
    early = {"display_name": "left", "body": body, "created": instant(timedelta(hours=-1))}
    [seeded] = standing.tenant.seed(applications=[early])["applications"]
    left = seeded["id"]
    standing.tenant.ask("DELETE", f"/applications/{binned}")
    done = standing.proself_mail("preflight", "--stack", STACK, env={"COLUMNS": "300"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 applications have this stack's tags" in done.stdout
    assert left in done.stdout
    assert "signed in as Deployer" in done.stdout
    assert "the recycle bin holds 1 application of this stack" in done.stdout


def test_an_application_that_was_replaced_is_the_engines_to_delete(standing: Journey) -> None:
    """Its deletion failed: the state holds both by one name, the one to go after the live one."""
    live = standing.outputs(STACK)["applicationObjectId"]
    body = standing.tenant.ask("GET", f"/applications/{live}")
    body = {name: body[name] for name in ("displayName", "tags")}
    with standing.tenant.http(standing.tenant.token()) as graph:  # which owns it then
        old = graph.post("/v1.0/applications", json=body).json()["id"]
        graph.post(f"/v1.0/applications/{old}/addPassword", json={}).raise_for_status()
    file = state_file(standing)
    state = json.loads(file.read_text(encoding="utf-8"))
    resources = state["checkpoint"]["latest"]["resources"]
    [application] = [each for each in resources if each["urn"].endswith("::application")]
    of_old = json.loads(json.dumps(application).replace(live, old))
    resources.append(of_old | {"delete": True})
    file.write_text(json.dumps(state), encoding="utf-8")
    for command, code in (("preflight", 0), ("verify", 1), ("up", 0)):
        done = standing.proself_mail(command, "--stack", STACK, env={"COLUMNS": "300"})
        assert done.returncode == code, done.stdout + done.stderr
        [line] = [each for each in done.stdout.splitlines() if "was replaced" in each][-1:]
        assert old in line
        assert live not in line
    assert standing.tenant.ask("GET", f"/applications/{live}")["id"] == live
    with standing.tenant.http(standing.tenant.token()) as graph:
        assert graph.get(f"/v1.0/applications/{old}").status_code == 404


def test_a_file_that_is_older_than_the_state_is_refused(standing: Journey) -> None:
    file = standing.folder / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    # As if the first entry had been put in the place of the one that made the live secret.
    document["config"]["proself-mail:secrets"][0]["from"] = instant(-timedelta(days=200))
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    before = standing.mark()
    done = standing.proself_mail("up", "--stack", STACK)
    said = " ".join(done.stderr.split())
    assert done.returncode == 3, done.stderr
    assert "older than the state" in said
    assert "git pull" in said
    assert "or undo the edit" in said
    # It may be the entry of a `rotate --now` that was lost before its commit.
    line = "`pulumi config set-all --path --plaintext 'secrets[1].from="
    assert line in said
    verified = standing.proself_mail("verify", "--stack", STACK)
    assert line in " ".join(verified.stdout.split())
    plain = standing.pulumi("up", "--yes", "--stack", STACK)
    assert line in " ".join(plain.stdout.split())
    # Another machine may have made it after the look before an update.
    driven = lock.driver()
    plain = standing.pulumi("up", "--yes", "--skip-preview", "--stack", STACK, env=driven)
    assert line in " ".join(plain.stdout.split())
    assert standing.writes(before) == []


SALTS = {
    "one": "v1:0pzDwyc/NBU=:v1:IOuivrictSwGBgzR:hTYchtwN4cNHTmS+lJ19/9DyikWCCg==",
    "two": "v1:vQLGV9vye6E=:v1:d+05MNEMm5O9jI7E:KxYRsvmz/BzeAbi44apVP1c5OPaOlg==",
}
"""As the engine made them for these passphrases."""


def test_a_file_of_another_secrets_provider_than_the_state_is_told(standing: Journey) -> None:
    """An update would bring the state to the file's, though all that is read opens."""
    file, one = standing.folder / f"Pulumi.{STACK}.yaml", {"PULUMI_CONFIG_PASSPHRASE": "one"}
    of_the_key = file.read_bytes()
    config = yaml.safe_load(of_the_key)["config"]

    def refused(*commands: str) -> str:
        for command in commands:
            done = standing.proself_mail(command, "--stack", STACK, env=one)
            assert done.returncode == 2, done.stdout + done.stderr
        said = " ".join(done.stderr.split())
        assert "Bring the newest stack file (`git pull`)" in said
        return said

    def carried_out(said: str) -> None:
        lines = re.findall(r"`((?:secretsprovider|encryptedkey|encryptionsalt): [^`]*)`", said)
        written = {"config": config, **yaml.safe_load("\n".join(lines))}
        file.write_text(yaml.safe_dump(written), encoding="utf-8")
        done = standing.proself_mail("verify", "--stack", STACK, env=one)
        assert done.returncode == 0, done.stdout + done.stderr

    before = standing.mark()
    with_salt = {"config": config, "encryptionsalt": SALTS["one"]}
    file.write_text(yaml.safe_dump(with_salt), encoding="utf-8")
    said = refused("verify", "preflight", "rotate", "up")
    assert f"is a passphrase, and the state of {STACK} is encrypted by '{PROVIDER}'" in said
    carried_out(said)
    changed = standing.pulumi(
        "stack", "change-secrets-provider", "passphrase", "--stack", STACK, env=one
    )
    assert changed.returncode == 0, changed.stderr
    # One of another salt opens all the same, unless it is another passphrase's.
    file.write_text(yaml.safe_dump(with_salt), encoding="utf-8")
    assert standing.proself_mail("verify", "--stack", STACK, env=one).returncode == 0
    with_salt["encryptionsalt"] = SALTS["two"]
    file.write_text(yaml.safe_dump(with_salt), encoding="utf-8")
    assert "`encryptionsalt` is not that of the state" in refused("verify", "preflight", "rotate")
    file.write_bytes(of_the_key)
    said = refused("verify")
    assert f"is '{PROVIDER}', and the state of {STACK} is encrypted by a passphrase" in said
    carried_out(said)
    assert standing.writes(before) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal")
def test_the_first_ctrl_c_ends_a_question(standing: Journey) -> None:
    import pty  # cannot be imported on Windows

    file = standing.folder / f"Pulumi.{STACK}.yaml"
    as_it_was, before = file.read_bytes(), standing.mark()
    ours, theirs = pty.openpty()
    with standing.started("rotate", "--revoke", "--stack", STACK, stdin=theirs) as process:
        assert process.stderr is not None
        said = ""
        while not said.endswith("to go on: ") and (more := process.stderr.read(1)):
            said += more
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    os.close(ours)
    os.close(theirs)
    assert "Mail stops then" in said
    assert file.read_bytes() == as_it_was
    assert standing.writes(before) == []


def test_a_consent_in_no_state_comes_to_what_the_stack_declares(standing: Journey) -> None:
    made = standing.outputs(STACK)
    of_ours = f"/oauth2PermissionGrants?$filter=clientId eq '{made['servicePrincipalObjectId']}'"
    [grant] = standing.tenant.ask("GET", of_ours)["value"]
    wider: dict[str, Any] = {"scope": "IMAP.AccessAsUser.All Mail.Send"}
    microsoft_graph = "/servicePrincipals?$filter=appId eq '00000003-0000-0000-c000-000000000000'"
    [other] = standing.tenant.ask("GET", microsoft_graph)["value"]
    body = {"consentType": "AllPrincipals", "scope": "User.Read"}
    body |= {"clientId": made["servicePrincipalObjectId"], "resourceId": other["id"]}
    foreign = standing.tenant.ask("POST", "/oauth2PermissionGrants", body)
    standing.tenant.ask("PATCH", f"/oauth2PermissionGrants/{grant['id']}", wider)
    forgotten = standing.pulumi("state", "delete", CONSENT, "--stack", STACK, "--yes")
    assert forgotten.returncode == 0, forgotten.stderr
    done = standing.proself_mail("up", "--stack", STACK)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stderr
    assert "also covered IMAP.AccessAsUser.All, which `permissions` does not name" in said
    assert "User.Read" not in said  # another resource's, which nobody touches
    after = {each["id"]: each["scope"] for each in standing.tenant.ask("GET", of_ours)["value"]}
    assert after == {grant["id"]: "Mail.Send", foreign["id"]: "User.Read"}
    assert standing.up(STACK, "--expect-no-changes").returncode == 0
