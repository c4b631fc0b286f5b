"""The served setup sheet: one visit, by one person, from this machine's browser alone."""

import http.client
import re
import socket
import time
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from proself_mail.browser.loopback_http import LoopbackHandler, LoopbackServer
from proself_mail.errors import ConfigurationError, RemoteError
from proself_mail.sheet import sheet_server
from proself_mail.sheet.sheet_server import Person
from tests.sheets import PATIENCE, VALUE, Serve, serve, sheet_of

__all__ = ["serve"]  # a fixture


def test_the_page_is_given_once_and_the_secret_only_when_it_asks(serve: Serve) -> None:
    at = serve()
    first = at.http.get(at.address)
    assert first.status_code == 200
    assert VALUE not in first.text
    assert "connect-src 'self'" in first.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in first.headers["content-security-policy"]
    assert "unsafe" not in first.headers["content-security-policy"]
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["referrer-policy"] == "no-referrer"
    assert first.headers["cross-origin-resource-policy"] == "same-origin"
    again = at.http.get(at.address)
    assert again.status_code == 410
    assert "一度しか開けません" in again.text
    assert "data-token" not in again.text
    [token] = re.findall(r'data-token="([\w-]+)"', first.text)
    assert token not in at.address
    answer = at.post("/secret", token)
    assert answer.text == VALUE
    assert answer.headers["cache-control"] == "no-store"
    at.post("/closed", token)
    assert at.result.result(20) == 1, "the second visit is told of"


def test_another_pages_visit_gets_nothing_and_spends_nothing(serve: Serve) -> None:
    at = serve()
    port = urlsplit(at.address).port
    for headers, status in [
        ({"host": "evil.example"}, 421),
        ({"host": f"evil.example:{port}"}, 421),
        ({"host": f"localhost:{port}"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"sec-fetch-site": "cross-site"}, 404),
        ({"sec-fetch-site": "same-site"}, 404),
        ({"sec-fetch-site": "same-origin"}, 404),
        ({"sec-fetch-site": "none", "sec-purpose": "prefetch;prerender"}, 503),
    ]:
        answer = at.http.get(at.address, headers=headers)
        assert answer.status_code == status, headers
        assert "data-token" not in answer.text
        assert "proself@example.jp" not in answer.text
    at.post("/closed", at.visit())
    assert at.result.result(20) == 0


def test_a_file_leads_there_by_an_address_of_its_own() -> None:
    """For browsers it is of another site; no page of this machine's other servers is."""
    seen: dict[str, int] = {}

    def browse(address: str) -> bool:
        with httpx.Client(trust_env=False) as browser:
            for site in ("same-site", "same-origin", "cross-site"):
                answer = browser.get(address, headers={"sec-fetch-site": site})
                seen[site] = answer.status_code
            token = re.findall(r'data-token="([\w-]+)"', answer.text)[0]
            origin = address.rpartition("/")[0]
            headers = {"origin": origin, "x-sheet-token": token}
            browser.post(origin + "/closed", headers=headers)
        return True

    assert sheet_server.serve(sheet_of(), Person(browse, print, PATIENCE)) == 0
    assert seen == {"same-site": 404, "same-origin": 404, "cross-site": 200}


def test_another_pages_request_gets_no_secret_and_ends_nothing(serve: Serve) -> None:
    at = serve()
    token = at.visit()
    port = urlsplit(at.address).port
    for headers in [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"http://localhost:{port}"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": f"evil.example:{port}"},
        {"x-sheet-token": ""},
        {"x-sheet-token": "guessed"},
        {"x-sheet-token": "トークン"},
    ]:
        given = {name.encode(): value.encode() for name, value in headers.items()}
        own = {b"origin": at.origin.encode(), b"x-sheet-token": token.encode()}
        for path in ("/secret", "/open", "/closed"):
            answer = at.http.post(at.origin + path, headers=own | given)
            assert answer.status_code == 403, headers
            assert VALUE not in answer.text
    assert at.post("/secret", token).text == VALUE
    at.post("/closed", token)
    at.result.result(20)


def test_a_request_without_an_origin_is_no_pages(serve: Serve) -> None:
    at = serve()
    token = at.visit()
    answer = at.http.post(at.origin + "/secret", headers={"x-sheet-token": token})
    assert answer.status_code == 403
    assert at.http.request("OPTIONS", at.origin + "/secret").status_code == 501, "no preflight"
    at.post("/closed", token)
    at.result.result(20)


def test_nothing_is_to_be_had_before_the_visit_or_at_another_path(serve: Serve) -> None:
    at = serve()
    assert at.post("/secret", "").status_code == 403
    for path in ("/guess", "/secret", "/favicon.ico", "//evil.example"):
        assert at.http.get(at.origin + path).status_code == 404
    assert at.http.get(at.origin + "/").status_code == 410
    token = at.visit()
    assert at.post("/other", token).status_code == 404
    at.post("/closed", token)
    at.result.result(20)


def test_it_listens_on_loopback_alone(serve: Serve) -> None:
    at = serve()
    port = urlsplit(at.address).port
    assert port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; names the way out
        own = probe.getsockname()[0]
    assert own != "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((own, port), timeout=5)
    at.post("/closed", at.visit())
    at.result.result(20)


def test_it_ends_with_the_page_and_the_secret_with_it(serve: Serve) -> None:
    """A page that goes without a word, as when its browser is killed."""
    at = serve()
    token = at.visit()
    with at.open_page(token):
        assert at.post("/secret", token).text == VALUE
    gone = time.monotonic()
    assert at.result.result(20) == 0
    assert time.monotonic() - gone < 15
    with pytest.raises(httpx.ConnectError):
        at.post("/secret", token)


def test_a_page_that_lost_its_connection_may_come_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet_server, "_GRACE", timedelta(seconds=20))
    at = serve()
    token = at.visit()
    with at.open_page(token):
        pass
    with at.open_page(token):
        assert at.post("/secret", token).text == VALUE
    at.post("/closed", token)
    at.result.result(20)


def test_the_server_cuts_the_page_off_when_it_ends(serve: Serve) -> None:
    at = serve()
    token = at.visit()
    with at.open_page(token):
        other = http.client.HTTPConnection(urlsplit(at.address).netloc)
        own = {"origin": at.origin, "x-sheet-token": token}
        other.request("POST", "/open", headers=own)
        held = other.getresponse()
        at.post("/closed", token)
        at.result.result(20)
        assert held.read() == b"", "the page sees the end of it"
        other.close()


def test_nobody_who_opens_it_is_an_error_with_a_next_step() -> None:
    told: list[str] = []
    person = Person(lambda _: False, told.append, timedelta(seconds=1))
    with pytest.raises(RemoteError, match="Nobody opened the setup sheet") as failed:
        sheet_server.serve(sheet_of(), person)
    assert "--timeout" in failed.value.next_step
    [address] = told
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{43}", address)
    assert address.rpartition("/")[2] not in str(failed.value)
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)


def test_the_address_is_told_only_where_no_browser_opened() -> None:
    told: list[str] = []

    def browse(address: str) -> bool:
        with httpx.Client(trust_env=False) as browser:
            token = re.findall(r'data-token="([\w-]+)"', browser.get(address).text)[0]
            origin = address.rpartition("/")[0]
            headers = {"origin": origin, "x-sheet-token": token}
            browser.post(origin + "/closed", headers=headers)
        return True

    assert sheet_server.serve(sheet_of(), Person(browse, told.append, PATIENCE)) == 0
    assert not told


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"Port {port} .*sheet.* is taken"):
            sheet_server.serve(sheet_of(), Person(lambda _: True, print), port)


def test_a_place_that_cannot_be_listened_at_says_why() -> None:
    """As a port below 1024 is to a user; this address is nobody's."""
    with pytest.raises(ConfigurationError, match=r"the sheet's, cannot be used: ") as refused:
        LoopbackServer(
            ("192.0.2.1", 0), LoopbackHandler, purpose="the sheet's", instead="leave --port out"
        )
    assert "leave --port out" in refused.value.next_step
