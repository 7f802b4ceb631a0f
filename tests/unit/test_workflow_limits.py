"""How much may be asked for: per operator and hour, per person and day, one number for so many people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, State
from bot.domain.freeze import Freeze, FreezeKind
from bot.domain.people import PersonRef, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import Action, Limits, Rule, Step, Token, TokenKind
from bot.ports import Commit, Counted, Quota
from bot.workflow.alerting import LIMIT
from tests.doubles.house import ALICE, NED, OLIVIA, OPERATORS, SAM, House, house, policy

NEW, OTHER = "+1 206 555 0100", "+1 206 555 0134"
LIMITS = Limits(changes_per_operator_per_hour=3, changes_per_target_per_day=2)


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, rules=policy(limits=LIMITS)) as made:
        yield made


def asked(who: str = ALICE, number: str = NEW, slot: Slot = Slot.MOBILE) -> c.SetPhone:
    return c.SetPhone(c.Who(c.WhoKind.OID, who), slot, number, "lost phone")


async def preview(h: House, order: c.SetPhone) -> Change:
    shown = await h.desk.handle(order, h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview), shown
    return shown.view.change


async def submit(h: House, change: Change) -> o.Outcome:
    return await h.desk.handle(c.Submit(h.parts.card_ref(change, OLIVIA)), h.envelope(OLIVIA))


async def sent(h: House, order: c.SetPhone) -> Change:
    """Submitted, and taken back at once so that the slot is free again."""
    change = await preview(h, order)
    assert isinstance(await submit(h, change), o.AwaitingApproval)
    await h.desk.handle(c.Cancel(c.RequestId(change.id)), h.envelope(OLIVIA))
    return change


def codes(outcome: o.Outcome) -> list[tuple[str, dict[str, str]]]:
    assert isinstance(outcome, o.Refused), outcome
    return [(refusal.code, dict(refusal.facts)) for refusal in outcome.refusals]


async def test_a_person_is_the_subject_of_so_many_requests_a_day(h: House) -> None:
    """Refused at the preview already, with the time at which it is possible again; then it is."""
    await sent(h, asked())
    h.clock.pass_by(hours=2)
    await sent(h, asked())
    said = codes(await h.desk.handle(asked(), h.envelope(OLIVIA)))
    facts = {"most": "2", "until": "2026-03-03 09:00 UTC", "name": "Alice Anders"}
    assert said == [("policy.target-limit", {**facts, "who": "alice@contoso.example"})]
    await sent(h, asked(NED, OTHER))
    h.clock.pass_by(hours=22)
    await sent(h, asked())


async def test_of_two_previews_the_later_submit_is_refused(h: House) -> None:
    """What was free at the preview may be full at the submit: the commit counts."""
    await sent(h, asked())
    first, second = await preview(h, asked()), await preview(h, asked(slot=Slot.OFFICE))
    assert isinstance(await submit(h, first), o.AwaitingApproval)
    assert [code for code, _ in codes(await submit(h, second))] == ["policy.target-limit"]
    found = await h.store.change(second.id)
    assert found is not None
    assert found.state is State.PREVIEWED


async def test_an_operator_at_the_limit(h: House) -> None:
    """Refused for everybody; security is alarmed once until there is room, and sees who and what."""
    for who in (ALICE, NED, ALICE):
        await sent(h, asked(who))
    for _ in range(2):
        h.clock.pass_by(minutes=5)
        said = codes(await h.desk.handle(asked(NED, OTHER), h.envelope(OLIVIA)))
        assert said == [("policy.operator-limit", {"most": "3", "until": "2026-03-02 10:00 UTC"})]
    await h.jobs.drain()
    (alarm,) = [m for m in h.messenger.delivered if m.topic == LIMIT]
    assert (alarm.to_oid, alarm.subject) == (SAM, OLIVIA)
    page = await h.desk.alerting.shown(alarm)
    assert isinstance(page, o.Page)
    assert (page.kind, page.person and page.person.name) == (o.PageKind.AT_LIMIT, "Olivia Ode")
    assert len(page.rows) == 3
    h.clock.pass_by(minutes=51)
    await sent(h, asked(NED, OTHER))


async def test_a_repair_of_a_frozen_person_is_outside(tmp_path: Path) -> None:
    """Security asks for a frozen person beyond the daily limit, and that does not count afterwards."""
    rule = Rule(
        "anything",
        frozenset(Action) - {Action.BULK},
        frozenset({TargetKind.ORDINARY}),
        (Step((Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver")), 2),),
    )
    limits = replace(LIMITS, changes_per_target_per_day=1)
    async with house(tmp_path, rules=policy(rules=(rule,), limits=limits)) as h:
        await sent(h, asked())
        h.directory.groups[OPERATORS].members.add(SAM)
        alice = await h.parts.directory.person(ALICE)
        assert alice is not None
        me = PersonRef.of(alice)
        freeze = Freeze(me, me, FreezeKind.SELF, h.clock.now())
        await h.store.commit(Commit(at=h.clock.now(), freezes=(freeze,)))
        shown = await h.desk.handle(asked(), h.envelope(SAM))
        assert isinstance(shown, o.Preview), shown
        card = h.parts.card_ref(shown.view.change, SAM)
        assert isinstance(await h.desk.handle(c.Submit(card), h.envelope(SAM)), o.AwaitingApproval)
        found = await h.store.change(shown.view.change.id)
        assert found is not None
        assert found.outside_limits
        assert (
            await h.store.full(h.clock.now(), (Quota(Counted.TARGET, ALICE, 2, timedelta(hours=24)),)) == ()
        )


async def test_one_number_for_two_people(h: House) -> None:
    """While an open request would give it to one, nobody else is to get it; the approvers need not notice."""
    first = await preview(h, asked(ALICE, NEW))
    second = await preview(h, asked(NED, NEW))
    assert isinstance(await submit(h, first), o.AwaitingApproval)
    said = codes(await submit(h, second))
    assert said == [("policy.number-asked", {"held": "0", "most": "1"})]
    assert codes(await h.desk.handle(asked(NED, NEW), h.envelope(OLIVIA))) == said
    assert isinstance(await h.desk.handle(asked(NED, NEW, Slot.OFFICE), h.envelope(OLIVIA)), o.Preview)


async def test_limits_of_nothing_are_no_limits(tmp_path: Path) -> None:
    """0 means none."""
    async with house(tmp_path, rules=policy(limits=Limits(0, 0, 0, 0, 0), shared_number_max=0)) as h:
        for _ in range(5):
            await sent(h, asked())
        assert isinstance(await submit(h, await preview(h, asked(NED, NEW))), o.AwaitingApproval)
