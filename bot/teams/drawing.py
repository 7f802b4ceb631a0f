"""Whose turn it is to draw the cards of a change, so that an older drawing never lands after a newer one.

Knows locks and leases. Must not know cards. Within one process a lock is enough; processes that share a
database take a lease, which outlives the longest call to Teams.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

from bot.ports import Clock, LeaseBook

LEASE = timedelta(seconds=40)
RENEW_AFTER = timedelta(seconds=15)
PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = 0.05


class NotOurTurn(Exception):
    """Another process draws this change now: later."""


class Turns:
    """book: of leases, where several processes draw; None = this one alone. worker: unique per process."""

    def __init__(self, book: LeaseBook | None, clock: Clock, worker: str) -> None:
        self._book = book
        self._clock = clock
        self._worker = worker
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def of(self, change_id: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """The turn, once it is ours. Gives what must be called before each drawing. Both raise NotOurTurn."""
        lock = self._locks.setdefault(change_id, asyncio.Lock())
        async with lock:
            if self._book is None:
                yield _nothing
                return
            turn = _Leased(self._book, self._clock, self._worker, f"draw|{change_id}")
            await turn.take()
            try:
                yield turn.still_ours
            finally:
                await self._book.release_lease(turn.name, self._worker)


class _Leased:
    def __init__(self, book: LeaseBook, clock: Clock, worker: str, name: str) -> None:
        self._book, self._clock, self._worker = book, clock, worker
        self._renewed = clock.now()
        self.name = name

    async def take(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while not await self._hold():
            if loop.time() > deadline:
                raise NotOurTurn
            await asyncio.sleep(_LOOK_SECONDS)

    async def still_ours(self) -> None:
        """Lengthens the lease when it is no longer fresh."""
        if self._clock.now() - self._renewed > RENEW_AFTER and not await self._hold():
            raise NotOurTurn

    async def _hold(self) -> bool:
        now: datetime = self._clock.now()
        held = await self._book.hold_lease(self.name, self._worker, now, now + LEASE)
        if held:
            self._renewed = now
        return held


async def _nothing() -> None:
    return None
