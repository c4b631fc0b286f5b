"""What clients read before they sign in."""

import base64

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.emulator.objects import message, refused
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


def test_the_azure_cli_finds_its_cloud_and_no_subscriptions(tenant: Tenant) -> None:
    [cloud] = get(tenant, "/metadata/endpoints?api-version=2019-05-01").json()
    # It puts its path behind the address that it was given, slash or not.
    assert get(tenant, f"{tenant.graph}//metadata/endpoints?api-version=2022-09-01").json() == cloud
    with tenant.http(tenant.token(scope=f"{cloud['resourceManager']}/.default")) as manager:
        assert manager.get("/subscriptions?api-version=2022-12-01").json() == {"value": []}
        [found] = manager.get("/tenants?api-version=2022-12-01").json()["value"]
    assert found["tenantId"] == tenant.tenant_id
    refusal = get(tenant, "/subscriptions?api-version=2022-12-01")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (401, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1.0/applications", "PATCH"),
        ("/oidc/userinfo", "GET"),
        ("/common/oauth2/v2.0/token", "POST"),
        ("/common/v2.0/.well-known/openid-configuration", "GET"),
        ("/common/discovery/v2.0/keys", "GET"),
    ],
)
def test_scripts_of_any_page_may_ask(tenant: Tenant, path: str, method: str) -> None:
    page = {"origin": "https://spa.example"}
    asked = {"access-control-request-method": method, "access-control-request-headers": "x-a"}
    with tenant.http() as http:
        preflight = http.options(path, headers=page | asked)
        answer = http.request(method, path, headers=page)
    assert preflight.status_code == 200
    assert method in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "x-a"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_sign_in_page_is_for_no_script(tenant: Tenant) -> None:
    with tenant.http() as http:
        answer = http.get("/common/oauth2/v2.0/authorize", headers={"origin": "https://a.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("version", ["/v2.0", ""])
def test_openid_configuration_leads_to_keys_that_verify_a_token(
    tenant: Tenant, version: str
) -> None:
    address = f"/{tenant.tenant_id}{version}/.well-known/openid-configuration"
    configuration = get(tenant, address).json()
    assert configuration["response_modes_supported"] == ["query", "fragment", "form_post"]
    published = get(tenant, configuration["jwks_uri"]).json()
    keys = jwt.PyJWKSet.from_dict(published)
    [one] = published["keys"]
    certificate = x509.load_der_x509_certificate(base64.b64decode(one["x5c"][0]))
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA1()))  # noqa: S303
    assert one["x5t"] == thumbprint.decode().rstrip("=")
    assert certificate.public_key() == keys[one["kid"]].key
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


@pytest.mark.parametrize("path", ["/me?$select=id", "/v1.0None?$top=1", "/v2.0/me", "/"])
def test_an_address_without_a_version_of_graphs(tenant: Tenant, path: str) -> None:
    with tenant.http(tenant.token()) as http:
        response = http.get(path)
        assert http.get("/V1.0/applications").status_code == 200
    assert (refused(response), message(response)) == ((400, "BadRequest"), "Invalid version.")
    assert get(tenant, path).status_code == 404  # which may mean the sign-in as well


def test_a_host_in_capitals_is_the_same(tenant: Tenant) -> None:
    port = tenant.metadata_host.rpartition(":")[2]
    headers = {"host": f"LOCALHOST:{port}"}
    with tenant.http() as http:
        metadata = http.get("/metadata/endpoints?api-version=2022-09-01", headers=headers).json()
    assert metadata["microsoftGraphResourceId"].startswith(f"https://localhost:{port}")


def test_the_date_is_the_tenants_own(tenant: Tenant) -> None:
    tenant.admin("POST", "/clock", {"now": "2031-02-03T04:05:06Z"})
    assert get(tenant, "/metadata/endpoints").headers["date"].startswith("Mon, 03 Feb 2031 04:05:")
