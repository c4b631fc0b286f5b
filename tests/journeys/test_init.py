"""`proself-mail init`: a stack that is known to work, or none and a reason."""

import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.journey import MAILBOX, SERVER, Journey
from tests.tenant import Tenant

ANSWERS = {
    "stack": "contoso.test",
    "server": SERVER,
    "mailbox": MAILBOX,
    "target": "embedded",
    "environment": "test",
}


def init(
    journey: Journey,
    *options: str,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    **changes: str | None,
) -> subprocess.CompletedProcess[str]:
    answers = {key: value for key, value in (ANSWERS | changes).items() if value is not None}
    arguments = [f"--{key}={value}" for key, value in answers.items()]
    return journey.proself_mail("init", *arguments, *options, stdin=stdin, env=env)


def configuration(journey: Journey, stack: str = "contoso.test") -> dict[str, Any]:
    document = yaml.safe_load((journey.folder / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    return {key.removeprefix("proself-mail:"): v for key, v in document["config"].items()}


def test_it_asks_nothing_and_writes_a_stack_that_comes_up(journey: Journey) -> None:
    before = journey.mark()
    done = init(journey, "--config-file", str(journey.config_file))
    assert done.returncode == 0, done.stderr
    asked = [each["path"] for each in journey.tenant.history() if each["n"] > before]
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    made = configuration(journey)
    assert made["tenantId"] == journey.tenant.tenant_id
    assert made["owners"] == [journey.caller()]
    assert uuid.UUID(made["stackId"]).version == 4
    assert made["server"] == SERVER
    [entry] = made["secrets"]
    assert (entry["everyDays"], entry["overlapDays"]) == (150, 30)
    assert entry["from"].endswith("Z")
    assert "deleteAfter" in made
    assert "OK" in done.stdout
    _, _, said = done.stdout.partition("\n\n")
    assert said.startswith("Stack contoso.test is made: Pulumi.contoso.test.yaml. Next:")
    assert done.stdout.endswith("\n  proself-mail up --stack contoso.test\n")
    up = journey.up("contoso.test")
    assert up.returncode == 0, up.stdout
    assert journey.config_file.exists()
    (journey.folder / "Pulumi.contoso.test.yaml").unlink()
    again = init(journey)
    assert again.returncode == 3
    for code, lost in (
        (3, again),
        (2, journey.proself_mail("verify", "--stack", "contoso.test")),
        (2, journey.proself_mail("teardown", "--stack", "contoso.test")),
    ):
        told, _, step = " ".join(lost.stderr.split()).partition(" Next: ")
        assert lost.returncode == code, lost.stderr
        assert "The stack contoso.test has been set up, but its file" in told
        assert "Pulumi.contoso.test.yaml is not there" in told
        assert "git pull" in step
        assert "go there" in step
        assert "pulumi config set" not in step
    assert not (journey.folder / "Pulumi.contoso.test.yaml").exists()


def test_a_production_stack_has_no_end_and_a_second_of_its_name_is_refused(
    journey: Journey,
) -> None:
    env = {"ARM_TENANT_ID": journey.tenant.tenant_id.upper()}
    assert init(journey, environment="production", env=env).returncode == 0
    assert "deleteAfter" not in configuration(journey)
    before = (journey.folder / "Pulumi.contoso.test.yaml").read_bytes()
    again = init(journey)
    assert again.returncode == 3
    said = " ".join(again.stderr.split())
    assert "exists already" in said
    assert "`proself-mail up --stack contoso.test` sets it up." in said
    assert (journey.folder / "Pulumi.contoso.test.yaml").read_bytes() == before


def test_the_file_of_a_stack_on_another_backend_is_left_alone(journey: Journey) -> None:
    file = journey.folder / "Pulumi.contoso.test.yaml"
    file.write_text(
        "config:\n  proself-mail:stackId: 0f0e0d0c-2222-4333-8444-555555555555\n", encoding="utf-8"
    )
    before = file.read_bytes()
    done = init(journey)
    said = " ".join(done.stderr.split())
    assert done.returncode == 3
    assert "Pulumi.contoso.test.yaml exists already" in said
    assert "`pulumi stack init contoso.test`" in said
    assert file.read_bytes() == before


def test_one_that_was_cut_off_goes_on(journey: Journey) -> None:
    """Made and not configured; the file may not have come to be either."""
    provider = ("--secrets-provider", journey.secrets_provider)
    assert journey.pulumi("stack", "init", "contoso.test", *provider).returncode == 0
    file = journey.folder / "Pulumi.contoso.test.yaml"
    begun = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert "config" not in begun
    left = journey.proself_mail("up", "--stack", "contoso.test")
    assert left.returncode == 2
    assert "`proself-mail init --stack contoso.test`" in left.stderr
    other = init(journey, "--secrets-provider", "hashivault://other")
    assert other.returncode == 3, other.stderr
    assert (
        "pulumi stack change-secrets-provider hashivault://other --stack contoso.test"
        in " ".join(other.stderr.split())
    )
    assert init(journey, *provider).returncode == 0
    made = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert made["config"]["proself-mail:server"] == SERVER
    assert begun.items() <= made.items()
    file.unlink()
    assert init(journey).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal")
def test_it_asks_a_person_for_what_is_missing(journey: Journey) -> None:
    import pty  # cannot be imported on Windows

    ours, theirs = pty.openpty()
    with journey.started("init", stdin=theirs, stdout=subprocess.PIPE) as process:
        # What cannot be is asked for again.
        typed = ["example", "contoso.test", f"https://{SERVER}/proself", SERVER]
        typed += [MAILBOX.replace("@", "＠"), MAILBOX, "azure", "embedded", "production"]
        os.write(ours, "".join(f"{line}\n" for line in typed).encode())
        _, said = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, said
    said = " ".join(said.split())
    asked = ["Stack (", "example is the name of the sample", "Stack (", "Proself's host name ("]
    asked += ["has a scheme", f"Such as {SERVER}.", "Proself's host name ("]
    asked += ["Mail address that Proself sends as: ", f"belong: ＠. Such as {MAILBOX}."]
    asked += ["Mail address that Proself sends as: ", "Target (cloud or embedded): "]
    asked += ["'azure' is none of them. Type cloud or embedded.", "Target (cloud or embedded): "]
    asked += ["Environment (test or production):"]
    place = 0
    for question in asked:
        place = said.index(question, place) + len(question)
    made = configuration(journey)
    assert (made["server"], made["mailbox"]) == (SERVER, MAILBOX)
    assert (made["target"], made["environment"]) == ("embedded", "production")


@pytest.mark.parametrize(
    ("changes", "env", "code", "cause", "next_step"),
    [
        (
            {"server": "https://mail.corp.co.jp/proself", "mailbox": "foo"},
            {},
            2,
            "has a scheme",
            "as in `--server mail.corp.co.jp`, `--mailbox proself@example.jp`.",
        ),
        ({"server": "a b"}, {}, 2, "not a host name", "--server"),
        ({"mailbox": "nobody"}, {}, 2, "not a mail address", "--mailbox"),
        ({"audience": "everyone"}, {}, 2, "'everyone'", "`--audience single` or"),
        ({"target": "azure"}, {}, 2, "'azure'", "`--target cloud` or `--target embedded`"),
        ({"consent": "no"}, {}, 2, "'no'", "`--consent granted` or `--consent by-administrator`"),
        ({"environment": "dev"}, {}, 2, "'dev'", "`--environment test` or"),
        ({"stack": "a b"}, {}, 2, "not a stack's name", "contoso.test"),
        ({"stack": "example"}, {}, 2, "the sample", "contoso.test"),
        ({"config-file": __file__}, {}, 3, "no Proself config file", "by `--config-file PATH`,"),
        # Also before a person is asked for what is missing.
        ({"secrets-provider": "foo", "stack": None}, {}, 2, "'foo' is no secrets", "awskms://"),
        ({"secrets-provider": "awskms", "stack": None}, {}, 2, "no secrets provider", "awskms://"),
        ({"server": "a b", "stack": None}, {}, 2, "not a host name", "--server"),
        ({"tenant": "foo bar", "stack": None}, {}, 2, "--tenant is 'foo bar'", "overview page"),
        ({"tenant": "contoso.example"}, {}, 2, "not a UUID", "Directory (tenant) ID"),
        ({}, {"ARM_TENANT_ID": "foo bar"}, 2, "ARM_TENANT_ID is 'foo bar'", "overview page"),
        ({"mailbox": None}, {}, 2, "nobody can be asked", "--mailbox"),
        ({"target": "cloud"}, {}, 3, "leads to an embedded tenant", "--unset"),
        ({}, {"ARM_METADATA_HOSTNAME": ""}, 3, "none is set up in this shell", "emulator env"),
        ({}, {"ARM_METADATA_HOSTNAME": "localhost:1"}, 4, "cannot be reached", "emulator start"),
        ({}, {"ARM_CLIENT_SECRET": "wrong"}, 4, "AADSTS7000215", "new client secret"),
        ({}, {"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "400"}, 2, "minutes apart", "clock"),
        ({"tenant": "99999999-2222-4333-8444-555555555555"}, {}, 3, "pinned to", "Sign in"),
    ],
)
def test_nothing_is_made_where_something_is_wrong(
    journey: Journey,
    changes: dict[str, str | None],
    env: dict[str, str],
    code: int,
    cause: str,
    next_step: str,
) -> None:
    before = journey.mark()
    done = init(journey, env=env, **changes)
    said = " ".join(done.stderr.split())
    assert done.returncode == code, done.stderr
    told, _, step = said.partition(" Next: ")
    assert "usage:" not in said
    assert cause in told
    assert next_step in step
    assert "Traceback" not in done.stderr
    assert journey.tenant.client_secret not in done.stderr + done.stdout
    assert not list(journey.folder.glob("Pulumi.*.yaml"))
    assert journey.writes(before) == []


def test_a_passphrase_is_asked_for_before_anything_else(journey: Journey) -> None:
    del journey.environment["PULUMI_CONFIG_PASSPHRASE"]
    for provider in ((), ("--secrets-provider=default",), ("--secrets-provider=passphrase",)):
        done = journey.proself_mail("init", *provider)
        told, _, step = " ".join(done.stderr.split()).partition(" Next: ")
        assert done.returncode == 2, done.stderr
        assert "passphrase is to encrypt the new stack's secrets, and none is set" in told
        assert "export PULUMI_CONFIG_PASSPHRASE`" in step
    for others in (
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "/dev/null"},
        {"PULUMI_BACKEND_URL": "https://api.pulumi.com"},  # keeps a key for each of its stacks
    ):
        done = journey.proself_mail("init", env=others)
        assert "nobody can be asked" in " ".join(done.stderr.split())
    assert journey.proself_mail("init", "--secrets-provider=awskms://x").returncode == 2


@pytest.fixture
def bare_tenant(request: pytest.FixtureRequest) -> Iterator[Tenant]:
    with Tenant(*request.param) as running:
        yield running


@pytest.mark.parametrize(
    ("bare_tenant", "cause", "next_step"),
    [
        (["--without-exchange"], "it has no Exchange Online", "licence"),
        (
            ["--deployer-role", "DelegatedPermissionGrant.ReadWrite.All", "Application.Read.All"],
            "May manage its applications",
            "Application.ReadWrite.OwnedBy",
        ),
    ],
    indirect=["bare_tenant"],
)
def test_a_tenant_or_an_identity_that_does_not_suffice(
    bare_tenant: Tenant, tmp_path: Path, cause: str, next_step: str
) -> None:
    journey = Journey(bare_tenant, tmp_path)
    done = init(journey)
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, done.stderr
    assert cause in said
    assert next_step in said
    assert not list(journey.folder.glob("Pulumi.*.yaml"))
    assert journey.tenant.writes() == []


@pytest.mark.parametrize(
    "bare_tenant", [["--deployer-role", "Application.ReadWrite.OwnedBy"]], indirect=True
)
def test_an_identity_that_may_not_consent_leaves_that_to_an_administrator(
    bare_tenant: Tenant, tmp_path: Path
) -> None:
    journey = Journey(bare_tenant, tmp_path)
    done = init(journey)
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, done.stderr
    assert "May give admin consent" in said
    assert "app role DelegatedPermissionGrant.ReadWrite.All" in said
    [option] = re.findall(r"`(--consent [a-z-]+)`", said)
    file = journey.folder / "Pulumi.contoso.test.yaml"
    file.write_text("config:\n  proself-mail:consent: by-administrator\n", encoding="utf-8")
    begun = init(journey)
    assert begun.returncode == 3
    said = " ".join(begun.stderr.split())
    assert "exists already and holds `consent` alone" in said
    assert "Next: Move Pulumi.contoso.test.yaml away" in said
    made = journey.pulumi("stack", "init", "contoso.test")
    assert made.returncode == 0, made.stderr
    [mending] = re.findall(r"`pulumi (config rm [^`]*)`", init(journey).stderr)
    done = journey.pulumi(*shlex.split(" ".join(mending.split())))
    assert done.returncode == 0, done.stderr
    assert init(journey, *option.split()).returncode == 0
    assert configuration(journey)["consent"] == "by-administrator"
    assert journey.proself_mail("preflight", "--stack", "contoso.test").returncode == 0
    other = "99999999-2222-4333-8444-555555555555"
    elsewhere = ("--stack=elsewhere", f"--mailbox-tenant-id={other}")
    refused = init(journey, *elsewhere)
    assert refused.returncode == 2
    assert "as in `--audience multi`" in " ".join(refused.stderr.split())
    assert init(journey, *elsewhere, "--audience=multi").returncode == 0
    assert configuration(journey, "elsewhere")["mailboxTenantId"] == other
    assert journey.tenant.writes() == []
