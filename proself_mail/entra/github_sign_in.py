"""Signing in as a job of GitHub Actions does: by an identity token of the runner's own service.

azure-identity asks for it in the loop, which Ctrl-C and deadlines wait for. Source: GitHub's
documentation of OpenID Connect, "Requesting the JWT using environment variables".
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
from proself_mail.errors import NoAnswerYet, RemoteError
from proself_mail.secret import Secret

_NO_ANSWER = timedelta(seconds=10)
"""So long without a connection, or without a byte, is no answer."""
_LONGEST = timedelta(seconds=30)
"""How long a whole answer may take: byte by byte, one would have no end."""
_AGAIN = "Check the job's `permissions: id-token: write`, then run it again."


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
                "GitHub gives no identity token: no whole answer within "
                f"{_LONGEST.total_seconds():.0f} s.",
                _AGAIN,
            ) from None
        self._assertion = given
        return await super()._request_token(*scopes, **more)


def _identity_token(url: str, token: Secret) -> Secret:
    try:
        answer = httpx.get(
            url,
            params={"audience": facts.FEDERATED_AUDIENCE},
            headers={"Authorization": f"Bearer {token.reveal()}"},
            timeout=_NO_ANSWER.total_seconds(),
        )
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        passes = isinstance(error, httpx.TransportError) or (
            isinstance(error, httpx.HTTPStatusError)
            and error.response.status_code in retry_after.PASSING
        )
        raise (NoAnswerYet if passes else RemoteError)(
            f"GitHub gives no identity token: {type(error).__name__}.", _AGAIN
        ) from error
    try:
        given = json_text.read(answer.content)["value"]
    except (ValueError, LookupError, TypeError):
        given = None
    if not isinstance(given, str):
        raise RemoteError(
            "GitHub gives no identity token: what answers there is not its token service.",
            "Check ACTIONS_ID_TOKEN_REQUEST_URL, which the runner sets, and the proxy variables; "
            "then run the job again.",
        )
    return Secret(given)
