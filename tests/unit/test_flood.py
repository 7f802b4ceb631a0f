"""Approver fatigue: caps on what is open, counted in the commit; nobody is flooded, security hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.people import Person
from bot.domain.phone import Slot
from bot.domain.policy import Limits, Policy, Step, Token, TokenKind
from tests.doubles.house import ADA, APPROVERS, MARTA, NED, OLIVIA, SAM, House, directory, house, oid
from tests.unit.asking import approve, refusal
from tests.unit.test_waiting import asked, ruled

MANY = [oid(n) for n in range(100, 150)]
MANAGER, APPROVER = Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver")


def capped(*steps: Step, requester: int = 0, approver: int = 10) -> Policy:
    limits = Limits(0, 0, 0, open_per_requester=requester, open_per_approver=approver)
    rules = ruled(*steps)
    return Policy(rules.roles, rules.rules, limits=limits, shared_number_max=0, digest=rules.digest)


@pytest.fixture
def rules() -> Policy:
    return capped(Step((MANAGER,), 1, (APPROVER,)))


@pytest.fixture
async def h(tmp_path: Path, rules: Policy) -> AsyncIterator[House]:
    outside = directory()
    for n, each in enumerate(MANY):
        outside.people[each] = Person(each, f"Person {n}", f"person{n}@contoso.example")
        outside.managers[each] = MARTA
    async with house(tmp_path, rules=rules, outside=outside) as opened:
        yield opened


async def send(h: House, target: str) -> o.Outcome:
    """Previewed and, if that is possible, submitted by Olivia."""
    who = c.Who(c.WhoKind.OID, target)
    shown = await h.desk.handle(c.SetPhone(who, Slot.MOBILE, "+1 206 555 0100", "lost"), h.envelope(OLIVIA))
    if not isinstance(shown, o.Preview):
        return shown
    return await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))


def alarms(h: House, topic: str) -> list[tuple[str, str]]:
    return [(m.to_oid, m.subject) for m in h.messenger.delivered if m.topic == topic]


async def test_the_eleventh_request_for_one_approver_is_held(h: House) -> None:
    """C16: of 50 requests ten reach the manager; the others are refused, nobody else is asked, security is
    alarmed once, and as soon as one is decided there is room for one."""
    outcomes = [await send(h, target) for target in MANY]
    await h.jobs.drain()
    sent = [each for each in outcomes if isinstance(each, o.AwaitingApproval)]
    assert len(sent) == 10
    assert {refusal(each).code for each in outcomes[10:]} == {"policy.approvers-full"}
    assert asked(h) == {MARTA}
    assert alarms(h, "flood") == [(SAM, MARTA)]
    page = await h.desk.alerting.shown(next(m for m in h.messenger.delivered if m.topic == "flood"))
    assert isinstance(page, o.Page)
    assert (page.kind, page.person and page.person.name) == (o.PageKind.FLOODED, "Marta Mink")
    await approve(h, sent[0])
    assert isinstance(await send(h, MANY[10]), o.AwaitingApproval)
    assert refusal(await send(h, MANY[11])).code == "policy.approvers-full"


@pytest.mark.parametrize("rules", [capped(Step((APPROVER,)), approver=2)])
async def test_others_of_the_role_are_asked_instead(h: House) -> None:
    """Whoever has too many waiting is passed over while enough others are there, and the card says so."""
    for target in MANY[:2]:
        await send(h, target)
    h.directory.groups[APPROVERS].members.add(NED)
    third = await send(h, MANY[2])
    assert isinstance(third, o.AwaitingApproval)
    step = third.view.change.steps[0]
    assert [each.person.oid for each in step.asked] == [NED]
    assert step.missing == ("Ada Ames has too many requests waiting",)
    await h.jobs.drain()
    assert asked(h) == {ADA, NED}


@pytest.mark.parametrize("rules", [capped(Step((MANAGER,)), requester=3, approver=0)])
async def test_the_requester_has_a_cap_too(h: House) -> None:
    """Counted over open requests only; the one that does not fit is refused before the preview."""
    for target in MANY[:3]:
        assert isinstance(await send(h, target), o.AwaitingApproval)
    said = refusal(await send(h, MANY[3]))
    assert (said.code, said.facts["most"]) == ("policy.requester-full", "3")
    await h.jobs.drain()
    assert alarms(h, "many") == [(SAM, OLIVIA)]


@pytest.mark.parametrize("rules", [capped(Step((MANAGER,)), approver=1)])
async def test_of_two_previews_one_is_sent(h: House) -> None:
    """What was free at the preview is counted again inside the commit of the submit."""
    shown = []
    for target in MANY[:2]:
        who = c.Who(c.WhoKind.OID, target)
        order = c.SetPhone(who, Slot.MOBILE, "+1 206 555 0100", "lost")
        shown.append(await h.desk.handle(order, h.envelope(OLIVIA)))
    first, second = shown
    assert isinstance(first, o.Preview)
    assert isinstance(second, o.Preview)
    assert isinstance(await h.desk.handle(c.Submit(first.view.card), h.envelope(OLIVIA)), o.AwaitingApproval)
    late = await h.desk.handle(c.Submit(second.view.card), h.envelope(OLIVIA))
    assert refusal(late).code == "policy.approvers-full"
