"""Objects that many tests need, made through Graph."""

from typing import Any

import httpx

EXCHANGE_APP_ID = "00000002-0000-0ff1-ce00-000000000000"
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"


def created(response: httpx.Response) -> dict[str, Any]:
    """Read what a POST made."""
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


def make_application(graph: httpx.Client, **properties: Any) -> dict[str, Any]:
    """Register an application."""
    return created(graph.post("/v1.0/applications", json={"displayName": "App", **properties}))


def make_principal(
    graph: httpx.Client, application: dict[str, Any], **properties: Any
) -> dict[str, Any]:
    """Give an application its service principal."""
    body = {"appId": application["appId"], **properties}
    return created(graph.post("/v1.0/servicePrincipals", json=body))


def principal_of(graph: httpx.Client, app_id: str) -> dict[str, Any]:
    """Find a service principal."""
    url = f"/v1.0/servicePrincipals?$filter=appId eq '{app_id}'"
    [found] = graph.get(url).json()["value"]
    principal: dict[str, Any] = found
    return principal


def assign_policy(graph: httpx.Client, application_id: str, policy: dict[str, Any]) -> None:
    """Give an application an app management policy of its own."""
    made = created(graph.post("/v1.0/policies/appManagementPolicies", json=policy))
    reference = {"@odata.id": f"{graph.base_url}/v1.0/policies/appManagementPolicies/{made['id']}"}
    url = f"/v1.0/applications/{application_id}/appManagementPolicies/$ref"
    graph.post(url, json=reference).raise_for_status()


def make_grant(graph: httpx.Client, client_id: str, scope: str = "Mail.Send") -> dict[str, Any]:
    """Consent to Exchange Online for everyone."""
    body = {
        "clientId": client_id,
        "consentType": "AllPrincipals",
        "resourceId": principal_of(graph, EXCHANGE_APP_ID)["id"],
        "scope": scope,
    }
    return created(graph.post("/v1.0/oauth2PermissionGrants", json=body))


def refused(response: httpx.Response) -> tuple[int, str]:
    """Read a refusal of Graph's: status and code."""
    body = response.json()["error"]
    assert set(body) == {"code", "message", "innerError"}
    assert set(body["innerError"]) == {"date", "request-id", "client-request-id"}
    assert response.headers["request-id"] == body["innerError"]["request-id"]
    return response.status_code, body["code"]


def message(response: httpx.Response) -> str:
    """Read the text of a refusal."""
    return str(response.json()["error"]["message"])
