"""A server that answers by anything: the mail proof ends in a refusal, never in a traceback."""

import base64
import contextlib
import re
import secrets
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proself_mail.diagnosis.diagnosis import diagnose
from proself_mail.diagnosis.smtp_replies import CONNECTION
from proself_mail.mail import mail_proof, smtp
from proself_mail.mail.smtp import Server, SmtpRefused, deliver
from proself_mail.secret import MASK, Secret
from proself_mail.text.quotation import quoted

MAIL = mail_proof.message("proself@contoso.example", "mark", datetime(2026, 11, 24, tzinfo=UTC))


class Dripping(bytes):
    """What a server sends again and again, every tenth of a second."""


@contextmanager
def answering(*answers: bytes, heard: list[bytes] | None = None) -> Iterator[Server]:
    """Serve one client: an answer to the connection, then one to each thing it sends."""
    said = [] if heard is None else heard

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            for number, answer in enumerate(answers):
                try:
                    if number:
                        said.append(connection.recv(65536))
                        if not said[-1]:
                            return
                    connection.sendall(answer)
                    while isinstance(answer, Dripping):
                        time.sleep(0.1)
                        connection.sendall(answer)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Server("127.0.0.1", listening.getsockname()[1])
        thread.join()


def refusal(*answers: bytes) -> SmtpRefused:
    with answering(*answers) as server, pytest.raises(SmtpRefused) as refused:
        deliver(server, "proself@contoso.example", Secret("t0ken"), MAIL)
    return refused.value


def test_an_answer_without_an_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes in time: a line now and then, a byte now and then, and lines without end."""
    monkeypatch.setattr(smtp, "PATIENCE", timedelta(seconds=0.5))
    for drop in (b"250-x\r\n", b"2"):
        began = time.monotonic()
        refused = refusal(b"220 hello\r\n", Dripping(drop))
        assert refused.connection == "connection-silent"
        assert 0.4 < time.monotonic() - began < 5
    refused = refusal(b"220 hello\r\n", b"250-x\r\n" * 20_000)
    assert refused.connection == "connection-dropped"
    assert "more than 65536 bytes" in refused.said


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300).map(lambda raw: raw + b"\r\n"), min_size=1, max_size=4))
def test_garbage_is_a_refusal(answers: list[bytes]) -> None:
    refused = refusal(*answers)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", refused.said)
    assert "t0ken" not in refused.said
    assert refused.connection in ("", *CONNECTION)
    assert diagnose(refused.said).said == quoted(refused.said)


@pytest.mark.parametrize(
    ("answers", "key"),
    [
        ((b"220 hello\r\n", b"250-x\r\n250 SIZE 1\r\n"), "starttls-not-offered"),
        ((b"554 5.7.1 no service for you\r\n",), ""),
        ((b"220 hello\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 4.7.0 not now\r\n"), ""),
        ((b"220 hello\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n", b"no TLS"), "connection"),
        ((b"",), "connection-dropped"),
    ],
)
def test_what_comes_before_tls_is_told_apart(answers: tuple[bytes, ...], key: str) -> None:
    refused = refusal(*answers)
    assert refused.stage == "connection"
    assert refused.connection.startswith(key)
    assert bool(refused.connection) == bool(key)


@pytest.mark.parametrize(
    "answers",
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n",),
        (b"220 hello\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"220 hello\r\n", b"250-x\r\n250 STARTTLS\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"199 hello\r\n",),
        (b"220 hello\r\n", b"600 hello\r\n"),
    ],
)
def test_what_is_no_smtp_is_told_whole(answers: tuple[bytes, ...]) -> None:
    refused = refusal(*answers)
    assert refused.connection == "connection-dropped"
    assert refused.said.endswith(f": {answers[-1].splitlines()[0].decode()} (no SMTP)")


def authentication_refused(
    *answers: bytes, token: Secret | None = None
) -> tuple[SmtpRefused, list[bytes]]:
    """Authenticate as after STARTTLS, at a server that speaks without it.

    Returns the refusal, and what was sent, from EHLO on.
    """
    sent: list[bytes] = []
    with (
        answering(b"220 hello\r\n", *answers, heard=sent) as server,
        contextlib.closing(smtp._Smtp(server.host, server.port)) as client,
    ):
        client.ehlo()
        with pytest.raises(SmtpRefused) as refused:
            smtp._authenticate(client, server, "proself@contoso.example", token or Secret("t0ken"))
    assert refused.value.stage == "authentication"
    return refused.value, sent


@pytest.mark.parametrize("offered", [b"250 AUTH LOGIN XOAUTH\r\n", b"250 SIZE 1\r\n"])
def test_no_token_goes_to_a_server_that_takes_none(offered: bytes) -> None:
    refused, sent = authentication_refused(b"250-x\r\n" + offered, b"535 no\r\n")
    assert refused.connection == "xoauth2-missing"
    assert not [line for line in sent if line.startswith(b"AUTH")]


CHALLENGE = b"334 %s\r\n" % base64.b64encode(b'{"status":"400"}')


@pytest.mark.parametrize("challenge", [CHALLENGE, b"334\r\n", b"334 ***no base64***\r\n"])
@pytest.mark.parametrize("refusal", [b"535 5.7.3 no\r\n", CHALLENGE])
def test_what_a_server_says_against_a_token_gets_an_empty_answer(
    challenge: bytes, refusal: bytes
) -> None:
    """It is a challenge, and the refusal follows: the token is not sent once more."""
    refused, sent = authentication_refused(b"250-x\r\n250 AUTH XOAUTH2\r\n", challenge, refusal)
    assert sent[2:] == [b"\r\n"]
    assert (refused.said, refused.connection) == (refusal.decode().strip(), "")


@pytest.mark.parametrize("per_line", [9, 11, 12, 15, 60, 1000])
@pytest.mark.parametrize("of", ["token", "response"])
def test_a_token_that_is_repeated_is_covered_in_each_of_its_pieces(of: str, per_line: int) -> None:
    token = secrets.token_urlsafe(675)
    response = f"user=proself@contoso.example\x01auth=Bearer {token}\x01\x01".encode()
    echoed = token if of == "token" else base64.b64encode(response).decode()
    lines = [echoed[at : at + per_line] for at in range(0, len(echoed), per_line)]
    refused, _ = authentication_refused(
        b"250-x\r\n250 AUTH XOAUTH2\r\n",
        "".join(f"535-5.7.8 {line}\r\n" for line in lines).encode() + b"535 5.7.8 rejected\r\n",
        token=Secret(token),
    )
    assert refused.said.startswith("535 5.7.8 ")
    assert refused.said.endswith("5.7.8 rejected") or refused.said.endswith(" …")
    whole = [each for each in lines if len(each) >= 8]  # what is shorter is not known for a piece
    assert not [each for each in whole if each[:8] in refused.said or each[-8:] in refused.said]


def test_a_token_that_is_repeated_in_no_smtp_is_covered() -> None:
    token = secrets.token_urlsafe(675)
    said = f"HTTP/1.1 400 {token} Bad Request\r\n".encode()
    with (
        answering(b"220 hello\r\n", b"250-x\r\n250 AUTH XOAUTH2\r\n", said) as server,
        contextlib.closing(smtp._Smtp(server.host, server.port)) as client,
    ):
        client.ehlo()
        with pytest.raises(smtplib.SMTPException, match="no SMTP") as refused:
            smtp._authenticate(client, server, "proself@contoso.example", Secret(token))
    assert str(refused.value) == f"HTTP/1.1 400 {MASK} Bad Request (no SMTP)"
