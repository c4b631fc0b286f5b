"""The sign-in of a job on GitHub: what its runner's service answers, and how long it may take."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from proself_mail.entra import credentials, github_sign_in
from proself_mail.entra.target import CLOUD
from proself_mail.errors import NoAnswerYet, RemoteError
from tests.tenant import Tenant
from tests.unit.test_settings import TENANT

RUNNERS_TOKEN = "the-runners-own"


@contextmanager
def service(
    body: bytes, *, trickles: bool = False, status: str = "200 OK", asked: list[bytes] | None = None
) -> Iterator[str]:
    """Answer by these bytes for the runner's service, or begin to, for seconds; give its URL.

    Without a status the connection breaks. `asked` gets the request.
    """

    def answer() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                request = connection.recv(65536)
                if asked is not None:
                    asked.append(request)
                if not status:
                    return
                length = len(body) + 100 * trickles
                connection.sendall(
                    f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n".encode()
                )
                connection.sendall(body)
                for _ in range(20 * trickles):
                    time.sleep(0.1)
                    connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/idtoken?api-version=2.0&audience=https%3A%2F%2Fgithub.com%2Fo"


async def sign_in(url: str, within: float = 20, runners_token: str = RUNNERS_TOKEN) -> None:
    environment = {
        "ARM_USE_OIDC": "true",
        "ARM_CLIENT_ID": "a",
        "ACTIONS_ID_TOKEN_REQUEST_URL": url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": runners_token,
    }
    credential, source = credentials.choose(CLOUD, TENANT, environment)
    assert runners_token not in f"{vars(credential)!r}"
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
    "body",
    [
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"value": null}',
        b'{"value": 1}',
        b"<p>Blocked</p>",
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_of_its_service_is_not_laid_to_entra(body: bytes) -> None:
    with service(body) as url, pytest.raises(RemoteError, match="not its token service") as told:
        asyncio.run(sign_in(url))
    assert "ACTIONS_ID_TOKEN_REQUEST_URL" in told.value.next_step


def test_the_address_keeps_its_query_with_the_audience_in_it() -> None:
    """GitHub's own ends in `?api-version=2.0`."""
    asked: list[bytes] = []
    with service(b"{}", asked=asked) as url, pytest.raises(RemoteError):
        asyncio.run(sign_in(url))
    path = b"/idtoken?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange"
    assert asked[0].startswith(b"GET " + path + b" HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("status", "passes", "told", "next_step"),
    [
        ("503 Service Unavailable", True, "answers 503", "in some minutes"),
        ("403 Forbidden", False, "answers 403", "id-token: write"),
        ("302 Found", False, "answers 302", "id-token: write"),
        ("", True, "Server disconnected", "SSL_CERT_FILE"),
    ],
)
def test_what_may_pass_is_waited_for_and_no_more(
    status: str, passes: bool, told: str, next_step: str
) -> None:
    with service(b"", status=status) as url, pytest.raises(RemoteError, match=told) as refused:
        asyncio.run(sign_in(url))
    assert isinstance(refused.value, NoAnswerYet) is passes
    assert next_step in refused.value.next_step


def test_a_service_that_asks_for_time_gets_it() -> None:
    status = "429 Too Many Requests\r\nRetry-After: 7"
    with service(b"", status=status) as url, pytest.raises(NoAnswerYet) as late:
        asyncio.run(sign_in(url))
    assert late.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://127.0.0.1:{port}/idtoken", "certificate verify failed"),
        ("http://127.0.0.1:{closed}/idtoken", "refused"),
    ],
)
def test_a_service_that_cannot_be_reached_is_not_waited_for(
    tenant: Tenant, address: str, told: str
) -> None:
    """Nor is one with a certificate that this machine does not trust."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closed = listening.getsockname()[1]
    url = address.format(port=urlsplit(tenant.graph).port, closed=closed)
    with pytest.raises(RemoteError, match=told) as refused:
        asyncio.run(sign_in(url))
    assert not isinstance(refused.value, NoAnswerYet)
    assert "SSL_CERT_FILE" in refused.value.next_step


def test_a_connection_that_breaks_as_it_is_opened_is_waited_for() -> None:
    with service(b"", status="") as url, pytest.raises(NoAnswerYet, match="cannot be reached"):
        asyncio.run(sign_in(url.replace("http:", "https:")))


@pytest.mark.parametrize(
    ("url", "runners_token", "told"),
    [
        ("http://127.0.0.1:port/token", RUNNERS_TOKEN, "InvalidURL"),
        ("ftp://127.0.0.1/token", RUNNERS_TOKEN, "UnsupportedProtocol"),
        ("", "two\nlines", "LocalProtocolError"),
        ("", "日本", "UnicodeEncodeError"),
    ],
)
def test_an_address_or_a_token_that_is_none_is_told(
    url: str, runners_token: str, told: str
) -> None:
    with (
        service(b"{}") as its_own,
        pytest.raises(RemoteError, match=f"GitHub gives no identity token: {told}") as refused,
    ):
        asyncio.run(sign_in(url or its_own, runners_token=runners_token))
    assert not isinstance(refused.value, NoAnswerYet)
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN" in refused.value.next_step
    assert refused.value.__cause__ is None, "which may quote the token"
