"""How Microsoft Graph is asked, over msgraph-sdk: what is common to all requests of `graph`.

The SDK retries 429, 503 and 504 by itself and never a 404; reads that get no answer, or another
status that passes, are sent again here.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from azure.core.exceptions import AzureError
from azure.identity import CredentialUnavailableError
from kiota_abstractions.api_error import APIError
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_abstractions.serialization import ParsableFactory
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import RedirectHandlerOption
from kiota_http.middleware.retry_handler import RetryHandler
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph_core import GraphClientFactory

from proself_mail import json_text
from proself_mail.entra import graph_records as records
from proself_mail.entra import proxies, retry_after
from proself_mail.entra.azure_cli import AzureCliSignIn
from proself_mail.entra.directory import (
    DirectoryError,
    Forbidden,
    NotFound,
    NoTokenYet,
    SignInRefused,
    Unreadable,
)
from proself_mail.entra.graph_records import Read, T
from proself_mail.errors import ConfigurationError, NoAnswerYet
from proself_mail.stack import failure

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from proself_mail.entra.target import Target

_ERRORS: dict[str, type[ParsableFactory[Any]]] = {"XXX": ODataError}
_READ_AGAIN_AFTER = (timedelta(seconds=0.1), timedelta(seconds=0.4), timedelta(seconds=1))
"""How long each try waits for the next, of a read that the SDK does not send again."""
_NOT_AGAIN = RetryHandler.DEFAULT_RETRY_STATUS_CODES | {409}
"""Of what passes: the SDK has sent it again already, or another write is to end first."""


@asynccontextmanager
async def connected(
    credential: AsyncTokenCredential, target: Target
) -> AsyncIterator[GraphRequestAdapter]:
    """Give the SDK's adapter over the credential; both are closed at the end of the block.

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
        if isinstance(credential, AzureCliSignIn):
            http.event_hooks["response"].append(credential.note)
        redirects = RedirectHandlerOption(should_redirect=False)
        client = GraphClientFactory.create_with_default_middleware(
            client=http, options={redirects.get_key(): redirects}
        )
        adapter = GraphRequestAdapter(provider, client=client)
        adapter.base_url = f"{target.graph}/v1.0"
        yield adapter


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
    except (ValueError, httpx.InvalidURL) as error:
        # Whose words may quote a part of a password, which it took for the port.
        raise ConfigurationError(
            "A proxy variable of this shell cannot be used: its value is no address.",
            "Correct or unset HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, whichever it is "
            f"({proxies.IN_A_PASSWORD}); then try again.",
        ) from error


async def _refuse_redirect(answer: httpx.Response) -> None:
    """Refuse to go elsewhere, which nothing that is asked for here needs.

    The SDK asks there by GET whatever a write was, and takes what it gets for the write's answer.
    """
    if answer.has_redirect_location:
        raise Unreadable("the way to another address", answer.status_code)


class GraphTransport:
    """Sends the requests of one session."""

    def __init__(self, adapter: GraphRequestAdapter) -> None:
        self._adapter = adapter

    async def pages(self, builder: Any, query: Any, read: Read[T]) -> AsyncIterator[T]:
        """Yield what a list holds, a page at a time; `read` is of one thing."""
        request = builder.to_get_request_information(configured(query))
        base = urlsplit(str(self._adapter.base_url))
        passed: set[str] = set()
        while True:
            found, link = await self.ask(request, records.page(read))
            for each in found:
                yield each
            if not link:
                return
            if link in passed or not link.startswith(f"{base.scheme}://{base.netloc}/"):
                raise Unreadable("a list whose next page is one again or another host's")
            passed.add(link)
            request = builder.with_url(link).to_get_request_information()

    async def ask(self, request: RequestInformation, read: Read[T]) -> T:
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
        answer = await self.tell(request)
        try:
            document = json_text.read(answer or b"")
        except ValueError as error:
            raise Unreadable("an answer that is no JSON") from error
        if not isinstance(document, dict):
            raise Unreadable("an answer that is no object")
        try:
            return read(document)
        except KeyError as error:
            raise Unreadable(f"an answer without {error}") from error
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise Unreadable("an object of another form than was asked for") from error

    async def tell(self, request: RequestInformation) -> bytes | None:
        """Send a request; turn what the SDK raises into the port's errors.

        The answer is taken as bytes: the SDK's own models import a thousand modules for one
        service principal, which takes longer than all of an `up`'s requests (docs/adr/0007).
        """
        try:
            answer: bytes | None = await self._adapter.send_primitive_async(
                request, "bytes", _ERRORS
            )
            return answer
        except ODataError as error:
            inner = error.error.inner_error if error.error else None
            raise _converted(
                error,
                (error.error and error.error.code) or "",
                (error.error and error.error.message) or "without a message",
                (inner and inner.request_id) or "",
            ) from error
        except APIError as error:
            raise _converted(error, "", str(error)) from error
        except NoAnswerYet as error:  # of the credential
            raise NoTokenYet(error) from error
        except (httpx.HTTPError, AzureError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            code = type(error).__name__
            refused = "AADSTS" in reason and not failure.classify(reason).kind.passes
            if refused or isinstance(error, CredentialUnavailableError):
                raise SignInRefused(code, reason.rstrip(".")) from error
            raise DirectoryError(None, code, reason) from error


def _passes(error: DirectoryError) -> bool:
    """Say whether to send a read again that failed so."""
    if isinstance(error, NoTokenYet):  # for which there was a wait of a minute
        return False
    return isinstance(error, Unreadable) or (error.passes and error.status not in _NOT_AGAIN)


def configured(query: Any) -> RequestConfiguration[Any]:
    """Return what tells a request builder of the SDK its query parameters."""
    return RequestConfiguration(query_parameters=query)


def _converted(error: APIError, code: str, message: str, request_id: str = "") -> DirectoryError:
    """Return it as the port's error; a blank `code` is of an answer that gives none."""
    status = error.response_status_code
    kinds = {404: NotFound, 403: Forbidden}
    kind = kinds.get(status or 0, DirectoryError)
    converted = kind(status, code or "unknown", message.rstrip("."), request_id)
    if not code and not converted.passes:
        # Graph's own errors have one; without it "not there" may be a proxy's page.
        converted = Unreadable("an error that is none of Graph's", status or 0)
    converted.retry_after = retry_after.read(dict(error.response_headers or {}).get("retry-after"))
    return converted
