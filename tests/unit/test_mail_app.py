"""The component: once per stack, with a provider of its own; against the SDK's mocks."""

import asyncio
import contextvars
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pulumi_azuread as azuread
import pytest
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.stack import run_pulumi_func

from infra.mail_app import MailApp, MailAppArgs
from proself_mail.config.settings import Audience, Environment, TargetName
from proself_mail.config.stamp import Stamp
from proself_mail.entra.target import Target
from proself_mail.schedule import Window
from proself_mail.stack.state import APPLICATION, CONSENT, IDENTIFIER_URI, SERVICE_PRINCIPAL

NOW = datetime(2027, 4, 1, tzinfo=UTC)
ARGS = MailAppArgs(
    tenant_id=str(uuid.UUID(int=1)),
    target=Target(TargetName.CLOUD, "https://login.example", "https://graph.example"),
    display_name="Proself mail",
    audience=Audience.SINGLE,
    redirect_uris=["https://proself.example.jp/proself/oauth2callback/smtp"],
    permissions=["Mail.Send"],
    grant_consent=True,
    secret_description="proself",
    windows=[Window(NOW, NOW + timedelta(days=180), 0, newest=True)],
    owners=[],
    stamp=Stamp(uuid.UUID(int=2), Environment.TEST, None),
    protect=False,
    adopt={},
)


class _Cloud(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _: MockCallArgs) -> Any:
        return {"objectId": "exchange", "oauth2PermissionScopeIds": {"Mail.Send": "scope"}}


class _Engine(MockMonitor):
    """Notes what is registered, and whether it is protected, by name."""

    def __init__(self) -> None:
        super().__init__(_Cloud())
        self.protected: dict[str, bool] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  gRPC's name
        self.protected[request.name] = request.protect
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def no_loops_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's mocks make one in each thread that calls them."""
    monkeypatch.setattr(pulumi.runtime.mocks, "_ensure_event_loop", lambda: None)
    monkeypatch.setattr(pulumi.runtime.mocks, "_sync_await", asyncio.run)


def run(program: Callable[[], object], engine: _Engine | None = None) -> dict[str, bool]:
    """Run a program as the engine's language host does; return what it registered."""
    engine = engine or _Engine()

    def up() -> None:
        async def called() -> None:
            program()

        with closing(asyncio.new_event_loop()) as loop:
            asyncio.set_event_loop(loop)
            pulumi.runtime.set_mocks(_Cloud(), monitor=engine)
            loop.run_until_complete(run_pulumi_func(called))

    with ThreadPoolExecutor(1) as apart:
        apart.submit(contextvars.Context().run, up).result()
    return engine.protected


def test_a_stacks_second_one_is_refused_before_anything_of_it_is_registered() -> None:
    def program() -> None:
        MailApp("proself", ARGS)
        MailApp("other", ARGS)

    engine = _Engine()
    with pytest.raises(pulumi.RunError, match="'other' is this stack's second MailApp"):
        run(program, engine)
    assert "other" not in engine.protected
    assert "application" in engine.protected


def test_each_run_has_one() -> None:
    for _ in range(2):
        assert "application" in run(lambda: MailApp("proself", ARGS))


@pytest.mark.parametrize("protects", [{"args": True}, {"opts": True}, {}], ids=str)
def test_it_is_protected_where_either_says_so(protects: dict[str, bool]) -> None:
    args = replace(ARGS, protect=protects.get("args", False))
    opts = pulumi.ResourceOptions(protect=protects.get("opts"))
    protected = run(lambda: MailApp("proself", args, opts))
    assert {protected[each] for each in (APPLICATION, IDENTIFIER_URI, SERVICE_PRINCIPAL)} == {
        bool(protects)
    }
    # Production lets these go when they are not declared any more; the tenant keeps them.
    assert protected[CONSENT] == protects.get("opts", False)


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("provider", lambda own: own),
        ("providers", lambda own: [own]),
        ("providers", lambda own: {"azuread": own}),
    ],
)
def test_a_provider_for_it_is_refused(option: str, given: Callable[[Any], Any]) -> None:
    def program() -> None:
        own = azuread.Provider("own")
        MailApp("proself", ARGS, pulumi.ResourceOptions(**{option: given(own)}))

    with pytest.raises(pulumi.RunError, match="takes none"):
        run(program)
