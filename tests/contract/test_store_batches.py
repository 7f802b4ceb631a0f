"""Batches in the store, on SQLite and PostgreSQL: rows, turns, tallies, and what one commit does to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from store_desk import MINUTE, NUMBER, START, TARGET, Place, change, event, operation

from bot.domain.bulk import Batch, Bucket, Mode, PlanRow
from bot.domain.change import Change, Operation, OpKind, OpState, State
from bot.domain.freeze import Freeze, FreezeKind
from bot.domain.people import PersonRef
from bot.domain.phone import Slot
from bot.domain.policy import Action, Risk
from bot.domain.reason import Refusal
from bot.ports import BatchWork, Commit, Lost, LostBecause, Move, Won
from bot.store import SqlStore

SHEET = "sheet-1"
PEOPLE = [
    PersonRef(f"c0000000-0000-0000-0000-{n:012d}", f"Row {n}", f"row{n}@contoso.example") for n in range(6)
]
WHY = Refusal("policy.protected", MappingProxyType({"name": "Row 5", "facts": "holds a role"}))


def row(n: int, bucket: Bucket = Bucket.NEW, **given: object) -> PlanRow:
    """A row that can run, or one that cannot, as the bucket says."""
    runs = bucket in (Bucket.NEW, Bucket.OVERWRITE)
    values: dict[str, object] = {
        "target": PEOPLE[n % len(PEOPLE)],
        "kind": "ordinary",
        "slot": Slot.MOBILE,
        "operations": (operation(),) if runs else (),
        "number": NUMBER if runs else None,
        "why": None if runs else WHY,
        "reason": "rollout",
        "ticket": "INC1",
    }
    return PlanRow(n, f"row{n}", bucket, **values | given)  # type: ignore[arg-type]  # fields of a row


BATCH = Batch(
    id="HEAD01",
    sheet_id=SHEET,
    name="phones.xlsx",
    digest="ab" * 32,
    mode=Mode.SKIP,
    total=6,
    runs=4,
    plan_hash="cd" * 32,
    buckets=MappingProxyType({Bucket.NEW: 4, Bucket.OVERWRITE: 1, Bucket.PROTECTED: 1}),
    canary=2,
    finish_minutes=60,
    started_at=START,
    rate=1.5,
)
ROWS = (
    *(row(n) for n in range(4)),
    row(4, Bucket.OVERWRITE, alternate_free=True, risks=(Risk.COUNTRY,)),
    row(5, Bucket.PROTECTED),
)


def head(state: State = State.APPLYING) -> Change:
    plan = Operation(1, OpKind.BATCH, Slot.MOBILE, "", "4 of 6 rows", "", BATCH.plan_hash)
    return change("HEAD01", state, batch_id="HEAD01", action=Action.BULK, operations=(plan,), steps=())


def begun(n: int, state: State = State.APPLYING) -> Change:
    """The row as a change whose intent is being stored."""
    sending = replace(operation(), state=OpState.SENDING, attempt=1, sent_at=START)
    return change(
        f"ROW{n:03}",
        state,
        batch_id="HEAD01",
        action=Action.BULK,
        target=PEOPLE[n],
        operations=(sending,),
        steps=(),
        expires_at=None,
    )


async def planned(store: SqlStore) -> Change:
    """Six rows and their head, running."""
    await store.keep_rows(SHEET, ROWS, START)
    won = await store.commit(
        Commit(at=START, create=head(), events=(event(change_id="HEAD01"),), batch=BatchWork(BATCH))
    )
    assert isinstance(won, Won), won
    return won.changes[0]


async def taken(store: SqlStore, before: Change, *lines: int, state: State = State.APPLYING) -> Won | Lost:
    """The intents of these rows in one commit."""
    changes = tuple(begun(n, state) for n in lines)
    return await store.commit(
        Commit(
            at=START,
            moves=(Move(before, before),),
            begin=changes,
            numbers={(each.id, 1): NUMBER for each in changes if state is State.APPLYING},
            events=tuple(event(change_id=each.id) for each in changes),
            batch=BatchWork(BATCH, taken={n: f"ROW{n:03}" for n in lines}),
        )
    )


async def test_rows_come_back_as_they_were_planned(store: SqlStore) -> None:
    """In the order of the file, every field, but never the number; with it only when their turn comes."""
    await planned(store)
    assert await store.batch("HEAD01") == BATCH
    assert await store.batch_rows(SHEET, -1, 10) == tuple(replace(each, number=None) for each in ROWS)
    assert await store.batch_rows(SHEET, 3, 1) == (replace(ROWS[4], number=None),)
    turns = await store.batch_turn(BATCH, 10)
    assert [turn.row for turn in turns] == [*ROWS[:4]]
    assert all(turn.row.number is not None and turn.row.number.same_as(NUMBER) for turn in turns)


async def test_the_mode_says_which_rows_wait(store: SqlStore) -> None:
    """Left alone, overwritten, or into the alternate slot; what is risky is found among those that wait."""
    before = await planned(store)
    assert await store.risky_rows(SHEET, 5) == ()
    for mode, lines in ((Mode.OVERWRITE, 5), (Mode.ALTERNATE, 5), (Mode.SKIP, 4)):
        won = await store.commit(
            Commit(at=START, moves=(Move(before, before),), batch=BatchWork(BATCH, choose=mode))
        )
        assert isinstance(won, Won)
        before = won.changes[0]
        assert len(await store.batch_turn(BATCH, 10)) == lines, mode
    won = await store.commit(
        Commit(at=START, moves=(Move(before, before),), batch=BatchWork(BATCH, choose=Mode.OVERWRITE))
    )
    assert [each.line for each in await store.risky_rows(SHEET, 5)] == [4]


async def test_a_row_is_begun_once(store: SqlStore) -> None:
    """A second commit that takes the same row loses whole, and so does one whose head was moved meanwhile."""
    before = await planned(store)
    won = await taken(store, before, 0, 1)
    assert isinstance(won, Won)
    now = (
        won.changes[-1]
        if won.changes[-1].id == "HEAD01"
        else next(c for c in won.changes if c.id == "HEAD01")
    )
    late = await taken(store, before, 2)
    assert isinstance(late, Lost)
    assert late.because is LostBecause.MOVED
    again = await store.commit(
        Commit(
            at=START,
            moves=(Move(now, now),),
            begin=(replace(begun(1), id="OTHER1", target=PEOPLE[5]),),
            batch=BatchWork(BATCH, taken={1: "OTHER1"}),
        )
    )
    assert isinstance(again, Lost)
    assert await store.change("OTHER1") is None
    assert [turn.row.line for turn in await store.batch_turn(BATCH, 10)] == [2, 3]


async def test_rows_of_frozen_people_are_not_begun(store: SqlStore) -> None:
    """The guard of every first write holds for rows as well; nothing of the slice is kept."""
    before = await planned(store)
    freeze = Freeze(PEOPLE[1], TARGET, FreezeKind.SECURITY, START)
    await store.commit(Commit(at=START, freezes=(freeze,)))
    lost = await taken(store, before, 0, 1)
    assert isinstance(lost, Lost)
    assert lost.because is LostBecause.FROZEN
    assert await store.change("ROW000") is None
    assert await store.frozen_among([each.oid for each in PEOPLE]) == {PEOPLE[1].oid}


async def test_a_slot_that_somebody_holds_is_told(store: SqlStore) -> None:
    """The holder comes back, so that the row can be refused by name; without it the others can begin."""
    before = await planned(store)
    single = change("SINGLE", State.PENDING, target=PEOPLE[1])
    await store.commit(Commit(at=START, create=single))
    lost = await taken(store, before, 0, 1)
    assert isinstance(lost, Lost)
    assert (lost.because, lost.current and lost.current.id) == (LostBecause.SLOT_TAKEN, "SINGLE")
    assert list(await store.locked([PEOPLE[0].oid, PEOPLE[1].oid])) == [PEOPLE[1].oid]
    assert isinstance(await taken(store, before, 0, 2), Won)


async def test_what_became_of_rows_is_counted_by_their_changes(store: SqlStore) -> None:
    """By state; rows that failed wait again when tried again, and their earlier try counts no more."""
    before = await planned(store)
    assert isinstance(await taken(store, before, 0, state=State.FAILED), Won)
    now = await store.change("HEAD01")
    assert now is not None
    assert isinstance(await taken(store, now, 1, 2, state=State.APPLIED), Won)
    tally = await store.batch_tally(BATCH)
    assert (tally.applied, tally.failed, tally.begun, tally.untouched) == (2, 1, 3, 1)
    found = await store.batch_results(SHEET, -1, 10)
    assert [each and each.state for _, each in found] == [
        State.FAILED,
        State.APPLIED,
        State.APPLIED,
        None,
        None,
        None,
    ]
    now = await store.change("HEAD01")
    assert now is not None
    tried = replace(BATCH, retried=1)
    won = await store.commit(Commit(at=START, moves=(Move(now, now),), batch=BatchWork(tried, again=True)))
    assert isinstance(won, Won)
    assert [turn.row.line for turn in await store.batch_turn(tried, 10)] == [0, 3]
    tally = await store.batch_tally(tried)
    assert (tally.applied, tally.failed, tally.untouched) == (2, 0, 2)


async def test_rows_begun_and_not_sent_come_first(store: SqlStore) -> None:
    """Order is kept: what was put back is tried before anything new begins."""
    before = await planned(store)
    won = await taken(store, before, 0, 1)
    assert isinstance(won, Won)
    back = next(each for each in won.changes if each.id == "ROW001")
    await store.commit(
        Commit(at=START, moves=(Move(back, replace(back, state=State.APPROVED, due_at=None)),))
    )
    turns = await store.batch_turn(BATCH, 2)
    assert [(turn.row.line, turn.change and turn.change.id) for turn in turns] == [(1, "ROW001"), (2, None)]


async def test_numbers_are_gone_when_they_are_not_needed(store: SqlStore, place: Place) -> None:
    """Of rows that are done at once, of all when the head ends, however that comes; nobody waits then."""
    before = await planned(store)
    work = BatchWork(BATCH, done=(0,))
    won = await store.commit(Commit(at=START, moves=(Move(before, before),), batch=work))
    assert isinstance(won, Won)
    assert place.sql("SELECT count(*) FROM batch_rows WHERE sealed IS NOT NULL") == [(4,)]
    over = replace(won.changes[0], state=State.FAILED)
    await store.commit(Commit(at=START, moves=(Move(won.changes[0], over),)))
    assert place.sql("SELECT count(*) FROM batch_rows WHERE sealed IS NOT NULL") == [(0,)]
    assert await store.batch_turn(BATCH, 10) == ()


async def test_another_plan_of_the_same_rows_keeps_their_numbers(store: SqlStore, place: Place) -> None:
    """Choosing what becomes of phones in the way ends one head and begins another, in one commit."""
    await store.keep_rows(SHEET, ROWS, START)
    first = await store.commit(Commit(at=START, create=head(State.PREVIEWED), batch=BatchWork(BATCH)))
    assert isinstance(first, Won)
    second = replace(head(State.PREVIEWED), id="HEAD02", batch_id="HEAD02")
    other = replace(BATCH, id="HEAD02", mode=Mode.OVERWRITE)
    gone = replace(first.changes[0], state=State.CANCELLED)
    chosen = Commit(
        at=START,
        create=second,
        moves=(Move(first.changes[0], gone),),
        batch=BatchWork(other, choose=Mode.OVERWRITE),
    )
    won = await store.commit(chosen)
    assert isinstance(won, Won)
    assert len(await store.batch_turn(other, 10)) == 5
    await store.commit(Commit(at=START, moves=(Move(second, replace(second, state=State.EXPIRED)),)))
    assert place.sql("SELECT count(*) FROM batch_rows WHERE sealed IS NOT NULL OR waiting") == [(0,)]


async def test_a_row_that_makes_no_sense_holds_up_nobody(store: SqlStore, place: Place) -> None:
    """It comes back as a shell with its line; dropped, it waits no more and says so."""
    before = await planned(store)
    place.sql("UPDATE batch_rows SET operations = 'gone' WHERE line = 1")
    place.sql("UPDATE batch_rows SET sealed = (SELECT sealed FROM batch_rows WHERE line = 3) WHERE line = 2")
    turns = await store.batch_turn(BATCH, 10)
    assert [(turn.row.line, turn.broken) for turn in turns] == [(0, False), (1, True), (2, True), (3, False)]
    work = BatchWork(BATCH, dropped=(1, 2))
    assert isinstance(await store.commit(Commit(at=START, moves=(Move(before, before),), batch=work)), Won)
    assert [turn.row.line for turn in await store.batch_turn(BATCH, 10)] == [0, 3]
    rows = await store.batch_rows(SHEET, -1, 10)
    assert [each.line for each in rows if each.why and each.why.code.startswith("internal.")] == [1, 2]


async def test_plans_that_were_never_finished_are_forgotten(store: SqlStore, place: Place) -> None:
    """Rows without a head go after a while, those with one stay."""
    await planned(store)
    await store.keep_rows("orphan", (row(0),), START)
    assert await store.forget_orphans(START, 10) == 0
    assert await store.forget_orphans(START + MINUTE, 10) == 1
    assert place.sql("SELECT count(*) FROM batch_rows") == [(6,)]


async def test_who_was_changed_often_today(store: SqlStore) -> None:
    """As the quota of one person counts: submitted within the time, and not outside the limits."""
    for n in range(2):
        await store.commit(Commit(at=START, create=change(f"DAY{n:03}", State.CANCELLED, submitted_at=START)))
    since = START - timedelta(hours=1)
    assert await store.at_daily_limit([TARGET.oid, PEOPLE[0].oid], since, 2) == {TARGET.oid}
    assert await store.at_daily_limit([TARGET.oid], since, 3) == frozenset()
    assert await store.at_daily_limit([TARGET.oid], START, 2) == frozenset()
