"""The adapter from `directory` to Microsoft Graph v1.0, over msgraph-sdk.

The SDK takes 1.5 s from import to its first answer and is imported here alone, so import this
module where a directory is really needed. It retries throttling (429, 503, 504) by itself and
never a 404; reads that get no answer, or 500, are sent again here.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from azure.core.exceptions import AzureError
from kiota_abstractions.api_error import APIError
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_abstractions.serialization import ParsableFactory
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import RedirectHandlerOption
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
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
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
from msgraph_core import GraphClientFactory

from proself_mail import failure, retry_after
from proself_mail import graph_records as records
from proself_mail.directory import (
    ApplicationRecord,
    AppPolicy,
    DeletedItem,
    DirectoryError,
    DirectoryQuota,
    Forbidden,
    GrantRecord,
    NotFound,
    OrganizationRecord,
    ServicePrincipalRecord,
    SignInRefused,
    Unreadable,
    UserRecord,
)
from proself_mail.errors import ConfigurationError
from proself_mail.graph_records import Read, T

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from proself_mail.target import Target

_PAGE = 999
"""The most that Graph gives at once (Microsoft, list applications)."""

_ERRORS: dict[str, type[ParsableFactory[Any]]] = {"XXX": ODataError}
_READ_AGAIN_AFTER = (timedelta(seconds=0.1), timedelta(seconds=0.4), timedelta(seconds=1))
"""The SDK sends again what is throttled, and not what got no answer or 500."""


@asynccontextmanager
async def connect(
    credential: AsyncTokenCredential, target: Target
) -> AsyncIterator[GraphDirectory]:
    """Give a directory over the credential; both are closed at the end of the block.

    Raises `ConfigurationError` where a variable names a proxy, or a file of trusted certificates,
    that cannot be used.
    """
    provider = AzureIdentityAuthenticationProvider(
        credential,
        scopes=[f"{target.graph}/.default"],
        # By host name without the port, or the SDK silently sends no token.
        allowed_hosts=[target.graph_host],
    )
    async with credential, _http_client() as http:
        redirects = RedirectHandlerOption(should_redirect=False)
        client = GraphClientFactory.create_with_default_middleware(
            client=http, options={redirects.get_key(): redirects}
        )
        adapter = GraphRequestAdapter(provider, client=client)
        adapter.base_url = f"{target.graph}/v1.0"
        yield GraphDirectory(GraphServiceClient(request_adapter=adapter))


def _http_client() -> httpx.AsyncClient:
    trusted = os.environ.get("SSL_CERT_FILE")
    try:
        return httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=trusted),
            http2=True,
            timeout=30,
            event_hooks={"response": [_refuse_redirect]},
        )
    except OSError as error:  # SSLError too, of a file without a certificate
        raise ConfigurationError(
            f"{trusted} (SSL_CERT_FILE) cannot be read for certificates: "
            f"{error.strerror or error}.",
            "Correct or unset SSL_CERT_FILE, then try again.",
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"A proxy variable of this shell cannot be used: {error}.",
            "Correct or unset HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, then try again.",
        ) from error


async def _refuse_redirect(answer: httpx.Response) -> None:
    """Refuse to go elsewhere, which nothing that is asked for here needs.

    The SDK asks there by GET whatever a write was, and takes what it gets for the write's answer.
    """
    if answer.has_redirect_location:
        raise Unreadable("the way to another address", answer.status_code)


class GraphDirectory:
    """A `directory.Directory` over Microsoft Graph."""

    def __init__(self, client: GraphServiceClient) -> None:
        self._client = client

    async def organization(self) -> OrganizationRecord:
        """Return the tenant; needs Organization.Read.All."""
        request = self._client.organization.to_get_request_information()
        return await self._ask(request, records.organization)

    async def application(self, object_id: str) -> ApplicationRecord:
        """Return a live application; Application.ReadWrite.OwnedBy suffices."""
        query = ApplicationItemRequestBuilder.ApplicationItemRequestBuilderGetQueryParameters(
            select=records.APPLICATION_FIELDS
        )
        item = self._client.applications.by_application_id(object_id)
        return await self._ask(item.to_get_request_information(_with(query)), records.application)

    async def applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield the live applications that bear a tag; the tenant filters."""
        query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=records.APPLICATION_FIELDS, top=_PAGE
        )
        async for found in self._pages(self._client.applications, query, records.application):
            yield found

    async def deleted_applications_tagged(self, tag: str) -> AsyncIterator[ApplicationRecord]:
        """Yield those in the recycle bin that bear a tag; the tenant filters."""
        builder = self._client.directory.deleted_items.graph_application
        query = GraphApplicationRequestBuilder.GraphApplicationRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=records.APPLICATION_FIELDS, top=_PAGE
        )
        async for found in self._pages(builder, query, records.application):
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
            self._pages(self._client.applications, live, records.application),
            self._pages(bin_, deleted, records.application),
        )
        return tuple([found for each in pages async for found in each])

    async def delete_application(self, object_id: str) -> None:
        """Delete an application; its service principal and grants go with it."""
        item = self._client.applications.by_application_id(object_id)
        await self._tell(item.to_delete_request_information())

    async def purge_application(self, object_id: str) -> None:
        """Remove an application from the recycle bin."""
        item = self._client.directory.deleted_items.by_directory_object_id(object_id)
        await self._tell(item.to_delete_request_information())

    async def service_principals_tagged(self, tag: str) -> AsyncIterator[ServicePrincipalRecord]:
        """Yield the live service principals that bear a tag; the tenant filters."""
        query = ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(
            filter=_tagged(tag), select=records.PRINCIPAL_FIELDS, top=_PAGE
        )
        async for found in self._pages(self._client.service_principals, query, records.principal):
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
        async for found in self._pages(builder, query, records.principal):
            yield found

    async def deleted_service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
        """Return the service principal of an application id from the recycle bin, if any."""
        parameters = GraphServicePrincipalRequestBuilder
        query = parameters.GraphServicePrincipalRequestBuilderGetQueryParameters(
            filter=f"appId eq {_quoted(client_id)}", select=records.PRINCIPAL_FIELDS
        )
        builder = self._client.directory.deleted_items.graph_service_principal
        async for found in self._pages(builder, query, records.principal):
            return found
        return None

    async def deleted_item(self, object_id: str) -> DeletedItem:
        """Return one object of the recycle bin."""
        item = self._client.directory.deleted_items.by_directory_object_id(object_id)
        return await self._ask(item.to_get_request_information(), records.deleted_item)

    async def delete_service_principal(self, object_id: str) -> None:
        """Delete a service principal; its grants go with it."""
        item = self._client.service_principals.by_service_principal_id(object_id)
        await self._tell(item.to_delete_request_information())

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
        return await self._ask(item.to_get_request_information(_with(query)), records.certificates)

    async def federated_credentials(self, application_id: str) -> tuple[str, ...]:
        """Return the names of an application's federated credentials; 20 at most."""
        item = self._client.applications.by_application_id(application_id)
        builder = item.federated_identity_credentials
        return await self._ask(
            builder.to_get_request_information(), records.listed(records.credential_name)
        )

    async def service_principal_owners(self, object_id: str) -> frozenset[str]:
        """Return the owners' object ids."""
        owners = self._client.service_principals.by_service_principal_id(object_id).owners
        return frozenset([found async for found in self._pages(owners, None, records.object_id)])

    async def remove_password(self, application_id: str, key_id: str) -> None:
        """Remove a client secret by its key id."""
        item = self._client.applications.by_application_id(application_id).remove_password
        body = RemovePasswordPostRequestBody(key_id=UUID(key_id))
        try:
            await self._tell(item.to_post_request_information(body))
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
        await self._tell(request)

    async def owners(self, application_id: str) -> frozenset[str]:
        """Return the owners' object ids."""
        owners = self._client.applications.by_application_id(application_id).owners
        return frozenset([found async for found in self._pages(owners, None, records.object_id)])

    async def service_principal(self, client_id: str) -> ServicePrincipalRecord | None:
        """Return the service principal of an application id."""
        query = ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(
            filter=f"appId eq {_quoted(client_id)}"
        )
        async for found in self._pages(self._client.service_principals, query, records.principal):
            return found
        return None

    async def service_principal_by_id(self, object_id: str) -> ServicePrincipalRecord:
        """Return one service principal; Application.ReadWrite.OwnedBy suffices."""
        item = self._client.service_principals.by_service_principal_id(object_id)
        return await self._ask(item.to_get_request_information(), records.principal)

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
        return tuple([found async for found in self._pages(builder, query, records.grant)])

    async def user(self, principal_name: str) -> UserRecord:
        """Return a user by sign-in name; needs User.Read.All for `accountEnabled`."""
        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(
            select=records.USER_FIELDS
        )
        item = self._client.users.by_user_id(principal_name)
        return await self._ask(item.to_get_request_information(_with(query)), records.user)

    async def users_with_mail(self, address: str) -> tuple[UserRecord, ...]:
        """Return the users with this primary mail address; needs User.Read.All."""
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
            filter=f"mail eq {_quoted(address)}", select=records.USER_FIELDS
        )
        return tuple(
            [found async for found in self._pages(self._client.users, query, records.user)]
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
        return await self._ask(builder.to_get_request_information(), records.default_policy)

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
        found = await self._ask(request, records.listed(records.own_policy))  # one at most
        return next((policy for policy in found if policy), None)

    async def quota(self) -> DirectoryQuota:
        """Return the tenant's size; needs Organization.Read.All. Only Graph's beta tells it."""
        beta = str(self._client.request_adapter.base_url).replace("/v1.0", "/beta")
        builder = self._client.organization.with_url(
            f"{beta}/organization?$select=id,directorySizeQuota"
        )
        quotas = await self._ask(
            builder.to_get_request_information(), records.listed(records.quota)
        )
        found = quotas[0] if quotas else None
        if found is None:
            raise DirectoryError(200, "NoQuota", "a tenant without directorySizeQuota")
        return found

    async def _pages(self, builder: Any, query: Any, read: Read[T]) -> AsyncIterator[T]:
        """Yield what a list holds, a page at a time; `read` is of one thing."""
        request = builder.to_get_request_information(_with(query))
        base = urlsplit(str(self._client.request_adapter.base_url))
        passed: set[str] = set()
        while True:
            found, link = await self._ask(request, records.page(read))
            for each in found:
                yield each
            if not link:
                return
            if link in passed or not link.startswith(f"{base.scheme}://{base.netloc}/"):
                raise Unreadable("a list whose next page is one again or another host's")
            passed.add(link)
            request = builder.with_url(link).to_get_request_information()

    async def _ask(self, request: RequestInformation, read: Read[T]) -> T:
        """Send a request that is answered by an object, which `read` makes what is asked for.

        It is sent again where a read got no answer.
        """
        for wait in _READ_AGAIN_AFTER:
            try:
                return await self._asked(request, read)
            except DirectoryError as error:
                if request.http_method is not Method.GET or not _passes(error):
                    raise
                asked_for = error.retry_after
            jitter = random.uniform(0.5, 1.5)  # noqa: S311
            await asyncio.sleep(max(asked_for, wait * jitter).total_seconds())
        return await self._asked(request, read)

    async def _asked(self, request: RequestInformation, read: Read[T]) -> T:
        answer = await self._tell(request)
        try:
            document = json.loads(answer or b"")
        except (ValueError, RecursionError) as error:
            raise Unreadable("an answer that is no JSON") from error
        if not isinstance(document, dict):
            raise Unreadable("an answer that is no object")
        try:
            return read(document)
        except KeyError as error:
            raise Unreadable(f"an answer without {error}") from error
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise Unreadable("an object of another form than was asked for") from error

    async def _tell(self, request: RequestInformation) -> bytes | None:
        """Send a request; turn what the SDK raises into the port's errors.

        The answer is taken as bytes: the SDK's own models import a thousand modules for one
        service principal, which takes longer than all of an `up`'s requests (docs/adr/0007).
        """
        try:
            return await self._client.request_adapter.send_primitive_async(
                request, "bytes", _ERRORS
            )
        except ODataError as error:
            inner = error.error.inner_error if error.error else None
            raise _converted(
                error,
                (error.error and error.error.code) or "unknown",
                (error.error and error.error.message) or "without a message",
                (inner and inner.request_id) or "",
            ) from error
        except APIError as error:
            raise _converted(error, "unknown", str(error)) from error
        except (httpx.HTTPError, AzureError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            refused = "AADSTS" in reason and not failure.classify(reason).kind.passes
            kind = SignInRefused if refused else DirectoryError
            raise kind(None, type(error).__name__, reason) from error


def _passes(error: DirectoryError) -> bool:
    """Say whether to send a read again that failed so: the SDK has done it where throttled."""
    return isinstance(error, Unreadable) or (error.passes and error.status not in (409, 429))


def _with(query: Any) -> RequestConfiguration[Any]:
    return RequestConfiguration(query_parameters=query)


def _converted(error: APIError, code: str, message: str, request_id: str = "") -> DirectoryError:
    status = error.response_status_code
    kinds = {404: NotFound, 401: Forbidden, 403: Forbidden}
    kind = kinds.get(status or 0, DirectoryError)
    converted = kind(status, code, message.rstrip("."), request_id)
    converted.retry_after = retry_after.read(dict(error.response_headers or {}).get("retry-after"))
    return converted


def _tagged(tag: str) -> str:
    return f"tags/any(t:t eq {_quoted(tag)})"


def _quoted(text: str) -> str:
    """Write an OData string literal."""
    return "'" + text.replace("'", "''") + "'"
