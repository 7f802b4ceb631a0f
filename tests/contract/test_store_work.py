"""Claims and messages: due work is handed out once, comes back when its holder dies, and is never lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest
from store_desk import MINUTE, SECOND, START, Place, created, message, moved

from bot.domain.change import State
from bot.domain.people import PersonRef
from bot.ports import Commit, Lost, LostBecause, Move, Won
from bot.store import SqlStore

S = State


async def due(store: SqlStore, key: str, minutes: int) -> None:
    person = PersonRef(f"target-{key}", "T", "t@contoso.example")
    await created(store, key, S.APPROVED, target=person, due_at=START + minutes * MINUTE)


async def test_due_changes_are_claimed_oldest_first(store: SqlStore) -> None:
    """Only what is due, at most the limit, whole, leased to the worker and one version on."""
    for key, minutes in (("LATER1", 6), ("SECON1", 2), ("FIRST1", 1), ("THIRD1", 3)):
        await due(store, key, minutes)
    await created(store, "NEVER1", target=SECOND)
    now = START + 5 * MINUTE
    first = await store.claim_changes("w1", now, MINUTE, 2)
    assert [c.id for c in first] == ["FIRST1", "SECON1"]
    assert {(c.lease_owner, c.lease_until, c.row_version) for c in first} == {("w1", now + MINUTE, 2)}
    assert first[0] == await store.change("FIRST1")
    assert [c.id for c in await store.claim_changes("w2", now, MINUTE, 9)] == ["THIRD1"]
    assert await store.claim_changes("w3", now, MINUTE, 9) == ()


async def test_two_workers_never_hold_the_same(place: Place) -> None:
    """Many claims at once, on PostgreSQL from two processes' stores: each change is handed out once."""
    async with place.opened() as first:
        for n in range(60):
            await due(first, f"AAAA{n:02}", 0)

        async def both(second: SqlStore) -> list[str]:
            claims = [
                store.claim_changes(f"w{n}", START, MINUTE, 7) for n, store in enumerate([first, second] * 10)
            ]
            return [c.id for claimed in await asyncio.gather(*claims) for c in claimed]

        if place.is_sqlite:
            claimed = await both(first)
        else:
            async with place.opened() as second:
                claimed = await both(second)
        claimed += [c.id for c in await first.claim_changes("last", START, MINUTE, 99)]
        assert sorted(claimed) == [f"AAAA{n:02}" for n in range(60)]


async def test_a_dead_worker_is_relieved_and_fenced_off(store: SqlStore) -> None:
    """When a lease runs out another worker gets the change, and the late result of the first is refused."""
    await due(store, "AAAAA1", 0)
    (slow,) = await store.claim_changes("slow", START, MINUTE, 1)
    assert await store.claim_changes("quick", START + MINUTE, MINUTE, 1) == ()
    (taken,) = await store.claim_changes("quick", START + MINUTE * 1.001, MINUTE, 1)
    assert taken.lease_owner == "quick"
    late = Move(slow, replace(slow, state=S.APPLYING))
    assert await store.commit(Commit(at=START, moves=(late,))) == Lost(LostBecause.MOVED, taken)
    kept = await moved(store, taken, S.APPLYING)
    assert (kept.lease_owner, kept.lease_until) == ("quick", taken.lease_until)
    freed = await moved(store, kept, S.UNCONFIRMED, lease_owner="", lease_until=None)
    (again,) = await store.claim_changes("slow", START + 2 * MINUTE, MINUTE, 1)
    assert again.row_version == freed.row_version + 1


async def test_leases_can_be_given_back(store: SqlStore) -> None:
    """A worker that ends returns its own; at start of a single process everybody's are freed."""
    for key in ("AAAAA1", "AAAAA2"):
        await due(store, key, 0)
    await store.commit(Commit(at=START, messages=(message("m1"),)))
    await store.claim_changes("w1", START, MINUTE, 1)
    (other,) = await store.claim_changes("w2", START, MINUTE, 1)
    await store.claim_messages("w2", START, MINUTE, 9)
    await store.release_leases("w1")
    assert [c.id for c in await store.claim_changes("w3", START, MINUTE, 9)] == ["AAAAA1"]
    await store.release_leases(None)
    assert len(await store.claim_changes("w4", START, MINUTE, 9)) == 2
    assert len(await store.claim_messages("w4", START, MINUTE, 9)) == 1
    assert other.lease_owner == "w2"


async def test_a_message_is_unclaimed_until_somebody_takes_it_up(store: SqlStore) -> None:
    """Put off it can be taken up anew; what is being sent, is over or never was is not left to be claimed."""
    await store.commit(Commit(at=START, messages=(message("m1"),)))
    assert await store.message_unclaimed("m1")
    assert not await store.message_unclaimed("m2")
    await store.claim_messages("w1", START, MINUTE, 9)
    assert not await store.message_unclaimed("m1")
    await store.message_later("m1", START + MINUTE)
    assert await store.message_unclaimed("m1")
    await store.message_done("m1")
    assert not await store.message_unclaimed("m1")


async def test_a_row_that_makes_no_sense_stops_nobody_else(
    place: Place, store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A spoiled row is left alone and logged; the others are handed out."""
    await due(store, "SPOILT", 0)
    await due(store, "AAAAA1", 1)
    place.sql("UPDATE changes SET state = 'nonsense' WHERE id = 'SPOILT'")
    assert [c.id for c in await store.claim_changes("w", START + MINUTE, MINUTE, 9)] == ["AAAAA1"]
    assert "SPOILT" in caplog.text


async def test_what_never_moves_is_looked_at_less_and_less(store: SqlStore) -> None:
    """From the fifth claim in a row on each holds twice as long, an hour at most; others are not held up."""
    await due(store, "AAAAA1", 0)
    now, held = START, []
    for n in range(13):
        assert len(await store.claim_changes(f"w{n}", now, MINUTE, 9)) == 1
        again = await store.next_change()
        assert again is not None
        held.append(round((again - now) / MINUTE))
        now = again + MINUTE / 60
    assert held == [1, 1, 1, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert len(await store.claim_changes("w", now, MINUTE, 9)) == 1
    await due(store, "AAAAA2", round((now - START) / MINUTE))
    assert [c.id for c in await store.claim_changes("w", now + MINUTE, MINUTE, 9)] == ["AAAAA2"]


async def test_what_was_put_aside_together_comes_back_one_by_one(store: SqlStore) -> None:
    """One of them may end the process: the others must not be in its hands each time."""
    keys = {f"AAAAA{n}" for n in range(4)}
    for key in sorted(keys):
        await due(store, key, 0)
    now = START
    for n in range(5):
        assert {c.id for c in await store.claim_changes(f"w{n}", now, MINUTE, 9)} == keys
        now += 3 * MINUTE
    back = {}
    for step in range(25):
        for one in await store.claim_changes("w", now + (step - 35) * MINUTE / 12, MINUTE, 9):
            back[one.id] = step
    assert set(back) == keys
    assert len(set(back.values())) == 4
    assert min(back.values()) > 10


async def test_messages_wait_are_tried_and_end(store: SqlStore) -> None:
    """Attempts are counted, a put-off one comes at its time, done and dead ones never come again."""
    told = (message("done"), message("dead"), message("soon", due_at=START + 5 * MINUTE), message("again"))
    await store.commit(Commit(at=START, messages=told))
    first = await store.claim_messages("w", START, MINUTE, 9)
    assert [(m.key, m.attempts) for m in first] == [("again", 1), ("dead", 1), ("done", 1)]
    await store.message_done("done")
    await store.message_dead("dead", "blocked the bot")
    await store.message_later("again", START + 2 * MINUTE)
    assert await store.claim_messages("w", START + MINUTE, MINUTE, 9) == ()
    second = await store.claim_messages("w", START + 9 * MINUTE, MINUTE, 9)
    assert [(m.key, m.attempts) for m in second] == [("again", 2), ("soon", 1)]
    await store.message_later("done", START)
    third = await store.claim_messages("w", START + 99 * MINUTE, MINUTE, 9)
    assert [m.key for m in third] == ["again", "soon"]


async def test_a_message_is_enqueued_once(store: SqlStore) -> None:
    """The same key again is ignored, also after it was sent."""
    assert isinstance(await store.commit(Commit(at=START, messages=(message("m"), message("m")))), Won)
    assert len(await store.claim_messages("w", START, MINUTE, 9)) == 1
    await store.message_done("m")
    assert isinstance(await store.commit(Commit(at=START, messages=(message("m"),))), Won)
    assert await store.claim_messages("w", START + 9 * MINUTE, MINUTE, 9) == ()


async def test_the_next_due_time_looks_at_leases(store: SqlStore) -> None:
    """Sleep until the first change or message is due, or until a lease that holds it runs out."""

    async def next_due() -> tuple[datetime | None, datetime | None]:
        return await store.next_change(), await store.next_message()

    assert await next_due() == (None, None)
    await due(store, "AAAAA1", 5)
    assert await next_due() == (START + 5 * MINUTE, None)
    await store.commit(Commit(at=START, messages=(message("m", due_at=START + 3 * MINUTE),)))
    assert await next_due() == (START + 5 * MINUTE, START + 3 * MINUTE)
    await store.claim_messages("w", START + 3 * MINUTE, 10 * MINUTE, 9)
    assert await next_due() == (START + 5 * MINUTE, START + 13 * MINUTE)
    await store.claim_changes("w", START + 5 * MINUTE, 4 * MINUTE, 9)
    assert await next_due() == (START + 9 * MINUTE, START + 13 * MINUTE)
    await store.message_done("m")
    done = await store.change("AAAAA1")
    assert done is not None
    await moved(store, done, S.EXPIRED, due_at=None)
    assert await next_due() == (None, None)


async def test_pauses_are_kept_and_only_ever_grow(place: Place) -> None:
    """What the directory asked for is still known after a restart; an earlier end shortens nothing."""
    async with place.opened() as store:
        await store.keep_lane_pause("tenant/reads", START + 2 * MINUTE)
        await store.keep_lane_pause("tenant/reads", START + MINUTE)
        await store.keep_lane_pause("tenant/writes", START)
        await store.keep_lane_pause("tenant/writes", START + MINUTE)
    async with place.opened() as again:
        kept = await again.lane_pauses()
    assert kept == {"tenant/reads": START + 2 * MINUTE, "tenant/writes": START + MINUTE}
