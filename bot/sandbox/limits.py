"""Rate limits of the Teams channel, per chat and per tenant: refused when switched on, measured always.

Knows: the windows and how to count. Must not know: HTTP or what is being sent.

Source: "Optimize your bot with rate limiting in Teams" (per bot and thread; per app and tenant).
"""

from __future__ import annotations

import math
from collections import deque

#: (window in seconds, sends or creates allowed, member reads allowed)
WINDOWS = ((1.0, 7, 14), (2.0, 8, 16), (30.0, 60, 120), (3600.0, 1800, 3600))
#: Calls of one app in one tenant.
TENANT = (1.0, 50)
_KEPT = 4000


class Limits:
    """Counts calls per (chat, kind); kind is "send" or "read". `peaks`: the most in one window so far."""

    def __init__(self) -> None:
        self.on = False
        self.refused = 0
        self.peaks: dict[str, int] = {}
        self._seen: dict[tuple[str, str], deque[float]] = {}
        self._all: deque[float] = deque(maxlen=_KEPT)

    def wait_for(self, conversation: str, kind: str, now: float) -> int | None:
        """Count one call at `now` (Unix seconds); None = allowed, else whole seconds to wait."""
        seen = self._seen.setdefault((conversation, kind), deque(maxlen=_KEPT))
        if self.on:
            waits = [
                _wait(seen, seconds, sends if kind == "send" else reads, now)
                for seconds, sends, reads in WINDOWS
            ]
            longest = max(*waits, _wait(self._all, *TENANT, now))
            if longest:
                self.refused += 1
                return longest
        seen.append(now)
        self._all.append(now)
        self._measure(seen, kind, now)
        return None

    def _measure(self, seen: deque[float], kind: str, now: float) -> None:
        found = {f"{kind} {seconds:g} s": _inside(seen, seconds, now) for seconds, _, _ in WINDOWS[:3]}
        found[f"tenant {TENANT[0]:g} s"] = _inside(self._all, TENANT[0], now)
        for name, count in found.items():
            self.peaks[name] = max(self.peaks.get(name, 0), count)


def _inside(seen: deque[float], seconds: float, now: float) -> int:
    """How many of the last calls lie in the window that ends now."""
    count = 0
    for moment in reversed(seen):
        if moment <= now - seconds:
            break
        count += 1
    return count


def _wait(seen: deque[float], seconds: float, allowed: int, now: float) -> int:
    """Whole seconds until one more is allowed; 0 = now."""
    if _inside(seen, seconds, now) < allowed:
        return 0
    return max(1, math.ceil(seen[-allowed] + seconds - now))
