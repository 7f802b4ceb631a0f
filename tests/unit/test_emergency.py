"""Break-glass: it waives waiting and nothing else; security hears at once and reviews within a day.

And security asking for somebody who is frozen: with two people deciding.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import approve, ask, events, refusal, state
from security_desk import SID, SOL, SUE, freeze, guarded, unfreeze

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, State
from bot.domain.people import Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Policy, Rule
from tests.doubles.house import ADA, ALICE, MARTA, NED, OLIVIA, SAM, SECURITY, House, house, policy

EMERGENCY = Rule(
    "emergency",
    frozenset({Action.SET}),
    frozenset({TargetKind.ORDINARY, TargetKind.OPERATOR}),
    (),
    requesters=frozenset({Role.SECURITY}),
    break_glass=True,
)


def with_emergency() -> Policy:
    return policy(rules=(EMERGENCY, *policy().rules))


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, outside=guarded(), rules=with_emergency()) as made:
        yield made


async def broken(h: House, by: str = SAM) -> Change:
    """A break-glass change, submitted and carried out."""
    shown = await h.desk.handle(ask(), h.envelope(by))
    assert isinstance(shown, o.Preview), shown
    await h.desk.handle(c.Submit(shown.view.card), h.envelope(by))
    await h.jobs.drain()
    found = await h.store.change(shown.view.change.id)
    assert found is not None
    return found


def review(change: Change) -> c.Review:
    return c.Review(c.RequestId(change.id))


async def test_nobody_is_waited_for_and_security_hears_at_once(h: House) -> None:
    """Carried out without an approval, under the name of its rule; security and the person are told."""
    done = await broken(h)
    assert done.state is State.APPLIED
    assert done.break_glass
    assert done.rule == "emergency"
    assert done.votes == ()
    assert done.review_until is not None
    for who in (SAM, SUE, SID, SOL):
        assert any("break-glass" in key for key in h.messenger.told(who)), who
    assert any("submitted" in key for key in h.messenger.told(ALICE))


async def test_protection_own_number_and_freeze_stand(h: House) -> None:
    """Neither a protected person, nor one's own phone, nor a frozen person without two people deciding."""
    h.directory.facts[ALICE] = ("Global Administrator",)
    assert refusal(await h.desk.handle(ask(), h.envelope(SAM))).code == "policy.protected"
    h.directory.facts.clear()
    assert refusal(await h.desk.handle(ask(SAM), h.envelope(SAM))).code == "policy.own-number"
    await freeze(h, ALICE, by=SUE)
    shown = await h.desk.handle(ask(), h.envelope(SAM))
    assert isinstance(shown, o.Preview)
    assert not shown.view.change.break_glass
    assert sum(step.need for step in shown.view.change.steps) == 2


async def test_operators_have_no_emergency(h: House) -> None:
    """The rule is for security: an operator's request waits for its approver as always."""
    shown = await h.desk.handle(ask(), h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview)
    assert shown.view.change.rule == "ordinary change"


async def test_another_of_security_reviews_it(h: House) -> None:
    """Not the requester, not somebody without the role; once reviewed the alarm never comes."""
    done = await broken(h)
    assert refusal(await h.desk.handle(review(done), h.envelope(SAM))).code == "access.review-own"
    assert refusal(await h.desk.handle(review(done), h.envelope(OLIVIA))).code == "access.not-allowed"
    shown = await h.desk.present(done, SUE)
    assert isinstance(shown, o.Applied)
    assert shown.view.may_review
    looked = await h.desk.handle(review(done), h.envelope(SUE))
    assert isinstance(looked, o.Applied)
    assert looked.view.change.reviewed_by is not None
    assert looked.view.change.reviewed_by.oid == SUE
    assert refusal(await h.desk.handle(review(done), h.envelope(SID))).code == "conflict.nothing-to-review"
    h.clock.pass_by(hours=25)
    await h.jobs.drain()
    names = await events(h)
    assert "change:mobile:reviewed" in names
    assert "change:mobile:review-overdue" not in names


async def test_two_accounts_of_one_person_do_not_review_each_other(h: House) -> None:
    """A second account of the requester is the requester."""
    for oid in (SAM, SUE):
        h.directory.people[oid] = replace(h.directory.people[oid], employee_id="E1")
    done = await broken(h)
    assert refusal(await h.desk.handle(review(done), h.envelope(SUE))).code == "access.review-own"


async def test_a_missing_review_is_alarmed_again(h: House, caplog: pytest.LogCaptureFixture) -> None:
    """After 24 hours: a message to security, an ERROR in the log, a metric, an audit event; then daily."""
    done = await broken(h)
    h.messenger.delivered.clear()
    h.clock.pass_by(hours=23, minutes=59)
    await h.jobs.drain()
    assert h.messenger.delivered == []
    h.clock.pass_by(minutes=2)
    with caplog.at_level(logging.ERROR):
        await h.jobs.drain()
    assert any("not reviewed in time" in record.message for record in caplog.records)
    assert h.tally.counted[("reviews", "overdue")] == 1
    for who in (SAM, SUE, SID, SOL):
        assert any("review-overdue" in key for key in h.messenger.told(who))
    assert "change:mobile:review-overdue" in await events(h)
    h.clock.pass_by(hours=25)
    await h.jobs.drain()
    assert h.tally.counted[("reviews", "overdue")] == 2
    assert isinstance(await h.desk.handle(review(done), h.envelope(SUE)), o.Applied)
    h.clock.pass_by(hours=25)
    await h.jobs.drain()
    assert h.tally.counted[("reviews", "overdue")] == 2


async def test_security_repairs_a_frozen_person_with_two_deciding(tmp_path: Path) -> None:
    """By the matching rule and one person more; not for anybody else, and not who froze in the dispute."""
    async with house(tmp_path, outside=guarded()) as h:
        assert refusal(await h.desk.handle(ask(), h.envelope(SAM))).code == "access.not-allowed"
        h.directory.phones_of[NED] = {Slot.MOBILE: PhoneNumber("1", "2065550199")}
        look = c.Show(c.Who(c.WhoKind.OID, ALICE))
        assert refusal(await h.desk.handle(look, h.envelope(SAM))).code == "access.not-allowed"
        await freeze(h, ALICE, by=SUE)
        assert isinstance(await h.desk.handle(look, h.envelope(SAM)), o.Page)
        assert refusal(await h.desk.handle(ask(), h.envelope(SUE))).code == "policy.frozen"
        shown = await h.desk.handle(ask(), h.envelope(SAM))
        assert isinstance(shown, o.Preview)
        waiting = await h.desk.handle(c.Submit(shown.view.card), h.envelope(SAM))
        assert isinstance(waiting, o.AwaitingApproval)
        assert waiting.view.change.outside_limits
        await h.jobs.drain()
        await approve(h, waiting, MARTA)
        await h.jobs.drain()
        assert await state(h, waiting) is State.PENDING
        await approve(h, waiting, ADA)
        await h.jobs.drain()
        assert await state(h, waiting) is State.APPLIED


async def test_a_repair_goes_on_when_the_freeze_is_lifted(tmp_path: Path) -> None:
    """Two people decide what was asked while frozen, also when the freeze ends before the write."""
    async with house(tmp_path, outside=guarded()) as h:
        await freeze(h, ALICE, by=SUE)
        shown = await h.desk.handle(ask(), h.envelope(SAM))
        assert isinstance(shown, o.Preview)
        waiting = await h.desk.handle(c.Submit(shown.view.card), h.envelope(SAM))
        assert isinstance(waiting, o.AwaitingApproval)
        await h.jobs.drain()
        await approve(h, waiting, MARTA)
        await h.jobs.drain()
        await unfreeze(h, ALICE, SID)
        await unfreeze(h, ALICE, SOL)
        await approve(h, waiting, ADA)
        await h.jobs.drain()
        assert await state(h, waiting) is State.APPLIED


async def test_security_that_lost_its_role_writes_nothing(tmp_path: Path) -> None:
    """The requester's role is looked up again right before the write."""
    async with house(tmp_path, outside=guarded()) as h:
        await freeze(h, ALICE, by=SUE)
        shown = await h.desk.handle(ask(), h.envelope(SAM))
        assert isinstance(shown, o.Preview)
        waiting = await h.desk.handle(c.Submit(shown.view.card), h.envelope(SAM))
        assert isinstance(waiting, o.AwaitingApproval)
        await h.jobs.drain()
        await approve(h, waiting, MARTA)
        await h.jobs.drain()
        h.directory.groups[SECURITY].members.discard(SAM)
        await approve(h, waiting, ADA)
        await h.jobs.drain()
        assert await state(h, waiting) in (State.BLOCKED, State.PENDING)
        assert h.directory.effects == []
