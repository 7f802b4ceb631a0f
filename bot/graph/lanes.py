"""Lane pausing: when Graph throttles one call, every call of that lane waits.

Knows when each lane may go on. Must not know HTTP or what the calls are for. A lane is a name such as
`<tenant>/reads`; its pauses are plain times, so that they can be kept and given back after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

_LONGEST = timedelta(hours=1)
_STEPS = 7  # without Retry-After: 1, 2, 4 ... 64 seconds


class Lanes:
    """Pauses by lane, in memory.

    Source of the rules: Microsoft Graph docs "throttling" (Retry-After in seconds; without it an exponential
    back-off; calls made during the wait still count against the limit).
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        """jitter: a fresh number from 0 to 1 at each call."""
        self._jitter = jitter
        self._until: dict[str, datetime] = {}
        self._strikes: dict[str, int] = {}

    def left(self, lane: str, now: datetime) -> timedelta:
        """How long this lane still waits; zero when it may go."""
        until = self._until.get(lane)
        return max(until - now, timedelta()) if until is not None else timedelta()

    def throttled(self, lane: str, now: datetime, retry_after: timedelta | None) -> datetime | None:
        """Graph throttled a call of this lane: until when it waits now, None when that did not change.

        A pause only ever grows.
        """
        if retry_after is None:
            if self.left(lane, now):
                return None  # one wave of calls that were already on their way is one strike
            strikes = self._strikes.get(lane, 0)
            self._strikes[lane] = min(strikes + 1, _STEPS - 1)
            retry_after = timedelta(seconds=2.0**strikes * (0.5 + self._jitter() / 2))
        until = now + min(retry_after, _LONGEST)
        if until <= self._until.get(lane, now):
            return None
        self._until[lane] = until
        return until

    def served(self, lane: str) -> None:
        """Graph answered a call of this lane: the back-off starts anew next time."""
        self._strikes.pop(lane, None)

    def pauses(self) -> Mapping[str, datetime]:
        """Lane -> the time it may go on. Past times are harmless."""
        return dict(self._until)

    def restore(self, pauses: Mapping[str, datetime]) -> None:
        """Take over pauses that were kept elsewhere."""
        for lane, until in pauses.items():
            self._until[lane] = max(until, self._until.get(lane, until))
