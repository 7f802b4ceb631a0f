"""What a process remembers of Teams is never believed for long, and two of them never draw at once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.ports import Conversation
from bot.store import KeyRing, SqlStore, open_store
from bot.teams.addresses import Addresses
from bot.teams.drawing import LEASE, RENEW_AFTER, NotOurTurn, Turns

ANA = Conversation("ana", "tenant", "chat-1", "https://smba.example/emea/")


class HandClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 25, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = await open_store(f"sqlite:///{tmp_path / 'r.db'}", KeyRing([("k", b"1" * 32)]), HandClock())
    yield opened
    await opened.close()
    shutil.rmtree(tmp_path)


def two_processes(store: SqlStore, clock: HandClock) -> tuple[Addresses, Addresses]:
    return Addresses(store, clock, "", "tenant", "28:bot"), Addresses(store, clock, "", "tenant", "28:bot")


async def test_a_conversation_that_another_process_changed_is_noticed(store: SqlStore) -> None:
    """Here, there, and here again: after a minute the message that comes here is what counts."""
    clock = HandClock()
    one, other = two_processes(store, clock)
    await one.met(ANA)
    await other.met(replace(ANA, conversation_id="chat-2"))
    clock.time += timedelta(seconds=61)
    await one.met(ANA)
    assert await store.conversation("ana") == ANA
    await other.left("ana")
    clock.time += timedelta(seconds=61)
    await one.met(ANA)
    assert await store.conversation("ana") == ANA


async def test_an_installation_counts_at_once(store: SqlStore) -> None:
    """Removed there and installed here in the same second: they can be reached."""
    one, other = two_processes(store, HandClock())
    await one.met(ANA)
    await other.left("ana")
    await one.met(ANA, anew=True)
    assert await store.conversation("ana") == ANA


async def test_a_process_that_met_nobody_asks_where_others_did(store: SqlStore) -> None:
    """Where the cloud has no address to begin at, one that another process was told is used."""
    one, other = two_processes(store, HandClock())
    assert await other.start() == ""
    await one.met(ANA)
    assert await other.start() == ANA.service_url


async def test_two_processes_never_draw_a_change_at_once(store: SqlStore) -> None:
    """The second begins when the first has ended; another change is drawn beside it."""
    clock = HandClock()
    one, other = Turns(store, clock, "w1"), Turns(store, clock, "w2")
    drawn: list[str] = []
    inside = asyncio.Event()

    async def slow() -> None:
        async with one.of("A") as still_ours:
            inside.set()
            await asyncio.sleep(0.1)
            await still_ours()
            drawn.append("first")

    async def after() -> None:
        await inside.wait()
        async with other.of("B"):
            drawn.append("beside")
        async with other.of("A"):
            drawn.append("second")

    await asyncio.gather(slow(), after())
    assert drawn == ["beside", "first", "second"]


async def test_who_slept_too_long_does_not_draw_any_more(store: SqlStore) -> None:
    """A process that stood still beyond its lease finds another drawing; a dead one blocks nobody."""
    clock = HandClock()
    one, other = Turns(store, clock, "w1"), Turns(store, clock, "w2")
    async with one.of("A") as still_ours:
        clock.time += RENEW_AFTER + timedelta(seconds=1)
        await still_ours()
        clock.time += LEASE + timedelta(seconds=1)
        async with other.of("A"):
            with pytest.raises(NotOurTurn):
                await still_ours()
    async with other.of("A"):
        pass
