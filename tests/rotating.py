"""What journeys about rotation share: time that passes, the command, a look at the secrets."""

from datetime import datetime
from typing import Any

import yaml

from tests.journey import Journey

STACK = "contoso.test"


def set_up(journey: Journey) -> None:
    """Make the stack and bring it up."""
    later(journey, 0)
    journey.make_stack(STACK)
    done = journey.up(STACK)
    assert done.returncode == 0, done.stdout + done.stderr


def later(journey: Journey, days: float) -> None:
    """Let so much time pass, here and at the tenant."""
    journey.tenant.advance(days * 86400)
    offset = (journey.tenant.now() - datetime.now().astimezone()).total_seconds()
    journey.environment["PROSELF_MAIL_CLOCK_OFFSET_SECONDS"] = str(round(offset))


def entries(journey: Journey) -> list[dict[str, Any]]:
    document = yaml.safe_load((journey.folder / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["config"]["proself-mail:secrets"]
    return found


def set_entries(journey: Journey, *changed: dict[str, Any]) -> None:
    path = journey.folder / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["config"]["proself-mail:secrets"] = list(changed)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


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


def notes(journey: Journey) -> str:
    """Read the application's notes."""
    application = journey.outputs(STACK)["applicationObjectId"]
    with journey.tenant.http(journey.tenant.token()) as http:
        return http.get(f"/v1.0/applications/{application}").json()["notes"] or ""


def write_notes(journey: Journey, text: str) -> None:
    """Write the application's notes as a person does."""
    application = journey.outputs(STACK)["applicationObjectId"]
    with journey.tenant.http(journey.tenant.token()) as http:
        http.patch(f"/v1.0/applications/{application}", json={"notes": text}).raise_for_status()


def rename(journey: Journey, name: str) -> None:
    """Have the next update change the application."""
    done = journey.pulumi("config", "set", "displayName", name, "--stack", STACK)
    assert done.returncode == 0, done.stderr


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
