"""Who we are to the tenant: the azure-identity credential that the azuread plugin would take too.

The same variables as the plugin's choose it, and no others, so that one identity does both halves
of an `up`: AZURE_CLIENT_ID and its like count where the plugin reads them, in a pod of Kubernetes.
In its order too: a client certificate, a client secret, workload identity (GitHub Actions, Azure
Pipelines, a token, its file), and the Azure CLI's sign-in. What leads the plugin elsewhere is
refused: a managed identity, before the Azure CLI; nothing at all without it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proself_mail.config.settings import TargetName
from proself_mail.entra import token_claims, token_request
from proself_mail.entra.target import Target
from proself_mail.errors import ConfigurationError, NoAnswerYet, RemoteError
from proself_mail.stack import failure
from proself_mail.text.command_line import leading

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import AzureError

# azure-identity is imported where it is used: 0.2 s, for which `session` finds a better time.

_IN_POD = "ARM_USE_AKS_WORKLOAD_IDENTITY"
"""With it the plugin takes what Kubernetes gives a pod where it is not given its own variables."""
_CERTIFICATE, _CERTIFICATE_PATH = "ARM_CLIENT_CERTIFICATE", "ARM_CLIENT_CERTIFICATE_PATH"
_WAYS = (
    f"ARM_CLIENT_ID with ARM_CLIENT_SECRET, {_CERTIFICATE_PATH}, {_CERTIFICATE} or "
    "ARM_USE_OIDC=true"
)


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
    tenant yet. Raises `ConfigurationError` where a variable is missing, names a file that cannot
    be used or has the plugin sign in otherwise, and where no tenant is named to anything else than
    the Azure CLI.
    """
    from azure.identity.aio import ClientSecretCredential

    asked_by = next((n for n in (_IN_POD, "ARM_USE_OIDC") if _is_true(n, environment)), "")
    client_id = _given("ARM_CLIENT_ID", environment)
    if asked_by == _IN_POD:
        client_id = client_id or environment.get("AZURE_CLIENT_ID", "")
    certificates = (n for n in (_CERTIFICATE, _CERTIFICATE_PATH) if environment.get(n))
    certificate = next(certificates, None) if client_id else None
    secret = client_id and _given("ARM_CLIENT_SECRET", environment)
    if not (certificate or secret or asked_by):
        return _azure_cli(tenant_id, environment)
    if not tenant_id:
        who = f"The application {client_id}" if certificate or secret else "Workload identity"
        raise ConfigurationError(
            f"{who} signs in to a tenant by its ID, and none is named.",
            "Set ARM_TENANT_ID, or give `init` --tenant, the Directory (tenant) ID of Entra's "
            "overview page, then try again.",
        )
    options = token_request.options(target)
    if certificate:
        credential = _certificate(tenant_id, client_id, certificate, environment, options)
        return credential, f"client certificate of {client_id}"
    if secret:
        return (
            ClientSecretCredential(tenant_id, client_id, secret, **options),
            f"client secret of {client_id}",
        )
    return _workload_identity(tenant_id, client_id, environment, options, asked_by)


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


def _is_true(name: str, environment: Mapping[str, str], default: bool = False) -> bool:
    """Return what a variable says; a blank one says nothing. By the plugin's words, which are Go's.

    Raises `ConfigurationError` for others.
    """
    text = environment.get(name, "").strip()
    if text in ("1", "t", "T", "true", "True", "TRUE"):
        return True
    if text in ("0", "f", "F", "false", "False", "FALSE"):
        return False
    if not text:
        return default
    raise ConfigurationError(
        f"{name} is neither true nor false.", f"Set {name} to one of them, then try again."
    )


def _azure_cli(tenant_id: str, environment: Mapping[str, str]) -> tuple[AsyncTokenCredential, str]:
    """Return the Azure CLI's sign-in, if it is what the plugin would come to."""
    from proself_mail.entra.azure_cli import AzureCliSignIn

    if _is_true("ARM_USE_MSI", environment):
        raise ConfigurationError(
            "ARM_USE_MSI has the azuread plugin sign in by a managed identity, which proself-mail "
            "does not do: the checks would be made as another identity than the one that writes.",
            f"Unset ARM_USE_MSI and set {_WAYS}, or sign in by `az login`; then try again.",
        )
    if not _is_true("ARM_USE_CLI", environment, default=True):
        raise ConfigurationError(
            "ARM_USE_CLI keeps the azuread plugin from the Azure CLI's sign-in, and there is "
            "nothing else to sign in with.",
            f"Set {_WAYS}, or unset ARM_USE_CLI; then try again.",
        )
    return AzureCliSignIn(tenant_id), "the Azure CLI's sign-in"


def _certificate(
    tenant_id: str,
    client_id: str,
    name: str,
    environment: Mapping[str, str],
    options: dict[str, Any],
) -> AsyncTokenCredential:
    """Return the credential of the client certificate that the variable `name` has or names."""
    from azure.identity.aio import CertificateCredential
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs12

    given, password = environment[name], environment.get("ARM_CLIENT_CERTIFICATE_PASSWORD")
    shown = name if name == _CERTIFICATE else f"{given} ({name})"
    try:
        if name == _CERTIFICATE:
            data = base64.b64decode("".join(given.split()), validate=True)
        else:
            data = Path(given).read_bytes()
        # azure-identity takes PEM too, by which the plugin could not sign in.
        pkcs12.load_key_and_certificates(data, password.encode() if password else None)
        return CertificateCredential(
            tenant_id, client_id, certificate_data=data, password=password, **options
        )
    except OSError as error:
        raise ConfigurationError(
            f"{shown} cannot be read: {error.strerror or error}.", "Correct it, then try again."
        ) from error
    # The last two are of a key that has a password and was given none, or of no known kind.
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{shown} cannot be used to sign in.",
            "It must hold a certificate and its private RSA key as PKCS#12 (in "
            f"{_CERTIFICATE} base64-encoded), and ARM_CLIENT_CERTIFICATE_PASSWORD the key's "
            "password if it has one; then try again.",
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
        from proself_mail.entra.github_sign_in import GitHubSignIn

        return (
            GitHubSignIn(tenant_id, client_id, request_url, request_token, **options),
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


async def sign_in(credential: AsyncTokenCredential, target: Target, source: str) -> Caller:
    """Get a token for Microsoft Graph and return who it is for.

    Raises `ConfigurationError` where there is nothing to sign in with, `RemoteError` where the
    tenant refuses, and `NoAnswerYet` where it gives no answer, or none within seconds.
    """
    from azure.core.exceptions import AzureError
    from azure.identity import CredentialUnavailableError

    try:
        # As the SDK asks: azure-identity keeps tokens that can be revoked early apart.
        token = await token_request.token(credential, target, enable_cae=True)
    except CredentialUnavailableError as error:
        raise ConfigurationError(
            f"Nobody is signed in: {source} gives no token ({token_request.first_line(error)}).",
            "Set ARM_CLIENT_ID and ARM_CLIENT_SECRET, which the azuread plugin reads too (not "
            f"AZURE_CLIENT_ID and its like): `{leading('--ready-file F')}` "
            "sets all, then try again."
            if target.name is TargetName.EMBEDDED
            else "`az login --tenant TENANT`, or set ARM_CLIENT_ID and ARM_CLIENT_SECRET; in a "
            "pipeline ARM_USE_OIDC. Then try again.",
        ) from error
    except AzureError as error:
        raise _no_token(error, target, source) from error
    try:
        return _caller(token_claims.read(token.token))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RemoteError(
            f"{source[:1].upper()}{source[1:]} gives a token that is none of Entra's.",
            "Sign in again (`az login --tenant TENANT`), then try again.",
        ) from error


def _no_token(error: AzureError, target: Target, source: str) -> RemoteError:
    """Return the error for a sign-in without a token: one that passes, where anything says so."""
    from azure.core.exceptions import ClientAuthenticationError

    said, asked_for = token_request.first_line(error), token_request.passes_in(error)
    if not isinstance(error, ClientAuthenticationError):
        cause = f"{target.authority} gives no token: {said}."
        next_step = "Check the network and the proxy variables, then try again."
    elif asked_for is not None:  # of a tenant that has no time, which says nothing of a secret
        cause = f"The tenant gives no token to {source} now: {said}."
        next_step = "Try again in some minutes."
    else:
        cause = f"The tenant refuses {source}: {said}."
        known = failure.classify(said) if "AADSTS" in said else None
        next_step = "Check the client ID, the tenant and what it signs in with, then try again."
        if known and known.cause:
            next_step = known.next_step
    if asked_for is None:
        return RemoteError(cause, next_step)
    return NoAnswerYet(cause, next_step, asked_for)


def _caller(claims: Mapping[str, Any]) -> Caller:
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
