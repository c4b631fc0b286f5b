"""A server that answers by anything: the mail proof ends in a refusal, never in a traceback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proself_mail import mail_proof
from proself_mail.diagnosis import diagnose
from proself_mail.secret import Secret
from proself_mail.smtp import Server, SmtpRefused, deliver
from proself_mail.smtp_replies import CONNECTION

MAIL = mail_proof.message("proself@contoso.example", "mark", datetime(2026, 11, 24, tzinfo=UTC))


@contextmanager
def answering(*answers: bytes) -> Iterator[Server]:
    """Serve one client: an answer to the connection, then one to each thing it sends."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            for number, answer in enumerate(answers):
                try:
                    if number and not connection.recv(65536):
                        return
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


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300).map(lambda raw: raw + b"\r\n"), min_size=1, max_size=4))
def test_garbage_is_a_refusal(answers: list[bytes]) -> None:
    refused = refusal(*answers)
    assert refused.said.isprintable()
    assert "t0ken" not in refused.said
    assert refused.connection in ("", *CONNECTION)
    assert diagnose(refused.said).said.isprintable()


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
