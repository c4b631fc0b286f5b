"""`verify --mail`: from the sign-in to the outbox, and every refusal on the way explained."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from proself_mail.browser import loopback
from proself_mail.check import Outcome
from proself_mail.config.settings import MAIL_PROOF_REDIRECT_URI, Settings
from proself_mail.entra import target
from proself_mail.errors import ConfigurationError, RemoteError
from proself_mail.mail import mail_proof, smtp
from proself_mail.mail.mail_proof import Person, Proof
from proself_mail.mail.smtp import Server
from proself_mail.rehearsal import rehearsed_sign_in
from proself_mail.secret import Secret
from proself_mail.stack.outputs import Outputs
from proself_mail.stack.stack import Stack
from proself_mail.text.command_line import connection_trial
from tests.free_port import free_port
from tests.journey import Journey, instant
from tests.looking import Look, looking
from tests.tenant import Tenant

pytestmark = pytest.mark.usefixtures("mail_proof_port")
OTHER = ("other@contoso.example", "0ther-Pa55-w0rd")


@dataclass(frozen=True)
class Open:
    """A stack whose mail proof is open."""

    journey: Journey
    configuration: dict[str, Any]
    settings: Settings
    outputs: Outputs

    @property
    def tenant(self) -> Tenant:
        return self.journey.tenant

    @property
    def server(self) -> Server:
        return Server(self.tenant.ready["smtp_host"], self.tenant.ready["smtp_port"])

    def signs_in_as(self, user: str, password: str) -> Person:
        def browse(address: str) -> None:
            rehearsed_sign_in.sign_in(address, user, Secret(password), self.tenant.authority_file)

        return Person(browse, lambda _: None, timedelta(seconds=20))

    @property
    def person(self) -> Person:
        ready = self.tenant.ready
        return self.signs_in_as(ready["mailbox"], ready["mailbox_password"])

    def prove(
        self,
        person: Person | None = None,
        server: Server | None = None,
        settings: Settings | None = None,
    ) -> Proof:
        where, now = target.reach(self.settings.target, str(self.settings.tenant_id))
        return asyncio.run(
            mail_proof.prove(
                where,
                "dev",
                settings or self.settings,
                self.outputs,
                server or self.server,
                person or self.person,
                now,
            )
        )

    def outbox(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.tenant.admin("GET", "/outbox").json()
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    with Tenant() as tenant, pytest.MonkeyPatch.context() as patch:
        journey = Journey(tenant, tmp_path_factory.mktemp("mail"))
        ready = tenant.ready
        journey.environment |= {
            "COLUMNS": "80",
            "PROSELF_MAIL_SMTP_HOST": ready["smtp_host"],
            "PROSELF_MAIL_SMTP_PORT": str(ready["smtp_port"]),
            "BROWSER": str(browser(journey.folder, ready["mailbox"], ready["mailbox_password"])),
        }
        configuration = journey.make_stack(
            "dev", mailbox=ready["mailbox"], mailProofUntil=instant(timedelta(hours=1))
        )
        done = journey.up("dev")
        assert done.returncode == 0, done.stdout
        tenant.seed(users=[{"user_principal_name": OTHER[0], "password": OTHER[1]}])
        journey.keep()
        for name, value in journey.environment.items():
            patch.setenv(name, value)
        made = Stack("dev", journey.folder)
        yield Open(journey, configuration, made.settings(), made.outputs())


def browser(folder: Path, user: str, password: str) -> Path:
    """Make a program that does with a sign-in page what its user would; `$BROWSER` names it."""
    script = folder / f"browser-{user.partition('@')[0]}"
    script.write_text(
        f"""#!{sys.executable}
import os, sys
from proself_mail.rehearsal.rehearsed_sign_in import sign_in
from proself_mail.secret import Secret
sign_in(sys.argv[1], {user!r}, Secret({password!r}), os.environ["SSL_CERT_FILE"])
""",
        encoding="utf-8",
    )
    script.chmod(0o700)
    return script


@pytest.fixture
def switched(stack: Open) -> Iterator[Any]:
    """Give a way to switch Exchange; all is as at the start afterwards."""
    start = stack.tenant.admin("GET", "/smtp").json()

    def switch(**switches: Any) -> None:
        stack.tenant.admin("POST", "/smtp", switches)

    yield switch
    tenant = start["tenants"][stack.tenant.tenant_id]
    back = {key: value for key, value in tenant.items() if key != "mailboxes"}
    mailbox = {"address": stack.settings.mailbox, "smtp_auth_disabled": None, "full": False,
               "blocked": False, "exists": True}  # fmt: skip
    server = {"starttls": True, "certificate": "good", "scripts": []}
    stack.tenant.admin("POST", "/smtp", back | {"mailboxes": [mailbox]} | server)


def command(
    stack: Open, *options: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    before = stack.journey.mark()
    done = stack.journey.proself_mail("verify", "--mail", "--stack", "dev", *options, env=env)
    assert "Traceback" not in done.stderr
    assert stack.journey.writes(before) == []
    for secret in stack.tenant.secrets():
        assert secret not in done.stdout + done.stderr
    return done


def test_the_mail_lies_in_the_outbox_from_the_user_to_itself(stack: Open) -> None:
    before = len(stack.outbox())
    done = command(stack, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    [mail] = stack.outbox()[before:]
    assert mail["from"] == mail["envelope_from"] == stack.settings.mailbox
    assert mail["to"] == [stack.settings.mailbox]
    mark = dict(mail["headers"])["X-Proself-Mail-Proof"]
    [found] = json.loads(done.stdout)["stacks"]
    checks = {check["name"]: check for check in found["checks"]}
    assert mark in checks["mail: accepted"]["detail"]
    assert found["diagnoses"] == []
    assert checks["mail proof's redirect URI"]["detail"].startswith("open until")
    # The least privileges do not show users: that is optional, and never called well.
    mailbox = checks.pop("mailbox")
    assert (mailbox["outcome"], mailbox["permission"]) == ("UNKNOWN", "User.Read.All")
    assert {check["outcome"] for check in checks.values()} == {"OK"}
    assert f"login_hint={stack.settings.mailbox.replace('@', '%40')}" in done.stderr
    assert "削除してかまいません" in mail["text"]
    assert "メール設定 (Exchange Online、" in mail["text"]


def test_no_refresh_token_is_asked_for(stack: Open) -> None:
    before = stack.journey.mark()
    assert stack.prove().diagnosis is None
    asked = [e for e in stack.tenant.history(before) if "/oauth2/v2.0/authorize?" in e["path"]]
    assert asked
    assert "offline_access" not in json.dumps(asked)


def test_a_refusal_shows_its_cause_and_its_fix_in_both_languages(
    stack: Open, switched: Any
) -> None:
    switched(mailboxes=[{"address": stack.settings.mailbox, "smtp_auth_disabled": True}])
    done = command(stack)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert f"Authenticated SMTP (SMTP AUTH) is disabled for the mailbox {stack.settings.mailbox}"\
        in said  # fmt: skip
    assert "原因 メールボックス" in said
    line = f"Set-CASMailbox -Identity {stack.settings.mailbox} "
    assert f"    {line}-SmtpClientAuthenticationDisabled $false" in done.stdout.splitlines()
    assert "auth=Bearer (left out" in said
    assert "UNKNOWN mail: accepted not reached" in said


UNUSUAL = "550 5.9.99 Something that nobody has seen [x]"


@pytest.mark.parametrize(
    ("switches", "key", "step"),
    [
        ({"smtp_auth_disabled": True}, "smtp-auth-disabled-for-tenant", "mail: authentication"),
        ({"security_defaults": True}, "security-defaults", "mail: authentication"),
        ({"conditional_access": True}, "conditional-access", "mail: authentication"),
        ({"accepted_scopes": ["SMTP.Send"]}, "mail-send-alone", "mail: authentication"),
        ({"connections_per_mailbox": 0}, "too-many-connections", "mail: accepted"),
        ({"recipients_per_day": 0}, "recipient-limit", "mail: accepted"),
        ({"mailbox": {"full": True}}, "mailbox-full", "mail: accepted"),
        ({"mailbox": {"blocked": True}}, "bad-outbound-sender", "mail: accepted"),
        ({"mailbox": {"exists": False}}, "mail-send-alone", "mail: authentication"),
        ({"starttls": False}, "starttls-not-offered", "mail: encrypted connection"),
        ({"certificate": "untrusted"}, "certificate-wrong", "mail: encrypted connection"),
        ({"certificate": "expired"}, "certificate-wrong", "mail: encrypted connection"),
        ({"certificate": "other-name"}, "certificate-wrong", "mail: encrypted connection"),
        (("connect", {"reply": UNUSUAL}), "unknown", "mail: encrypted connection"),
        (("connect", {"do": "hang"}), "connection-silent", "mail: encrypted connection"),
        (("ehlo", {"do": "drop"}), "connection-dropped", "mail: encrypted connection"),
        (("auth", {"do": "drop"}), "connection-dropped", "mail: authentication"),
        (("auth", {"do": "hang"}), "connection-silent", "mail: authentication"),
        (("message", {"do": "drop"}), "connection-dropped", "mail: accepted"),
        (("auth", {"reply": UNUSUAL}), "unknown", "mail: authentication"),
        (("mail", {"reply": UNUSUAL}), "unknown", "mail: accepted"),
        (("rcpt", {"reply": "451 4.7.500 Server busy"}), "server-busy", "mail: accepted"),
        (
            ("mail", {"reply": "550 5.7.60 SMTP; Client does not have permissions to send as "
             "this sender"}),
            "sender-is-not-user",
            "mail: accepted",
        ),
    ],
)  # fmt: skip
def test_every_refusal_is_told_apart(
    stack: Open,
    switched: Any,
    monkeypatch: pytest.MonkeyPatch,
    switches: Any,
    key: str,
    step: str,
) -> None:
    monkeypatch.setattr(smtp, "PATIENCE", timedelta(seconds=1))
    if isinstance(switches, tuple):
        at, what = switches
        switched(scripts=[{"at": at, **what}])
    elif "mailbox" in switches:
        switched(mailboxes=[{"address": stack.settings.mailbox, **switches["mailbox"]}])
    else:
        switched(**switches)
    before = len(stack.outbox())
    proof = stack.prove()
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == key, proof.diagnosis
    [failed] = [check for check in proof.checks if check.outcome is Outcome.FAIL]
    assert failed.name == step
    assert len(stack.outbox()) == before
    if key == "unknown":
        assert UNUSUAL in proof.diagnosis.said
        assert ("auth=Bearer (left out" in proof.diagnosis.sent) is ("connection" not in step)
        assert ("From: " in proof.diagnosis.sent) is (step == "mail: accepted")


def test_the_token_is_not_sent_where_nobody_is_to_be_trusted(stack: Open, switched: Any) -> None:
    switched(certificate="untrusted")
    stack.prove()
    dialogues = stack.tenant.admin("GET", "/smtp").json()["dialogues"]
    assert not any("AUTH" in line for line in dialogues[-1]["lines"] if line.startswith("C:"))


def test_a_from_that_is_not_the_user_is_denied(
    stack: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Proself meets where its system mail address is another than its user."""

    def other_sender(server: Server, user: str, token: Secret, mail: EmailMessage) -> str:
        mail.replace_header("From", OTHER[0])
        return smtp.deliver(server, user, token, mail)

    monkeypatch.setattr("proself_mail.mail.mail_proof.deliver", other_sender)
    proof = stack.prove()
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == "send-as-denied"


def test_another_person_signs_in_and_no_mail_goes_out(stack: Open) -> None:
    before = len(stack.outbox())
    proof = stack.prove(stack.signs_in_as(*OTHER))
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == "signed-in-as-another-user"
    assert OTHER[0] in proof.diagnosis.said
    assert len(stack.outbox()) == before


def test_what_nobody_consented_to_is_told(stack: Open) -> None:
    settings = stack.settings.model_copy(update={"permissions": ("SMTP.Send",)})
    proof = stack.prove(settings=settings)
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == "consent-missing"
    assert "AADSTS65001" in proof.diagnosis.said


@pytest.mark.parametrize(
    "said", [{"error_description": "AADSTS65004: User declined"}, {"error_subcode": "cancel"}]
)
def test_a_cancelled_sign_in_is_told(stack: Open, said: dict[str, str]) -> None:
    def cancel(_: str) -> None:
        answer(error="access_denied", **said)

    proof = stack.prove(Person(cancel, lambda _: None, timedelta(seconds=20)))
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == "sign-in-cancelled"


STATES: list[str] = []


@pytest.fixture(autouse=True)
def _note_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test know the state that a browser would bring back."""
    real = loopback.listening

    def listening(uri: str, state: str) -> Any:
        STATES.append(state)
        return real(uri, state)

    monkeypatch.setattr(loopback, "listening", listening)


def answer(**fields: str) -> int:
    data = {"state": STATES[-1]} | fields
    return httpx.post(MAIL_PROOF_REDIRECT_URI, data=data, trust_env=False).status_code


def test_a_code_that_is_none_is_refused_by_entra_and_told(stack: Open) -> None:
    def forge(_: str) -> None:
        answer(code="0.a-code-of-my-own")

    proof = stack.prove(Person(forge, lambda _: None, timedelta(seconds=20)))
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == "sign-in-answer-malformed"


def test_an_answer_with_a_foreign_state_changes_nothing(stack: Open) -> None:
    refused: list[int] = []

    def attack_first(address: str) -> None:
        refused.append(answer(state="foreign", code="0.an-attackers-code"))
        stack.person.open_browser(address)

    assert (
        stack.prove(Person(attack_first, lambda _: None, timedelta(seconds=20))).diagnosis is None
    )
    assert refused == [400]


def test_nobody_signs_in(stack: Open) -> None:
    person = Person(lambda _: None, lambda _: None, timedelta(seconds=0.5))
    with pytest.raises(RemoteError, match="Nobody finished the sign-in"):
        stack.prove(person)


def test_without_a_browser_the_address_is_printed_and_enough(stack: Open) -> None:
    told: list[str] = []

    def tell(address: str) -> None:
        told.append(address)
        threading.Thread(target=stack.person.open_browser, args=(address,)).start()

    assert stack.prove(Person(lambda _: False, tell, timedelta(seconds=20))).diagnosis is None
    assert told[0].startswith(stack.tenant.authority)


def test_a_taken_port_is_named_before_anybody_signs_in(stack: Open) -> None:
    with socket.create_server(("127.0.0.1", 20587)), pytest.raises(
        ConfigurationError, match="Port 20587 of this machine"
    ):  # fmt: skip
        stack.prove()


def test_a_server_that_is_not_there_is_told(stack: Open) -> None:
    proof = stack.prove(server=Server("localhost", free_port()))
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == "connection-refused"
    name = replace(stack.server, host="no-such-host.invalid")
    proof = stack.prove(server=name)
    assert proof.diagnosis is not None
    assert proof.diagnosis.key == "connection-refused"
    assert proof.diagnosis.commands == (connection_trial(name.host, name.port),)


@pytest.mark.parametrize(
    ("options", "env", "code", "said"),
    [
        (["--smtp-port", "25"], {}, 2, "--smtp-host"),
        (["--smtp-host", "localhost", "--smtp-port", "0"], {}, 2, "from 1 to 65535"),
        (["--smtp-host", "192.0.2.2"], {}, 3, "--smtp-host names 192.0.2.2, which is not on this"),
        ([], {"PROSELF_MAIL_SMTP_HOST": ""}, 3, "is not set up in this shell"),
    ],
)
def test_the_command_refuses_in_time(
    stack: Open, options: list[str], env: dict[str, str], code: int, said: str
) -> None:
    before = len(stack.outbox())
    done = command(stack, *options, env=env)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert len(stack.outbox()) == before


def test_what_was_seen_is_told_where_nobody_signed_in(stack: Open) -> None:
    done = command(stack, "--timeout", "0.02", "--json", env={"BROWSER": "/bin/true"})
    assert done.returncode == 4, done.stderr
    [found] = json.loads(done.stdout)["stacks"]
    checks = {each["name"]: each for each in found["checks"]}
    assert checks["application"]["outcome"] == "OK"
    assert checks["mail: sign-in"]["outcome"] == "UNKNOWN"
    assert checks["mail: sign-in"]["detail"].startswith("Nobody finished the sign-in")
    assert checks["mail: sign-in"]["next_step"]
    assert checks["mail: accepted"]["detail"] == "not reached"


def test_a_proof_that_is_not_open_says_how_to_open_it_and_an_up_closes_it(stack: Open) -> None:
    journey, an_hour_ago = stack.journey, instant(-timedelta(hours=1))
    journey.configure("dev", stack.configuration | {"mailProofUntil": an_hour_ago})
    try:
        done = command(stack)
        said = " ".join(done.stderr.split())
        assert done.returncode == 2
        assert "pulumi config set mailProofUntil 20" in said
        assert "proself-mail up --stack dev" in said
        with looking(journey, "dev") as look:
            left = redirect_uri_check(look)
            assert left["outcome"] == "FAIL"
            assert "20587" in left["detail"]
            closed = journey.up("dev")
            assert closed.returncode == 0, closed.stdout
            assert redirect_uri_check(look)["detail"] == "none is left"
    finally:
        journey.as_kept()


def test_a_proof_that_is_open_for_too_long_says_what_up_takes_and_tries_nothing(
    stack: Open,
) -> None:
    far = instant(timedelta(days=2))
    stack.journey.configure("dev", stack.configuration | {"mailProofUntil": far})
    try:
        done = command(stack)
    finally:
        stack.journey.as_kept()
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert f"`mailProofUntil` is {far}, so far ahead that `up` refuses it" in said
    assert "\n  pulumi config set mailProofUntil 20" in done.stdout
    assert "\n  proself-mail up --stack dev\n" in done.stdout
    assert "no sign-in and no mail was tried: see “mail proof's redirect URI” above" in said
    assert "UNKNOWN mail: accepted not reached" in said
    assert "1 of 27 checks failed" in said


def redirect_uri_check(look: Look) -> dict[str, Any]:
    [check] = [each for each in look()["checks"] if each["name"] == "mail proof's redirect URI"]
    return dict(check)
