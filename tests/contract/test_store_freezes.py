"""What the store promises about freezes and switches, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from store_desk import AGENT, MANAGER, MINUTE, SECOND, START, TARGET, Place, change, created, moved, vote

from bot.domain.change import Change, OpState, State, Verdict
from bot.domain.freeze import Freeze, FreezeKind, Lift
from bot.domain.switch import NOBODY, Switch, SwitchName
from bot.ports import Ceiling, Commit, Lost, LostBecause, Move, Switching, Thaw, Won
from bot.store import SqlStore

FREEZE = Freeze(
    TARGET, MANAGER, FreezeKind.FRAUD, START, "AAAAA1", "a strange voice", (MANAGER.oid, AGENT.oid)
)


async def frozen(store: SqlStore, freeze: Freeze = FREEZE) -> Freeze:
    assert isinstance(await store.commit(Commit(at=freeze.at, freezes=(freeze,))), Won)
    found = await store.freeze_of(freeze.person.oid)
    assert found is not None
    return found


async def test_a_freeze_comes_back_as_it_was_set(store: SqlStore) -> None:
    """Every part of a freeze is kept, and only the frozen person has one."""
    assert await store.freeze_of(TARGET.oid) is None
    assert await frozen(store) == FREEZE
    assert await store.freeze_of(AGENT.oid) is None
    assert await store.freezes(10) == (FREEZE,)
    assert await store.last_freeze(TARGET.oid) == FREEZE


async def test_a_second_freeze_bars_more_people_and_takes_back_lifts(store: SqlStore) -> None:
    """Whoever freezes again can only make it harder to lift: nobody is freed, and lifting begins anew."""
    held = await frozen(store)
    once = replace(held, lifts=(Lift(SECOND, START + MINUTE),))
    assert isinstance(await store.commit(Commit(at=START, thaws=(Thaw(held, once),))), Won)
    again = replace(FREEZE, by=SECOND, kind=FreezeKind.SECURITY, at=START + 2 * MINUTE, barred=(SECOND.oid,))
    merged = await frozen(store, again)
    assert merged == replace(FREEZE, barred=(MANAGER.oid, AGENT.oid, SECOND.oid))


async def test_a_lift_is_lost_when_the_freeze_has_grown(store: SqlStore) -> None:
    """A lift counts only for the freeze that was seen; of two at once one wins."""
    held = await frozen(store)
    steps = [Thaw(held, replace(held, lifts=(Lift(who, START + MINUTE),))) for who in (SECOND, AGENT)]
    results = await asyncio.gather(*(store.commit(Commit(at=START, thaws=(step,))) for step in steps))
    assert sorted(type(result).__name__ for result in results) == ["Lost", "Won"]
    found = await store.freeze_of(TARGET.oid)
    assert found is not None
    assert len(found.lifts) == 1


async def test_an_ended_freeze_holds_nobody_and_still_counts(store: SqlStore) -> None:
    """After its end the person can be frozen anew, and the caps still see what was set before."""
    held = await frozen(store)
    ended = replace(held, ended_at=START + MINUTE)
    assert isinstance(await store.commit(Commit(at=START, thaws=(Thaw(held, ended),))), Won)
    assert await store.freeze_of(TARGET.oid) is None
    assert await store.freezes(10) == ()
    assert await store.last_freeze(TARGET.oid) == ended
    assert await store.freezes_by(MANAGER.oid, FreezeKind.FRAUD, START) == 1
    assert await store.freezes_by(MANAGER.oid, FreezeKind.FRAUD, START + MINUTE) == 0
    assert await store.freezes_by(MANAGER.oid, FreezeKind.SELF, START) == 0
    anew = replace(FREEZE, at=START + 2 * MINUTE)
    assert await frozen(store, anew) == anew
    assert await store.freezes_by(MANAGER.oid, FreezeKind.FRAUD, START) == 2


def submitted(was: Change) -> Change:
    return replace(was, state=State.PENDING, expires_at=START + timedelta(hours=1))


def approved(was: Change) -> Change:
    return replace(was, state=State.APPROVED, votes=(vote(),))


def sending(was: Change) -> Change:
    op = replace(was.operations[0], state=OpState.SENDING, attempt=1, sent_at=START)
    return replace(was.having(op), state=State.APPLYING)


def rejected(was: Change) -> Change:
    return replace(was, state=State.REJECTED, votes=(vote(verdict=Verdict.REJECT),))


def cancelled(was: Change) -> Change:
    return replace(was, state=State.CANCELLED)


@pytest.mark.parametrize(
    ("state", "step", "stopped"),
    [
        (State.PREVIEWED, submitted, True),
        (State.PENDING, approved, True),
        (State.APPROVED, sending, True),
        (State.PENDING, rejected, False),
        (State.PENDING, cancelled, False),
        (State.APPROVED, cancelled, False),
    ],
)
async def test_nothing_goes_forward_for_a_frozen_person(
    store: SqlStore, state: State, step: object, stopped: bool
) -> None:
    """Submit, approval and first write are lost while the person is frozen; ending a change never is."""
    assert callable(step)
    before = await created(store, "AAAAA1", state)
    await frozen(store)
    result = await store.commit(Commit(at=START, moves=(Move(before, step(before)),)))
    if not stopped:
        assert isinstance(result, Won)
        return
    assert result == Lost(LostBecause.FROZEN, before)
    leave = Move(before, step(before), despite_freeze=True)
    assert isinstance(await store.commit(Commit(at=START, moves=(leave,))), Won)


async def test_what_is_being_written_is_settled(store: SqlStore) -> None:
    """The result of a write that was sent before the freeze is kept; a second send is a new write."""
    begun = sending(await created(store, "AAAAA1", State.APPROVED))
    before = replace(begun, state=State.APPROVED, operations=change("x").operations)
    won = await store.commit(Commit(at=START, moves=(Move(before, begun),)))
    assert isinstance(won, Won)
    await frozen(store)
    unsure = await moved(store, won.changes[0], State.UNCONFIRMED)
    again = replace(unsure.operations[0], attempt=2)
    resent = replace(unsure.having(again), state=State.APPLYING)
    lost = await store.commit(Commit(at=START, moves=(Move(unsure, resent),)))
    assert isinstance(lost, Lost)
    assert lost.because is LostBecause.FROZEN
    await moved(store, unsure, State.APPLIED)


async def test_a_freeze_and_an_approval_at_once_are_in_one_order(store: SqlStore) -> None:
    """Either the approval was first, or it is lost: never an approval after the freeze."""
    for n in range(20):
        key = f"AAAA{n:02d}"
        before = await created(store, key, State.PENDING, target=replace(TARGET, oid=f"t-{n}"))
        mark = replace(FREEZE, person=before.target)
        freezing = store.commit(Commit(at=START, freezes=(mark,)))
        voting = store.commit(Commit(at=START, moves=(Move(before, approved(before)),)))
        froze, voted = await asyncio.gather(freezing, voting)
        assert isinstance(froze, Won)
        if isinstance(voted, Lost):
            assert voted.because is LostBecause.FROZEN


PAUSE = Switch(SwitchName.PAUSE, True, SECOND, START, "a strange burst")


async def test_a_switch_is_turned_by_one_step_at_a_time(store: SqlStore) -> None:
    """A switch comes back as it was turned; a step from another position is lost."""
    assert await store.switches() == {}
    close = Commit(at=START, switchings=(Switching(None, PAUSE),))
    assert isinstance(await store.commit(close), Won)
    assert await store.switches() == {SwitchName.PAUSE: PAUSE}
    assert await store.commit(close) == Lost(LostBecause.MOVED, None)
    opened = replace(PAUSE, closed=False, at=START + MINUTE, why="", lifts=(Lift(MANAGER, START + MINUTE),))
    assert isinstance(await store.commit(Commit(at=START, switchings=(Switching(PAUSE, opened),))), Won)
    assert await store.commit(Commit(at=START, switchings=(Switching(PAUSE, opened),))) == Lost(
        LostBecause.MOVED, None
    )
    assert await store.switches() == {SwitchName.PAUSE: opened}


_HELD_UP = """
    WITH RECURSIVE held AS (
        SELECT pid FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))
        UNION SELECT a.pid FROM pg_stat_activity a JOIN held ON held.pid = ANY(pg_blocking_pids(a.pid))
    ) SELECT count(*) FROM held
"""


async def test_a_switch_that_was_turned_has_no_intent_behind_it(postgres_place: Place) -> None:
    """An intent that had found the switch open is kept first: turning it waits, and no intent comes after."""
    async with postgres_place.opened() as store:
        ready = await created(store, "AAAAA1", State.APPROVED)
        done: list[str] = []

        async def kept(what: str, commit: Commit) -> None:
            assert isinstance(await store.commit(commit), Won)
            done.append(what)

        async def until_held_up(many: int, by: int) -> None:
            async with asyncio.timeout(20):
                while not done:
                    if await asyncio.to_thread(postgres_place.sql, _HELD_UP, {"pid": by}) == [(many,)]:
                        return

        with postgres_place.back.begin() as behind:
            # Its row is taken after the switches were asked: there the intent stands still.
            behind.execute(sa.text("SELECT 1 FROM changes FOR UPDATE"))
            pid = behind.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            writing = Commit(at=START, moves=(Move(ready, sending(ready)),))
            turning = Commit(at=START, switchings=(Switching(None, PAUSE),))
            intent = asyncio.create_task(kept("intent", writing))
            await until_held_up(1, pid)
            turn = asyncio.create_task(kept("turned", turning))
            await until_held_up(2, pid)
            assert done == []
        await asyncio.gather(intent, turn)
        assert done == ["intent", "turned"]


@pytest.mark.parametrize("name", list(SwitchName))
async def test_nothing_is_sent_while_a_switch_is_closed(store: SqlStore, name: SwitchName) -> None:
    """The intent of a write is lost while any switch is closed; approvals go on, and opening lets it go."""
    pending = await created(store, "AAAAA1", State.PENDING)
    closed = Switch(name, True, NOBODY, START)
    assert isinstance(await store.commit(Commit(at=START, switchings=(Switching(None, closed),))), Won)
    won = await store.commit(Commit(at=START, moves=(Move(pending, approved(pending)),)))
    assert isinstance(won, Won)
    ready = won.changes[0]
    intent = Commit(at=START, moves=(Move(ready, sending(ready)),))
    assert await store.commit(intent) == Lost(LostBecause.PAUSED, ready)
    opened = replace(closed, closed=False)
    assert isinstance(await store.commit(Commit(at=START, switchings=(Switching(closed, opened),))), Won)
    assert isinstance(await store.commit(intent), Won)


async def test_no_write_goes_over_the_ceiling(store: SqlStore) -> None:
    """Counted in the commit of the intent: the write that would be one too many is lost, batches apart."""
    ceiling = Ceiling(START - MINUTE, 2)
    for n in range(3):
        ready = await created(store, f"AAAA{n:02d}", State.APPROVED, target=replace(TARGET, oid=f"t-{n}"))
        result = await store.commit(Commit(at=START, moves=(Move(ready, sending(ready)),), ceiling=ceiling))
        assert isinstance(result, Won if n < 2 else Lost), n
    assert await store.writes_since(START - MINUTE) == 2
    assert await store.writes_since(START + MINUTE) == 0
    row = await created(store, "AAAA09", State.APPROVED, batch_id="b1", target=replace(TARGET, oid="t-9"))
    assert isinstance(await store.commit(Commit(at=START, moves=(Move(row, sending(row)),))), Won)
    assert await store.writes_since(START - MINUTE) == 2


async def test_of_many_intents_at_once_none_is_too_many(store: SqlStore) -> None:
    """I2: replicas that write at the same moment do not exceed the ceiling together."""
    ready = [
        await created(store, f"AAAA{n:02d}", State.APPROVED, target=replace(TARGET, oid=f"t-{n}"))
        for n in range(12)
    ]
    ceiling = Ceiling(START - MINUTE, 5)
    results = await asyncio.gather(
        *(store.commit(Commit(at=START, moves=(Move(was, sending(was)),), ceiling=ceiling)) for was in ready)
    )
    assert sum(isinstance(result, Won) for result in results) == 5


async def test_a_switch_counts_on_every_replica_at_once(postgres_place: Place) -> None:
    """I9: closed by one replica, the very next intent of another is lost: nothing is remembered anywhere."""
    async with postgres_place.opened() as one, postgres_place.opened() as other:
        ready = await created(one, "AAAAA1", State.APPROVED)
        assert await other.switches() == {}
        await one.commit(Commit(at=START, switchings=(Switching(None, PAUSE),)))
        intent = Commit(at=START, moves=(Move(ready, sending(ready)),))
        assert await other.commit(intent) == Lost(LostBecause.PAUSED, ready)
