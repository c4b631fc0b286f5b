"""The Azure CLI's sign-in: one `az` for many requests, and one sentence for an `az` that fails."""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from proself_mail.config.settings import TargetName
from proself_mail.entra import azure_cli, credentials, graph, graph_transport
from proself_mail.entra.azure_cli import AzureCliSignIn
from proself_mail.entra.directory import Directory, DirectoryError, SignInRefused
from proself_mail.entra.target import CLOUD, Target
from proself_mail.errors import NoAnswerYet
from proself_mail.verification import evidence
from proself_mail.verification.evidence import Unread
from tests.emulator.scripted_graph import Answer, ScriptedGraph
from tests.unit.test_settings import TENANT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script named az")

GRAPH = "https://graph.microsoft.com/.default"
ORGANIZATION = "GET /v1.0/organization"
CLOSE = {"Connection": "close"}
"""The SDK never does."""
NAMED = {"value": [{"id": TENANT, "displayName": "T", "verifiedDomains": []}]}

T = TypeVar("T")


class Az:
    """A script named `az` in the place of the Azure CLI."""

    def __init__(self, folder: Path) -> None:
        self._file, self._starts = folder / "az", folder / "starts"

    def does(self, line: str) -> None:
        """Let it do what a line of the shell says; each start gets a number, `$n`."""
        count = f"echo >> '{self._starts}'; n=$(wc -l < '{self._starts}')"
        self._file.write_text(f"#!/bin/sh\n{count}\n{line}\n", encoding="utf-8")
        self._file.chmod(0o700)

    def gives(self, seconds: float = 3600, before: str = "") -> None:
        """Let it give the token `token1`, then `token2`, each good for so many seconds."""
        answer = {"accessToken": "tokenN", "expires_on": int(time.time() + seconds)}
        self.does(f"{before}\necho '{json.dumps(answer)}' | sed s/N/$n/")

    @property
    def starts(self) -> int:
        return len(self._starts.read_text(encoding="utf-8"))


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Az:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    made = Az(tmp_path)
    made.gives()
    return made


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedGraph]:
    with ScriptedGraph(tmp_path_factory.mktemp("graph")) as serving:
        yield serving


def asked(
    scripted: ScriptedGraph,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[Directory], Awaitable[T]],
    again: Sequence[timedelta] = (),
) -> T:
    """Ask Graph, signed in by the Azure CLI; `again` are the waits before a read is sent again."""
    monkeypatch.setenv("SSL_CERT_FILE", scripted.environment["SSL_CERT_FILE"])
    monkeypatch.setattr(graph_transport, "_READ_AGAIN_AFTER", again)
    target = Target(TargetName.EMBEDDED, scripted.url, scripted.url, scripted.host)
    credential, _ = credentials.choose(target, TENANT, {})

    async def answered() -> T:
        async with graph.connect(credential, target) as directory:
            return await ask(directory)

    return asyncio.run(answered())


def tokens(*scopes: str) -> list[str]:
    """Ask one sign-in for tokens side by side, then for one more of the first scope."""

    async def given() -> list[str]:
        async with AzureCliSignIn(TENANT) as signed_in:
            found = await asyncio.gather(*map(signed_in.get_token, scopes))
            assert "token" not in f"{vars(signed_in)!r}{signed_in!r}"
            return [each.token for each in (*found, await signed_in.get_token(scopes[0]))]

    return asyncio.run(given())


def test_a_token_is_kept_as_long_as_it_lasts(az: Az) -> None:
    assert tokens(*[GRAPH] * 5) == ["token1"] * 6
    assert az.starts == 1


def test_a_token_that_ends_within_minutes_is_not(az: Az) -> None:
    az.gives(seconds=290)
    assert tokens(GRAPH) == ["token1", "token2"]


@pytest.mark.usefixtures("az")
def test_a_token_is_for_its_scope_alone() -> None:
    other = "https://outlook.office365.com/.default"
    assert tokens(GRAPH, other) == ["token1", "token2", "token1"]


def test_requests_to_graph_share_a_token_until_it_is_refused(
    az: Az, scripted: ScriptedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As azure-core's policy does, which takes any token for invalid that was answered by 401."""
    error = {"code": "InvalidAuthenticationToken", "message": "x"}
    bad, good = Answer(401, {"error": error}, CLOSE), Answer(200, NAMED, CLOSE)
    scripted.answer(ORGANIZATION, good, good, bad, good)

    async def ask(directory: Directory) -> None:
        await directory.organization()
        await directory.organization()
        with pytest.raises(DirectoryError) as refused:
            await directory.organization()
        assert (refused.value.passes, az.starts) == (True, 1)
        await directory.organization()

    asked(scripted, monkeypatch, ask)
    used = [each.headers["authorization"] for each in scripted.requests]
    assert used == ["Bearer token1"] * 3 + ["Bearer token2"]


def test_a_claims_challenge_is_told_with_the_sign_in_that_answers_it(
    az: Az, scripted: ScriptedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = base64.b64encode(b'{"access_token":{"nbf":{"value":"1"}}}').decode()
    challenge = f'Bearer error="insufficient_claims", claims="{claims}"'
    scripted.answer(ORGANIZATION, Answer(401, {}, CLOSE | {"WWW-Authenticate": challenge}))
    with pytest.raises(SignInRefused) as told:
        asked(scripted, monkeypatch, lambda directory: directory.organization())
    assert f"az login --claims-challenge {claims}" in str(told.value)
    assert not told.value.passes
    assert az.starts == 1


@pytest.mark.parametrize("line", ["exec sleep 3", "sleep 3 & exit 0"])
def test_an_az_that_takes_too_long(az: Az, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """The second one has ended by then, and what it started holds on to its output."""
    monkeypatch.setattr(azure_cli, "_LONGEST", timedelta(seconds=1))
    az.does(line)
    credential, source = credentials.choose(CLOUD, TENANT, {})
    with pytest.raises(NoAnswerYet, match=r"The Azure CLI gave no token for 1 s\.") as told:
        asyncio.run(credentials.sign_in(credential, CLOUD, source))
    assert "az account get-access-token" in told.value.next_step


def test_an_az_that_takes_too_long_at_a_renewal_leaves_something_unread(
    az: Az, scripted: ScriptedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all who wait for the token, who would else wait for one `az` after the other."""
    monkeypatch.setattr(azure_cli, "_LONGEST", timedelta(seconds=1))
    az.gives(seconds=200, before="[ $n = 1 ] || exec sleep 3")
    scripted.answer(ORGANIZATION, Answer(200, NAMED, CLOSE))

    async def ask(directory: Directory) -> list[object]:
        await directory.organization()
        reads = (evidence._read(directory.organization(), "x") for _ in range(4))
        found: list[object] = await asyncio.gather(*reads)
        with pytest.raises(DirectoryError) as late:
            await directory.organization()
        assert late.value.passes
        assert "az account get-access-token" in late.value.next_step
        return found

    found = asked(scripted, monkeypatch, ask, again=[timedelta()])
    assert found == [Unread("The Azure CLI gave no token for 1 s", "x")] * 4
    assert az.starts == 3
