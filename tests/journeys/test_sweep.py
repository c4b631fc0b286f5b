"""`proself-mail sweep`: by the stamp and the tenant's clock; no write where a guard stands."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from proself_mail.entra.graph_records import APPLICATION_FIELDS
from proself_mail.rehearsal import rehearse
from tests import forked_process
from tests.emulator.scripted_graph import CALLER_ID, TENANT_ID, Answer, ScriptedGraph, token
from tests.journey import Journey, instant
from tests.removing import list_tenants
from tests.tenant import Tenant

PAST, FUTURE = instant(timedelta(hours=-1)), instant(timedelta(days=1))


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant("--deployer-role", "Application.ReadWrite.All") as running:
        yield running


@pytest.fixture
def journey(tenant: Tenant, tmp_path: Path) -> Journey:
    """A project folder, and the tenant as at its start."""
    tenant.reset()
    return Journey(tenant, tmp_path)


def stamped(until: str | None, **more: Any) -> dict[str, Any]:
    """Describe a seeded application with a test stack's stamp of its own."""
    tags = [
        "proself-mail",
        f"proself-mail:stack={uuid.uuid4()}",
        f"proself-mail:environment={more.pop('environment', 'test')}",
    ]
    if until:
        tags.append(f"proself-mail:deleteAfter={until}")
    tags += more.pop("tags", [])
    body = {"tags": tags, **more.pop("body", {})}
    described = {"display_name": "Proself mail", "service_principal": True}
    return {**described, "created": instant(timedelta(days=-20)), "body": body, **more}


def sweep(
    journey: Journey, *options: str, confirm: bool = True
) -> subprocess.CompletedProcess[str]:
    tenant = journey.tenant.tenant_id
    confirmation = ("--confirm", tenant) if confirm else ()
    return journey.proself_mail(
        "sweep", "--tenant", tenant, "--target", "embedded", *confirmation, *options
    )


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (Answer(200, {"value": None}), "Microsoft Graph answered 200: unreadable:"),
        (Answer(302, None, {"Location": "http://localhost/"}), "answered 302: unreadable:"),
    ],
)
def test_a_listing_that_is_none_is_not_an_empty_one(
    tmp_path: Path, listed: Answer, said: str
) -> None:
    rehearse.make_project(tmp_path, TENANT_ID)
    with ScriptedGraph(tmp_path) as graph:
        claims = {"oid": CALLER_ID, "tid": TENANT_ID}
        graph.answer(f"POST /{TENANT_ID}/oauth2/v2.0/token", Answer(200, token(**claims)))
        graph.answer("GET /v1.0/organization", Answer(200, {"value": []}))
        fields = ",".join(APPLICATION_FIELDS)
        test = "tags/any(t:t eq 'proself-mail:environment=test')"
        graph.answer(f"GET /v1.0/applications?$filter={test}&$select={fields}&$top=999", listed)
        arguments = ["sweep", "--tenant", TENANT_ID, "--target", "embedded"]
        environment = os.environ | graph.environment
        done = forked_process.run(
            [*arguments, "--confirm", TENANT_ID], tmp_path, environment, None, 60
        )
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in " ".join(done.stderr.split())
    assert "check that no proxy stands between" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert {line.partition(" ")[0] for line in graph.lines()} == {"GET"}


def live(journey: Journey) -> set[str]:
    return {each["id"] for each in journey.tenant.ask("GET", "/applications?$top=999")["value"]}


def binned(journey: Journey) -> set[str]:
    kinds = ("application", "servicePrincipal")
    listings = (f"/directory/deletedItems/microsoft.graph.{each}" for each in kinds)
    return {each["id"] for one in listings for each in journey.tenant.ask("GET", one)["value"]}


def test_what_is_due_goes_and_what_only_looks_alike_stays(journey: Journey) -> None:
    seeds = [
        stamped(PAST),
        stamped(PAST, deleted=PAST),
        stamped(FUTURE),
        stamped(None),
        stamped(PAST, environment="production"),
        stamped(PAST, tags=[f"proself-mail:stack={uuid.uuid4()}"]),
        stamped(PAST, tags=["proself-mail:environment=production"]),
        {"display_name": "Proself mail", "body": {"tags": ["proself-mail"]}},
        {"display_name": "proself-mail:environment=test"},
        stamped(PAST, body={"passwordCredentials": [{"keyId": str(uuid.uuid4())}]}),
        stamped(instant(timedelta(minutes=3))),
        stamped(PAST, deleted=PAST),
        stamped(PAST, deleted=PAST, body={"passwordCredentials": [{"keyId": str(uuid.uuid4())}]}),
        stamped(PAST),
    ]  # fmt: skip
    seeded = journey.tenant.seed(applications=seeds)["applications"]
    made = [each["id"] for each in seeded]
    # Entra leaves its service principal in the bin, as a run does that was killed between purges.
    journey.tenant.ask("DELETE", f"/directory/deletedItems/{made[11]}")
    journey.tenant.ask("GET", f"/directory/deletedItems/{seeded[11]['servicePrincipalId']}")
    # A service principal's own secret signs in as well.
    signing_in = f"/servicePrincipals/{seeded[13]['servicePrincipalId']}/addPassword"
    journey.tenant.ask("POST", signing_in, {"passwordCredential": {"displayName": "of mine"}})
    before, there = journey.mark(), live(journey)
    dry = sweep(journey, confirm=False)
    assert dry.returncode == 0, dry.stderr
    assert made[0] in dry.stdout
    assert made[1] in dry.stdout
    assert "--include-modified" in dry.stdout
    assert journey.writes(before) == []

    done = sweep(journey, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    removed = {
        item["id"]
        for stack in json.loads(done.stdout)["stacks"]
        for item in stack["items"]
        if item["kind"] == "application"
    }
    assert removed == {made[0], made[1]}
    assert live(journey) == there - {made[0]}
    added_to = {made[12], seeded[12]["servicePrincipalId"]}
    assert binned(journey) == added_to

    journey.tenant.advance(200)  # whose clock decides
    done = sweep(journey, "--include-modified")
    assert done.returncode == 0, done.stdout + done.stderr
    assert live(journey) == there - {made[0], made[9], made[10], made[13]}
    assert binned(journey) == set()


def test_age_and_stack_narrow_it(journey: Journey) -> None:
    ahead = instant(timedelta(minutes=4))  # by a clock that is ahead of the tenant's
    seeds = [stamped(PAST), stamped(PAST, created=ahead), stamped(PAST)]
    old, young, other = (
        each["id"] for each in journey.tenant.seed(applications=seeds)["applications"]
    )
    ids = [each["body"]["tags"][1].partition("=")[2] for each in seeds]
    plan = sweep(journey, "--json", "--stack-id", ids[1], confirm=False)
    ages = {e["id"]: e["ageSeconds"] for e in json.loads(plan.stdout)["stacks"][0]["items"]}
    assert ages[young] == 0
    plan = sweep(journey, "--older-than", "1m", "--stack-id", ids[1], confirm=False)
    assert "nothing to remove" in plan.stdout
    done = sweep(journey, "--older-than", "7d", "--stack-id", ids[0], ids[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert old not in live(journey)
    assert {young, other} <= live(journey)


def test_thousands_are_read_in_pages_that_the_tenant_filters(journey: Journey) -> None:
    journey.tenant.seed(
        applications=[
            {"display_name": "foreign {n}", "count": 5000},
            stamped(FUTURE, count=1200),
            stamped(PAST),
        ]
    )
    before = journey.mark()
    done = sweep(journey)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2402 objects have the tag of a test" in done.stdout  # applications, service principals
    history = journey.tenant.history(before)
    listings = [
        (each["path"], each["response"])
        for each in history
        if each["path"].startswith(("/v1.0/applications?", "/v1.0/servicePrincipals?"))
        and "environment" in each["path"]
    ]
    assert len(listings) == 4  # two pages of each
    for path, _ in listings:
        asked = parse_qs(urlsplit(path).query)
        assert asked["$filter"] == ["tags/any(t:t eq 'proself-mail:environment=test')"]
        assert asked["$top"] == ["999"]
    assert not [
        each
        for each in history
        if each["path"].partition("?")[0] == "/v1.0/applications" and "filter" not in each["path"]
    ]
    assert len(history) < 80
    assert len(journey.writes(before)) == 3


def test_a_secret_named_as_ours_is_ours_only_if_it_came_with_the_application(
    journey: Journey,
) -> None:
    def secret(*, days: float) -> dict[str, Any]:
        starts = instant(timedelta(days=-20 + days, seconds=5))
        name = f"Proself {starts[:10]}"
        return {"keyId": str(uuid.uuid4()), "displayName": name, "startDateTime": starts}

    first, later, noted = secret(days=0), secret(days=3), secret(days=2)
    notes = f'proself-mail: {{"made":{{"{noted["keyId"]}":"20261105T000000Z"}}}}'
    seeds = [
        stamped(PAST, body={"passwordCredentials": [first]}),
        stamped(PAST, body={"passwordCredentials": [first, later]}),
        stamped(PAST, body={"passwordCredentials": [later]}),
        stamped(PAST, body={"passwordCredentials": [noted], "notes": notes}),
        stamped(PAST, body={"passwordCredentials": [first], "notes": notes}),
    ]
    made = [each["id"] for each in journey.tenant.seed(applications=seeds)["applications"]]
    done = sweep(journey)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(made) & live(journey) == {made[1], made[2], made[4]}
    assert later["keyId"] in "".join(done.stdout.split())


def test_a_service_principal_whose_application_is_somebody_elses_by_now(
    journey: Journey,
) -> None:
    [made] = journey.tenant.seed(applications=[stamped(PAST)])["applications"]
    journey.tenant.ask("PATCH", f"/applications/{made['id']}", {"tags": []})
    before = journey.mark()
    done = sweep(journey)
    assert done.returncode == 0, done.stdout + done.stderr
    assert journey.writes(before) == []
    assert f"of its application {made['id']}" in " ".join(done.stdout.split())


@pytest.mark.parametrize("age", ["-1d", "0d", "7", "99999d", "1.5d", "week"])
def test_an_age_that_is_none(journey: Journey, age: str) -> None:
    done = sweep(journey, "--older-than", age)
    assert done.returncode == 2
    assert "is no age" in done.stderr


def test_a_tenant_that_is_not_listed(journey: Journey) -> None:
    before = journey.mark()
    list_tenants(journey, [])
    done = sweep(journey)
    assert done.returncode == 3
    assert journey.writes(before) == []


def test_another_tenant_signed_in_to(journey: Journey) -> None:
    other = "99999999-2222-4333-8444-555555555555"
    before = journey.mark()
    list_tenants(journey, [journey.tenant.tenant_id, other])
    done = journey.proself_mail(
        "sweep", "--tenant", other, "--target", "embedded", "--confirm", other
    )
    assert done.returncode == 3, done.stderr
    assert f"pinned to the tenant {other}" in " ".join(done.stderr.split())
    assert journey.writes(before) == []


def test_a_clock_that_is_wrong(journey: Journey) -> None:
    before = journey.mark()
    done = journey.proself_mail(
        "sweep", "--tenant", journey.tenant.tenant_id, "--target", "embedded",
        "--confirm", journey.tenant.tenant_id,
        env={"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "-900"},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "15 minutes apart" in " ".join(done.stderr.split())
    assert journey.writes(before) == []


def test_a_wrong_confirmation(journey: Journey) -> None:
    before = journey.mark()
    done = sweep(journey, "--confirm", "contoso", confirm=False)
    assert done.returncode == 3
    assert journey.writes(before) == []


def test_a_listing_that_is_refused_is_not_an_empty_one(tmp_path: Path) -> None:
    with Tenant("--deployer-role", "DelegatedPermissionGrant.ReadWrite.All") as blind:
        journey = Journey(blind, tmp_path)
        done = sweep(journey)
        assert done.returncode == 4
        assert "Authorization_RequestDenied" in " ".join(done.stderr.split())
        assert journey.tenant.writes() == []
