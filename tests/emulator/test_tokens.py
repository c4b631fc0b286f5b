"""The token endpoint: applications by themselves, with secrets and federated assertions."""

import base64
import math
import time
from datetime import datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.emulator.objects import created, make_application, make_principal, principal_of
from tests.tenant import Tenant

GRAPH = "https://graph.microsoft.com"
ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "repo:o/r:environment:production"
AUDIENCE = "api://AzureADTokenExchange"
REQUEST = "7c2d5a3e-9b14-4f60-8a7d-0e5f6c1b2a39"


def refused(response: httpx.Response) -> tuple[int, str, int]:
    body = response.json()
    [number] = body["error_codes"]
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    for part in ("Trace ID: ", "Correlation ID: ", "Timestamp: "):
        assert part in body["error_description"]
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= set(body)
    return response.status_code, body["error"], number


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_a_token_says_who_and_what(tenant: Tenant) -> None:
    reply = tenant.sign_in().json()
    assert reply["token_type"] == "Bearer"
    assert reply["expires_in"] == reply["ext_expires_in"] == 3599
    claims = claims_of(reply["access_token"])
    assert claims["aud"] == tenant.graph
    assert claims["tid"] == tenant.tenant_id
    assert claims["appid"] == tenant.client_id
    assert claims["idtyp"] == "app"
    assert claims["oid"] == claims["sub"]
    assert sorted(claims["roles"]) == [
        "Application.ReadWrite.OwnedBy",
        "DelegatedPermissionGrant.ReadWrite.All",
    ]
    assert claims["exp"] - claims["iat"] == 3599


@pytest.mark.parametrize(
    ("headers", "query", "form", "told"),
    [
        ({"client-request-id": "mine"}, {}, {}, "mine"),
        ({}, {"client-request-id": REQUEST}, {}, REQUEST),
        ({"client-request-id": "mine"}, {"client-request-id": REQUEST}, {}, "mine"),
        ({}, {"client-request-id": f"{REQUEST}\r\nx: y"}, {}, None),
        ({}, {}, {"client-request-id": REQUEST}, None),
    ],
)
def test_a_request_is_called_as_its_client_calls_it(
    tenant: Tenant,
    headers: dict[str, str],
    query: dict[str, str],
    form: dict[str, str],
    told: str | None,
) -> None:
    url = f"/{tenant.tenant_id}/oauth2/v2.0/token"
    with tenant.http() as http:
        response = http.post(url, params=query, headers=headers, data=form)
    correlation_id = response.json()["correlation_id"]
    assert response.headers["client-request-id"] == correlation_id
    assert correlation_id == told if told else correlation_id not in ("", REQUEST)
    assert "x" not in response.headers


@pytest.mark.parametrize("resource", [GRAPH, f"{GRAPH}/", "00000003-0000-0000-c000-000000000000"])
def test_graph_is_known_by_each_of_its_names(tenant: Tenant, resource: str) -> None:
    token = tenant.token(scope=f"{resource}/.default")
    assert claims_of(token)["aud"] == resource
    with tenant.http(token) as graph:
        assert graph.get("/v1.0/applications").status_code == 200


@pytest.mark.parametrize("scope", ["{} openid offline_access profile", "openid profile email {}"])
def test_scopes_of_openid_connect_change_nothing_for_an_application(
    tenant: Tenant, scope: str
) -> None:
    reply = tenant.sign_in(scope=scope.format(f"{GRAPH}/.default")).json()
    assert claims_of(reply["access_token"])["aud"] == GRAPH
    assert not {"id_token", "refresh_token", "scope"} & set(reply)


def test_the_tenant_is_known_by_its_domains(tenant: Tenant) -> None:
    for name in tenant.ready["domains"]:
        assert tenant.sign_in(tenant=name).status_code == 200


def test_a_parameter_that_comes_twice(tenant: Tenant) -> None:
    form = "grant_type=client_credentials&scope=a&client_id=x&scope=a"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    with tenant.http() as http:
        url = f"/{tenant.tenant_id}/oauth2/v2.0/token"
        response = http.post(url, content=form, headers=headers)
    assert refused(response) == (400, "invalid_request", 9000411)
    assert "not properly formatted. The parameter 'scope' is" in response.text


@pytest.mark.parametrize("endpoint", ["oauth2/token", "oauth2/v2.0/token"])
def test_tokens_are_not_to_be_read(tenant: Tenant, endpoint: str) -> None:
    with tenant.http() as http:
        response = http.get(f"/{tenant.tenant_id}/{endpoint}")
    assert refused(response) == (400, "invalid_request", 900561)
    assert "only accepts POST, OPTIONS requests. Received a GET request." in response.text


def test_the_older_endpoint_takes_a_resource(tenant: Tenant) -> None:
    with tenant.http() as http:
        response = http.post(
            f"/{tenant.tenant_id}/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": tenant.client_id,
                "client_secret": tenant.client_secret,
                "resource": GRAPH,
            },
        )
    reply = response.json()
    claims = claims_of(reply.pop("access_token"))
    assert claims["aud"] == GRAPH
    ends, begins = reply.pop("expires_on"), reply.pop("not_before")
    assert isinstance(ends, str)
    assert int(ends) - int(begins) == 3599
    assert 0 <= int(ends) - claims["exp"] <= 1
    assert reply == {
        "token_type": "Bearer",
        "expires_in": "3599",
        "ext_expires_in": "3599",
        "resource": GRAPH,
    }


@pytest.mark.parametrize(
    ("endpoint", "named"), [("oauth2/token", ("resource", GRAPH)),
                            ("oauth2/v2.0/token", ("scope", f"{GRAPH}/.default"))]
)  # fmt: skip
def test_a_form_may_come_in_parts(tenant: Tenant, endpoint: str, named: tuple[str, str]) -> None:
    asked = [
        *(("grant_type", "client_credentials"), ("client_id", tenant.client_id)),
        *(("client_secret", tenant.client_secret), named),
    ]
    form = [(name, (None, value)) for name, value in asked]
    url = f"/{tenant.tenant_id}/{endpoint}"
    with tenant.http() as http:
        reply = http.post(url, files=form)
        twice = http.post(url, files=[*form, form[-1]])
        match = {"client_id": tenant.client_id}
        tenant.faults({"match": match, "strike": "status", "status": 503})
        struck = http.post(url, files=form)
    assert claims_of(reply.json()["access_token"])["appid"] == tenant.client_id
    assert refused(twice) == (400, "invalid_request", 9000411)
    assert struck.status_code == 503
    assert tenant.client_secret not in str(tenant.history())


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/json", '{"grant_type": "client_credentials"}'),
        ("multipart/form-data", "--\r\n\r\n--"),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b",
        ),
        ("multipart/form-data; boundary*=utf-16''%00%ff", "\xff"),
    ],
)
def test_what_is_no_form_has_no_parameters(tenant: Tenant, content_type: str, content: str) -> None:
    with tenant.http() as http:
        response = http.post(
            f"/{tenant.tenant_id}/oauth2/v2.0/token",
            content=content,
            headers={"content-type": content_type},
        )
    assert refused(response) == (400, "invalid_request", 900144)


def test_the_secret_may_come_by_basic_authentication(tenant: Tenant) -> None:
    pair = base64.b64encode(f"{tenant.client_id}:{tenant.client_secret}".encode()).decode()
    with tenant.http() as http:
        response = http.post(
            f"/{tenant.tenant_id}/oauth2/v2.0/token",
            data={"grant_type": "client_credentials", "scope": f"{GRAPH}/.default"},
            headers={"authorization": f"Basic {pair}"},
        )
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": ""}, (401, "invalid_client", 7000216)),
        (
            {"client_id": "5d5e0a8e-0000-0000-0000-000000000000"},
            (400, "unauthorized_client", 700016),
        ),
        ({"client_id": ""}, (400, "invalid_request", 900144)),
        ({"grant_type": ""}, (400, "invalid_request", 900144)),
        ({"grant_type": "magic"}, (400, "unsupported_grant_type", 70003)),
        ({"scope": ""}, (400, "invalid_request", 900144)),
        ({"scope": f"{GRAPH}/User.Read.All"}, (400, "invalid_scope", 1002012)),
        ({"scope": "openid profile"}, (400, "invalid_scope", 1002012)),
        (
            {"scope": f"openid {GRAPH}/.default https://outlook.office.com/.default"},
            (400, "invalid_scope", 1002012),
        ),
        ({"scope": "https://nobody.example/.default"}, (400, "invalid_resource", 500011)),
        ({"tenant": "nowhere.example"}, (400, "invalid_request", 90002)),
        ({"tenant": "common"}, (400, "invalid_request", 50194)),
        ({"tenant": "organizations"}, (400, "invalid_request", 50194)),
    ],
)
def test_refusals(tenant: Tenant, form: dict[str, str], expected: tuple[int, str, int]) -> None:
    assert refused(tenant.sign_in(**form)) == expected


def test_an_application_by_itself_must_name_a_tenant(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph, signInAudience="AzureADMultipleOrgs")
    for name, expected in (("common", 50059), ("organizations", 50059), ("consumers", 70002)):
        asked = tenant.sign_in(tenant=name, client_id=application["appId"], client_secret="x")
        assert refused(asked)[2] == expected


def test_a_secret_ends_and_its_application_is_told_so(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    make_principal(graph, application)
    secret = graph.post(
        f"/v1.0/applications/{application['id']}/addPassword",
        json={"passwordCredential": {"displayName": "a"}},
    ).json()
    form = {"client_id": application["appId"], "client_secret": secret["secretText"]}
    assert tenant.sign_in(**form).status_code == 200
    left = datetime.fromisoformat(secret["endDateTime"]) - tenant.now()
    tenant.advance(left.total_seconds() - 30)
    assert tenant.sign_in(**form).status_code == 200
    tenant.advance(31)
    assert refused(tenant.sign_in(**form)) == (401, "invalid_client", 7000222)


def test_a_secret_is_refused_before_its_start(tenant: Tenant, graph: httpx.Client) -> None:
    application = make_application(graph)
    make_principal(graph, application)
    start = tenant.now().replace(year=tenant.now().year + 1)
    secret = graph.post(
        f"/v1.0/applications/{application['id']}/addPassword",
        json={"passwordCredential": {"startDateTime": start.isoformat()}},
    ).json()["secretText"]
    form = {"client_id": application["appId"], "client_secret": secret}
    assert refused(tenant.sign_in(**form)) == (401, "invalid_client", 7000215)


def test_an_application_without_service_principal_gets_no_token(
    tenant: Tenant, graph: httpx.Client
) -> None:
    application = make_application(graph)
    secret = graph.post(f"/v1.0/applications/{application['id']}/addPassword", json={}).json()
    form = {"client_id": application["appId"], "client_secret": secret["secretText"]}
    assert refused(tenant.sign_in(**form)) == (401, "invalid_client", 7000229)
    principal = make_principal(graph, application)
    assert tenant.sign_in(**form).status_code == 200
    graph.patch(f"/v1.0/servicePrincipals/{principal['id']}", json={"accountEnabled": False})
    assert refused(tenant.sign_in(**form)) == (400, "unauthorized_client", 7000112)


def test_version_2_tokens_for_a_resource_that_wants_them(
    tenant: Tenant, graph: httpx.Client
) -> None:
    application = make_application(
        graph, api={"requestedAccessTokenVersion": 2}, signInAudience="AzureADMyOrg"
    )
    make_principal(graph, application)
    uri = f"api://{application['appId']}"
    graph.patch(f"/v1.0/applications/{application['id']}", json={"identifierUris": [uri]})
    claims = claims_of(tenant.token(scope=f"{uri}/.default"))
    assert claims["aud"] == application["appId"]
    assert claims["ver"] == "2.0"
    assert claims["azp"] == tenant.client_id
    assert claims["iss"].endswith("/v2.0")
    assert not {"roles", "appid", "app_displayname"} & set(claims)


def test_a_role_without_a_value_is_in_no_token(tenant: Tenant, administrator: httpx.Client) -> None:
    role = {
        "allowedMemberTypes": ["Application"],
        "description": "d",
        "displayName": "d",
        "isEnabled": True,
    }
    roles = [
        role | {"id": "5d5e0a8e-0000-4000-8000-000000000001"},
        role | {"id": "5d5e0a8e-0000-4000-8000-000000000002", "value": "Read"},
    ]
    application = make_application(administrator, appRoles=roles)
    principal = make_principal(administrator, application)
    deployer = principal_of(administrator, tenant.client_id)
    url = f"/v1.0/servicePrincipals/{deployer['id']}/appRoleAssignments"
    held = {"principalId": deployer["id"], "resourceId": principal["id"]}
    for one in roles:
        created(administrator.post(url, json=held | {"appRoleId": one["id"]}))
    token = tenant.token(scope=f"{application['appId']}/.default")
    assert claims_of(token)["roles"] == ["Read"]


@pytest.fixture(scope="module")
def issuer_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def federated(tenant: Tenant, graph: httpx.Client, issuer_key: rsa.RSAPrivateKey) -> str:
    """An application that trusts the issuer, whose keys the tenant knows."""
    key = jwt.algorithms.RSAAlgorithm.to_jwk(issuer_key.public_key(), as_dict=True)
    tenant.seed(issuers=[{"issuer": ISSUER, "jwks": {"keys": [{**key, "kid": "k1"}]}}])
    application = make_application(graph)
    make_principal(graph, application)
    response = graph.post(
        f"/v1.0/applications/{application['id']}/federatedIdentityCredentials",
        json={"name": "github", "issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]},
    )
    assert response.status_code == 201
    return str(application["appId"])


def assertion(key: rsa.RSAPrivateKey, key_id: str = "k1", **claims: Any) -> str:
    now = int(time.time())
    usual = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "exp": now + 300}
    return jwt.encode(usual | claims, key, algorithm="RS256", headers={"kid": key_id})


def ask_with_assertion(
    tenant: Tenant, client_id: str, value: str, kind: str = "jwt-bearer"
) -> httpx.Response:
    return tenant.sign_in(
        client_id=client_id,
        client_secret="",
        client_assertion=value,
        client_assertion_type=f"urn:ietf:params:oauth:client-assertion-type:{kind}",
    )


def test_a_federated_assertion_stands_for_a_secret(
    tenant: Tenant, federated: str, issuer_key: rsa.RSAPrivateKey
) -> None:
    reply = ask_with_assertion(tenant, federated, assertion(issuer_key)).json()
    assert claims_of(reply["access_token"])["appid"] == federated
    assert tenant.history()[-1]["credential"]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "repo:o/r:ref:refs/heads/main"}, 700213),
        ({"sub": SUBJECT.upper()}, 7002138),
        ({"iss": "https://issuer.example"}, 700211),
        ({"aud": "https://github.com/o"}, 700212),
        ({"exp": int(time.time()) - 600}, 700024),
        ({"nbf": int(time.time()) + 3600}, 700024),
    ],
)
def test_an_assertion_that_does_not_fit_is_refused(
    tenant: Tenant,
    federated: str,
    issuer_key: rsa.RSAPrivateKey,
    claims: dict[str, Any],
    expected: int,
) -> None:
    response = ask_with_assertion(tenant, federated, assertion(issuer_key, **claims))
    assert refused(response) == (401, "invalid_client", expected)


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1e20}, {"exp": -1e20}, {"exp": math.inf}, {"exp": math.nan}, {"nbf": -1e18}],
)
def test_an_assertion_of_no_time_at_all_is_refused(
    tenant: Tenant, federated: str, issuer_key: rsa.RSAPrivateKey, claims: dict[str, Any]
) -> None:
    response = ask_with_assertion(tenant, federated, assertion(issuer_key, **claims))
    assert refused(response) == (400, "invalid_request", 50027)


def test_an_assertion_for_an_application_that_trusts_nobody_is_refused(
    tenant: Tenant, graph: httpx.Client, issuer_key: rsa.RSAPrivateKey
) -> None:
    made = make_application(graph)
    make_principal(graph, made)
    response = ask_with_assertion(tenant, made["appId"], assertion(issuer_key))
    assert refused(response) == (401, "invalid_client", 70025)
    said = f"The client '{made['appId']}'(App) has no configured federated identity credentials."
    assert said in response.json()["error_description"]


def test_an_assertion_signed_by_another_key_is_refused(tenant: Tenant, federated: str) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    response = ask_with_assertion(tenant, federated, assertion(stranger))
    assert refused(response) == (401, "invalid_client", 700027)


def test_a_key_that_the_issuer_does_not_show_is_refused(tenant: Tenant, federated: str) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    response = ask_with_assertion(tenant, federated, assertion(stranger, key_id="k2"))
    assert refused(response) == (401, "invalid_client", 7000272)
    said = response.json()["error_description"]
    assert "The certificate with identifier k2 used to sign the federated credential " in said
    assert f"in the metadata of identity provider {ISSUER}. " in said


def test_an_issuer_whose_keys_nobody_knows_is_refused(
    tenant: Tenant, federated: str, issuer_key: rsa.RSAPrivateKey, graph: httpx.Client
) -> None:
    issuer = "https://other.example"
    [found] = graph.get(f"/v1.0/applications?$filter=appId eq '{federated}'").json()["value"]
    graph.post(
        f"/v1.0/applications/{found['id']}/federatedIdentityCredentials",
        json={"name": "other", "issuer": issuer, "subject": "s", "audiences": [AUDIENCE]},
    )
    response = ask_with_assertion(tenant, federated, assertion(issuer_key, iss=issuer, sub="s"))
    assert refused(response) == (400, "invalid_request", 50166)


def test_an_assertion_of_another_kind_is_refused(
    tenant: Tenant, federated: str, issuer_key: rsa.RSAPrivateKey
) -> None:
    response = ask_with_assertion(tenant, federated, assertion(issuer_key), "saml2-bearer")
    assert refused(response) == (400, "invalid_request", 900144)


def test_no_assertion_at_all_is_refused(tenant: Tenant, federated: str) -> None:
    assert refused(ask_with_assertion(tenant, federated, "nonsense")) == (
        400,
        "invalid_request",
        50027,
    )


def test_an_issued_token_outlives_nothing_but_its_time(tenant: Tenant) -> None:
    token = tenant.token()
    with tenant.http(token) as graph:
        assert graph.get("/v1.0/applications").status_code == 200
        tenant.advance(3600)
        assert graph.get("/v1.0/applications").status_code == 401
