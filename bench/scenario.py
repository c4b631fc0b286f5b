"""What goes wrong in a tenant, by name: rules for its faults, from a seed.

Of the runs under all faults together those with a seed that 4 divides are killed as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GRAPH = {"service": "graph"}
_FAULTY_STATUSES = (500, 502, 503, 504)


@dataclass(frozen=True)
class Scenario:
    """One way in which a tenant misbehaves, and whether the run is killed."""

    name: str
    faults: Mapping[str, Any]
    """Body of the embedded tenant's POST /faults, without the seed."""
    kill_every: int = 0
    """Kill the run of every seed that this divides at a random instant, then run it once more."""
    foreign: bool = False
    """Put look-alikes into the tenant first."""
    budget_spent: bool = False
    """Spend what `tenant_size` allows the application in 10 s first, as another user of it may."""

    def kills(self, seed: int) -> bool:
        """Whether the run with this seed is killed."""
        return self.kill_every > 0 and seed % self.kill_every == 0


def _lag(seconds: float, ratio: float) -> Mapping[str, Any]:
    return {"seconds": seconds, "stale_ratio": ratio}


def _faulty(ratio: float) -> Sequence[Mapping[str, Any]]:
    """Answer that share of requests with an error of the server, with each as often."""
    share = ratio / len(_FAULTY_STATUSES)
    return [
        {"name": str(each), "strike": "status", "status": each, "match": GRAPH, "ratio": share}
        for each in _FAULTY_STATUSES
    ]


_THROTTLE = {
    "name": "throttle",
    "strike": "status",
    "status": 429,
    "retry_after_seconds": 1,
    "match": GRAPH,
    "ratio": 0.1,
}
_LOST = {"name": "lost replies", "strike": "reset-after", "match": GRAPH, "ratio": 0.05}
_CUT = {"name": "cut bodies", "strike": "reset-in-body", "match": GRAPH, "ratio": 0.02}
_CONFLICT = {
    "name": "conflicts",
    "strike": "status",
    "status": 409,
    "match": {"service": "graph", "method": "PATCH"},
    "ratio": 0.1,
}
_EXPIRED = {"name": "expired tokens", "strike": "expire-token", "match": GRAPH, "ratio": 0.01}
_SLOW = {"name": "slow", "strike": "slow", "seconds": 1.5, "match": GRAPH, "ratio": 0.02}
_TWICE = {
    "name": "arrives twice",
    "strike": "twice",
    "match": {"service": "graph", "method": "POST"},
    "ratio": 0.05,
}
_NEW_SECRET = {"sign_in_seconds": 4, "sign_in_stale_ratio": 1.0}

_MIXED: Sequence[Mapping[str, Any]] = (
    _THROTTLE | {"ratio": 0.04},
    *_faulty(0.03),
    _LOST | {"ratio": 0.03},
    _CUT,
    _CONFLICT | {"ratio": 0.05},
    _EXPIRED,
    _SLOW,
    _TWICE,
    {
        "name": "sign-in",
        "strike": "status",
        "status": 503,
        "match": {"service": "login"},
        "ratio": 0.05,
    },
)

IN_TESTS = (
    Scenario(
        "all together, shorter",
        {"lag": {**_lag(1, 0.3), "sign_in_seconds": 1}, "rules": list(_MIXED)},
        kill_every=4,
        foreign=True,
    ),
    # Slow enough for the victim to be there still when its instant has come.
    Scenario(
        "killed, shorter", {"lag": _lag(1, 0.3), "latency_ms": 100}, kill_every=1, foreign=True
    ),
)

SCENARIOS = (
    Scenario("no fault", {}),
    Scenario("lag 3 s, 20 %", {"lag": _lag(3, 0.2)}),
    Scenario("lag 6 s, 50 %", {"lag": _lag(6, 0.5)}),
    Scenario("throttled", {"tenant_size": "S", "rules": [_THROTTLE]}, budget_spent=True),
    Scenario("5 % of answers 5xx", {"rules": _faulty(0.05)}),
    Scenario("5 % of replies lost", {"rules": [_LOST]}),
    Scenario("killed", {"lag": _lag(3, 0.2)}, kill_every=1, foreign=True),
    Scenario(
        "all together",
        {"lag": {**_lag(4, 0.3), **_NEW_SECRET}, "rules": list(_MIXED), "latency_ms": 20},
        kill_every=4,
        foreign=True,
    ),
)
