"""The world as the model of Proself sees it: Microsoft's addresses lead to this process.

Proself has login.microsoftonline.com built in and is told smtp.office365.com. Here both are
the embedded tenant, over real connections on loopback, with its certificates checked.
"""

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from emulator.proself.proself_mailer import NotSent

_SMTP = ("smtp.office365.com", 587)
_LOOPBACK = "127.0.0.1"
_PATIENCE_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class World:
    """Where a Proself server finds what it talks to."""

    authority: str
    """Entra's sign-in, as a browser is sent there."""
    tenant_port: int
    """The port of the authority."""
    smtp_port: int
    """Of the embedded Exchange."""
    trust: ssl.SSLContext
    now: Callable[[], datetime]

    def mail_server(self, host: str, port: int) -> tuple[str, int]:
        """Find what a name and a port lead to. NotSent for what is not on this machine."""
        if (host.lower(), port) == _SMTP:
            return _LOOPBACK, self.smtp_port
        if host.lower() == _SMTP[0] or not _is_loopback(host):
            raise NotSent(
                f"SMTPサーバー {host} ポート {port} に接続できません。"
                "(この模型から届くのは smtp.office365.com の 587 番とこのコンピューターだけです)"
            )
        return host, port

    async def post(self, path: str, form: dict[str, str]) -> httpx.Response:
        """Post a form to Entra's sign-in. Raises httpx's errors."""
        async with httpx.AsyncClient(
            verify=self.trust, trust_env=False, timeout=_PATIENCE_SECONDS
        ) as client:
            # The name need not be known to this machine's resolver.
            return await client.post(
                f"https://{_LOOPBACK}:{self.tenant_port}{path}",
                data=form,
                headers={"host": urlsplit(self.authority).netloc},
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
