"""Soft deletion, restoring, purging, and the quota that counts what lies in the bin."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.emulator.objects import (
    make_application,
    make_grant,
    make_principal,
    message,
    refused,
)
from tests.tenant import Tenant

BIN = "/v1.0/directory/deletedItems"


def in_bin(graph: httpx.Client, type_name: str = "application") -> list[str]:
    value = graph.get(f"{BIN}/microsoft.graph.{type_name}").json()["value"]
    return [item["id"] for item in value]


@pytest.fixture
def deleted(graph: httpx.Client) -> dict[str, Any]:
    """An application in the bin, its service principal with it."""
    application = make_application(graph)
    principal = make_principal(graph, application)
    assert graph.delete(f"/v1.0/applications/{application['id']}").status_code == 204
    return {"application": application["id"], "principal": principal["id"], **application}


def test_it_takes_its_service_principal_along(graph: httpx.Client, deleted: dict[str, Any]) -> None:
    assert refused(graph.get(f"/v1.0/applications/{deleted['application']}"))[0] == 404
    assert refused(graph.get(f"/v1.0/servicePrincipals/{deleted['principal']}"))[0] == 404
    assert refused(graph.delete(f"/v1.0/applications/{deleted['application']}"))[0] == 404
    assert in_bin(graph) == [deleted["application"]]
    assert in_bin(graph, "servicePrincipal") == [deleted["principal"]]
    item = graph.get(f"{BIN}/{deleted['application']}").json()
    assert item["@odata.type"] == "#microsoft.graph.application"
    assert item["deletedDateTime"]
    url = f"{BIN}/microsoft.graph.application?$filter=displayName eq 'App'"
    assert len(graph.get(url).json()["value"]) == 1
    assert refused(graph.get(f"{BIN}/microsoft.graph.printer"))[0] == 400


def test_the_bin_is_counted(graph: httpx.Client, deleted: dict[str, Any]) -> None:
    headers = {"ConsistencyLevel": "eventual"}
    url = f"{BIN}/microsoft.graph.application/$count"
    assert (deleted["application"] in in_bin(graph), graph.get(url, headers=headers).text) == (
        True,
        "1",
    )


def test_a_service_principal_taken_meanwhile_stands_in_the_way(graph: httpx.Client) -> None:
    application = make_application(graph)
    first = make_principal(graph, application)
    graph.delete(f"/v1.0/servicePrincipals/{first['id']}")
    second = make_principal(graph, application)
    response = graph.post(f"{BIN}/{first['id']}/restore")
    assert refused(response) == (409, "Request_MultipleObjectsWithSameKeyValue")
    graph.delete(f"/v1.0/servicePrincipals/{second['id']}")
    assert graph.post(f"{BIN}/{first['id']}/restore").status_code == 200


def test_each_is_restored_by_itself_and_the_application_first(
    graph: httpx.Client, deleted: dict[str, Any]
) -> None:
    early = graph.post(f"{BIN}/{deleted['principal']}/restore")
    assert refused(early)[0] == 400
    assert "without backing Application" in message(early)
    restored = graph.post(f"{BIN}/{deleted['application']}/restore")
    assert restored.status_code == 200
    assert restored.json()["deletedDateTime"] is None
    assert graph.get(f"/v1.0/applications/{deleted['application']}").status_code == 200
    assert in_bin(graph, "servicePrincipal") == [deleted["principal"]]
    assert graph.post(f"{BIN}/{deleted['principal']}/restore").status_code == 200
    assert graph.get(f"/v1.0/servicePrincipals/{deleted['principal']}").status_code == 200
    assert refused(graph.post(f"{BIN}/{deleted['principal']}/restore"))[0] == 404


def test_a_uri_taken_meanwhile_stands_in_the_way(graph: httpx.Client) -> None:
    uri = "https://contoso.example/app"
    first = make_application(graph, identifierUris=[uri])
    graph.delete(f"/v1.0/applications/{first['id']}")
    second = make_application(graph, identifierUris=[uri])
    response = graph.post(f"{BIN}/{first['id']}/restore")
    assert refused(response)[0] == 400
    assert "same value for property identifierUris" in message(response)
    graph.delete(f"/v1.0/applications/{second['id']}")
    assert graph.post(f"{BIN}/{first['id']}/restore").status_code == 200


def test_purged_is_gone_for_good(graph: httpx.Client, deleted: dict[str, Any]) -> None:
    assert graph.delete(f"{BIN}/{deleted['application']}").status_code == 204
    assert in_bin(graph) == []
    assert refused(graph.get(f"{BIN}/{deleted['application']}"))[0] == 404
    assert refused(graph.delete(f"{BIN}/{deleted['application']}"))[0] == 404
    assert in_bin(graph, "servicePrincipal") == [deleted["principal"]]
    assert graph.delete(f"{BIN}/{deleted['principal']}").status_code == 204
    assert in_bin(graph, "servicePrincipal") == []


def test_a_purged_client_takes_its_grants_along(graph: httpx.Client) -> None:
    principal = make_principal(graph, make_application(graph))
    grant = make_grant(graph, principal["id"])
    graph.delete(f"/v1.0/servicePrincipals/{principal['id']}")
    graph.delete(f"{BIN}/{principal['id']}")
    assert refused(graph.get(f"/v1.0/oauth2PermissionGrants/{grant['id']}"))[0] == 404


def test_after_thirty_days_it_empties_itself(tenant: Tenant, deleted: dict[str, Any]) -> None:
    tenant.advance(29 * 86400)
    with tenant.http(tenant.token()) as later:
        assert in_bin(later) == [deleted["application"]]
        tenant.advance(2 * 86400)
    with tenant.http(tenant.token()) as later:
        assert in_bin(later) == []


def test_the_living_are_not_in_the_bin(graph: httpx.Client) -> None:
    application = make_application(graph)
    for response in (
        graph.get(f"{BIN}/{application['id']}"),
        graph.delete(f"{BIN}/{application['id']}"),
        graph.post(f"{BIN}/{application['id']}/restore"),
    ):
        assert refused(response) == (404, "Request_ResourceNotFound")
    assert graph.get(f"/v1.0/applications/{application['id']}").status_code == 200


def test_others_cannot_restore_or_purge_what_they_do_not_own(
    tenant: Tenant, graph: httpx.Client
) -> None:
    yesterday = (tenant.now() - timedelta(days=1)).isoformat()
    made = tenant.seed(applications=[{"display_name": "x", "deleted": yesterday}])
    [foreign] = made["applications"]
    assert in_bin(graph) == [foreign["id"]]
    assert refused(graph.post(f"{BIN}/{foreign['id']}/restore"))[0] == 403
    assert refused(graph.delete(f"{BIN}/{foreign['id']}"))[0] == 403


def test_the_quota_counts_the_bin(tenant: Tenant, graph: httpx.Client) -> None:
    tenant.seed(quota=3)
    applications = [make_application(graph) for _ in range(3)]
    refusal = graph.post("/v1.0/applications", json={"displayName": "one too many"})
    assert refused(refusal) == (403, "Directory_QuotaExceeded")
    assert message(refusal).startswith("The directory object quota limit for the Principal")
    graph.delete(f"/v1.0/applications/{applications[0]['id']}")
    assert refused(graph.post("/v1.0/applications", json={"displayName": "x"}))[0] == 403
    graph.delete(f"{BIN}/{applications[0]['id']}")
    make_application(graph)


def test_the_quota_does_not_bind_administrators(
    tenant: Tenant, administrator: httpx.Client
) -> None:
    tenant.seed(quota=0)
    make_application(administrator)


def test_a_purge_that_is_throttled_changes_nothing(
    tenant: Tenant, graph: httpx.Client, deleted: dict[str, Any]
) -> None:
    match = {"method": "DELETE", "path": "/directory/deletedItems/*"}
    rule = {"match": match, "nth": 1, "strike": "status", "status": 429, "retry_after_seconds": 3}
    tenant.faults(rule)
    response = graph.delete(f"{BIN}/{deleted['application']}")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")
    assert in_bin(graph) == [deleted["application"]]
    assert graph.delete(f"{BIN}/{deleted['application']}").status_code == 204


def test_the_bin_trails_and_the_deleted_still_answers(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    tenant.faults(lag={"deletion_seconds": 600})
    assert graph.delete(f"/v1.0/applications/{application['id']}").status_code == 204
    assert graph.get(f"/v1.0/applications/{application['id']}").status_code == 200
    assert in_bin(graph) == []
    assert refused(graph.delete(f"{BIN}/{application['id']}"))[0] == 404
    tenant.faults()
    assert graph.get(f"/v1.0/applications/{application['id']}").status_code == 404
    assert in_bin(graph) == [application["id"]]


def test_the_bin_is_listed_in_pages_and_by_tag(tenant: Tenant, graph: httpx.Client) -> None:
    tenant.seed(
        applications=[
            {"display_name": "x", "deleted": tenant.now().isoformat(), "count": 150,
             "body": {"tags": ["number {n}"]}}
        ]
    )  # fmt: skip
    first = graph.get(f"{BIN}/microsoft.graph.application").json()
    second = graph.get(first["@odata.nextLink"]).json()
    assert (len(first["value"]), len(second["value"])) == (100, 50)
    assert "@odata.nextLink" not in second
    query = "?$filter=tags/any(t:t eq 'number 7')"
    [found] = graph.get(f"{BIN}/microsoft.graph.application{query}").json()["value"]
    assert found["tags"] == ["number 7"]
