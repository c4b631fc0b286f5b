"""Signing in to the tenant: which credential the configuration gives, and tokens from it.

Order and wording as in go-azure-sdk's authorizers: client secret, then (with useOidc) a given ID
token, Azure DevOps' and GitHub's ID token services. A token is asked for at once, so that wrong
credentials fail the configuration, and again when it runs out.
"""

import base64
import json
import time
from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from emulator.azuread.configuration import Configuration
from emulator.azuread.errors import ConfigurationError, PluginError
from emulator.azuread.retries import Retries
from emulator.azuread.transport import LoopbackTransport

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AUDIENCE = "api://AzureADTokenExchange"
DEVOPS_API_VERSION = "7.1"
RENEW_BEFORE_SECONDS = 60
NO_AUTHORIZER = "no Authorizer could be configured, please check your configuration"

Credential = Callable[[], dict[str, str]]


def choose_credential(configuration: Configuration) -> Credential:
    """Give what yields the form fields that prove the client; raises ConfigurationError."""
    if not configuration.tenant_id or not configuration.client_id:
        raise ConfigurationError(
            f"{NO_AUTHORIZER}: there is no tenant or client to sign in as. Set azuread:tenantId "
            "and azuread:clientId, or ARM_TENANT_ID and ARM_CLIENT_ID."
        )
    if configuration.client_secret:
        return lambda: {"client_secret": configuration.client_secret}
    if configuration.use_oidc:
        if configuration.oidc_token:
            return lambda: _assertion(configuration.oidc_token)
        if configuration.oidc_request_url and configuration.oidc_request_token:
            if configuration.service_connection_id:
                return lambda: _assertion(_devops_token(configuration))
            return lambda: _assertion(_github_token(configuration))
    raise ConfigurationError(
        f"{NO_AUTHORIZER}: there is no credential that an embedded tenant accepts. Set "
        "ARM_CLIENT_SECRET, or ARM_USE_OIDC=true with ARM_OIDC_TOKEN, ARM_OIDC_TOKEN_FILE_PATH or "
        "the pipeline's own token service. Certificates, managed identities and the Azure CLI need "
        "a tenant in the cloud."
    )


class TokenSource:
    """Access tokens for Graph, kept until they are about to run out; safe for many threads."""

    def __init__(
        self,
        transport: LoopbackTransport,
        token_url: str,
        scope: str,
        client_id: str,
        credential: Credential,
        retries: Retries,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._token_url = token_url
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "scope": scope}
        self._credential = credential
        self._retries = retries
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._good_until = 0.0

    def token(self) -> str:
        """Give a token that is good for at least a minute; raises PluginError when refused."""
        with self._lock:
            if not self._token or self._clock() >= self._good_until:
                self._renew()
            return self._token

    def claims(self) -> dict[str, Any]:
        """Read the token's claims; Graph checks its signature, not its holder."""
        try:
            payload = self.token().split(".")[1]
            padded = payload + "=" * (-len(payload) % 4)
            claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
        except (IndexError, ValueError) as failure:
            raise PluginError("unable to parse claims in access token") from failure
        return claims

    def _renew(self) -> None:
        form = urlencode({**self._form, **self._credential()}).encode()
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self._retries.answer(
            lambda: self._transport.send("POST", self._token_url, headers=headers, body=form),
            repeatable=True,
        )
        if not 200 <= answer.status < 300:
            raise PluginError(
                f"clientCredentialsToken: received HTTP status {answer.status} with response: "
                f"{answer.body.decode(errors='replace')}"
            )
        try:
            reply = json.loads(answer.body)
            token, lasts_seconds = str(reply["access_token"]), float(reply["expires_in"])
        except (ValueError, TypeError, KeyError) as failure:
            raise PluginError("clientCredentialsToken: cannot unmarshal response") from failure
        self._token = token
        self._good_until = self._clock() + lasts_seconds - RENEW_BEFORE_SECONDS


def _assertion(token: str) -> dict[str, str]:
    return {"client_assertion": token, "client_assertion_type": ASSERTION_TYPE}


def _github_token(configuration: Configuration) -> str:
    url = _with_query(configuration.oidc_request_url, audience=AUDIENCE)
    return _id_token("GET", url, configuration.oidc_request_token, "value")


def _devops_token(configuration: Configuration) -> str:
    url = _with_query(
        configuration.oidc_request_url,
        **{
            "api-version": DEVOPS_API_VERSION,
            "serviceConnectionId": configuration.service_connection_id,
        },
    )
    return _id_token("POST", url, configuration.oidc_request_token, "oidcToken")


def _with_query(url: str, **defaults: str) -> str:
    parts = urlsplit(url)
    query = {**defaults, **dict(parse_qsl(parts.query))}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _id_token(method: str, url: str, bearer: str, field: str) -> str:
    # The pipeline's own service, not the tenant: the one request that may leave the machine, and
    # urllib's import is paid for only where it is used.
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    if urlsplit(url).scheme not in ("https", "http"):
        raise ConfigurationError(f"azuread:oidcRequestUrl must be a URL, and is {url!r}.")
    headers = {"Accept": "application/json", "Authorization": f"Bearer {bearer}"}
    request = Request(  # noqa: S310 checked above
        url, method=method, headers=headers, data=b"" if method == "POST" else None
    )
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310 checked above
            token = json.loads(answer.read()).get(field)
    except HTTPError as failure:
        with failure:
            raise PluginError(
                f"the ID token service answered with HTTP status {failure.code}"
            ) from None
    except (URLError, OSError, ValueError) as failure:
        raise PluginError(f"the ID token service cannot be used: {failure}") from None
    if not isinstance(token, str) or not token:
        raise PluginError(f"the ID token service gave no {field}")
    return token
