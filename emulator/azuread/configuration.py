"""The provider's configuration: its properties, the environment behind them, and what they mean.

Every property of pulumi-azuread's Provider is known; those for ways to sign in that an embedded
tenant does not offer (certificate, managed identity, Azure CLI) are accepted and not used, and
signing in says so. Names and environment variables: pulumi-azuread 6.10 Provider and the provider
schema of terraform-provider-azuread 3.x.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.azuread.errors import ConfigurationError

# Property -> environment variables, the first that is set wins.
ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "adoPipelineServiceConnectionId": (
        "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
        "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID",
    ),
    "clientCertificate": ("ARM_CLIENT_CERTIFICATE",),
    "clientCertificatePassword": ("ARM_CLIENT_CERTIFICATE_PASSWORD",),
    "clientCertificatePath": ("ARM_CLIENT_CERTIFICATE_PATH",),
    "clientId": ("ARM_CLIENT_ID",),
    "clientIdFilePath": ("ARM_CLIENT_ID_FILE_PATH",),
    "clientSecret": ("ARM_CLIENT_SECRET",),
    "clientSecretFilePath": ("ARM_CLIENT_SECRET_FILE_PATH",),
    "disableTerraformPartnerId": ("ARM_DISABLE_TERRAFORM_PARTNER_ID",),
    "environment": ("ARM_ENVIRONMENT",),
    "metadataHost": ("ARM_METADATA_HOSTNAME",),
    "msiEndpoint": ("ARM_MSI_ENDPOINT",),
    "oidcRequestToken": (
        "ARM_OIDC_REQUEST_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "SYSTEM_ACCESSTOKEN",
    ),
    "oidcRequestUrl": (
        "ARM_OIDC_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "SYSTEM_OIDCREQUESTURI",
    ),
    "oidcToken": ("ARM_OIDC_TOKEN",),
    "oidcTokenFilePath": ("ARM_OIDC_TOKEN_FILE_PATH",),
    "partnerId": ("ARM_PARTNER_ID",),
    "tenantId": ("ARM_TENANT_ID",),
    "useAksWorkloadIdentity": ("ARM_USE_AKS_WORKLOAD_IDENTITY",),
    "useCli": ("ARM_USE_CLI",),
    "useMsi": ("ARM_USE_MSI",),
    "useOidc": ("ARM_USE_OIDC",),
}
FLAGS = {
    "disableTerraformPartnerId",
    "useAksWorkloadIdentity",
    "useCli",
    "useMsi",
    "useOidc",
}
SECRETS = {"clientCertificatePassword", "clientId", "clientSecret"}
# What the engine and the language SDK add to a provider's inputs.
ENGINE_KEYS = {"version", "pluginDownloadURL", "__internal"}

_TRUE = {"1", "t", "true"}
_FALSE = {"", "0", "f", "false"}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What is needed to reach the tenant and to sign in; secrets do not show in repr."""

    metadata_host: str
    tenant_id: str
    client_id: str
    client_secret: str
    use_oidc: bool
    oidc_token: str
    oidc_request_url: str
    oidc_request_token: str
    service_connection_id: str

    def __repr__(self) -> str:
        return f"Configuration(metadata_host={self.metadata_host!r}, tenant_id={self.tenant_id!r})"


def read_configuration(
    given: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> Configuration:
    """Resolve properties and environment; raises ConfigurationError on what contradicts itself."""
    text = {name: _text(name, given, environment) for name in ENVIRONMENT.keys() - FLAGS}
    flag = {name: _flag(name, given, environment) for name in FLAGS}
    client_id = _from_file("Client ID", text["clientId"], text["clientIdFilePath"])
    tenant_id = text["tenantId"]
    oidc_token = _from_file("OIDC token", text["oidcToken"], text["oidcTokenFilePath"])
    if flag["useAksWorkloadIdentity"]:
        client_id = _same("Client ID", client_id, environment.get("AZURE_CLIENT_ID", ""))
        tenant_id = _same("Tenant ID", tenant_id, environment.get("AZURE_TENANT_ID", ""))
        token_file = environment.get("AZURE_FEDERATED_TOKEN_FILE", "")
        oidc_token = _from_file("OIDC token", oidc_token, token_file)
    return Configuration(
        metadata_host=text["metadataHost"],
        tenant_id=tenant_id,
        client_id=client_id,
        client_secret=_from_file(
            "Client Secret", text["clientSecret"], text["clientSecretFilePath"]
        ),
        use_oidc=flag["useOidc"] or flag["useAksWorkloadIdentity"],
        oidc_token=oidc_token,
        oidc_request_url=text["oidcRequestUrl"],
        oidc_request_token=text["oidcRequestToken"],
        service_connection_id=text["adoPipelineServiceConnectionId"],
    )


def _text(name: str, given: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    value = given.get(name)
    if isinstance(value, str) and value:
        return value.strip()
    for variable in ENVIRONMENT[name]:
        if environment.get(variable):
            return environment[variable].strip()
    return ""


def _flag(name: str, given: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    value = given.get(name)
    if isinstance(value, bool):
        return value
    text = _text(name, given, environment).lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ConfigurationError(f"azuread:{name} must be true or false, and is {text!r}.")


def _from_file(what: str, given: str, path: str) -> str:
    if not path:
        return given
    try:
        content = Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError as failure:
        raise ConfigurationError(
            f"reading {what} from file {path!r}: {failure.strerror}"
        ) from failure
    return _same(what, given, content, f"read from the file {path!r}")


def _same(what: str, given: str, found: str, source: str = "in the environment") -> str:
    if given and found and given != found:
        raise ConfigurationError(
            f"mismatch between supplied {what} and {what} {source} - please either remove one or "
            f"ensure they match"
        )
    return found or given


def decode_json_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Undo the engine's encoding of provider properties, which sends booleans as JSON text."""
    decoded = dict(given)
    for name in FLAGS & decoded.keys():
        try:
            decoded[name] = json.loads(decoded[name])
        except (TypeError, ValueError):
            continue  # not JSON text: `_flag` reads it as it is, or refuses it
    return decoded
