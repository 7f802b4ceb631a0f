"""Second thoughts against the worker, the person concerned and a taker against the approver.

Both come to the store at once, on SQLite and on PostgreSQL; exactly one of the two wins, and what is written
is what was decided. Real workflow and store, named doubles around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.domain import command as c
from bot.domain.change import Change, How, State, Verdict
from bot.domain.outcome import AwaitingApproval, Preview, Refused
from bot.domain.people import Person
from bot.domain.phone import Slot
from tests.doubles.directory import FakeDirectory
from tests.doubles.house import ALICE, MARTA, OLIVIA, OPERATORS, SAM, SECURITY, House, directory, house, oid
from tests.doubles.race import Race

TRIES, LAPS = 24, 12
OMAR, SUE = oid(41), oid(42)
Racer = Callable[[House, Change], Coroutine[Any, Any, object]]


def staffed() -> FakeDirectory:
    """The directory of the house with a second operator, Omar, and a second of security, Sue."""
    found = directory()
    found.people[SUE] = Person(SUE, "Sue Stone", "sue@contoso.example")
    found.groups[SECURITY].members.add(SUE)
    found.people[OMAR] = Person(OMAR, "Omar Otis", "omar@contoso.example")
    found.groups[OPERATORS].members.add(OMAR)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A house on each database; PostgreSQL as the environment offers it."""
    url = None if request.param == "sqlite" else request.getfixturevalue("empty_schema")
    async with house(tmp_path, outside=staffed(), url=url) as opened:
        yield opened


async def _pending(home: House, number: int) -> Change:
    asked = c.SetPhone(c.Who(c.WhoKind.OID, ALICE), Slot.MOBILE, f"+1 206 555 0{number:03d}", "lost phone")
    shown = await home.desk.handle(asked, home.envelope(OLIVIA))
    assert isinstance(shown, Preview), shown
    sent = await home.desk.handle(c.Submit(shown.view.card), home.envelope(OLIVIA))
    assert isinstance(sent, AwaitingApproval), sent
    await home.jobs.drain()
    return sent.view.change


async def _now(home: House, change: Change) -> Change:
    found = await home.store.change(change.id)
    assert found is not None
    return found


async def approve(home: House, change: Change) -> object:
    card = home.parts.card_ref(change, MARTA)
    yes = c.Approve(c.RequestId(change.id), card, How.IN_PERSON)
    return await home.desk.handle(yes, home.envelope(MARTA))


async def withdraw(home: House, change: Change) -> object:
    card = home.parts.card_ref(change, MARTA)
    return await home.desk.handle(c.Withdraw(c.RequestId(change.id), card), home.envelope(MARTA))


async def not_me(home: House, change: Change) -> object:
    card = home.parts.card_ref(change, ALICE)
    return await home.desk.handle(c.NotMe(c.RequestId(change.id), card), home.envelope(ALICE))


async def submit(card: c.CardRef, home: House, _: Change) -> object:
    """The taker's; too late when it was decided before."""
    outcome = await home.desk.handle(c.Submit(card), home.envelope(OMAR))
    taken = isinstance(outcome, AwaitingApproval)
    assert taken or (isinstance(outcome, Refused) and outcome.refusals[0].code == "conflict.not-waiting")
    return outcome


async def work(home: House, change: Change) -> object:
    return await home.jobs.drain()


async def approve_and_work(home: House, change: Change) -> object:
    await approve(home, change)
    return await home.jobs.drain()


async def both(race: Race, home: House, change: Change, one: Racer, other: Racer, number: int) -> None:
    """At once, and whatever they left to do after it."""
    await race.run(number, one(home, change), other(home, change))
    await home.jobs.drain()


async def unfrozen(home: House) -> None:
    """Two of security lift whatever the try before has frozen."""
    held = await home.store.freeze_of(ALICE)
    if held is None:
        return
    for who in (SAM, SUE):
        await home.desk.handle(c.Unfreeze(c.Who(c.WhoKind.OID, ALICE)), home.envelope(who))
    assert await home.store.freeze_of(ALICE) is None


async def test_an_approval_taken_back_as_the_worker_starts(home: House) -> None:
    """Either nothing is written and it waits again, or it was too late and it is written once."""
    ended: Counter[State] = Counter()
    race = Race(LAPS)
    for number in range(TRIES):
        before = len(home.directory.effects)
        change = await _pending(home, 120 + number)
        await approve(home, change)
        await both(race, home, change, work, withdraw, number)
        after = await _now(home, change)
        ended[after.state] += 1
        written = len(home.directory.effects) - before
        assert written == (after.state is State.APPLIED)
        verdict = after.votes[0].verdict
        assert verdict is (Verdict.APPROVE if written else Verdict.WITHDRAWN)
        if after.state is State.PENDING:
            cancel = c.Cancel(c.RequestId(change.id))
            await home.desk.handle(cancel, home.envelope(OLIVIA))
        home.clock.pass_by(hours=25)
    assert set(ended) == {State.PENDING, State.APPLIED}, ended
    assert (await home.store.verify_audit()).bad == ()


async def test_the_person_says_not_me_as_it_is_approved(home: House) -> None:
    """Either it is refused and nothing is written, or it was written; frozen and alarmed in both."""
    ended: Counter[State] = Counter()
    race = Race(LAPS)
    for number in range(TRIES):
        before = len(home.directory.effects)
        change = await _pending(home, 120 + number)
        await both(race, home, change, approve_and_work, not_me, number)
        after = await _now(home, change)
        ended[after.state] += 1
        assert len(home.directory.effects) - before == (after.state is State.APPLIED)
        assert await home.store.freeze_of(ALICE) is not None
        await unfrozen(home)
        home.clock.pass_by(hours=25)
    assert {State.REJECTED, State.APPLIED} <= set(ended), ended
    assert (await home.store.verify_audit()).bad == ()


async def test_a_request_is_taken_over_as_it_is_approved(home: House) -> None:
    """Either the decision stands and the taker is told, or the new request waits and the vote is void."""
    ended: Counter[State] = Counter()
    race = Race(LAPS)
    for number in range(TRIES):
        before = len(home.directory.effects)
        change = await _pending(home, 120 + number)
        shown = await home.desk.handle(c.Take(c.RequestId(change.id)), home.envelope(OMAR))
        assert isinstance(shown, Preview), shown
        await both(race, home, change, approve_and_work, partial(submit, shown.view.card), number)
        after, successor = await _now(home, change), await _now(home, shown.view.change)
        ended[after.state] += 1
        assert len(home.directory.effects) - before == (after.state is State.APPLIED)
        if after.state is State.APPLIED:
            assert successor.state is State.PREVIEWED
        else:
            assert (after.state, successor.state) == (State.CANCELLED, State.PENDING)
            assert successor.votes == ()
            assert [each.id for each in await home.store.open_for(ALICE)] == [successor.id]
            cancel = c.Cancel(c.RequestId(successor.id))
            await home.desk.handle(cancel, home.envelope(OMAR))
        home.clock.pass_by(hours=25)
    assert set(ended) == {State.APPLIED, State.CANCELLED}, ended
    assert (await home.store.verify_audit()).bad == ()
