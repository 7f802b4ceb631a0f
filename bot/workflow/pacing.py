"""How fast a batch writes: as fast as the directory lets it, learned from what the directory itself says.

Knows the documented allowance and how to find the real one. Must not know HTTP, rows or the store. Time is
the event loop's: how much real time passes is all that matters here. Sources: Graph docs "throttling-limits"
(3,000 writes per 150 s for one app in one tenant) and "throttling" (`x-ms-throttle-limit-percentage` tells
from 80 % on how much is used; refused calls count as well).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from bot.domain.bulk import DOCUMENTED_SECONDS, DOCUMENTED_WRITES, USED_SHARE

#: So many seconds' worth may be caught up after a pause (reading, committing, the directory's own): the
#: allowance is counted over 150 s.
_CATCH_UP = 20.0
#: While nothing is told the allowance is less than 80 % used: so much faster, so often.
_FASTER, _EVERY = 1.3, 2.0
_FASTEST = 400.0
#: After a refusal: by so much less, and no faster for a while.
_BACK, _CALM = 0.9, 30.0
#: From here on an allowance is nearly full, whoever fills it; a rise that tells its size; the least believed.
_FULL, _RISE, _LEAST = 0.97, 0.03, 10.0
#: The slowest pace before a full allowance, and the fastest while there is room that was missed before.
_SLOWEST, _AHEAD = 0.1, 1.2


class WritePace:
    """The pace of one process. It outlives batches: what was learned of the directory stays true."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        """now: seconds that only grow, for others to read too; None = the running loop's."""
        self.now = now or (lambda: asyncio.get_running_loop().time())
        self._rate = DOCUMENTED_WRITES * USED_SHARE / DOCUMENTED_SECONDS
        self.known: float | None = None
        self._sent: deque[float] = deque()
        self._next: float | None = None
        self._faster_at = 0.0
        self._slower_at = 0.0
        self._seen: tuple[float, int, float] | None = None
        self._pressed: tuple[float, int] | None = None

    @property
    def rate(self) -> float:
        """Writes a second from now on: slower before a full allowance, faster while there is room in it."""
        if self.known is None or self._pressed is None:
            return self._rate
        pressure, then = self._pressed
        # What has left the window since it was told makes room again.
        pressure += (self._used(self.now()) - then) / self.known
        return self._rate * min(max((1 - pressure) / (1 - _FULL), _SLOWEST), _AHEAD)

    def room(self, seconds: float) -> int:
        """How many writes may begin within that time from now on."""
        now = self.now()
        by_rate = (now + seconds - self._due(now)) * self.rate
        return max(int(min(by_rate, self._left(now, seconds))), 0)

    def wait(self) -> float:
        """Seconds until there is room for at least one more, as far as is known."""
        now = self.now()
        waits = [self._due(now) - now]
        if self.known is not None and self._left(now, 0) < 1 and self._sent:
            waits.append(self._sent[0] + DOCUMENTED_SECONDS - now)
        return max([*waits, 0.05])

    async def take(self) -> None:
        """Wait for the turn of one write; it counts from here."""
        now = self.now()
        due = self._due(now)
        wait = due - now
        self._next = due + 1 / self.rate
        if wait > 0:
            await asyncio.sleep(wait)
        self._sent.append(self.now())

    def answered(self, pressure: float | None) -> None:
        """The directory took a write. pressure: how much of the allowance is used, when it told."""
        now = self.now()
        if pressure is not None and pressure > 0:
            self._told(now, pressure)
        elif self.known is None and now >= self._faster_at:
            # The first silence only starts the watch.
            self._rate = min(self._rate * (_FASTER if self._faster_at else 1), _FASTEST)
            self._faster_at = now + _EVERY

    def _told(self, now: float, pressure: float) -> None:
        """How large the allowance is: by what we sent where most of it is ours, else by how fast it fills.

        An earlier life of this process, or another app, may have used the rest.
        """
        used, base = self._used(now), self.known or float(DOCUMENTED_WRITES)
        if used >= base / 2:
            self.known = used / pressure
        elif self._seen is None or now - self._seen[0] > _EVERY * 5:
            self.known, self._seen = base, (now, used, pressure)
        elif pressure - self._seen[2] >= _RISE:
            self.known = max((used - self._seen[1]) / (pressure - self._seen[2]), _LEAST)
            self._seen = (now, used, pressure)
        self._rate = (self.known or base) * USED_SHARE / DOCUMENTED_SECONDS
        self._pressed = (pressure, used)

    def throttled(self) -> None:
        """The directory refused one for being too fast: more slowly from now on. How long to wait at first is
        kept elsewhere, with the directory's other pauses.
        """
        now = self.now()
        if now < self._slower_at:
            return  # the other writes of that moment say nothing new
        self._slower_at = now + _EVERY
        self._faster_at = now + _CALM
        if self.known is not None:
            self.known *= _BACK
            self._rate = self.known * USED_SHARE / DOCUMENTED_SECONDS
        else:
            self._rate = max(self._rate / 2, 1.0)

    def _due(self, now: float) -> float:
        """When the next write is due, in the past if there is something to be caught up: never at first."""
        return max(now if self._next is None else self._next, now - _CATCH_UP)

    def _left(self, now: float, seconds: float) -> float:
        """Room in the window that ends so many seconds from now."""
        if self.known is None:
            return float("inf")
        return self.known * USED_SHARE - self._used(now + seconds)

    def _used(self, now: float) -> int:
        old = now - DOCUMENTED_SECONDS
        real = self.now() - DOCUMENTED_SECONDS
        while self._sent and self._sent[0] <= real:
            self._sent.popleft()
        if old <= real:
            return len(self._sent)
        return len(self._sent) - next((n for n, at in enumerate(self._sent) if at > old), len(self._sent))
