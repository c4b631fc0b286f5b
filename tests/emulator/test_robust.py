"""Whatever a client sends, the answer is Graph's or Entra's own refusal, never a crash."""

import asyncio
import base64
import json
import logging
import random
import socket
import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emulator.cloud import Cloud
from emulator.config import Config
from emulator.directory.complex_types import COMPLEX, PROPERTIES
from emulator.directory.entities import APPLICATION, FEDERATED_CREDENTIAL, GRANT, SERVICE_PRINCIPAL
from emulator.directory.first_party import GRAPH_APP_ID
from emulator.directory.store import Kind, Record
from emulator.entra import tenant_application
from emulator.odata.odata_filter import Filter
from emulator.odata.odata_path import parse
from emulator.odata.problems import GraphError
from emulator.pipelines import Pipelines
from emulator.sign_in import admin_consent
from emulator.sign_in.client_proof import prove
from emulator.sign_in.login_problems import LoginError
from emulator.sign_in.sign_in_view import Client, SignInView
from tests.emulator.objects import make_application, make_principal
from tests.tenant import Tenant
from tests.waiting import until

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def bodies(names: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(sorted(names)), VALUES, max_size=4)


def answered(response: httpx.Response) -> None:
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.json()["error"]


@FEW
@given(body=bodies(APPLICATION.properties))
def test_any_application(graph: httpx.Client, body: dict[str, Any]) -> None:
    answered(graph.post("/v1.0/applications", json={"displayName": "x"} | body))


@FEW
@given(data=st.data())
def test_any_members(graph: httpx.Client, data: st.DataObject) -> None:
    names = sorted(name for name, member in PROPERTIES.items() if member.type in COMPLEX)
    name = data.draw(st.sampled_from(names))
    one, other = (data.draw(bodies(COMPLEX[PROPERTIES[name].type])) for _ in range(2))
    for value in (one, [one], [one, other]):
        answered(graph.post("/v1.0/applications", json={"displayName": "x", name: value}))


@FEW
@given(data=st.data())
def test_any_change(graph: httpx.Client, data: st.DataObject) -> None:
    application = make_application(graph)
    principal = make_principal(graph, application)
    url = f"/v1.0/applications/{application['id']}"
    answered(graph.patch(url, json=data.draw(bodies(APPLICATION.properties))))
    answered(graph.post(f"{url}/addPassword", json=data.draw(VALUES)))
    credential = {"passwordCredential": data.draw(bodies({"endDateTime", "startDateTime", "x"}))}
    answered(graph.post(f"{url}/addPassword", json=credential))
    answered(graph.post(f"{url}/removePassword", json=data.draw(bodies({"keyId"}))))
    credentials = f"{url}/federatedIdentityCredentials"
    answered(graph.post(credentials, json=data.draw(bodies(FEDERATED_CREDENTIAL.properties))))
    changed = data.draw(bodies(SERVICE_PRINCIPAL.properties))
    answered(graph.patch(f"/v1.0/servicePrincipals/{principal['id']}", json=changed))
    grant = data.draw(bodies(GRANT.properties)) | {"clientId": principal["id"]}
    answered(graph.post("/v1.0/oauth2PermissionGrants", json=grant))
    answered(graph.get(url))
    answered(graph.get("/v1.0/applications?$filter=tags/any(t:t eq 'x')"))
    graph.delete(url)
    graph.delete(f"/v1.0/directory/deletedItems/{application['id']}")


@FEW
@given(body=VALUES)
def test_any_batch(graph: httpx.Client, body: Any) -> None:
    answered(graph.post("/v1.0/$batch", json=body))
    answered(graph.post("/v1.0/$batch", json={"requests": [body]}))
    item = {"id": "1", "method": "GET", "url": "/applications", "headers": body, "body": body}
    answered(graph.post("/v1.0/$batch", json={"requests": [item]}))


@FEW
@given(form=st.dictionaries(st.text(string.ascii_lowercase + "_", max_size=12), st.text()))
def test_any_sign_in(tenant: Tenant, form: dict[str, str]) -> None:
    answered(tenant.sign_in(**{name: value for name, value in form.items() if name != "tenant"}))


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    """What a tenant is made of, without a server."""
    return Cloud(Config(ready_file=Path("ready.json")))


PERMISSIONS = st.lists(
    st.dictionaries(
        st.sampled_from(["id", "isEnabled", "resourceAccess", "resourceAppId", "type", "value"]),
        VALUES | st.sampled_from(["Scope", GRAPH_APP_ID]) | st.just([{"type": "Scope"}]),
    ),
    max_size=3,
)


@FEW
@given(permissions=PERMISSIONS)
@example([{"id": "r", "isEnabled": True}])
@example([{}])
@example([{"resourceAppId": GRAPH_APP_ID}])
@example([{"resourceAppId": GRAPH_APP_ID, "resourceAccess": [{}]}])
def test_any_permissions_that_are_stored(cloud: Cloud, permissions: list[dict[str, Any]]) -> None:
    cloud.reset()
    [tenant] = cloud.tenants.values()
    view = SignInView(cloud, tenant, frozenset())
    client = view.client(tenant.spec.deployer_id)
    required = {**client.registration.body, "requiredResourceAccess": permissions}
    client = Client(tenant.change(client.registration, required), tenant)
    graph = view.resource(GRAPH_APP_ID)
    changed = {"appRoles": permissions, "oauth2PermissionScopes": permissions}
    graph = tenant.change(graph, changed)
    principal = view.enabled_principal(client)
    body = {"principalId": principal.id, "resourceId": graph.id, "appRoleId": "r"}
    tenant.store.add(Record(Kind.APP_ROLE_ASSIGNMENT, "a", body))
    assert all(view.app_roles(principal, graph))
    user = next(tenant.live(Kind.USER))
    assert all(view.granted(principal, graph, user))
    for ask in (
        lambda: view.wanted(f"{GRAPH_APP_ID}/User.Read", client),
        lambda: admin_consent.consent(tenant, client, f"{GRAPH_APP_ID}/User.Read"),
        lambda: admin_consent.consent(tenant, client, f"{GRAPH_APP_ID}/.default"),
    ):
        try:
            ask()
        except LoginError:
            continue


def unsigned(claims: dict[str, Any]) -> str:
    """Make a JSON Web Token that nobody signed, whatever is in it."""
    parts = ({"alg": "RS256"}, claims, "")
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts)


@FEW
@given(
    stored=st.fixed_dictionaries({"issuer": VALUES, "subject": VALUES}),
    audiences=st.none() | st.lists(VALUES, max_size=2),
    claims=st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp"]), VALUES),
)
@example({"issuer": "i", "subject": None}, ["a"], {"iss": "i", "sub": "s", "aud": "a"})
@example({"issuer": "i", "subject": "s"}, ["a"], {"iss": "i", "sub": "s", "aud": [{}]})
@example({"issuer": "i", "subject": "s"}, ["a"], {"iss": "i", "sub": "s", "aud": {"a": 1}})
@example({"issuer": "i", "subject": "s"}, None, {"iss": "i", "sub": "s", "aud": "a"})
@example({"issuer": "", "subject": ""}, [""], {})
def test_any_assertion_and_any_stored_credential(
    cloud: Cloud, stored: dict[str, Any], audiences: list[Any] | None, claims: dict[str, Any]
) -> None:
    cloud.reset()
    [tenant] = cloud.tenants.values()
    view = SignInView(cloud, tenant, frozenset())
    client = view.client(tenant.spec.deployer_id)
    body = {**stored, "audiences": audiences}
    parent = client.registration.id
    tenant.store.add(Record(Kind.FEDERATED_CREDENTIAL, "f", body, parent=parent))
    form = {
        "client_assertion": unsigned(claims),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    with pytest.raises(LoginError):
        prove(cloud, view, client, form)


def test_what_nobody_foresaw_is_told_in_the_form_of_the_service(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = tenant_application(cloud, frozenset(), Pipelines(cloud))
    monkeypatch.setattr(cloud, "tenants", None)

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as http:
            token = cloud.key.sign(
                {"aud": GRAPH_APP_ID, "exp": 2**40, "tid": "t", "appid": "a", "oid": "o"}
            )
            headers = {"authorization": f"Bearer {token}"}
            form = {"grant_type": "client_credentials", "client_id": "x"}
            return (
                await http.post("/contoso/oauth2/v2.0/token", data=form),
                await http.get("/v1.0/applications", headers=headers),
            )

    with caplog.at_level(logging.ERROR):
        login, graph = asyncio.run(ask())
    assert (login.status_code, login.json()["error_codes"]) == (500, [90033])
    assert (graph.status_code, graph.json()["error"]["code"]) == (500, "InternalServerError")
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


@pytest.mark.parametrize("path", ["/common/oauth2/v2.0/token", "/v1.0/applications"])
@pytest.mark.parametrize("named", ["", "Host:\r\n", "Host: localhost\r\nHost: localhost\r\n"])
def test_a_request_that_does_not_name_one_host(tenant: Tenant, path: str, named: str) -> None:
    address = ("127.0.0.1", urlsplit(tenant.authority).port)
    with (
        socket.create_connection(address) as plain,
        tenant.ssl_context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\n{named}\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("length", "end"), [("Content-Length: {}", ""), ("Transfer-Encoding: chunked", "0\r\n\r\n")]
)
def test_a_request_that_is_cut_off_is_not_carried_out(
    tenant: Tenant, length: str, end: str, whole: bool
) -> None:
    body = '{"displayName": "cut off"}'
    size = len(body) if whole else 1000
    content = body if "{}" in length else f"{len(body):x}\r\n{body}\r\n{end if whole else ''}"
    head = (
        "POST /v1.0/applications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {tenant.token()}\r\n{length.format(size)}\r\n\r\n"
    )
    address = ("127.0.0.1", urlsplit(tenant.authority).port)
    with (
        socket.create_connection(address) as plain,
        tenant.ssl_context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(f"{head}{content}".encode())
    until(lambda: [one for one in tenant.writes() if one["status"] or not whole])
    [asked] = tenant.writes()
    assert asked["request"] == json.loads(body)
    assert (asked["status"] == 201) is asked["delivered"] is whole
    listed = tenant.ask("GET", "/applications?$filter=displayName eq 'cut off'")["value"]
    assert bool(listed) is whole


@given(text=st.text(string.printable, max_size=40))
def test_any_filter(text: str) -> None:
    with pytest.raises(GraphError):
        Filter(f"{text} \x00", APPLICATION, advanced=True)
    try:
        Filter(text, APPLICATION, advanced=True).passes({"displayName": "x", "tags": ["y"]})
    except GraphError:
        return


@given(
    left=st.sampled_from(["displayName", "tags", "createdDateTime", "info/x", "owners/$count"]),
    operator=st.sampled_from(["eq", "ne", "ge", "le", "gt", "in", "has"]),
    right=st.sampled_from(
        ["'x'", "5", "null", "true", "('a','b')", "2021-01-01", "x", "-1", "1.5"]
    ),
    value=VALUES,
)
def test_any_comparison(left: str, operator: str, right: str, value: Any) -> None:
    try:
        wanted = Filter(f"{left} {operator} {right}", APPLICATION, advanced=True)
    except GraphError:
        return
    assert wanted.passes({"displayName": value, "createdDateTime": value}) in (True, False)


@given(path=st.text(string.printable, max_size=30))
@example("()")
@example("users('')")
@example("users('x'")
def test_any_path(path: str) -> None:
    try:
        assert all(parse(path))
    except GraphError:
        return


def test_a_storm_of_everything(tenant: Tenant) -> None:
    """Eight clients at once, lagging replicas, cut connections: never a 500, and one of each."""
    tenant.faults(
        {"ratio": 0.05, "strike": "status", "status": 503},
        {"ratio": 0.03, "strike": "reset-after", "match": {"service": "graph"}},
        {"ratio": 0.02, "strike": "reset-in-body", "match": {"service": "graph"}},
        lag={"seconds": 0.5, "stale_ratio": 0.5},
    )
    token = next(
        response.json()["access_token"]
        for response in (tenant.sign_in() for _ in range(20))
        if response.status_code == 200
    )

    def client(number: int) -> set[int]:
        choose, seen = random.Random(number), set()  # noqa: S311 (chooses calls, no secrets)
        ids: list[str] = []
        app_ids: list[str] = []
        with tenant.http(token) as graph:

            def call(method: str, path: str, **body: Any) -> dict[str, Any]:
                try:
                    response = graph.request(method, f"/v1.0/{path}", **body)
                except httpx.TransportError:
                    return {}
                seen.add(response.status_code)
                return response.json() if response.content and response.is_success else {}

            for _ in range(60):
                one = choose.choice(ids) if ids else "5d5e0a8e-0000-4000-8000-000000000000"
                match choose.randrange(9):
                    case 0 | 1:
                        made = call("POST", "applications", json={"displayName": f"storm {number}"})
                        ids += [made["id"]] if made else []
                        app_ids += [made["appId"]] if made else []
                    case 2 if app_ids:
                        body = {"appId": choose.choice(app_ids)}
                        ids += [call("POST", "servicePrincipals", json=body).get("id", one)]
                    case 3:
                        call("PATCH", f"applications/{one}", json={"notes": "n"})
                    case 4:
                        call("POST", f"applications/{one}/addPassword", json={})
                    case 5:
                        call("DELETE", f"applications/{one}")
                    case 6:
                        call("POST", f"directory/deletedItems/{one}/restore")
                    case 7:
                        call("DELETE", f"directory/deletedItems/{one}")
                    case _:
                        call("GET", "applications?$filter=startswith(displayName,'storm')")
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = set().union(*pool.map(client, range(8)))
    assert {200, 201, 204, 404, 503} <= seen
    assert seen <= {200, 201, 204, 400, 404, 409, 503}
    tenant.faults()
    with tenant.http(token) as graph:
        value = graph.get("/v1.0/servicePrincipals?$top=999&$select=appId").json()["value"]
        app_ids = [one["appId"] for one in value]
        assert len(set(app_ids)) == len(app_ids)
