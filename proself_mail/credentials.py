"""Who we are to the tenant: the azure-identity credential that the azuread plugin would take too.

The same variables as the plugin's choose it, and no others, so that one identity does both halves
of an `up`: AZURE_CLIENT_ID and its like count where the plugin reads them, in a pod of Kubernetes.
In this order, workload identity first: GitHub Actions, Azure Pipelines, a token, its file; then a
client certificate, a client secret, and the Azure CLI's sign-in.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proself_mail import failure, retry_after
from proself_mail.command_line import leading
from proself_mail.errors import ConfigurationError, NoAnswerYet, RemoteError
from proself_mail.secret import Secret
from proself_mail.settings import TargetName
from proself_mail.target import Target

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import AzureError

# What it warns of while it signs in comes as an error too, which is told once and with a next step.
logging.getLogger("azure").addHandler(logging.NullHandler())

_NO_ANSWER = timedelta(seconds=10)
"""So long without a connection, or without a byte, is no answer."""
_AGAIN_AFTER = (timedelta(seconds=0.3), timedelta(seconds=1))
"""How long after no token is asked once more, before anybody is told."""
_SOON = timedelta(seconds=2)
"""A Retry-After of no more is slept in the same way."""

# azure-identity is imported where it is used: 0.2 s, for which `session` finds a better time.

_IN_POD = "ARM_USE_AKS_WORKLOAD_IDENTITY"
"""With it the plugin takes what Kubernetes gives a pod where it is not given its own variables."""


@dataclass(frozen=True)
class Caller:
    """The signed-in identity, read from its own token for Microsoft Graph."""

    tenant_id: str
    object_id: str
    name: str
    """A user's sign-in name, or an application's display name where the token has one."""
    client_id: str
    is_user: bool
    rights: frozenset[str]
    """App roles of an application, delegated scopes of a user."""
    directory_roles: frozenset[str]
    """Template ids of a user's directory roles (`wids`)."""


def choose(
    target: Target, tenant_id: str, environment: Mapping[str, str] = os.environ
) -> tuple[AsyncTokenCredential, str]:
    """Return the credential that the environment provides, and what to call it.

    A blank `tenant_id` is the one that the Azure CLI is signed in to. Nothing is asked of the
    tenant yet. Raises `ConfigurationError` where a variable is missing or names a file that cannot
    be used, and where no tenant is named to anything else than the Azure CLI.
    """
    from azure.identity.aio import AzureCliCredential, ClientSecretCredential

    client_id = _given("ARM_CLIENT_ID", environment)
    asked_by = next((n for n in (_IN_POD, "ARM_USE_OIDC") if _is_true(environment.get(n))), None)
    certificate = client_id and environment.get("ARM_CLIENT_CERTIFICATE_PATH")
    secret = client_id and _given("ARM_CLIENT_SECRET", environment)
    if not (asked_by or certificate or secret):
        return AzureCliCredential(tenant_id=tenant_id), "the Azure CLI's sign-in"
    if not tenant_id:
        raise ConfigurationError(
            f"{'Workload identity' if asked_by else f'The application {client_id}'} signs in to a "
            "tenant by its ID, and none is named.",
            "Set ARM_TENANT_ID, or give `init` --tenant, the Directory (tenant) ID of Entra's "
            "overview page, then try again.",
        )
    options = _options(target)
    if asked_by:
        return _workload_identity(tenant_id, client_id, environment, options, asked_by)
    if certificate:
        password = environment.get("ARM_CLIENT_CERTIFICATE_PASSWORD")
        credential = _certificate(tenant_id, client_id, certificate, password, options)
        return credential, f"client certificate of {client_id}"
    return (
        ClientSecretCredential(tenant_id, client_id, secret, **options),
        f"client secret of {client_id}",
    )


def _given(name: str, environment: Mapping[str, str]) -> str:
    """Return a variable's value, or what is in the file that its neighbour names."""
    path = environment.get(f"{name}_FILE_PATH")
    if environment.get(name) or not path:
        return environment.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{path} ({name}_FILE_PATH) cannot be read: {why}.",
            f"Correct it, or set {name} itself, then try again.",
        ) from error


def _options(target: Target) -> dict[str, Any]:
    options: dict[str, Any] = {
        "authority": target.authority,
        # By itself it waits 300 s each time, and as long as Retry-After says, without a word.
        "connection_timeout": _NO_ANSWER.total_seconds(),
        "read_timeout": _NO_ANSWER.total_seconds(),
        "retry_total": 0,
    }
    if target.metadata_host:
        # Instance discovery asks Microsoft's own list of authorities, which cannot know this one.
        options["disable_instance_discovery"] = True
    return options


def _certificate(
    tenant_id: str, client_id: str, path: str, password: str | None, options: dict[str, Any]
) -> AsyncTokenCredential:
    """Return the credential of a client certificate."""
    from azure.identity.aio import CertificateCredential
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return CertificateCredential(tenant_id, client_id, path, password=password, **options)
    except OSError as error:
        raise ConfigurationError(
            f"{path} (ARM_CLIENT_CERTIFICATE_PATH) cannot be read: {error.strerror or error}.",
            "Correct it, then try again.",
        ) from error
    # The last two are of a key that has a password and was given none, or of no known kind.
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{path} (ARM_CLIENT_CERTIFICATE_PATH) cannot be used to sign in.",
            "It must hold a certificate and its private RSA key (PKCS#12 or PEM), and "
            "ARM_CLIENT_CERTIFICATE_PASSWORD the key's password if it has one; then try again.",
        ) from error


def _workload_identity(
    tenant_id: str,
    client_id: str,
    environment: Mapping[str, str],
    options: dict[str, Any],
    asked_by: str,
) -> tuple[AsyncTokenCredential, str]:
    """Return the credential of a workload; `asked_by` is the variable that wants one."""
    from azure.identity.aio import (
        AzurePipelinesCredential,
        ClientAssertionCredential,
        WorkloadIdentityCredential,
    )

    path = environment.get("ARM_OIDC_TOKEN_FILE_PATH")
    if asked_by == _IN_POD:
        client_id = client_id or environment.get("AZURE_CLIENT_ID", "")
        path = path or environment.get("AZURE_FEDERATED_TOKEN_FILE")
    if not client_id:
        raise ConfigurationError(
            f"Workload identity is asked for ({asked_by}) without ARM_CLIENT_ID.",
            "Set ARM_CLIENT_ID to the client ID of the pipeline's identity, then try again.",
        )
    connection = environment.get("ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID")
    access = environment.get("SYSTEM_ACCESSTOKEN")
    if connection and access:
        return (
            AzurePipelinesCredential(
                tenant_id=tenant_id,
                client_id=client_id,
                service_connection_id=connection,
                system_access_token=access,
                **options,
            ),
            f"workload identity of {client_id} (Azure Pipelines)",
        )
    request_url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    request_token = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if request_url and request_token:
        return (
            ClientAssertionCredential(
                tenant_id, client_id, lambda: _github_token(request_url, request_token), **options
            ),
            f"workload identity of {client_id} (GitHub Actions)",
        )
    if token := environment.get("ARM_OIDC_TOKEN"):
        return (
            ClientAssertionCredential(tenant_id, client_id, lambda: token, **options),
            f"workload identity of {client_id} (ARM_OIDC_TOKEN)",
        )
    if path:
        return (
            WorkloadIdentityCredential(
                tenant_id=tenant_id, client_id=client_id, token_file_path=path, **options
            ),
            f"workload identity of {client_id} (token file)",
        )
    raise ConfigurationError(
        f"Workload identity is asked for ({asked_by}), and no token can be had for it.",
        "In a pod of Kubernetes AZURE_FEDERATED_TOKEN_FILE names its token. On GitHub give the "
        "job `permissions: id-token: write`; on Azure Pipelines pass SYSTEM_ACCESSTOKEN and "
        "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID; elsewhere set ARM_OIDC_TOKEN_FILE_PATH.",
    )


def _github_token(request_url: str, request_token: str) -> str:
    import httpx  # 0.15 s, on pipelines only

    try:
        answer = httpx.get(
            request_url,
            params={"audience": "api://AzureADTokenExchange"},
            headers={"Authorization": f"Bearer {request_token}"},
            timeout=10,
        )
        answer.raise_for_status()
        return str(answer.json()["value"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        passes = isinstance(error, httpx.TransportError) or (
            isinstance(error, httpx.HTTPStatusError)
            and error.response.status_code in retry_after.PASSING
        )
        raise (NoAnswerYet if passes else RemoteError)(
            f"GitHub gives no identity token: {type(error).__name__}.",
            "Check the job's `permissions: id-token: write`, then run it again.",
        ) from error


async def sign_in(credential: AsyncTokenCredential, target: Target, source: str) -> Caller:
    """Get a token for Microsoft Graph and return who it is for.

    Raises `ConfigurationError` where there is nothing to sign in with, `RemoteError` where the
    tenant refuses, and `NoAnswerYet` where it gives no answer, or none within seconds.
    """
    from azure.core.exceptions import AzureError, ClientAuthenticationError
    from azure.identity import CredentialUnavailableError

    try:
        # As the SDK asks: azure-identity keeps tokens that can be revoked early apart.
        token = await _token(credential, target, enable_cae=True)
    except CredentialUnavailableError as error:
        raise ConfigurationError(
            f"Nobody is signed in: {source} gives no token ({_first_line(error)}).",
            "Set ARM_CLIENT_ID and ARM_CLIENT_SECRET, which the azuread plugin reads too (not "
            f"AZURE_CLIENT_ID and its like): `{leading('--ready-file F')}` "
            "sets all, then try again."
            if target.name is TargetName.EMBEDDED
            else "`az login --tenant TENANT`, or set ARM_CLIENT_ID and ARM_CLIENT_SECRET; in a "
            "pipeline ARM_USE_OIDC. Then try again.",
        ) from error
    except ClientAuthenticationError as error:
        said = _first_line(error)
        raise _no_token(
            error,
            f"The tenant refuses {source}: {said}.",
            failure.NO_TRUST
            if "AADSTS70021" in said
            else "Check the client ID, and make a new client secret if it has expired "
            "(AADSTS7000222) or was copied wrongly (AADSTS7000215); then try again.",
        ) from error
    except AzureError as error:
        raise _no_token(
            error,
            f"{target.authority} gives no token: {_first_line(error)}.",
            "Check the network and the proxy variables, then try again.",
        ) from error
    try:
        return _read_claims(token.token)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RemoteError(
            f"{source[:1].upper()}{source[1:]} gives a token that is none of Entra's.",
            "Sign in again (`az login --tenant TENANT`), then try again.",
        ) from error


async def _token(
    credential: AsyncTokenCredential, target: Target, *, enable_cae: bool = False
) -> AccessToken:
    """Ask for a token for Microsoft Graph; again, within seconds, where the answer may be another.

    Raises `AzureError`. Who has patience waits longer, and says so.
    """
    from azure.core.exceptions import (
        AzureError,
        ServiceRequestTimeoutError,
        ServiceResponseTimeoutError,
    )

    for wait in _AGAIN_AFTER:
        try:
            return await credential.get_token(f"{target.graph}/.default", enable_cae=enable_cae)
        except (ServiceRequestTimeoutError, ServiceResponseTimeoutError):
            raise  # which has taken its time
        except AzureError as error:
            asked_for = _passes_in(error)
            if asked_for is None or asked_for > _SOON:
                raise
        await asyncio.sleep(max(wait, asked_for).total_seconds())
    return await credential.get_token(f"{target.graph}/.default", enable_cae=enable_cae)


def _no_token(error: AzureError, cause: str, next_step: str) -> RemoteError:
    """Return the error for a sign-in without a token: one that passes, where anything says so."""
    asked_for = _passes_in(error)
    if asked_for is None:
        return RemoteError(cause, next_step)
    return NoAnswerYet(cause, next_step, asked_for)


def _passes_in(error: AzureError) -> timedelta | None:
    """Return how long the tenant is to be left alone then; None for what does not pass.

    Beside Entra's own words the status of the last answer tells, and that there was none at all.
    """
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    words, response = str(error), getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if "AADSTS" in words:
        passes = failure.classify(words).kind.passes
    else:
        no_answer = isinstance(error, ServiceRequestError | ServiceResponseError)
        passes = no_answer or status in retry_after.PASSING
    if not passes:
        return None
    headers = {} if response is None else response.headers
    return retry_after.read(headers.get("Retry-After"))


_LAGGING = (
    "AADSTS7000215",  # a secret that is wrong, or that it does not know yet
    "AADSTS700016",  # the same of the application
    "AADSTS7000229",  # of its service principal
)


@dataclass(frozen=True)
class Refusal:
    """What came instead of a token."""

    said: str
    """Without an AADSTS number in it there was no answer of Entra's."""
    left_alone: timedelta = timedelta()
    """How long the tenant is not to be asked again."""

    @property
    def passes(self) -> bool:
        """Whether it is none of Entra's answers, or Entra has no time for one."""
        return "AADSTS" not in self.said or failure.classify(self.said).kind.passes

    @property
    def may_lag(self) -> bool:
        """Whether Entra says so of what has just been made, for some seconds."""
        return any(code in self.said for code in _LAGGING)


async def refusal(target: Target, tenant_id: str, client_id: str, secret: Secret) -> Refusal | None:
    """Ask for a token with a client secret; return what came instead, none for a token."""
    from azure.core.exceptions import AzureError
    from azure.identity.aio import ClientSecretCredential

    credential = ClientSecretCredential(tenant_id, client_id, secret.reveal(), **_options(target))
    async with credential:
        try:
            await _token(credential, target)
        except AzureError as error:
            return Refusal(_first_line(error), _passes_in(error) or timedelta())
    return None


def _read_claims(token: str) -> Caller:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    is_user = claims.get("idtyp") != "app" and "scp" in claims
    rights = claims.get("scp", "").split() if is_user else claims.get("roles", [])
    client_id = claims.get("appid") or claims.get("azp") or ""
    name = claims.get("upn") or claims.get("preferred_username") or claims.get("app_displayname")
    return Caller(
        tenant_id=claims["tid"],
        object_id=claims["oid"],
        name=name or client_id,
        client_id=client_id,
        is_user=is_user,
        rights=frozenset(rights),
        directory_roles=frozenset(claims.get("wids", [])),
    )


def _first_line(error: Exception) -> str:
    """Return what Entra said, which stands in the first line; the rest repeats the request.

    Without the ids of this one answer, which would make each look like another.
    """
    lines = str(getattr(error, "message", None) or error).strip().splitlines()
    return lines[0].partition(" Trace ID:")[0].rstrip(".") if lines else type(error).__name__


def _is_true(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes")
