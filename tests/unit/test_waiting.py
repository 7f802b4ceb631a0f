"""Steps, reminders, escalation and cooling on the whole house; days pass by the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Asking, Change, State
from bot.domain.people import TargetKind
from bot.domain.policy import Action, Policy, Rule, Step, Token, TokenKind
from tests.doubles.directory import FakeDirectory, Fault
from tests.doubles.house import (
    ADA,
    APPROVERS,
    MARTA,
    NED,
    OLIVIA,
    SAM,
    House,
    directory,
    house,
    policy,
)
from tests.unit.asking import approve, ask, events, pending, refusal, state

MANAGER, SECOND = Token(TokenKind.MANAGER), Token(TokenKind.SECOND_MANAGER)
APPROVER, SECURITY = Token(TokenKind.ROLE, "approver"), Token(TokenKind.ROLE, "security")


def ruled(*steps: Step, **terms: int) -> Policy:
    """The example policy with one rule of these steps and terms."""
    actions, targets = frozenset({Action.SET}), frozenset({TargetKind.ORDINARY})
    rule = Rule("the rule", actions, targets, steps, **terms)  # type: ignore[arg-type]  # minutes
    return policy(rules=(rule,))


def staffed() -> FakeDirectory:
    """Ned approves beside Ada, and Sam is the manager of Alice's manager."""
    found = directory()
    found.groups[APPROVERS].members.add(NED)
    found.managers[MARTA] = SAM
    return found


@pytest.fixture
def rules() -> Policy:
    return ruled(Step((MANAGER,)), Step((SECURITY,)))


@pytest.fixture
async def h(tmp_path: Path, rules: Policy) -> AsyncIterator[House]:
    async with house(tmp_path, rules=rules, outside=staffed()) as opened:
        yield opened


async def now(h: House, sent: o.AwaitingApproval) -> Change:
    found = await h.store.change(sent.view.change.id)
    assert found is not None
    return found


def asked(h: House) -> set[str]:
    """Who has an approval card, by object id."""
    return {message.to_oid for message in h.messenger.delivered if ":ask:" in message.key}


def reminded(h: House) -> list[str]:
    return [message.to_oid for message in h.messenger.delivered if ":remind:" in message.key]


async def later(h: House, **delta: float) -> None:
    h.clock.pass_by(**delta)
    await h.jobs.drain()


async def test_steps_run_in_order(h: House) -> None:
    """The second step is asked only after the first is complete, and only its vote lets the write happen."""
    sent = await pending(h)
    assert asked(h) == {MARTA}
    first = await approve(h, sent)
    assert isinstance(first, o.AwaitingApproval)
    await h.jobs.drain()
    assert asked(h) == {MARTA, SAM}
    assert h.directory.effects == []
    assert isinstance(await approve(h, sent, by=SAM), o.Working)
    await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED
    assert "change:mobile:asked" in await events(h)


async def test_the_second_step_does_not_decide_before_its_turn(h: House) -> None:
    """Whoever belongs to a later step cannot decide the present one."""
    sent = await pending(h)
    assert refusal(await approve(h, sent, by=SAM)).code == "access.not-approver"


@pytest.mark.parametrize("rules", [ruled(Step((APPROVER,), 2))])
async def test_two_of_a_role(h: House) -> None:
    """need = 2 takes two people; the same one twice is said to count already."""
    sent = await pending(h)
    assert asked(h) == {ADA, NED}
    assert isinstance(await approve(h, sent, by=ADA), o.AwaitingApproval)
    assert refusal(await approve(h, sent, by=ADA)).code == "conflict.counted-before"
    assert isinstance(await approve(h, sent, by=NED), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((APPROVER,), None))])
async def test_everybody(h: House) -> None:
    """need = "all" waits for each person of the role."""
    sent = await pending(h)
    assert (await now(h, sent)).steps[0].need == 2
    assert isinstance(await approve(h, sent, by=ADA), o.AwaitingApproval)
    assert isinstance(await approve(h, sent, by=NED), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((APPROVER,), None, (SECURITY,)))])
async def test_everybody_is_replaced_when_somebody_is_lost(h: House) -> None:
    """A card that bounces brings in the fallback; no fewer people than before decide."""
    h.messenger.lost[NED] = "they have blocked this app"
    sent = await pending(h)
    change = await now(h, sent)
    assert asked(h) == {ADA, SAM}
    assert change.steps[0].need == 2
    await approve(h, sent, by=ADA)
    assert isinstance(await approve(h, sent, by=SAM), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((SECOND,)))])
async def test_the_managers_manager(h: House) -> None:
    """The token names the manager of the manager, at the submit and at the vote."""
    sent = await pending(h)
    assert asked(h) == {SAM}
    assert isinstance(await approve(h, sent, by=SAM), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), Step((MANAGER,), 1, (APPROVER,)))])
async def test_one_person_counts_once(h: House) -> None:
    """Who approved in the first step is passed over in the second: the fallback is asked instead."""
    sent = await pending(h)
    assert isinstance(await approve(h, sent), o.AwaitingApproval)
    await h.jobs.drain()
    assert asked(h) == {MARTA, ADA, NED}
    assert any("has approved already" in text for text in (await now(h, sent)).steps[1].missing)
    assert refusal(await approve(h, sent)).code == "conflict.counted-before"
    assert isinstance(await approve(h, sent, by=ADA), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), Step((MANAGER,)))])
async def test_steps_that_one_person_would_have_to_satisfy_twice(h: House) -> None:
    """Refused before anybody is asked: nobody could ever complete it."""
    assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "policy.nobody-to-ask"


@pytest.mark.parametrize("rules", [ruled(Step((APPROVER,)))])
async def test_two_accounts_of_one_person_count_as_one(tmp_path: Path, rules: Policy) -> None:
    """B9: an approver with the employee id of the requester is not asked, and refused by name at a vote."""
    outside = staffed()
    outside.people[OLIVIA] = replace(outside.people[OLIVIA], employee_id="4711")
    outside.people[NED] = replace(outside.people[NED], employee_id="4712")
    async with house(tmp_path, rules=rules, outside=outside) as h:
        sent = await pending(h)
        assert asked(h) == {ADA, NED}
        h.directory.people[NED] = replace(h.directory.people[NED], employee_id=" 4711 ")
        said = refusal(await approve(h, sent, by=NED))
        assert (said.code, said.facts["name"]) == ("access.same-person", "Olivia Ode")
        notes = " ".join((await now(h, sent)).notes)
        assert "No employee id" in notes
        assert "Ada Ames" in notes


@pytest.mark.parametrize("rules", [ruled(Step((APPROVER,), 2))])
async def test_two_accounts_cannot_be_the_two_approvers(tmp_path: Path, rules: Policy) -> None:
    """A second account of somebody who approved is refused, at the vote and in the count of who is there."""
    outside = staffed()
    for oid in (ADA, NED):
        outside.people[oid] = replace(outside.people[oid], employee_id="4712")
    async with house(tmp_path, rules=rules, outside=outside) as h:
        assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "policy.nobody-to-ask"
        h.directory.people[NED] = replace(h.directory.people[NED], employee_id="4713")
        sent = await pending(h)
        await approve(h, sent, by=ADA)
        h.directory.people[NED] = replace(h.directory.people[NED], employee_id="4712")
        assert refusal(await approve(h, sent, by=NED)).code == "access.same-person"


@pytest.mark.parametrize(
    "rules", [ruled(Step((MANAGER,), 1, (APPROVER,)), remind_minutes=60, escalate_minutes=240)]
)
async def test_reminded_once_then_others_are_asked(h: House) -> None:
    """After an hour the manager is reminded, once; after four others are asked, the requester told."""
    sent = await pending(h)
    await later(h, minutes=59)
    assert reminded(h) == []
    await later(h, minutes=1)
    assert reminded(h) == [MARTA]
    await later(h, minutes=179)
    assert reminded(h) == [MARTA]
    assert asked(h) == {MARTA}
    await later(h, minutes=1)
    assert asked(h) == {MARTA, ADA, NED}
    assert any("escalated" in key for key in h.messenger.told(OLIVIA))
    assert [name.rsplit(":", 1)[1] for name in await events(h)][-2:] == ["reminded", "asked-others"]
    assert isinstance(await approve(h, sent, by=ADA), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), Step((SECURITY,)), remind_minutes=60)])
async def test_each_step_has_its_own_reminder(h: House) -> None:
    """The minutes of a step count from when it was asked; whoever has approved is not reminded."""
    sent = await pending(h)
    await later(h, minutes=50)
    await approve(h, sent)
    await later(h, minutes=59)
    assert reminded(h) == []
    await later(h, minutes=1)
    assert reminded(h) == [SAM]


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), remind_minutes=60, expire_minutes=90)])
async def test_a_reminder_does_not_keep_a_request_alive(h: House) -> None:
    """Expiry counts from the submit whatever else is due; nothing is written."""
    sent = await pending(h)
    await later(h, minutes=60)
    await later(h, minutes=30)
    assert await state(h, sent) is State.EXPIRED
    assert h.directory.effects == []


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), cooling_minutes=1440, execute_minutes=60)])
async def test_cooling(h: House) -> None:
    """Agreed, it waits a day from the last vote and is then written; until then it says until when."""
    sent = await pending(h)
    agreed = h.clock.now()
    await approve(h, sent)
    await h.jobs.drain()
    change = await now(h, sent)
    assert (change.state, change.due_at) == (State.COOLING, agreed + timedelta(days=1))
    await later(h, minutes=1439)
    assert h.directory.effects == []
    await later(h, minutes=1)
    assert await state(h, sent) is State.APPLIED


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), cooling_minutes=1440, execute_minutes=60)])
async def test_what_cools_can_be_cancelled(h: House) -> None:
    """The requester takes it back before the end of cooling: nothing is ever written."""
    sent = await pending(h)
    await approve(h, sent)
    await h.jobs.drain()
    request = c.RequestId(sent.view.change.id)
    assert isinstance(await h.desk.handle(c.Cancel(request), h.envelope(OLIVIA)), o.Refused)
    await later(h, days=3)
    assert await state(h, sent) is State.CANCELLED
    assert h.directory.effects == []


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), cooling_minutes=60, execute_minutes=60)])
async def test_the_time_to_start_counts_from_the_end_of_cooling(h: House) -> None:
    """A write that is put off for long is not made an hour after cooling ended."""
    sent = await pending(h)
    await approve(h, sent)
    await h.jobs.drain()
    h.directory.fail("phones", Fault.UNAVAILABLE, times=10_000)
    await later(h, minutes=60)
    assert await state(h, sent) is State.COOLING
    await later(h, minutes=60)
    assert await state(h, sent) is State.EXPIRED


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,), 1, (APPROVER,)))])
async def test_a_manager_who_is_out_counts_as_missing(h: House) -> None:
    """The fallback is asked instead, the card says until when, and the manager may decide all the same."""
    said = await h.desk.handle(c.Out("2026-03-06"), h.envelope(MARTA))
    assert isinstance(said, o.Page)
    assert said.absence is not None
    sent = await pending(h)
    step = (await now(h, sent)).steps[0]
    assert asked(h) == {ADA, NED}
    assert any("is out until 6 Mar" in text for text in step.missing)
    assert isinstance(await approve(h, sent), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,), 1, (APPROVER,)))])
async def test_what_waits_for_somebody_goes_on_when_they_leave(h: House) -> None:
    """`out until` re-routes at once what is open; the requester is told; `approvals` still lists it."""
    sent = await pending(h)
    said = await h.desk.handle(c.Out("friday"), h.envelope(MARTA))
    assert isinstance(said, o.Page)
    assert said.more == 1
    await h.jobs.drain()
    assert asked(h) == {MARTA, ADA, NED}
    assert any("out" in key for key in h.messenger.told(OLIVIA))
    assert next(each.state for each in (await now(h, sent)).steps[0].asked) is Asking.OUT
    listed = await h.desk.handle(c.Approvals(), h.envelope(MARTA))
    assert isinstance(listed, o.Page)
    assert len(listed.rows) == 1


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,), 1, (APPROVER,)))])
@pytest.mark.parametrize("returns", [c.Out("today"), None])
async def test_an_absence_ends(h: House, returns: c.Out | None) -> None:
    """By `back`, or when the day has come: the manager is asked again."""
    await h.desk.handle(c.Out("tomorrow"), h.envelope(MARTA))
    if returns is None:
        h.clock.pass_by(days=1)
    else:
        assert await h.desk.handle(returns, h.envelope(MARTA)) == o.Page(o.PageKind.ABSENCE)
    await pending(h)
    assert asked(h) == {MARTA}


@pytest.mark.parametrize(
    ("until", "problem"),
    [("yesterday", "no day"), ("2026-03-01", "over"), ("2026-06-30", "90 days"), ("next friday", "two")],
)
async def test_days_that_cannot_be_meant(h: House, until: str, problem: str) -> None:
    """A day that is over, unclear or far away is refused in words; nothing is kept."""
    said = refusal(await h.desk.handle(c.Out(until), h.envelope(MARTA)))
    assert said.code == "usage.date-unclear"
    assert problem in said.facts["problem"]
    assert await h.store.absences([MARTA], h.clock.now()) == {}


async def test_a_nudge_reminds_three_times(h: House) -> None:
    """Only the requester, only those who have not decided, and the fourth time is refused."""
    sent = await pending(h)
    nudge = c.Nudge(c.RequestId(sent.view.change.id))
    assert refusal(await h.desk.handle(nudge, h.envelope(MARTA))).code == "usage.request-unknown"
    for _ in range(3):
        assert isinstance(await h.desk.handle(nudge, h.envelope(OLIVIA)), o.AwaitingApproval)
        await h.jobs.drain()
    assert reminded(h) == [MARTA] * 3
    assert refusal(await h.desk.handle(nudge, h.envelope(OLIVIA))).code == "policy.nudged-enough"
    await approve(h, sent)
    await approve(h, sent, by=SAM)
    assert refusal(await h.desk.handle(nudge, h.envelope(OLIVIA))).code == "conflict.nothing-to-nudge"


@pytest.mark.parametrize("rules", [ruled()])
async def test_a_rule_that_needs_nobody(h: House) -> None:
    """steps = []: nobody is asked, it is agreed and written by itself, and the audit names the rule."""
    sent = await pending(h)
    assert asked(h) == set()
    assert await state(h, sent) is State.APPLIED
    assert [name.rsplit(":", 1)[1] for name in await events(h)][1:] == [
        "submitted",
        "agreed",
        "attempted",
        "applied",
    ]


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,), 1, (APPROVER,)))])
async def test_a_silent_directory_keeps_nothing_half(h: House) -> None:
    """Whoever goes away while the directory is silent: the fallback is asked as soon as it answers."""
    await pending(h)
    h.directory.fail("members", Fault.UNAVAILABLE, times=1)
    await h.desk.handle(c.Out("friday"), h.envelope(MARTA))
    await h.jobs.drain()
    assert asked(h) == {MARTA}
    await later(h, seconds=15)
    assert asked(h) == {MARTA, ADA, NED}


@pytest.mark.parametrize("rules", [ruled(Step((MANAGER,)), Step((APPROVER,)))])
async def test_a_vote_that_cannot_open_the_next_step_does_not_count(h: House) -> None:
    """With a silent directory the approver is told to try again; the same click counts later."""
    sent = await pending(h)
    h.directory.fail("members", Fault.UNAVAILABLE, times=1)
    assert refusal(await approve(h, sent)).code == "directory.unavailable"
    assert (await now(h, sent)).votes == ()
    assert isinstance(await approve(h, sent), o.AwaitingApproval)


@pytest.mark.parametrize("rules", [ruled(Step((APPROVER,)), Step((APPROVER,)))])
async def test_the_second_step_passes_over_who_decided_the_first(h: House) -> None:
    """Two steps of one role take two people of it."""
    sent = await pending(h)
    await approve(h, sent, by=ADA)
    await h.jobs.drain()
    assert [each.person.oid for each in (await now(h, sent)).awaited] == [NED]
    assert refusal(await approve(h, sent, by=ADA)).code == "conflict.counted-before"
    assert isinstance(await approve(h, sent, by=NED), o.Working)


@pytest.mark.parametrize("rules", [ruled(Step((APPROVER,), None, (SECURITY,)), cooling_minutes=60)])
@pytest.mark.parametrize("leaves", [False, True])
async def test_a_step_that_is_opened_again_takes_no_fewer_people(h: House, leaves: bool) -> None:
    """One of "all" takes the approval back: the other's counts on, and as many as before must approve; for
    somebody who left the role meanwhile the fallback is asked."""
    sent = await pending(h)
    await approve(h, sent, by=ADA)
    await approve(h, sent, by=NED)
    await h.jobs.drain()
    assert await state(h, sent) is State.COOLING
    if leaves:
        h.directory.groups[APPROVERS].members.remove(NED)
    await h.desk.handle(c.Withdraw(c.RequestId(sent.view.change.id)), h.envelope(NED))
    change = await now(h, sent)
    assert (change.state, change.steps[0].need, change.approved_by) == (State.PENDING, 2, {ADA})
    assert change.step is not None
    await h.jobs.drain()
    assert {each.person.oid for each in (await now(h, sent)).awaited} == ({SAM} if leaves else {NED})
    if leaves:
        assert isinstance(await approve(h, sent, by=SAM), o.Working)
