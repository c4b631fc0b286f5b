"""An environment that leads elsewhere than the stack's configuration is refused."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from emulator.tls import Identity
from proself_mail import clock
from proself_mail.config.settings import TargetName
from proself_mail.entra import session, target
from proself_mail.entra.target import check_environment, reach
from proself_mail.errors import ConfigurationError, Refused, RemoteError
from tests.unit.test_settings import OTHER_TENANT, TENANT

CLOUD, EMBEDDED = TargetName.CLOUD, TargetName.EMBEDDED
LOOPBACK = {"ARM_METADATA_HOSTNAME": "localhost:8443"}


@pytest.mark.parametrize(
    ("name", "environment", "cause", "next_step"),
    [
        (CLOUD, {"ARM_TENANT_ID": OTHER_TENANT}, "pinned to the tenant", "Sign in to"),
        (CLOUD, {"AZURE_TENANT_ID": OTHER_TENANT}, "pinned to the tenant", "Sign in to"),
        (EMBEDDED, LOOPBACK | {"ARM_TENANT_ID": OTHER_TENANT}, "pinned", "Sign in to"),
        (CLOUD, LOOPBACK, "embedded tenant, but", "--unset"),
        (CLOUD, {"AZURE_AUTHORITY_HOST": "https://localhost:8443"}, "is the cloud", "--unset"),
        (CLOUD, {"ARM_ENVIRONMENT": "china"}, "only the global cloud", "Unset ARM_ENVIRONMENT"),
        (CLOUD, {"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": "9"}, "is the cloud", "--unset"),
        (EMBEDDED, {}, "none is set up in this shell", "emulator env"),
        (EMBEDDED, {"ARM_METADATA_HOSTNAME": "192.0.2.1"}, "not on this machine", "emulator env"),
        (EMBEDDED, {"ARM_METADATA_HOSTNAME": "nowhere.invalid"}, "not on this machine", "env"),
        (EMBEDDED, {"ARM_METADATA_HOSTNAME": ".localhost:1"}, "not on this machine", "env"),
        (EMBEDDED, {"ARM_METADATA_HOSTNAME": "h" * 70}, "not on this machine", "env"),
        (EMBEDDED, {"ARM_METADATA_HOSTNAME": "[::1"}, "not on this machine", "env"),
        (CLOUD, {"AZURE_AUTHORITY_HOST": "https://[x"}, "is the cloud", "--unset"),
        (
            EMBEDDED,
            LOOPBACK | {"AZURE_AUTHORITY_HOST": "https://192.0.2.1"},
            "AZURE_AUTHORITY_HOST is",
            "emulator env",
        ),
    ],
)
def test_it_is_refused(
    name: TargetName, environment: dict[str, str], cause: str, next_step: str
) -> None:
    with pytest.raises(Refused) as refused:
        check_environment(name, TENANT, environment)
    assert cause in refused.value.cause
    assert next_step in refused.value.next_step


def test_mail_of_an_embedded_tenant_stays_on_this_machine() -> None:
    def server(host: str) -> tuple[str, int]:
        lines = {"PROSELF_MAIL_SMTP_HOST": host, "PROSELF_MAIL_SMTP_PORT": "25587"}
        return target.smtp_server(EMBEDDED, lines)

    for host in ("localhost", "127.0.0.1", "::1"):
        assert server(host) == (host, 25587)
        target.check_relay(EMBEDDED, host)
    for elsewhere in ("192.0.2.2", "nowhere.invalid", "127.0.0.1.invalid"):
        with pytest.raises(Refused, match="not on this machine") as refused:
            server(elsewhere)
        assert "emulator env" in refused.value.next_step
        with pytest.raises(Refused, match="not on this machine") as refused:
            target.check_relay(EMBEDDED, elsewhere)
        assert "--smtp-host" in refused.value.next_step
        target.check_relay(CLOUD, elsewhere)


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        (CLOUD, {}),
        (CLOUD, {"ARM_TENANT_ID": TENANT.upper(), "ARM_ENVIRONMENT": "public"}),
        (CLOUD, {"AZURE_AUTHORITY_HOST": "login.microsoftonline.com"}),
        (CLOUD, {"SSL_CERT_FILE": "/nowhere/at/all.pem"}),
        (EMBEDDED, LOOPBACK | {"AZURE_AUTHORITY_HOST": "https://127.0.0.1:8443"}),
        (EMBEDDED, {"ARM_METADATA_HOSTNAME": "[::1]:8443"}),
    ],
)
def test_it_is_let_through_to_its_own_target_alone(
    name: TargetName, environment: dict[str, str]
) -> None:
    check_environment(name, TENANT, environment)
    [other] = set(TargetName) - {name}
    with pytest.raises(Refused):
        check_environment(other, TENANT, environment)


def test_the_systems_own_roots_are_not_taken_for_an_embedded_tenants(tmp_path: Path) -> None:
    import certifi

    copy = tmp_path / "roots.pem"
    copy.write_text(Path(certifi.where()).read_text(encoding="utf-8"))
    check_environment(CLOUD, TENANT, {"SSL_CERT_FILE": str(copy)})


@pytest.mark.parametrize(
    ("proxies", "next_step"),
    [
        ({"no_proxy": "localhost"}, "has ended, with all that was in it"),
        ({"https_proxy": "http://127.0.0.1:1", "no_proxy": "localhost"}, "has ended, with all"),
        ({"https_proxy": "http://127.0.0.1:1", "no_proxy": ""}, "Check the network, the proxy"),
    ],
)
def test_a_proxy_that_refuses_is_not_taken_for_a_tenant_that_has_ended(
    monkeypatch: pytest.MonkeyPatch, proxies: dict[str, str], next_step: str
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RemoteError) as refused:
        reach(EMBEDDED, TENANT, {"ARM_METADATA_HOSTNAME": "localhost:1"})
    assert next_step in refused.value.next_step


@pytest.mark.parametrize("found", [[], ["192.0.2.1"]], ids=["nowhere", "elsewhere"])
def test_a_host_table_that_leads_localhost_astray_is_named(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    def resolve(*_: object) -> list[tuple[object, ...]]:
        if not found:
            raise socket.gaierror("Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Refused, match="not on this machine") as refused:
        check_environment(EMBEDDED, TENANT, LOOPBACK)
    assert "/etc/hosts" in refused.value.next_step


@pytest.fixture
def https_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return lambda value: monkeypatch.setenv("HTTPS_PROXY", value)


@pytest.mark.parametrize(
    "value",
    [
        "http://aki:hidden/1@proxy.example:8080",
        "http://aki:hidden#1@proxy.example:8080",
        "http://:hidden/1@proxy.example:8080",
        "http://aki:hidden@",
        "http://aki:hidden@pro xy.example:8080",
        "http://aki:hidden@proxy..example:8080",
        "socks5://aki:hidden@proxy.example:8080",
        "http://[::1:8080",
        "http://proxy.example:99999",
        ":9x",
    ],
)
def test_a_proxy_that_nobody_can_ask_is_named_without_its_password(
    https_proxy: Callable[[str], None], value: str
) -> None:
    https_proxy(value)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY is no address") as refused:
        reach(CLOUD, TENANT)
    assert "hidden" not in str(refused.value)
    assert "`%2F`" in refused.value.next_step


def test_a_proxy_without_its_scheme_lacks_that_alone(https_proxy: Callable[[str], None]) -> None:
    https_proxy("aki:hidden@proxy.example:8080")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY begins with no `http://`") as refused:
        reach(CLOUD, TENANT)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://aki:hid%2Fden@127.0.0.1:1", "http://[::1]:1"])
def test_a_proxy_that_is_an_address_is_asked(
    https_proxy: Callable[[str], None], address: str
) -> None:
    https_proxy(address)
    with pytest.raises(RemoteError, match="cannot be reached"):
        reach(CLOUD, TENANT)


def test_a_clock_that_a_variable_moved_is_not_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    there = datetime.now(UTC)
    with pytest.raises(ConfigurationError, match="This machine's clock says") as refused:
        clock.check(there + timedelta(minutes=7), there)
    assert "enable time synchronisation" in refused.value.next_step
    monkeypatch.setenv(clock.OFFSET_VARIABLE, "420")
    with pytest.raises(ConfigurationError, match=f"moved by {clock.OFFSET_VARIABLE}") as refused:
        clock.check(there + timedelta(minutes=7), there)
    assert f"`unset {clock.OFFSET_VARIABLE}`" in refused.value.next_step


@contextmanager
def answering(body: Iterable[bytes], folder: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve what is no embedded tenant, over TLS that this process trusts; give its host."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            for piece in body:
                self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            pass

    identity = Identity(["localhost"], [])
    (folder / "ca.pem").write_bytes(identity.authority_pem)
    patch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    patch.setenv("no_proxy", "localhost")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = identity.server_context().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


HERE, AWAY = "https://localhost:1", "https://192.0.2.2:1"


@pytest.mark.parametrize(
    ("authority", "graph", "told"),
    [
        (AWAY, HERE, AWAY),
        (HERE, AWAY, AWAY),
        (HERE, "http://localhost:1", "http://localhost:1"),
        ("https://[x", HERE, "https://[x"),
        (HERE, HERE, ""),
    ],
)
def test_addresses_that_lead_off_the_machine_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: str, graph: str, told: str
) -> None:
    """The client secret would go there."""
    led = {"authentication": {"loginEndpoint": authority}, "microsoftGraphResourceId": graph}
    with answering([json.dumps(led).encode()], tmp_path, monkeypatch) as host:
        environment = {"ARM_METADATA_HOSTNAME": host}
        if not told:
            assert reach(EMBEDDED, TENANT, environment)[0].graph == HERE
            return
        with pytest.raises(Refused) as refused:
            reach(EMBEDDED, TENANT, environment)
    assert f"{host} leads to {told}, which is no HTTPS on this machine" in refused.value.cause


def test_an_answer_without_bottom_is_no_tenants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        answering([b"[" * 200_000], tmp_path, monkeypatch) as host,
        pytest.raises(RemoteError, match="answers, but not as a tenant"),
    ):
        reach(EMBEDDED, TENANT, {"ARM_METADATA_HOSTNAME": host})


@pytest.fixture
def trickling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host whose answer has no end, and comes byte by byte."""
    ended = threading.Event()

    def bytewise() -> Iterator[bytes]:
        while not ended.wait(0.05):
            yield b" "

    with answering(bytewise(), tmp_path, monkeypatch) as host:
        monkeypatch.setenv("ARM_METADATA_HOSTNAME", host)
        try:
            yield host
        finally:
            ended.set()


def test_an_answer_that_trickles_is_none(trickling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_LONGEST", timedelta(seconds=1))
    with pytest.raises(RemoteError, match=f"{trickling} gives no whole answer within 1 s"):
        reach(EMBEDDED, TENANT)


@pytest.mark.usefixtures("trickling")
def test_an_answer_that_trickles_does_not_hold_a_deadline_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target, "_LONGEST", timedelta(seconds=10))

    async def signing_in() -> None:
        async with asyncio.timeout(0.3), session.sign_in(EMBEDDED, TENANT):
            pass

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(signing_in())
    assert time.monotonic() - began < 5
