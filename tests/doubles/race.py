"""Two who come at once, with a head start for one of them that is different each time.

Knows how long either took when the other waited for it; a head start is a share of that, so that on a slow
machine as on a fast one either may be first. Must not know what the two do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

Racer = Coroutine[Any, Any, object]


class Race:
    """laps: so many head starts there are; `run` goes through them for the one, then for the other.

    In the first lap one waits until the other is done; in those after it one is behind by more and more, from
    nothing up to what the other took in all.
    """

    def __init__(self, laps: int) -> None:
        self._laps = laps
        self._took = [0.0, 0.0]

    async def run(self, number: int, one: Racer, other: Racer) -> None:
        """Both to their ends; number: how many times they raced before. Raises: what either raised."""
        turn, lap = divmod(number, self._laps)
        swapped = turn % 2
        ahead, behind = (other, one) if swapped else (one, other)
        running = asyncio.ensure_future(ahead)
        loop = asyncio.get_running_loop()
        began = loop.time()
        start = (lap - 1) / (self._laps - 1) * self._took[swapped]
        await asyncio.wait((running,), timeout=start if lap else None)
        if lap == 0:
            self._took[swapped] = loop.time() - began
        await asyncio.gather(running, behind)
