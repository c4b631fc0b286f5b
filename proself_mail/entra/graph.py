"""The adapter from `directory` to Microsoft Graph v1.0, over msgraph-sdk.

Which requests there are; what their answers say is `graph_records`', how all are sent
`graph_transport`'s. The SDK takes 1.5 s from import to its first answer and is imported by the
latter and here alone, so import this module where a directory is really needed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from kiota_abstractions.method import Method
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
from msgraph.generated.directory.deleted_items.graph_service_principal.graph_service_principal_request_builder import (  # noqa: E501
    GraphServicePrincipalRequestBuilder,
)
from msgraph.generated.oauth2_permission_grants.oauth2_permission_grants_request_builder import (
    Oauth2PermissionGrantsRequestBuilder,
)
from msgraph.generated.service_principals.service_principals_request_builder import (
    ServicePrincipalsRequestBuilder,
)
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient

from proself_mail.entra import graph_records as records
from proself_mail.entra.directory import (
    ApplicationRecord,
    AppPolicy,
    DeletedItem,
    DirectoryError,
    DirectoryQuota,
    GrantRecord,
    NotFound,
    OrganizationRecord,
    ServicePrincipalRecord,
    UserRecord,
)
from proself_mail.entra.graph_transport import GraphTransport, configured, connected

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from proself_mail.entra.target import Target

_PAGE = 999
"""The most that Graph gives at once (Microsoft, list applications)."""


@asynccontextmanager
async def connect(
    credential: AsyncTokenCredential, target: Target
) -> AsyncIterator[GraphDirectory]:
    """Give a directory over the credential; both are closed at the end of the block.

    Raises as `graph_transport.connected`.
    """
    async with connected(credential, target) as adapter:
        yield GraphDirectory(adapter)


class GraphDirectory:
    """A `directory.Directory` over Microsoft Graph."""

    def __init__(self, adapter: GraphRequestAdapter) -> None:
        self._client = GraphServiceClient(request_adapter=adapter)
        self._graph = GraphTransport(adapter)

    async def organization(self) -> OrganizationRecord:
        """Return the tenant; needs Organization.Read.All."""
        request = self._client.organization.to_get_request_information()
        return await self._graph.ask(request, records.organization)

    async def application(self, object_id: str) -> ApplicationRecord:
        """Return a live application; Application.ReadWrite.OwnedBy suffices."""
        query = ApplicationItemRequestBuilder.ApplicationItemRequestBuilderGetQueryParameters(
            select=records.APPLICATION_FIELDS
        )
        item = self._client.applications.by_application_id(object_id)
        return await self._graph.ask(
            item.to_get_request_information(configured(query)), records.application
        )

    async def applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield the live applications that bear a tag; the tenant filters."""
        query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=records.APPLICATION_FIELDS, top=_PAGE
        )
        async for found in self._graph.pages(self._client.applications, query, records.application):
            yield found

    async def deleted_applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield those in the recycle bin that bear a tag; the tenant filters."""
        builder = self._client.directory.deleted_items.graph_application
        query = GraphApplicationRequestBuilder.GraphApplicationRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=records.APPLICATION_FIELDS, top=_PAGE
        )
        async for found in self._graph.pages(builder, query, records.application):
            yield found

    async def applications_of(self, client_id: str) -> tuple[ApplicationRecord, ...]:
        """Return the application with this client ID, live or deleted."""
        live = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            filter=f"appId eq {_quoted(client_id)}", select=records.APPLICATION_FIELDS
        )
        deleted = GraphApplicationRequestBuilder.GraphApplicationRequestBuilderGetQueryParameters(
            filter=f"appId eq {_quoted(client_id)}", select=records.APPLICATION_FIELDS
        )
        bin_ = self._client.directory.deleted_items.graph_application
        pages = (
            self._graph.pages(self._client.applications, live, records.application),
            self._graph.pages(bin_, deleted, records.application),
        )
        return tuple([found for each in pages async for found in each])

    async def delete_application(self, object_id: str) -> None:
        """Delete an application; its service principal and grants go with it."""
        item = self._client.applications.by_application_id(object_id)
        await self._graph.tell(item.to_delete_request_information())

    async def purge_application(self, object_id: str) -> None:
        """Remove an application from the recycle bin."""
        item = self._client.directory.deleted_items.by_directory_object_id(object_id)
        await self._graph.tell(item.to_delete_request_information())

    async def service_principals_tagged(self, tag: str) -> AsyncIterator[ServicePrincipalRecord]:
        """Yield the live service principals that bear a tag; the tenant filters."""
        query = ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=records.PRINCIPAL_FIELDS, top=_PAGE
        )
        async for found in self._graph.pages(
            self._client.service_principals, query, records.principal
        ):
            yield found

    async def deleted_service_principals_tagged(
        self, tag: str
    ) -> AsyncIterator[ServicePrincipalRecord]:
        """Yield those in the recycle bin that bear a tag; the tenant filters."""
        builder = self._client.directory.deleted_items.graph_service_principal
        parameters = GraphServicePrincipalRequestBuilder
        query = parameters.GraphServicePrincipalRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=records.PRINCIPAL_FIELDS, top=_PAGE
        )
        async for found in self._graph.pages(builder, query, records.principal):
            yield found

    async def deleted_service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
        """Return the service principal of an application id from the recycle bin, if any."""
        parameters = GraphServicePrincipalRequestBuilder
        query = parameters.GraphServicePrincipalRequestBuilderGetQueryParameters(
            filter=f"appId eq {_quoted(client_id)}", select=records.PRINCIPAL_FIELDS
        )
        builder = self._client.directory.deleted_items.graph_service_principal
        async for found in self._graph.pages(builder, query, records.principal):
            return found
        return None

    async def deleted_item(self, object_id: str) -> DeletedItem:
        """Return one object of the recycle bin."""
        item = self._client.directory.deleted_items.by_directory_object_id(object_id)
        return await self._graph.ask(item.to_get_request_information(), records.deleted_item)

    async def delete_service_principal(self, object_id: str) -> None:
        """Delete a service principal; its grants go with it."""
        item = self._client.service_principals.by_service_principal_id(object_id)
        await self._graph.tell(item.to_delete_request_information())

    async def purge_service_principal(self, object_id: str) -> None:
        """Remove a service principal from the recycle bin; its application's purge does not."""
        await self.purge_application(object_id)  # Graph has one address for whatever lies there

    async def certificates(self, application_id: str) -> tuple[str, ...]:
        """Return the key ids of an application's certificates.

        Apart from the rest of an application: Graph throttles this property (150 reads a minute).
        """
        query = ApplicationItemRequestBuilder.ApplicationItemRequestBuilderGetQueryParameters(
            select=["keyCredentials"]
        )
        item = self._client.applications.by_application_id(application_id)
        return await self._graph.ask(
            item.to_get_request_information(configured(query)), records.certificates
        )

    async def federated_credentials(self, application_id: str) -> tuple[str, ...]:
        """Return the names of an application's federated credentials; 20 at most."""
        item = self._client.applications.by_application_id(application_id)
        builder = item.federated_identity_credentials
        return await self._graph.ask(
            builder.to_get_request_information(), records.listed(records.credential_name)
        )

    async def service_principal_owners(self, object_id: str) -> frozenset[str]:
        """Return the owners' object ids."""
        owners = self._client.service_principals.by_service_principal_id(object_id).owners
        return frozenset(
            [found async for found in self._graph.pages(owners, None, records.object_id)]
        )

    async def remove_password(self, application_id: str, key_id: str) -> None:
        """Remove a client secret by its key id."""
        item = self._client.applications.by_application_id(application_id).remove_password
        body = RemovePasswordPostRequestBody(key_id=UUID(key_id))
        try:
            await self._graph.tell(item.to_post_request_information(body))
        except DirectoryError as error:
            # Graph calls a key that is gone a bad request.
            if error.status == 400 and key_id in error.message:
                raise NotFound(error.status, error.code, error.message) from error
            raise

    async def set_notes(self, application_id: str, notes: str) -> None:
        """Replace the notes; Application.ReadWrite.OwnedBy suffices for an owner."""
        item = self._client.applications.by_application_id(application_id)
        request = item.to_delete_request_information()  # for its address: no model, docs/adr/0007
        request.http_method = Method.PATCH
        request.set_stream_content(json.dumps({"notes": notes}).encode(), "application/json")
        await self._graph.tell(request)

    async def owners(self, application_id: str) -> frozenset[str]:
        """Return the owners' object ids."""
        owners = self._client.applications.by_application_id(application_id).owners
        return frozenset(
            [found async for found in self._graph.pages(owners, None, records.object_id)]
        )

    async def service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
        """Return the service principal of an application id."""
        query = ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(
            filter=f"appId eq {_quoted(client_id)}"
        )
        async for found in self._graph.pages(
            self._client.service_principals, query, records.principal
        ):
            return found
        return None

    async def service_principal_by_id(self, object_id: str) -> ServicePrincipalRecord:
        """Return one service principal; Application.ReadWrite.OwnedBy suffices."""
        item = self._client.service_principals.by_service_principal_id(object_id)
        return await self._graph.ask(item.to_get_request_information(), records.principal)

    async def grants(self, service_principal_id: str) -> tuple[GrantRecord, ...]:
        """Return a service principal's grants; needs DelegatedPermissionGrant.Read.All or more.

        In pages as large as can be: Graph loses some of many where its pages are smaller
        (microsoftgraph/msgraph-sdk-powershell#2469).
        """
        builder = self._client.oauth2_permission_grants
        parameters = Oauth2PermissionGrantsRequestBuilder
        query = parameters.Oauth2PermissionGrantsRequestBuilderGetQueryParameters(
            filter=f"clientId eq {_quoted(service_principal_id)}", top=_PAGE
        )
        return tuple([found async for found in self._graph.pages(builder, query, records.grant)])

    async def user(self, principal_name: str) -> UserRecord:
        """Return a user by sign-in name; needs User.Read.All for `accountEnabled`."""
        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(
            select=records.USER_FIELDS
        )
        item = self._client.users.by_user_id(principal_name)
        return await self._graph.ask(
            item.to_get_request_information(configured(query)), records.user
        )

    async def users_with_mail(self, address: str) -> tuple[UserRecord, ...]:
        """Return the users with this primary mail address; needs User.Read.All."""
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
            filter=f"mail eq {_quoted(address)}", select=records.USER_FIELDS
        )
        return tuple(
            [found async for found in self._graph.pages(self._client.users, query, records.user)]
        )

    async def app_policy(self, application_id: str | None = None) -> AppPolicy:
        """Return the policy that holds for an application; needs Policy.Read.All.

        One of its own stands in the place of the tenant's default one (Microsoft, app management
        policies). The default one holds for a new application, which None means.
        """
        default, own = await asyncio.gather(
            self._default_app_policy(),
            self._own_app_policy(application_id),
            return_exceptions=True,
        )
        if isinstance(default, BaseException):
            raise default
        if isinstance(own, NotFound) or (isinstance(own, DirectoryError) and not default):
            own = None  # a reader that trails; or nothing that it could stand in the place of
        if isinstance(own, BaseException):
            raise own
        restrictions = own.restrictions if own else default or records.Restrictions()
        allowed, longest, spares_some = True, None, False
        for rule in restrictions.on_passwords:
            if rule.since and await self._is_older(application_id, rule.since):
                continue
            spares_some = spares_some or rule.spares_some
            if rule.kind == "passwordAddition":
                allowed = False
            if rule.longest is not None:
                longest = rule.longest.days
        return AppPolicy(
            name=own.name if own else "the tenant's default app management policy",
            is_own=own is not None,
            passwords_allowed=allowed,
            maximum_lifetime_days=longest,
            spares_some=spares_some,
            identifier_uri_rules=restrictions.on_identifier_uris,
        )

    async def _default_app_policy(self) -> records.Restrictions | None:
        """Return the tenant's restrictions on applications, if it has any."""
        builder = self._client.policies.default_app_management_policy
        return await self._graph.ask(builder.to_get_request_information(), records.default_policy)

    async def _is_older(self, application_id: str | None, than: datetime) -> bool:
        if application_id is None:
            return False
        try:
            created = (await self.application(application_id)).created
        except NotFound:
            return False
        return created is not None and created < than

    async def _own_app_policy(self, application_id: str | None) -> records.OwnPolicy | None:
        """Return the policy that is assigned to an application."""
        if application_id is None:
            return None
        item = self._client.applications.by_application_id(application_id)
        request = item.app_management_policies.to_get_request_information()
        found = await self._graph.ask(request, records.listed(records.own_policy))  # one at most
        return next((policy for policy in found if policy), None)

    async def quota(self) -> DirectoryQuota:
        """Return the tenant's size; needs Organization.Read.All. Only Graph's beta tells it."""
        beta = str(self._client.request_adapter.base_url).replace("/v1.0", "/beta")
        builder = self._client.organization.with_url(
            f"{beta}/organization?$select=id,directorySizeQuota"
        )
        quotas = await self._graph.ask(
            builder.to_get_request_information(), records.listed(records.quota)
        )
        found = quotas[0] if quotas else None
        if found is None:
            raise DirectoryError(200, "NoQuota", "a tenant without directorySizeQuota")
        return found


def _tagged(tag: str) -> str:
    return f"tags/any(t:t eq {_quoted(tag)})"


def _quoted(text: str) -> str:
    """Write an OData string literal."""
    return "'" + text.replace("'", "''") + "'"
