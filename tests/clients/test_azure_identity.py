"""azure-identity, synchronous and asynchronous, from its ordinary settings."""

import asyncio
import time
from pathlib import Path
from typing import Any

import azure.identity.aio
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    EnvironmentCredential,
    WorkloadIdentityCredential,
)
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.tenant import Tenant

GRAPH = "https://graph.microsoft.com/.default"
ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "repo:o/r:environment:production"


def client_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["appid"])


def test_from_the_environment(tenant: Tenant) -> None:
    with EnvironmentCredential(disable_instance_discovery=True) as credential:
        token = credential.get_token(GRAPH)
    assert client_of(token.token) == tenant.client_id
    assert 3500 < token.expires_on - time.time() <= 3600


@pytest.mark.parametrize("scope", [GRAPH, "{graph}/.default"])
def test_with_a_secret(tenant: Tenant, scope: str) -> None:
    arguments = (tenant.tenant_id, tenant.client_id, tenant.client_secret)
    with ClientSecretCredential(
        *arguments, authority=tenant.authority, disable_instance_discovery=True
    ) as credential:
        token = credential.get_token(scope.replace("{graph}", tenant.graph)).token
    with tenant.http(token) as graph:
        assert graph.get("/v1.0/applications").status_code == 200


def test_asynchronously(tenant: Tenant) -> None:
    async def run() -> str:
        async with azure.identity.aio.EnvironmentCredential(
            disable_instance_discovery=True
        ) as credential:
            return str((await credential.get_token(GRAPH)).token)

    assert client_of(asyncio.run(run())) == tenant.client_id


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"client_secret": "wrong"}, 7000215),
        ({"client_id": "5d5e0a8e-0000-4000-8000-000000000000"}, 700016),
    ],
)
def test_a_refusal_is_an_error_with_its_number(
    tenant: Tenant, change: dict[str, str], number: int
) -> None:
    arguments: dict[str, Any] = {
        "tenant_id": tenant.tenant_id,
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret,
    } | change
    with (
        ClientSecretCredential(
            **arguments, authority=tenant.authority, disable_instance_discovery=True
        ) as credential,
        pytest.raises(ClientAuthenticationError, match=f"AADSTS{number}"),
    ):
        credential.get_token(GRAPH)


def test_throttled_at_the_sign_in(tenant: Tenant) -> None:
    """Nothing of the library's retries is ours to test, only that it comes through."""
    tenant.faults(
        {
            "match": {"service": "login", "method": "POST"},
            "strike": "status",
            "status": 503,
            "retry_after_seconds": 0,
            "times": 1,
        }
    )
    with EnvironmentCredential(disable_instance_discovery=True, retry_total=2) as credential:
        assert credential.get_token(GRAPH).token


@pytest.fixture
def assertion(tenant: Tenant) -> str:
    """A token of an issuer that the deployer's application trusts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    tenant.seed(issuers=[{"issuer": ISSUER, "jwks": {"keys": [public]}}])
    with tenant.http(tenant.token()) as graph:
        made = graph.post("/v1.0/applications", json={"displayName": "Pipeline"}).json()
        graph.post("/v1.0/servicePrincipals", json={"appId": made["appId"]})
        body = {
            "name": "github",
            "issuer": ISSUER,
            "subject": SUBJECT,
            "audiences": ["api://AzureADTokenExchange"],
        }
        url = f"/v1.0/applications/{made['id']}/federatedIdentityCredentials"
        assert graph.post(url, json=body).status_code == 201
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": body["audiences"][0], "iat": now}
    signed = jwt.encode(claims | {"exp": now + 600}, key, algorithm="RS256")
    return f"{made['appId']} {signed}"


def test_with_a_federated_assertion(tenant: Tenant, assertion: str) -> None:
    client_id, _, signed = assertion.partition(" ")
    with ClientAssertionCredential(
        tenant.tenant_id,
        client_id,
        lambda: signed,
        authority=tenant.authority,
        disable_instance_discovery=True,
    ) as credential:
        assert client_of(credential.get_token(GRAPH).token) == client_id


def test_with_a_workload_identity(tenant: Tenant, assertion: str, tmp_path: Path) -> None:
    client_id, _, signed = assertion.partition(" ")
    file = tmp_path / "token"
    file.write_text(signed, encoding="utf-8")
    with WorkloadIdentityCredential(
        tenant_id=tenant.tenant_id,
        client_id=client_id,
        token_file_path=str(file),
        authority=tenant.authority,
        disable_instance_discovery=True,
    ) as credential:
        assert client_of(credential.get_token(GRAPH).token) == client_id
