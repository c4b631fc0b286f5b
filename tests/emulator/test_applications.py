"""Application registrations over the wire."""

import base64
import gzip
import hashlib
import json
from typing import Any

import httpx
import pytest

from tests.emulator.objects import (
    EXCHANGE_APP_ID,
    created,
    make_application,
    make_principal,
    message,
    principal_of,
    refused,
)
from tests.tenant import Tenant

ADVANCED = {"ConsistencyLevel": "eventual"}
ROLE: dict[str, Any] = {
    "id": "11111111-1111-4111-8111-111111111111",
    "value": "Do",
    "displayName": "Do",
    "description": "Do",
    "isEnabled": True,
    "allowedMemberTypes": ["Application"],
}
SCOPE: dict[str, Any] = {
    "id": "22222222-2222-4222-8222-222222222222",
    "value": "Do.It",
    "adminConsentDisplayName": "Do",
    "adminConsentDescription": "Do",
    "isEnabled": True,
    "type": "User",
}
ACCESS: dict[str, Any] = {
    "resourceAppId": EXCHANGE_APP_ID,
    "resourceAccess": [{"id": ROLE["id"], "type": "Scope"}],
}


def owners(graph: httpx.Client, application: dict[str, Any]) -> list[str]:
    value = graph.get(f"/v1.0/applications/{application['id']}/owners").json()["value"]
    return [owner["id"] for owner in value]


def test_a_new_application_has_graphs_defaults(graph: httpx.Client) -> None:
    made = make_application(graph)
    assert made["signInAudience"] == "AzureADandPersonalMicrosoftAccount"
    assert made["api"]["requestedAccessTokenVersion"] == 2
    assert made["publisherDomain"] == "contoso.onmicrosoft.com"
    assert made["passwordCredentials"] == made["identifierUris"] == made["tags"] == []
    assert made["web"]["implicitGrantSettings"]["enableIdTokenIssuance"] is False
    assert made["@odata.context"].endswith("/v1.0/$metadata#applications/$entity")
    assert made["createdDateTime"].endswith("Z")
    assert graph.get(f"/v1.0/applications/{made['id']}").json() == made


def test_a_new_object_is_told_where_it_is(tenant: Tenant, graph: httpx.Client) -> None:
    directory = f"{tenant.graph}/v2/{tenant.tenant_id}"
    response = graph.post("/v1.0/applications", json={"displayName": "x"})
    made = created(response)
    address = f"{directory}/directoryObjects/{made['id']}/Microsoft.DirectoryServices.Application"
    assert response.headers["location"] == address
    response = graph.post("/v1.0/servicePrincipals", json={"appId": made["appId"]})
    assert response.headers["location"].endswith("/Microsoft.DirectoryServices.ServicePrincipal")
    credential = {"name": "abc", "issuer": "https://a.example", "subject": "s", "audiences": ["a"]}
    url = f"/v1.0/applications/{made['id']}/federatedIdentityCredentials"
    response = graph.post(url, json=credential)
    id_ = created(response)["id"]
    assert response.headers["location"] == f"{directory}/federatedIdentityCredentials/{id_}"


def test_its_creator_owns_it_unless_it_names_others(tenant: Tenant, graph: httpx.Client) -> None:
    me = principal_of(graph, tenant.client_id)["id"]
    user = tenant.ready["users"][1]["id"]
    assert owners(graph, make_application(graph)) == [me]
    bound = [f"{tenant.graph}/v1.0/directoryObjects/{one}" for one in (me, user)]
    assert owners(graph, make_application(graph, **{"owners@odata.bind": bound})) == [me, user]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "'displayName' of resource 'Application'"),
        ({"displayName": "x", "colour": 1}, "The property 'colour' does not exist on type"),
        ({"displayName": "x", "appId": "y"}, "Property 'appId' is read-only"),
        ({"displayName": "x", "web": {"redirectUris": "y"}}, "property 'web'"),
        ({"displayName": "x", "appRoles": ["y"]}, "property 'appRoles'"),
        ({"displayName": "x", "tags": [1]}, "property 'tags'"),
        ({"displayName": 5}, "displayName"),
        ({"displayName": "x", "signInAudience": "All"}, "property 'signInAudience'"),
        ({"displayName": "x", "passwordCredentials": [{"secretText": "y"}]}, "service actions"),
        ({"displayName": "x", "owners@odata.bind": ["nonsense"]}, "Invalid URL format"),
    ],
)
def test_a_bad_body_is_refused_and_makes_nothing(
    graph: httpx.Client, body: dict[str, Any], expected: str
) -> None:
    before = graph.get("/v1.0/applications").json()["value"]
    response = graph.post("/v1.0/applications", json=body)
    assert refused(response)[0] == 400
    assert expected in message(response)
    assert graph.get("/v1.0/applications").json()["value"] == before


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"web": {"foo": 1}}, "'foo' does not exist on type 'microsoft.graph.webApplication'"),
        ({"web": {"implicitGrantSettings": {"foo": 1}}}, "'microsoft.graph.implicitGrantSettings'"),
        ({"web": {"implicitGrantSettings": {"enableIdTokenIssuance": "x"}}}, "property 'web'"),
        ({"appRoles": [ROLE | {"foo": 1}]}, "type 'microsoft.graph.appRole'"),
        ({"appRoles": [ROLE | {"id": "abc"}]}, "literal 'abc' to the expected type 'Edm.Guid'"),
        ({"appRoles": [ROLE | {"id": None}]}, "property 'appRoles'"),
        ({"appRoles": [ROLE | {"isEnabled": "yes"}]}, "property 'appRoles'"),
        ({"appRoles": [ROLE | {"value": "with space"}]}, "property 'appRoles'"),
        ({"appRoles": [ROLE | {"value": "x" * 121}]}, "property 'appRoles'"),
        ({"appRoles": [ROLE | {"allowedMemberTypes": ["Foo"]}]}, "property 'appRoles'"),
        ({"appRoles": [ROLE | {"allowedMemberTypes": []}]}, "at least one value specified for"),
        ({"appRoles": [{}]}, "property 'appRoles'"),
        ({"appRoles": [ROLE, ROLE | {"value": "Other"}]}, "duplicate values"),
        ({"appRoles": [ROLE, ROLE | {"id": SCOPE["id"]}]}, "duplicate values"),
        ({"api": {"oauth2PermissionScopes": [SCOPE | {"id": "abc"}]}}, "type 'Edm.Guid'"),
        ({"api": {"oauth2PermissionScopes": [SCOPE | {"type": "Foo"}]}}, "property 'api'"),
        ({"api": {"oauth2PermissionScopes": [SCOPE, SCOPE]}}, "duplicate values"),
        (
            {"appRoles": [ROLE], "api": {"oauth2PermissionScopes": [SCOPE | {"value": "Do"}]}},
            "duplicate values",
        ),
        (
            {"appRoles": [ROLE], "api": {"oauth2PermissionScopes": [SCOPE | {"id": ROLE["id"]}]}},
            f"The following values must match for the 'oauth2Permissions' and 'appRoles' "
            f"properties with identifier '{ROLE['id']}'",
        ),
        ({"api": {"requestedAccessTokenVersion": 3}}, "property 'api'"),
        ({"api": {"requestedAccessTokenVersion": True}}, "property 'api'"),
        ({"api": {"knownClientApplications": ["abc"]}}, "type 'Edm.Guid'"),
        ({"requiredResourceAccess": [{}]}, "property 'requiredResourceAccess'"),
        ({"requiredResourceAccess": [ACCESS | {"resourceAppId": "abc"}]}, "type 'Edm.Guid'"),
        ({"requiredResourceAccess": [ACCESS | {"resourceAccess": [{}]}]}, "requiredResourceAccess"),
        (
            {
                "requiredResourceAccess": [
                    ACCESS | {"resourceAccess": [{"id": ROLE["id"], "type": "Foo"}]}
                ]
            },
            "property 'requiredResourceAccess'",
        ),
        ({"optionalClaims": {"idToken": [{"essential": 1}]}}, "property 'optionalClaims'"),
        ({"keyCredentials": [{"endDateTime": "tomorrow"}]}, "type 'Edm.DateTimeOffset'"),
        ({"tokenEncryptionKeyId": "abc"}, "type 'Edm.Guid'"),
    ],
)
def test_members_have_their_types(graph: httpx.Client, body: dict[str, Any], expected: str) -> None:
    application = make_application(graph)
    for response in (
        graph.post("/v1.0/applications", json={"displayName": "x"} | body),
        graph.patch(f"/v1.0/applications/{application['id']}", json=body),
    ):
        assert refused(response)[0] == 400
        assert expected in message(response)


def test_what_a_member_of_a_collection_leaves_out_is_null(graph: httpx.Client) -> None:
    capitals = "ABCDEFAB-1111-4111-8111-111111111111"
    bare = {"id": capitals, "allowedMemberTypes": ["User"]}
    made = make_application(
        graph,
        appRoles=[bare, bare | {"id": ROLE["id"], "value": None}],
        api={"oauth2PermissionScopes": [{"@odata.type": "#x", "id": SCOPE["id"]}]},
        web={"redirectUris": None, "implicitGrantSettings": None},
    )
    assert made["appRoles"][0] == {
        "allowedMemberTypes": ["User"],
        "description": None,
        "displayName": None,
        "id": capitals.lower(),
        "isEnabled": True,
        "origin": "Application",
        "value": None,
    }
    [scope] = made["api"]["oauth2PermissionScopes"]
    assert (scope["type"], scope["isEnabled"], scope["value"]) == ("User", True, None)
    assert made["web"]["redirectUris"] == []
    assert made["web"]["implicitGrantSettings"]["enableIdTokenIssuance"] is False


def test_a_role_and_a_scope_may_be_one_permission(graph: httpx.Client) -> None:
    both = SCOPE | {"id": ROLE["id"], "value": ROLE["value"]}
    make_application(graph, appRoles=[ROLE], api={"oauth2PermissionScopes": [both]})


def test_a_unique_name_is_unique_and_stays(graph: httpx.Client) -> None:
    named, other = make_application(graph, uniqueName="mail"), make_application(graph)
    url = f"/v1.0/applications/{named['id']}"
    assert graph.patch(url, json={"uniqueName": "mail", "notes": "n"}).status_code == 204
    for name in ("post", None):
        response = graph.patch(url, json={"uniqueName": name})
        assert refused(response)[0] == 400
        assert "Property 'uniqueName' is read-only" in message(response)
    graph.delete(url).raise_for_status()
    for response in (
        graph.post("/v1.0/applications", json={"displayName": "x", "uniqueName": "mail"}),
        graph.patch(f"/v1.0/applications/{other['id']}", json={"uniqueName": "mail"}),
    ):
        assert refused(response) == (400, "Request_BadRequest")
        assert message(response) == (
            "Another object with the same value for property uniqueName already exists."
        )
    change = {"uniqueName": "post"}  # one that came without may get one, once
    assert graph.patch(f"/v1.0/applications/{other['id']}", json=change).status_code == 204


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"{", "application/json"), (b"[]", "application/json"), (b"a=b", "text/plain"), (b"", "")],
)
def test_what_is_no_json_object_is_refused(
    graph: httpx.Client, content: bytes, content_type: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = graph.post("/v1.0/applications", content=content, headers=headers)
    assert refused(response)[0] == 400


def test_a_media_type_is_the_same_in_capitals(tenant: Tenant, graph: httpx.Client) -> None:
    body = {"displayName": "x"}
    headers = {"content-type": "Application/JSON; Charset=UTF-8"}
    url = "/v1.0/applications"
    assert created(graph.post(url, content=json.dumps(body).encode(), headers=headers))
    assert tenant.history()[-1]["request"] == body


class TestCompressed:
    def post(self, graph: httpx.Client, content: bytes, coding: str = "gzip") -> httpx.Response:
        headers = {"content-type": "application/json", "content-encoding": coding}
        return graph.post("/v1.0/applications", content=content, headers=headers)

    def test_no_coding_is_none(self, graph: httpx.Client) -> None:
        assert self.post(graph, b'{"displayName": "x"}', "").status_code == 201

    @pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
    def test_a_body_is_unpacked(self, tenant: Tenant, graph: httpx.Client, coding: str) -> None:
        body = {"displayName": "packed"}
        packed = gzip.compress(json.dumps(body).encode())
        assert created(self.post(graph, packed, coding))["displayName"] == "packed"
        assert tenant.history()[-1]["request"] == body

    @pytest.mark.parametrize(
        ("content", "coding", "status"),
        [
            (b'{"displayName": "x"}', "gzip", 400),
            (gzip.compress(b'{"displayName": "x"}', mtime=0)[:-12], "gzip", 400),
            (gzip.compress(b" " * (4 * 2**20 + 1), mtime=0), "gzip", 413),
            (b" " * (4 * 2**20 + 1), "identity", 413),
            (b"x", "deflate", 415),
            (b"x", "gzip, gzip", 415),
        ],
    )
    def test_what_cannot_be_unpacked_is_refused(
        self, graph: httpx.Client, content: bytes, coding: str, status: int
    ) -> None:
        assert refused(self.post(graph, content, coding))[0] == status


@pytest.mark.parametrize("name", ["", None])
def test_a_name_is_not_taken_away(graph: httpx.Client, name: str | None) -> None:
    application = make_application(graph)
    path = f"/v1.0/applications/{application['id']}"
    response = graph.patch(path, json={"displayName": name})
    assert refused(response)[0] == 400
    assert "property 'displayName'" in message(response)
    assert graph.get(path).json()["displayName"] == application["displayName"]


def test_an_owner_that_is_not_there_is_refused(graph: httpx.Client) -> None:
    nobody = "https://graph.microsoft.com/v1.0/users/5d5e0a8e-0000-0000-0000-000000000000"
    body = {"displayName": "x", "owners@odata.bind": [nobody]}
    assert refused(graph.post("/v1.0/applications", json=body)) == (404, "Request_ResourceNotFound")


def test_a_change_touches_only_what_it_names(graph: httpx.Client) -> None:
    created = make_application(
        graph, tags=["a"], web={"redirectUris": ["https://a.example/"], "homePageUrl": "https://a"}
    )
    url = f"/v1.0/applications/{created['id']}"
    change = {"web": {"redirectUris": ["https://b.example/"]}, "notes": "n"}
    assert graph.patch(url, json=change).status_code == 204
    changed = graph.get(url).json()
    assert changed["notes"] == "n"
    assert changed["web"]["redirectUris"] == ["https://b.example/"]
    assert changed["web"]["homePageUrl"] == "https://a"
    assert changed["tags"] == ["a"]
    assert graph.patch(url, json={"tags": None}).status_code == 204
    assert graph.get(url).json()["tags"] == []


@pytest.mark.parametrize("collection", ["applications", "servicePrincipals"])
def test_what_is_read_only_may_be_told_as_it_is(graph: httpx.Client, collection: str) -> None:
    application = make_application(graph)
    principal = make_principal(graph, application)
    one = application if collection == "applications" else principal
    url = f"/v1.0/{collection}/{one['id']}"
    same = {
        "@odata.type": "#microsoft.graph.x",
        "id": one["id"].upper(),
        "appId": one["appId"],
        "deletedDateTime": None,
        "createdDateTime": one["createdDateTime"].replace("Z", "+00:00"),
        "verifiedPublisher": {"@odata.type": "#microsoft.graph.verifiedPublisher"},
    }
    assert graph.patch(url, json=same | {"notes": "n"}).status_code == 204
    assert graph.get(url).json()["notes"] == "n"
    other = {
        "id": application["appId"],
        "deletedDateTime": one["createdDateTime"],
        "createdDateTime": None,
        "verifiedPublisher": {"displayName": "x"},
    }
    for name, value in other.items():
        refusal = graph.patch(url, json=same | {name: value})
        assert refused(refusal) == (400, "Request_BadRequest")
        assert message(refusal) == f"Property '{name}' is read-only and cannot be set."


@pytest.mark.parametrize("collection", ["applications", "servicePrincipals"])
def test_the_key_of_a_certificate_is_shown_to_whom_asks_and_kept(
    graph: httpx.Client, collection: str
) -> None:
    application = make_application(graph)
    principal = make_principal(graph, application)
    one = application if collection == "applications" else principal
    url = f"/v1.0/{collection}/{one['id']}"
    key = base64.b64encode(b"a certificate").decode()
    certificate = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": key}
    assert graph.patch(url, json={"keyCredentials": [certificate]}).status_code == 204
    [shown] = graph.get(url).json()["keyCredentials"]
    assert shown["key"] is None
    thumbprint = hashlib.sha1(b"a certificate", usedforsecurity=False).hexdigest().upper()
    assert shown["customKeyIdentifier"] == thumbprint
    listing = f"/v1.0/{collection}?$select=id,keyCredentials"
    [listed] = [each for each in graph.get(listing).json()["value"] if each["id"] == one["id"]]
    assert listed["keyCredentials"] == [shown]
    another = certificate | {"key": "no base64", "customKeyIdentifier": "mine"}
    assert graph.patch(url, json={"keyCredentials": [shown, another]}).status_code == 204
    asked = graph.get(f"{url}?$select=keyCredentials").json()["keyCredentials"]
    assert [(each["key"], each["customKeyIdentifier"]) for each in asked] == [
        (key, thumbprint),
        ("no base64", "mine"),
    ]


def test_its_service_principal_follows_it(graph: httpx.Client) -> None:
    application = make_application(graph, signInAudience="AzureADMyOrg")
    principal = make_principal(graph, application, tags=["mine"])
    uri = f"api://{application['appId']}"
    graph.patch(
        f"/v1.0/applications/{application['id']}",
        json={"displayName": "Renamed", "identifierUris": [uri]},
    )
    followed = graph.get(f"/v1.0/servicePrincipals/{principal['id']}").json()
    assert followed["displayName"] == followed["appDisplayName"] == "Renamed"
    assert followed["servicePrincipalNames"] == [uri, application["appId"]]
    assert followed["tags"] == ["mine"]


def test_an_enabled_permission_cannot_just_vanish(graph: httpx.Client) -> None:
    url = f"/v1.0/applications/{make_application(graph, appRoles=[ROLE])['id']}"
    response = graph.patch(url, json={"appRoles": []})
    assert refused(response) == (400, "CannotDeleteOrUpdateEnabledEntitlement")
    assert message(response) == (
        "Permission (scope or role) cannot be deleted or updated unless disabled first."
    )
    graph.patch(url, json={"appRoles": [ROLE | {"isEnabled": False}]})
    assert graph.patch(url, json={"appRoles": []}).status_code == 204


def test_alternate_keys_and_the_older_prefix(tenant: Tenant, graph: httpx.Client) -> None:
    created = make_application(graph, uniqueName="proself")
    key = f"applications(appId='{created['appId']}')"
    assert graph.get(f"/v1.0/{key}").json()["id"] == created["id"]
    assert graph.get(f"/v1.0/myorganization/{key}").json()["id"] == created["id"]
    assert graph.get(f"/v1.0/{tenant.ready['domains'][0]}/{key}").json()["id"] == created["id"]
    assert graph.get("/v1.0/applications(uniqueName='proself')").json()["id"] == created["id"]
    assert graph.get(f"/v1.0/applications('{created['id']}')").json()["id"] == created["id"]
    assert graph.get(f"/v1.0/applications/{created['id'].upper()}").json()["id"] == created["id"]
    assert graph.patch(f"/v1.0/{key}", json={"notes": "n"}).status_code == 204
    assert refused(graph.get("/v1.0/applications(appId='nobody')"))[0] == 404
    assert refused(graph.get("/v1.0/applications(colour='red')"))[0] == 400


def test_owners_come_and_go(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    me, user = owners(graph, application)[0], tenant.ready["users"][1]["id"]
    url = f"/v1.0/applications/{application['id']}/owners"
    for foreign in (f"https://evil.example/v1.0/users/{user}", f"https://[/users/{user}"):
        refusal = graph.post(f"{url}/$ref", json={"@odata.id": foreign})
        assert refused(refusal)[0] == 400
        assert message(refusal) == "Invalid URL format specified in payload."
    reference = {"@odata.id": f"{tenant.graph}/v1.0/directoryObjects/{user.upper()}"}
    assert graph.post(f"{url}/$ref", json=reference).status_code == 204
    again = graph.post(f"{url}/$ref", json=reference)
    assert refused(again)[0] == 400
    assert "added object references already exist" in message(again)
    assert owners(graph, application) == [me, user]
    users = graph.get(f"{url}/microsoft.graph.user?$select=id").json()["value"]
    assert users == [{"@odata.type": "#microsoft.graph.user", "id": user}]
    references = graph.get(f"{url}/$ref").json()["value"]
    assert [one["@odata.id"].rpartition("/")[2] for one in references] == [me, user]
    one = graph.get(f"{url}/{user.upper()}/$ref").json()
    assert (one["@odata.id"], one["id"]) == (references[1]["@odata.id"], user)
    assert graph.delete(f"{url}/{user}/$ref").status_code == 204
    assert refused(graph.get(f"{url}/{user}/$ref")) == (404, "Request_ResourceNotFound")
    assert refused(graph.delete(f"{url}/{user}/$ref"))[0] == 404
    assert owners(graph, application) == [me]


def test_what_a_relationship_leads_to_is_written_by_reference_alone(
    tenant: Tenant, graph: httpx.Client
) -> None:
    user = tenant.ready["users"][1]["id"]
    url = f"/v1.0/applications/{make_application(graph)['id']}/owners"
    for response in (graph.post(url, json={}), graph.delete(f"{url}/{user}")):
        assert refused(response) == (400, "BadRequest")
        assert message(response).startswith(
            "Write requests are only supported on contained entities"
        )
    assert refused(graph.patch(url, json={}))[0] == 405


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ({}, "Write requests (excluding DELETE) must contain the Content-Type header declaration."),
        ({"content-type": "text/plain"}, "Unable to read JSON request payload."),
    ],
)
def test_a_body_says_that_it_is_json(
    graph: httpx.Client, content_type: dict[str, str], said: str
) -> None:
    content = b'{"displayName": "x"}'
    response = graph.post("/v1.0/applications", content=content, headers=content_type)
    assert refused(response) == (400, "BadRequest")
    assert message(response).startswith(said)
    url = f"/v1.0/applications/{make_application(graph)['id']}"
    assert graph.request("DELETE", url, content=content, headers=content_type).status_code == 204


class TestAskedOfOwners:
    @pytest.fixture
    def url(self, tenant: Tenant, graph: httpx.Client) -> str:
        """The owners of an application: the deployer, and the mailbox's user."""
        url = f"/v1.0/applications/{make_application(graph)['id']}/owners"
        user = tenant.ready["users"][1]["id"]
        reference = {"@odata.id": f"{tenant.graph}/v1.0/directoryObjects/{user}"}
        assert graph.post(f"{url}/$ref", json=reference).status_code == 204
        return url

    def test_how_many(self, graph: httpx.Client, url: str) -> None:
        for path, number in (
            ("/$count", "2"),
            ("/microsoft.graph.user/$count", "1"),
            ("/microsoft.graph.application/$count", "0"),
            ('/$count?$search="displayName:deployer"', "1"),
        ):
            response = graph.get(url + path, headers=ADVANCED)
            assert (response.text, response.headers["content-type"]) == (
                number,
                "text/plain; charset=utf-8",
            )
        assert refused(graph.get(f"{url}/$count")) == (400, "Request_BadRequest")

    def test_which(self, graph: httpx.Client, url: str) -> None:
        search = f'{url}?$search="displayName:prose"&$select=displayName'
        found = graph.get(search, headers=ADVANCED).json()["value"]
        assert [one["displayName"] for one in found] == ["Proself"]
        assert refused(graph.get(search)) == (400, "Request_UnsupportedQuery")

    def test_what_of_them(self, graph: httpx.Client, url: str) -> None:
        asked = graph.get(f"{url}?$select=appId,userType").json()["value"]
        assert [set(one) - {"@odata.type"} for one in asked] == [{"appId"}, {"userType"}]
        for query in ("$select=nope", "$select=oauth2RequirePostResponse", "$expand=owners"):
            response = graph.get(f"{url}?{query}")
            assert refused(response) == (400, "BadRequest")
            assert "'microsoft.graph.directoryObject'" in message(response)


def test_an_empty_selection_is_none(graph: httpx.Client) -> None:
    url = f"/v1.0/applications/{make_application(graph)['id']}"
    assert graph.get(f"{url}?$select=").json() == graph.get(url).json()


def test_beta_knows_more_than_v1(graph: httpx.Client) -> None:
    application = make_application(graph)
    path = f"applications/{application['id']}?$select=oauth2RequirePostResponse"
    assert graph.get(f"/beta/{path}").json()["oauth2RequirePostResponse"] is False
    response = graph.get(f"/v1.0/{path}")
    assert refused(response) == (400, "BadRequest")
    assert message(response) == (
        "Parsing OData Select and Expand failed: Could not find a property named "
        "'oauth2RequirePostResponse' on type 'microsoft.graph.application'."
    )
    assert "oauth2RequirePostResponse" not in application


def test_what_only_beta_knows_is_not_written_on_v1(graph: httpx.Client) -> None:
    application = make_application(graph)
    principal = make_principal(graph, application)
    path = f"applications/{application['id']}"
    name = "oauth2RequirePostResponse"
    for response in (
        graph.post("/v1.0/applications", json={"displayName": "x", name: False}),
        graph.patch(f"/v1.0/{path}", json={name: None}),
        graph.patch(f"/v1.0/{path}", json={"authenticationBehaviors": None}),
        graph.patch(f"/v1.0/servicePrincipals/{principal['id']}", json={"samlMetadataUrl": None}),
    ):
        assert refused(response) == (404, "Request_ResourceNotFound")
        assert message(response).startswith("Resource '' does not exist")
    assert graph.patch(f"/beta/{path}", json={name: True}).status_code == 204
    assert graph.get(f"/beta/{path}?$select={name}").json()[name] is True


class TestServicePrincipals:
    def test_one_per_application(self, graph: httpx.Client) -> None:
        application = make_application(graph)
        principal = make_principal(graph, application)
        assert principal["appDisplayName"] == application["displayName"]
        assert principal["servicePrincipalType"] == "Application"
        response = graph.post("/v1.0/servicePrincipals", json={"appId": application["appId"]})
        assert refused(response) == (409, "Request_MultipleObjectsWithSameKeyValue")
        assert message(response).endswith(f"{application['appId']} is already in use.")

    def test_none_without_application(self, graph: httpx.Client) -> None:
        body = {"appId": "5d5e0a8e-0000-0000-0000-000000000000"}
        response = graph.post("/v1.0/servicePrincipals", json=body)
        assert refused(response) == (400, "Request_BadRequest")
        assert "does not reference a valid application object" in message(response)
        assert refused(graph.post("/v1.0/servicePrincipals", json={}))[0] == 400

    def test_another_tenants_only_by_who_may_manage_all(
        self, tenant: Tenant, graph: httpx.Client, administrator: httpx.Client
    ) -> None:
        other = tenant.ready["tenants"][1]
        token = tenant.token(
            tenant=other["tenant_id"],
            client_id=other["client_id"],
            client_secret=other["client_secret"],
        )
        with tenant.http(token) as fabrikam:
            shared = make_application(fabrikam, signInAudience="AzureADMultipleOrgs")
            private = make_application(fabrikam, signInAudience="AzureADMyOrg")
        response = graph.post("/v1.0/servicePrincipals", json={"appId": shared["appId"]})
        assert refused(response) == (403, "Authorization_RequestDenied")
        assert "must in the local tenant" in message(response)
        made = make_principal(administrator, shared)
        assert made["appOwnerOrganizationId"] == other["tenant_id"]
        refusal = administrator.post("/v1.0/servicePrincipals", json={"appId": private["appId"]})
        assert refused(refusal) == (400, "Request_BadRequest")

    def test_change_and_delete(self, graph: httpx.Client) -> None:
        principal = make_principal(graph, make_application(graph), description="d")
        url = f"/v1.0/servicePrincipals/{principal['id']}"
        assert graph.patch(url, json={"description": None}).status_code == 204
        assert graph.get(url).json()["description"] is None
        assert refused(graph.patch(url, json={"appId": "x"}))[0] == 400
        assert graph.delete(url).status_code == 204
        assert refused(graph.get(url))[0] == 404

    def test_microsofts_own_are_there_and_nobodys(self, graph: httpx.Client) -> None:
        exchange = principal_of(graph, EXCHANGE_APP_ID)
        assert exchange["displayName"] == "Office 365 Exchange Online"
        assert exchange["appOwnerOrganizationId"] == "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
        scopes = {one["value"]: one["id"] for one in exchange["oauth2PermissionScopes"]}
        assert scopes["Mail.Send"] == "5eb43c10-865a-4259-960a-83946678f8dd"
        assert scopes["SMTP.Send"] == "76faac2a-0f20-42f1-928a-50de5b9dbe52"
        url = f"/v1.0/servicePrincipals/{exchange['id']}"
        assert refused(graph.patch(url, json={"notes": "mine"}))[0] == 403
        assert refused(graph.delete(url))[0] == 403

    def test_without_exchange(self) -> None:
        with Tenant("--without-exchange") as tenant, tenant.http(tenant.token()) as graph:
            url = f"/v1.0/servicePrincipals?$filter=appId eq '{EXCHANGE_APP_ID}'"
            assert graph.get(url).json()["value"] == []
            assert refused(graph.get(f"/v1.0/servicePrincipals(appId='{EXCHANGE_APP_ID}')")) == (
                404,
                "Request_ResourceNotFound",
            )
