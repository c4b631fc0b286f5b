"""How Entra is asked for a token for Microsoft Graph, and what is made of it where none comes."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from proself_mail.entra import retry_after
from proself_mail.entra.target import Target
from proself_mail.stack import failure

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import AzureError

# What azure-identity warns of comes as an error too, which is told once and with a next step.
logging.getLogger("azure").addHandler(logging.NullHandler())

_NO_ANSWER = timedelta(seconds=10)
"""So long without a connection, or without a byte, is no answer."""
_AGAIN_AFTER = (timedelta(seconds=0.3), timedelta(seconds=1))
"""How long after no token is asked once more, before anybody is told."""
_NONE_OF_ENTRAS = (
    "No response content from Microsoft Entra ID",
    "Unexpected response from Microsoft Entra ID",
)
"""How azure-identity's error begins where the answer is neither a token nor a refusal of OAuth's:
it calls that a refusal too."""
_SOON = timedelta(seconds=2)
"""A Retry-After of no more is slept in the same way."""


def options(target: Target) -> dict[str, Any]:
    """Return what every credential of azure-identity is given, whatever its kind."""
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


async def token(
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
            return await _asked(credential, target, enable_cae)
        except (ServiceRequestTimeoutError, ServiceResponseTimeoutError):
            raise  # which has taken its time
        except AzureError as error:
            asked_for = passes_in(error)
            if asked_for is None or asked_for > _SOON:
                raise
        await asyncio.sleep(max(wait, asked_for).total_seconds())
    return await _asked(credential, target, enable_cae)


async def _asked(credential: AsyncTokenCredential, target: Target, enable_cae: bool) -> AccessToken:
    """Ask once. Raises `AzureError`, also for an answer that azure-identity trips over."""
    from azure.core.exceptions import ClientAuthenticationError, DecodeError

    response = None
    try:
        return await credential.get_token(f"{target.graph}/.default", enable_cae=enable_cae)
    except ClientAuthenticationError as error:
        if not str(error).startswith(_NONE_OF_ENTRAS):
            raise
        response = error.response
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        pass
    # Without the error, which may quote the answer.
    raise DecodeError("what answers there is not Entra's token endpoint", response=response)


def passes_in(error: AzureError) -> timedelta | None:
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


def first_line(error: Exception) -> str:
    """Return what Entra said, which stands in the first line; the rest repeats the request.

    Without the ids of this one answer, which would make each look like another.
    """
    lines = str(getattr(error, "message", None) or error).strip().splitlines()
    if not lines:
        return type(error).__name__
    words, cut, _ = lines[0].partition(" Trace ID:")
    words, quoted = re.subn(r" error '(?=\()", " error: ", words.rstrip("."))
    # azure-identity quotes Entra's words so; the closing mark stands after what was cut off, if it
    # is in this line at all. Any other is of Entra's own words.
    return words.removesuffix("'").rstrip(".") if quoted and not cut else words
