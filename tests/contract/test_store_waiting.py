"""Absences, who is waited for, and caps on what is open: one suite, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date

import pytest
from store_desk import AGENT, MANAGER, MINUTE, SECOND, START, change, created, event, moved, step, vote

from bot.domain.absence import Absence
from bot.domain.change import Asked, Asking, State, Verdict
from bot.domain.people import PersonRef
from bot.ports import Commit, Counted, Listing, Lost, LostBecause, Move, PostedCard, Quota, Won
from bot.store import SqlStore

DAY = date(2026, 11, 24)


def asked(person: PersonRef, state: Asking = Asking.ASKED) -> Asked:
    return Asked(person, "manager", state=state)


async def test_absences(store: SqlStore) -> None:
    """The last word counts; whoever is back, or was never away, is not among them; it is audited."""
    away = Absence(MANAGER.oid, START + 60 * MINUTE, DAY)
    await store.keep_absence(START, replace(away, until=START + MINUTE), [event("absence:person:out")])
    await store.keep_absence(START, away, [event("absence:person:out")])
    assert await store.absences([MANAGER.oid, SECOND.oid], START + 59 * MINUTE) == {MANAGER.oid: away}
    assert await store.absences([MANAGER.oid], START + 60 * MINUTE) == {}
    assert await store.absences([], START) == {}
    records, _ = await store.history(event().subject, 10)
    assert [record.event.name for record in records] == ["absence:person:out"] * 2


async def test_who_is_waited_for(store: SqlStore) -> None:
    """Counted for the present step, without what they approved, declined or have others for while out; the
    list also holds what they may decide though they are out."""
    both = step(1, asked(MANAGER), asked(SECOND), need=2)
    first = await created(store, "AAAAA1", steps=(both, step(2, asked(AGENT))))
    pending = await moved(store, first, State.PENDING)
    assert [await store.count_waiting(who.oid) for who in (MANAGER, SECOND, AGENT)] == [1, 1, 0]
    voted = await moved(store, pending, State.PENDING, votes=(vote(MANAGER),))
    assert [await store.count_waiting(who.oid) for who in (MANAGER, SECOND)] == [0, 1]
    away = replace(both, asked=(asked(MANAGER), asked(SECOND, Asking.OUT)))
    await moved(store, voted, State.PENDING, steps=(away, step(2, asked(AGENT))))
    assert await store.count_waiting(SECOND.oid) == 0
    listed, more = await store.list_changes(Listing.TO_DECIDE, SECOND.oid, 10)
    assert ([each.id for each in listed], more) == (["AAAAA1"], 0)


@pytest.mark.parametrize("counted", [Counted.OPEN, Counted.WAITING])
async def test_of_two_submits_at_once_one_is_the_last(store: SqlStore, counted: Counted) -> None:
    """What is open is counted inside the commit, one after the other, for requester and approver alike."""
    key = AGENT.oid if counted is Counted.OPEN else MANAGER.oid
    quota = Quota(counted, key, 1)
    steps = (step(1, asked(MANAGER)),)
    target = PersonRef("b" * 36, "Bo", "bo@contoso.example")
    drafts = [
        await created(store, "AAAAA1", steps=steps),
        await created(store, "AAAAA2", steps=steps, target=target),
    ]
    commits = [
        Commit(
            START,
            moves=(Move(each, replace(each, state=State.PENDING, submitted_at=START)),),
            quotas=(quota,),
        )
        for each in drafts
    ]
    results = await asyncio.gather(*map(store.commit, commits))
    lost = [each for each in results if isinstance(each, Lost)]
    assert len([each for each in results if isinstance(each, Won)]) == 1
    assert [each.because for each in lost] == [LostBecause.QUOTA]
    assert [full.quota.counted for full in await store.full(START, [quota])] == [counted]


async def test_cards_of_several(store: SqlStore) -> None:
    """Cards are found by several keys at once, also those that are about no change."""
    one = PostedCard("c1", "digest:m", MANAGER.oid, "", "conv", "https://service", "1", 7)
    await store.card_posted(one)
    await store.card_posted(replace(one, id="c2", change_id="AAAAA1"))
    found = await store.cards_of(["digest:m", "digest:s"])
    assert [(card.id, card.change_id, card.drawn_version) for card in found] == [("c1", "digest:m", 7)]
    assert await store.cards_of([]) == ()


async def test_one_person_counts_once(store: SqlStore) -> None:
    """A second vote of the same person in another step completes nothing."""
    twice = change(
        "AAAAA1",
        steps=(step(1, asked(MANAGER)), step(2, asked(MANAGER), asked(SECOND))),
        votes=(vote(MANAGER), replace(vote(MANAGER), step=2)),
    )
    assert twice.step is not None
    assert twice.step.n == 2
    assert [each.person for each in twice.awaited] == [SECOND]
    assert vote(MANAGER).verdict is Verdict.APPROVE
