"""The emulator's command line, read into one `Config`."""

import argparse
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from emulator import json_text
from emulator.admin_input import AdminError, Fields
from emulator.directory.first_party import GRAPH_ROLES
from emulator.directory.replicas import Lag
from emulator.directory.tenant import DEFAULT_QUOTA
from emulator.faults import Plan, Rule, read_rules
from emulator.throttle import SIZES

DEFAULT_ROLES = ("Application.ReadWrite.OwnedBy", "DelegatedPermissionGrant.ReadWrite.All")
"""The least app roles of Microsoft Graph that set up an application, its secret and consent."""

PROSELF_HOST = "proself.localhost"
"""Browsers know without a resolver that names below `localhost` are this machine."""

_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
_NONE = timedelta()
_TOKEN_LIFETIME = timedelta(seconds=3599)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the emulator was asked to be."""

    ready_file: Path
    port: int = 0
    """Of Entra and Graph; 0 for a free one."""
    admin_port: int = 0
    smtp_port: int = 0
    proself_port: int = 0
    hostnames: tuple[str, ...] = ("localhost",)
    """Names that it answers to, the first being the one that it calls itself by."""
    proself_hostnames: tuple[str, ...] = (PROSELF_HOST,)
    """A Proself server each."""
    tenants: tuple[str, ...] = ("contoso",)
    """A label each: the initial domain is `<label>.onmicrosoft.com`."""
    deployer_roles: tuple[str, ...] = DEFAULT_ROLES
    with_exchange: bool = True
    quota: int = DEFAULT_QUOTA
    seed: int = 0
    latency: timedelta = _NONE
    lag: Lag = field(default_factory=Lag)
    throttle: str | None = None
    """Size of the tenants by which Graph throttles; None for not at all."""
    faults: Plan = field(default_factory=lambda: Plan(0))
    token_lifetime: timedelta = _TOKEN_LIFETIME

    @property
    def hosts(self) -> tuple[str, ...]:
        """The same as addresses have them: one of IPv6 in brackets (RFC 3986, 3.2.2)."""
        return tuple(f"[{name}]" if ":" in name else name for name in self.hostnames)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong and what to do next, in one line without its usage."""

    def error(self, message: str) -> NoReturn:
        # Which command that is, whoever started it knows.
        step = "the same command with `--help` lists what it takes."
        self.exit(2, f"emulator: {message}. Next: {step}\n")


def parse(arguments: Sequence[str] | None = None) -> Config:
    """Read the command line; prints and exits 2 if it is wrong."""
    options = _parser().parse_args(arguments)
    lag = Lag(
        objects=options.lag_seconds,
        lists=_or(options.list_lag_seconds, options.lag_seconds),
        deletions=_or(options.deletion_lag_seconds, options.lag_seconds),
        ratio=options.stale_ratio,
        sign_in=options.sign_in_lag_seconds,
        sign_in_ratio=options.sign_in_stale_ratio,
    )
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    fault_seed, rules = options.faults
    return Config(
        ready_file=options.ready_file.absolute(),
        port=options.port,
        admin_port=options.admin_port,
        smtp_port=options.smtp_port,
        proself_port=options.proself_port,
        hostnames=tuple(dict.fromkeys(options.hostname or ["localhost"])),
        proself_hostnames=tuple(dict.fromkeys(options.proself_hostname or [PROSELF_HOST])),
        tenants=tuple(dict.fromkeys(options.tenant or ["contoso"])),
        deployer_roles=tuple(dict.fromkeys(options.deployer_role or DEFAULT_ROLES)),
        with_exchange=not options.without_exchange,
        quota=options.quota,
        seed=seed,
        latency=options.latency_ms,
        lag=lag,
        throttle=options.throttle,
        faults=Plan(seed if fault_seed is None else fault_seed, rules),
        token_lifetime=options.token_lifetime_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="proself-mail emulator start",
        description="An embedded Entra tenant with Microsoft Graph, on loopback over TLS.",
    )
    _add_places(parser)
    _add_contents(parser.add_argument_group("what is in it"))
    _add_behaviour(parser.add_argument_group("how it behaves"))
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--ready-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON with addresses and credentials, written once it serves, removed at the end",
    )
    add("--port", type=_port, default=0, help="of Entra and Graph (default: a free one)")
    add("--admin-port", type=_port, default=0, help="of the admin interface (default: a free one)")
    add("--smtp-port", type=_port, default=0, help="of Exchange's SMTP (default: a free one)")
    add("--proself-port", type=_port, default=0, help="of Proself (default: a free one)")
    add(
        "--hostname",
        nargs="+",
        action="extend",
        type=_hostname,
        metavar="NAME",
        help="names it answers to (default: localhost)",
    )
    add(
        "--proself-hostname",
        nargs="+",
        action="extend",
        type=_dns_name,
        metavar="NAME",
        help=f"Proself servers, by their names (default: {PROSELF_HOST})",
    )


def _add_contents(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
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
        help=f"app roles of Microsoft Graph for the deployer (default: {' '.join(DEFAULT_ROLES)})",
    )
    add("--without-exchange", action="store_true", help="no Office 365 Exchange Online")
    add(
        "--quota",
        type=_whole,
        default=DEFAULT_QUOTA,
        help=f"objects that an application may have made (default: {DEFAULT_QUOTA})",
    )
    add("--seed", type=_whole, help="of ids and everything random (default: a new one)")


def _add_behaviour(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--latency-ms", type=_milliseconds, default=_NONE, help="added to every request")
    add("--lag-seconds", type=_seconds, default=_NONE, help="how long reads may miss a write")
    add("--stale-ratio", type=_ratio, default=1.0, help="share of the reads that do (default: 1)")
    add("--list-lag-seconds", type=_seconds, help="for lists (default: as --lag-seconds)")
    add("--deletion-lag-seconds", type=_seconds, help="for deletions (default: as --lag-seconds)")
    add(
        "--sign-in-lag-seconds",
        type=_seconds,
        default=_NONE,
        help="how long the sign-in knows nothing of a change, such as a new secret",
    )
    add("--sign-in-stale-ratio", type=_ratio, default=1.0, help="share of the sign-ins that do")
    add("--throttle", choices=sorted(SIZES), help="throttle as Graph does a tenant of this size")
    add(
        "--faults",
        type=_plan,
        default=(None, ()),
        metavar="FILE",
        help="a plan of faults: JSON with seed and rules, as for POST /faults",
    )
    add(
        "--token-lifetime-seconds",
        type=_seconds,
        default=_TOKEN_LIFETIME,
        help="of access tokens (default: 3599)",
    )


def _or(value: timedelta | None, default: timedelta) -> timedelta:
    return default if value is None else value


def _plan(path: str) -> tuple[int | None, tuple[Rule, ...]]:
    """Read a plan's seed and rules; without one of its own it takes the tenant's seed."""
    try:
        fields = Fields(json_text.read(Path(path).read_text(encoding="utf-8")))
        plan = fields.whole("seed", None), read_rules(fields)
        fields.done()
    except (OSError, ValueError, AdminError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error
    return plan


def _port(text: str) -> int:
    port = _whole(text)
    if port > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 up")
    return int(text)


def _hostname(text: str) -> str:
    try:
        address = ipaddress.ip_address(text[1:-1] if text[:1] + text[-1:] == "[]" else text)
        if not address.is_loopback:
            raise argparse.ArgumentTypeError(f"{text} is no loopback address")
        return str(address)
    except ValueError:
        if _HOST_NAME.fullmatch(text) is None:
            raise argparse.ArgumentTypeError(f"{text!r} is no host name") from None
    return text.lower()


def _dns_name(text: str) -> str:
    if _HOST_NAME.fullmatch(text) is None or text.rpartition(".")[2].isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no host name")
    return text.lower()


def _label(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError("a tenant's label has letters and digits only")
    return text.lower()


def _seconds(text: str) -> timedelta:
    return _duration(text, timedelta(seconds=1))


def _milliseconds(text: str) -> timedelta:
    return _duration(text, timedelta(milliseconds=1))


def _duration(text: str, unit: timedelta) -> timedelta:
    try:
        duration = float(text) * unit
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration") from error
    if duration < _NONE:
        raise argparse.ArgumentTypeError("a duration cannot be negative")
    return duration


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise argparse.ArgumentTypeError("a ratio is a number from 0 to 1")
    return ratio
