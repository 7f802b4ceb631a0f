"""The order of work in one process: the write first, then the news of it, and neither waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from asking import approve, pending

from bot.domain.change import State
from bot.ports import Delivered, Message, MessageKind, Store
from tests.doubles.house import House, NotingMessenger, house


@dataclass
class SeeingMessenger(NotingMessenger):
    """Notes in which state a change was when its cards were redrawn. told: somebody heard of the end."""

    store: Store | None = None
    drawn: list[State] = field(default_factory=list)
    redrawn: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, message: Message) -> Delivered:
        change = await self.store.change(message.change_id) if self.store else None
        if change is not None and message.kind is MessageKind.REDRAW:
            self.drawn.append(change.state)
            self.redrawn.set()
        if message.kind is MessageKind.NOTICE and ":ended" in message.key:
            self.told.set()
        return await super().deliver(message)


@pytest.fixture
async def seen() -> SeeingMessenger:
    return SeeingMessenger()


@pytest.fixture
async def h(tmp_path: Path, seen: SeeingMessenger) -> AsyncIterator[House]:
    async with house(tmp_path, messenger=seen) as made:
        yield made


@contextlib.asynccontextmanager
async def at_work(h: House) -> AsyncIterator[None]:
    running = asyncio.create_task(h.jobs.run())
    try:
        yield
    finally:
        h.jobs.stop()
        await asyncio.wait_for(running, 5)


async def test_cards_are_drawn_once_the_write_is_over(h: House, seen: SeeingMessenger) -> None:
    """After a vote the directory is served before the cards, which then show what came of it at once."""
    sent = await pending(h)
    seen.store = h.store
    async with at_work(h):
        await approve(h, sent)
        h.jobs.wake()
        await asyncio.wait_for(seen.told.wait(), 5)
    assert set(seen.drawn) == {State.APPLIED}
    assert len(h.directory.effects) == 1


async def test_a_write_that_takes_long_does_not_hold_up_the_news(h: House, seen: SeeingMessenger) -> None:
    """Cards say that it is being carried out while the directory has not answered."""
    sent = await pending(h)
    seen.store = h.store

    async def until_seen() -> None:
        await asyncio.wait_for(seen.redrawn.wait(), 5)

    h.directory.before["write"] = until_seen
    async with at_work(h):
        await approve(h, sent)
        h.jobs.wake()
        await asyncio.wait_for(seen.told.wait(), 5)
    assert seen.drawn[0] is State.APPLYING
    assert len(h.directory.effects) == 1
