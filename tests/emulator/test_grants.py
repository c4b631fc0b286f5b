"""Delegated permission grants and app role assignments."""

import base64
import uuid
from typing import Any

import httpx
import pytest

from tests.emulator.objects import (
    EXCHANGE_APP_ID,
    GRAPH_APP_ID,
    created,
    make_application,
    make_grant,
    make_principal,
    message,
    principal_of,
    refused,
)
from tests.tenant import Tenant

GRANTS = "/v1.0/oauth2PermissionGrants"


@pytest.fixture
def client(graph: httpx.Client) -> dict[str, Any]:
    return make_principal(graph, make_application(graph))


class TestGrants:
    def test_the_id_is_made_of_both_ends(self, graph: httpx.Client, client: dict[str, Any]) -> None:
        grant = make_grant(graph, client["id"])
        raw = base64.urlsafe_b64decode(grant["id"] + "=" * (-len(grant["id"]) % 4))
        ends = [str(uuid.UUID(bytes_le=raw[place : place + 16])) for place in (0, 16)]
        assert ends == [client["id"], grant["resourceId"]]
        assert grant["principalId"] is None
        assert graph.get(f"{GRANTS}/{grant['id']}").json()["scope"] == "Mail.Send"
        count = graph.get(f"{GRANTS}/$count", headers={"ConsistencyLevel": "eventual"})
        assert count.text == str(len(graph.get(GRANTS).json()["value"]))

    def test_one_for_each_client_and_resource(
        self, graph: httpx.Client, client: dict[str, Any]
    ) -> None:
        grant = make_grant(graph, client["id"])
        body = {k: grant[k] for k in ("clientId", "resourceId", "consentType")}
        response = graph.post(GRANTS, json=body | {"scope": "SMTP.Send"})
        assert refused(response) == (409, "Request_MultipleObjectsWithSameKeyValue")
        assert message(response) == "Permission entry already exists."
        assert graph.get(f"{GRANTS}/{grant['id']}").json()["scope"] == "Mail.Send"

    def test_only_the_scope_can_change(self, graph: httpx.Client, client: dict[str, Any]) -> None:
        url = f"{GRANTS}/{make_grant(graph, client['id'])['id']}"
        assert graph.patch(url, json={"scope": "Mail.Send SMTP.Send"}).status_code == 204
        assert graph.get(url).json()["scope"] == "Mail.Send SMTP.Send"
        response = graph.patch(url, json={"principalId": "5d5e0a8e-0000-0000-0000-000000000000"})
        assert refused(response)[0] == 400
        assert message(response) == "Property cannot be updated: principalId"

    def test_ids_in_capitals_are_the_same(
        self, tenant: Tenant, administrator: httpx.Client, client: dict[str, Any]
    ) -> None:
        user = tenant.ready["users"][1]
        ends = {
            "clientId": client["id"],
            "principalId": user["id"],
            "resourceId": principal_of(administrator, EXCHANGE_APP_ID)["id"],
        }
        body = {name: id_.upper() for name, id_ in ends.items()}
        body |= {"consentType": "Principal", "scope": "Mail.Send"}
        grant = created(administrator.post(GRANTS, json=body))
        assert {name: grant[name] for name in ends} == ends
        change = body | {"scope": "SMTP.Send"}
        assert administrator.patch(f"{GRANTS}/{grant['id']}", json=change).status_code == 204
        for key in (user["id"], user["user_principal_name"]):
            found = administrator.get(f"/v1.0/users/{key}/oauth2PermissionGrants").json()["value"]
            assert [one["id"] for one in found] == [grant["id"]]
        assert administrator.get("/v1.0/me/oauth2PermissionGrants").json()["value"] == []

    def test_deleted_is_gone(self, graph: httpx.Client, client: dict[str, Any]) -> None:
        url = f"{GRANTS}/{make_grant(graph, client['id'])['id']}"
        assert graph.delete(url).status_code == 204
        assert refused(graph.get(url)) == (404, "Request_ResourceNotFound")
        make_grant(graph, client["id"])

    @pytest.mark.parametrize(
        "change",
        [
            {"consentType": "Everyone"},
            {"consentType": None},
            {"principalId": "5d5e0a8e-0000-0000-0000-000000000000"},
            {"consentType": "Principal"},
            {"clientId": None},
            {"scope": 5},
        ],
    )
    def test_a_bad_body_is_refused(
        self, graph: httpx.Client, client: dict[str, Any], change: dict[str, Any]
    ) -> None:
        body = {
            "clientId": client["id"],
            "consentType": "AllPrincipals",
            "resourceId": principal_of(graph, EXCHANGE_APP_ID)["id"],
            "scope": "Mail.Send",
        }
        assert refused(graph.post(GRANTS, json=body | change))[0] == 400
        assert graph.get(f"{GRANTS}?$filter=clientId eq '{client['id']}'").json()["value"] == []

    def test_both_ends_must_be_there(self, graph: httpx.Client, client: dict[str, Any]) -> None:
        body = {
            "clientId": client["id"],
            "consentType": "AllPrincipals",
            "resourceId": "5d5e0a8e-0000-0000-0000-000000000000",
            "scope": "Mail.Send",
        }
        response = graph.post(GRANTS, json=body)
        assert refused(response) == (404, "Request_ResourceNotFound")
        assert "queried reference-property objects are not present" in message(response)

    def test_they_are_found_by_either_end_and_from_the_client(
        self, graph: httpx.Client, client: dict[str, Any]
    ) -> None:
        grant = make_grant(graph, client["id"])
        make_grant(graph, make_principal(graph, make_application(graph))["id"])
        for end in ("clientId", "resourceId"):
            found = graph.get(f"{GRANTS}?$filter={end} eq '{grant[end]}'").json()["value"]
            assert grant["id"] in [one["id"] for one in found]
        both = f"clientId eq '{client['id']}' and consentType eq 'AllPrincipals'"
        [found] = graph.get(f"{GRANTS}?$filter={both}").json()["value"]
        assert found["id"] == grant["id"]
        url = f"/v1.0/servicePrincipals/{client['id']}"
        [held] = graph.get(f"{url}/oauth2PermissionGrants").json()["value"]
        assert held["id"] == grant["id"]
        expanded = graph.get(f"{url}?$expand=oauth2PermissionGrants").json()
        assert [one["id"] for one in expanded["oauth2PermissionGrants"]] == [grant["id"]]
        response = graph.get(f"{GRANTS}?$filter=scope eq 'Mail.Send'")
        assert refused(response) == (400, "Request_UnsupportedQuery")

    def test_a_grant_sleeps_while_its_client_is_in_the_recycle_bin(
        self, graph: httpx.Client
    ) -> None:
        application = make_application(graph)
        client = make_principal(graph, application)
        grant = make_grant(graph, client["id"])
        graph.delete(f"/v1.0/applications/{application['id']}")
        assert refused(graph.get(f"{GRANTS}/{grant['id']}"))[0] == 404
        assert grant["id"] not in [one["id"] for one in graph.get(GRANTS).json()["value"]]
        for id_ in (application["id"], client["id"]):
            assert graph.post(f"/v1.0/directory/deletedItems/{id_}/restore").status_code == 200
        assert graph.get(f"{GRANTS}/{grant['id']}").status_code == 200


class TestAppRoles:
    def assign(
        self, graph: httpx.Client, holder: str, role: str, side: str = "appRoleAssignments"
    ) -> httpx.Response:
        resource = principal_of(graph, GRAPH_APP_ID)
        [role_id] = [one["id"] for one in resource["appRoles"] if one["value"] == role]
        body = {"principalId": holder, "resourceId": resource["id"], "appRoleId": role_id}
        owner = holder if side == "appRoleAssignments" else resource["id"]
        return graph.post(f"/v1.0/servicePrincipals/{owner}/{side}", json=body)

    @pytest.mark.parametrize("side", ["appRoleAssignments", "appRoleAssignedTo"])
    def test_an_assigned_role_is_in_the_next_token(
        self, tenant: Tenant, administrator: httpx.Client, side: str
    ) -> None:
        deployer = principal_of(administrator, tenant.client_id)
        with tenant.http(tenant.token()) as before:
            assert refused(before.get("/v1.0/users"))[0] == 403
        assignment = created(self.assign(administrator, deployer["id"], "User.Read.All", side))
        assert assignment["principalDisplayName"] == "Deployer"
        assert assignment["resourceDisplayName"] == "Microsoft Graph"
        with tenant.http(tenant.token()) as after:
            assert after.get("/v1.0/users").status_code == 200
        url = f"/v1.0/servicePrincipals/{deployer['id']}/appRoleAssignments"
        held = [one["id"] for one in administrator.get(url).json()["value"]]
        assert assignment["id"] in held
        assert administrator.get(f"{url}/{assignment['id']}").status_code == 200
        assert administrator.delete(f"{url}/{assignment['id']}").status_code == 204
        with tenant.http(tenant.token()) as again:
            assert refused(again.get("/v1.0/users"))[0] == 403

    def test_they_are_seen_from_both_ends(
        self, tenant: Tenant, administrator: httpx.Client
    ) -> None:
        deployer = principal_of(administrator, tenant.client_id)
        resource = principal_of(administrator, GRAPH_APP_ID)
        assignment = created(self.assign(administrator, deployer["id"], "User.Read.All"))
        url = f"/v1.0/servicePrincipals/{resource['id']}/appRoleAssignedTo"
        given = administrator.get(f"{url}?$filter=startswith(principalDisplayName,'Dep')").json()
        assert assignment["id"] in [one["id"] for one in given["value"]]
        assert (
            administrator.get(f"{url}/{assignment['id']}").json()["principalId"] == deployer["id"]
        )
        eventual = {"ConsistencyLevel": "eventual"}
        count = administrator.get(f"{url}/$count", headers=eventual)
        assert count.text == str(len(administrator.get(url).json()["value"]))
        for holder, name in ((deployer, "appRoleAssignments"), (resource, "appRoleAssignedTo")):
            one = f"/v1.0/servicePrincipals/{holder['id']}?$expand={name}"
            expanded = administrator.get(one).json()[name]
            assert assignment["id"] in [each["id"] for each in expanded]
        held = f"/v1.0/servicePrincipals/{resource['id']}/appRoleAssignments/{assignment['id']}"
        assert refused(administrator.get(held))[0] == 404  # the resource does not hold it
        assert administrator.delete(f"{url}/{assignment['id']}").status_code == 204
        assert refused(administrator.get(f"{url}/{assignment['id']}"))[0] == 404

    @pytest.mark.parametrize("missing", ["principalId", "resourceId", "appRoleId"])
    def test_a_bad_body_is_refused(
        self, tenant: Tenant, administrator: httpx.Client, missing: str
    ) -> None:
        deployer = principal_of(administrator, tenant.client_id)
        body = {
            "principalId": deployer["id"],
            "resourceId": principal_of(administrator, GRAPH_APP_ID)["id"],
            "appRoleId": "5d5e0a8e-0000-4000-8000-000000000000",
        }
        del body[missing]
        url = f"/v1.0/servicePrincipals/{deployer['id']}/appRoleAssignments"
        assert refused(administrator.post(url, json=body))[0] == 400

    def test_users_have_them_too(self, tenant: Tenant, administrator: httpx.Client) -> None:
        user = tenant.ready["users"][1]["id"]
        resource = make_principal(administrator, make_application(administrator))
        body = {
            "principalId": user,
            "resourceId": resource["id"],
            "appRoleId": "00000000-0000-0000-0000-000000000000",
        }
        url = f"/v1.0/servicePrincipals/{resource['id']}/appRoleAssignedTo"
        assignment = created(administrator.post(url, json=body))
        assert assignment["principalType"] == "User"
        for key in (user, tenant.ready["users"][1]["user_principal_name"]):
            url = f"/v1.0/users/{key}/appRoleAssignments"
            found = administrator.get(url).json()["value"]
            assert [one["resourceId"] for one in found] == [resource["id"]]
        assert administrator.get("/v1.0/me/appRoleAssignments").json()["value"] == []
        assert administrator.delete(f"{url}/{assignment['id']}").status_code == 204
        again = created(administrator.post(url, json={k: v.upper() for k, v in body.items()}))
        assert {name: again[name] for name in body} == body

    def test_a_role_is_for_users_or_applications(
        self, tenant: Tenant, administrator: httpx.Client
    ) -> None:
        deployer = principal_of(administrator, tenant.client_id)["id"]
        user = tenant.ready["users"][1]["id"]
        roles = [
            {"id": f"{number}1111111-1111-4111-8111-111111111111", "allowedMemberTypes": [type_]}
            for number, type_ in enumerate(("User", "Application"))
        ]
        application = make_application(administrator, appRoles=roles)
        resource = make_principal(administrator, application)["id"]
        url = f"/v1.0/servicePrincipals/{resource}/appRoleAssignedTo"
        for holder, own, other in ((user, *roles), (deployer, *reversed(roles))):
            body = {"principalId": holder, "resourceId": resource}
            refusal = administrator.post(url, json=body | {"appRoleId": other["id"]})
            assert refused(refusal) == (400, "Request_BadRequest")
            created(administrator.post(url, json=body | {"appRoleId": own["id"].upper()}))

    def test_the_body_names_what_the_path_names(
        self, tenant: Tenant, administrator: httpx.Client
    ) -> None:
        deployer = principal_of(administrator, tenant.client_id)["id"]
        resource = principal_of(administrator, GRAPH_APP_ID)
        body = {
            "principalId": deployer,
            "resourceId": resource["id"],
            "appRoleId": resource["appRoles"][0]["id"],
        }
        for path in (
            f"servicePrincipals/{resource['id']}/appRoleAssignments",
            f"servicePrincipals/{deployer}/appRoleAssignedTo",
            f"users/{tenant.ready['users'][1]['id']}/appRoleAssignments",
        ):
            response = administrator.post(f"/v1.0/{path}", json=body)
            assert refused(response) == (400, "Request_BadRequest")
            assert message(response) == "Not a valid reference update."

    def test_twice_is_once_too_often(self, tenant: Tenant, administrator: httpx.Client) -> None:
        deployer = principal_of(administrator, tenant.client_id)
        created(self.assign(administrator, deployer["id"], "User.Read.All"))
        response = self.assign(administrator, deployer["id"], "User.Read.All")
        assert refused(response)[0] == 400
        assert message(response) == "Permission being assigned already exists on the object"

    def test_a_role_that_is_not_offered(self, tenant: Tenant, administrator: httpx.Client) -> None:
        deployer = principal_of(administrator, tenant.client_id)
        body = {
            "principalId": deployer["id"],
            "resourceId": principal_of(administrator, GRAPH_APP_ID)["id"],
            "appRoleId": "5d5e0a8e-0000-0000-0000-000000000000",
        }
        url = f"/v1.0/servicePrincipals/{deployer['id']}/appRoleAssignments"
        response = administrator.post(url, json=body)
        assert refused(response)[0] == 400
        assert message(response) == "Permission being assigned was not found on application"

    def test_the_deployer_cannot_promote_itself(self, tenant: Tenant, graph: httpx.Client) -> None:
        deployer = principal_of(graph, tenant.client_id)
        response = self.assign(graph, deployer["id"], "Directory.ReadWrite.All")
        assert refused(response) == (403, "Authorization_RequestDenied")
