"""Where a stack lives: the real cloud or the embedded tenant. The only file that knows.

The stack's configuration names the target and the tenant; whatever is in the environment must
agree, or nothing is read or written. Starting an embedded tenant is `embedded`'s, signing in
`credentials`'.
"""

import email.utils
import ipaddress
import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from proself_mail import clock, facts, json_text
from proself_mail.config.settings import TargetName
from proself_mail.entra import daemon_thread, proxies, retry_after
from proself_mail.errors import ConfigurationError, NoAnswerYet, Refused, RemoteError
from proself_mail.text.command_line import leading

LOST = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    HTTPException,
)
"""What a connection that broke raises: the next one may well hold."""
_NO_ANSWER = timedelta(seconds=10)
"""So long without a connection, or without a byte, is no answer."""
_LONGEST = timedelta(seconds=30)
"""How long an answer may take to its end, with another try; it is of a few kilobytes."""
_UNSET = (
    f"Run `{leading('--unset')}` in this shell, then try again; `init` and "
    "`sweep` go to the embedded tenant by `--target embedded`."
)
ENTER_EMBEDDED = (
    "Start one by `proself-mail emulator start --ready-file F` and run "
    f"`{leading('--ready-file F')}` in this shell, then try again."
)
"""The next step where a shell does not lead to an embedded tenant."""
_LOCALHOST_ASTRAY = (
    "See that this machine finds `localhost` by the line `127.0.0.1 localhost` of its host table "
    "(/etc/hosts), then try again."
)
"""The next step where that name leads nowhere, or to another machine."""
_ENDED = (
    "The embedded tenant that this shell leads to has ended, with all that was in it: start a new "
    "one (`proself-mail emulator start --ready-file F`) and make a stack in it, or leave it by "
    f"`{leading('--unset')}`."
)
_PUBLIC_CLOUD = ("", "public", "global", "azurepubliccloud")
_EMULATOR_AUTHORITY = "proself-mail embedded tenant"
"""How the common name of every CA begins that an embedded tenant makes for itself."""


@dataclass(frozen=True)
class Target:
    """The addresses of one cloud."""

    name: TargetName
    authority: str
    """Where tokens come from, without a trailing slash."""
    graph: str
    """Microsoft Graph without a version, without a trailing slash."""
    metadata_host: str | None = None
    """What the azuread plugin asks for its addresses; none for the real cloud."""

    @property
    def graph_host(self) -> str:
        """The host name alone, which is what msgraph-sdk sends tokens to."""
        return urlsplit(self.graph).hostname or ""

    def discovery(self, tenant_id: str) -> str:
        """Return an address of the tenant that answers without a sign-in."""
        return f"{self.authority}/{tenant_id}/v2.0/.well-known/openid-configuration"


CLOUD = Target(TargetName.CLOUD, f"https://{facts.AUTHORITY_HOST}", f"https://{facts.GRAPH_HOST}")


def check_environment(
    name: TargetName, tenant_id: str | None, environment: Mapping[str, str] = os.environ
) -> None:
    """Refuse an environment that leads elsewhere than the stack's configuration says.

    Reads variables, CA files and the host table only. Raises `Refused`.
    """
    for variable in ("ARM_TENANT_ID", "AZURE_TENANT_ID"):
        ambient = environment.get(variable, "").lower()
        if tenant_id is not None and ambient not in ("", tenant_id):
            raise Refused(
                f"{variable} is {ambient}, but this stack is pinned to the tenant {tenant_id}.",
                f"Sign in to {tenant_id}, or unset {variable}, then try again.",
            )
    if name is TargetName.CLOUD:
        _check_cloud(environment)
    else:
        _check_embedded(environment)


def _check_cloud(environment: Mapping[str, str]) -> None:
    for variable in ("ARM_METADATA_HOSTNAME", "ARM_METADATA_HOST", clock.OFFSET_VARIABLE):
        if environment.get(variable):
            raise Refused(
                f"{variable} is set, which leads to an embedded tenant, but the target "
                "is the cloud.",
                _UNSET,
            )
    for variable in ("ARM_ENVIRONMENT", "AZURE_ENVIRONMENT"):
        if environment.get(variable, "").lower() not in _PUBLIC_CLOUD:
            raise Refused(
                f"{variable} is {environment[variable]}; only the global cloud is supported.",
                f"Unset {variable}, then try again.",
            )
    authority = environment.get("AZURE_AUTHORITY_HOST", "")
    if authority and _host(authority) != facts.AUTHORITY_HOST:
        raise Refused(f"AZURE_AUTHORITY_HOST is {authority}, but the target is the cloud.", _UNSET)
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if (path := environment.get(variable)) and _trusts_an_embedded_tenant(path):
            raise Refused(
                f"{variable} trusts an embedded tenant, but the target is the cloud.",
                _UNSET,
            )


def _check_embedded(environment: Mapping[str, str]) -> None:
    metadata_host = environment.get("ARM_METADATA_HOSTNAME")
    if not metadata_host:
        raise Refused(
            "This stack's target is the embedded tenant, and none is set up in this shell "
            "(ARM_METADATA_HOSTNAME).",
            ENTER_EMBEDDED,
        )
    told = f"ARM_METADATA_HOSTNAME names {metadata_host}"
    _check_on_this_machine(_host(metadata_host), told, ENTER_EMBEDDED)
    authority = environment.get("AZURE_AUTHORITY_HOST", "")
    if authority and not _is_loopback(_host(authority)):
        raise Refused(
            f"This stack's target is the embedded tenant, but AZURE_AUTHORITY_HOST is {authority}.",
            ENTER_EMBEDDED,
        )


def reach(
    name: TargetName, tenant_id: str, environment: Mapping[str, str] = os.environ
) -> tuple[Target, datetime]:
    """Ask the tenant, without a sign-in, for the target's addresses and for its time.

    The environment must have passed `check_environment`. Raises `RemoteError` where nothing
    answers, `ConfigurationError` where there is no such tenant or the proxy to it cannot be used,
    and `Refused` where an embedded one's addresses lead off this machine.
    """
    if name is TargetName.CLOUD:
        _, date = _get(CLOUD.discovery(tenant_id), tenant_id)
        return CLOUD, date
    metadata_host = environment["ARM_METADATA_HOSTNAME"]
    endpoints, date = _get(
        f"https://{metadata_host}/metadata/endpoints?api-version=2022-09-01", tenant_id
    )
    try:
        authority = endpoints["authentication"]["loginEndpoint"].rstrip("/")
        graph = endpoints["microsoftGraphResourceId"].rstrip("/")
    except (KeyError, TypeError, AttributeError) as error:
        raise RemoteError(
            f"{metadata_host} answers, but not as a tenant.", ENTER_EMBEDDED
        ) from error
    for told in (authority, graph):  # where the client secret goes, and tokens
        if not told.startswith("https://") or not _is_loopback(_host(told)):
            raise Refused(
                "This stack's target is the embedded tenant, but what answers at "
                f"{metadata_host} leads to {told}, which is no HTTPS on this machine.",
                ENTER_EMBEDDED,
            )
    return Target(name, authority, graph, metadata_host), date


def smtp_server(name: TargetName, environment: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Return host and port of the target's SMTP submission.

    Raises `Refused` where an embedded tenant's is not set up, or is off this machine.
    """
    if name is TargetName.CLOUD:
        return facts.SMTP_HOST, facts.SMTP_PORT
    host = environment.get("PROSELF_MAIL_SMTP_HOST", "")
    port = environment.get("PROSELF_MAIL_SMTP_PORT", "")
    if not host or not port.isdigit():
        raise Refused(
            "This stack's target is the embedded tenant, and its SMTP server is not set up in "
            "this shell (PROSELF_MAIL_SMTP_HOST, PROSELF_MAIL_SMTP_PORT).",
            ENTER_EMBEDDED,
        )
    _check_on_this_machine(host, f"PROSELF_MAIL_SMTP_HOST names {host}", ENTER_EMBEDDED)
    return host, int(port)


def check_relay(name: TargetName, host: str) -> None:
    """Refuse a relay off this machine to which an embedded tenant's mail would go."""
    if name is TargetName.EMBEDDED:
        next_step = "Leave --smtp-host out: that tenant has an SMTP server of its own."
        _check_on_this_machine(host, f"--smtp-host names {host}", next_step)


def _get(url: str, tenant_id: str) -> tuple[Any, datetime]:
    """Fetch a JSON document that needs no sign-in, and the time at which it was served."""
    proxies.check(_host(url))
    try:
        # Each read has its own patience: byte by byte, an answer would have no end.
        return daemon_thread.started(_tried, url, tenant_id).result(_LONGEST.total_seconds())
    except TimeoutError as error:
        raise RemoteError(
            f"{urlsplit(url).netloc} gives no whole answer within "
            f"{_LONGEST.total_seconds():.0f} s.",
            "Check the network and the proxy variables, then try again.",
        ) from error


def _tried(url: str, tenant_id: str) -> tuple[Any, datetime]:
    try:
        return _got(url, tenant_id)
    except NoAnswerYet as error:
        if error.retry_after:
            raise
        return _got(url, tenant_id)


def _got(url: str, tenant_id: str) -> tuple[Any, datetime]:
    host = urlsplit(url).netloc
    try:
        with urllib.request.urlopen(url, timeout=_NO_ANSWER.total_seconds()) as answer:  # noqa: S310
            document = json_text.read(answer.read())
            date = email.utils.parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except urllib.error.HTTPError as error:
        body = error.read().decode(errors="replace")
        if "AADSTS90002" in body:  # Microsoft: tenant not found
            raise ConfigurationError(
                f"There is no tenant {tenant_id}.",
                "Give `tenantId` (`init` takes it from the sign-in, or by --tenant) the Directory "
                "(tenant) ID of Entra's overview page, then try again.",
            ) from error
        cause = f"{host} answers {error.code} where it should name the tenant's addresses."
        next_step = "Try again; if it stays so, check the proxy variables."
        if error.code not in retry_after.PASSING:
            raise RemoteError(cause, next_step) from error
        asked_for = retry_after.read(error.headers.get("Retry-After"))
        raise NoAnswerYet(cause, next_step, asked_for) from error
    except (OSError, HTTPException) as error:  # URLError, timeouts, TLS failures
        reason = getattr(error, "reason", None) or error
        # One that cannot even be opened (URLError) is rather a wrong network than passing trouble.
        kind = NoAnswerYet if isinstance(reason, LOST) or error is reason else RemoteError
        # A proxy is asked for what NO_PROXY does not name, this machine included.
        by_proxy = proxies.serving(_host(host)) is not None
        refused = isinstance(reason, ConnectionRefusedError)
        ended = refused and not by_proxy and _is_loopback(_host(host))
        raise kind(
            f"{host} cannot be reached: {reason}.",
            _ENDED
            if ended
            else "Check the network, the proxy variables and the trusted certificates "
            "(SSL_CERT_FILE), then try again.",
        ) from error
    except (ValueError, TypeError) as error:
        raise RemoteError(
            f"{host} answers, but not as a tenant.",
            "Check that no proxy stands between, then try again.",
        ) from error
    return document, date


def _host(address: str) -> str:
    """Return the host of an address, with or without a scheme; blank where it has none."""
    try:
        return (urlsplit(address if "//" in address else f"//{address}").hostname or "").lower()
    except ValueError:
        return ""


def _check_on_this_machine(host: str, told: str, next_step: str) -> None:
    """Refuse another host; `told` says who names it."""
    if not _is_loopback(host):
        raise Refused(
            f"This stack's target is the embedded tenant, but {told}, which is not on this "
            "machine.",
            _LOCALHOST_ASTRAY if host == "localhost" else next_step,
        )


def _is_loopback(host: str) -> bool:
    if not host:  # which Windows takes for this machine
        return False
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):  # the latter of what cannot be a host's name
        return False
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def _trusts_an_embedded_tenant(path: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError):
        return False  # whoever uses the file will say what is wrong with it
    return any(
        f"'commonName', '{_EMULATOR_AUTHORITY}" in str(certificate.get("subject"))
        for certificate in context.get_ca_certs()
    )
