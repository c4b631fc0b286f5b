"""What journeys about teardown and sweep share: the command, guards, a look at the tenant."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml

from tests.journey import Journey

STACK = "dev.test"


def teardown(
    journey: Journey, *options: str, confirm: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    confirmation = ("--confirm", journey.tenant.tenant_id) if confirm else ()
    return journey.proself_mail("teardown", "--stack", STACK, *confirmation, *options, env=env)


def refused(journey: Journey, *options: str, code: int = 3, **more: Any) -> str:
    """Run into a guard: the exit code, no write, no traceback; return what was said."""
    before = journey.mark()
    done = teardown(journey, *options, **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert journey.writes(before) == []
    assert "Traceback" not in done.stderr
    assert "Next:" in done.stderr, done.stderr
    return " ".join((done.stdout + done.stderr).split())


def stack_id(journey: Journey) -> str:
    """Return the UUID in the stack's file."""
    document = yaml.safe_load((journey.folder / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8"))
    return str(document["config"]["proself-mail:stackId"])


def bearing(journey: Journey, stack_id: str) -> list[str]:
    """List whatever bears a stack's tag anywhere in the tenant."""
    query = f"?$filter=tags/any(t:t eq 'proself-mail:stack={stack_id}')"
    places = (
        "/applications",
        "/servicePrincipals",
        "/directory/deletedItems/microsoft.graph.application",
        "/directory/deletedItems/microsoft.graph.servicePrincipal",
    )
    return [
        found["id"]
        for place in places
        for found in journey.tenant.ask("GET", f"{place}{query}")["value"]
    ]


def tags(stack_id: str, environment: str = "test") -> list[str]:
    return [
        "proself-mail",
        f"proself-mail:stack={stack_id}",
        f"proself-mail:environment={environment}",
    ]


def edit_state(journey: Journey, change: Any) -> None:
    exported = journey.pulumi("stack", "export", "--stack", STACK).stdout
    document = json.loads(exported)
    document = change(document)
    path = journey.folder / "state.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    done = journey.pulumi("stack", "import", "--force", "--stack", STACK, "--file", str(path))
    assert done.returncode == 0, done.stderr


def list_tenants(journey: Journey, tenants: object) -> None:
    path = journey.folder / "Pulumi.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["testTenants"] = tenants
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
