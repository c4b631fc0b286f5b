"""The sign-in of a job on GitHub: what its runner's service answers, and how long it may take."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from proself_mail.entra import credentials, github_sign_in
from proself_mail.entra.target import CLOUD
from proself_mail.errors import NoAnswerYet, RemoteError
from tests.unit.test_settings import TENANT

RUNNERS_TOKEN = "the-runners-own"


@contextmanager
def service(body: bytes, *, trickles: bool = False) -> Iterator[str]:
    """Answer by these bytes for the runner's service, or begin to, for seconds; give its URL."""

    def answer() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                length = len(body) + 100 * trickles
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
                connection.sendall(body)
                for _ in range(20 * trickles):
                    time.sleep(0.1)
                    connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/token?v=1"


async def sign_in(url: str, within: float = 20) -> None:
    environment = {
        "ARM_USE_OIDC": "true",
        "ARM_CLIENT_ID": "a",
        "ACTIONS_ID_TOKEN_REQUEST_URL": url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": RUNNERS_TOKEN,
    }
    credential, source = credentials.choose(CLOUD, TENANT, environment)
    assert RUNNERS_TOKEN not in f"{vars(credential)!r}"
    async with credential, asyncio.timeout(within):
        await credentials.sign_in(credential, CLOUD, source)


def test_a_deadline_does_not_wait_for_an_answer_without_end() -> None:
    """Nor does Ctrl-C, which the loop hears in the same way."""
    with service(b"", trickles=True) as url, pytest.raises(TimeoutError):
        asyncio.run(sign_in(url, within=0.5))


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github_sign_in, "_LONGEST", timedelta(seconds=0.5))
    with service(b"", trickles=True) as url, pytest.raises(NoAnswerYet, match="no whole answer"):
        asyncio.run(sign_in(url))


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'"x"', b"{}", b'{"value": null}', b"<p>Blocked</p>", b"[" * 100_000]
)
def test_what_is_no_answer_of_its_service_is_not_laid_to_entra(body: bytes) -> None:
    with service(body) as url, pytest.raises(RemoteError, match="not its token service") as told:
        asyncio.run(sign_in(url))
    assert "ACTIONS_ID_TOKEN_REQUEST_URL" in told.value.next_step


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(RemoteError, match="GitHub gives no identity token: InvalidURL"):
        asyncio.run(sign_in("http://127.0.0.1:port/token"))
