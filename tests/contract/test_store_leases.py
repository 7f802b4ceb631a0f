"""Leases by name, and what several processes record once: each holder alone, no longer than it said."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from store_desk import MINUTE, START, Place, event, recorded

from bot.ports import Conversation
from bot.store import SqlStore


async def test_a_lease_has_one_holder(store: SqlStore) -> None:
    """Of ten who ask one gets it, may lengthen it, and gives it back; it ends by itself, too."""

    async def ask(worker: str, now: int = 0) -> bool:
        at = START + now * MINUTE
        return await store.hold_lease("draw", worker, at, at + 5 * MINUTE)

    first = await asyncio.gather(*(ask(f"w{n}") for n in range(10)))
    assert sum(first) == 1
    holder, another = f"w{first.index(True)}", f"w{first.index(False)}"
    assert await ask(holder, 4)
    assert not await ask(another, 6)
    await store.release_lease("draw", another)
    assert not await ask(another, 6)
    await store.release_lease("draw", holder)
    assert await ask(another, 6)
    assert await ask(holder, 12)


async def test_once_is_once_for_all_processes(place: Place) -> None:
    """The same refusal seen by several at the same time is one record a minute."""
    async with place.opened() as one:
        stores = [one] * 6
        if not place.is_sqlite:
            async with place.opened() as other:
                await _refused(stores[:3] + [other] * 3)
        else:
            await _refused(stores)
        assert await recorded(one) == 2
        await one.append_audit(START + MINUTE, [event()], once="other", until=START + 2 * MINUTE)
        assert await recorded(one) == 3


async def _refused(stores: list[SqlStore]) -> None:
    for later in (timedelta(), timedelta(seconds=59), MINUTE):
        at = START + later
        await asyncio.gather(
            *(s.append_audit(at, [event()], once="ana|code", until=at + MINUTE) for s in stores)
        )


async def test_an_address_where_somebody_was_met(store: SqlStore) -> None:
    """Nothing while nobody was met; then the one that is known."""
    assert await store.service_url() == ""
    await store.remember_conversation(Conversation("ana", "tenant", "chat", "https://smba.example/"))
    assert await store.service_url() == "https://smba.example/"
