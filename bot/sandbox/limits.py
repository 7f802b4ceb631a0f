"""Rate limits of the Teams channel per chat: off until switched on.

Knows: the windows and how to count. Must not know: HTTP or what is being sent.

Source: "Optimize your bot with rate limiting in Teams" (per bot, per thread).
"""

from __future__ import annotations

import math
from collections import deque

#: (window in seconds, sends or creates allowed, member reads allowed)
WINDOWS = ((1.0, 7, 14), (2.0, 8, 16), (30.0, 60, 120), (3600.0, 1800, 3600))


class Limits:
    """Counts calls per (chat, kind); kind is "send" or "read"."""

    def __init__(self) -> None:
        self.on = False
        self._seen: dict[tuple[str, str], deque[float]] = {}

    def wait_for(self, conversation: str, kind: str, now: float) -> int | None:
        """Count one call at `now` (Unix seconds); None = allowed, else whole seconds to wait."""
        if not self.on:
            return None
        seen = self._seen.setdefault((conversation, kind), deque(maxlen=4000))
        for seconds, sends, reads in WINDOWS:
            allowed = sends if kind == "send" else reads
            inside = [moment for moment in seen if moment > now - seconds]
            if len(inside) >= allowed:
                return max(1, math.ceil(inside[-allowed] + seconds - now))
        seen.append(now)
        return None
