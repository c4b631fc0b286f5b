"""The emulator's command line, read into one `Config`."""

import argparse
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from emulator.first_party import GRAPH_ROLES
from emulator.replicas import Lag

DEFAULT_ROLES = ("Application.ReadWrite.OwnedBy", "DelegatedPermissionGrant.ReadWrite.All")
"""The least app roles of Microsoft Graph that set up an application, its secrets and its consent."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the emulator was asked to be."""

    ready_file: Path
    port: int = 0
    """Of Entra and Graph; 0 for a free one."""
    admin_port: int = 0
    hostnames: tuple[str, ...] = ("localhost",)
    """Names that it answers to, the first being the one that it calls itself by."""
    tenants: tuple[str, ...] = ("contoso",)
    """A label each: the initial domain is `<label>.onmicrosoft.com`."""
    deployer_roles: tuple[str, ...] = DEFAULT_ROLES
    with_exchange: bool = True
    seed: int = 0
    latency: timedelta = timedelta()
    lag: Lag = field(default_factory=Lag)
    token_lifetime: timedelta = timedelta(seconds=3599)


def parse(arguments: Sequence[str] | None = None) -> Config:
    """Read the command line; prints and exits 2 if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="An embedded Entra tenant with Microsoft Graph, on loopback over TLS.",
    )
    add = parser.add_argument
    add(
        "--ready-file",
        type=Path,
        required=True,
        help="JSON written once it serves, removed at the end",
    )
    add("--port", type=_port, default=0, help="of Entra and Graph (default: a free one)")
    add("--admin-port", type=_port, default=0, help="of the admin interface (default: a free one)")
    add(
        "--hostname",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="names it answers to (default: localhost)",
    )
    add(
        "--tenant",
        nargs="+",
        action="extend",
        type=_label,
        metavar="LABEL",
        help="tenants, by the label of their initial domain (default: contoso)",
    )
    add(
        "--deployer-role",
        nargs="+",
        action="extend",
        choices=sorted(GRAPH_ROLES),
        metavar="ROLE",
        help="app roles of Microsoft Graph for the deployer, instead of "
        + " and ".join(DEFAULT_ROLES),
    )
    add(
        "--without-exchange", action="store_true", help="tenants without Office 365 Exchange Online"
    )
    add(
        "--seed",
        type=int,
        help="of ids and of everything random (default: a new one, in the ready file)",
    )
    add("--latency-ms", type=_milliseconds, default=timedelta(), help="added to every request")
    add("--lag-seconds", type=_seconds, default=timedelta(), help="how long reads may miss a write")
    add("--stale-ratio", type=_ratio, default=1.0, help="share of the reads that do (default: 1)")
    add("--list-lag-seconds", type=_seconds, help="the same for lists (default: --lag-seconds)")
    add(
        "--deletion-lag-seconds",
        type=_seconds,
        help="the same for deletions (default: --lag-seconds)",
    )
    add(
        "--sign-in-lag-seconds",
        type=_seconds,
        default=timedelta(),
        help="how long the sign-in knows nothing of a change, such as a new secret",
    )
    add(
        "--token-lifetime-seconds",
        type=_seconds,
        default=timedelta(seconds=3599),
        help="of access tokens (default: 3599)",
    )
    options = parser.parse_args(arguments)
    lag = Lag(
        objects=options.lag_seconds,
        lists=_or(options.list_lag_seconds, options.lag_seconds),
        deletions=_or(options.deletion_lag_seconds, options.lag_seconds),
        ratio=options.stale_ratio,
        sign_in=options.sign_in_lag_seconds,
    )
    return Config(
        ready_file=options.ready_file.absolute(),
        port=options.port,
        admin_port=options.admin_port,
        hostnames=tuple(dict.fromkeys(options.hostname or ["localhost"])),
        tenants=tuple(dict.fromkeys(options.tenant or ["contoso"])),
        deployer_roles=tuple(options.deployer_role or DEFAULT_ROLES),
        with_exchange=not options.without_exchange,
        seed=secrets.randbelow(2**31) if options.seed is None else options.seed,
        latency=options.latency_ms,
        lag=lag,
        token_lifetime=options.token_lifetime_seconds,
    )


def _or(value: timedelta | None, default: timedelta) -> timedelta:
    return default if value is None else value


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _label(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError("a tenant's label has letters and digits only")
    return text.lower()


def _seconds(text: str) -> timedelta:
    return _not_negative(timedelta(seconds=float(text)))


def _milliseconds(text: str) -> timedelta:
    return _not_negative(timedelta(milliseconds=float(text)))


def _not_negative(duration: timedelta) -> timedelta:
    if duration < timedelta():
        raise argparse.ArgumentTypeError("a duration cannot be negative")
    return duration


def _ratio(text: str) -> float:
    ratio = float(text)
    if not 0 <= ratio <= 1:
        raise argparse.ArgumentTypeError("a ratio is a number from 0 to 1")
    return ratio
