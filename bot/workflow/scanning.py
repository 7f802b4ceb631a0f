"""Reading everybody's phones, slowly and again and again, so that the index knows the whole directory.

Knows pages, pace and where it stands; it goes on there after a crash. Must not know what the index is asked.
One replica at a time, by a lease; part of a round that is read twice does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.numbers import Scan
from bot.domain.people import Phones
from bot.ports import Clock, Directory, DirectoryUnavailable
from bot.workflow.numbering import NumberBook, NumberIndex, PeopleList

log = logging.getLogger(__name__)
LEASE_NAME = "number-scan"
LEASE = timedelta(minutes=5)
#: A new round begins a day after the last one began, or at its end when it takes longer.
EVERY = timedelta(hours=24)
AGAIN = timedelta(minutes=1)
_MOST_AT_ONCE = 999
_SLICES_A_MINUTE = 6
_PAGE, _SWEEP = "page:", "sweep:"


class Scanning:
    """One step at a time, driven by the clock. directory: must note what it reads in `index`."""

    def __init__(
        self,
        people: PeopleList,
        directory: Directory,
        book: NumberBook,
        index: NumberIndex,
        clock: Clock,
        worker: str,
        people_per_minute: int,
    ) -> None:
        self._people = people
        self._directory = directory
        self._book = book
        self._index = index
        self._clock = clock
        self._worker = worker
        self._pace = people_per_minute
        self._slice = min(max(people_per_minute // _SLICES_A_MINUTE, 1), _MOST_AT_ONCE)

    async def step(self) -> timedelta:
        """Do what is due, and say how long to wait: a minute at most. Raises StoreUnavailable."""
        now = self._clock.now()
        if not await self._book.hold_lease(LEASE_NAME, self._worker, now, now + LEASE):
            return AGAIN
        before = await self._book.scan()
        scan = before or Scan(now, now)
        if now < scan.due_at:
            return min(scan.due_at - now, AGAIN)
        if scan.finished_at is not None:
            scan = replace(scan, started_at=now, cursor="", finished_at=None, seen=0)
        try:
            after = await self._read_on(scan, now)
        except DirectoryUnavailable as error:
            log.info("the scan waits for the directory", extra={"why": error.what})
            after = replace(scan, due_at=now + max(error.retry_after or AGAIN, AGAIN))
        await self._book.keep_scan(after)
        return min(max(after.due_at - self._clock.now(), timedelta()), AGAIN)

    async def _read_on(self, scan: Scan, now: datetime) -> Scan:
        if scan.cursor.startswith(_SWEEP):
            return await self._sweep(scan, now)
        page = await self._people.people_page(scan.cursor.removeprefix(_PAGE), self._slice)
        if page is None:
            log.warning("the directory does not continue the list of people: the scan begins again")
            return replace(scan, started_at=now, cursor="", seen=0, due_at=now + AGAIN)
        seen = await self._read(page.people)
        total = scan.total if page.total is None else page.total
        cursor = _PAGE + page.next if page.next else _SWEEP
        due_at = now + self._time_for(len(page.people))
        return replace(scan, cursor=cursor, total=total, seen=scan.seen + seen, due_at=due_at)

    async def _sweep(self, scan: Scan, now: datetime) -> Scan:
        """Whoever is in the index but was not read in this round: gone, or unreadable. Asked once more."""
        left = await self._book.unseen_since(scan.started_at, scan.cursor.removeprefix(_SWEEP), self._slice)
        if not left:
            log.info("the scan is finished", extra={"people": scan.seen})
            due_at = max(scan.started_at + EVERY, now)
            return replace(scan, cursor="", finished_at=now, whole_since=scan.started_at, due_at=due_at)
        seen = await self._read(left)
        return replace(
            scan, cursor=_SWEEP + left[-1], seen=scan.seen + seen, due_at=now + self._time_for(len(left))
        )

    async def _read(self, people: Sequence[str]) -> int:
        """How many could be read. Everything seen is in the store when this returns."""
        self._index.forget_recent(people)
        lost, seen = self._index.lost, 0
        async for _, found in self._directory.phones_of_many(people):
            seen += isinstance(found, Phones)
        await self._index.settle()
        if self._index.lost != lost:
            raise DirectoryUnavailable("what was read could not be kept")
        return seen

    def _time_for(self, people: int) -> timedelta:
        return timedelta(minutes=people / self._pace)
