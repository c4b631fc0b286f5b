"""What clients read before they sign in."""

import httpx
import jwt
import pytest

from tests.tenant import Tenant


def get(tenant: Tenant, path: str) -> httpx.Response:
    with tenant.http() as http:
        return http.get(path)


def test_cloud_metadata_has_what_the_azuread_plugin_needs(tenant: Tenant) -> None:
    metadata = get(tenant, "/metadata/endpoints?api-version=2022-09-01").json()
    assert metadata["name"]
    assert metadata["resourceManager"]
    assert metadata["microsoftGraphResourceId"].rstrip("/") == tenant.graph
    assert metadata["authentication"]["loginEndpoint"] == tenant.authority
    assert metadata["authentication"]["audiences"]


@pytest.mark.parametrize("version", ["/v2.0", ""])
def test_openid_configuration_leads_to_keys_that_verify_a_token(
    tenant: Tenant, version: str
) -> None:
    address = f"/{tenant.tenant_id}{version}/.well-known/openid-configuration"
    configuration = get(tenant, address).json()
    with tenant.http() as http:
        keys = jwt.PyJWKSet.from_dict(http.get(configuration["jwks_uri"]).json())
    token = tenant.token()
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=tenant.graph)
    assert claims["iss"] == f"{tenant.authority}/{tenant.tenant_id}/"
    assert (configuration["issuer"] == claims["iss"]) is (version == "")


def test_openid_configuration_of_common_leaves_the_tenant_open(tenant: Tenant) -> None:
    found = get(tenant, "/common/v2.0/.well-known/openid-configuration").json()
    assert found["issuer"] == f"{tenant.authority}/{{tenantid}}/v2.0"
    assert found["token_endpoint"] == f"{tenant.authority}/common/oauth2/v2.0/token"


def test_an_unknown_tenant_has_no_configuration(tenant: Tenant) -> None:
    response = get(tenant, "/nowhere.example/v2.0/.well-known/openid-configuration")
    assert response.status_code == 400
    assert response.json()["error_codes"] == [90002]
    assert response.json()["error"] == "invalid_tenant"


def test_instance_discovery_names_this_host(tenant: Tenant) -> None:
    endpoint = f"{tenant.authority}/{tenant.tenant_id}/oauth2/v2.0/authorize"
    path = f"/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}"
    found = get(tenant, path).json()
    assert found["metadata"][0]["preferred_network"] == tenant.metadata_host
    with tenant.http() as http:
        assert http.get(found["tenant_discovery_endpoint"]).status_code == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("&authorization_endpoint=https://evil.example/t/oauth2/v2.0/authorize", 50049),
        ("&authorization_endpoint=nonsense", 50049),
        ("", 500502),
        ("&authorization_endpoint=https://localhost/t&issuer=https://localhost/t", 500502),
    ],
)
def test_instance_discovery_knows_no_other_host(tenant: Tenant, query: str, expected: int) -> None:
    response = get(tenant, f"/common/discovery/instance?api-version=1.1{query}")
    error = "invalid_instance" if expected == 50049 else "invalid_request"
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.json()["error_codes"] == [expected]


def test_the_date_is_the_tenants_own(tenant: Tenant) -> None:
    tenant.admin("POST", "/clock", {"now": "2031-02-03T04:05:06Z"})
    assert get(tenant, "/metadata/endpoints").headers["date"].startswith("Mon, 03 Feb 2031 04:05:")
