"""Signing in as a job of GitHub Actions does: by an identity token of the runner's own service.

azure-identity asks for it in the loop, which Ctrl-C and deadlines wait for. Source: GitHub's
documentation of OpenID Connect, "Requesting the JWT using environment variables"; actions/toolkit
`packages/core/src/oidc-utils.ts` for the audience, which joins the query that the address has.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from azure.core.credentials import AccessTokenInfo
from azure.identity.aio import ClientAssertionCredential

from proself_mail import facts, json_text
from proself_mail.entra import daemon_thread, retry_after
from proself_mail.entra.target import LOST
from proself_mail.errors import NoAnswerYet, RemoteError
from proself_mail.secret import Secret

_NO_ANSWER = timedelta(seconds=10)
"""So long without a connection, or without a byte, is no answer."""
_LONGEST = timedelta(seconds=30)
"""How long a whole answer may take: byte by byte, one would have no end."""
_NONE_COMES = "GitHub gives no identity token"
_REFUSED = "Check the job's `permissions: id-token: write`, then run it again."
_UNREACHED = (
    "Check the network, the proxy variables and the trusted certificates (SSL_CERT_FILE), then run "
    "the job again."
)
_MISLED = (
    "Check ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN, which the runner sets, "
    "and the proxy variables; then run the job again."
)


class GitHubSignIn(ClientAssertionCredential):
    """Gives Entra's tokens for the identity token of a job; each is kept as long as it lasts."""

    def __init__(
        self, tenant_id: str, client_id: str, url: str, token: str, **options: Any
    ) -> None:
        """Ask the runner's service at `url`, by the runner's `token`; nothing is asked yet."""
        super().__init__(tenant_id, client_id, lambda: self._assertion.reveal(), **options)
        self._url, self._token = url, Secret(token)
        self._assertion = Secret("")

    async def _request_token(self, *scopes: str, **more: Any) -> AccessTokenInfo:
        """Ask GitHub, then Entra. Raises `RemoteError` or `NoAnswerYet` for no identity token."""
        try:
            async with asyncio.timeout(_LONGEST.total_seconds()):
                given = await daemon_thread.run(_identity_token, self._url, self._token)
        except TimeoutError:
            raise NoAnswerYet(
                f"{_NONE_COMES}: no whole answer within {_LONGEST.total_seconds():.0f} s.",
                _UNREACHED,
            ) from None
        self._assertion = given
        return await super()._request_token(*scopes, **more)


def _identity_token(url: str, token: Secret) -> Secret:
    try:
        answer = httpx.get(
            # Not `params`, which takes the place of the query (encode/httpx#3433).
            httpx.URL(url).copy_set_param("audience", facts.FEDERATED_AUDIENCE),
            headers={"Authorization": f"Bearer {token.reveal()}"},
            timeout=_NO_ANSWER.total_seconds(),
        )
        answer.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise _refused(error.response) from error
    except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise _unreached(error) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # Without the error, which may quote the token, or a proxy's password.
        raise RemoteError(f"{_NONE_COMES}: {type(error).__name__}.", _MISLED) from None
    try:
        given = json_text.read(answer.content)["value"]
    except (ValueError, LookupError, TypeError):
        given = None
    if not isinstance(given, str):
        raise RemoteError(f"{_NONE_COMES}: what answers there is not its token service.", _MISLED)
    return Secret(given)


def _refused(answer: httpx.Response) -> RemoteError:
    cause = f"{_NONE_COMES}: its service answers {answer.status_code}."
    if answer.status_code not in retry_after.PASSING:
        return RemoteError(cause, _REFUSED)
    asked_for = retry_after.read(answer.headers.get("Retry-After"))
    return NoAnswerYet(cause, "Run the job again in some minutes.", asked_for)


def _unreached(error: httpx.TransportError) -> RemoteError:
    # One that cannot even be opened is rather a wrong network than passing trouble.
    within: BaseException | None = error
    while within and not isinstance(within, OSError):  # the system's, which httpx has wrapped
        within = within.__cause__ or within.__context__
    is_shut = isinstance(error, httpx.ConnectError) and not isinstance(within, LOST)
    kind = RemoteError if is_shut else NoAnswerYet
    said = str(error).rstrip(".") or type(error).__name__
    return kind(f"{_NONE_COMES}: its service cannot be reached: {said}.", _UNREACHED)
