"""Guards of `proself-mail teardown`: the command is driven into each, and nothing is written.

The tenant's history says so (`refused`).
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.journey import Journey
from tests.removing import (
    STACK,
    bearing,
    edit_state,
    list_tenants,
    refused,
    stack_id,
    tags,
    teardown,
)
from tests.tenant import Tenant


def test_a_stack_for_production(journey: Journey) -> None:
    journey.make_stack(STACK, environment="production")
    assert "is for production" in refused(journey)


@pytest.mark.parametrize(
    ("tenants", "code", "cause"),
    [
        ([], 3, "its list is empty"),
        (["99999999-2222-4333-8444-555555555555"], 3, "not among `testTenants`"),
        ("all", 2, "no list of tenant IDs"),
        ([1], 2, "no list of tenant IDs"),
    ],
)
def test_a_tenant_that_is_not_listed(
    standing: Journey, tenants: object, code: int, cause: str
) -> None:
    list_tenants(standing, tenants)
    assert cause in refused(standing, code=code)


def test_another_tenant_signed_in_to(journey: Journey) -> None:
    other = "99999999-2222-4333-8444-555555555555"
    journey.make_stack(STACK, tenantId=other)
    list_tenants(journey, [other])
    assert "pinned to" in refused(journey)


def test_a_stack_that_does_not_exist(journey: Journey) -> None:
    assert f"There is no stack {STACK}" in refused(journey, code=2)
    assert not (journey.folder / "out").exists()


def test_an_environment_where_the_backend_knows_none(standing: Journey) -> None:
    """Pulumi's own words have no way out but Pulumi Cloud, and come before the stack is read."""
    file = standing.folder / f"Pulumi.{STACK}.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(f"environment:\n- contoso/dev\n{text}", encoding="utf-8")
    _, _, step = refused(standing, code=2).partition("Next: ")
    assert step.startswith("Take `environment:` out of the stack's file")
    assert f"--stack {STACK}`" in step


def test_a_wrong_confirmation(standing: Journey) -> None:
    said = refused(standing, "--confirm", standing.tenant.tenant_id[:-1], confirm=False)
    assert "is not the ID of the tenant" in said
    assert "whose name could not be read. Next: Look which tenant this is, and type its ID" in said


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_name_cannot_forge_the_plan(standing: Journey, option: tuple[str, ...]) -> None:
    path = f"/applications/{standing.outputs(STACK)['applicationObjectId']}"
    name = "x\x1b]0;PWNED\x07\x1b[2J\x9b\u202e ##vso[task.complete]\n::set-output name=a::b"
    standing.tenant.ask("PATCH", path, {"displayName": name})
    done = teardown(standing, *option, confirm=False)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)
    assert not re.search(r"^\s*::|##", done.stdout, re.MULTILINE)
    if option:
        items = json.loads(done.stdout)["stacks"][0]["items"]
        assert name in {item["name"] for item in items}
    else:
        assert "x ]0;PWNED [2J # #vso[task.complete]" in " ".join(done.stdout.split())


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal")
def test_a_wrong_name_typed_and_nothing_typed(standing: Journey) -> None:
    import pty  # cannot be imported on Windows

    for typed, code in (("production\n", 3), ("\n", 0)):
        before = standing.mark()
        ours, theirs = pty.openpty()
        with standing.started("teardown", "--stack", STACK, stdin=theirs) as process:
            os.write(ours, typed.encode())
            _, said = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code
        # The identity may not read the tenant's name, so the right one would not be taken either.
        assert "Type the tenant's ID to remove all of this" in said
        assert "name or ID" not in said
        assert standing.writes(before) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal")
@pytest.mark.parametrize("deleted", [False, True])
def test_what_somebody_adds_while_the_question_stands(standing: Journey, deleted: bool) -> None:
    import pty  # cannot be imported on Windows

    outputs = standing.outputs(STACK)
    application = f"/applications/{outputs['applicationObjectId']}"
    ours, theirs = pty.openpty()
    asked = standing.started("teardown", "--stack", STACK, stdin=theirs, stdout=subprocess.PIPE)
    with asked as process:
        question = ""
        assert process.stderr is not None
        while "Type the tenant's ID" not in question:
            read = process.stderr.read(1)
            assert read, question
            question += read
        for what in (*ADDITIONS, *OF_THE_PRINCIPAL):
            add(standing, what)
        if deleted:
            standing.tenant.ask("DELETE", application)
        before = standing.mark()
        os.write(ours, f"{standing.tenant.tenant_id}\n".encode())
        told, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    said = " ".join(told.split())
    assert process.returncode == 5, said
    assert standing.writes(before) == []
    assert standing.config_file.exists()
    assert "since the plan was made" in said
    # Of what is in the recycle bin Graph tells no owners and no federated credentials.
    unseen = ("federated credential", "owner") if deleted else ()
    for kind in ("client secret", "certificate", "federated credential", "owner"):
        assert (f"a{'n' * (kind == 'owner')} {kind} " in said) == (kind not in unseen)
    if not deleted:
        for kind in OF_THE_PRINCIPAL:
            assert kind.partition(" of")[2] in said


def test_another_run_on_this_machine(standing: Journey) -> None:
    with FileLock(standing.folder / "out" / STACK / ".update.lock"):
        assert "Another `proself-mail` works on the stack" in refused(standing)


def test_an_engine_that_holds_the_stack(standing: Journey) -> None:
    """A lock of another machine's: nobody can tell here whether that run is dead."""
    locks = standing.folder / "state/.pulumi/locks/organization/proself-mail" / STACK
    locks.mkdir(parents=True, exist_ok=True)
    (locks / f"{uuid.uuid4()}.json").write_text(
        json.dumps(
            {
                "pid": 1,
                "username": "somebody",
                "hostname": f"not-{socket.gethostname()}",
                "timestamp": "2026-11-24T00:00:00Z",
            }
        ),
        encoding="utf-8",
    )
    assert "Another run holds the stack" in refused(standing)


def test_an_application_with_a_foreign_stamp(standing: Journey) -> None:
    path = f"/applications/{standing.outputs(STACK)['applicationObjectId']}"
    for foreign in (tags(str(uuid.uuid4())), [], tags(stack_id(standing), "production")):
        standing.tenant.ask("PATCH", path, {"tags": foreign})
        assert "tags" in refused(standing)


def test_a_stack_file_that_says_test_where_the_tenant_says_production(standing: Journey) -> None:
    stamped = tags(stack_id(standing), "production")
    [seeded] = standing.tenant.seed(
        applications=[{"display_name": "x", "body": {"tags": stamped}}]
    )["applications"]
    said = refused(standing)
    assert "for production, but the stack file says test" in said
    assert seeded["id"] in said


def test_a_protected_application(standing: Journey) -> None:
    def protect(document: Any) -> Any:
        for each in document["deployment"]["resources"]:
            each["protect"] = each["urn"].endswith("::application")
        return document

    edit_state(standing, protect)
    assert "protects application from deletion" in refused(standing)


def test_what_somebody_imported_into_the_stack(standing: Journey) -> None:
    """Protected, as by default, and under the name of ours: no command has the engine delete it."""
    [theirs] = standing.tenant.seed(applications=[{"display_name": "erp"}])["applications"]
    kind = "azuread:index/application:Application"
    urn = f"urn:pulumi:{STACK}::proself-mail::{kind}::application"
    entry = {"urn": urn, "type": kind, "custom": True, "id": f"/applications/{theirs['id']}"}

    def bring(document: Any) -> Any:
        document["deployment"]["resources"].append(entry | {"protect": True})
        return document

    edit_state(standing, bring)
    said = refused(standing)
    assert "holds what this program does not make" in said
    assert "unprotect" not in said
    before = standing.mark()
    done = standing.proself_mail("up", "--stack", STACK)
    assert done.returncode == 3, done.stderr
    typed = standing.up(STACK)
    assert typed.returncode != 0
    assert standing.writes(before) == []
    checks = json.loads(standing.proself_mail("verify", "--stack", STACK, "--json").stdout)
    failed = [each for each in checks["stacks"][0]["checks"] if each["outcome"] == "FAIL"]
    assert [each["name"] for each in failed] == ["foreign resources"]
    ups = done.stderr.rpartition("Next:")[2]  # below a table, in which a line is folded
    told = (ups, typed.stdout + typed.stderr, said, failed[0]["next_step"])
    lines = {line for each in told for line in re.findall(r"`pulumi (state [^`]*)`", each)}
    [line] = lines
    assert standing.pulumi(*shlex.split(line), "--yes").returncode == 0
    done = standing.proself_mail("preflight", "--stack", STACK)
    assert done.returncode == 0, done.stdout
    assert standing.tenant.ask("GET", f"/applications/{theirs['id']}")["displayName"] == "erp"


@pytest.mark.parametrize(
    ("before", "after", "other"),
    [
        ("::proself-mail::", "::billing::", f"billing/{STACK}"),
        (f"urn:pulumi:{STACK}::", "urn:pulumi:prod::", "proself-mail/prod"),
    ],
)
def test_a_state_of_another_stack(standing: Journey, before: str, after: str, other: str) -> None:
    """An update would replace the application, with the secret that Proself has."""
    edit_state(standing, lambda state: json.loads(json.dumps(state).replace(before, after)))
    cause = f"is another stack's: {other}"
    assert cause in refused(standing)
    mark = standing.mark()
    for command in ("verify", "up"):
        done = standing.proself_mail(command, "--stack", STACK)
        assert done.returncode == 3, done.stdout + done.stderr
        assert cause in " ".join(done.stderr.split())
    assert standing.writes(mark) == []


def test_a_state_that_the_engine_refuses(standing: Journey) -> None:
    file = standing.folder / f"state/.pulumi/stacks/proself-mail/{STACK}.json"
    state = json.loads(file.read_text(encoding="utf-8"))
    resources = state["checkpoint"]["latest"]["resources"]
    resources += [each for each in resources if each["urn"].endswith("::application")]
    file.write_text(json.dumps(state), encoding="utf-8")
    typed = standing.up(STACK)
    assert "snapshot integrity failure" in typed.stderr
    for command in ("verify", "preflight"):
        done = standing.proself_mail(command, "--stack", STACK)
        assert done.returncode == 3, done.stdout + done.stderr
        said = " ".join(done.stderr.split())
        assert "::application is in it more than once" in said
        assert f"`pulumi state repair --stack {STACK}`" in said
        assert f"`{STACK}.json.bak`" in said
    done = teardown(standing)  # which asks the engine for no update
    assert done.returncode == 0, done.stdout + done.stderr


def add(journey: Journey, what: str) -> None:
    """Do to the stack's application what a person may."""
    outputs = journey.outputs(STACK)
    path = f"/applications/{outputs['applicationObjectId']}"
    if what in OF_THE_PRINCIPAL:
        path = f"/servicePrincipals/{outputs['servicePrincipalObjectId']}"
    body: dict[str, Any]
    if "secret" in what:
        name = SECRET_LIKE_OURS if "named" in what else "of mine"
        body = {"passwordCredential": {"displayName": name}}
        journey.tenant.ask("POST", f"{path}/addPassword", body)
    elif "certificate" in what:
        certificate = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": "AAAA"}
        journey.tenant.ask("PATCH", path, {"keyCredentials": [certificate]})
    elif what == "federated credential":
        body = {
            "name": "mine",
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "repo:me/mine:ref:refs/heads/main",
            "audiences": ["api://AzureADTokenExchange"],
        }
        journey.tenant.ask("POST", f"{path}/federatedIdentityCredentials", body)
    else:
        somebody = journey.tenant.ready["users"][0]["id"]
        reference = {"@odata.id": f"{journey.tenant.graph}/v1.0/directoryObjects/{somebody}"}
        journey.tenant.ask("POST", f"{path}/owners/$ref", reference)


SECRET_LIKE_OURS = f"Proself SMTP OAuth {datetime.now(UTC):%Y-%m-%d}"
ADDITIONS = (
    "client secret",
    "client secret named as ours are",
    "certificate",
    "federated credential",
    "owner",
)
OF_THE_PRINCIPAL = (
    "client secret of the service principal",
    "certificate of the service principal",
)


@pytest.mark.parametrize("what", ADDITIONS)
def test_what_somebody_added(standing: Journey, what: str) -> None:
    add(standing, what)
    report = refused(standing, "--json")
    [stack] = json.loads(report[report.index("{") : report.rindex("}") + 1])["stacks"]
    [addition] = stack["additions"]
    assert what.removesuffix(" named as ours are") in addition


def test_what_somebody_added_goes_when_asked(standing: Journey) -> None:
    for what in (*ADDITIONS, *OF_THE_PRINCIPAL):
        add(standing, what)
    said = refused(standing)
    for what in ADDITIONS:
        kind = what.removesuffix(" named as ours are")
        assert f"Not the program's a{'n' * (kind == 'owner')} {kind}" in said
    of_the_principal = re.findall(r"Not the program's [^.]+ of the service principal\.", said)
    assert len(of_the_principal) == len(OF_THE_PRINCIPAL)
    assert "--include-modified" in said
    done = teardown(standing, "--include-modified")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bearing(standing, stack_id(standing)) == []
    assert "federated credential" in done.stdout


def test_a_clock_that_is_wrong(standing: Journey) -> None:
    said = refused(standing, code=2, env={"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "900"})
    assert "15 minutes apart" in said


def test_a_listing_that_is_refused_is_not_an_empty_one(tmp_path: Path) -> None:
    with Tenant("--deployer-role", "DelegatedPermissionGrant.ReadWrite.All") as blind:
        journey = Journey(blind, tmp_path)
        journey.make_stack(STACK)
        assert "Authorization_RequestDenied" in refused(journey, code=4)
