"""The Store's commits, lists and sealed numbers: one suite, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from store_desk import (
    AGENT,
    MANAGER,
    MINUTE,
    NUMBER,
    SECOND,
    START,
    TARGET,
    Place,
    change,
    created,
    event,
    full_change,
    message,
    moved,
    operation,
    recorded,
    step,
    vote,
)

from bot.domain.change import Asked, Asking, Change, OpState, State, Verdict
from bot.domain.people import PersonRef
from bot.domain.phone import PhoneNumber, Slot
from bot.ports import (
    Commit,
    Conversation,
    Listing,
    Lost,
    LostBecause,
    Move,
    PostedCard,
    Received,
    RowUnreadable,
    StoreUnavailable,
    Won,
)
from bot.store import SqlStore

S = State


async def test_a_change_comes_back_as_it_was_stored(store: SqlStore) -> None:
    """Every field, child and time of a change survives the database, in order and to the microsecond."""
    made = full_change("AAAAA1")
    assert await store.commit(Commit(at=START, create=made)) == Won((made,))
    assert await store.change("AAAAA1") == made
    assert await store.change("NOBODY") is None


async def test_what_is_stored_outlives_the_process(place: Place) -> None:
    """After closing and opening again everything is there, the clear number included."""
    async with place.opened() as first:
        made = await created(first, "AAAAA1", S.PENDING)
    async with place.opened() as second:
        assert await second.change("AAAAA1") == made
        assert await second.numbers("AAAAA1") == {1: NUMBER}
        assert (await second.verify_audit()).bad == ()
    with pytest.raises(StoreUnavailable):
        await second.change("AAAAA1")


async def test_a_move_stores_states_people_votes_and_operations(store: SqlStore) -> None:
    """A move keeps what the workflow changed, raises the version by one and returns what is now stored."""
    before = await created(store, "AAAAA1", S.PENDING)
    asked = replace(before.steps[0].asked[0], state=Asking.UNREACHABLE, why="blocked the bot")
    again = replace(step(), asked=(asked, Asked(SECOND, "role:approver", True)), fallback_on=True)
    pending = await moved(store, before, S.PENDING, steps=(again,), votes=(vote(SECOND),))
    assert pending.row_version == 2
    approved = await moved(store, pending, S.APPROVED, votes=(*pending.votes, vote(MANAGER)), due_at=START)
    sent = replace(operation(), state=OpState.SENDING, attempt=1, sent_at=START)
    applying = await moved(
        store, approved, S.APPLYING, operations=(sent,), lease_owner="w", lease_until=START
    )
    assert applying.row_version == 4
    assert await store.change("AAAAA1") == applying


async def test_a_void_vote_is_gone_and_the_person_may_vote_again(store: SqlStore) -> None:
    """approved -> pending without the void vote; the same person can then vote anew."""
    before = await created(store, "AAAAA1", S.APPROVED, votes=(vote(SECOND), vote(MANAGER)))
    pending = await moved(store, before, S.PENDING, votes=(vote(MANAGER),))
    voted = await moved(store, pending, S.APPROVED, votes=(vote(MANAGER), vote(SECOND, because="again")))
    assert await store.change("AAAAA1") == voted


async def test_a_late_move_is_lost_and_sees_the_present(store: SqlStore) -> None:
    """Whoever moves from an older version is told MOVED with the change as it is; nothing is kept."""
    before = await created(store, "AAAAA1", S.PENDING)
    now = await moved(store, before, S.CANCELLED)
    late = Move(before, replace(before, state=S.APPROVED))
    other, told = change("AAAAA2"), (message("m"),)
    commit = Commit(at=START, create=other, moves=(late,), events=(event(),), messages=told)
    assert await store.commit(commit) == Lost(LostBecause.MOVED, now)
    assert await store.change("AAAAA2") is None
    assert (await store.next_change(), await store.next_message()) == (None, None)
    assert await recorded(store) == 1


async def test_two_who_record_in_the_same_state_do_not_overwrite_each_other(store: SqlStore) -> None:
    """The state is still the same, the version is not: the second writer has to look again."""
    before = await created(store, "AAAAA1", S.PENDING)
    now = await moved(store, before, S.PENDING, votes=(vote(SECOND),))
    late = Move(before, replace(before, votes=(vote(MANAGER),)))
    assert await store.commit(Commit(at=START, moves=(late,))) == Lost(LostBecause.MOVED, now)
    assert await store.change("AAAAA1") == now


async def test_a_move_of_nothing_is_lost(store: SqlStore) -> None:
    """A change that was never stored cannot be moved."""
    ghost = change("GHOST1", S.PENDING)
    lost = await store.commit(Commit(at=START, moves=(Move(ghost, replace(ghost, state=S.APPROVED)),)))
    assert lost == Lost(LostBecause.MOVED, None)


@pytest.mark.parametrize(("after", "wins"), [(-1, True), (0, False), (1, False)])
async def test_an_expired_change_does_not_move(store: SqlStore, after: int, wins: bool) -> None:
    """With unexpired_at the deadline is part of the guard: at the very microsecond it is over."""
    before = await created(store, "AAAAA1", S.PENDING)
    at = START + 10 * MINUTE + timedelta(microseconds=after)
    answer = await store.commit(
        Commit(at=at, moves=(Move(before, replace(before, state=S.APPROVED), unexpired_at=at),))
    )
    if wins:
        assert isinstance(answer, Won)
    else:
        assert answer == Lost(LostBecause.EXPIRED, before)


async def test_moved_is_told_before_expired(store: SqlStore) -> None:
    """A change that was decided in the meantime is MOVED, even when its old deadline is over too."""
    before = await created(store, "AAAAA1", S.PENDING)
    now = await moved(store, before, S.CANCELLED)
    late = Move(before, replace(before, state=S.APPROVED), unexpired_at=START + 60 * MINUTE)
    assert await store.commit(Commit(at=START, moves=(late,))) == Lost(LostBecause.MOVED, now)


async def test_a_taken_id_is_told(store: SqlStore) -> None:
    """A second change with the same id is not stored and does not touch the first."""
    first = await created(store, "AAAAA1", S.PENDING)
    other = change("AAAAA1", reason="another", target=SECOND)
    assert await store.commit(Commit(at=START, create=other)) == Lost(LostBecause.ID_TAKEN, first)
    assert await store.change("AAAAA1") == first


async def test_one_of_two_hundred_wins(store: SqlStore) -> None:
    """200 decisions about one change at the same instant: one is stored, 199 see what it was."""
    before = await created(store, "AAAAA1", S.PENDING)
    ends = [S.APPROVED, S.REJECTED, S.CANCELLED, S.EXPIRED]

    async def decide(n: int) -> Won | Lost:
        after = replace(before, state=ends[n % 4], notes=(f"by {n}",))
        return await store.commit(Commit(at=START, moves=(Move(before, after),), events=(event(f"e:{n}"),)))

    answers = await asyncio.gather(*(decide(n) for n in range(200)))
    won = [answer for answer in answers if isinstance(answer, Won)]
    assert len(won) == 1
    now = await store.change("AAAAA1")
    assert won[0].changes == (now,)
    assert {a for a in answers if isinstance(a, Lost)} == {Lost(LostBecause.MOVED, now)}
    assert await recorded(store) == 2


async def test_one_open_change_per_person_and_slot(store: SqlStore) -> None:
    """Previews bind nobody; the first submit takes the slot; the second is shown who has it."""
    first, second = await created(store, "AAAAA1"), await created(store, "AAAAA2")
    other_slot = await created(store, "AAAAA3", operations=(operation(Slot.OFFICE),))
    other_person = await created(store, "AAAAA4", target=SECOND)
    holder = await moved(store, first, S.PENDING)
    for free in (other_slot, other_person):
        await moved(store, free, S.PENDING)
    submit = Commit(at=START, moves=(Move(second, replace(second, state=S.PENDING)),))
    assert await store.commit(submit) == Lost(LostBecause.SLOT_TAKEN, holder)
    assert {c.id for c in await store.open_for(TARGET.oid)} == {"AAAAA1", "AAAAA3"}
    await moved(store, holder, S.REJECTED)
    assert isinstance(await store.commit(submit), Won)


async def test_a_plan_takes_all_its_slots_or_none(store: SqlStore) -> None:
    """A change of two slots, one of them taken, holds neither."""
    await created(store, "AAAAA1", S.PENDING, operations=(operation(Slot.OFFICE),))
    both = (operation(Slot.MOBILE), operation(Slot.OFFICE, 2))
    lost = await store.commit(Commit(at=START, create=change("AAAAA2", S.PENDING, operations=both)))
    assert isinstance(lost, Lost)
    assert lost.because is LostBecause.SLOT_TAKEN
    assert [c.id for c in await store.open_for(TARGET.oid)] == ["AAAAA1"]


async def test_a_successor_takes_the_slot_in_the_same_commit(store: SqlStore) -> None:
    """Ending one change and opening its correction is one step: nobody gets in between."""
    old = await created(store, "AAAAA1", S.PENDING)
    commit = Commit(
        at=START, create=change("AAAAA0", S.PENDING), moves=(Move(old, replace(old, state=S.CANCELLED)),)
    )
    assert isinstance(await store.commit(commit), Won)
    assert [c.id for c in await store.open_for(TARGET.oid)] == ["AAAAA0"]


async def test_a_race_for_a_slot_has_one_winner(store: SqlStore) -> None:
    """Forty submits for one slot at once: one holds it, the others are shown that one."""
    previews = [await created(store, f"AAAA{n:02}") for n in range(40)]
    submits = [Commit(at=START, moves=(Move(p, replace(p, state=S.PENDING)),)) for p in previews]
    answers = await asyncio.gather(*map(store.commit, submits))
    (holder,) = await store.open_for(TARGET.oid)
    assert [a for a in answers if isinstance(a, Won)] == [Won((holder,))]
    assert {a for a in answers if isinstance(a, Lost)} == {Lost(LostBecause.SLOT_TAKEN, holder)}


async def test_crossing_commits_do_not_block_each_other(store: SqlStore) -> None:
    """Commits that touch the same changes in opposite order all come to an answer."""
    pairs = [
        (await created(store, f"A{n:05}"), await created(store, f"B{n:05}", target=SECOND)) for n in range(20)
    ]

    async def both(first: Change, second: Change) -> Won | Lost:
        moves = tuple(Move(c, replace(c, state=S.PENDING)) for c in (first, second))
        return await store.commit(Commit(at=START, moves=moves, events=(event(),)))

    jobs = [both(a, b) for a, b in pairs] + [both(b, a) for a, b in pairs]
    answers = await asyncio.wait_for(asyncio.gather(*jobs), 30)
    assert sum(isinstance(answer, Won) for answer in answers) == 1


ILLEGAL: dict[str, Callable[[Change], Change]] = {
    "no such arrow": lambda c: replace(c, state=S.APPLIED),
    "out of the end": lambda c: replace(c, state=S.PREVIEWED),
    "another id": lambda c: replace(c, id="OTHER1"),
    "other content": lambda c: replace(c, content_hash="v1:00"),
    "another target": lambda c: replace(c, target=SECOND),
    "another reason": lambda c: replace(c, reason="no"),
    "another plan": lambda c: replace(c, operations=(operation(Slot.OFFICE),)),
    "another earlier number": lambda c: replace(c, operations=(replace(operation(), before_key="0"),)),
    "two votes of one": lambda c: replace(c, votes=(vote(), vote(verdict=Verdict.REJECT))),
}


@pytest.mark.parametrize("what", ILLEGAL)
async def test_an_illegal_move_is_a_defect(store: SqlStore, what: str) -> None:
    """Moves outside the life cycle, and moves that alter what was approved, raise and store nothing."""
    before = await created(store, "AAAAA1", S.PENDING)
    commit = Commit(at=START, moves=(Move(before, ILLEGAL[what](before)),), messages=(message("m"),))
    with pytest.raises(ValueError, match="AAAAA1"):
        await store.commit(commit)
    assert await store.change("AAAAA1") == before
    assert (await store.next_change(), await store.next_message()) == (None, None)


async def test_one_vote_per_person_and_step_even_behind_our_back(place: Place, store: SqlStore) -> None:
    """The database itself refuses a second vote of one person in one step."""
    await created(store, "AAAAA1", S.PENDING, votes=(vote(),))
    rest = "name, upn, verdict, at, content_hash, via, because"
    keys = "change_id, step, oid"
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        place.sql(f"INSERT INTO votes ({keys}, place, {rest}) SELECT {keys}, 1, {rest} FROM votes")  # noqa: S608


async def test_an_activity_counts_once(store: SqlStore) -> None:
    """A second delivery keeps nothing and leads to the change of the first."""
    came = Received("19:chat", "activity-1", "aa" * 32, "AAAAA1")
    first = await store.commit(Commit(at=START, create=change("AAAAA1"), received=came))
    assert isinstance(first, Won)
    again = Commit(at=START, create=change("AAAAA2"), received=replace(came, change_id="AAAAA2"))
    assert await store.commit(again) == Lost(LostBecause.RECEIVED_BEFORE, first.changes[0])
    assert await store.change("AAAAA2") is None
    assert await store.received("19:chat", "activity-1") == came
    assert await store.received("19:chat", "activity-2") is None
    without = Received("19:chat", "activity-3", "aa" * 32)
    await store.commit(Commit(at=START, received=without))
    assert await store.commit(Commit(at=START, received=without)) == Lost(LostBecause.RECEIVED_BEFORE, None)


async def test_a_lost_commit_leaves_the_activity_unreceived(store: SqlStore) -> None:
    """What was not done may be asked for again with the same delivery."""
    before = await created(store, "AAAAA1", S.PENDING)
    await moved(store, before, S.CANCELLED)
    came = Received("19:chat", "activity-1", "aa" * 32, "AAAAA1")
    late = Commit(at=START, moves=(Move(before, replace(before, state=S.APPROVED)),), received=came)
    assert isinstance(await store.commit(late), Lost)
    assert await store.received("19:chat", "activity-1") is None


@pytest.mark.parametrize("number", [NUMBER, PhoneNumber("49", "3012345", "0042"), PhoneNumber("?", "007")])
async def test_a_sealed_number_comes_back(store: SqlStore, number: PhoneNumber) -> None:
    """The number is the same, extension and odd country included."""
    await store.commit(Commit(at=START, create=change("AAAAA1"), numbers={("AAAAA1", 1): number}))
    assert await store.numbers("AAAAA1") == {1: number}


@pytest.mark.parametrize("end", [S.CANCELLED, S.EXPIRED, S.REJECTED, S.BLOCKED])
async def test_the_number_is_erased_at_the_end(store: SqlStore, end: State) -> None:
    """At any end the clear number can no longer be had."""
    pending = await created(store, "AAAAA1", S.PENDING)
    assert await store.numbers("AAAAA1") == {1: NUMBER}
    await moved(store, pending, end)
    assert await store.numbers("AAAAA1") == {}
    ended = await created(store, "AAAAA2", S.BLOCKED)
    assert await store.numbers(ended.id) == {}


async def test_a_number_does_not_open_in_another_row(place: Place, store: SqlStore) -> None:
    """Somebody who swaps sealed numbers between requests gets an error, not another person's number."""
    await created(store, "AAAAA1", S.PENDING)
    await created(store, "AAAAA2", S.PENDING, target=SECOND)
    place.sql(
        "UPDATE sealed_numbers SET sealed ="
        " (SELECT o.sealed FROM sealed_numbers o WHERE o.change_id = 'AAAAA2') WHERE change_id = 'AAAAA1'"
    )
    with pytest.raises(RowUnreadable):
        await store.numbers("AAAAA1")
    assert await store.numbers("AAAAA2") == {1: NUMBER}


async def test_a_number_of_a_stranger_is_a_defect(store: SqlStore) -> None:
    """Numbers are only taken for operations of the changes in the same commit."""
    for key in (("AAAAA2", 1), ("AAAAA1", 2)):
        with pytest.raises(ValueError, match="not in the commit"):
            await store.commit(Commit(at=START, create=change("AAAAA1"), numbers={key: NUMBER}))


async def test_my_requests_are_newest_first(store: SqlStore) -> None:
    """A list is cut at its limit and says how many more there are."""
    for n in range(5):
        await created(store, f"AAAAA{n}", created_at=START + n * MINUTE)
    await created(store, "BBBBB1", requester=SECOND)
    found, more = await store.list_changes(Listing.MINE, AGENT.oid, 3)
    assert ([c.id for c in found], more) == (["AAAAA4", "AAAAA3", "AAAAA2"], 2)
    assert await store.list_changes(Listing.MINE, MANAGER.oid, 3) == ((), 0)


async def test_open_is_what_was_submitted_and_has_not_ended(store: SqlStore) -> None:
    """Previews and ended requests are not open; everything between is, whoever asks."""
    for n, state in enumerate(State):
        person = PersonRef(f"target-{n}", "T", "t@contoso.example")
        await created(store, f"AAAA{n:02}", state, target=person, created_at=START + n * MINUTE)
    found, more = await store.list_changes(Listing.OPEN, "", 10)
    assert more == 0
    assert [c.state for c in found] == [S.UNCONFIRMED, S.APPLYING, S.COOLING, S.APPROVED, S.PENDING]


async def test_what_waits_for_me(store: SqlStore) -> None:
    """To decide: pending, asked of me in the step being voted on, reachable, and not voted on by me."""
    mine, hers = Asked(MANAGER, "manager-of-target"), Asked(SECOND, "role:security")
    gone = Asked(MANAGER, "manager-of-target", state=Asking.UNREACHABLE)
    cases = {
        "WAITS1": {"steps": (step(1, mine),)},
        "WAITS2": {"steps": (step(1, mine, hers, need=2),), "votes": (vote(SECOND),)},
        "SECOND": {"steps": (step(1, hers), step(2, mine)), "votes": (vote(SECOND),)},
        "TOSOON": {"steps": (step(1, hers), step(2, mine))},
        "VOTED1": {"steps": (step(1, mine, hers, need=2),), "votes": (vote(MANAGER),)},
        "NOTME1": {"steps": (step(1, hers),)},
        "NOAPP1": {"steps": (step(1, gone),)},
    }
    for n, (key, given) in enumerate(cases.items()):
        person = PersonRef(f"target-{n}", "T", "t@contoso.example")
        await created(store, key, S.PENDING, target=person, created_at=START + n * MINUTE, **given)
    await created(store, "PREVIE", steps=(step(1, mine),))
    found, more = await store.list_changes(Listing.TO_DECIDE, MANAGER.oid, 2)
    assert ([c.id for c in found], more) == (["SECOND", "WAITS2"], 1)


async def test_a_cancelled_caller_does_not_cut_the_transaction(place: Place) -> None:
    """The person who asked is gone; what was begun is still stored whole."""
    async with place.opened() as store:
        tasks = [asyncio.create_task(created(store, f"AAAA{n:02}")) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
    async with place.opened() as store:
        found, _ = await store.list_changes(Listing.MINE, AGENT.oid, 50)
        assert len(found) == 20
        assert await recorded(store) == 20


async def test_conversations_are_kept_replaced_and_forgotten(store: SqlStore) -> None:
    """One reference per person, the latest counts."""
    first = Conversation(
        AGENT.oid, "t", "a:1", "https://smba.example/emea/", "29:x", "de-DE", "Europe/Berlin"
    )
    await store.remember_conversation(first)
    await store.remember_conversation(replace(first, conversation_id="a:2"))
    assert await store.conversation(AGENT.oid) == replace(first, conversation_id="a:2")
    await store.forget_conversation(AGENT.oid)
    assert await store.conversation(AGENT.oid) is None


async def test_posted_cards_know_what_they_show(store: SqlStore) -> None:
    """A card is found by its change; an older drawing that ends late does not hide a newer one.

    When it was posted stays as of the first time.
    """
    where = "a:1", "https://smba.example/", "act"
    card = PostedCard("c1", "AAAAA1", MANAGER.oid, "approver", *where, 1, START)
    await store.card_posted(card)
    await store.card_posted(replace(card, posted_at=START + MINUTE))
    await store.card_posted(replace(card, id="c2"))
    await store.card_drawn("c1", 5)
    await store.card_drawn("c1", 4)
    await store.card_gone("c2")
    assert await store.cards("AAAAA1") == (replace(card, drawn_version=5),)
    assert await store.cards("AAAAA2") == ()


async def test_the_last_votes_of_a_person(store: SqlStore) -> None:
    """The latest first, whatever they were about; nobody else's."""
    cast = [replace(vote(), at=START + n * MINUTE, shown_at=START) for n in range(3)]
    for n, each in enumerate(cast):
        other = vote(SECOND, step_n=2)
        await created(store, f"AAAAA{n}", State.REJECTED, votes=(each, other), steps=(step(1), step(2)))
    assert await store.votes_of(MANAGER.oid, 2) == (cast[2], cast[1])
    assert await store.votes_of(AGENT.oid, 2) == ()
