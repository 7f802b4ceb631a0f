"""How much the pretend Graph takes: allowances by lane, what a call costs, and when it says 429.

Source: Graph docs "throttling-limits" (identity and access; identity and access reports) and "throttling"
(refused calls accrue against the limit too). phoneMethods have no published allowance: they are a lane of
their own here. Not simulated: the limits per app over all tenants, per tenant over all apps, and of Graph as
a whole. Must not know routes or HTTP: it is told the lane, the units and the time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Resource units per 10 s of one app in one tenant, by tenant size (under 50, to 500, over 500 people).
UNITS = {"small": 3_500, "medium": 5_000, "large-tenant": 8_000}
WRITES = 3_000
REPORTS = 5
_UNITS_SECONDS, _WRITES_SECONDS, _REPORTS_SECONDS = 10.0, 150.0, 10.0
#: From here on answers tell how much is used; refused calls count up to the upper mark.
TELL_FROM, _COUNT_TO = 0.8, 1.8
_HINTS = {"ResourceUnitLimitExceeded": "ReadWrite", "WriteLimitExceeded": "Write"}


@dataclass(frozen=True, slots=True)
class Profile:
    """Allowances. `times` multiplies all of them; `phones` units per 10 s for methods (None = as identity).

    `retry_after` False: a refusal does not say how long to wait (some parts of Graph do not).
    """

    name: str = "none"
    times: float = 1
    phones: float | None = None
    retry_after: bool = True

    @classmethod
    def read(cls, value: str | dict[str, Any]) -> Profile:
        """From a name or `{"profile": name, "times": n, "phones": units, "retry_after": false}`.

        ValueError when it is neither.
        """
        fields: dict[str, Any] = {"profile": value} if isinstance(value, str) else dict(value)
        name, times = fields.pop("profile", None), fields.pop("times", 1)
        phones, told = fields.pop("phones", None), fields.pop("retry_after", True)
        if fields or (name != "none" and name not in UNITS):
            raise ValueError(f"no such throttling profile: {value} (known: none, {', '.join(UNITS)})")
        if not all(isinstance(n, int | float) and n > 0 for n in (times, 1 if phones is None else phones)):
            raise ValueError("times and phones of a throttling profile are numbers above 0")
        return cls(name, times, phones, bool(told))


@dataclass(slots=True)
class Lane:
    """One allowance: `limit` units in any `seconds`. The wait of a refused client ends at `closed_until`."""

    limit: float
    seconds: float
    why: str
    used: float = 0
    spent: deque[tuple[float, float]] = field(default_factory=deque)
    closed_until: float = 0
    refused: int = 0

    def forget(self, now: float) -> None:
        """Let go of what is older than the window."""
        while self.spent and self.spent[0][0] <= now - self.seconds:
            self.used -= self.spent.popleft()[1]

    def fits(self, now: float, cost: float) -> bool:
        """Would this call be taken now?"""
        self.forget(now)
        return now >= self.closed_until and self.used + cost <= self.limit

    def take(self, now: float, cost: float) -> None:
        """Count a call."""
        self.spent.append((now, cost))
        self.used += cost

    def refuse(self, now: float, cost: float) -> float:
        """Refuse a call; a retry during the wait counts too. Gives the wait in whole seconds, at least 1."""
        self.refused += 1
        if now < self.closed_until and self.used + cost <= self.limit * _COUNT_TO:
            self.take(now, cost)
        needed, until = self.used + cost - self.limit, now
        for at, units in self.spent:
            if needed <= 0:
                break
            needed -= units
            until = at + self.seconds
        wait = max(1, math.ceil(until - now))
        self.closed_until = max(self.closed_until, now + wait)
        return max(1, math.ceil(self.closed_until - now))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the meter says of one call: headers for its answer, taken or not, seconds to wait when told."""

    headers: dict[str, str]
    refused: bool = False
    retry_after: float | None = None


class Throttle:
    """The lanes of one world: "identity", "methods" and "reports", the first two with a lane for writes."""

    def __init__(self, profile: Profile, now: Callable[[], datetime], scope: str) -> None:
        """`scope` is "{app id}/{tenant id}", as the header of a refusal names it."""
        self._now, self._scope, self._told = now, scope, profile.retry_after
        self.lanes: dict[str, Lane] = {}
        if profile.name == "none":
            return
        units, times = UNITS[profile.name], profile.times
        over, over_writes = _HINTS
        own = units * times if profile.phones is None else profile.phones
        self.lanes = {
            "identity": Lane(units * times, _UNITS_SECONDS, over),
            "identity-writes": Lane(WRITES * times, _WRITES_SECONDS, over_writes),
            "methods": Lane(own, _UNITS_SECONDS, over),
            "methods-writes": Lane(WRITES * times, _WRITES_SECONDS, over_writes),
            "reports": Lane(REPORTS * times, _REPORTS_SECONDS, over),
        }

    def meter(self, lane: str, units: int, write: bool) -> Verdict:
        """Count one call of this many units, or refuse it. A report costs 1 whatever its units."""
        headers = {"x-ms-resource-unit": str(units)}
        if not self.lanes:
            return Verdict(headers)
        now = self._now().timestamp()
        asked = [(self.lanes[lane], 1.0 if lane == "reports" else float(units))]
        if write and f"{lane}-writes" in self.lanes:
            asked.append((self.lanes[f"{lane}-writes"], 1.0))
        full = [(each, cost) for each, cost in asked if not each.fits(now, cost)]
        if full:
            return self._refusal(headers, now, full)
        for each, cost in asked:
            each.take(now, cost)
        share = max(each.used / each.limit for each, _ in asked)
        if share > TELL_FROM:
            headers["x-ms-throttle-limit-percentage"] = f"{share:.2f}"
        return Verdict(headers)

    def _refusal(self, headers: dict[str, str], now: float, full: list[tuple[Lane, float]]) -> Verdict:
        wait = max(each.refuse(now, cost) for each, cost in full)
        lane = full[-1][0]
        headers |= {
            "x-ms-throttle-limit-percentage": f"{min(_COUNT_TO, max(1.0, lane.used / lane.limit)):.2f}",
            "x-ms-throttle-scope": f"Tenant_Application/{_HINTS[lane.why]}/{self._scope}",
            "x-ms-throttle-information": lane.why,
        }
        return Verdict(headers, True, wait if self._told else None)

    def as_json(self) -> dict[str, dict[str, float]]:
        """`{lane: {limit, seconds, used, closed_for, refused}}` at this moment; refused: ever since."""
        now = self._now().timestamp()
        shown: dict[str, dict[str, float]] = {}
        for name, lane in self.lanes.items():
            lane.forget(now)
            closed = max(0.0, lane.closed_until - now)
            shown[name] = {
                "limit": lane.limit,
                "seconds": lane.seconds,
                "used": lane.used,
                "closed_for": closed,
                "refused": lane.refused,
            }
        return shown
