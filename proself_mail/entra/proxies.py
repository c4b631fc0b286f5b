"""The proxy that this shell has a host asked by, looked at before anybody asks.

Each client reads the variables by itself, and each takes another wrong value: urllib for a host's
name, httpx for a port, aiohttp (azure-identity's) for an address of which it tells every character.
"""

import os
import urllib.request
from urllib.parse import urlsplit

from proself_mail.errors import ConfigurationError

_VARIABLES = ("https_proxy", "HTTPS_PROXY")
"""In the order of Python's clients."""
IN_A_PASSWORD = "in a password `/`, `#`, `?` and `@` are written `%2F`, `%23`, `%3F` and `%40`"  # noqa: S105


def serving(host: str) -> str | None:
    """Return the address of the proxy that a host is asked by over HTTPS; none without one."""
    address = urllib.request.getproxies().get("https")
    return None if address is None or urllib.request.proxy_bypass(host) else address


def check(host: str) -> None:
    """Raise `ConfigurationError` where that is none that every client takes.

    Its value is not told: there may be a password in it.
    """
    address = serving(host)
    if address is None or _is_usable(address):
        return
    variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
    what = variable or "The proxy of this system"
    if "://" not in address and _is_usable(f"http://{address}"):
        raise ConfigurationError(
            f"{what} begins with no `http://`, and azure-identity uses no proxy then.",
            "Write `http://` before it, then try again.",
        )
    raise ConfigurationError(
        f"{what} is no address of a proxy such as http://proxy.example:8080 or "
        "http://USER:PASSWORD@proxy.example:8080.",
        f"Correct it ({IN_A_PASSWORD}) or unset it, then try again.",
    )


def _is_usable(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port  # the latter of no number, or of too high a one
        host.encode("idna")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not any(map(str.isspace, host))
