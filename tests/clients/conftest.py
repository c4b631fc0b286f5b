"""One embedded tenant for the client tests, and an environment that leads any client there."""

import ssl
from collections.abc import Iterator

import aiohttp
import pytest

from tests.tenant import Tenant


@pytest.fixture(scope="session")
def running_tenant() -> Iterator[Tenant]:
    with Tenant("--seed", "1") as tenant:
        yield tenant


@pytest.fixture
def tenant(running_tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """A tenant as new, to which the usual variables lead."""
    running_tenant.reset()
    for name, value in {
        "AZURE_AUTHORITY_HOST": running_tenant.authority,
        "AZURE_TENANT_ID": running_tenant.tenant_id,
        "AZURE_CLIENT_ID": running_tenant.client_id,
        "AZURE_CLIENT_SECRET": running_tenant.client_secret,
        "SSL_CERT_FILE": running_tenant.ca_file,
        "REQUESTS_CA_BUNDLE": running_tenant.ca_file,
    }.items():
        monkeypatch.setenv(name, value)
    # It read which certificates to trust when it was imported, which any test before may have done.
    trusted = ssl.create_default_context(cafile=running_tenant.ca_file)
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusted)
    return running_tenant
