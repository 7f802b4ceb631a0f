"""What the store promises about rows that have outlived their use, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from store_desk import AGENT, MANAGER, START, TARGET, TENANT, Place, created, message

from bot.domain.freeze import Freeze, FreezeKind
from bot.ports import Commit, Conversation, Outlived, Received, Thaw
from bot.store import SqlStore

DAY = timedelta(days=1)
OLD = START - 10 * DAY
CUT = Outlived(*[START - 5 * DAY] * 4)


def received(n: int) -> Received:
    return Received("conv", f"act-{n}", "hash")


async def test_old_rows_go_and_the_rest_stays(store: SqlStore, place: Place) -> None:
    """Inbox, ended messages, conversations and ended freezes by age; what waits or holds is never old."""
    for at, n in ((OLD, 1), (START, 2)):
        await store.commit(Commit(at=at, received=received(n), messages=(message(f"m{n}"),)))
    await store.message_done("m2")
    place.sql("UPDATE outbox SET ended_at = NULL, state = 'waiting' WHERE key = 'm1'")
    for oid in (AGENT.oid, MANAGER.oid):
        await store.remember_conversation(Conversation(oid, TENANT, "c", "https://x.example"))
    old_time = "2026-01-01T00:00:00.000000Z" if place.is_sqlite else "2026-01-01T00:00:00Z"
    place.sql("UPDATE conversations SET seen_at = :at WHERE oid = :oid", {"at": old_time, "oid": AGENT.oid})
    holds = Freeze(TARGET, MANAGER, FreezeKind.FRAUD, OLD)
    over = replace(holds, person=AGENT)
    await store.commit(Commit(at=OLD, freezes=(holds, over)))
    await store.commit(Commit(at=OLD, thaws=(Thaw(over, replace(over, ended_at=OLD)),)))

    assert await store.prune(CUT, 100) == 3
    assert await store.received("conv", "act-1") is None
    assert await store.received("conv", "act-2") is not None
    assert await store.conversation(AGENT.oid) is None
    assert await store.conversation(MANAGER.oid) is not None
    assert await store.freeze_of(TARGET.oid) == holds
    assert await store.last_freeze(AGENT.oid) is None
    assert place.sql("SELECT count(*) FROM outbox") == [(2,)]
    assert await store.prune(CUT, 100) == 0


async def test_only_so_many_rows_at_a_time(store: SqlStore) -> None:
    """A long pause is worked off in bounded steps."""
    for n in range(7):
        await store.commit(Commit(at=OLD, received=received(n)))
    assert [await store.prune(CUT, 3) for _ in range(4)] == [3, 3, 1, 0]


async def test_ended_messages_go_and_changes_never(store: SqlStore, place: Place) -> None:
    """A message that was given up or delivered goes with its age; requests and their audit stay."""
    await created(store, "AAAAA1")
    await store.commit(Commit(at=OLD, messages=(message("done"), message("dead"))))
    await store.message_done("done")
    await store.message_dead("dead", "gone")
    later = Outlived(*[START + DAY] * 4)
    assert await store.prune(later, 100) == 2
    assert await store.change("AAAAA1") is not None
    records, _ = await store.history(TARGET.oid, 10)
    assert len(records) == 1


async def test_a_conversation_from_before_its_age_was_kept_counts_from_now(
    store: SqlStore, place: Place
) -> None:
    """Rows without an age are not deleted at once, nor kept for ever."""
    await store.remember_conversation(Conversation(AGENT.oid, TENANT, "c", "https://x.example"))
    place.sql("UPDATE conversations SET seen_at = NULL")
    assert await store.prune(CUT, 100) == 0
    assert place.sql("SELECT count(*) FROM conversations WHERE seen_at IS NULL") == [(0,)]
