"""Application registrations and service principals over the wire."""

import httpx
import pytest

from tests.tenant import Tenant

EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"


def make_application(graph: httpx.Client, **properties: object) -> dict[str, object]:
    response = graph.post("/v1.0/applications", json={"displayName": "Proself mail", **properties})
    assert response.status_code == 201, response.text
    created: dict[str, object] = response.json()
    return created


def error(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()["error"]
    assert set(body["innerError"]) == {"date", "request-id", "client-request-id"}
    return response.status_code, body["code"], body["message"]


def test_a_created_application_has_graphs_defaults_and_its_creator_as_owner(
    tenant: Tenant, graph: httpx.Client
) -> None:
    created = make_application(graph)
    assert created["signInAudience"] == "AzureADandPersonalMicrosoftAccount"
    assert created["api"]["requestedAccessTokenVersion"] == 2  # type: ignore[index]
    assert created["publisherDomain"] == "contoso.onmicrosoft.com"
    assert created["passwordCredentials"] == created["identifierUris"] == created["tags"] == []
    assert str(created["@odata.context"]).endswith("/v1.0/$metadata#applications/$entity")
    owners = graph.get(f"/v1.0/applications/{created['id']}/owners").json()["value"]
    assert [owner["appId"] for owner in owners] == [tenant.client_id]
    assert owners[0]["@odata.type"] == "#microsoft.graph.servicePrincipal"
    assert graph.get(f"/v1.0/applications/{created['id']}").json()["appId"] == created["appId"]


def test_administrator_signs_in(administrator: httpx.Client) -> None:
    assert administrator.get("/v1.0/me").json()["displayName"] == "Administrator"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, "Request_BadRequest", "Invalid value specified for property 'displayName'"),
        ({"displayName": "x", "colour": 1}, "BadRequest", "The property 'colour' does not exist"),
        ({"displayName": "x", "appId": "y"}, "Request_BadRequest", "is read-only"),
        ({"displayName": "x", "web": {"redirectUris": "y"}}, "Request_BadRequest", "'web'"),
        ({"displayName": "x", "signInAudience": "All"}, "Request_BadRequest", "signInAudience"),
    ],
)
def test_a_bad_body_is_refused_and_makes_nothing(
    graph: httpx.Client, body: dict[str, object], code: str, message: str
) -> None:
    before = len(graph.get("/v1.0/applications").json()["value"])
    status, got, text = error(graph.post("/v1.0/applications", json=body))
    assert (status, got) == (400, code)
    assert message in text
    assert len(graph.get("/v1.0/applications").json()["value"]) == before
