"""Python's own smtplib against Exchange's SMTP, with a token that MSAL redeemed."""

import base64
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest

from tests.emulator.mail_app import MailApp
from tests.tenant import Tenant


@pytest.fixture
def graph(tenant: Tenant) -> Iterator[httpx.Client]:
    with tenant.http(tenant.token()) as client:
        yield client


def test_smtplib_sends_a_mail_with_a_token_for_smtp(tenant: Tenant, graph: httpx.Client) -> None:
    mailbox = tenant.ready["mailbox"]
    token = MailApp(tenant, graph).token()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mailbox, "someone@example.org", "テスト"
    message.set_content("本文")
    with smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"]) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        smtp.starttls(context=tenant.ssl_context)
        smtp.ehlo()
        assert smtp.esmtp_features["auth"].split() == ["LOGIN", "XOAUTH2"]
        said = base64.b64encode(f"user={mailbox}\x01auth=Bearer {token}\x01\x01".encode()).decode()
        assert smtp.docmd("AUTH", f"XOAUTH2 {said}") == (
            235,
            b"2.7.0 Authentication successful",
        )
        assert smtp.send_message(message) == {}
    (mail,) = tenant.outbox()
    assert mail["from"] == mail["envelope_from"] == mail["user"] == mailbox
    assert (mail["to"], mail["subject"]) == (["someone@example.org"], "テスト")
    assert mail["text"].strip() == "本文"


def test_a_client_that_checks_finds_the_wrong_certificate(tenant: Tenant) -> None:
    for name in ("other-name", "expired", "untrusted"):
        tenant.smtp(certificate=name)
        with smtplib.SMTP(tenant.ready["smtp_host"], tenant.ready["smtp_port"]) as smtp:
            smtp.ehlo()
            with pytest.raises(ssl.SSLCertVerificationError):
                smtp.starttls(context=tenant.ssl_context)
    assert tenant.outbox() == []
