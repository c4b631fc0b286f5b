"""The adapter from `directory` to Microsoft Graph v1.0, over msgraph-sdk.

The SDK takes 1.5 s from import to its first answer and is imported here alone, so import this
module where a directory is really needed. It retries throttling (429, 503, 504) by itself and
never a 404.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from azure.core.exceptions import AzureError
from kiota_abstractions.api_error import APIError
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.applications.item.application_item_request_builder import (
    ApplicationItemRequestBuilder,
)
from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
    RemovePasswordPostRequestBody,
)
from msgraph.generated.directory.deleted_items.graph_application.graph_application_request_builder import (  # noqa: E501
    GraphApplicationRequestBuilder,
)
from msgraph.generated.models.app_credential_restriction_type import AppCredentialRestrictionType
from msgraph.generated.models.app_management_restriction_state import AppManagementRestrictionState
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.oauth2_permission_grants.oauth2_permission_grants_request_builder import (
    Oauth2PermissionGrantsRequestBuilder,
)
from msgraph.generated.service_principals.service_principals_request_builder import (
    ServicePrincipalsRequestBuilder,
)
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from proself_mail.directory import (
    ApplicationRecord,
    DirectoryError,
    Forbidden,
    GrantRecord,
    NotFound,
    OrganizationRecord,
    PasswordRecord,
    SecretPolicy,
    ServicePrincipalRecord,
)

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from msgraph.generated.models.application import Application

    from proself_mail.target import Target

_APPLICATION_FIELDS = [
    "id", "appId", "displayName", "createdDateTime", "deletedDateTime", "tags", "notes",
    "signInAudience", "identifierUris", "web", "api", "requiredResourceAccess",
    "passwordCredentials",
]  # fmt: skip


@asynccontextmanager
async def connect(
    credential: AsyncTokenCredential, target: Target
) -> AsyncIterator[GraphDirectory]:
    """Give a directory over the credential; both are closed at the end of the block."""
    provider = AzureIdentityAuthenticationProvider(
        credential,
        scopes=[f"{target.graph}/.default"],
        # By host name without the port, or the SDK silently sends no token.
        allowed_hosts=[target.graph_host],
    )
    trusted = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    async with credential, httpx.AsyncClient(verify=trusted, http2=True, timeout=30) as http:
        client = GraphClientFactory.create_with_default_middleware(client=http)
        adapter = GraphRequestAdapter(provider, client=client)
        adapter.base_url = f"{target.graph}/v1.0"
        yield GraphDirectory(GraphServiceClient(request_adapter=adapter))


class GraphDirectory:
    """A `directory.Directory` over Microsoft Graph."""

    def __init__(self, client: GraphServiceClient) -> None:
        self._client = client

    async def organization(self) -> OrganizationRecord:
        """Return the tenant; needs Organization.Read.All."""
        page = await _asked(self._client.organization.get)
        [found] = page.value
        domains = tuple(domain.name for domain in found.verified_domains or ())
        return OrganizationRecord(found.id, found.display_name or "", domains)

    async def application(self, object_id: str) -> ApplicationRecord:
        """Return a live application; Application.ReadWrite.OwnedBy suffices."""
        query = ApplicationItemRequestBuilder.ApplicationItemRequestBuilderGetQueryParameters(
            select=_APPLICATION_FIELDS
        )
        item = self._client.applications.by_application_id(object_id)
        return _application(
            await _asked(lambda: item.get(RequestConfiguration(query_parameters=query)))
        )

    async def applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield the live applications that bear a tag; the tenant filters."""
        query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=_APPLICATION_FIELDS, top=100
        )
        async for found in _pages(self._client.applications, query):
            yield _application(found)

    async def deleted_applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield those in the recycle bin that bear a tag; the tenant filters."""
        builder = self._client.directory.deleted_items.graph_application
        query = GraphApplicationRequestBuilder.GraphApplicationRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=_APPLICATION_FIELDS, top=100
        )
        async for found in _pages(builder, query):
            yield _application(found)

    async def delete_application(self, object_id: str) -> None:
        """Delete an application; its service principal and grants go with it."""
        await _told(self._client.applications.by_application_id(object_id).delete)

    async def purge_application(self, object_id: str) -> None:
        """Remove an application from the recycle bin."""
        items = self._client.directory.deleted_items
        await _told(items.by_directory_object_id(object_id).delete)

    async def remove_password(self, application_id: str, key_id: str) -> None:
        """Remove a client secret by its key id."""
        body = RemovePasswordPostRequestBody(key_id=UUID(key_id))
        application = self._client.applications.by_application_id(application_id)
        try:
            await _told(lambda: application.remove_password.post(body))
        except DirectoryError as error:
            # Graph calls a key that is gone a bad request.
            if error.status == 400 and key_id in error.message:
                raise NotFound(error.status, error.code, error.message) from error
            raise

    async def owners(self, application_id: str) -> frozenset[str]:
        """Return the owners' object ids."""
        builder = self._client.applications.by_application_id(application_id).owners
        page = await _asked(builder.get)
        return frozenset(owner.id for owner in page.value or ())

    async def service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
        """Return the service principal of an application id."""
        query = ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(
            filter=f"appId eq {_quoted(client_id)}"
        )
        builder = self._client.service_principals
        page = await _asked(lambda: builder.get(RequestConfiguration(query_parameters=query)))
        for found in page.value or ():
            return ServicePrincipalRecord(
                object_id=found.id,
                client_id=found.app_id,
                display_name=found.display_name or "",
                enabled=found.account_enabled is not False,
                tags=tuple(found.tags or ()),
                delegated_permissions={
                    scope.value: str(scope.id)
                    for scope in found.oauth2_permission_scopes or ()
                    if scope.is_enabled is not False and scope.value
                },
            )
        return None

    async def grants(self, service_principal_id: str) -> tuple[GrantRecord, ...]:
        """Return a service principal's grants; needs DelegatedPermissionGrant.Read.All or more."""
        builder = self._client.oauth2_permission_grants
        parameters = Oauth2PermissionGrantsRequestBuilder
        query = parameters.Oauth2PermissionGrantsRequestBuilderGetQueryParameters(
            filter=f"clientId eq {_quoted(service_principal_id)}"
        )
        page = await _asked(lambda: builder.get(RequestConfiguration(query_parameters=query)))
        return tuple(
            GrantRecord(
                grant_id=found.id,
                client_id=found.client_id,
                resource_id=found.resource_id,
                principal_id=found.principal_id,
                scopes=frozenset((found.scope or "").split()),
            )
            for found in page.value or ()
        )

    async def secret_policy(self) -> SecretPolicy:
        """Return the default app management policy's word on secrets; needs Policy.Read.All."""
        policy = await _asked(self._client.policies.default_app_management_policy.get)
        restrictions = policy.application_restrictions if policy.is_enabled else None
        allowed, longest = True, None
        for rule in (restrictions and restrictions.password_credentials) or ():
            if rule.state is AppManagementRestrictionState.Disabled:
                continue
            if rule.restriction_type is AppCredentialRestrictionType.PasswordAddition:
                allowed = False
            if rule.restriction_type is AppCredentialRestrictionType.PasswordLifetime:
                longest = rule.max_lifetime.days if rule.max_lifetime else None
        return SecretPolicy(passwords_allowed=allowed, maximum_lifetime_days=longest)


async def _pages(builder: Any, query: Any) -> AsyncIterator[Any]:
    """Yield what a list holds, a page at a time."""
    page = await _asked(lambda: builder.get(RequestConfiguration(query_parameters=query)))
    while True:
        for found in page.value or ():
            yield found
        if not page.odata_next_link:
            return
        page = await _asked(builder.with_url(page.odata_next_link).get)


async def _asked(request: Callable[[], Awaitable[Any]]) -> Any:
    """Await a request that answers with an object; turn errors into the port's."""
    answer = await _told(request)
    if answer is None:
        raise DirectoryError(None, "Empty", "an empty answer where an object was due")
    return answer


async def _told(request: Callable[[], Awaitable[Any]]) -> Any:
    """Await a request of the SDK; turn what it raises into the port's errors."""
    try:
        return await request()
    except ODataError as error:
        inner = error.error.inner_error if error.error else None
        raise _converted(
            error.response_status_code,
            (error.error and error.error.code) or "unknown",
            (error.error and error.error.message) or "without a message",
            (inner and inner.request_id) or "",
        ) from error
    except APIError as error:
        raise _converted(error.response_status_code, "unknown", str(error)) from error
    except (httpx.HTTPError, AzureError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise DirectoryError(None, type(error).__name__, reason or "no answer") from error


def _converted(status: int | None, code: str, message: str, request_id: str = "") -> DirectoryError:
    kinds = {404: NotFound, 401: Forbidden, 403: Forbidden}
    return kinds.get(status or 0, DirectoryError)(status, code, message.rstrip("."), request_id)


def _application(found: Application) -> ApplicationRecord:
    return ApplicationRecord(
        object_id=_text(found.id),
        client_id=_text(found.app_id),
        display_name=_text(found.display_name),
        created=_utc(found.created_date_time),
        tags=tuple(found.tags or ()),
        sign_in_audience=_text(found.sign_in_audience),
        identifier_uris=tuple(found.identifier_uris or ()),
        redirect_uris=tuple((found.web and found.web.redirect_uris) or ()),
        access_token_version=found.api.requested_access_token_version if found.api else None,
        required_access={
            _text(resource.resource_app_id): frozenset(
                str(access.id)
                for access in resource.resource_access or ()
                if access.type == "Scope"
            )
            for resource in found.required_resource_access or ()
        },
        passwords=tuple(
            PasswordRecord(
                key_id=str(password.key_id),
                display_name=_text(password.display_name),
                starts=_utc(password.start_date_time),
                expires=_utc(password.end_date_time),
                hint=_text(password.hint),
            )
            for password in found.password_credentials or ()
        ),
        notes=_text(found.notes),
        deleted=_utc(found.deleted_date_time),
    )


def _text(value: str | None) -> str:
    return value or ""


def _utc(instant: datetime | None) -> datetime | None:
    return instant.astimezone(UTC) if instant else None


def _tagged(tag: str) -> str:
    return f"tags/any(t:t eq {_quoted(tag)})"


def _quoted(text: str) -> str:
    """Write an OData string literal."""
    return "'" + text.replace("'", "''") + "'"
