"""A client written by hand from Graph's documentation: httpx, OData, nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.tenant import Tenant


class Refused(Exception):
    """Graph's error, as its documentation has it."""

    def __init__(self, response: httpx.Response) -> None:
        error = response.json()["error"]
        super().__init__(f"{response.status_code} {error['code']}: {error['message']}")
        self.status = response.status_code
        self.code = error["code"]


@dataclass
class ODataClient:
    """Reads and writes entities; knows nothing of what they are."""

    http: httpx.Client
    root: str

    def call(self, method: str, path: str, **options: Any) -> Any:
        url = path if path.startswith("https://") else f"{self.root}/{path}"
        response = self.http.request(method, url, **options)
        if response.is_error:
            raise Refused(response)
        return response.json() if response.content else None

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        url: str | None = path
        while url is not None:
            page = self.call("GET", url)
            yield from page["value"]
            url = page.get("@odata.nextLink")

    def batch(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        replies = self.call("POST", "$batch", json={"requests": list(requests)})["responses"]
        by_id = {one["id"]: one for one in replies}
        return [by_id[request["id"]] for request in requests]


@pytest.fixture
def client(tenant: Tenant) -> Iterator[ODataClient]:
    with httpx.Client(verify=tenant.ssl_context) as anonymous:
        endpoints = anonymous.get(
            f"https://{tenant.metadata_host}/metadata/endpoints?api-version=2022-09-01"
        ).json()
        resource = endpoints["microsoftGraphResourceId"].rstrip("/")
        login = endpoints["authentication"]["loginEndpoint"]
        configuration = anonymous.get(
            f"{login}/{tenant.tenant_id}/v2.0/.well-known/openid-configuration"
        ).json()
        token = anonymous.post(
            configuration["token_endpoint"],
            data={
                "grant_type": "client_credentials",
                "client_id": tenant.client_id,
                "client_secret": tenant.client_secret,
                "scope": f"{resource}/.default",
            },
        ).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(verify=tenant.ssl_context, headers=headers) as http:
        yield ODataClient(http, f"{resource}/v1.0")


def test_it_finds_its_way_from_the_metadata_alone(client: ODataClient) -> None:
    names = {one["displayName"] for one in client.all("servicePrincipals?$select=displayName")}
    assert {"Microsoft Graph", "Office 365 Exchange Online", "Deployer"} <= names


def test_entities_come_and_go(client: ODataClient) -> None:
    made = client.call("POST", "applications", json={"displayName": "By hand"})
    key = f"applications(appId='{made['appId']}')"
    client.call("PATCH", key, json={"notes": "n"})
    assert client.call("GET", f"{key}?$select=notes")["notes"] == "n"
    client.call("DELETE", key)
    with pytest.raises(Refused, match="404 Request_ResourceNotFound"):
        client.call("GET", key)


def test_it_walks_over_thousands(tenant: Tenant, client: ODataClient) -> None:
    tenant.seed(applications=[{"display_name": "Foreign {n}", "count": 3000}])
    found = list(client.all("applications?$top=999&$select=id&$filter=startswith(displayName,'F')"))
    assert len({one["id"] for one in found}) == 3000


def test_it_sends_batches(client: ODataClient) -> None:
    headers = {"Content-Type": "application/json"}
    body = {"displayName": "One of a batch"}
    made, found, missing = client.batch(
        {"id": "a", "method": "POST", "url": "/applications", "headers": headers, "body": body},
        {
            "id": "b",
            "method": "GET",
            "url": "/applications?$filter=displayName eq 'One of a batch'",
            "dependsOn": ["a"],
        },
        {"id": "c", "method": "GET", "url": "/applications/5d5e0a8e-0000-0000-0000-000000000000"},
    )
    assert (made["status"], found["status"], missing["status"]) == (201, 200, 404)
    assert [one["id"] for one in found["body"]["value"]] == [made["body"]["id"]]
