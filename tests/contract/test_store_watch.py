"""What one process makes due the others hear of, and a lost word costs a second, not a message."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from store_desk import START, Place, change, created, message

from bot.domain.change import State
from bot.ports import Commit
from bot.store import SqlStore

SECONDS = 5.0


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self.rung = 0
        self._news = asyncio.Event()

    def ring(self) -> None:
        self.rung += 1
        self._news.set()

    async def heard(self) -> None:
        """Returns at the next ring after the last call; TimeoutError when nobody rings."""
        async with asyncio.timeout(SECONDS):
            await self._news.wait()
        self._news.clear()


async def watching(store: SqlStore, bell: Bell, place: Place) -> None:
    await store.watch(bell.ring)
    if not place.is_sqlite:
        # The first ring says that it listens: something may have become due before.
        await bell.heard()


async def test_the_others_hear_what_became_due(postgres_place: Place) -> None:
    """A message, and a change that is due at once, wake the other process; our own bell stays quiet."""
    here, there = Bell(), Bell()
    async with postgres_place.opened() as one, postgres_place.opened() as other:
        await watching(one, here, postgres_place)
        await watching(other, there, postgres_place)
        await one.commit(Commit(at=START, messages=(message("m1"),)))
        await there.heard()
        await created(one, "AAAAA1", State.APPROVED, due_at=START)
        await there.heard()
        await other.commit(Commit(at=START, messages=(message("m2"),)))
        await here.heard()
        assert here.rung == 2, "we are not woken by ourselves"


async def test_what_is_due_later_wakes_nobody(postgres_place: Place) -> None:
    """A deadline in an hour is no news: the next word that comes is the one about the message behind it."""
    there = Bell()
    async with postgres_place.opened() as one, postgres_place.opened() as other:
        await one.watch(lambda: None)
        await watching(other, there, postgres_place)
        await created(one, "AAAAA1", State.PENDING, due_at=START + timedelta(hours=1))
        await one.commit(Commit(at=START, messages=(message("m1"),)))
        await there.heard()
        assert there.rung == 2


async def test_a_lost_connection_is_made_anew(postgres_place: Place) -> None:
    """The server ends the listening connections: they come back by themselves, and rings are heard again."""
    there = Bell()
    async with postgres_place.opened() as one, postgres_place.opened() as other:
        await one.watch(lambda: None)
        await watching(other, there, postgres_place)
        postgres_place.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'ringfence watch'"
            " AND query LIKE '%' || substr(md5(current_schema()), 1, 16) || '%'"
        )
        # A new connection rings, since something may have been missed.
        await there.heard()
        telling = asyncio.create_task(_go_on_telling(one))
        await there.heard()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _go_on_telling(store: SqlStore) -> None:
    """Its own connection comes back in its own time."""
    n = 0
    while True:
        n += 1
        await store.commit(Commit(at=START, messages=(message(f"m{n}"),)))
        await asyncio.sleep(0.02)


async def test_watching_ends_with_the_store(place: Place) -> None:
    """Closing ends the listening at once and quietly, twice too; one process alone listens to nobody."""
    bell = Bell()
    async with place.opened() as store:
        await watching(store, bell, place)
        await store.watch(bell.ring)
        await store.commit(Commit(at=START, create=change("AAAAA1"), messages=(message("m1"),)))
        async with asyncio.timeout(SECONDS):
            await store.close()
            await store.close()
    assert bell.rung == (0 if place.is_sqlite else 1)
