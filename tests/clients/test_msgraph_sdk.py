"""msgraph-sdk over azure-identity, both as they are installed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from azure.identity.aio import EnvironmentCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
    RemovePasswordPostRequestBody,
)
from msgraph.generated.models.application import Application
from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.web_application import WebApplication
from msgraph.generated.service_principals.service_principals_request_builder import (
    ServicePrincipalsRequestBuilder,
)
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from tests.tenant import Tenant

_T = TypeVar("_T")

EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"


def with_graph(tenant: Tenant, work: Callable[[GraphServiceClient], Awaitable[_T]]) -> _T:
    """Do something with a client that finds the tenant by the environment."""

    async def run() -> _T:
        async with (
            EnvironmentCredential(disable_instance_discovery=True) as credential,
            # The SDK puts its own transport into the client and never closes it.
            httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0)) as http,
        ):
            provider = AzureIdentityAuthenticationProvider(
                credential, scopes=[f"{tenant.graph}/.default"], allowed_hosts=["localhost"]
            )
            client = GraphClientFactory.create_with_default_middleware(client=http)
            adapter = GraphRequestAdapter(provider, client=client)
            adapter.base_url = f"{tenant.graph}/v1.0"
            return await work(GraphServiceClient(request_adapter=adapter))

    return asyncio.run(run())


def test_the_whole_application(tenant: Tenant) -> None:
    async def work(graph: GraphServiceClient) -> None:
        created = await graph.applications.post(
            Application(
                display_name="Proself mail",
                sign_in_audience="AzureADMyOrg",
                web=WebApplication(redirect_uris=["https://proself.example.jp/callback"]),
                tags=["proself"],
            )
        )
        assert created is not None
        assert created.id
        assert created.app_id
        assert isinstance(created.created_date_time, datetime)
        one = graph.applications.by_application_id(created.id)
        await one.patch(Application(identifier_uris=[f"api://{created.app_id}"]))
        principal = await graph.service_principals.post(ServicePrincipal(app_id=created.app_id))
        exchange = await _exchange(graph)
        assert principal is not None
        grant = await graph.oauth2_permission_grants.post(
            OAuth2PermissionGrant(
                client_id=principal.id,
                resource_id=exchange.id,
                consent_type="AllPrincipals",
                scope="Mail.Send",
            )
        )
        assert grant is not None
        ends = datetime.now(UTC) + timedelta(days=180)
        password = await one.add_password.post(
            AddPasswordPostRequestBody(
                password_credential=PasswordCredential(display_name="a", end_date_time=ends)
            )
        )
        assert password is not None
        assert isinstance(password.key_id, UUID)
        assert password.secret_text
        read = await one.get()
        assert read is not None
        assert read.identifier_uris == [f"api://{created.app_id}"]
        assert [credential.key_id for credential in read.password_credentials or ()] == [
            password.key_id
        ]
        read.notes = "sent back as it was read, but for this"
        await one.patch(read)
        await one.remove_password.post(RemovePasswordPostRequestBody(key_id=password.key_id))
        owners = await one.owners.get()
        assert owners is not None
        assert isinstance((owners.value or [])[0], ServicePrincipal)
        await one.delete()
        items = graph.directory.deleted_items
        item = await items.by_directory_object_id(created.id).get()
        assert isinstance(item, Application)
        await items.by_directory_object_id(created.id).delete()
        with pytest.raises(ODataError):
            await items.by_directory_object_id(created.id).get()

    with_graph(tenant, work)
    assert [exchange["status"] for exchange in tenant.writes()] == [201, 204, 201, 201, 200] + [
        204
    ] * 4


async def _exchange(graph: GraphServiceClient) -> ServicePrincipal:
    query = ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(
        filter=f"appId eq '{EXCHANGE}'", select=["id", "oauth2PermissionScopes"]
    )
    found = await graph.service_principals.get(
        request_configuration=RequestConfiguration(query_parameters=query)
    )
    assert found is not None
    [principal] = found.value or []
    assert "Mail.Send" in [scope.value for scope in principal.oauth2_permission_scopes or ()]
    return principal


def test_pages(tenant: Tenant) -> None:
    tenant.seed(applications=[{"display_name": "Foreign {n}", "count": 250}])

    async def work(graph: GraphServiceClient) -> list[str]:
        query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            top=100, select=["id", "displayName"], filter="startswith(displayName,'Foreign')"
        )
        page = await graph.applications.get(
            request_configuration=RequestConfiguration(query_parameters=query)
        )
        names: list[str] = []
        while page is not None:
            names += [str(one.display_name) for one in page.value or ()]
            if page.odata_next_link is None:
                break
            page = await graph.applications.with_url(page.odata_next_link).get()
        return names

    assert with_graph(tenant, work) == [f"Foreign {n}" for n in range(1, 251)]


def test_a_refusal_keeps_status_code_and_request_id(tenant: Tenant) -> None:
    async def work(graph: GraphServiceClient) -> ODataError:
        with pytest.raises(ODataError) as caught:
            await graph.users.get()
        return caught.value

    error = with_graph(tenant, work)
    assert error.response_status_code == 403
    assert error.error is not None
    assert error.error.code == "Authorization_RequestDenied"
    assert error.error.inner_error is not None
    assert error.error.inner_error.request_id


def test_its_own_retries_get_it_through_a_throttle(tenant: Tenant) -> None:
    tenant.faults(
        {
            "match": {"path": "/applications", "method": "GET"},
            "strike": "status",
            "status": 429,
            "retry_after_seconds": 1,
            "times": 1,
        }
    )

    async def work(graph: GraphServiceClient) -> int:
        page = await graph.applications.get()
        return len((page.value if page is not None else None) or ())

    assert with_graph(tenant, work) == 1
    statuses = [one["status"] for one in tenant.history() if one["path"] == "/v1.0/applications"]
    assert statuses == [429, 200]


def test_a_credential_by_its_name_and_a_count_of_owners(tenant: Tenant) -> None:
    subject = "repo:o/r:environment:production"

    async def work(graph: GraphServiceClient) -> None:
        made = await graph.applications.post(Application(display_name="Mail"))
        assert made is not None
        assert made.id
        one = graph.applications.by_application_id(made.id)
        await one.federated_identity_credentials.post(
            FederatedIdentityCredential(
                name="github",
                issuer="https://token.actions.githubusercontent.com",
                subject=subject,
                audiences=["api://AzureADTokenExchange"],
            )
        )
        credential = await one.federated_identity_credentials_with_name("github").get()
        assert credential is not None
        assert credential.subject == subject
        asked: RequestConfiguration[Any] = RequestConfiguration()
        asked.headers.add("ConsistencyLevel", "eventual")
        assert await one.owners.count.get(request_configuration=asked) == 1

    with_graph(tenant, work)
