"""Every refusal that is documented has its cause and its fix; what is not is quoted."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proself_mail.diagnosis import diagnosis_view, explain, sign_in_errors, smtp_replies
from proself_mail.diagnosis.diagnosis import UNKNOWN, diagnose, explained
from proself_mail.diagnosis.refusal import Entry, Names, Sent
from proself_mail.diagnosis.sign_in_address import Expected
from proself_mail.errors import ConfigurationError
from proself_mail.text import report
from proself_mail.text.quotation import LONGEST, one_line, quoted
from tests.growth import assert_linear

ROOT = Path(__file__).resolve().parents[2]
PROSELF_MAIL = str(Path(sys.executable).parent / "proself-mail")

REPLIES = {
    "535 5.7.3 Authentication unsuccessful [AM6P193CA0001.EURP193.PROD.OUTLOOK.COM]": (
        "authentication-unsuccessful"
    ),
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. "
    "Visit https://aka.ms/smtp_auth_disabled for more information. [host timestamp id]": (
        "smtp-auth-disabled-for-tenant"
    ),
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
    "Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information. [host]": (
        "smtp-auth-disabled-for-mailbox"
    ),
    "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security "
    "defaults policy. Contact your administrator. [host]": "security-defaults",
    "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be "
    "authenticated successfully. Contact your administrator. [host]": "conditional-access",
    "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [host]": (
        "password-instead-of-token"
    ),
    "530 5.7.57 Client not authenticated to send mail. [host]": "not-authenticated",
    "550 5.7.60 SMTP; Client does not have permissions to send as this sender": (
        "sender-is-not-user"
    ),
    "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example; "
    "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed": (
        "send-as-denied"
    ),
    "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied;": (
        "send-as-denied"
    ),
    "432 4.3.2 Concurrent connections limit exceeded. [host]": "too-many-connections",
    "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded": "too-many-threads",
    "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException": "recipient-limit",
    "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException": "mailbox-full",
    "550 5.1.8 Bad outbound sender": "bad-outbound-sender",
    "451 4.7.500 Server busy. Please try again later": "server-busy",
    "451 4.7.650 Something of the same family": "server-busy",
    "550 5.7.30 Basic authentication is not supported for Client Submission.": (
        "basic-authentication-removed"
    ),
    "550 5.1.20 Multiple From addresses are not allowed without Sender address": "several-senders",
    "504 5.7.4 Unrecognized authentication type [YQXPR0101CA0010.CANPRD01.PROD.OUTLOOK.COM]": (
        "oauth-not-offered"
    ),
    "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [host]": (
        "password-instead-of-token"
    ),
    "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM": (
        "not-authenticated"
    ),
    "452 4.5.3 Too many recipients": "too-many-recipients",
    "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.": (
        "xoauth2-malformed"
    ),
    "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support "
    "TLS 1.2. Visit https://aka.ms/smtp_auth_tls": "tls-too-old",
}
"""Every reply of Exchange Online to a client that Microsoft documents or others have seen."""

MAILBOX, SEND_AS = list(REPLIES)[2], list(REPLIES)[8]
DISABLED, DENIED = "smtp-auth-disabled-for-mailbox", "send-as-denied"
TRACE = f"""\
2026-11-27 14:48:09,377 ERROR [http-nio-8080-exec-7] j.c.n.proself.mail.MailSender - 失敗しました。
jakarta.mail.AuthenticationFailedException: {MAILBOX}

\tat org.eclipse.angus.mail.smtp.SMTPTransport.run(SMTPTransport.java:550) ~[spring-5.7.3.jar:5.7.3]
Caused by: jakarta.mail.MessagingException: 535 5.7.3 Authentication unsuccessful
"""
TLS = (
    "jakarta.mail.MessagingException: Could not convert socket to TLS;\n  nested exception is:\n"
    "\tjavax.net.ssl.SSLHandshakeException: {}"
)


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


PASTED: list[tuple[str, list[str]]] = [
    # Versions and addresses are no replies.
    ("Proself Ver.5.7.3 java.net.UnknownHostException: smtp.office365.com", ["connection-refused"]),
    ("Connection refused: 10.5.7.3:587", ["connection-refused"]),
    ("451 4.7.500 Server busy\n\tat a.b(C.java:550) ~[spring-context-support-5.1.8.RELEASE.jar:"
     "5.1.8.RELEASE]", ["server-busy"]),
    ("mysql 5.7.30-log", [UNKNOWN]),
    ("10.5.7.3:550 5.7.3.20 Ver.5.1.20", [UNKNOWN]),
    ("Proself\n5.7.3 sends", [UNKNOWN]),
    ("250 5.7.3 of another class", [UNKNOWN]),
    # The forms in which a status code is shown.
    ("5.7.57 Client", ["not-authenticated"]),
    ("550-5.1.8 Access denied\n550 5.1.8 to you", ["bad-outbound-sender"]),
    ("MailKit: 535: 5.7.3 Authentication unsuccessful", ["authentication-unsuccessful"]),
    ("#< #5.1.8 smtp;550 denied>", ["bad-outbound-sender"]),
    ("host said: 550 #5.1.8 denied", ["bad-outbound-sender"]),
    ("Final-Recipient: rfc822; a@x\nStatus: 5.1.8", ["bad-outbound-sender"]),
    ("The server response was: 5.7.57 Client. Error: 535 5.7.3 x", ["not-authenticated"]),
    ("550 5.7.3\n0 Something", ["basic-authentication-removed"]),
    # Several: the last first, each once, and causes of one another are one.
    (TRACE, [DISABLED]),
    (f"{TRACE}2026-11-27 15:00:00 ERROR {SEND_AS}\n", [DENIED, DISABLED]),
    (f"10:00 {SEND_AS}\n11:00 {MAILBOX}\n12:00 {SEND_AS}", [DENIED, DISABLED]),
    (f"first: {SEND_AS}\nthen: {MAILBOX}", [DISABLED, DENIED]),
    ("AADSTS50076: x\nAADSTS7000222: y", ["secret-expired", "multi-factor-needed"]),
    (f"10:00 {MAILBOX}\n11:00 550 5.9.99 Never seen", [UNKNOWN, DISABLED]),
    ("AADSTS50173: x\n535 5.7.3 Authentication unsuccessful", ["refresh-token-ended"]),
    ("AADSTS9999999: x\n535 5.7.3 y", ["authentication-unsuccessful"]),
    (f"AADSTS7000222: x\n\n{MAILBOX}", [DISABLED, "secret-expired"]),
    (f"{MAILBOX}\n \n\nAADSTS7000222: x", ["secret-expired", DISABLED]),
    ("AADSTS50173: x\n\n\tat a.b(C.java:1)\nE: 535 5.7.3 y", ["refresh-token-ended"]),
    # A number that stands around another.
    ("AADSTS70002: Error validating credentials. AADSTS70008: The refresh token has expired",
     ["refresh-token-ended"]),
    ("AADSTS70002: Error validating credentials. AADSTS50126: Invalid username or password",
     ["wrong-password"]),
    ("AADSTS70002: Error validating credentials. AADSTS54005: OAuth2 Authorization code was",
     ["code-used-twice"]),
    ("AADSTS70002: Error validating credentials. AADSTS50012: Invalid client secret is provided.",
     ["secret-not-taken"]),
    ("AADSTS70002: The provided request must include a 'client_secret' input parameter.\n"
     "535 5.7.3 Authentication unsuccessful", ["secret-not-taken"]),
    ("AADSTS70000: The provided value for the input parameter 'refresh_token' or 'assertion' is "
     "not valid.", ["refresh-token-ended"]),
    # As mails and pages show them.
    ("> 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is\n"
     "> disabled for the Mailbox. Visit", [DISABLED]),
    (">> (535, b'5.7.3\n>> Authentication", ["authentication-unsuccessful"]),
    (MAILBOX.replace(" is ", "&nbsp;is<br/>").replace("the ", "<b>the</b>&#160;"), [DISABLED]),
    (MAILBOX.replace(" ", "\u00a0").replace("Smtp", "Smtp\u200b"), [DISABLED]),
    (wide(MAILBOX), [DISABLED]),
    (wide("535 5.7.3"), ["authentication-unsuccessful"]),
    (wide("AADSTS") + "７０００２２２：", ["secret-expired"]),
    ("AADSTS: 50011", ["redirect-uri-mismatch"]),
    ("AADSTS 50011", ["redirect-uri-mismatch"]),
    ("AADSTS70002\n22: The provided", ["secret-expired"]),
    ("> AADSTS700=\n> 0222: The provided", ["secret-expired"]),
    ("AADSTS50011\n2:00 later", ["redirect-uri-mismatch"]),
    ('{"error":"invalid_client","error_codes":[7000222]}', ["secret-expired"]),
    # What a delivery report says of others.
    ("450 4.4.316 Connection refused [Message=Socket error code 10061] "
     "[LastAttemptedServerName=mail.partner.example] [LastAttemptedIP=203.0.113.5:25]",
     ["recipient-server-unreachable"]),
    ("Reason: [{LED=450 4.4.317 Cannot connect to remote server [Message=SocketError: Connection "
     "timed out]};{MSG=};{FQDN=mx.partner.example}]", ["recipient-server-unreachable"]),
    ("Remote Server returned '554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:"
     "QuotaExceededException.MapiExceptionShutoffQuotaExceeded'", ["recipient-mailbox-full"]),
    ("554 5.2.0 STOREDRV.Deliver.Exception:QuotaExceededException", ["recipient-mailbox-full"]),
    ("552 5.2.2 <info@partner.example> Mailbox full", ["recipient-mailbox-full"]),
    ("452-4.2.2 The email account that you tried to reach is over quota",
     ["recipient-mailbox-full"]),
    ("SMTPAddressFailedException: 550 5.1.8 <proself@contoso.example>: Sender address rejected: "
     "Domain not found", ["sender-domain-not-found"]),
    ("550 5.1.8 sorry, can't find a valid MX for sender domain", ["sender-domain-not-found"]),
    # What clients say of a connection.
    ("MailConnectException: Couldn't connect to host, port: smtp.x.example, 25; timeout -1;\n"
     "  nested exception is:\n\tjava.net.ConnectException: Connection refused",
     ["connection-refused"]),
    ("MailConnectException: Couldn't connect to host, port: smtp.x.example, 25; timeout 1000;\n"
     "  nested exception is:\n\tjava.net.SocketTimeoutException: Connect timed out",
     ["connection-silent"]),
    ("MessagingException: Unknown SMTP host: smtp.office365.co", ["connection-refused"]),
    ("Exception reading response;\n  nested exception is:\n\tjava.net.SocketTimeoutException: Read "
     "timed out", ["connection-silent"]),
    ("jakarta.mail.MessagingException: [EOF]", ["connection-dropped"]),
    (TLS.format("PKIX path building failed: x"), ["certificate-wrong"]),
    (TLS.format("Remote host terminated the handshake"), ["connection-dropped"]),
    (TLS.format("No appropriate protocol (protocol is disabled)"), ["tls-too-old"]),
    (TLS.format("Received fatal alert: handshake_failure"), ["tls-too-old"]),
    (TLS.format("Received fatal alert: protocol_version"), ["tls-too-old"]),
    (TLS.format("no cipher suites in common"), ["tls-too-old"]),
    ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] ssl/tls alert handshake failure", ["tls-too-old"]),
    (TLS.format("java.security.cert.CertificateException: x"), ["certificate-wrong"]),
    ("Connect to login.microsoftonline.com:443 [login.microsoftonline.com/192.0.2.1] failed: "
     "Connection timed out (Connection timed out)", ["connection-silent"]),
    ("STARTTLS is required but host does not support STARTTLS", ["starttls-not-offered"]),
    ("localhost:25 does not offer STARTTLS", ["starttls-not-offered"]),
    ("No authentication mechanisms supported by both server and client", ["xoauth2-missing"]),
    ("SMTPサーバーと通信できません: [Errno 111] Connection refused", ["connection-refused"]),
    # What the page of a refused sign-in has for its administrator.
    ("Request Id: 0-a\nError Code: 53003\nTimestamp: 2026-11-27T00:00:00Z",
     ["conditional-access-at-sign-in"]),
    ("要求 ID: 0-a\nエラー コード: 53003", ["conditional-access-at-sign-in"]),
    ("Error Code: 12345", [UNKNOWN]),
    ("SMTP error code: 535 5.7.3 x", ["authentication-unsuccessful"]),
    # OAuth's words, where there is no number.
    ("error=access_denied&error_subcode=cancel", ["sign-in-cancelled"]),
    ("consent_required", ["consent-missing"]),
    ("server_error", ["passing-fault"]),
    ("error: temporarily_unavailable", ["passing-fault"]),
    ('{"error": "invalid_client"}', ["client-refused"]),
    ("invalid_grant: AADSTS50999999: never seen", [UNKNOWN]),
    ("the access_denied page", [UNKNOWN]),
]  # fmt: skip

RECORDS = [
    "26-11月-2026 23:59:59.123 警告 [main] a.B.c",
    "11月 27, 2026 8:05:00 午前 a.B c\n重大:",
    "11月 27 09:05:00 sv a:",
    "11月27日 9:05 a",
    "26/11/27 10:15:32",
    "11/27/2026 10:15:32",
    "2026年11月27日 10時15分",
    "ERROR 2026-11-27 10:15:32",
    "警告: 2026/11/27 10:15:32",
    "[ERROR] 2026-11-27 10:15:32",
    "[main] 2026-11-27 10:15:32",
    "[main] ERROR 2026-11-27 10:15:32",
    "[2026-11-27 10:15:32]",
    "2026-11-27T10:15:32.123+09:00",
    "27-Nov-2026 10:15:32.123",
    "Nov 27, 2026 8:05:00 AM a.B c\nSEVERE:",
]
"""How records of logs begin."""

NAMES = Names("proself@contoso.example", "contoso.prod", "client-1", "tenant-1")
NAMED = replace(NAMES, consent_url=Names().consent_url.replace("-ID", "-0" * 18))
EXCHANGE = "https://outlook.office.com"
EXPECTED = Expected(
    names=Names(
        "proself@contoso.example",
        "contoso.prod",
        "00000000-0000-4000-8000-00000000000c",
        "00000000-0000-4000-8000-00000000000a",
        "https://proself.example.jp/proself/oauth2callback/smtp",
    ),
    authority="https://login.microsoftonline.com",
    single_tenant=True,
    tenants=frozenset({"00000000-0000-4000-8000-00000000000a"}),
)


def sent(**changes: object) -> Sent:
    fields: dict[str, object] = {
        "user": "proself@contoso.example",
        "sender": "proself@contoso.example",
        "signed_in": "Proself@Contoso.example",
        "audience": EXCHANGE,
        "scopes": frozenset({"Mail.Send", "SMTP.Send"}),
    }
    return Sent(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("reply", "key"), REPLIES.items())
def test_every_documented_reply_is_diagnosed(reply: str, key: str) -> None:
    folded = reply.replace(". ", ".\r\n535 5.7.139 ", 1) if "5.7.139" in reply else reply
    for text in (reply, reply.lower(), f"(535, b'{reply}')", f"  {folded}\n"):
        assert diagnose(text).key == key


@pytest.mark.parametrize(("text", "keys"), PASTED)
def test_what_is_pasted_is_told_apart(text: str, keys: list[str]) -> None:
    found = explain.explain(text)
    assert [each.key for each in found.diagnoses] == keys
    assert found.exit_code == (4 if keys[0] == UNKNOWN else 0)


@pytest.mark.parametrize("begins", RECORDS)
def test_of_a_log_the_last_record_comes_first(begins: str) -> None:
    text = f"{begins} AADSTS7000222: The provided\n{begins} {MAILBOX}\n"
    found = [each.key for each in explain.explain(text).diagnoses]
    assert found == [DISABLED, "secret-expired"]


def test_of_a_log_the_place_is_quoted_and_its_credentials_are_covered() -> None:
    noise = "2026-11-27 14:00:00 INFO x - all is well\n" * 1000
    secret = '2026-11-27 14:00:01 ERROR "password": "hunter22" '
    found = explain.explain(f"{noise}{secret}{SEND_AS}\n{TRACE}{noise}").diagnoses
    assert [each.key for each in found] == [DISABLED, DENIED]
    for each, reply in zip(found, (MAILBOX, SEND_AS), strict=True):
        assert reply[:80] in each.said
        assert "all is well" not in each.said
        assert "hunter22" not in each.said
    assert "SMTPTransport" not in found[0].said
    cut = explain.explain(f"{'x ' * 2000}code={'y' * 300} {SEND_AS}").diagnoses[0].said
    assert "yyy" not in cut


LOGIN = "login.microsoftonline.com 443"
POST = "POST https://login.microsoftonline.com/a/oauth2/v2.0/token"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("host, port: mail.x.example, 25; Connection refused", "mail.x.example 25"),
        ("UnknownHostException: smtp.office365.co", "smtp.office365.co 587"),
        ("UnknownHostException: login.microsoftonline.com", LOGIN),
        ("relay.x.example:25: Connection refused", "relay.x.example 25"),
        (f"{POST} java.net.SocketTimeoutException: Read timed out", LOGIN),
        (f"10:00 {POST}\njavax.net.ssl.SSLHandshakeException: PKIX path building failed", LOGIN),
        ("Connect to login.microsoftonline.com:443 [x] failed: Connection refused", LOGIN),
        ("http://proxy.x.example:8080/ Connection refused", "proxy.x.example 8080"),
        ("http://user:pass@proxy.x.example/ Connection refused", "proxy.x.example 80"),
        ("ERROR メールサーバーrelay.contoso.co.jp:25に接続できません。\n"
         "java.net.ConnectException: Connection refused", "relay.contoso.co.jp 25"),
        (f"10:00 a.example:25 x\n10:01 b.example:25 {SEND_AS}\nthen c.example:25\n"
         "Connection refused\n10:02 d.example:25", "c.example 25"),
        # Of another record or another refusal, or no server's name.
        (f"10:00 {POST}\n10:01 Connection refused", ""),
        (f"b.example:25 {SEND_AS}\nConnection refused", ""),
        ("Connection refused (SMTPTransport.java:965)", ""),
        ("UnknownHostException: -x;rm", ""),
    ],
)  # fmt: skip
def test_the_server_that_a_text_names_is_told_and_no_other(
    text: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    found = diagnose(text)
    for cause in (found.cause.ja, found.cause.en):
        told = re.findall(r" \(([\w.]+:\d+)\)", cause)
        assert told == ([server.replace(" ", ":")] if server else [])
    if found.key != "certificate-wrong":
        tried = [server] if server else ["smtp.office365.com 587", LOGIN]
        assert [*found.commands] == [f"nc -vz {each}" for each in tried]
    asked = diagnose(text, replace(NAMES, server=("asked.example", 2525)))
    assert "(asked.example:2525)" in asked.cause.en


@pytest.mark.parametrize("entry", [*smtp_replies.REPLIES, *sign_in_errors.ERRORS])
def test_every_row_is_found_by_its_example_and_is_whole(entry: Entry) -> None:
    found = diagnose(entry.example, NAMES)
    assert found.key == entry.key
    for text in (found.cause.ja, found.cause.en, found.fix.ja, found.fix.en, *found.commands):
        assert text.strip()
        assert not re.search(r"[{}]", text)
    assert re.search(r"[ぁ-ん]", found.cause.ja + found.fix.ja)
    assert found.cause.en.isascii() or re.match(r"[A-Za-z{“]", entry.cause.en)
    assert re.match(r"[A-Za-z{“]", entry.fix.en)


@pytest.mark.parametrize("entry", [
    *smtp_replies.REPLIES, *smtp_replies.NARROWED.values(), *smtp_replies.CONNECTION.values(),
    *sign_in_errors.ERRORS, None,
])  # fmt: skip
def test_an_address_is_whole_and_nothing_is_glued_to_it(entry: Entry | None) -> None:
    found = explained(entry, entry.example if entry else "unheard of", NAMED)
    for text in (found.cause.ja, found.cause.en, found.fix.ja, found.fix.en):
        lines = report.folded(text, 73)
        for before, address in re.findall(r"(\S?)(https://\S*)", text):
            assert before in ("", "、", "。"), text
            assert re.fullmatch(r"https://([\w./?=&-]*[\w/])?", address, re.ASCII), address
            assert address in lines
        assert not re.search("[ぁ-ん一-龥] [ぁ-ん一-龥「]", text), "Japanese has no spaces"


@pytest.mark.parametrize("number", [7000215, 7000218, 7000222])
def test_no_secret_is_led_into_a_file(number: int) -> None:
    """The README has the file with the secret deleted; the sheet keeps it nowhere."""
    commands = diagnose(f"AADSTS{number}", NAMES).commands
    assert commands[-1] == "proself-mail sheet --stack contoso.prod"
    made = ("proself-mail rotate --stack contoso.prod",)
    assert commands[:-1] == (made if number == 7000222 else ())


def test_keys_and_numbers_are_unique() -> None:
    entries = [
        *smtp_replies.REPLIES, *smtp_replies.NARROWED.values(),
        *smtp_replies.CONNECTION.values(), *sign_in_errors.ERRORS,
    ]  # fmt: skip
    assert len({entry.key for entry in entries}) == len(entries)
    numbers = [number for row in sign_in_errors.ROWS for number in row["numbers"]]
    assert len(set(numbers)) == len(numbers)


def test_the_commands_are_exact() -> None:
    found = diagnose("535 5.7.139 x, SmtpClientAuthentication is disabled for the Mailbox.", NAMES)
    assert found.commands[1] == (
        "Set-CASMailbox -Identity proself@contoso.example -SmtpClientAuthenticationDisabled $false"
    )


def test_a_name_with_special_characters_is_quoted_for_its_shell() -> None:
    names = Names(mailbox="o'neil$x@contoso.example", stack="a b")
    found = diagnose("SmtpClientAuthentication is disabled for the Mailbox", names)
    assert "-Identity 'o''neil$x@contoso.example' -Smtp" in found.commands[1]
    assert diagnose("AADSTS65001", names).commands == ("pulumi up --refresh --stack 'a b'",)


@pytest.mark.parametrize(
    ("what", "key"),
    [
        (sent(audience="https://graph.microsoft.com"), "token-for-another-resource"),
        (sent(signed_in="other@contoso.example"), "signed-in-as-another-user"),
        (sent(scopes=frozenset({"Mail.Send"})), "mail-send-alone"),
        (sent(scopes=frozenset({"IMAP.AccessAsUser.All"})), "permission-missing-in-token"),
        (sent(), "no-mailbox"),
        (None, "authentication-unsuccessful"),
    ],
)
def test_the_reply_without_a_cause_is_narrowed_by_what_was_sent(
    what: Sent | None, key: str
) -> None:
    assert diagnose("535 5.7.3 Authentication unsuccessful", NAMES, what).key == key


def test_a_message_of_a_client_is_read_by_its_number() -> None:
    message = (
        "invalid_grant: AADSTS50173: The provided grant has expired due to it being revoked.\r\n"
        "Trace ID: 00000000-0000-0000-0000-000000000000"
    )
    assert diagnose(message).key == "refresh-token-ended"
    message = (
        "AADSTS500112: The reply address 'https://proself/' does not match the reply address "
        "'https://proself.example.jp/' provided when requesting Authorization code."
    )
    assert diagnose(message).key == "redirect-uri-mismatch"
    # A longer number that begins with a known one is another error.
    assert diagnose("AADSTS501739").key == UNKNOWN


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_garbage_is_never_an_error(text: str) -> None:
    found = diagnose(text, NAMES, sent())
    assert one_line(found.said) == found.said
    assert len(found.said) <= LONGEST + 2
    for line in report.folded(found.said, 40).splitlines():
        assert line
    try:
        explained = explain.explain(text, EXPECTED)
    except ConfigurationError:
        assert not text.strip()
    else:
        assert explained.exit_code in (0, 1, 4)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("a:", 25_000), ("x@", 25_000), ("550 5.1.8 x\n", 4_000), ("a.a/", 12_500),
        ("http://a.", 12_500), ("[a] ", 12_500), ("http://a.b\nConnection refused\n", 2_000),
    ],
)  # fmt: skip
def test_a_long_text_is_read_once(text: str, times: int) -> None:
    assert_linear(explain.explain, "at [" + text * times, "at [" + text * 4 * times)


@given(st.text())
def test_a_garbled_address_is_never_an_error(tail: str) -> None:
    for head in ("https://", "https://login.microsoftonline.com/x?client_id=", "http://["):
        try:
            explain.explain(head + tail, EXPECTED)
        except Exception as error:
            raise AssertionError(repr(head + tail)) from error


TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL291dGxvb2sifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"refused: {TOKEN}",
        f"AUTH XOAUTH2 user=a\x01auth=Bearer {TOKEN}\x01\x01",
        "auth=Bearer EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA",
        "http://localhost:1/?code=0.AXEA-c0de-0f-a-sign-in&state=x",
        '{"refresh_token": "0.ARoA-refresh", "code_verifier":"verify-me"}',
        '{"code" : "0.AXEA-c0de-0f-a-sign-in"}',
        r"{\"code\":\"0.AXEA-c0de-0f-a-sign-in\"}",
        "{'code': '0.AXEA-c0de-0f-a-sign-in', 'client_secret': 'Zx8Q'}",
        "code%3D0.AXEA-c0de-0f-a-sign-in",
        f"code: 0.AXEA-c0de-0f-a-sign-in{'x' * 60}",
        "client_secret=Zx8Q~secret.of_the-app",
        "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRg==",
    ],
)
def test_credentials_are_covered_in_a_quotation(text: str) -> None:
    shown = quoted(text)
    for secret in (
        TOKEN, "EwBAAl3BAAUF", "c0de-0f", "ARoA-refresh", "verify-me", "Zx8Q", "dXNlcj10ZXN0"
    ):  # fmt: skip
        assert secret not in shown
    assert "•" in shown


@pytest.mark.parametrize(
    "text",
    [
        "Diagnostic-Code: smtp;550 5.1.8 denied",
        "SMTP error code: 535 5.7.3",
        "Error Code: 53003",
        '{"code": 550, "message": "denied"}',
        "code=535",
        "Code: Authorization_RequestDenied",
    ],
)
def test_a_number_that_matters_is_no_credential(text: str) -> None:
    assert quoted(text) == text


def test_a_quotation_does_not_drive_the_terminal() -> None:
    assert quoted("a\x1b[2J\x07b\r\nc") == "a [2J b c"


ADDRESS = (
    "https://login.microsoftonline.com/00000000-0000-4000-8000-00000000000a/oauth2/v2.0/authorize"
    "?client_id=00000000-0000-4000-8000-00000000000c&response_type=code"
    "&redirect_uri=https%3A%2F%2Fproself.example.jp%2Fproself%2Foauth2callback%2Fsmtp"
    "&scope=https%3A%2F%2Foutlook.office.com%2FMail.Send%20offline_access"
)


def test_an_address_that_is_as_it_should_be() -> None:
    found = explain.explain(ADDRESS, EXPECTED)
    assert not found.diagnoses
    assert found.exit_code == 0
    assert found.asked["scope"] == "https://outlook.office.com/Mail.Send offline_access"


UP = "proself-mail up --stack contoso.prod"


def adds(*permissions: str) -> list[str]:
    """The lines that write permissions down, a blank for one that is left as it is."""
    return [
        f"pulumi config set --path 'permissions[{at}]' {each} --plaintext --stack contoso.prod"
        for at, each in enumerate(permissions)
        if each
    ]


@pytest.mark.parametrize(
    ("permissions", "lines"),
    [
        # A list that begins at its second place would lack the first, where it stands in no file.
        (("Mail.Send",), adds("Mail.Send", "SMTP.Send")),
        (("IMAP.AccessAsUser.All", "Mail.Send"), adds("", "", "SMTP.Send")),
        (("SMTP.Send", "Mail.Send"), []),
    ],
)
def test_the_lines_that_add_a_permission_fit_the_stack(
    permissions: tuple[str, ...], lines: list[str]
) -> None:
    names = replace(NAMES, permissions=permissions)
    for scopes, key in (
        ({"Mail.Send"}, "mail-send-alone"), (set(), "permission-missing-in-token")
    ):  # fmt: skip
        found = diagnose("535 5.7.3", names, sent(scopes=frozenset(scopes)))
        assert (found.key, [*found.commands]) == (key, [*lines, UP])
    if lines:
        address = ADDRESS.replace("%2FMail.Send", "%2Fsmtp.send")
        asked = explain.explain(address, replace(EXPECTED, names=replace(
            EXPECTED.names, permissions=permissions)))  # fmt: skip
        assert [*asked.diagnoses[0].commands] == [*lines, UP]


def test_where_an_administrator_consents_no_line_that_does_nothing_is_printed() -> None:
    names = replace(NAMED, manages_grant=False)
    consent = diagnose("AADSTS65001", names)
    assert consent.commands == ()
    # Where the stack gives it, a grant that somebody took away comes back by a refresh alone.
    granted = diagnose("AADSTS65001", NAMED)
    assert granted.commands == ("pulumi up --refresh --stack contoso.prod",)
    expected = replace(EXPECTED, names=replace(
        EXPECTED.names, consent_url=names.consent_url, manages_grant=False))  # fmt: skip
    [asked] = explain.explain(ADDRESS.replace("%2FMail.", "%2FSMTP."), expected).diagnoses
    alone = diagnose("535 5.7.3", names, sent(scopes=frozenset({"Mail.Send"})))
    missing = diagnose("535 5.7.3", names, sent(scopes=frozenset()))
    for found in (consent, asked, alone, missing):
        for text in (found.fix.ja, found.fix.en):
            assert f" {names.consent_url} " in text
            assert "consent: granted" not in text
    for found in (asked, alone, missing):
        assert found.commands[-1] == UP


def test_a_sign_in_that_is_not_encrypted_is_the_first_that_is_thought_of() -> None:
    found = diagnose("504 5.7.4 Unrecognized authentication type", NAMES)
    for text in (found.fix.ja, found.fix.en):
        assert 0 < text.index("STARTTLSを使用する") < text.index("OUTLOOK.COM")


def test_no_command_has_a_made_up_value() -> None:
    for entry in [*smtp_replies.REPLIES, *smtp_replies.NARROWED.values(), *sign_in_errors.ERRORS]:
        for command in explained(entry, entry.example).commands:
            assert "example" not in command


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("/00000000-0000-4000-8000-00000000000a/", "/common/", ["tenant-blank-for-single-tenant"]),
        ("00000000000a/", "00000000000b/", ["tenant-unknown"]),
        ("00000000000c", "00000000000d", ["application-unknown"]),
        ("https%3A%2F%2Fproself.example.jp", "http%3A%2F%2Fproself", ["redirect-uri-mismatch"]),
        ("%2Fsmtp", "%2FSMTP", ["redirect-uri-mismatch"]),
        ("%2FMail.Send", "%2FSMTP.Send", ["permission-not-in-stack"]),
        ("%2FMail.Send", "%2FNope", ["permission-not-for-sending"]),
        (
            "&scope=https%3A%2F%2Foutlook.office.com%2FMail.Send%20offline_access",
            "",
            ["scope-missing"],
        ),
        ("https%3A%2F%2Foutlook.office.com%2FMail.Send", "openid", ["scope-without-exchange"]),
        ("v2.0/authorize", "authorize", []),
        ("%2FMail.Send", "%2F.default", []),
        ("outlook.office.com", "graph.microsoft.com", ["scope-of-another-resource"]),
        ("https%3A%2F%2Foutlook.office.com%2F", "", ["scope-of-another-resource"]),
        ("%20offline_access", "", ["no-offline-access"]),
        ("login.microsoftonline.com", "login.example.com", ["address-of-another-host"]),
        ("&scope", "&login_hint=x%40contoso.example&scope", ["another-user-hinted"]),
        ("client_id=", "id=", [UNKNOWN]),
    ],
)
def test_an_address_is_compared_with_the_stack(old: str, new: str, keys: list[str]) -> None:
    assert old in ADDRESS
    found = explain.explain(ADDRESS.replace(old, new), EXPECTED)
    assert [each.key for each in found.diagnoses] == keys
    assert found.exit_code == (4 if keys == [UNKNOWN] else 1 if keys else 0)


def wrapped(text: str, width: int, mark: str = "") -> str:
    lines = (text[at : at + width] for at in range(0, len(text), width))
    return "\n".join(f"{mark}{line}" for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        *(wrapped(ADDRESS, width) for width in (60, 72, 76, 78)),
        *(f"I see\n{wrapped(ADDRESS, width, '> ')}\n\nThanks" for width in (60, 70, 76)),
        f"URL: {ADDRESS}\nThanks",
        f"URL:{ADDRESS}",
        f"サインイン画面のアドレスは<{ADDRESS}>です。",
        ADDRESS.removeprefix("https://"),
        ADDRESS.replace("&", "&amp;"),
        ADDRESS.replace(".com/", ".com:443/"),
    ],
)
def test_an_address_is_found_however_it_is_pasted(text: str) -> None:
    found = explain.explain(text, EXPECTED)
    assert found.asked["scope"] == "https://outlook.office.com/Mail.Send offline_access"
    assert not found.diagnoses
    assert [
        each.key for each in explain.explain(f"10:00 to {ADDRESS}\n10:01 {MAILBOX}").diagnoses
    ] == [DISABLED]


@pytest.mark.parametrize("host", ["e.example", "x@e.example", "login.microsoftonline.com:8443"])
def test_a_foreign_host_stays_one(host: str) -> None:
    forged = ADDRESS.replace("login.microsoftonline.com", host)
    assert [d.key for d in explain.explain(forged, EXPECTED).diagnoses] == [
        "address-of-another-host"
    ]


@pytest.mark.parametrize(
    ("query", "key", "code"),
    [
        ("admin_consent=True&tenant=00000000-0000-4000-8000-00000000000a&state=x",
         "consent-was-given", 0),
        ("admin_consent=True&tenant=00000000-0000-4000-8000-00000000000f",
         "consent-of-another-tenant", 1),
        ("code=0.c0de&state=x&session_state=y#", "answer-of-a-sign-in", 1),
        ("error=access_denied&error_subcode=cancel&state=x", "sign-in-cancelled", 1),
        ("error=server_error&state=x", "passing-fault", 1),
        ("error=never_heard_of&state=x", UNKNOWN, 4),
    ],
)  # fmt: skip
def test_what_comes_back_from_a_sign_in(query: str, key: str, code: int) -> None:
    answer = f"proself.example.jp/proself/oauth2callback/smtp?{query}"
    for text in (f"https://{answer}", answer, f"came back: <https://{answer}>"):
        found = explain.explain(text, EXPECTED)
        assert ([each.key for each in found.diagnoses], found.exit_code) == ([key], code)
        assert "c0de" not in found.diagnoses[0].said


def test_the_answer_of_a_sign_in_is_read_without_its_code() -> None:
    error = (
        "https://proself.example.jp/proself/oauth2callback/smtp?error=access_denied"
        "&error_description=AADSTS65004%3a+User+declined+to+consent&state=x"
    )
    assert [d.key for d in explain.explain(error, EXPECTED).diagnoses] == ["sign-in-cancelled"]
    answer = "https://proself.example.jp/proself/oauth2callback/smtp?code=0.c0de-of-it&state=x"
    [found] = explain.explain(answer, EXPECTED).diagnoses
    assert found.key == "answer-of-a-sign-in"
    assert "c0de" not in found.said


def run(
    *arguments: str, stdin: str = "", language: str = "C.UTF-8"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROSELF_MAIL, "explain", *arguments], input=stdin, capture_output=True, encoding="utf-8",
        env=os.environ | {"COLUMNS": "80", "LANG": language},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (["AADSTS50194: Application"], "", 0, "テナントID"),
        ([], "535 5.7.3 Authentication unsuccessful\n", 0, "verify --mail"),
        (["250 2.0.0", "all", "is", "well"], "", 4, "No table knows"),
        ([], "", 2, "nothing to explain"),
        ([], "\x1b[2J\x00\xff", 4, "No table knows"),
        ([], "10:00 AADSTS50194\n11:00 AADSTS65001\n", 0, "The text before it says this too"),
    ],
)
def test_the_command(arguments: list[str], stdin: str, code: int, said: str) -> None:
    done = run(*arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("given", "first", "second"),
    [
        ("10:00 AADSTS50194\n11:00 AADSTS65001", "その前には次のもの", "The text before it"),
        (ADDRESS, "スタックとは比較していません", "compared with no stack"),
    ],
)
def test_a_persons_own_language_comes_first(given: str, first: str, second: str) -> None:
    said = run(given, language="ja_JP.UTF-8").stdout
    assert 0 < said.index(first) < said.index(second)
    said = run(given).stdout
    assert 0 < said.index(second) < said.index(first)


@pytest.mark.skipif(sys.platform == "win32", reason="its lines are a POSIX shell's")
def test_the_page_in_the_documentation_is_the_table() -> None:
    written = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    assert written == diagnosis_view.page(), "proself-mail explain --table > docs/diagnosis.md"


def shown_in(readme: str, heading: str) -> list[str]:
    """The refusals in the first column of a README's table."""
    section = (
        (ROOT / readme).read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0]
    )
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [each for row in rows for each in re.findall(r"`([^`]+)`", row)]


def test_the_readmes_tables_are_of_refusals_that_are_known() -> None:
    english = shown_in("README.md", "### What a refusal means")
    assert english == shown_in("README.ja.md", "### エラーの意味と対処")
    assert len(english) >= 10
    for refusal in english:
        if refusal != "Tenant":
            assert diagnose(refusal).known, refusal
