"""Replicas that trail: reads that miss a write, for a while, back and forth."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.emulator.objects import (
    make_application,
    make_grant,
    make_principal,
    message,
    principal_of,
    refused,
)
from tests.tenant import Tenant

BIN = "/v1.0/directory/deletedItems"


def lag(tenant: Tenant, **habits: Any) -> None:
    tenant.faults(lag={"seconds": 600} | habits)


class TestEveryReadTrails:
    """Ratio 1: what was written ten minutes ago or less is not to be seen."""

    @pytest.fixture(autouse=True)
    def trailing(self, tenant: Tenant) -> None:
        lag(tenant)

    def test_a_new_object_is_not_there_yet(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        url = f"/v1.0/applications/{made['id']}"
        assert refused(graph.get(url)) == (404, "Request_ResourceNotFound")
        assert graph.get("/v1.0/applications?$filter=displayName eq 'App'").json()["value"] == []
        assert refused(graph.get(f"{url}/owners"))[0] == 404
        tenant.advance(601)
        assert graph.get(url).status_code == 200
        assert len(graph.get("/v1.0/applications?$filter=displayName eq 'App'").json()["value"])

    def test_it_cannot_be_written_to_either(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        url = f"/v1.0/applications/{made['id']}"
        for response in (
            graph.patch(url, json={"notes": "n"}),
            graph.post(f"{url}/addPassword", json={}),
            graph.delete(url),
        ):
            assert refused(response) == (404, "Request_ResourceNotFound")
        principal = graph.post("/v1.0/servicePrincipals", json={"appId": made["appId"]})
        assert refused(principal) == (400, "Request_BadRequest")
        assert "does not reference a valid application object" in message(principal)
        tenant.advance(601)
        assert graph.get(url).json()["notes"] is None
        assert graph.get(url).json()["passwordCredentials"] == []

    def test_a_grant_misses_its_ends(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        tenant.advance(601)
        principal = make_principal(graph, made)
        body = {
            "clientId": principal["id"],
            "consentType": "AllPrincipals",
            "resourceId": principal_of(graph, "00000002-0000-0ff1-ce00-000000000000")["id"],
            "scope": "Mail.Send",
        }
        response = graph.post("/v1.0/oauth2PermissionGrants", json=body)
        assert refused(response) == (404, "Request_ResourceNotFound")
        assert "queried reference-property objects are not present" in message(response)

    def test_a_changed_object_looks_as_before(self, tenant: Tenant, graph: httpx.Client) -> None:
        url = f"/v1.0/applications/{make_application(graph)['id']}"
        tenant.advance(601)
        assert graph.patch(url, json={"notes": "first"}).status_code == 204
        assert graph.get(url).json()["notes"] is None
        tenant.advance(300)
        assert graph.patch(url, json={"tags": ["t"]}).status_code == 204
        tenant.advance(301)
        seen = graph.get(url).json()
        assert (seen["notes"], seen["tags"]) == ("first", [])
        tenant.advance(300)
        assert graph.get(url).json()["tags"] == ["t"]

    def test_a_write_through_a_trailing_replica_loses_no_earlier_one(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        url = f"/v1.0/applications/{make_application(graph)['id']}"
        tenant.advance(601)
        graph.patch(url, json={"notes": "n"})
        graph.patch(url, json={"tags": ["t"]})
        tenant.advance(601)
        seen = graph.get(url).json()
        assert (seen["notes"], seen["tags"]) == ("n", ["t"])

    def test_a_new_secret_is_not_listed_yet(self, tenant: Tenant, graph: httpx.Client) -> None:
        url = f"/v1.0/applications/{make_application(graph)['id']}"
        tenant.advance(601)
        made = graph.post(f"{url}/addPassword", json={}).json()
        assert graph.get(url).json()["passwordCredentials"] == []
        tenant.advance(601)
        [kept] = graph.get(url).json()["passwordCredentials"]
        assert kept["keyId"] == made["keyId"]

    def test_uniqueness_does_not_trail(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        tenant.advance(601)
        make_principal(graph, made)
        again = graph.post("/v1.0/servicePrincipals", json={"appId": made["appId"]})
        assert refused(again)[0] == 409

    def test_a_deleted_object_still_answers(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        url = f"/v1.0/applications/{made['id']}"
        tenant.advance(601)
        assert graph.delete(url).status_code == 204
        assert graph.get(url).status_code == 200
        assert graph.get(f"{BIN}/microsoft.graph.application").json()["value"] == []
        assert refused(graph.delete(f"{BIN}/{made['id']}"))[0] == 404
        assert refused(graph.delete(url))[0] == 404  # a write meets the truth
        tenant.advance(601)
        assert refused(graph.get(url))[0] == 404
        [item] = graph.get(f"{BIN}/microsoft.graph.application").json()["value"]
        assert graph.delete(f"{BIN}/{item['id']}").status_code == 204
        assert graph.get(f"{BIN}/{item['id']}").status_code == 200
        tenant.advance(601)
        assert refused(graph.get(f"{BIN}/{item['id']}"))[0] == 404
        assert graph.get(f"{BIN}/microsoft.graph.application").json()["value"] == []

    def test_what_was_always_there_does_not_trail(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        assert principal_of(graph, tenant.client_id)
        made = tenant.seed(applications=[{"display_name": "old"}])["applications"]
        assert graph.get(f"/v1.0/applications/{made[0]['id']}").status_code == 200


def test_a_grant_removed_and_made_again_while_reads_trail(
    tenant: Tenant, graph: httpx.Client
) -> None:
    principal = make_principal(graph, make_application(graph))
    lag(tenant)
    tenant.advance(601)
    for scope in ("Mail.Send", "SMTP.Send", "Mail.Send SMTP.Send"):
        grant = make_grant(graph, principal["id"], scope)
        url = f"/v1.0/oauth2PermissionGrants/{grant['id']}"
        tenant.advance(601)
        assert graph.get(url).json()["scope"] == scope
        assert graph.delete(url).status_code == 204
        assert graph.get(url).status_code == 200
    tenant.advance(601)
    with tenant.http(tenant.token()) as later:
        assert refused(later.get(url))[0] == 404
        make_application(later)
        make_grant(later, principal["id"])


def test_a_clock_set_back_makes_nothing_trail(tenant: Tenant, graph: httpx.Client) -> None:
    made = make_application(graph)
    tenant.admin("POST", "/clock", {"now": "2026-01-01T00:00:00Z"})
    with tenant.http(tenant.token()) as earlier:
        assert earlier.get(f"/v1.0/applications/{made['id']}").status_code == 200


def test_each_kind_of_lag_by_itself(tenant: Tenant, graph: httpx.Client) -> None:
    lag(tenant, seconds=0, list_seconds=600)
    made = make_application(graph)
    url = f"/v1.0/applications/{made['id']}"
    found = "/v1.0/applications?$filter=displayName eq 'App'"
    assert graph.get(url).status_code == 200
    assert graph.get(found).json()["value"] == []
    lag(tenant, seconds=0, deletion_seconds=600)
    assert len(graph.get(found).json()["value"]) == 1
    assert graph.delete(url).status_code == 204
    assert graph.get(url).status_code == 200
    assert len(graph.get(found).json()["value"]) == 1
    tenant.admin("DELETE", "/faults")
    assert refused(graph.get(url))[0] == 404


def statuses(graph: httpx.Client, url: str, times: int = 40) -> list[int]:
    return [graph.get(url).status_code for _ in range(times)]


def test_reads_go_back_and_forth_and_the_seed_repeats_them(tenant: Tenant) -> None:
    def run() -> list[int]:
        tenant.reset()
        lag(tenant, stale_ratio=0.5)
        with tenant.http(tenant.token()) as graph:
            return statuses(graph, f"/v1.0/applications/{make_application(graph)['id']}")

    first = run()
    assert set(first) == {200, 404}
    assert sum(one != other for one, other in pairwise(first)) >= 5
    assert 8 <= first.count(404) <= 32
    assert run() == first


def test_a_list_comes_from_one_replica(tenant: Tenant, graph: httpx.Client) -> None:
    lag(tenant, stale_ratio=0.5)
    for _ in range(5):
        make_application(graph)
    url = "/v1.0/applications?$filter=displayName eq 'App'"
    sizes = {len(graph.get(url).json()["value"]) for _ in range(20)}
    assert sizes == {0, 5}


class TestSignInTrails:
    """The sign-in service learns of changes later than the directory itself."""

    def credential(self, graph: httpx.Client, made: dict[str, Any]) -> dict[str, str]:
        url = f"/v1.0/applications/{made['id']}/addPassword"
        return {
            "client_id": made["appId"],
            "client_secret": graph.post(url, json={}).json()["secretText"],
        }

    def number(self, response: httpx.Response) -> int:
        return 0 if response.status_code == 200 else int(response.json()["error_codes"][0])

    def test_a_new_secret_is_refused_for_a_while(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        make_principal(graph, made)
        first = self.credential(graph, made)
        tenant.faults(lag={"sign_in_seconds": 15})
        tenant.advance(16)
        second = self.credential(graph, made)
        assert self.number(tenant.sign_in(**first)) == 0
        assert self.number(tenant.sign_in(**second)) == 7000215
        tenant.advance(16)
        assert self.number(tenant.sign_in(**second)) == 0

    def test_a_removed_secret_works_on_for_a_while(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        made = make_application(graph)
        make_principal(graph, made)
        form = self.credential(graph, made)
        tenant.faults(lag={"sign_in_seconds": 15})
        tenant.advance(16)
        [kept] = graph.get(f"/v1.0/applications/{made['id']}").json()["passwordCredentials"]
        url = f"/v1.0/applications/{made['id']}/removePassword"
        graph.post(url, json={"keyId": kept["keyId"]})
        assert self.number(tenant.sign_in(**form)) == 0
        tenant.advance(16)
        assert self.number(tenant.sign_in(**form)) == 7000215

    def test_a_new_application_is_unknown_for_a_while(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        tenant.faults(lag={"sign_in_seconds": 15})
        made = make_application(graph)
        make_principal(graph, made)
        form = self.credential(graph, made)
        assert self.number(tenant.sign_in(**form)) == 700016
        tenant.advance(16)
        assert self.number(tenant.sign_in(**form)) == 0

    def test_new_rights_come_into_tokens_later(
        self, tenant: Tenant, administrator: httpx.Client
    ) -> None:
        tenant.faults(lag={"sign_in_seconds": 15})
        deployer = principal_of(administrator, tenant.client_id)
        graph_api = principal_of(administrator, "00000003-0000-0000-c000-000000000000")
        roles = {one["value"]: one["id"] for one in graph_api["appRoles"]}
        body = {
            "principalId": deployer["id"],
            "resourceId": graph_api["id"],
            "appRoleId": roles["User.Read.All"],
        }
        url = f"/v1.0/servicePrincipals/{deployer['id']}/appRoleAssignments"
        assert administrator.post(url, json=body).status_code == 201
        for status in (403, 200):
            with tenant.http(tenant.token()) as graph:
                assert graph.get("/v1.0/users").status_code == status
            tenant.advance(16)


def test_lag_from_the_command_line() -> None:
    options = ["--lag-seconds", "600", "--stale-ratio", "1", "--sign-in-lag-seconds", "20"]
    with Tenant(*options) as tenant, tenant.http(tenant.token()) as graph:
        made = make_application(graph)
        assert refused(graph.get(f"/v1.0/applications/{made['id']}"))[0] == 404
        shown = tenant.admin("GET", "/faults").json()["lag"]
        assert shown["seconds"] == shown["list_seconds"] == shown["deletion_seconds"] == 600
        assert shown["sign_in_seconds"] == 20
        tenant.faults(lag={"seconds": 0})
        assert graph.get(f"/v1.0/applications/{made['id']}").status_code == 200
        tenant.reset()
        with tenant.http(tenant.token()) as again:
            made = make_application(again)
            assert refused(again.get(f"/v1.0/applications/{made['id']}"))[0] == 404


def test_a_consented_application_survives_the_whole_dance(
    tenant: Tenant, graph: httpx.Client
) -> None:
    """With half of the reads trailing, patience alone still ends at one of everything."""
    lag(tenant, seconds=3, stale_ratio=0.5, sign_in_seconds=2)

    def until(status: int, *request: Any, **body: Any) -> httpx.Response:
        for _ in range(200):
            response = graph.request(*request, **body)
            if response.status_code == status:
                return response
            assert response.status_code in (400, 404), response.text
        raise AssertionError("it never came true")

    made = make_application(graph)
    url = f"/v1.0/applications/{made['id']}"
    uri = {"identifierUris": [f"api://{made['appId']}"]}
    until(204, "PATCH", url, json=uri)
    principal = until(201, "POST", "/v1.0/servicePrincipals", json={"appId": made["appId"]})
    tenant.advance(4)
    make_grant(graph, principal.json()["id"])
    secret = until(200, "POST", f"{url}/addPassword", json={}).json()["secretText"]
    tenant.advance(4)
    form = {"client_id": made["appId"], "client_secret": secret}
    assert tenant.sign_in(**form).status_code == 200
    assert graph.get(url).json()["identifierUris"] == uri["identifierUris"]
    assert len(graph.get("/v1.0/applications?$filter=displayName eq 'App'").json()["value"]) == 1
