"""The ID token services of pipelines, and what the sign-in makes of their tokens."""

from typing import Any

import httpx
import jwt
import pytest

from tests.emulator.objects import created, make_application
from tests.tenant import Tenant

GITHUB = ("github", "https://token.actions.githubusercontent.com", "repo:o/r:environment:e")
AZURE = ("azure-devops", "https://vstoken.dev.azure.com/11111111", "sc://o/p/connection")
AUDIENCE = "api://AzureADTokenExchange"


def ask(tenant: Tenant, job: tuple[str, str], method: str, **query: str) -> httpx.Response:
    address, token = job
    url = httpx.URL(address).copy_merge_params(query)
    with httpx.Client(verify=tenant.ssl_context, trust_env=False) as http:
        return http.request(method, url, headers={"authorization": f"Bearer {token}"})


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def federated(graph: httpx.Client, issuer: str, subject: str) -> str:
    """Make an application that trusts a job; return its client id."""
    made = make_application(graph)
    created(graph.post("/v1.0/servicePrincipals", json={"appId": made["appId"]}))
    credential = {"name": "job", "issuer": issuer, "subject": subject, "audiences": [AUDIENCE]}
    path = f"/v1.0/applications/{made['id']}/federatedIdentityCredentials"
    created(graph.post(path, json=credential))
    return str(made["appId"])


def sign_in(tenant: Tenant, client_id: str, token: str) -> httpx.Response:
    return tenant.sign_in(
        client_id=client_id,
        client_secret="",
        client_assertion=token,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )


def test_githubs_job_gets_a_token_for_whom_it_asks(tenant: Tenant, graph: httpx.Client) -> None:
    with_ids = tenant.job(*GITHUB[:2], "repo:o@1/r@2:environment:e")
    job = tenant.job(*GITHUB)
    for each in (with_ids, job):
        assert claims(ask(tenant, each, "GET").json()["value"])["aud"] == "https://github.com/o"
    token = ask(tenant, job, "GET", audience=AUDIENCE).json()["value"]
    found = claims(token)
    assert (found["iss"], found["sub"], found["aud"]) == (*GITHUB[1:], AUDIENCE)
    assert found["exp"] - found["iat"] == 300
    assert sign_in(tenant, federated(graph, *GITHUB[1:]), token).status_code == 200
    assert token in tenant.secrets()
    assert token not in str(tenant.history())


def test_githubs_address_is_asked_with_the_query_that_it_has(tenant: Tenant) -> None:
    url, token = tenant.job(*GITHUB)
    assert url.endswith("?api-version=2.0")
    without = url.partition("?")[0]
    assert ask(tenant, (without, token), "GET", audience=AUDIENCE).status_code == 400


def test_a_token_of_other_letters_is_only_a_wrong_one(tenant: Tenant) -> None:
    url, _ = tenant.job(*GITHUB)
    with tenant.http() as http:
        response = http.get(url, headers={b"authorization": "Bearer é".encode()})
    assert response.status_code == 401


def test_azure_devops_job_gets_a_token_for_entra(tenant: Tenant, graph: httpx.Client) -> None:
    job = tenant.job(*AZURE)
    assert ask(tenant, job, "POST").status_code == 400, "it wants an api-version"
    query = {"api-version": "7.1", "serviceConnectionId": "1"}
    token = ask(tenant, job, "POST", **query).json()["oidcToken"]
    assert claims(token)["aud"] == AUDIENCE
    assert sign_in(tenant, federated(graph, *AZURE[1:]), token).status_code == 200
    assert token not in str(tenant.history())
    [last] = [each for each in tenant.history() if each["path"].endswith("/token")][-1:]
    assert last["credential"], "which credential minted the token"


@pytest.mark.parametrize("kind", [GITHUB, AZURE])
def test_only_the_job_itself_gets_one(tenant: Tenant, kind: tuple[str, str, str]) -> None:
    url, token = tenant.job(*kind)
    method, other = ("GET", "POST") if kind is GITHUB else ("POST", "GET")
    assert ask(tenant, (url, "somebody's"), method).status_code == 401
    assert ask(tenant, (url, token), other).status_code == 405
    nobody = url.replace(url.split("/")[-2], "00000000-0000-4000-8000-000000000000")
    assert ask(tenant, (nobody, token), method).status_code == 404


def test_a_credential_that_has_just_been_made_is_not_known_at_once(
    tenant: Tenant, graph: httpx.Client
) -> None:
    job = tenant.job(*GITHUB)
    token = ask(tenant, job, "GET", audience=AUDIENCE).json()["value"]
    client_id = federated(graph, "https://other.example", "other")
    tenant.advance(60)  # the application itself is known by then
    tenant.faults(lag={"sign_in_seconds": 30, "sign_in_stale_ratio": 1})
    application = graph.get(f"/v1.0/applications(appId='{client_id}')").json()["id"]
    path = f"/v1.0/applications/{application}/federatedIdentityCredentials"
    credential = {"name": "late", "issuer": GITHUB[1], "subject": GITHUB[2]}
    created(graph.post(path, json=credential | {"audiences": [AUDIENCE]}))
    refused = sign_in(tenant, client_id, token)
    assert refused.json()["error_description"].startswith("AADSTS70021")
    tenant.advance(31)
    assert sign_in(tenant, client_id, token).status_code == 200
