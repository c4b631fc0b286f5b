"""Faults by plan: which request is struck, and by what.

A plan is scripted ("the third POST to /applications"), random by a ratio, or both. A random
decision follows from the seed, the rule, the method, the path and the how-manyth such request it
is: the same requests are struck in every run with the seed, in whatever order they arrive.
"""

import functools
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum

from emulator.admin_input import Fields
from emulator.directory.randomness import fraction
from emulator.json_text import Json
from emulator.odata import odata_path
from emulator.odata.problems import GraphError


class Strike(StrEnum):
    """What a fault does to a request."""

    STATUS = "status"
    """Answer with an error instead of doing anything: 429, 5xx, 404, 409 …"""
    RESET_BEFORE = "reset-before"
    """Cut the connection and do nothing."""
    RESET_AFTER = "reset-after"
    """Do what was asked, then cut the connection: the reply is lost."""
    RESET_IN_BODY = "reset-in-body"
    """Do what was asked, send half of the reply, then cut the connection."""
    TWICE = "twice"
    """Do what was asked two times, and reply to the second: a client that sends again."""
    SLOW = "slow"
    """Do what was asked, wait, then reply."""
    STALE = "stale"
    """Answer from a replica that trails by some seconds."""
    EXPIRE_TOKEN = "expire-token"  # noqa: S105 (a name, not a secret)
    """Treat the token as expired."""
    REFUSE_SECRET = "refuse-secret"  # noqa: S105 (a name, not a secret)
    """Refuse the secret at the token endpoint, right or wrong."""


STATUSES = (404, 409, 429, 500, 502, 503, 504)
SERVICES = ("graph", "login")
IN_BATCH = frozenset({Strike.STATUS, Strike.STALE, Strike.EXPIRE_TOKEN})
"""What can strike one request of a `$batch`; the rest concerns connections."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which requests a rule is about."""

    method: str | None = None
    path: str = "/**"
    """Without query and version; `*` stands for one segment, `**` for all that follow."""
    service: str | None = None
    """`graph` or `login`."""
    client_id: str | None = None
    """The application that sends it."""

    def covers(self, service: str, method: str, path: str, client_id: str | None) -> bool:
        """Whether a request is meant."""
        return (
            self.method in (None, method)
            and self.service in (None, service)
            and self.client_id in (None, client_id)
            and _pattern(self.path).fullmatch(path) is not None
        )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Who is struck, when, and by what."""

    name: str
    match: Match
    strike: Strike
    nth: frozenset[int] | None = None
    """Only these of the matching requests, counted from 1."""
    times: int | None = None
    """So many at most."""
    ratio: float | None = None
    """Only that share of them."""
    status: int = 0
    retry_after_seconds: int | None = None
    seconds: float = 0.0
    """How long a slow reply waits, or how far a stale one trails."""


@dataclass
class Plan:
    """Rules in the order in which they are tried; the first that strikes wins."""

    seed: int
    rules: tuple[Rule, ...] = ()
    seen: Counter[str] = field(default_factory=Counter)
    """How many requests each rule was about, by its name."""
    struck: Counter[str] = field(default_factory=Counter)
    """How many of them it struck."""
    _asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def decide(
        self,
        service: str,
        method: str,
        path: str,
        client_id: str | None,
        possible: frozenset[Strike] = frozenset(Strike),
    ) -> Rule | None:
        """Return the rule that strikes a request, or None."""
        for rule in self.rules:
            if rule.strike not in possible:
                continue
            if rule.match.covers(service, method, path, client_id):
                self.seen[rule.name] += 1
                if self._strikes(rule, method, path):
                    self.struck[rule.name] += 1
                    return rule
        return None

    def _strikes(self, rule: Rule, method: str, path: str) -> bool:
        if rule.nth is not None and self.seen[rule.name] not in rule.nth:
            return False
        if rule.times is not None and self.struck[rule.name] >= rule.times:
            return False
        if rule.ratio is None:
            return True
        what = (rule.name, method, path)
        self._asked[what] += 1
        return fraction(self.seed, *what, self._asked[what]) < rule.ratio

    def longest_stale_seconds(self) -> float:
        """Return how far the most trailing replica of the plan trails."""
        stale = (rule.seconds for rule in self.rules if rule.strike is Strike.STALE)
        return max(stale, default=0.0)

    def as_json(self) -> list[Json]:
        """Show the rules with what became of them."""
        return [
            {
                "name": rule.name,
                "strike": rule.strike,
                "seen": self.seen[rule.name],
                "struck": self.struck[rule.name],
            }
            for rule in self.rules
        ]


def read_rules(fields: Fields) -> tuple[Rule, ...]:
    """Read the `rules` of a plan. AdminError if one is not understood."""
    rules = fields.each("rules", _rule)
    names = [rule.name or f"rule {place + 1}" for place, rule in enumerate(rules)]
    if len(set(names)) < len(names):
        raise fields.refuse("rules", "of different names")
    return tuple(replace(rule, name=name) for rule, name in zip(rules, names, strict=True))


def _rule(fields: Fields) -> Rule:
    strike = Strike(fields.choice("strike", Strike))
    return Rule(
        name=fields.text("name", ""),
        match=_match(fields.object("match")),
        strike=strike,
        nth=_numbers(fields),
        times=fields.whole("times", None, least=1),
        ratio=fields.share("ratio", None),
        status=_status(fields) if strike is Strike.STATUS else 0,
        retry_after_seconds=fields.whole("retry_after_seconds", None),
        seconds=_seconds(fields) if strike in (Strike.SLOW, Strike.STALE) else 0.0,
    )


def _match(fields: Fields | None) -> Match:
    if fields is None:
        return Match()
    path = fields.text("path", "/**")
    if not path.startswith("/"):
        raise fields.refuse("path", "a path such as /applications/*/addPassword")
    match = Match(
        method=fields.choice("method", ("GET", "POST", "PATCH", "PUT", "DELETE"), None),
        path=path,
        service=fields.choice("service", SERVICES, None),
        client_id=fields.text("client_id", None),
    )
    fields.done()
    return match


def _numbers(fields: Fields) -> frozenset[int] | None:
    value = fields.take("nth", None)
    numbers = value if isinstance(value, list) else [value]
    if value is None:
        return None
    if not numbers or not all(type(number) is int and number >= 1 for number in numbers):
        raise fields.refuse("nth", "a number from 1 up, or a list of such")
    return frozenset(numbers)


def _status(fields: Fields) -> int:
    status = fields.whole("status")
    if status not in STATUSES:
        raise fields.refuse("status", f"one of {', '.join(map(str, STATUSES))}")
    return status


def _seconds(fields: Fields) -> float:
    return fields.seconds("seconds").total_seconds()


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    steps = {"**": ".*", "*": "[^/]+"}
    pieces = re.split(r"(\*\*|\*)", path)
    return re.compile("".join(steps.get(piece, re.escape(piece)) for piece in pieces), re.I)


def plain_path(path: str) -> str:
    """Return the path that rules match: no version, keys as segments, escapes resolved."""
    try:
        segments = odata_path.parse(path)
    except GraphError:  # whoever answers the request refuses it
        return path
    words = [one if isinstance(one, str) else one.value for one in segments]
    if words and words[0].lower() in ("v1.0", "beta"):
        words = words[1:]
        if words and words[0].lower() == "myorganization":
            words = words[1:]
    return "/" + "/".join(words)
