"""The Azure CLI's sign-in, which asks `az` once for each token and not once for each request.

azure-identity's credential keeps none, and its documentation leaves that to who asks; azure-core's
policy does it for Azure's clients, and nothing in the SDK of Microsoft Graph.
"""

from __future__ import annotations

import asyncio
import math
import subprocess
import time
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any

import httpx
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity import AzureCliCredential, CredentialUnavailableError

from proself_mail.errors import NoAnswerYet
from proself_mail.secret import Secret

_LONGEST = timedelta(minutes=1)
"""How long `az` may take: seconds, and many of them on a busy machine."""
_RENEWED_BEFORE = timedelta(minutes=5)
"""As long before its end as azure-core's policy and the Azure CLI itself ask for another token."""

_Asked = tuple[tuple[str, ...], str | None]
"""The scopes and the tenant that a token is for."""


class AzureCliSignIn(AsyncTokenCredential):
    """Gives the tokens of who is signed in to the Azure CLI; each is kept in memory alone."""

    def __init__(self, tenant_id: str) -> None:
        """Ask for tokens of this tenant; where it is blank, of the one that is signed in to."""
        longest = round(_LONGEST.total_seconds())
        self._cli = AzureCliCredential(tenant_id=tenant_id, process_timeout=longest)
        self._kept: dict[_Asked, tuple[Secret, int]] = {}
        self._asking = asyncio.Lock()
        self._gave_up = -math.inf
        """When `az` last took too long, by `time.monotonic`."""

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,  # noqa: ARG002 the Azure CLI decides it by itself
        **_more: Any,
    ) -> AccessToken:
        """Return a token that lasts for some minutes yet.

        Raises `CredentialUnavailableError` where nobody is signed in or a claims challenge wants
        another sign-in, `ClientAuthenticationError` where Entra refuses, and `NoAnswerYet` where
        `az` takes too long.
        """
        asked, since = (scopes, tenant_id), time.monotonic()
        async with self._asking:  # who waits here takes what the first one got, or none as it did
            if since < self._gave_up:
                raise _late()
            if claims:  # by Graph, which has just refused what is kept
                self._kept.pop(asked, None)
            if (kept := self._kept.get(asked)) is None or _is_ending(kept[1]):
                token = await self._from_cli(*scopes, claims=claims, tenant_id=tenant_id)
                kept = self._kept[asked] = Secret(token.token), token.expires_on
        return AccessToken(kept[0].reveal(), kept[1])

    async def note(self, answer: httpx.Response) -> None:
        """Keep a token no longer that was answered by 401: it may have been revoked."""
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            token = Secret(answer.request.headers.get("Authorization", "").removeprefix("Bearer "))
            self._kept = {asked: kept for asked, kept in self._kept.items() if kept[0] != token}

    async def _from_cli(
        self, *scopes: str, claims: str | None, tenant_id: str | None
    ) -> AccessToken:
        # In a thread: asyncio's way of starting `az` ends in a traceback where it is stopped late.
        ask = partial(self._cli.get_token, *scopes, claims=claims, tenant_id=tenant_id)
        try:
            return await asyncio.to_thread(ask)
        except CredentialUnavailableError as error:
            if isinstance(error.__cause__, subprocess.TimeoutExpired):
                self._gave_up = time.monotonic()
                raise _late() from error
            raise

    async def close(self) -> None:
        """There is nothing to close."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Forget what was kept."""
        self._kept.clear()


def _late() -> NoAnswerYet:
    return NoAnswerYet(
        f"The Azure CLI gave no token for {_LONGEST.total_seconds():.0f} s.",
        "Look whether `az account get-access-token` answers in this shell, then try again.",
    )


def _is_ending(expires_on: int) -> bool:
    return expires_on - time.time() < _RENEWED_BEFORE.total_seconds()
