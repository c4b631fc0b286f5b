"""Whatever a client sends, the answer is Graph's or Entra's own refusal, never a crash."""

import random
import string
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emulator.entities import APPLICATION, FEDERATED_CREDENTIAL, GRANT, SERVICE_PRINCIPAL
from emulator.odata_filter import Filter
from emulator.odata_path import parse
from emulator.problems import GraphError
from tests.emulator.objects import make_application, make_principal
from tests.tenant import Tenant

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
