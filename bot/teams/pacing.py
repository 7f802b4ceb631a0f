"""How fast we speak to Teams: never faster than it allows, so that it need not refuse.

Knows the published windows and when the last calls were. Must not know what is sent. One process keeps them
by itself; of several on one database Teams may refuse a call all the same, and that is honoured.
Source: "Optimize your bot with rate limiting in Teams" (per bot and thread: 7 in 1 s, 8 in 2 s, 60 in 30 s,
1,800 in an hour, for sending and for creating conversations; 50 in 1 s for an app and a tenant).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

# Each window a little longer than published: what matters there is when calls arrive, not when they leave.
THREAD = ((1.25, 7), (2.4, 8), (31.0, 60), (3610.0, 1800))
TENANT = (1.2, 45)
#: What comes unasked leaves room for answers to whoever is speaking to us.
UNASKED = ((1.25, 5), (2.4, 6), (31.0, 45), (3610.0, 1500))
#: Creating chats is counted as one thread: the page does not say that each person is one.
CREATING = ""
#: A sender waits so long by itself; what takes longer goes back to the outbox.
PATIENCE = 2.0
_THREADS_KEPT = 10_000


class Pace:
    """Counts calls of one process. Times are of a clock that only goes forward."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now, self._sleep = now, sleep
        self._threads: OrderedDict[str, deque[float]] = OrderedDict()
        self._tenant: deque[float] = deque(maxlen=TENANT[1])

    async def admit(self, thread: str, *, answer: bool = False) -> float:
        """Returns 0 when the call may go out now, having waited a little; else the seconds to wait.

        answer: to somebody who has just said something.
        """
        while (wait := self.wait_for(thread, answer=answer)) > 0:
            if wait > PATIENCE:
                return wait
            await self._sleep(wait)
        return 0.0

    def wait_for(self, thread: str, *, answer: bool = False) -> float:
        """0 and the call is counted, or how many seconds it is too early."""
        now = self._now()
        calls = self._threads.get(thread) or deque(maxlen=THREAD[-1][1])
        windows = THREAD if answer or thread == CREATING else UNASKED
        early = [_too_early(calls, *each, now) for each in windows]
        wait = max(_too_early(self._tenant, *TENANT, now), *early)
        if wait > 0:
            return wait
        calls.append(now)
        self._tenant.append(now)
        self._threads[thread] = calls
        self._threads.move_to_end(thread)
        if len(self._threads) > _THREADS_KEPT:
            self._threads.popitem(last=False)
        return 0.0


def _too_early(calls: deque[float], window: float, allowed: int, now: float) -> float:
    """Until the oldest of the last `allowed` calls is out of the window."""
    return calls[-allowed] + window - now if len(calls) >= allowed else 0.0
