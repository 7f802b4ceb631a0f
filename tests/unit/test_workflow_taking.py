"""Taking over a colleague's request, on the real workflow and a real SQLite store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asking import approve, ask, events, pending, refusal, state

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, State
from bot.domain.people import Person
from bot.domain.policy import Limits
from tests.doubles.directory import FakeDirectory
from tests.doubles.house import (
    ADA,
    ALICE,
    MARTA,
    NED,
    OLIVIA,
    OPERATORS,
    House,
    directory,
    house,
    oid,
    policy,
)

OMAR = oid(41)


def staffed() -> FakeDirectory:
    """The directory of the house with a second operator, Omar."""
    found = directory()
    found.people[OMAR] = Person(OMAR, "Omar Otis", "omar@contoso.example")
    found.groups[OPERATORS].members.add(OMAR)
    return found


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, outside=staffed()) as opened:
        yield opened


async def take(h: House, change: Change, by: str = OMAR) -> o.Outcome:
    return await h.desk.handle(c.Take(c.RequestId(change.id)), h.envelope(by))


async def taken(h: House, sent: o.AwaitingApproval, by: str = OMAR) -> o.AwaitingApproval:
    shown = await take(h, sent.view.change, by)
    assert isinstance(shown, o.Preview), shown
    again = await h.desk.handle(c.Submit(shown.view.card), h.envelope(by))
    assert isinstance(again, o.AwaitingApproval), again
    await h.jobs.drain()
    return again


async def now(h: House, change: Change) -> Change:
    found = await h.store.change(change.id)
    assert found is not None
    return found


async def test_another_operator_goes_on_with_the_same_content(h: House) -> None:
    """A preview of the same; the old request waits until the new one is sent, then ends with that."""
    sent = await pending(h)
    old = sent.view.change
    shown = await take(h, old)
    assert isinstance(shown, o.Preview)
    new = shown.view.change
    assert (new.parent_id, new.requester.oid, new.excluded) == (old.id, OMAR, (OLIVIA,))
    assert (new.reason, new.ticket, new.operations[0].after) == (
        old.reason,
        old.ticket,
        old.operations[0].after,
    )
    assert (await now(h, old)).state is State.PENDING
    await h.desk.handle(c.Submit(shown.view.card), h.envelope(OMAR))
    await h.jobs.drain()
    ended = await now(h, old)
    assert ended.state is State.CANCELLED
    assert ended.ending is not None
    assert ended.ending.code == "conflict.taken-over"
    assert ended.ending.facts["new"] == new.printed_id
    assert {"change:mobile:taken-over"} <= set(await events(h))
    assert any(f"{old.id}:notice:ended" in key for key in h.messenger.told(OLIVIA))
    assert any(f"{new.id}:ask" in key for key in h.messenger.told(MARTA))
    assert [each.id for each in await h.store.open_for(ALICE)] == [new.id]


async def test_the_number_is_carried_over_and_never_shown(h: House) -> None:
    """The taker did not type it: masked on their preview, and the directory gets exactly it."""
    sent = await pending(h)
    shown = await take(h, sent.view.change)
    assert isinstance(shown, o.Preview)
    assert shown.in_full is None
    assert "2065550100" not in repr(shown)
    again = await h.desk.handle(c.Submit(shown.view.card), h.envelope(OMAR))
    assert isinstance(again, o.AwaitingApproval)
    await approve(h, again)
    await h.jobs.drain()
    assert await state(h, again) is State.APPLIED
    assert [number.masked for number in h.directory.phones_of[ALICE].values()] == ["+1 •••••• 00"]
    assert await h.store.numbers(sent.view.change.id) == {}


async def test_votes_do_not_move_with_it(h: House) -> None:
    """What was approved under one requester says nothing about another."""
    sent = await pending(h)
    again = await taken(h, sent)
    assert again.view.change.votes == ()
    old_card = await approve(h, sent)
    assert refusal(old_card).code == "conflict.taken-over"
    assert await state(h, again) is State.PENDING
    assert h.directory.effects == []


async def test_neither_requester_approves_it(tmp_path: Path) -> None:
    """Not even as the person's manager, where operators may approve."""
    found = staffed()
    found.managers[ALICE] = OLIVIA
    found.groups[OPERATORS].members.add(MARTA)
    async with house(tmp_path, rules=policy(operator_may_approve=True), outside=found) as h:
        again = await taken(h, await pending(h))
        assert OLIVIA not in {each.person.oid for step in again.view.change.steps for each in step.asked}
        assert refusal(await approve(h, again, OLIVIA)).code == "access.excluded"
        assert refusal(await approve(h, again, OMAR)).code == "access.own-request"
        third = await taken(h, again, MARTA)
        assert set(third.view.change.excluded) == {OLIVIA, OMAR}
        for who in (OLIVIA, OMAR):
            assert refusal(await approve(h, third, who)).code == "access.excluded"
        assert isinstance(await approve(h, third, ADA), o.Working)


async def test_it_does_not_use_up_the_persons_limit(tmp_path: Path) -> None:
    """It was counted when it was asked for first."""
    limits = Limits(changes_per_target_per_day=1)
    async with house(tmp_path, rules=policy(limits=limits), outside=staffed()) as h:
        again = await taken(h, await pending(h))
        await approve(h, again)
        await h.jobs.drain()
        assert await state(h, again) is State.APPLIED
        said = refusal(await h.desk.handle(ask(number="+1 206 555 0133"), h.envelope(OLIVIA)))
        assert said.code == "policy.target-limit"


@pytest.mark.parametrize(
    ("who", "code"),
    [(NED, "access.not-allowed"), (MARTA, "access.not-allowed"), (OLIVIA, "usage.yours-already")],
)
async def test_only_another_operator_takes_over(h: House, who: str, code: str) -> None:
    """Everybody else is refused and the request goes on as it was."""
    sent = await pending(h)
    assert refusal(await take(h, sent.view.change, who)).code == code
    assert await state(h, sent) is State.PENDING


async def test_the_person_concerned_does_not_take_it_over(h: House) -> None:
    """Nobody asks for their own number, in no way."""
    h.directory.groups[OPERATORS].members.add(ALICE)
    sent = await pending(h, ask(MARTA))
    h.directory.groups[OPERATORS].members.add(MARTA)
    assert "policy.own-number" in {r.code for r in _refusals(await take(h, sent.view.change, MARTA))}


def _refusals(outcome: o.Outcome) -> tuple[object, ...]:
    assert isinstance(outcome, o.Refused)
    return outcome.refusals


async def test_what_no_longer_waits_is_not_taken_over(h: House) -> None:
    """Agreed, written or ended: there is nothing to go on with; a preview of another is unknown."""
    sent = await pending(h)
    await approve(h, sent)
    assert refusal(await take(h, sent.view.change)).code == "conflict.not-waiting"
    await h.jobs.drain()
    assert refusal(await take(h, sent.view.change)).code == "conflict.not-waiting"
    preview = await h.desk.handle(ask(number="+1 206 555 0133"), h.envelope(OLIVIA))
    assert isinstance(preview, o.Preview)
    assert refusal(await take(h, preview.view.change)).code == "usage.request-unknown"


async def test_a_decision_in_between_wins(h: House) -> None:
    """Decided between the taker's preview and their submit: the decision stands, the taker is told."""
    sent = await pending(h)
    shown = await take(h, sent.view.change)
    assert isinstance(shown, o.Preview)
    await approve(h, sent)
    late = await h.desk.handle(c.Submit(shown.view.card), h.envelope(OMAR))
    assert refusal(late).code == "conflict.not-waiting"
    await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED
    assert len(h.directory.effects) == 1


async def test_two_takers_one_goes_on(h: House) -> None:
    """Both saw a preview; the second to submit is told that it is over."""
    other = oid(42)
    h.directory.people[other] = Person(other, "Otto Orr", "otto@contoso.example")
    h.directory.groups[OPERATORS].members.add(other)
    sent = await pending(h)
    first, second = await take(h, sent.view.change), await take(h, sent.view.change, other)
    assert isinstance(first, o.Preview)
    assert isinstance(second, o.Preview)
    assert isinstance(await h.desk.handle(c.Submit(first.view.card), h.envelope(OMAR)), o.AwaitingApproval)
    late = await h.desk.handle(c.Submit(second.view.card), h.envelope(other))
    assert refusal(late).code == "conflict.not-waiting"


async def test_a_removal_is_taken_over_as_well(h: House) -> None:
    """Not only what has a number."""
    removal = c.RemovePhone(c.Who(c.WhoKind.OID, ALICE), ask().slot, "left the country")
    again = await taken(h, await pending(h, removal))
    await approve(h, again)
    await h.jobs.drain()
    assert h.directory.phones_of[ALICE] == {}


async def test_a_preview_that_is_not_sent_changes_nothing(h: House) -> None:
    """It lapses, and the old request is approved as if nothing had been."""
    sent = await pending(h)
    await take(h, sent.view.change)
    h.clock.pass_by(minutes=11)
    await h.jobs.drain()
    await approve(h, sent)
    await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED
