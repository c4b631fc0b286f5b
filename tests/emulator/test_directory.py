"""The organization, users, and objects of any type."""

import httpx

from tests.emulator.browser import sign_in
from tests.emulator.objects import (
    EXCHANGE_APP_ID,
    make_application,
    make_principal,
    principal_of,
    refused,
)
from tests.tenant import Tenant

ADVANCED = {"ConsistencyLevel": "eventual"}
NOBODY = "5d5e0a8e-0000-4000-8000-000000000000"


def test_the_organization(tenant: Tenant, administrator: httpx.Client) -> None:
    [organization] = administrator.get("/v1.0/organization").json()["value"]
    assert organization["id"] == tenant.tenant_id
    assert organization["displayName"] == "Contoso"
    domains = {one["name"]: one for one in organization["verifiedDomains"]}
    assert list(domains) == tenant.ready["domains"]
    assert domains["contoso.onmicrosoft.com"]["isInitial"] is True
    assert domains["contoso.example"]["isDefault"] is True
    url = f"/v1.0/organization/{tenant.tenant_id}?$select=displayName"
    assert administrator.get(url).json()["displayName"] == "Contoso"


def test_users_by_id_and_by_name(tenant: Tenant, administrator: httpx.Client) -> None:
    user = tenant.ready["users"][1]
    for key in (user["id"], user["user_principal_name"], user["user_principal_name"].upper()):
        assert administrator.get(f"/v1.0/users/{key}").json()["id"] == user["id"]
    by_key = f"/v1.0/users(userPrincipalName='{user['user_principal_name']}')"
    assert administrator.get(by_key).json()["id"] == user["id"]
    assert refused(administrator.get("/v1.0/users/nobody@contoso.example"))[0] == 404
    assert refused(administrator.get("/v1.0/users(userPrincipalName='nobody')"))[0] == 404
    assert refused(administrator.get("/v1.0/users(mail='x')")) == (400, "BadRequest")
    found = administrator.get(f"/v1.0/users?$filter=mail eq '{user['user_principal_name']}'")
    assert [one["id"] for one in found.json()["value"]] == [user["id"]]


def test_an_object_of_any_type(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    exchange = principal_of(graph, EXCHANGE_APP_ID)
    user = tenant.ready["users"][0]["id"]
    for id_, type_name in (
        (application["id"], "application"),
        (exchange["id"], "servicePrincipal"),
        (user, "user"),
    ):
        shown = graph.get(f"/v1.0/directoryObjects/{id_}").json()
        assert shown["@odata.type"] == f"#microsoft.graph.{type_name}"
    assert refused(graph.get(f"/v1.0/directoryObjects/{NOBODY}"))[0] == 404


def test_many_at_once(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    user = tenant.ready["users"][0]["id"]
    url = "/v1.0/directoryObjects/getByIds"
    ids = {"ids": [application["id"], user, NOBODY]}
    everything = graph.post(url, json=ids).json()["value"]
    assert [one["id"] for one in everything] == [application["id"], user]
    capitals = {"ids": [id_.upper() for id_ in ids["ids"]]}
    assert graph.post(url, json=capitals).json()["value"] == everything
    for name in ("user", "User"):
        only = graph.post(url, json=ids | {"types": [name]}).json()["value"]
        assert [one["@odata.type"] for one in only] == ["#microsoft.graph.user"]
    capitals = {"Ids": ids["ids"], "TYPES": ["user"]}
    assert graph.post(url, json=capitals).json()["value"] == only
    assert refused(graph.post(url, json={"types": ["user"]})) == (400, "Request_BadRequest")
    assert refused(graph.post(url, json={"ids": "x"}))[0] == 400
    assert refused(graph.post(url, json={"ids": [NOBODY] * 1001}))[0] == 400
    assert refused(graph.post(url, json=ids | {"type": "user"})) == (400, "BadRequest")
    assert refused(graph.post(url, json=ids | {"types": [{}]}))[0] == 400


def test_what_of_many_at_once(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    ids = {"ids": [application["id"], tenant.ready["users"][0]["id"]]}
    url = "/v1.0/directoryObjects/getByIds?$select"
    asked = graph.post(f"{url}=appId,userType", json=ids).json()["value"]
    assert [set(one) - {"@odata.type"} for one in asked] == [{"appId"}, {"userType"}]
    everything = graph.post(f"{url}=*", json=ids).json()["value"]
    assert everything[1]["userType"] == "Member"
    alone = graph.get(f"/v1.0/applications/{application['id']}").json()
    assert set(everything[0]) - {"@odata.type"} == set(alone) - {"@odata.context"}
    assert refused(graph.post(f"{url}=nope", json=ids)) == (400, "BadRequest")


def test_what_somebody_owns(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    principal = make_principal(graph, application)
    me = principal_of(graph, tenant.client_id)["id"]
    owned = graph.get(f"/v1.0/servicePrincipals/{me}/ownedObjects").json()["value"]
    assert [one["id"] for one in owned] == [application["id"], principal["id"]]
    url = f"/v1.0/servicePrincipals/{me}/ownedObjects"
    for type_name in ("microsoft.graph.application", "graph.application"):
        found = graph.get(f"{url}/{type_name}?$select=id").json()["value"]
        assert [one["id"] for one in found] == [application["id"]]
    for path, number in (("$count", "2"), ("microsoft.graph.application/$count", "1")):
        assert graph.get(f"{url}/{path}", headers=ADVANCED).text == number
        assert refused(graph.get(f"{url}/{path}")) == (400, "Request_BadRequest")
    by_key = f"/v1.0/servicePrincipals(appId='{tenant.client_id}')/ownedObjects"
    assert graph.get(by_key).json()["value"] == owned
    found = graph.get(f'{by_key}?$search="displayName:nobody"', headers=ADVANCED).json()
    assert found["value"] == []
    assert refused(graph.get(f"{by_key}?$select=nope")) == (400, "BadRequest")
    with tenant.http(sign_in(tenant, tenant.ready["users"][0])) as administrator:
        mine = make_application(administrator)
        for path in ("", "/microsoft.graph.application"):
            found = administrator.get(f"/v1.0/me/ownedObjects{path}?$select=id").json()["value"]
            assert [one["id"] for one in found] == [mine["id"]]
        user = tenant.ready["users"][0]["id"]
        name = tenant.ready["users"][0]["user_principal_name"]
        for key in (f"/{user}", f"/{name}", f"(userPrincipalName='{name}')"):
            url = f"/v1.0/users{key}/ownedObjects"
            found = administrator.get(f"{url}?$select=id").json()["value"]
            assert [one["id"] for one in found] == [mine["id"]]
            none = administrator.get(
                f"{url}/microsoft.graph.servicePrincipal/$count", headers=ADVANCED
            )
            assert none.text == "0"
