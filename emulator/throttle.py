"""Throttling by budget, as Graph's page on limits for identity and access has it.

Off unless a tenant size is chosen. Resource units are counted per application and tenant over 10
seconds, writes per application and tenant over 150 seconds.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from emulator.odata.odata_types import whole_number
from emulator.odata.problems import GraphError, throttled

SIZES = {"S": 3500, "M": 5000, "L": 8000}
"""Resource units in 10 seconds, by the size of the tenant."""

_UNITS_WINDOW = timedelta(seconds=10)
_WRITES = 3000
_WRITES_WINDOW = timedelta(seconds=150)
_DEAR = ("applications", "oauth2permissiongrants")
"""Collections whose reads cost two units."""
_FEW = 20


def resource_units(method: str, path: str, query: Mapping[str, str]) -> int:
    """Return what a request costs; never less than one unit."""
    if method != "GET":
        return 1
    units = 2 if path.strip("/").split("/")[0].lower() in _DEAR else 1
    units -= "$select" in query
    top = whole_number(query.get("$top", ""))
    units -= top is not None and top < _FEW
    units += "$expand" in query
    return max(units, 1)


@dataclass
class _Window:
    """What was spent within a time up to now."""

    length: timedelta
    spent: deque[tuple[datetime, int]] = field(default_factory=deque)
    total: int = 0

    def room(self, now: datetime, limit: int, cost: int) -> float | None:
        """Spend `cost` if it fits; else return the seconds until it might."""
        while self.spent and self.spent[0][0] + self.length <= now:
            self.total -= self.spent.popleft()[1]
        if self.total + cost > limit:
            return (self.spent[0][0] + self.length - now).total_seconds() if self.spent else 1.0
        self.spent.append((now, cost))
        self.total += cost
        return None


class Throttle:
    """The budgets of every application in every tenant."""

    def __init__(self, size: str | None) -> None:
        self.size = size
        self._limit = SIZES[size] if size is not None else None
        self._units: dict[tuple[str, str], _Window] = {}
        self._writes: dict[tuple[str, str], _Window] = {}

    def spend(self, client_id: str, tenant_id: str, method: str, units: int, now: datetime) -> None:
        """Take a request out of the budget. GraphError 429 with the documented headers if over."""
        if self._limit is None:
            return
        who = (client_id, tenant_id)
        window = self._units.setdefault(who, _Window(_UNITS_WINDOW))
        self._refuse_unless(
            window.room(now, self._limit, units), who, "ReadWrite", "ResourceUnitLimitExceeded"
        )
        if method != "GET":
            window = self._writes.setdefault(who, _Window(_WRITES_WINDOW))
            self._refuse_unless(window.room(now, _WRITES, 1), who, "Write", "WriteLimitExceeded")

    def _refuse_unless(
        self, wait: float | None, who: tuple[str, str], limit: str, reason: str
    ) -> None:
        if wait is None:
            return
        refusal: GraphError = throttled(max(1, round(wait + 0.5)))
        refusal.headers["x-ms-throttle-scope"] = f"Tenant_Application/{limit}/{who[0]}/{who[1]}"
        refusal.headers["x-ms-throttle-information"] = reason
        raise refusal
