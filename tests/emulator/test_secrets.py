"""Client secrets, and the policies that restrict them and identifier URIs."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.emulator.objects import created, make_application, make_principal, message, refused
from tests.tenant import Tenant

MINE = "AzureADMyOrg"


def add(graph: httpx.Client, application: dict[str, Any], **credential: Any) -> httpx.Response:
    url = f"/v1.0/applications/{application['id']}/addPassword"
    return graph.post(url, json={"passwordCredential": credential})


def read(graph: httpx.Client, application: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = graph.get(f"/v1.0/applications/{application['id']}").json()
    return found


class TestPasswords:
    def test_the_value_is_shown_once(self, graph: httpx.Client) -> None:
        application = make_application(graph)
        reply = add(graph, application, displayName="a").json()
        assert 16 <= len(reply["secretText"]) <= 64
        assert reply["secretText"].startswith(reply["hint"])
        assert len(reply["hint"]) == 3
        start, end = (datetime.fromisoformat(reply[f"{name}DateTime"]) for name in ("start", "end"))
        assert (end.year, end.month, end.day) == (start.year + 2, start.month, start.day)
        [kept] = read(graph, application)["passwordCredentials"]
        expected = {k: v for k, v in reply.items() if not k.startswith("@")}
        assert kept == expected | {"secretText": None}

    def test_several_live_side_by_side(self, tenant: Tenant, graph: httpx.Client) -> None:
        application = make_application(graph, signInAudience=MINE)
        make_principal(graph, application)
        secrets = [add(graph, application).json() for _ in range(3)]
        for one in secrets:
            form = {"client_id": application["appId"], "client_secret": one["secretText"]}
            assert tenant.sign_in(**form).status_code == 200
        url = f"/v1.0/applications/{application['id']}/removePassword"
        assert graph.post(url, json={"keyId": secrets[0]["keyId"]}).status_code == 204
        left = [one["keyId"] for one in read(graph, application)["passwordCredentials"]]
        assert left == [one["keyId"] for one in secrets[1:]]
        form = {"client_id": application["appId"], "client_secret": secrets[0]["secretText"]}
        assert tenant.sign_in(**form).status_code == 401
        again = graph.post(url, json={"keyId": secrets[0]["keyId"]})
        assert refused(again)[0] == 400
        assert "No password credential found with keyId" in message(again)

    def test_two_years_are_those_of_the_calendar(self, graph: httpx.Client) -> None:
        application = make_application(graph)
        ends = [
            add(graph, application, startDateTime=start).json()["endDateTime"]
            for start in ("2026-12-01T00:00:00Z", "2028-02-29T00:00:00Z")
        ]
        assert ends == ["2028-12-01T00:00:00Z", "2030-03-01T00:00:00Z"]

    def test_one_of_the_service_principal_signs_in(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        application = make_application(graph, signInAudience=MINE)
        principal = make_principal(graph, application)
        url = f"/v1.0/servicePrincipals/{principal['id']}"
        secret = graph.post(f"{url}/addPassword", json={}).json()
        form = {"client_id": application["appId"], "client_secret": secret["secretText"]}
        assert tenant.sign_in(**form).status_code == 200
        graph.post(f"{url}/removePassword", json={"keyId": secret["keyId"]}).raise_for_status()
        assert tenant.sign_in(**form).status_code == 401

    def test_personal_accounts_leave_room_for_two(self, graph: httpx.Client) -> None:
        application = make_application(graph)
        assert [add(graph, application).status_code for _ in range(3)] == [200, 200, 400]

    @pytest.mark.parametrize(
        "credential",
        [
            {"endDateTime": "tomorrow"},
            {"endDateTime": "2027-01-01T00:00:00"},
            {"endDateTime": 5},
            {"startDateTime": "2027-01-02T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z"},
            {"endDateTime": "9999-12-31T23:59:59-10:00"},
            {"startDateTime": "0001-01-01T00:00:00+10:00"},
            {"startDateTime": "9999-01-01T00:00:00Z"},
        ],
    )
    def test_bad_times_are_refused(self, graph: httpx.Client, credential: dict[str, Any]) -> None:
        application = make_application(graph)
        assert refused(add(graph, application, **credential))[0] == 400
        assert read(graph, application)["passwordCredentials"] == []

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (
                {"passwordCredential": {"foo": 1}},
                "The property 'foo' does not exist on type 'microsoft.graph.passwordCredential'",
            ),
            ({"passwordCredential": {"displayName": 5}}, "parameter 'passwordCredential'"),
            ({"passwordCredential": [5]}, "parameter 'passwordCredential'"),
        ],
    )
    def test_what_is_no_argument_is_refused(
        self, graph: httpx.Client, body: dict[str, Any], text: str
    ) -> None:
        application = make_application(graph)
        url = f"/v1.0/applications/{application['id']}"
        response = graph.post(f"{url}/addPassword", json=body)
        assert refused(response) == (400, "BadRequest")
        assert text in message(response)
        assert read(graph, application)["passwordCredentials"] == []
        response = graph.post(f"{url}/removePassword", json={"key": "x"})
        assert refused(response) == (400, "BadRequest")
        assert message(response) == (
            "The parameter 'key' in the request payload is not a valid parameter for the "
            "operation 'removePassword'."
        )

    @pytest.mark.parametrize(
        ("body", "code", "said"),
        [
            (
                {},
                "Request_BadRequest",
                "One or more parameters of the operation 'removePassword' are missing from the "
                "request payload. The missing parameters are: keyId.",
            ),
            ({"keyId": None}, "BadRequest", "Invalid value for parameter 'keyId'."),
            ({"keyId": 5}, "BadRequest", "Invalid value for parameter 'keyId'."),
            (
                {"keyId": "nope"},
                "BadRequest",
                "Cannot convert the literal 'nope' to the expected type 'Edm.Guid'.",
            ),
        ],
    )
    def test_a_key_id_is_a_guid(
        self, graph: httpx.Client, body: dict[str, Any], code: str, said: str
    ) -> None:
        url = f"/v1.0/applications/{make_application(graph)['id']}/removePassword"
        response = graph.post(url, json=body)
        assert (refused(response), message(response)) == ((400, code), said)

    def test_the_case_of_a_parameters_name_does_not_matter(self, graph: httpx.Client) -> None:
        url = f"/v1.0/applications/{make_application(graph)['id']}"
        named = {"PasswordCredential": {"displayName": "x"}}
        secret = graph.post(f"{url}/addPassword", json=named).json()
        assert secret["displayName"] == "x"
        removed = graph.post(f"{url}/removePassword", json={"KeyID": secret["keyId"].upper()})
        assert removed.status_code == 204

    def test_what_is_beside_the_argument_is_ignored(self, graph: httpx.Client) -> None:
        application = make_application(graph)
        url = f"/v1.0/applications/{application['id']}/addPassword"
        flat = {"displayName": "flat", "endDateTime": "2000-01-01T00:00:00Z"}
        reply = graph.post(url, json=flat).raise_for_status().json()
        assert reply["displayName"] is None
        start, end = (datetime.fromisoformat(reply[f"{name}DateTime"]) for name in ("start", "end"))
        assert timedelta(days=730) <= end - start <= timedelta(days=731)

    def test_what_graph_makes_is_not_taken(self, graph: httpx.Client) -> None:
        given = {"keyId": "11111111-1111-4111-8111-111111111111", "secretText": "mine"}
        reply = add(graph, make_application(graph), **given).json()
        assert reply["keyId"] != given["keyId"]
        assert reply["secretText"] != given["secretText"]

    def test_seven_digits_of_a_second_are_understood(self, graph: httpx.Client) -> None:
        end = "2030-01-01T00:00:00.1234567Z"
        reply = add(graph, make_application(graph), endDateTime=end).json()
        assert reply["endDateTime"] == "2030-01-01T00:00:00.123456Z"

    def test_service_principals_have_them_too(self, graph: httpx.Client) -> None:
        principal = make_principal(graph, make_application(graph))
        url = f"/v1.0/servicePrincipals/{principal['id']}"
        reply = graph.post(f"{url}/addPassword", json={}).json()
        assert reply["secretText"]
        assert graph.post(f"{url}/removePassword", json={"keyId": reply["keyId"]}).is_success

    def test_a_patch_keeps_and_removes_them_but_makes_and_changes_none(
        self, graph: httpx.Client
    ) -> None:
        application = make_application(graph)
        url = f"/v1.0/applications/{application['id']}"
        for name in ("a", "b"):
            add(graph, application, displayName=name)
        both = read(graph, application)["passwordCredentials"]
        for change in (
            {"displayName": "c"}, {"endDateTime": "2030-01-01T00:00:00Z"}, {"secretText": "x"},
            {"keyId": str(uuid.uuid4())}, {"keyId": None},
        ):  # fmt: skip
            body = {"passwordCredentials": [both[0], both[1] | change]}
            assert refused(graph.patch(url, json=body))[0] == 400
        without = {name: value for name, value in both[1].items() if name != "keyId"}
        assert refused(graph.patch(url, json={"passwordCredentials": [without]}))[0] == 400
        for kept in (both, both[1:]):
            told = [one | {"keyId": one["keyId"].upper()} for one in kept]
            assert graph.patch(url, json={"passwordCredentials": told}).status_code == 204
            assert read(graph, application)["passwordCredentials"] == kept


class TestIdentifierUris:
    def put(self, graph: httpx.Client, application: dict[str, Any], uri: str) -> httpx.Response:
        body = {"identifierUris": [uri]}
        return graph.patch(f"/v1.0/applications/{application['id']}", json=body)

    @pytest.mark.parametrize(
        "uri",
        [
            "api://{appId}",
            "api://{appId}/path",
            "api://{tenantId}/{appId}",
            "api://{tenantId}/text",
            "api://text/{appId}",
            "https://contoso.onmicrosoft.com/app",
            "https://contoso.example/app",
            "https://deep.contoso.example/app",
            "api://contoso.example/app",
        ],
    )
    @pytest.mark.parametrize("version", [1, 2])
    def test_those_that_name_the_tenant_or_the_application(
        self, tenant: Tenant, graph: httpx.Client, uri: str, version: int
    ) -> None:
        api = {"requestedAccessTokenVersion": version}
        application = make_application(graph, signInAudience=MINE, api=api)
        uri = uri.replace("{appId}", application["appId"]).replace("{tenantId}", tenant.tenant_id)
        assert self.put(graph, application, uri).status_code == 204
        assert read(graph, application)["identifierUris"] == [uri]

    @pytest.mark.parametrize(
        "uri", ["https://elsewhere.example/app", "api://text", "https://notcontoso.example/"]
    )
    def test_a_foreign_host_is_refused(self, graph: httpx.Client, uri: str) -> None:
        application = make_application(graph, signInAudience=MINE)
        response = self.put(graph, application, uri)
        assert refused(response) == (400, "HostNameNotOnVerifiedDomain")
        assert message(response) == (
            "Values of identifierUris property must use a verified domain of the organization or "
            f"its subdomain: '{uri}'"
        )
        assert read(graph, application)["identifierUris"] == []

    @pytest.mark.parametrize("uri", ["nonsense", "api://*", "api://" + "x" * 300])
    def test_what_is_no_uri_is_refused(self, graph: httpx.Client, uri: str) -> None:
        assert refused(self.put(graph, make_application(graph), uri))[0] == 400

    def test_two_applications_cannot_share_one(self, graph: httpx.Client) -> None:
        uri = "https://contoso.example/app"
        assert self.put(graph, make_application(graph), uri).status_code == 204
        response = self.put(graph, make_application(graph), uri)
        assert refused(response) == (400, "Request_BadRequest")
        assert "same value for property identifierUris" in message(response)

    def test_the_default_policy_binds_applications_with_version_1_tokens(
        self, graph: httpx.Client
    ) -> None:
        uri = "urn:anything"
        old = make_application(graph, signInAudience=MINE)
        response = self.put(graph, old, uri)
        assert refused(response)[0] == 400
        assert message(response).startswith(f"Failed to add identifier URI {uri}.")
        new = make_application(graph, api={"requestedAccessTokenVersion": 2})
        assert self.put(graph, new, uri).status_code == 204

    def test_the_stricter_policy_leaves_the_default_forms(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        rule = {"state": "enabled", "excludeAppsReceivingV2Tokens": True}
        tenant.seed(
            default_policy={
                "applicationRestrictions": {"identifierUris": {"nonDefaultUriAddition": rule}}
            }
        )
        application = make_application(graph, signInAudience=MINE)
        response = self.put(graph, application, "https://contoso.example/app")
        assert refused(response)[0] == 400
        assert "must comply with the format 'api://{appId}'" in message(response)
        assert self.put(graph, application, f"api://{application['appId']}").status_code == 204


LIFETIME: dict[str, Any] = {
    "restrictionType": "passwordLifetime",
    "maxLifetime": "P180D",
    "restrictForAppsCreatedAfterDateTime": "2019-01-01T00:00:00Z",
}
LONGER_THAN_ANY_CALENDAR = LIFETIME | {"maxLifetime": f"P{'9' * 11}D"}
ADDITION: dict[str, Any] = {"restrictionType": "passwordAddition", "maxLifetime": None}


class TestPolicies:
    def restrict(self, administrator: httpx.Client, *restrictions: dict[str, Any]) -> None:
        body = {"applicationRestrictions": {"passwordCredentials": list(restrictions)}}
        url = "/v1.0/policies/defaultAppManagementPolicy"
        assert administrator.patch(url, json=body).status_code == 204

    def test_a_lifetime_above_the_policys_is_refused(
        self, graph: httpx.Client, administrator: httpx.Client, tenant: Tenant
    ) -> None:
        application = make_application(graph)
        self.restrict(administrator, LIFETIME)
        now = tenant.now()
        long, short = ((now + timedelta(days=days)).isoformat() for days in (181, 179))
        response = add(graph, application, endDateTime=long)
        assert refused(response) == (400, "CredentialInvalidLifetimeAsPerAppPolicy")
        assert "Credential lifetime exceeds the max value allowed" in message(response)
        assert add(graph, application, endDateTime=short).status_code == 200

    def test_secrets_can_be_forbidden(
        self, graph: httpx.Client, administrator: httpx.Client
    ) -> None:
        application = make_application(graph)
        self.restrict(administrator, ADDITION)
        response = add(graph, application)
        assert refused(response) == (400, "CredentialTypeNotAllowedAsPerAppPolicy")
        assert message(response).startswith("Credential type not allowed as per assigned policy")
        self.restrict(administrator, ADDITION | {"state": "disabled"})
        assert add(graph, application).status_code == 200

    def test_older_applications_can_be_spared(
        self, graph: httpx.Client, administrator: httpx.Client, tenant: Tenant
    ) -> None:
        application = make_application(graph)
        after = (tenant.now() + timedelta(days=1)).isoformat()
        self.restrict(administrator, ADDITION | {"restrictForAppsCreatedAfterDateTime": after})
        assert add(graph, application).status_code == 200
        tenant.advance(2 * 86400)
        with tenant.http(tenant.token()) as later:
            assert refused(add(later, make_application(later)))[0] == 400

    def test_an_assigned_policy_stands_in_the_defaults_place(
        self, graph: httpx.Client, administrator: httpx.Client, tenant: Tenant
    ) -> None:
        self.restrict(administrator, ADDITION)
        policy = created(
            administrator.post(
                "/v1.0/policies/appManagementPolicies",
                json={
                    "displayName": "Mail",
                    "isEnabled": True,
                    "restrictions": {"passwordCredentials": [LIFETIME]},
                },
            )
        )
        application = make_application(graph)
        url = f"/v1.0/applications/{application['id']}/appManagementPolicies"
        reference = f"{tenant.graph}/v1.0/policies/appManagementPolicies/{policy['id']}"
        assert refused(graph.post(f"{url}/$ref", json={"@odata.id": reference}))[0] == 403
        link = administrator.post(f"{url}/$ref", json={"@odata.id": reference})
        assert link.status_code == 204
        assert [one["id"] for one in graph.get(url).json()["value"]] == [policy["id"]]
        one = f"/v1.0/policies/appManagementPolicies/{policy['id']}"
        [assigned] = administrator.get(f"{one}/appliesTo").json()["value"]
        assert assigned["id"] == application["id"]
        response = add(graph, application)
        assert refused(response) == (400, "CredentialInvalidLifetimeAsPerAppPolicy")
        assert policy["id"] in message(response)
        assert refused(administrator.delete(one))[0] == 400
        assert administrator.delete(f"{url}/{policy['id']}/$ref").status_code == 204
        assert refused(add(graph, application)) == (400, "CredentialTypeNotAllowedAsPerAppPolicy")
        assert administrator.delete(one).status_code == 204

    def test_policies_are_listed_read_and_changed(self, administrator: httpx.Client) -> None:
        url = "/v1.0/policies/appManagementPolicies"
        assert administrator.get(url).json()["value"] == []
        assert refused(administrator.post(url, json={"isEnabled": True}))[0] == 400
        policy = created(administrator.post(url, json={"displayName": "Mail"}))
        assert policy["isEnabled"] is False
        one = f"{url}/{policy['id']}"
        assert administrator.patch(one, json={"isEnabled": True}).status_code == 204
        assert administrator.get(one).json()["isEnabled"] is True
        assert [each["id"] for each in administrator.get(url).json()["value"]] == [policy["id"]]
        for bad in ({"id": policy["id"]}, {"colour": "red"}):
            assert refused(administrator.patch(one, json=bad))[0] == 400

    @pytest.mark.parametrize(
        "restriction",
        [
            {"restrictionType": "passwordLifetime", "maxLifetime": "180 days"},
            {"restrictionType": "passwordLifetime"},
            {"restrictionType": "passwordAddition", "state": "perhaps"},
            {
                "restrictionType": "passwordAddition",
                "restrictForAppsCreatedAfterDateTime": "someday",
            },
        ],
    )
    def test_what_makes_no_policy_is_refused(
        self, administrator: httpx.Client, restriction: dict[str, Any]
    ) -> None:
        body = {"applicationRestrictions": {"passwordCredentials": [restriction]}}
        url = "/v1.0/policies/defaultAppManagementPolicy"
        assert refused(administrator.patch(url, json=body))[0] == 400
        kept = administrator.get(url).json()["applicationRestrictions"]
        assert kept["passwordCredentials"] == []

    @pytest.mark.parametrize(
        "body",
        [
            {"applicationRestrictions": "x"},
            {"applicationRestrictions": [1]},
            {"applicationRestrictions": {"passwordCredentials": "x"}},
            {"applicationRestrictions": {"passwordCredentials": [5]}},
            {"applicationRestrictions": {"identifierUris": "x"}},
            {"applicationRestrictions": {"identifierUris": {"nonDefaultUriAddition": "x"}}},
            {"applicationRestrictions": {"passwordCredentials": [LONGER_THAN_ANY_CALENDAR]}},
            {"servicePrincipalRestrictions": {"identifierUris": {}}},
            {"isEnabled": "x"},
            {"displayName": 5},
        ],
    )
    def test_what_is_of_another_type_is_refused_and_not_met_later(
        self, administrator: httpx.Client, graph: httpx.Client, body: dict[str, Any]
    ) -> None:
        url = "/v1.0/policies/defaultAppManagementPolicy"
        before = administrator.get(url).json()
        assert refused(administrator.patch(url, json=body))[0] == 400
        assert administrator.get(url).json() == before
        application = make_application(graph)
        assert add(graph, application).status_code == 200
        uris = {"identifierUris": [f"api://{application['appId']}"]}
        own = f"/v1.0/applications/{application['id']}"
        assert graph.patch(own, json=uris).status_code == 204
