"""Answers of Graph that are none: each ends in one sentence, and none of them is an empty list."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from kiota_http.middleware.retry_handler import RetryHandler

from proself_mail.config.settings import TargetName
from proself_mail.entra import graph, graph_records, graph_transport
from proself_mail.entra.directory import Directory, DirectoryError, Forbidden, NotFound
from proself_mail.entra.target import CLOUD, Target
from proself_mail.errors import ConfigurationError
from proself_mail.verification import evidence
from proself_mail.verification.evidence import Unread
from tests.emulator import scripted_graph
from tests.emulator.scripted_graph import APPLICATION, ScriptedGraph

TAG = "proself-mail:stack=1"
LIST = (
    f"GET /v1.0/applications?$filter=tags/any(t:t eq '{TAG}')&$select="
    f"{','.join(graph_records.APPLICATION_FIELDS)}&$top=999"
)
ORGANIZATION = "GET /v1.0/organization"

Ask = Callable[[Directory], Awaitable[object]]


async def listed(directory: Directory) -> list[str]:
    return [each.object_id async for each in directory.applications_tagged(TAG)]


def answer(
    status: int | None, body: Any = None, headers: dict[str, str] | None = None
) -> scripted_graph.Answer:
    """Give an answer and hang up: the SDK never closes a connection."""
    return scripted_graph.Answer(status, body, {**(headers or {}), "Connection": "close"})


class Credential(AsyncTokenCredential):
    closed = False

    async def get_token(self, *_scopes: str, **_more: Any) -> AccessToken:
        return AccessToken("token", 2**40)

    async def close(self) -> None:
        """There is nothing to close."""

    async def __aexit__(self, *_: object) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedGraph]:
    with ScriptedGraph(tmp_path_factory.mktemp("graph")) as serving:
        yield serving


@pytest.fixture
def ask(scripted: ScriptedGraph, monkeypatch: pytest.MonkeyPatch) -> Callable[[Ask], Any]:
    monkeypatch.setenv("SSL_CERT_FILE", scripted.environment["SSL_CERT_FILE"])
    monkeypatch.setattr(graph_transport, "_READ_AGAIN_AFTER", ())
    target = Target(TargetName.EMBEDDED, scripted.url, scripted.url, scripted.host)

    async def asked(question: Ask) -> object:
        async with graph.connect(Credential(), target) as directory:
            return await question(directory)

    return lambda question: asyncio.run(asked(question))


def refused(ask: Callable[[Ask], Any], question: Ask) -> DirectoryError:
    with pytest.raises(DirectoryError) as error:
        ask(question)
    assert "\n" not in str(error.value)
    assert not error.value.passes
    return error.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        [],
        {},
        {"value": None},
        {"value": ""},
        {"value": {}},
        {"value": [None]},
        {"value": [{}]},
        {"value": [{"id": 1, "appId": "a"}]},
        {"value": [{**APPLICATION, "tags": "proself-mail"}]},
        {"value": [{**APPLICATION, "createdDateTime": "yesterday"}]},
        {"value": [{**APPLICATION, "createdDateTime": "0001-01-01T00:00:00+14:00"}]},
        {"value": [{**APPLICATION, "passwordCredentials": [{}]}]},
        {"value": [{**APPLICATION, "web": []} | {"web": [1]}]},
        {"value": [APPLICATION], "@odata.nextLink": 1},
        {"value": [APPLICATION], "@odata.nextLink": "https://elsewhere.example/v1.0/applications"},
        {"value": [APPLICATION], "@odata.nextLink": "http://localhost/v1.0/applications"},
    ],
)
def test_an_answer_of_another_form(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any], body: Any
) -> None:
    scripted.answer(LIST, answer(200, body))
    assert refused(ask, listed).code == "unreadable"


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "Authorization_RequestDenied", "{code}: needs Application.Read.All"),
        (401, "InvalidAuthenticationToken", "Microsoft Graph answered 401: {code}: Refused"),
    ],
)
def test_a_token_that_is_refused_is_no_missing_permission(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any], status: int, code: str, reason: str
) -> None:
    body = {"error": {"code": code, "message": "Refused."}}
    scripted.answer(LIST, answer(status, body, {"Content-Type": "application/json"}))
    with pytest.raises(DirectoryError) as error:
        ask(listed)
    assert isinstance(error.value, Forbidden) is (status == 403)
    found = ask(lambda directory: evidence._read(listed(directory), "Application.Read.All"))
    assert found == Unread(reason.format(code=code), "Application.Read.All")


@pytest.mark.parametrize("status", [400, 403, 404, 407])
@pytest.mark.parametrize("body", ["<html>Blocked</html>", "", "{}", '{"error": "blocked"}'])
def test_a_refusal_that_is_none_of_graphs_says_nothing_of_the_tenant(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any], status: int, body: str
) -> None:
    kind = "application/json" if body.startswith("{") else "text/html"
    scripted.answer(LIST, answer(status, body.encode(), {"Content-Type": kind}))
    error = refused(ask, listed)
    assert (error.code, error.status) == ("unreadable", status)
    assert not isinstance(error, Forbidden | NotFound)
    assert "proxy" in error.next_step


@pytest.mark.parametrize("status", [None, 429, 500, 502, 503, 504])
def test_a_read_that_goes_on_failing_is_sent_four_times(
    scripted: ScriptedGraph,
    ask: Callable[[Ask], Any],
    monkeypatch: pytest.MonkeyPatch,
    status: int | None,
) -> None:
    """By the SDK or by us, and never by the one for each time of the other."""
    monkeypatch.setattr(graph_transport, "_READ_AGAIN_AFTER", (timedelta(),) * 3)
    monkeypatch.setattr(RetryHandler, "get_delay_time", lambda *_: 0)
    scripted.answer(ORGANIZATION, answer(status, headers={"Retry-After": "7"}))
    before = len(scripted.requests)
    with pytest.raises(DirectoryError) as error:
        ask(lambda directory: directory.organization())
    assert error.value.status == status
    assert error.value.retry_after == timedelta(seconds=7 if status else 0)
    assert len(scripted.requests) == before + 4


@pytest.mark.parametrize("body", [{"value": []}, {"value": [{"displayName": "Contoso"}]}])
def test_a_tenant_that_names_none(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any], body: Any
) -> None:
    scripted.answer(ORGANIZATION, answer(200, body))
    assert refused(ask, lambda directory: directory.organization()).code == "unreadable"


@pytest.mark.parametrize(
    "location", ["{url}/v1.0/organization", "http://localhost/", "https://elsewhere.example/", "//"]
)
@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any], status: int, location: str
) -> None:
    away = {"Location": location.format(url=scripted.url)}
    scripted.answer(ORGANIZATION, answer(status, {"value": []}, away))
    assert refused(ask, lambda directory: directory.organization()).status == status
    before = len(scripted.requests)
    scripted.answer("DELETE /v1.0/applications/a", answer(status, None, away))
    assert refused(ask, lambda directory: directory.delete_application("a")).status == status
    assert len(scripted.requests) == before + 1


def test_a_list_that_leads_back_to_a_page_of_its_own_ends(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any]
) -> None:
    """By way of another page too; one that goes on is read to its end."""
    pages = {name: f"/v1.0/applications?$skiptoken={name}" for name in ("one", "two")}
    links = {name: f"{scripted.url}{quote(path, safe='/?=$')}" for name, path in pages.items()}

    def page(following: str | None) -> scripted_graph.Answer:
        link = {"@odata.nextLink": links[following]} if following else {}
        return answer(200, {"value": [APPLICATION], **link})

    scripted.answer(LIST, page("one"))
    scripted.answer(f"GET {pages['one']}", page("two"))
    scripted.answer(f"GET {pages['two']}", page(None))
    assert ask(listed) == [APPLICATION["id"]] * 3
    scripted.answer(f"GET {pages['two']}", page("one"))
    assert refused(ask, listed).code == "unreadable"


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        ("oauth2PermissionGrants?$filter=clientId eq 'a'&$top=999", lambda g: g.grants("a")),
        (
            f"users?$filter=mail eq 'a'&$select={','.join(graph_records.USER_FIELDS)}",
            lambda g: g.users_with_mail("a"),
        ),
        ("applications/a/owners", lambda g: g.owners("a")),
        ("servicePrincipals/a/owners", lambda g: g.service_principal_owners("a")),
    ],
)
def test_a_list_is_read_to_its_last_page(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any], asked: str, question: Ask
) -> None:
    """Page after page: what matters may be on the last one."""
    body = {"clientId": "a", "resourceId": "b", "userPrincipalName": "c"}
    following = "/v1.0/all?$skiptoken=two"
    link = f"{scripted.url}{quote(following, safe='/?=$')}"
    first = {"value": [{"id": "1", **body}], "@odata.nextLink": link}
    scripted.answer(f"GET /v1.0/{asked}", answer(200, first))
    scripted.answer(f"GET {following}", answer(200, {"value": [{"id": "2", **body}]}))
    assert len(ask(question)) == 2


@pytest.mark.parametrize(
    ("created", "allowed"), [("2027-03-31T23:59:59Z", True), ("2027-04-01T00:00:00Z", False)]
)
def test_a_rule_for_newer_applications_spares_those_made_before(
    scripted: ScriptedGraph, ask: Callable[[Ask], Any], created: str, allowed: bool
) -> None:
    since = {"restrictForAppsCreatedAfterDateTime": "2027-04-01T00:00:00Z"}
    rule = {"restrictionType": "passwordAddition", "state": "enabled", **since}
    policy = {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [rule]}}
    scripted.answer("GET /v1.0/policies/defaultAppManagementPolicy", answer(200, policy))
    scripted.answer("GET /v1.0/applications/a/appManagementPolicies", answer(200, {"value": []}))
    scripted.answer(
        f"GET /v1.0/applications/a?$select={','.join(graph_records.APPLICATION_FIELDS)}",
        answer(200, {**APPLICATION, "createdDateTime": created}),
    )
    assert ask(lambda directory: directory.app_policy("a")).passwords_allowed is allowed
    assert not ask(lambda directory: directory.app_policy()).passwords_allowed, "a new one"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/at/all.pem"),
        ("SSL_CERT_FILE", __file__),
        ("HTTPS_PROXY", "gopher://aki:hidden@localhost"),
        ("HTTPS_PROXY", "http://aki:hidden/1@localhost"),
        ("NO_PROXY", "localhost:hidden"),
    ],
)
def test_a_variable_that_nothing_can_be_asked_by_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    credential = Credential()

    async def connect() -> None:
        async with graph.connect(credential, CLOUD):
            pass

    with pytest.raises(ConfigurationError, match=variable) as refused:
        asyncio.run(connect())
    assert "hidden" not in str(refused.value)
    assert credential.closed


def test_what_the_sdk_has_deprecated_is_no_error_where_warnings_are() -> None:
    """As PYTHONWARNINGS=error has it."""
    command = [sys.executable, "-W", "error", "-c", "from proself_mail.entra import graph"]
    done = subprocess.run(command, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
