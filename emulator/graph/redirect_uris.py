"""Which redirect URIs an application may carry.

Source: Microsoft's page "Redirect URI (reply URL) best practices and limitations". Schemes that are
not HTTP's are those that Terraform's azuread provider lets through.
"""

import re
from urllib.parse import urlsplit

from emulator.json_text import Json
from emulator.odata.problems import GraphError, invalid_value

_LONGEST = 256
_MOST = 256
_MOST_WITH_PERSONAL_ACCOUNTS = 100
_NEVER = re.compile(r"[\s\x00-\x1f#!$'(),;]")
"""A redirection endpoint has no fragment by RFC 6749, 3.1.2; the page names the others."""
_LOOPBACK = ("localhost", "127.0.0.1")
_OTHER_SCHEMES = {
    "web": frozenset({"brk-multihub", "ms-appx-web", "urn"}),
    "spa": frozenset({"brk-multihub", "ms-appx-web"}),
    "publicClient": None,
}
"""By platform; None for any."""


def check_redirect_uris(body: Json) -> None:
    """Raise GraphError 400 if the application `body` carries one that it may not."""
    personal = "Personal" in body["signInAudience"]
    left = _MOST_WITH_PERSONAL_ACCOUNTS if personal else _MOST
    for platform, schemes in _OTHER_SCHEMES.items():
        uris = body[platform]["redirectUris"]
        left -= len(uris)
        if left < 0 or not all(_may_be(uri, schemes, personal=personal) for uri in uris):
            raise invalid_value(platform, "Application")


def _may_be(uri: str, schemes: frozenset[str] | None, *, personal: bool) -> bool:
    if len(uri) > _LONGEST or _NEVER.search(uri) or (personal and re.search(r"[?*]", uri)):
        return False
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https"):
        return bool(parts.scheme) and (schemes is None or parts.scheme in schemes)
    if "xn--" in host:
        raise GraphError(400, "PunycodeNotAllowedInUrlMessage", "Reply url contains punycode.")
    if not host.isascii() or host in ("", "::1"):
        return False
    return parts.scheme == "https" or host in _LOOPBACK
