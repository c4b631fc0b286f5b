"""Signing the mailbox's user in through a browser, as Proself does it.

Authorization code with PKCE and state, by msal, as the application itself with its newest secret.
No refresh token is asked for, and the token is kept in memory alone.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msal
import requests

from proself_mail.browser import loopback
from proself_mail.config.settings import MAIL_PROOF_REDIRECT_URI, Settings
from proself_mail.entra import daemon_thread, token_claims
from proself_mail.entra.target import Target
from proself_mail.errors import RemoteError
from proself_mail.secret import Secret
from proself_mail.stack.outputs import Outputs
from proself_mail.text.quotation import quoted

EXCHANGE = "https://outlook.office.com"
"""Whose permissions are asked for (Microsoft, authenticate an SMTP application by using OAuth)."""

OpenBrowser = Callable[[str], object]


class SignInRefused(Exception):
    """Entra refused the sign-in; the text is what it said."""


@dataclass(frozen=True)
class MailToken:
    """A token for Exchange Online, and what is known of it."""

    token: Secret
    signed_in: str
    """The user's sign-in name."""
    audience: str
    scopes: frozenset[str]


async def sign_in(
    target: Target,
    settings: Settings,
    outputs: Outputs,
    open_browser: OpenBrowser,
    tell: Callable[[str], None],
    patience: timedelta,
) -> MailToken:
    """Have the mailbox's user sign in; `tell` hears the address, in case no browser opens.

    Raises `SignInRefused` with what Entra said, `ConfigurationError` where the port is taken,
    `RemoteError` where Entra cannot be reached or nobody signs in in time.
    """
    # It logs what it sends at level debug.
    logging.getLogger("msal").setLevel(logging.WARNING)
    try:
        application = await daemon_thread.run(_application, target, settings, outputs)
    except (requests.RequestException, ValueError) as error:
        raise _unreachable(target, error) from error
    flow = application.initiate_auth_code_flow(
        scopes(settings),
        redirect_uri=MAIL_PROOF_REDIRECT_URI,
        login_hint=settings.mailbox,
        response_mode="form_post",  # a code in an address would stay in the browser's history
    )
    with loopback.listening(MAIL_PROOF_REDIRECT_URI, flow["state"]) as receiver:
        tell(flow["auth_uri"])
        # Some browsers' launchers return only when the browser is closed.
        threading.Thread(target=open_browser, args=(flow["auth_uri"],), daemon=True).start()
        answer = await receiver.answer(patience)
    try:
        result = await daemon_thread.run(
            application.acquire_token_by_auth_code_flow, flow, dict(answer)
        )
    except requests.RequestException as error:
        raise _unreachable(target, error) from error
    except (ValueError, RecursionError) as error:  # msal's words for what is no answer of this flow
        raise SignInRefused(quoted(str(error))) from error
    if "access_token" not in result:
        said = (result.get("error"), result.get("error_description"))
        raise SignInRefused(": ".join(map(str, filter(None, said))) or "no token")
    return _token(result, scopes(settings))


def scopes(settings: Settings) -> list[str]:
    """Return what is asked for: the stack's permissions of Exchange Online."""
    return [f"{EXCHANGE}/{permission}" for permission in settings.permissions]


def _application(target: Target, settings: Settings, outputs: Outputs) -> Any:
    return msal.ConfidentialClientApplication(
        outputs.client_id,
        client_credential=outputs.newest.value.reveal(),
        authority=f"{target.authority}/{settings.mailbox_tenant}",
        # Microsoft's own list of authorities cannot know an embedded tenant.
        instance_discovery=target.metadata_host is None,
        # What is not handed out need not be thrown away.
        exclude_scopes=["offline_access"],
        timeout=30,
    )


def _unreachable(target: Target, error: Exception) -> RemoteError:
    return RemoteError(
        f"{target.authority} cannot be asked: {type(error).__name__}: {quoted(str(error))[:200]}.",
        "Check the network, the proxy variables and the trusted certificates "
        "(REQUESTS_CA_BUNDLE), then try again.",
    )


def _token(result: Mapping[str, Any], asked: Sequence[str]) -> MailToken:
    """Describe a token; where it cannot be read, by what was asked for."""
    token = str(result["access_token"])
    claims: Mapping[str, Any] = {}
    with contextlib.suppress(ValueError):
        claims = token_claims.read(token)
    identity = result.get("id_token_claims") or {}
    name = identity.get("preferred_username") or claims.get("upn") or ""
    granted = claims.get("scp") or " ".join(s.rpartition("/")[2] for s in asked)
    return MailToken(
        Secret(token),
        str(name),
        str(claims.get("aud") or EXCHANGE),
        frozenset(str(granted).split()),
    )
