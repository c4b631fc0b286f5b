"""`proself-mail up`: it ends with one application, or with a reason and nothing touched."""

import copy
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.journey import Journey, instant
from tests.tenant import Tenant
from tests.waiting import until

STACK = "dev"
GRAPH = {"service": "graph"}


@pytest.fixture(autouse=True)
def tenant_as_at_its_start(tenant: Tenant) -> Iterator[None]:
    yield
    tenant.reset()


def up(journey: Journey, *options: str) -> subprocess.CompletedProcess[str]:
    return journey.proself_mail("up", "--stack", STACK, *options)


def start(journey: Journey) -> "subprocess.Popen[str]":
    """Start an `up` and leave it running."""
    command = [str(Path(sys.executable).parent / "proself-mail"), "up", "--stack", STACK]
    return subprocess.Popen(
        command, cwd=journey.folder, env=journey.environment, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def checked_out_elsewhere(journey: Journey) -> Journey:
    """Return a second checkout of the project, on the same backend and the same tenant."""
    other = copy.copy(journey)
    other.folder = journey.folder.with_name(f"{journey.folder.name}-elsewhere")
    ours_alone = shutil.ignore_patterns("state", "out")
    shutil.copytree(journey.folder, other.folder, ignore=ours_alone)
    return other


def graph(journey: Journey) -> httpx.Client:
    return journey.tenant.http(journey.tenant.sign_in().json()["access_token"])


def stamped(journey: Journey, stack_id: str) -> list[dict[str, Any]]:
    """List the live applications with the stack's stamp, as the tenant knows them."""
    with graph(journey) as http:
        tag = f"proself-mail:stack={stack_id}"
        query = {"$filter": f"tags/any(t:t eq '{tag}')"}
        answer = http.get("/v1.0/applications", params=query).raise_for_status()
        # The filter does not mind the case of letters.
        return [each for each in answer.json()["value"] if tag in each["tags"]]


def assert_whole(journey: Journey, stack: Mapping[str, Any], *, by_the_engine: bool = True) -> None:
    """Assert that there is one application with one secret, and that the state is the tenant's.

    `by_the_engine` has the engine compare the two as well, which takes it two seconds.
    """
    [application] = stamped(journey, stack["stackId"])
    assert len(application["passwordCredentials"]) == 1
    made = journey.outputs(STACK)
    assert made["applicationObjectId"] == application["id"]
    assert made["clientSecret"] in journey.config_file.read_text(encoding="utf-8")
    if by_the_engine:
        same = journey.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", STACK)
        assert same.returncode == 0, same.stdout


def engine_is_below(process: "subprocess.Popen[str]") -> bool:
    """Say whether a running `proself-mail` has the engine's `up` under way."""
    below = psutil.Process(process.pid).children(recursive=True)
    return any(each.name() == "pulumi" and "up" in each.cmdline() for each in below)


def locks(journey: Journey) -> list[Path]:
    """List the engine's locks on the backend."""
    return list((journey.folder / "state").rglob("locks/**/*.json"))


def plant_lock(journey: Journey, pid: int) -> Path:
    """Put the engine's own kind of lock on the stack, as held by a process of this machine."""
    folder = journey.folder / "state/.pulumi/locks/organization/proself-mail" / STACK
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "0f6ea7a3-7f9c-4c9f-8f3a-6a3f0f5f7c11.json"
    entry = {"pid": pid, "username": "aki", "hostname": socket.gethostname(),
             "timestamp": datetime.now(UTC).isoformat()}  # fmt: skip
    path.write_text(json.dumps(entry), encoding="utf-8")
    return path


def plant_look_alikes(journey: Journey, stack_id: str) -> None:
    """Put in what one that goes by names, or reads stamps carelessly, would take for ours."""
    other = "proself-mail:stack=00000000-0000-4000-8000-00000000beef"
    journey.tenant.seed(
        applications=[
            {"display_name": "Proself mail", "service_principal": True},
            {"display_name": "Proself mail", "body": {"tags": ["proself-mail", other]}},
            {"display_name": "Proself mail copy", "body": {"tags": ["proself-mail"]}},
            # Graph's filters do not mind the case of letters; a stamp does.
            {
                "display_name": "Proself mail",
                "body": {"tags": [f"PROSELF-MAIL:STACK={stack_id.upper()}"]},
            },
        ]
    )


def test_it_proves_what_it_made_and_a_second_one_changes_nothing(journey: Journey) -> None:
    """On its way: look-alikes, the lock of a dead engine, and another `up` at the same time."""
    stack = journey.make_stack(STACK, deleteAfter=instant(timedelta(days=6)))
    plant_look_alikes(journey, stack["stackId"])
    with subprocess.Popen(["true"]) as gone:
        pass
    lock = plant_lock(journey, gone.pid)
    journey.tenant.faults(latency_ms=150)
    before = journey.mark()
    first = start(journey)
    until(lambda: (journey.folder / "out" / STACK / ".update.lock").exists())
    second = up(journey)
    assert second.returncode == 3
    assert "Another `proself-mail` works on the stack" in " ".join(second.stderr.split())
    until(lambda: not lock.exists() and locks(journey))
    third = up(checked_out_elsewhere(journey))
    assert third.returncode == 3, third.stderr
    told = " ".join(third.stderr.split())
    assert f"another run holds the stack {STACK}: " in told
    assert f"@{socket.gethostname()} (process " in told
    assert f"`pulumi cancel --stack {STACK}`" in told
    said, _ = first.communicate(timeout=100)
    assert first.returncode == 0, said
    journey.tenant.faults()

    assert "lock of a dead run" in said
    assert not lock.exists()
    assert "Signed in to tenant" in said
    assert f"Proven: {said.count('  made     ')} made, and" in said
    assert_whole(journey, stack)
    own = journey.outputs(STACK)["applicationObjectId"]
    touched = {path for _, path in journey.writes(before) if path.startswith("/v1.0/applications/")}
    assert touched
    assert all(own in path for path in touched), "a look-alike was touched"

    principal = journey.outputs(STACK)["servicePrincipalObjectId"]
    with graph(journey) as http:
        [grant] = http.get(f"/v1.0/servicePrincipals/{principal}/oauth2PermissionGrants").json()[
            "value"
        ]
        wider = {"scope": f"{grant['scope']} IMAP.AccessAsUser.All"}
        http.patch(f"/v1.0/oauth2PermissionGrants/{grant['id']}", json=wider).raise_for_status()
    before = journey.mark()
    again = up(journey)
    assert again.returncode == 0, again.stderr
    assert "nothing had to change" in again.stdout
    told = " ".join(again.stdout.split())
    assert "Note: the consent covers IMAP.AccessAsUser.All too" in told
    assert f"`pulumi up --refresh --stack {STACK}` takes it away" in told
    assert f"Note: time limit: from {stack['deleteAfter']} on a sweep removes" in told
    assert journey.writes(before) == []


def test_the_look_before_names_everything(journey: Journey) -> None:
    journey.make_stack(STACK)
    before = journey.mark()
    done = journey.proself_mail("preflight", "--stack", STACK, env={"COLUMNS": "200"})
    assert done.returncode == 0, done.stdout
    for name in ("tenant", "Office 365 Exchange Online", "policy on client secrets",
                 "policy on Application ID URI", "quota", "may manage its applications",
                 "may give admin consent", "owners", "stack file", "left by earlier runs",
                 "application", "clock", "lock", "time limit"):  # fmt: skip
        assert name in done.stdout, name
    assert "declares 1 client secret now" in done.stdout
    assert journey.writes(before) == []


def assert_secrets_are_in_the_config_file_alone(journey: Journey, said: str) -> None:
    issued = [text for text in journey.tenant.secrets() if text]
    written = journey.config_file.read_text(encoding="utf-8")
    assert [s for s in issued if s in written], "a search that finds nothing proves nothing"
    places = {"what it said": said.encode()} | {
        str(path.relative_to(journey.folder)): path.read_bytes()
        for path in journey.folder.rglob("*")
        if path.is_file() and path != journey.config_file
    }
    for place, content in places.items():
        assert not [s for s in issued if s.encode() in content], place


def test_it_ends_well_where_readers_trail_and_replies_are_lost(journey: Journey) -> None:
    """And no secret is left anywhere but in the config file."""
    stack = journey.make_stack(STACK)
    journey.tenant.faults(
        {"match": {"service": "login"}, "nth": 1, "strike": "reset-after"},
        {"match": {"service": "login"}, "nth": 1, "strike": "status", "status": 503},
        {"match": {"method": "POST", "path": "/applications"}, "nth": 1, "strike": "reset-after"},
        {"match": {"method": "POST", "path": "/oauth2PermissionGrants"}, "nth": 1,
         "strike": "reset-after"},
        {"match": {"method": "POST", "path": "/applications/*/addPassword"}, "nth": 1,
         "strike": "reset-after"},
        {"match": GRAPH, "ratio": 0.05, "strike": "status", "status": 503},
        lag={"seconds": 1.5, "stale_ratio": 0.4},
        seed=7,
    )  # fmt: skip
    # The plugin's and the engine's own debug output is as loud as it gets.
    loud = {"TF_LOG": "TRACE", "PULUMI_DEBUG_GRPC": "", "ARM_DEBUG": "1"}
    done = journey.proself_mail("up", "--stack", STACK, env=loud)
    assert done.returncode == 0, done.stderr
    assert "waiting" in done.stderr
    assert_secrets_are_in_the_config_file_alone(journey, done.stdout + done.stderr)
    journey.tenant.faults()
    assert_whole(journey, stack)


def test_what_must_be_known_before_is_asked_for_until_it_is_told(journey: Journey) -> None:
    """Longer than any client asks again by itself."""
    journey.make_stack(STACK)
    times_refused = {"/servicePrincipals": 9, "/applications": 5}
    journey.tenant.faults(
        *({"match": {"method": "GET", "path": path}, "nth": list(range(1, times + 1)),
           "strike": "status", "status": 429, "retry_after_seconds": 2}
          for path, times in times_refused.items()),
        # Once more than anything asks by itself: the tenant's addresses, and its sign-in.
        {"match": {"method": "GET", "service": "login"}, "nth": [1, 2],
         "strike": "reset-before"},
        {"name": "sign-in", "match": {"method": "POST", "service": "login"},
         "nth": [1, 2, 3, 4, 5], "strike": "status", "status": 503},
    )  # fmt: skip
    done = up(journey)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert re.search(r"waiting for an answer \(\S+ cannot be reached", said)
    assert re.search(r"waiting for an answer \([^…]* gives no token", said)
    assert "waiting for Microsoft Graph (Office 365 Exchange Online: " in said
    refused = [each for each in journey.tenant.history() if each["status"] == 429]
    for path, count in times_refused.items():
        times = [datetime.fromisoformat(each["time"]) for each in refused if path in each["path"]]
        assert len(times) == count
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        assert min(gaps) >= 1.99, f"Retry-After of {path} was not waited for"


def test_a_run_that_was_killed_is_made_good_by_the_next(journey: Journey) -> None:
    """For the engine and the plugin `test_chaos` does the same."""
    stack = journey.make_stack(STACK)
    journey.tenant.faults(latency_ms=150)
    before = journey.mark()
    process = start(journey)
    until(lambda: any(path.endswith("/applications") for _, path in journey.writes(before)))
    assert engine_is_below(process)
    process.kill()
    process.communicate(timeout=100)
    journey.tenant.faults()
    # A kill a moment earlier or later leaves these.
    tags = ["proself-mail", f"proself-mail:stack={stack['stackId']}",
            "proself-mail:environment=test"]  # fmt: skip
    body = {"displayName": "Proself mail", "tags": tags}
    double = journey.tenant.ask("POST", "/applications", body)["id"]
    journey.tenant.ask("DELETE", f"/applications/{double}")
    half = journey.config_file.with_name(f".{journey.config_file.name}.z0a1b2c3.tmp")
    half.parent.mkdir(exist_ok=True, mode=0o700)
    half.touch()
    done = up(journey)
    assert done.returncode == 0, done.stderr
    assert_whole(journey, stack)
    deleted = journey.tenant.ask("GET", "/directory/deletedItems/microsoft.graph.application")
    assert deleted["value"] == []
    assert not half.exists()


def test_ctrl_c_ends_in_order_and_says_what_is_left(journey: Journey) -> None:
    stack = journey.make_stack(STACK)
    journey.tenant.faults(latency_ms=150)
    before = journey.mark()
    process = start(journey)
    until(lambda: any(path.endswith("/applications") for _, path in journey.writes(before)))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "In the stack's state so far" in " ".join(said.split())
    assert "Traceback" not in said
    assert not locks(journey), "the engine's lock is left"
    journey.tenant.faults()
    done = up(journey)
    assert done.returncode == 0, done.stderr
    assert_whole(journey, stack, by_the_engine=False)


def test_a_lock_of_a_live_engine_is_never_taken(journey: Journey, tmp_path: Path) -> None:
    journey.make_stack(STACK)
    alive = tmp_path / "pulumi"  # the name that an engine's process bears
    alive.symlink_to("/bin/sleep")
    with subprocess.Popen([str(alive), "60"]) as engine:
        lock = plant_lock(journey, engine.pid)
        before = journey.mark()
        # What cannot be known now is not waited for where something else stands against it.
        exchange = {"method": "GET", "path": "/servicePrincipals"}
        journey.tenant.faults({"match": exchange, "strike": "status", "status": 500})
        done = up(journey)
        engine.kill()
    assert done.returncode == 3
    assert "aki@" in done.stderr
    assert f"pulumi cancel --stack {STACK}" in " ".join(done.stderr.split())
    assert lock.exists()
    assert journey.writes(before) == []


def seconds_since_the_refusal(journey: Journey, since: int, status: int) -> float:
    """Say how long ago, by its own clock, the tenant refused a write with this status."""
    now = journey.tenant.now()
    refusals = [each for each in journey.tenant.writes(since) if each["status"] == status]
    return (now - datetime.fromisoformat(refusals[0]["time"])).total_seconds()


def test_a_quota_that_is_full_is_told_within_five_seconds(journey: Journey) -> None:
    journey.make_stack(STACK)
    journey.tenant.seed(quota=0)
    before = journey.mark()
    done = up(journey)
    assert seconds_since_the_refusal(journey, before, 403) < 5
    assert done.returncode == 4, done.stderr
    assert "as many objects as it may" in " ".join(done.stderr.split())
    assert "Next:" in done.stderr
    assert not journey.config_file.exists()


def test_a_policy_is_told_within_five_seconds_whatever_else_is_under_way(journey: Journey) -> None:
    stack = journey.make_stack(STACK)
    forbidden = {"restrictionType": "passwordAddition", "state": "enabled"}
    journey.tenant.seed(
        default_policy={
            "isEnabled": True,
            "applicationRestrictions": {"passwordCredentials": [forbidden]},
        }
    )
    journey.tenant.faults(
        {"match": {"method": "POST", "path": "/servicePrincipals"}, "strike": "slow", "seconds": 30}
    )
    before = journey.mark()
    done = up(journey)
    assert seconds_since_the_refusal(journey, before, 400) < 5
    assert done.returncode == 4, done.stderr
    assert "forbids client secrets" in " ".join(done.stderr.split())
    assert not locks(journey), "the lock is left"
    journey.tenant.seed(default_policy={"isEnabled": False, "applicationRestrictions": {}})
    journey.tenant.faults()
    made_good = up(journey)
    assert made_good.returncode == 0, made_good.stderr
    assert_whole(journey, stack, by_the_engine=False)


def test_two_candidates_stop_it_and_neither_is_touched(journey: Journey) -> None:
    stack = journey.make_stack(STACK)
    ours = f"proself-mail:stack={stack['stackId']}"
    tags = ["proself-mail", ours, "proself-mail:environment=test"]
    password = {
        "keyId": "6f0f7a35-3a5a-4a39-9f0e-4f3c7a0c9a11",
        "displayName": "by hand",
        "startDateTime": "2026-01-01T00:00:00Z",
        "endDateTime": "2099-01-01T00:00:00Z",
    }
    body = {"tags": tags, "passwordCredentials": [password]}
    journey.tenant.seed(
        applications=[{"display_name": "Proself mail {n}", "body": body, "count": 2}]
    )
    before = journey.mark()
    done = up(journey)
    assert done.returncode == 3, done.stderr
    assert "have this stack's tags" in " ".join(done.stderr.split())
    assert journey.writes(before) == []


def test_a_tenant_that_refuses_every_token_is_told_of(journey: Journey) -> None:
    journey.make_stack(STACK)
    # Only what the engine's plugin asks; our own look before it has passed by then.
    look_up = {"method": "GET", "path": "/servicePrincipals"}
    journey.tenant.faults(
        {"match": look_up, "strike": "expire-token", "nth": list(range(2, 40))},
    )
    done = up(journey)
    assert done.returncode == 4, done.stderr
    assert "refuses tokens that it has just issued" in " ".join(done.stderr.split())


def test_an_owner_that_the_tenant_does_not_know_stops_it(journey: Journey) -> None:
    stranger = "0b0b0b0b-0000-4000-8000-000000000b0b"
    journey.make_stack(STACK, owners=[journey.caller(), stranger])
    before = journey.mark()
    done = up(journey)
    told = " ".join(done.stderr.split())
    assert done.returncode == 4, told
    assert f"the tenant knows no {stranger}" in told
    assert "`owners`" in told
    [tried] = journey.tenant.writes(before)
    assert tried["status"] >= 400


def test_the_deadline_ends_it_in_order(journey: Journey) -> None:
    journey.make_stack(STACK)
    journey.tenant.faults(
        {"match": {"method": "POST", "path": "/servicePrincipals"}, "strike": "status",
         "status": 503, "retry_after_seconds": 1}
    )  # fmt: skip
    done = up(journey, "--deadline", "0.2")
    assert done.returncode == 4
    assert "Not done within" in done.stderr
    assert "goes on from here" in " ".join(done.stderr.split())
    assert os.path.lexists(journey.folder / "out" / STACK / "update.json")
