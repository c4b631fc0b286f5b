"""Setup sheets of stacks that were never made, and servers that show them."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Queue
from urllib.parse import urlsplit

import httpx
import pytest

from proself_mail.config.settings import Settings
from proself_mail.secret import Secret
from proself_mail.sheet import sheet, sheet_server
from proself_mail.sheet.sheet import Sheet
from proself_mail.sheet.sheet_server import Person
from proself_mail.stack.client_secret import ClientSecret
from proself_mail.stack.outputs import Outputs
from tests.unit.test_settings import TENANT, good

STACK = "contoso.production"
CLIENT = "c0ffee00-2222-3333-4444-555555555555"
NOW = datetime(2027, 4, 10, 3, tzinfo=UTC)
VALUE = "k8Q~notARealSecretValue_0123456789"


def client_secret(
    number: int = 1, value: str = VALUE, days_left: int = 171, now: datetime = NOW
) -> ClientSecret:
    return ClientSecret(
        window=f"{now - timedelta(days=10 - number):%Y%m%dT%H%M%SZ}",
        key_id=f"d0a6ab2c-0000-4000-8000-00000000000{number}",
        starts=now - timedelta(days=10 - number),
        expires=now + timedelta(days=days_left),
        value=Secret(value),
    )


def outputs_of(settings: Settings, secrets: Sequence[ClientSecret]) -> Outputs:
    return Outputs(
        client_id=CLIENT,
        tenant_id=TENANT,
        application_object_id="a0b1c2d3-0000-4000-8000-000000000001",
        service_principal_object_id="a0b1c2d3-0000-4000-8000-000000000002",
        identifier_uri=f"api://{CLIENT}",
        redirect_uri=settings.redirect_uri,
        consent_url=f"https://login.microsoftonline.com/{settings.mailbox_tenant}/adminconsent"
        f"?client_id={CLIENT}",
        config_file=f"out/{STACK}/proself.toml",
        client_secrets=tuple(secrets),
    )


def sheet_of(
    secrets: Sequence[ClientSecret] = (), *, now: datetime = NOW, **changes: object
) -> Sheet:
    settings = good(**changes)
    outputs = outputs_of(settings, secrets or [client_secret(now=now)])
    return sheet.of(STACK, settings, outputs, now)


PATIENCE = timedelta(seconds=30)


@dataclass
class Serving:
    """A server in a thread, and the client that speaks to it as a browser would.

    The address is the one that a person types.
    """

    address: str
    http: httpx.Client
    result: Future[int]

    @property
    def origin(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    def visit(self) -> str:
        """Open the page; return its token."""
        answer = self.http.get(self.address, headers={"sec-fetch-site": "none"})
        assert answer.status_code == 200
        found = re.search(r'data-token="([\w-]{40,})"', answer.text)
        assert found
        return found[1]

    def post(self, path: str, token: str, **headers: str) -> httpx.Response:
        own = {"origin": self.origin, "sec-fetch-site": "same-origin", "x-sheet-token": token}
        return self.http.post(self.origin + path, headers=own | headers)

    @contextmanager
    def open_page(self, token: str) -> Iterator[None]:
        """Hold the connection that a page holds."""
        own = {"origin": self.origin, "x-sheet-token": token}
        with self.http.stream("POST", self.origin + "/open", headers=own) as answer:
            assert answer.status_code == 200
            yield


Serve = Callable[..., Serving]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a sheet in the background: `serve(**settings)`."""
    running: list[Serving] = []

    def begin(**changes: object) -> Serving:
        addresses: Queue[str] = Queue()
        result: Future[int] = Future()

        def work() -> None:
            try:
                person = Person(lambda _: False, addresses.put, PATIENCE)
                result.set_result(sheet_server.serve(sheet_of(**changes), person))  # type: ignore[arg-type]
            except BaseException as error:
                result.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        address = addresses.get(timeout=20)
        running.append(Serving(address, httpx.Client(trust_env=False), result))
        return running[-1]

    yield begin
    for each in running:
        each.http.close()
