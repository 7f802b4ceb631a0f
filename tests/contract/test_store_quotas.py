"""One suite for both databases: counting inside the commit, and what was asked for lately."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from store_desk import AGENT, MANAGER, MINUTE, SECOND, START, TARGET, created, moved, operation

from bot.domain.change import Change, OpKind, State
from bot.domain.people import PersonRef
from bot.domain.phone import Slot
from bot.ports import Commit, Counted, Full, Lost, LostBecause, Move, Quota, Recent, Won
from bot.store import SqlStore

HOUR = timedelta(hours=1)
KEY = operation().after_key


def of_agent(most: int) -> Quota:
    return Quota(Counted.REQUESTER, AGENT.oid, most, HOUR)


def of_target(most: int) -> Quota:
    return Quota(Counted.TARGET, TARGET.oid, most, 24 * HOUR)


def person(n: int) -> PersonRef:
    return PersonRef(f"99999999-0000-4000-8000-{n:012d}", f"Person {n}", f"p{n}@contoso.example")


async def submit(store: SqlStore, before: Change, *quotas: Quota, at: timedelta = MINUTE) -> Won | Lost:
    now = START + at
    after = replace(before, state=State.PENDING, submitted_at=now)
    return await store.commit(Commit(at=now, moves=(Move(before, after),), quotas=quotas))


@pytest.mark.parametrize("counted", [Counted.REQUESTER, Counted.TARGET])
async def test_two_at_once_are_not_both_the_last(store: SqlStore, counted: Counted) -> None:
    """40 submits at the same instant under a quota of 7: seven are stored, whoever was quicker."""
    quota = of_agent(7) if counted is Counted.REQUESTER else of_target(7)
    previews = []
    for n in range(40):
        about = {"target": person(n)} if counted is Counted.REQUESTER else {"requester": person(n)}
        previews.append(await created(store, f"AAAA{n:02}", operations=(operation(),), **about))
    # Ended in the same step, because one person has three slots only: the quota alone shall say no.
    ends = [Move(p, replace(p, state=State.CANCELLED, submitted_at=START)) for p in previews]
    commits = [Commit(at=START, moves=(end,), quotas=(quota,)) for end in ends]
    answers = await asyncio.gather(*map(store.commit, commits))
    assert Counter(type(answer) for answer in answers) == {Won: 7, Lost: 33}
    full = Full(quota, START + quota.window)
    assert {answer for answer in answers if isinstance(answer, Lost)} == {Lost(LostBecause.QUOTA, full=full)}


async def test_room_comes_back_when_the_oldest_leaves_the_window(store: SqlStore) -> None:
    """The lost commit says when; at that time it wins."""
    for n in range(2):
        made = await created(store, f"AAAAA{n}", target=person(n))
        assert isinstance(await submit(store, made, of_agent(2), at=n * 10 * MINUTE), Won)
    third = await created(store, "AAAAA3", target=person(3))
    lost = await submit(store, third, of_agent(2), at=20 * MINUTE)
    assert lost == Lost(LostBecause.QUOTA, full=Full(of_agent(2), START + HOUR))
    assert await store.full(START + 20 * MINUTE, (of_agent(2), of_agent(3))) == (lost.full,)  # type: ignore[union-attr]
    still = await store.change("AAAAA3")
    assert still == third
    assert isinstance(await submit(store, third, of_agent(2), at=HOUR), Won)


async def test_what_counts(store: SqlStore) -> None:
    """A submitted request counts whatever became of it; previews, batches and what is outside do not."""
    await created(store, "AAAAA1")
    await created(store, "AAAAA2", State.REJECTED, submitted_at=START)
    await created(store, "AAAAA3", State.APPLIED, submitted_at=START, batch_id="b1", outside_limits=True)
    assert await store.full(START + MINUTE, (of_agent(2), of_target(2))) == ()
    full = await store.full(START + MINUTE, (of_agent(1), of_target(1)))
    assert {each.quota for each in full} == {of_agent(1), of_target(1)}
    await created(store, "AAAAA4", State.APPLIED, submitted_at=START, outside_limits=True)
    assert len(await store.full(START + MINUTE, (of_agent(2), of_target(2)))) == 1


async def test_one_number_for_so_many_people(store: SqlStore) -> None:
    """Open requests of others for the same number count by person; ended ones and one's own do not."""
    quota = Quota(Counted.NUMBER, KEY, 1, besides=TARGET.oid)
    await created(store, "AAAAA1", State.PENDING, submitted_at=START)
    await created(store, "AAAAA2", State.CANCELLED, submitted_at=START, target=SECOND)
    swap = replace(operation(Slot.ALTERNATE), kind=OpKind.REMOVE)
    await created(store, "AAAAA3", State.PENDING, submitted_at=START, target=MANAGER, operations=(swap,))
    assert await store.full(START, (quota,)) == ()
    await created(store, "AAAAA4", State.APPROVED, submitted_at=START, target=SECOND)
    assert await store.full(START, (quota,)) == (Full(quota, None),)
    assert await store.full(START, (replace(quota, most=2),)) == ()


async def test_two_requests_for_one_number_at_once(store: SqlStore) -> None:
    """Of ten people who are to get one number at the same instant one is taken."""
    previews = [await created(store, f"AAAAA{n}", target=person(n)) for n in range(10)]
    answers = await asyncio.gather(
        *(submit(store, p, Quota(Counted.NUMBER, KEY, 1, besides=p.target.oid)) for p in previews)
    )
    assert Counter(type(answer) for answer in answers) == {Won: 1, Lost: 9}


async def test_what_was_asked_for_lately(store: SqlStore) -> None:
    """By the requester everything submitted; for the target only what was, or may still be, written."""
    since = START - HOUR
    asked = ((AGENT.oid, since), (TARGET.oid, since), KEY)
    assert await store.recent(*asked) == Recent()
    await created(store, "AAAAA1", State.REJECTED, submitted_at=START)
    await created(store, "AAAAA2", State.PENDING, submitted_at=START)
    await created(store, "AAAAA3", State.APPLIED, submitted_at=since)
    other = await created(store, "AAAAA4", target=SECOND)
    assert await store.recent(*asked) == Recent(by_requester=2, of_target=1)
    await moved(store, other, State.PENDING, submitted_at=START)
    assert await store.recent(*asked) == Recent(by_requester=3, of_target=1, same_number=1)
    assert (await store.recent(*asked[:2], "")).same_number == 0
