"""Undo: what was replaced comes back, by the rule for undo, while it is kept and nothing newer is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import approve, ask, refusal, state
from security_desk import SUE, freeze, guarded

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, State
from bot.domain.methods import ALL_USERS, MethodRule, PolicyTarget, SmsState
from bot.domain.people import TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Policy, Rule, Step, Token, TokenKind
from tests.doubles.house import (
    ADA,
    ALICE,
    HELD,
    MARTA,
    NED,
    OLIVIA,
    OPERATORS,
    SAM,
    House,
    house,
    policy,
)

MANAGER, APPROVER = Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver")
ALTERNATE = PhoneNumber("1", "2065550177")
ALL = frozenset({Action.SET, Action.REMOVE, Action.SWAP, Action.SMS, Action.UNDO})


def rules(need: int = 1) -> Policy:
    """Everything by the manager; changes (not undo) by so many people."""
    kinds = frozenset({TargetKind.ORDINARY})
    changing = Rule("changes", ALL - {Action.UNDO}, kinds, (Step((MANAGER, APPROVER), need),))
    undoing = Rule("undo", frozenset({Action.UNDO}), kinds, (Step((MANAGER,), 1, (APPROVER,)),))
    return policy(rules=(changing, undoing))


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, outside=guarded(), rules=rules()) as made:
        yield made


async def sent(h: House, command: c.Command, by: str = OLIVIA) -> o.AwaitingApproval:
    shown = await h.desk.handle(command, h.envelope(by))
    assert isinstance(shown, o.Preview), shown
    waiting = await h.desk.handle(c.Submit(shown.view.card), h.envelope(by))
    assert isinstance(waiting, o.AwaitingApproval), waiting
    await h.jobs.drain()
    return waiting


async def applied(h: House, command: c.Command, *approvers: str, by: str = OLIVIA) -> Change:
    waiting = await sent(h, command, by)
    for approver in approvers or (MARTA,):
        await approve(h, waiting, approver)
    await h.jobs.drain()
    assert await state(h, waiting) is State.APPLIED
    found = await h.store.change(waiting.view.change.id)
    assert found is not None
    return found


def undo(change: Change) -> c.Undo:
    return c.Undo(c.RequestId(change.id))


def target() -> c.Who:
    return c.Who(c.WhoKind.OID, ALICE)


async def test_a_set_number_goes_back_to_the_one_before(h: House) -> None:
    """Previewed masked, approved, written: the earlier number stands again, and is kept nowhere else."""
    done = await applied(h, ask())
    shown = await h.desk.handle(undo(done), h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview)
    assert shown.in_full is None
    assert shown.view.change.parent_id == done.id
    assert shown.view.change.operations[0].after == HELD.masked
    back = await applied(h, undo(done))
    assert back.action is Action.UNDO
    assert h.directory.phones_of[ALICE] == {Slot.MOBILE: HELD}
    assert await h.store.earlier(done.id, h.clock.now()) is None


BEFORE = {
    "set where there was none": ({}, ask()),
    "remove": ({Slot.OFFICE: ALTERNATE}, c.RemovePhone(target(), Slot.OFFICE, "moved", "")),
    "swap": (
        {Slot.MOBILE: HELD, Slot.ALTERNATE: ALTERNATE},
        c.Swap(target(), "old phone gone"),
    ),
    "alternate": ({Slot.MOBILE: HELD}, ask(slot=Slot.ALTERNATE)),
}


@pytest.mark.parametrize("case", BEFORE)
async def test_every_kind_of_change_is_restored_exactly(h: House, case: str) -> None:
    """After undo the phones are what they were, slot by slot, in an order that the directory takes."""
    before, command = BEFORE[case]
    h.directory.phones_of[ALICE] = dict(before)
    done = await applied(h, command)
    assert h.directory.phones_of[ALICE] != before
    await applied(h, undo(done))
    assert h.directory.phones_of[ALICE] == before


async def test_an_undo_needs_no_fewer_people_than_the_change(tmp_path: Path) -> None:
    """Two approved the change, so two must approve its undo, though the rule for undo asks one."""
    async with house(tmp_path, outside=guarded(), rules=rules(need=2)) as h:
        done = await applied(h, ask(), MARTA, ADA)
        waiting = await sent(h, undo(done))
        assert waiting.view.change.deciders == 2
        await approve(h, waiting, MARTA)
        await h.jobs.drain()
        assert await state(h, waiting) is State.PENDING
        await approve(h, waiting, ADA)
        await h.jobs.drain()
        assert await state(h, waiting) is State.APPLIED
        assert h.directory.phones_of[ALICE] == {Slot.MOBILE: HELD}


async def test_after_the_window_nothing_can_be_undone(h: House) -> None:
    """72 hours later the earlier number is gone, whether the job has run or not."""
    done = await applied(h, ask())
    h.clock.pass_by(hours=71, minutes=59)
    assert isinstance(await h.desk.handle(undo(done), h.envelope(OLIVIA)), o.Preview)
    h.clock.pass_by(minutes=1)
    late = await h.desk.handle(undo(done), h.envelope(OLIVIA))
    assert refusal(late).code == "policy.undo-not-kept"


async def test_nothing_newer_is_overwritten(h: House) -> None:
    """When the directory holds something else than the change wrote, undo is refused and says what."""
    done = await applied(h, ask())
    h.directory.phones_of[ALICE][Slot.MOBILE] = ALTERNATE
    moved = await h.desk.handle(undo(done), h.envelope(OLIVIA))
    assert refusal(moved).code == "conflict.undo-moved"
    assert refusal(moved).facts["now"] == ALTERNATE.masked


async def test_a_change_is_undone_once(h: House) -> None:
    """While an undo is open, and after it, another is refused and names the first."""
    done = await applied(h, ask())
    waiting = await sent(h, undo(done))
    again = await h.desk.handle(undo(done), h.envelope(SAM))
    assert refusal(again).code == "conflict.undo-already"
    await approve(h, waiting)
    await h.jobs.drain()
    again = await h.desk.handle(undo(done), h.envelope(OLIVIA))
    assert refusal(again).code == "conflict.undo-already"


async def test_operators_undo_their_own_and_security_any(h: House) -> None:
    """Another operator is refused; security may, and what is not applied cannot be undone."""
    done = await applied(h, ask())
    h.directory.groups[OPERATORS].members.add(NED)
    assert refusal(await h.desk.handle(undo(done), h.envelope(NED))).code == "access.undo-not-yours"
    assert refusal(await h.desk.handle(undo(done), h.envelope(MARTA))).code == "access.not-allowed"
    await applied(h, undo(done), by=SAM)
    assert h.directory.phones_of[ALICE] == {Slot.MOBILE: HELD}
    waiting = await sent(h, ask())
    early = await h.desk.handle(undo(waiting.view.change), h.envelope(OLIVIA))
    assert refusal(early).code == "conflict.undo-not-done"


async def test_the_undo_of_a_frozen_person_is_for_security(h: House) -> None:
    """An operator hears that the person is frozen; security may, with two people deciding."""
    done = await applied(h, ask())
    await freeze(h, ALICE, by=SUE)
    assert refusal(await h.desk.handle(undo(done), h.envelope(OLIVIA))).code == "policy.frozen"
    back = await applied(h, undo(done), MARTA, ADA, by=SAM)
    assert back.deciders == 2
    assert h.directory.phones_of[ALICE] == {Slot.MOBILE: HELD}


async def test_the_applied_card_offers_undo_to_those_who_may(h: House) -> None:
    """The requester within the window; not the approver, nor the person concerned, nor later."""
    done = await applied(h, ask())
    for who, may in ((OLIVIA, True), (MARTA, False), (ALICE, False)):
        shown = await h.desk.present(done, who)
        assert isinstance(shown, o.Applied)
        assert shown.view.may_undo is may, who
    looked = await h.desk.handle(c.Status(c.RequestId(done.id)), h.envelope(SAM))
    assert isinstance(looked, o.Applied)
    assert looked.view.may_undo
    h.clock.pass_by(hours=72)
    shown = await h.desk.present(done, OLIVIA)
    assert isinstance(shown, o.Applied)
    assert not shown.view.may_undo


async def test_nothing_earlier_is_kept_of_what_was_not_applied(h: House) -> None:
    """A change that the directory refused leaves no earlier number behind."""
    waiting = await sent(h, ask())
    h.directory.phones_of[ALICE][Slot.MOBILE] = ALTERNATE
    await approve(h, waiting)
    await h.jobs.drain()
    assert await state(h, waiting) is State.BLOCKED
    assert await h.store.earlier(waiting.view.change.id, h.clock.now()) is None


async def test_sms_sign_in_is_switched_back(h: House) -> None:
    """Undoing that SMS sign-in was switched on switches it off again."""
    usable = MethodRule(True, (PolicyTarget(ALL_USERS, usable_for_sign_in=True),))
    h.directory.policy = replace(h.directory.policy, sms=usable)
    enable = c.SmsSignIn(target(), True, "frontline")
    done = await applied(h, enable)
    back = await applied(h, undo(done))
    assert back.operations[0].after == "off"
    assert h.directory.sms[ALICE] is SmsState.NOT_ENABLED


async def test_the_key_is_destroyed_at_its_time(h: House) -> None:
    """Housekeeping after 72 hours leaves neither key nor number; an hour before, it takes nothing."""
    done = await applied(h, ask())
    h.clock.pass_by(hours=71)
    await h.desk.keeping.step()
    assert await h.store.earlier(done.id, h.clock.now()) is not None
    h.clock.pass_by(hours=1)
    await h.desk.keeping.step()
    engine = sa.create_engine(f"sqlite:///{h.path / 'ringfence.db'}")
    with engine.connect() as connection:
        kept = sa.text("SELECT (SELECT count(*) FROM sealed_earlier) + (SELECT count(*) FROM undo_keys)")
        assert connection.execute(kept).scalar() == 0
    engine.dispose()
