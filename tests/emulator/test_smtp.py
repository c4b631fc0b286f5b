"""Exchange's SMTP: who may sign in, what may be sent, each refusal by its code and text."""

import base64
import re
import smtplib
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from tests.emulator.mail_app import MailApp
from tests.emulator.objects import EXCHANGE_APP_ID, principal_of
from tests.tenant import Tenant

BRACKET = r"\[\w+\.JPNP301\.PROD\.OUTLOOK\.COM 20\d\d-\S+Z [0-9A-F]{16}\]$"


@pytest.fixture
def app(tenant: Tenant, graph: httpx.Client) -> MailApp:
    return MailApp(tenant, graph)


@pytest.fixture
def address(tenant: Tenant) -> str:
    return str(tenant.ready["mailbox"])


@pytest.fixture
def smtp(tenant: Tenant) -> Iterator[smtplib.SMTP]:
    """A connection after STARTTLS."""
    with connected(tenant) as client:
        yield client


def connected(tenant: Tenant) -> smtplib.SMTP:
    client = smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"], timeout=5)
    client.starttls(context=tenant.ssl_context)
    client.ehlo()
    return client


def xoauth2(user: str, token: str) -> str:
    return base64.b64encode(f"user={user}\x01auth=Bearer {token}\x01\x01".encode()).decode()


def authenticate(client: smtplib.SMTP, user: str, token: str) -> str:
    code, text = client.docmd("AUTH", f"XOAUTH2 {xoauth2(user, token)}")
    return f"{code} {text.decode()}"


def mail(sender: str, recipient: str = "someone@example.org") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, "Test"
    message.set_content("text")
    return message


def send(client: smtplib.SMTP, sender: str, header: str | None = None, recipients: int = 1) -> str:
    """Send a mail and return the last reply."""
    assert client.docmd("MAIL", f"FROM:<{sender}>") == (250, b"2.1.0 Sender OK")
    for number in range(recipients):
        to = f"TO:<someone-{number}@example.org>"
        assert client.docmd("RCPT", to) == (250, b"2.1.5 Recipient OK")
    code, text = client.data(mail(header or sender).as_bytes())
    return f"{code} {text.decode()}"


def test_the_dialogue_is_exchanges(tenant: Tenant, app: MailApp, address: str) -> None:
    host, port = tenant.ready["smtp_host"], tenant.ready["smtp_port"]
    with socket.create_connection((host, port)) as raw:
        greeting = raw.recv(200)
        assert greeting.startswith(b"220 ")
        assert b"Microsoft ESMTP MAIL Service ready at " in greeting
        assert re.search(rb" \+0000 \[08D[0-9A-F]{13}\]\r\n$", greeting)
    with smtplib.SMTP(host, port) as client:
        assert client.ehlo()[0] == 250
        assert set(client.esmtp_features) == {
            "size", "pipelining", "enhancedstatuscodes", "starttls", "8bitmime", "smtputf8",
        }  # fmt: skip
        early = authenticate(client, address, app.token())
        assert early.startswith("504 5.7.4 Unrecognized authentication type [")
        assert client.starttls(context=tenant.ssl_context) == (220, b"2.0.0 SMTP server ready")
        code, text = client.docmd("MAIL", f"FROM:<{address}>")
        assert (code, text.partition(b" [")[0]) == (503, b"5.5.2 Send hello first")
        assert re.search(BRACKET, text.decode())
        early = authenticate(client, address, app.token())
        assert early.startswith("503 5.5.2 Send hello first [")
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        code, text = client.docmd("STARTTLS")
        assert (code, text.partition(b" ")[0]) == (503, b"5.5.2")
        code, text = client.docmd("MAIL", f"FROM:<{address}>")
        assert code == 530
        assert text.startswith(b"5.7.57 Client not authenticated to send mail. [")
        assert authenticate(client, address, app.token()) == ("235 2.7.0 Authentication successful")
        assert send(client, address).startswith("250 2.0.0 OK <")
        assert client.docmd("RSET") == (250, b"2.0.0 Resetting")
        for command in ("BDAT 5", "EXPN", "X"):
            code, text = client.docmd(command)
            length = len(command.partition(" ")[0])
            said = f"5.3.3 Unrecognized command 'Length: {length}' [".encode()
            assert (code, text.startswith(said)) == (500, True), text
        assert client.quit() == (221, b"2.0.0 Service closing transmission channel")
    assert [one["from"] for one in tenant.outbox()] == [address]


def test_xoauth2_in_two_steps(smtp: smtplib.SMTP, app: MailApp, address: str) -> None:
    assert smtp.docmd("AUTH", "xoauth2") == (334, b"")
    assert smtp.docmd(xoauth2(address, app.token())) == (235, b"2.7.0 Authentication successful")
    assert smtp.docmd("AUTH", "XOAUTH2")[0] == 503


def test_a_token_is_never_kept_or_shown(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    token = app.token()
    assert smtp.docmd("AUTH", "XOAUTH2")[0] == 334
    assert smtp.docmd(xoauth2(address, "x" + token))[0] == 535
    authenticate(smtp, address, token)
    shown = str(tenant.admin("GET", "/smtp").json()) + str(tenant.history())
    assert "C: AUTH XOAUTH2 ***" in shown
    assert token not in shown
    assert xoauth2(address, token) not in shown


@pytest.mark.parametrize(
    "scope",
    [
        "https://outlook.office.com/SMTP.Send offline_access",
        "https://outlook.office365.com/SMTP.Send",
        "https://outlook.office365.com/.default",
        "https://outlook.office.com/.default",
    ],
)
def test_the_ways_to_ask_for_exchanges_token(
    smtp: smtplib.SMTP, app: MailApp, graph: httpx.Client, address: str, scope: str
) -> None:
    graph.patch(f"/v1.0/oauth2PermissionGrants/{app.grant['id']}", json={"scope": "SMTP.Send"})
    assert authenticate(smtp, address, app.token(scope=scope)).startswith("235 ")


def test_a_refreshed_token_signs_in(smtp: smtplib.SMTP, app: MailApp, address: str) -> None:
    code = app.authorize(app.tenant.ready["users"][-1])["code"]
    refresh_token = app.redeem(code).json()["refresh_token"]
    token = app.refresh(refresh_token).json()["access_token"]
    assert authenticate(smtp, address, token).startswith("235 ")


@pytest.mark.parametrize(
    ("scope", "accepted", "reply"),
    [
        ("Mail.Send", ["Mail.Send"], "235"),
        ("Mail.Send", ["SMTP.Send"], "535 5.7.3 Authentication unsuccessful ["),
        ("SMTP.Send", ["Mail.Send"], "535 5.7.3 Authentication unsuccessful ["),
        ("Mail.Send", [], "535 5.7.3 Authentication unsuccessful ["),
        ("Mail.Read", ["Mail.Send", "SMTP.Send"], "535 5.7.3 Authentication unsuccessful ["),
    ],
)
def test_which_permission_lets_in_can_be_switched(
    tenant: Tenant,
    smtp: smtplib.SMTP,
    app: MailApp,
    graph: httpx.Client,
    address: str,
    scope: str,
    accepted: list[str],
    reply: str,
) -> None:
    graph.patch(f"/v1.0/oauth2PermissionGrants/{app.grant['id']}", json={"scope": scope})
    tenant.smtp(accepted_scopes=accepted)
    token = app.token(scope="https://outlook.office.com/.default")
    assert authenticate(smtp, address, token).startswith(reply)


def test_only_good_tokens_for_exchange(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, graph: httpx.Client, address: str
) -> None:
    refused = "535 5.7.3 Authentication unsuccessful ["
    good = app.token()
    head, _, signature = good.rpartition(".")
    forged = f"{head}.{'A' * len(signature)}"
    other = {
        "clientId": app.principal["id"],
        "consentType": "AllPrincipals",
        "resourceId": principal_of(graph, "00000003-0000-0000-c000-000000000000")["id"],
        "scope": "Mail.Send",
    }
    graph.post("/v1.0/oauth2PermissionGrants", json=other).raise_for_status()
    for_graph = app.token(scope="https://graph.microsoft.com/Mail.Send")
    for_application = tenant.token()
    for token in (forged, "no-token", for_graph, for_application):
        assert authenticate(smtp, address, token).startswith(refused)
    tenant.advance(3600)
    assert authenticate(smtp, address, good).startswith(refused)
    assert authenticate(smtp, address, app.token()).startswith("235 ")


def test_the_user_is_the_tokens_own(tenant: Tenant, smtp: smtplib.SMTP, app: MailApp) -> None:
    refused = "535 5.7.3 Authentication unsuccessful ["
    token = app.token()
    for user in ("nobody@contoso.example", tenant.ready["users"][0]["user_principal_name"]):
        assert authenticate(smtp, user, token).startswith(refused)
    own = tenant.ready["mailbox"]
    tenant.smtp(mailboxes=[{"address": own, "exists": False}])
    assert authenticate(smtp, own, token).startswith(refused)


def test_a_shared_mailbox_is_opened_by_whom_it_is_shared_with(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    shared = "info@contoso.example"
    tenant.seed(users=[{"user_principal_name": shared, "password": "unused-1", "enabled": False}])
    token = app.token()
    assert authenticate(smtp, shared, token).startswith("535 5.7.3")
    tenant.smtp(mailboxes=[{"address": shared, "delegates": [address]}])
    assert authenticate(smtp, shared, token).startswith("235 ")
    assert send(smtp, shared).startswith("250 ")
    assert tenant.outbox()[0]["user"] == address
    tenant.smtp(mailboxes=[{"address": shared, "full": False}])
    with connected(tenant) as another:  # what is left out stays as it was
        assert authenticate(another, shared, token).startswith("235 ")
    tenant.smtp(mailboxes=[{"address": shared, "delegates": []}])
    with connected(tenant) as another:
        assert authenticate(another, shared, token).startswith("535 5.7.3")


def test_a_sign_in_name_that_is_no_address_cannot_send_as_itself(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp
) -> None:
    user = {"user_principal_name": "scan@contoso.onmicrosoft.com", "password": "pass-word-1"}
    tenant.seed(users=[{**user, "mail": "scan@contoso.example"}])
    assert authenticate(smtp, user["user_principal_name"], app.token(user)).startswith("235 ")
    assert send(smtp, user["user_principal_name"]).startswith("554 5.2.252 SendAsDenied; ")
    assert send(smtp, "scan@contoso.example").startswith("250 ")


NO_PERMISSION = (
    "5.7.60 SMTP; Client does not have permissions to send as this sender "
    "[TYAPR01MB0001.jpnprd01.prod.outlook.com]"
)

DISABLED = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the {}. "
    "Visit https://aka.ms/smtp_auth_disabled for more information. ["
)


@pytest.mark.parametrize(
    ("tenant_wide", "mailbox", "reply"),
    [
        (True, None, DISABLED.format("Tenant")),
        (True, False, "235 2.7.0 Authentication successful"),
        (False, True, DISABLED.format("Mailbox")),
        (True, True, DISABLED.format("Mailbox")),
        (False, None, "235 2.7.0 Authentication successful"),
    ],
)
def test_authenticated_smtp_is_switched_for_the_tenant_and_the_mailbox_wins(
    tenant: Tenant,
    smtp: smtplib.SMTP,
    app: MailApp,
    address: str,
    tenant_wide: bool,
    mailbox: bool | None,
    reply: str,
) -> None:
    tenant.smtp(
        smtp_auth_disabled=tenant_wide,
        mailboxes=[{"address": address, "smtp_auth_disabled": mailbox}],
    )
    assert authenticate(smtp, address, app.token()).startswith(reply)


@pytest.mark.parametrize(
    ("switch", "reply"),
    [
        (
            "security_defaults",
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's "
            "security defaults policy. Contact your administrator. [",
        ),
        (
            "conditional_access",
            "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be "
            "authenticated successfully. Contact your administrator. [",
        ),
    ],
)
def test_policies_keep_out(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str, switch: str, reply: str
) -> None:
    tenant.smtp(**{switch: True})
    said = authenticate(smtp, address, app.token())
    assert said.startswith(reply)
    assert re.search(BRACKET, said)


def test_passwords_are_refused(tenant: Tenant, smtp: smtplib.SMTP, address: str) -> None:
    password = tenant.ready["mailbox_password"]
    with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
        smtp.login(address, password)
    assert "5.7.139 Authentication unsuccessful, basic auth" in str(refusal.value.smtp_error)
    tenant.smtp(basic_authentication_removed=True)
    with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
        smtp.login(address, password)
    assert refusal.value.smtp_code == 550
    assert str(refusal.value.smtp_error).startswith("b'5.7.30 Basic authentication is not")
    assert password not in str(tenant.admin("GET", "/smtp").json())


def test_from_is_the_mailbox(tenant: Tenant, app: MailApp, address: str) -> None:
    other = "other@contoso.example"
    denied = f"554 5.2.252 SendAsDenied; {address} not allowed to send as {other}; STOREDRV."
    for sender, header in ((other, other), (address, other), (other, address)):
        with connected(tenant) as client:
            authenticate(client, address, app.token())
            assert send(client, sender, header).startswith(denied)
    with connected(tenant) as client:
        authenticate(client, address, app.token())
        assert send(client, "", address) == f"550 {NO_PERMISSION}"
    assert tenant.outbox() == []


@pytest.mark.parametrize(
    ("headers", "reply"),
    [
        ("From: {own}, other@x.example", "550 5.1.20 Multiple From addresses are not allowed"),
        ("From: {own}\nFrom: other@x.example", "550 5.1.20 Multiple From addresses are not"),
        ("From: {own}, other@x.example\nSender: {own}", "554 5.2.252 SendAsDenied; "),
        ("From: {own}\nSender: other@x.example", "554 5.2.252 SendAsDenied; "),
        ("From: Proself <{own}>, {own}\nSender: {own}", "250 2.0.0 OK "),
        ("From: =?utf-8?Q?a=0D=0Ab?= <{own}>", "250 2.0.0 OK "),
        ("From: {own}\nSender: =?utf-8?Q?x=0D=0Ay?= <{own}>", "250 2.0.0 OK "),
        ("From: é <{own}>", "250 2.0.0 OK "),
        ("From: a@x.example[]", "554 5.2.252 SendAsDenied; {own} not allowed to send as a@"),
        *((headers, f"550 {NO_PERMISSION}") for headers in (
            "Subject: x", "From:", "From: a", "From: a@", 'From: "', "From: <", "From: é@[\t",
            "From: é@x.example", "From: " + "(" * 5000, "From: {own}\nSender: a@",
        )),
    ],
)  # fmt: skip
def test_every_author_is_the_mailbox(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str, headers: str, reply: str
) -> None:
    authenticate(smtp, address, app.token())
    smtp.docmd("MAIL", f"FROM:<{address}>")
    smtp.docmd("RCPT", "TO:<someone@example.org>")
    code, text = smtp.data(f"{headers.format(own=address)}\n\ntext".encode())
    assert f"{code} {text.decode('ascii')}".startswith(reply.format(own=address))
    assert len(tenant.outbox()) == (code == 250)


@pytest.mark.parametrize(
    ("switch", "reply"),
    [
        ({"full": True}, "554 5.2.2 mailbox full; "),
        ({"blocked": True}, "550 5.1.8 Bad outbound sender"),
    ],
)
def test_a_mailbox_that_cannot_send(
    tenant: Tenant,
    smtp: smtplib.SMTP,
    app: MailApp,
    address: str,
    switch: dict[str, Any],
    reply: str,
) -> None:
    tenant.smtp(mailboxes=[{"address": address, **switch}])
    authenticate(smtp, address, app.token())
    assert send(smtp, address).startswith(reply)
    assert tenant.outbox() == []


def test_three_connections_send_at_a_time_and_idle_ones_do_not_count(
    tenant: Tenant, app: MailApp, address: str
) -> None:
    token = app.token()
    clients = [connected(tenant) for _ in range(5)]
    for client in clients:
        authenticate(client, address, token)
    assert send(clients[0], address).startswith("250 ")
    for client in clients[1:4]:
        client.docmd("MAIL", f"FROM:<{address}>")
        client.docmd("RCPT", "TO:<someone@example.org>")
        assert client.docmd("DATA")[0] == 354
    assert send(clients[0], address).startswith("432 4.3.2 Concurrent connections limit exceeded.")
    clients[1].close()  # in the middle of its mail
    clients[2].send(mail(address).as_bytes() + b"\r\n.\r\n")
    assert clients[2].getreply()[0] == 250
    assert send(clients[4], address).startswith("250 ")
    for client in clients:
        client.close()


def test_what_addresses_and_parameters_may_be(
    smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    authenticate(smtp, address, app.token())
    smtp.docmd("MAIL", f"FROM:<{address}>")
    smtp.command_encoding = "utf-8"
    for command, reply in [
        ("RCPT TO:<>", "501 5.1.3 Invalid address ["),
        ("RCPT TO:<bad bad>", "501 5.1.3 Invalid address ["),
        ("RCPT TO:<no-domain>", "501 5.1.3 Invalid address ["),
        ("RCPT TO:<a..b@example.org>", "501 5.1.3 Invalid address ["),
        ("RCPT TO:<a@[", "501 5.1.3 Invalid address ["),
        ("RCPT TO:<山田@example.org>", "553 5.6.7 Non-ASCII addresses not permitted"),
        ('RCPT TO:<"a b"@[127.0.0.1]>', "250 "),
        ("RSET", "250 "),
        ("MAIL FROM:<>", "250 "),
        ("RSET", "250 "),
        ("MAIL FROM:<bad bad>", "501 5.1.7 Invalid address ["),
        ("MAIL FROM:<山田@example.org>", "550 5.6.7 Non-ASCII addresses not permitted"),
        ("MAIL FROM:<a@example.org> AUTH=<>", "250 "),
        ("RCPT TO:<b@example.org> AUTH=<>", "555 "),
        ("RSET", "250 "),
        ("MAIL FROM:<a@example.org> SIZE=5 AUTH=e+3Dmc2@example.com", "250 "),
        ("RSET", "250 "),
        ("MAIL FROM:<a@example.org> AUTH", "501 "),
        ("MAIL FROM:<a@example.org> RET=HDRS", "555 "),
        ("MAIL FROM:<山田@example.org> SMTPUTF8", "250 "),
        ("RCPT TO:<山田@例え.jp>", "250 "),
    ]:
        code, text = smtp.docmd(command)
        assert f"{code} {text.decode()}".startswith(reply), command


def test_recipients_of_one_mail(smtp: smtplib.SMTP, app: MailApp, address: str) -> None:
    authenticate(smtp, address, app.token())
    smtp.docmd("MAIL", f"FROM:<{address}>")
    lines = "".join(f"RCPT TO:<someone-{number}@example.org>\r\n" for number in range(501))
    smtp.send(lines)
    replies = [smtp.getreply() for _ in range(501)]
    assert {code for code, _ in replies[:500]} == {250}
    code, text = replies[500]
    assert (code, text.partition(b" [")[0]) == (452, b"4.5.3 Too many recipients")
    assert smtp.data(mail(address).as_bytes())[0] == 250


def test_recipients_of_a_day(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    tenant.smtp(recipients_per_day=3)
    authenticate(smtp, address, app.token())
    assert send(smtp, address, recipients=2).startswith("250 ")
    assert send(smtp, address, recipients=2).startswith(
        "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"
    )
    assert send(smtp, address).startswith("250 ")
    tenant.advance(24 * 3600)
    assert send(smtp, address, recipients=3).startswith("250 ")


def test_what_is_too_much_for_a_minute_goes_out_later(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    tenant.smtp(messages_per_minute=2)
    authenticate(smtp, address, app.token())
    assert all(send(smtp, address).startswith("250 ") for _ in range(5))
    assert len(tenant.outbox()) == 2
    tenant.advance(60)
    assert len(tenant.outbox()) == 4
    tenant.advance(60)
    assert len(tenant.outbox()) == 5


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ("no-base64!", b"5.5.2 Can't decode base64"),
        (base64.b64encode(b"user=x").decode(), b"5.5.124 Invalid XOAUTH2 auth data"),
    ],
)
def test_what_is_no_xoauth2(smtp: smtplib.SMTP, said: str, reply: bytes) -> None:
    assert smtp.docmd("AUTH", f"XOAUTH2 {said}") == (501, reply)
    assert smtp.docmd("AUTH", "XOAUTH2") == (334, b"")
    assert smtp.docmd(said) == (501, reply)


def test_what_is_no_base64_of_a_password(smtp: smtplib.SMTP) -> None:
    assert smtp.docmd("AUTH", "LOGIN no-base64!")[0] == 501
    assert smtp.docmd("AUTH", "LOGIN")[0] == 334
    assert smtp.docmd("no-base64!")[0] == 501


def test_every_reply_has_an_enhanced_code(tenant: Tenant, app: MailApp, address: str) -> None:
    """Of a whole dialogue with mistakes in it, but for the greetings, 3yz and HELP (RFC 2034)."""
    mailbox = f"MAIL FROM:<{address}>"
    long = "NOOP ".ljust(20_000, "x")
    with smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"]) as client:
        early = [(client.docmd(said), start) for said, start in [
            ("EHLO", "501 5.5.4 Invalid domain name ["), ("HELO a", "250 TYAPR01CA0001."),
            ("AUTH XOAUTH2", "500 5.3.3 Unrecognized command 'Length: 4' ["),
        ]]  # fmt: skip
        client.ehlo()
        client.starttls(context=tenant.ssl_context)
        client.ehlo()
        late = [(client.docmd(said), start) for said, start in [
            ("AUTH", "501 5.5.4 Invalid arguments ["), ("AUTH XOAUTH2 a b", "501 5.5.4 "),
            (f"AUTH XOAUTH2 {xoauth2(address, app.token())}", "235 2.7.0 "),
            ("AUTH XOAUTH2", "503 5.5.1 "), ("", "500 5.3.3 Unrecognized command 'unknown' ["),
            (long, "500 5.5.2 "), ("RCPT TO:<a@b>", "503 5.5.2 Need mail command ["),
            ("DATA", "503 5.5.2 Need rcpt command ["), ("MAIL", "501 5.5.4 Invalid arguments ["),
            (f"{mailbox} SIZE=999999999", "552 5.3.4 Message size exceeds fixed maximum "),
            (f"{mailbox} BODY=X", "501 5.5.4 "), (f"{mailbox} RET=HDRS", "555 5.5.4 "),
            (mailbox, "250 2.1.0 "), (mailbox, "503 5.5.2 Sender already specified ["),
            ("RCPT TO:<Postmaster>", "250 2.1.5 "), ("VRFY a@b", "252 2.1.5 Cannot VRFY user"),
            ("VRFY", "501 5.5.4 "), ("HELP", "214 This server supports the following commands:"),
            ("RSET x", "501 5.5.4 "), ("STARTTLS x", "503 5.5.2 "), ("NOOP", "250 2.0.0 "),
        ]]  # fmt: skip
    for (code, text), start in [*early, *late]:
        assert f"{code} {text.decode()}".startswith(start)


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "message", "auth", "ehlo"])
def test_a_script_answers_at_its_step(
    tenant: Tenant, app: MailApp, address: str, step: str
) -> None:
    busy = "451 4.7.500 Server busy. Please try again later"
    tenant.smtp(scripts=[{"at": step, "reply": busy, "times": 1}])
    replies = []
    with smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"]) as client:
        if step == "ehlo":
            replies.append("{} {}".format(*client.ehlo()))
            client.ehlo()
        client.starttls(context=tenant.ssl_context)
        client.ehlo()
        replies.append(authenticate(client, address, app.token()))
        authenticate(client, address, app.token())
        client.docmd("RSET")
        for line in (f"MAIL FROM:<{address}>", "RCPT TO:<a@example.org>"):
            code, text = client.docmd(line)
            replies.append(f"{code} {text.decode()}")
        try:
            code, text = client.data(mail(address).as_bytes())
            replies.append(f"{code} {text.decode()}")
        except smtplib.SMTPDataError as refusal:
            replies.append(f"{refusal.smtp_code} {refusal.smtp_error!r}")
    assert sum("4.7.500 Server busy" in reply for reply in replies) == 1


def test_a_connection_that_hangs_or_drops(tenant: Tenant) -> None:
    host, port = tenant.ready["smtp_host"], tenant.ready["smtp_port"]
    tenant.smtp(scripts=[{"at": "connect", "do": "hang"}])
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        smtplib.SMTP(host, port, timeout=0.3)
    tenant.smtp(scripts=[{"at": "starttls", "do": "drop"}])
    with (
        smtplib.SMTP(host, port) as client,
        pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)),
    ):
        client.starttls(context=tenant.ssl_context)
    tenant.smtp(scripts=[{"at": "connect", "do": "drop"}])
    with socket.create_connection((host, port), timeout=5) as raw:
        assert raw.recv(100) == b""
    tenant.smtp(scripts=[{"at": "connect", "reply": "421 4.3.2 Service not available"}])
    with socket.create_connection((host, port)) as raw:
        assert raw.recv(100) == b"421 4.3.2 Service not available\r\n"
        assert raw.recv(100) == b""


def test_without_starttls_nobody_signs_in(tenant: Tenant) -> None:
    tenant.smtp(starttls=False)
    with smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"]) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        assert not client.has_extn("auth")
        code, text = client.docmd("STARTTLS")
        assert (code, text.partition(b" [")[0]) == (
            500,
            b"5.3.3 Unrecognized command 'Length: 8'",
        )


def test_after_many_unknown_commands_the_connection_ends_and_says_so(
    tenant: Tenant, smtp: smtplib.SMTP
) -> None:
    for word, length in (("FLY", 3), ("GET / HTTP/1.1", 3), ("c2VjcmV0", 8), ("FLY", 3)):
        code, text = smtp.docmd(word)
        said = f"5.3.3 Unrecognized command 'Length: {length}' [".encode()
        assert (code, text.startswith(said)) == (500, True), text
    code, text = smtp.docmd("FLY")
    assert (code, text[:6]) == (421, b"4.7.0 ")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        smtp.noop()
    [dialogue] = tenant.admin("GET", "/smtp").json()["dialogues"]
    heard = [line for line in dialogue["lines"] if line.startswith("C: ")]
    assert heard[-5:] == ["C: FLY", "C: GET", "C: ***", "C: FLY", "C: ***"]


@pytest.mark.parametrize("encrypted", [False, True])
def test_nothing_is_answered_after_the_end(tenant: Tenant, encrypted: bool) -> None:
    with smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"], timeout=5) as client:
        if encrypted:
            client.starttls(context=tenant.ssl_context)
        client.send("FLY\r\n" * 7)
        replies = [client.getreply()[0] for _ in range(5)]
        assert replies == [500, 500, 500, 500, 421]
        with pytest.raises(smtplib.SMTPServerDisconnected, match="unexpectedly closed"):
            client.getreply()
    assert tenant.dialogues()[-1][-1].startswith("S: 421 4.7.0 ")


def test_a_dialogue_shows_bytes_that_are_no_text(tenant: Tenant) -> None:
    with smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"]) as client:
        for encoding in ("cp932", "utf-8"):
            client.command_encoding = encoding
            client.docmd("NOOP", "東京PC")
    heard = [line for line in tenant.dialogues()[-1] if line.startswith("C: NOOP")]
    assert heard == [r"C: NOOP \x93\x8c\x8b\x9ePC", "C: NOOP 東京PC"]


def test_the_outbox_shows_mails_whose_texts_are_none(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    authenticate(smtp, address, app.token())
    smtp.command_encoding = "latin-1"
    for charset in ("unicode_escape", "rot13", "no-such", "undefined"):
        smtp.docmd("MAIL", f"FROM:<{address}> SMTPUTF8")
        assert smtp.docmd("RCPT", "TO:<é@example.org>")[0] == 250
        text = (
            f"From: {address}\r\nSubject: =?unicode_escape?q?=5Cud800?=\r\n"
            f"Content-Type: text/plain; charset={charset}\r\n\r\n\\ud800\r\n"
        )
        assert smtp.data(text.encode())[0] == 250
    mails = tenant.outbox()
    assert [mail["text"].strip() for mail in mails] == [r"\ud800"] * 4
    assert {mail["subject"] for mail in mails} == {"=?unicode_escape?q?=5Cud800?="}
    assert mails[0]["to"] == [r"\udce9@example.org"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("<a@x.example>", "<a@x.example>"),
        *((said, None) for said in (
            "", "<>", "<", "a", "<é@x.example>", "<a b>",
            "=?utf-8?Q?=3Ca=0D=0A554_evil=3E?=", "=?utf-8?Q?=3C=C3=A9=40x=3E?=",
        )),
    ],
)  # fmt: skip
def test_a_reply_has_a_message_id_that_fits_into_it(
    smtp: smtplib.SMTP, app: MailApp, address: str, said: str, told: str | None
) -> None:
    authenticate(smtp, address, app.token())
    smtp.docmd("MAIL", f"FROM:<{address}>")
    smtp.docmd("RCPT", "TO:<someone@example.org>")
    code, text = smtp.data(f"From: {address}\nMessage-ID: {said}\n\ntext".encode())
    assert code == 250
    found = re.fullmatch(r"2\.0\.0 OK (<[!-~]+@[!-~]+>) \[Hostname=\S+\]", text.decode("ascii"))
    assert found
    assert told is None or found[1] == told
    assert smtp.noop() == (250, b"2.0.0 OK")


def test_the_outbox_shows_headers_that_are_none(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    authenticate(smtp, address, app.token())
    odd = [
        *(("To", "a@[\t"), ("To", "a@[ "), ("Cc", "é@[\t"), ("Resent-From", "b@["), ("To", ".:")),
        *(("Bcc", "(" * 5000), ("Reply-To", "a@"), ("Message-ID", "<>")),
        *(("Content-Type", ";é*0*"), ("Content-Disposition", ";é*0*")),
    ]
    for name, value in odd:
        smtp.docmd("MAIL", f"FROM:<{address}>")
        smtp.docmd("RCPT", "TO:<someone@example.org>")
        content = f"From: {address}\r\n{name}: {value}\r\nSubject: x\r\n\r\ntext\r\n"
        assert smtp.data(content.encode())[0] == 250
    mails = tenant.outbox()
    assert [mail["headers"][1][0] for mail in mails] == [name for name, _ in odd]
    assert [mail["headers"][1][1].strip() for mail in mails] == [said.strip() for _, said in odd]
    assert [(mail["from"], mail["subject"]) for mail in mails] == [(address, "x")] * len(odd)
    assert [mail["text"].strip() for mail in mails] == ["text"] * len(odd)


def test_a_reset_empties_the_outbox_and_undoes_the_switches(
    tenant: Tenant, smtp: smtplib.SMTP, app: MailApp, address: str
) -> None:
    authenticate(smtp, address, app.token())
    send(smtp, address)
    tenant.smtp(starttls=False, smtp_auth_disabled=True)
    tenant.reset()
    assert tenant.outbox() == []
    shown = tenant.admin("GET", "/smtp").json()
    assert shown["server"]["starttls"]
    assert not shown["tenants"][tenant.tenant_id]["smtp_auth_disabled"]
    assert shown["dialogues"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_auth_disabled": "yes"},
        {"accepted_scopes": ["IMAP"]},
        {"mailboxes": [{"full": True}]},
        {"mailboxes": [{"address": "a@b", "smtp_auth_disabled": 3}]},
        {"mailboxes": [{"address": "a@b", "smtp_auth_disabled": 1}]},
        {"scripts": [{"at": "auth"}]},
        {"scripts": [{"at": "auth", "reply": "busy"}]},
        {"scripts": [{"at": "auth", "reply": "451 busy", "do": "drop"}]},
        {"scripts": [{"at": "never", "do": "drop"}]},
        {"certificate": "pretty"},
        {"tenant": "nowhere"},
        {"colour": "red"},
    ],
)
def test_switches_that_are_none_are_refused(tenant: Tenant, wrong: dict[str, Any]) -> None:
    before = tenant.admin("GET", "/smtp").json()
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        tenant.smtp(security_defaults=True, **wrong)
    assert tenant.admin("GET", "/smtp").json() == before


def test_the_other_tenants_mailboxes_are_their_own(tenant: Tenant, smtp: smtplib.SMTP) -> None:
    """Switches of one organization leave the others' mailboxes alone."""
    tenant.smtp(tenant="fabrikam.example", smtp_auth_disabled=True)
    shown = tenant.admin("GET", "/smtp").json()["tenants"]
    assert [one["smtp_auth_disabled"] for one in shown.values()] == [False, True]
    assert smtp.noop() == (250, b"2.0.0 OK")


def test_exchange_is_found_by_its_id(graph: httpx.Client) -> None:
    names = principal_of(graph, EXCHANGE_APP_ID)["servicePrincipalNames"]
    assert "https://outlook.office365.com" in names
