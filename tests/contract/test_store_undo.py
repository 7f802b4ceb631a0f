"""What the store promises about numbers that were replaced, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from store_desk import NUMBER, START, Place, created, moved, operation

from bot.domain.change import UNDO_WINDOW, Change, OpState, State
from bot.domain.phone import PhoneNumber, Purpose, Slot
from bot.domain.policy import Action
from bot.ports import Commit, Move, Won
from bot.store import SealBroken, SqlStore

OLD = PhoneNumber("1", "2065550188")
OLDER = PhoneNumber("44", "2079460018")
LATER = START + timedelta(hours=1)


async def begun(store: SqlStore, key: str = "AAAAA1", **given: object) -> Change:
    """At its intent: what its operations replace is handed over."""
    ready = await created(store, key, State.APPROVED, **given)
    op = replace(ready.operations[0], state=OpState.SENDING, attempt=1, sent_at=START)
    sending = replace(ready.having(op), state=State.APPLYING)
    won = await store.commit(
        Commit(at=START, moves=(Move(ready, sending),), earlier={key: {1: OLD, 2: OLDER}})
    )
    assert isinstance(won, Won)
    return won.changes[0]


async def finished(store: SqlStore, was: Change, state: State = State.APPLIED) -> Change:
    won = await store.commit(Commit(at=LATER, moves=(Move(was, replace(was, state=state)),)))
    assert isinstance(won, Won)
    return won.changes[0]


TWO = (operation(), operation(Slot.ALTERNATE, 2))


async def test_what_was_replaced_is_kept_for_the_window_and_not_longer(store: SqlStore, place: Place) -> None:
    """Readable until 72 hours after the end; then not, also before the job has run; then nothing is left."""
    change = await begun(store, operations=TWO)
    assert await store.earlier(change.id, START) == {1: OLD, 2: OLDER}
    await finished(store, change)
    last = LATER + UNDO_WINDOW - timedelta(seconds=1)
    assert await store.earlier(change.id, last) == {1: OLD, 2: OLDER}
    assert await store.earlier(change.id, LATER + UNDO_WINDOW) is None
    assert await store.destroy_earlier(last, 10) == 0
    assert await store.destroy_earlier(LATER + UNDO_WINDOW, 10) == 1
    assert place.sql("SELECT count(*) FROM sealed_earlier") == [(0,)]
    assert place.sql("SELECT count(*) FROM undo_keys") == [(0,)]


@pytest.mark.parametrize("end", [State.FAILED, State.BLOCKED])
async def test_no_other_end_keeps_it(store: SqlStore, end: State, place: Place) -> None:
    """Whatever was not applied leaves no earlier number behind."""
    await finished(store, await begun(store), end)
    assert await store.earlier("AAAAA1", LATER) is None
    assert place.sql("SELECT count(*) FROM sealed_earlier") == [(0,)]


async def test_nothing_replaced_is_kept_as_nothing(store: SqlStore) -> None:
    """A change that filled an empty slot can be undone though it has no number to keep."""
    ready = await created(store, "AAAAA1", State.APPROVED)
    op = replace(ready.operations[0], state=OpState.SENDING, attempt=1, sent_at=START)
    intent = Move(ready, replace(ready.having(op), state=State.APPLYING))
    await store.commit(Commit(at=START, moves=(intent,), earlier={"AAAAA1": {}}))
    assert await store.earlier("AAAAA1", START) == {}
    assert await store.earlier("AAAAA2", START) is None


async def test_an_applied_undo_destroys_what_it_restored(store: SqlStore) -> None:
    """Once undone, the number stands in the directory again and is kept nowhere else."""
    first = await finished(store, await begun(store))
    undo = await begun(store, "AAAAA2", action=Action.UNDO, parent_id=first.id)
    assert await store.earlier(first.id, LATER) is not None
    assert [child.id for child in await store.children(first.id)] == [undo.id]
    await finished(store, undo)
    assert await store.earlier(first.id, LATER) is None
    assert await store.earlier(undo.id, LATER) == {1: OLD, 2: OLDER}


async def test_each_change_has_a_key_of_its_own(store: SqlStore, place: Place) -> None:
    """A sealed number opens neither in another row nor with another change's key, and shows in no page."""
    await begun(store, "AAAAA1")
    await begun(store, "AAAAA2", target=replace((await moved_target(store)).target, oid="other"))
    place.sql(
        "UPDATE sealed_earlier SET sealed = (SELECT s.sealed FROM sealed_earlier s WHERE "
        "s.change_id = 'AAAAA1' AND s.n = 1) WHERE change_id = 'AAAAA2' AND n = 1"
    )
    with pytest.raises(SealBroken):
        await store.earlier("AAAAA2", START)
    with place.back.connect() as connection:
        sealed = connection.execute(sa.text("SELECT sealed FROM sealed_earlier")).scalars().all()
    assert all(OLD.reveal(Purpose.COMPARE).encode() not in bytes(value) for value in sealed)
    assert NUMBER != OLD


async def moved_target(store: SqlStore) -> Change:
    found = await store.change("AAAAA1")
    assert found is not None
    return found


async def test_the_same_numbers_come_twice(store: SqlStore) -> None:
    """A second intent of the same plan gives the same again: one row, same key."""
    change = await begun(store)
    back = await moved(store, change, State.APPROVED)
    again = replace(back.operations[0], state=OpState.SENDING, attempt=2, sent_at=START)
    intent = Move(back, replace(back.having(again), state=State.APPLYING))
    won = await store.commit(Commit(at=START, moves=(intent,), earlier={change.id: {1: OLD}}))
    assert isinstance(won, Won)
    assert await store.earlier(change.id, START) == {1: OLD, 2: OLDER}
