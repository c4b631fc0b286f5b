"""Where a sign-in comes back to: one answer, of this sign-in, on this machine."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import httpx
import pytest

from proself_mail.browser import loopback
from proself_mail.browser.loopback import Loopback
from proself_mail.errors import ConfigurationError, RemoteError
from tests.free_port import free_port

STATE = "the-state-of-this-sign-in"
LONG, SHORT = timedelta(seconds=20), timedelta(seconds=0.3)


def uri() -> str:
    return f"http://localhost:{free_port()}/proself-mail"


def listen(
    use: Callable[[Loopback, httpx.AsyncClient, str], Awaitable[object]], patience: timedelta
) -> Mapping[str, str]:
    async def run() -> Mapping[str, str]:
        address = uri()
        with loopback.listening(address, STATE) as receiver:
            async with httpx.AsyncClient(trust_env=False) as http:
                await use(receiver, http, address)
            return await receiver.answer(patience)

    return asyncio.run(run())


def test_the_answer_of_this_sign_in_is_taken_once() -> None:
    async def use(receiver: Loopback, http: httpx.AsyncClient, address: str) -> None:
        done = await http.post(address, data={"state": STATE, "code": "first"})
        assert done.status_code == 200
        assert done.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in done.headers["content-security-policy"]
        assert "first" not in done.text
        await receiver.answer(LONG)
        again = await http.post(address, data={"state": STATE, "code": "replayed"})
        assert again.status_code == 400

    assert listen(use, LONG) == {"state": STATE, "code": "first"}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"data": {"state": "foreign", "code": "x"}}, 400),
        ({"data": {"code": "x"}}, 400),
        ({"content": b"\xff\x00", "headers": {"content-length": "2"}}, 400),
        ({"headers": {"host": "evil.example"}, "data": {"state": STATE, "code": "x"}}, 400),
        ({"path": "/other", "data": {"state": STATE, "code": "x"}}, 400),
        ({"content": b"state=" + STATE.encode() + b"&x=" + b"y" * 70_000}, 400),
        ({"method": "GET", "params": {"state": STATE, "code": "x"}}, 404),
        ({"method": "GET", "params": {"admin_consent": "maybe", "state": STATE}}, 404),
        ({"method": "GET", "params": {"admin_consent": "True"}, "path": "/other"}, 404),
        ({"method": "GET", "params": {"admin_consent": "True"}, "headers": {"host": "x"}}, 404),
    ],
)
def test_what_is_not_of_this_sign_in_is_refused_and_waited_on(
    change: dict[str, object], status: int
) -> None:
    async def use(_: Loopback, http: httpx.AsyncClient, address: str) -> None:
        given = dict(change)
        path = given.pop("path", "/proself-mail")
        address = address.replace("/proself-mail", str(path))
        method = str(given.pop("method", "POST"))
        answer = await http.request(method, address, **given)  # type: ignore[arg-type]
        assert answer.status_code == status

    with pytest.raises(RemoteError, match="Nobody finished the sign-in"):
        listen(use, SHORT)


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ({}, 200, ["管理者の同意が与えられました", "consent was given"]),
        (
            {"error": "consent_required", "error_description": "AADSTS65004: <b>denied</b>"},
            400,
            ["同意は与えられませんでした", "not given", "AADSTS65004: &lt;b&gt;denied&lt;/b&gt;"],
        ),
    ],
)
def test_an_administrators_consent_is_told_and_the_sign_in_is_waited_on(
    answer: dict[str, str], status: int, said: list[str]
) -> None:
    """As Entra brings it: to whichever redirect URI of the application it chooses."""

    async def use(_: Loopback, http: httpx.AsyncClient, address: str) -> None:
        consent = {"admin_consent": "True", "tenant": "t", "state": STATE, "code": "x"} | answer
        page = await http.get(address, params=consent)
        assert page.status_code == status
        assert [each for each in said if each not in page.text] == []
        await http.post(address, data={"state": STATE, "code": "of the user"})

    assert listen(use, LONG) == {"state": STATE, "code": "of the user"}


def test_a_connection_that_says_nothing_holds_nobody_up() -> None:
    async def use(_: Loopback, http: httpx.AsyncClient, address: str) -> None:
        port = int(address.split(":")[2].split("/")[0])
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await http.post(address, data={"state": STATE, "error": "x"})).status_code == 200
        writer.close()

    assert listen(use, LONG)["error"] == "x"


def test_it_is_not_to_be_reached_from_elsewhere() -> None:
    async def use(receiver: Loopback, http: httpx.AsyncClient, address: str) -> None:
        hosts = {server.server_address[0] for server in receiver._servers}
        assert hosts <= {"127.0.0.1", "::1"}
        await http.post(address, data={"state": STATE})

    listen(use, LONG)


def test_a_port_that_is_taken_is_named() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            Loopback(f"http://localhost:{port}/x", STATE)

    with pytest.raises(ConfigurationError, match="is taken"):
        asyncio.run(run())
