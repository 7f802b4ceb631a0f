"""Reading the phones of many people: `$batch` of 20, several in flight, as fast as Graph lets us.

Knows batches, the pace and who must be asked again. Must not know why anybody asks. Sources: Graph docs
"json-batching" (an item is throttled alone, inside a 200), "throttling" and "throttling-limits" (allowances
are counted over ten seconds; `x-ms-throttle-limit-percentage` appears above 80 %).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.people import Phones
from bot.graph.client import GraphClient, NotSignedIn
from bot.graph.decode import read_error
from bot.graph.rows import BatchItem, PhonePage, checked_id, phones_of, read_row
from bot.ports import DirectoryUnavailable, Unread

_BATCH = 20
_TRIES = 3
_THROTTLES = 30  # after that many "slow down" for one person something else is wrong
_WINDOW = timedelta(seconds=10.1)  # ten by the docs, and a little for calls that take longer than others
_TOLD_ABOVE = 0.8
#: Without a refusal for so long the limit may have been somebody else's doing: so much more, once a window.
_CALM, _LONGEST_CALM, _MORE = timedelta(seconds=20), timedelta(minutes=10), 1.25
Found = tuple[str, Phones | Unread]


class Pace:
    """How many calls go into ten seconds: learned from Graph's own figures, never from trying it out.

    Graph tells how full the allowance is once it is more than 80 % used, so silence allows to go on a
    little faster. The first 429 that came without such a warning ends the trust in silence; from then on it
    is tried again after a calm time, which doubles with every refusal.
    """

    def __init__(self, start: float = 3000.0) -> None:
        """start: calls per ten seconds before anything is known (least documented allowance: 3500)."""
        self.limit = start
        self._silence_counts, self._warned = True, False
        self._begun: deque[tuple[datetime, int]] = deque()  # when, and the total of all calls then
        self._total, self._gone = 0, 0
        self._settled_at: datetime | None = None
        self._calm, self._more_at = _CALM, datetime.min.replace(tzinfo=UTC)

    def take(self, calls: int, now: datetime) -> timedelta:
        """Room for that many calls: zero, and they are counted; else how long to wait before asking again."""
        if not self._begun or self._used(self._total, now) + calls <= self.limit:
            self._total += calls
            self._begun.append((now, self._total))
            return timedelta()
        return max(self._begun[0][0] + _WINDOW - now, timedelta(milliseconds=1))

    @property
    def mark(self) -> int:
        """Where the calls taken last stand among all: to be given back with their answers."""
        return self._total

    def ended(self, mark: int, throttled: int, pressure: float | None, now: datetime) -> None:
        """A batch came back: how many calls were told to slow down, and how full the allowance is."""
        used = self._used(mark, now)
        if throttled:
            if self._settled_at is None or now >= self._settled_at:
                self._silence_counts = self._warned
                self.limit = max(min(self.limit, float(used - throttled)) * 0.97, float(_BATCH))
                self._more_at = now + self._calm
                self._calm = min(self._calm * 2, _LONGEST_CALM)
            # The other batches of that moment say nothing new.
            self._settled_at = now + _WINDOW
        elif pressure is not None and pressure >= _TOLD_ABOVE:
            self._warned = True
            self.limit = max(used / pressure * 0.98, float(_BATCH))
        elif self._silence_counts:
            self.limit = max(self.limit, used / _TOLD_ABOVE)
        elif now >= self._more_at and used >= _TOLD_ABOVE * self.limit:
            self.limit *= _MORE
            self._more_at = now + _WINDOW

    def _used(self, mark: int, now: datetime) -> int:
        """Calls of the last ten seconds up to that mark."""
        while self._begun and self._begun[0][0] <= now - _WINDOW:
            self._gone = self._begun.popleft()[1]
        return max(mark - self._gone, 0)


class Scan:
    """One reading of many people. Each person comes out once."""

    def __init__(self, client: GraphClient, oids: Sequence[str], pace: Pace, in_flight: int) -> None:
        self._client, self._pace, self._in_flight = client, pace, in_flight
        self._todo = deque(dict.fromkeys(checked_id(oid) for oid in oids))
        self._tries, self._throttles = Counter[str](), Counter[str]()

    async def run(self) -> AsyncIterator[Found]:
        """In any order. Raises NotSignedIn; every other trouble is somebody's `Unread`."""
        running: set[asyncio.Task[list[Found]]] = set()
        try:
            while self._todo or running:
                while self._todo and len(running) < self._in_flight:
                    oids = [self._todo.popleft() for _ in range(min(_BATCH, len(self._todo)))]
                    running.add(asyncio.create_task(self._read(oids)))
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    for found in task.result():
                        yield found
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _read(self, oids: list[str]) -> list[Found]:
        mark = await self._turn(len(oids))
        paths = [f"/users/{oid}/authentication/phoneMethods" for oid in oids]
        try:
            reply = await self._client.batch(paths)
        except NotSignedIn:
            raise
        except DirectoryUnavailable as error:
            throttled = error.retry_after is not None
            self._pace.ended(mark, len(oids) if throttled else 0, None, self._client.now())
            return [found for oid in oids for found in self._again(oid, error.what, throttled)]
        slowed = sum(item.status == 429 for item in reply.items.values())
        self._pace.ended(mark, slowed, reply.pressure, self._client.now())
        found: list[Found] = []
        for n, oid in enumerate(oids):
            found += self._judged(oid, reply.items.get(n))
        return found

    async def _turn(self, calls: int) -> int:
        """Wait for the end of a pause and for room in the allowance; the mark of these calls."""
        while left := self._client.paused() or self._pace.take(calls, self._client.now()):
            await self._client.sleep(left.total_seconds())
        return self._pace.mark

    def _judged(self, oid: str, item: BatchItem | None) -> list[Found]:
        """What one answer says; nothing when the person is to be asked again."""
        if item is None:
            return self._again(oid, "no answer in the batch", False)
        if item.status == 429:
            return self._again(oid, "throttled", True)
        if item.status >= 500:
            return self._again(oid, f"Graph answered {item.status}", False)
        if item.status != 200:
            error = read_error(item.status, item.body)
            return [(oid, Unread(f"Graph answered {error.brief}", gone=item.status == 404))]
        try:
            return [(oid, phones_of(read_row(PhonePage, item.body).value))]
        except DirectoryUnavailable as error:
            return [(oid, Unread(error.what))]

    def _again(self, oid: str, what: str, throttled: bool) -> list[Found]:
        counter, most = (self._throttles, _THROTTLES) if throttled else (self._tries, _TRIES)
        counter[oid] += 1
        if counter[oid] >= most:
            return [(oid, Unread(what))]
        self._todo.append(oid)
        return []
