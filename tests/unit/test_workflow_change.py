"""One change from asking to the directory, on the real workflow and a real SQLite store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asking import NEW, approve, ask, events, pending, previewed, refusal, state

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import How, State
from bot.domain.phone import Slot
from tests.doubles.directory import Fault
from tests.doubles.house import (
    ADA,
    ALICE,
    AMIR,
    GLENN,
    HELD,
    MARTA,
    NED,
    OLIVIA,
    OPERATORS,
    House,
    house,
)


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def test_the_main_job(h: House) -> None:
    """Asked, approved by the manager, written once, told to both, audited in order; the number is erased."""
    shown = await previewed(h)
    assert shown.in_full == "+1 2065550100"
    assert h.directory.effects == []
    sent = await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
    assert isinstance(sent, o.AwaitingApproval)
    await h.jobs.drain()
    assert h.directory.effects == []
    assert isinstance(await approve(h, sent), o.Working)
    await h.jobs.drain()

    assert [(e.oid, e.slot, e.after.masked) for e in h.directory.effects if e.after] == [
        (ALICE, Slot.MOBILE, "+1 •••••• 00")
    ]
    assert await state(h, sent) is State.APPLIED
    assert await events(h) == [
        f"change:mobile:{what}" for what in ("previewed", "submitted", "approved", "attempted", "applied")
    ]
    assert any("ask" in key for key in h.messenger.told(MARTA))
    assert len(h.messenger.told(ALICE)) == 2
    assert len(h.messenger.told(OLIVIA)) == 1
    assert await h.store.numbers(shown.view.change.id) == {}
    assert (await h.store.verify_audit()).bad == ()


async def test_nobody_decides_their_own_request(h: House) -> None:
    """Requester and target are refused at the click, whatever they send; the request stays open."""
    sent = await pending(h)
    h.directory.groups[OPERATORS].members.add(ALICE)
    assert refusal(await approve(h, sent, OLIVIA)).code == "access.own-request"
    assert refusal(await approve(h, sent, ALICE)).code == "access.own-phone-decision"
    assert await state(h, sent) is State.PENDING
    assert h.directory.effects == []


async def test_a_bystander_learns_nothing_from_a_forwarded_card(h: House) -> None:
    """A card that was drawn for the manager decides nothing for somebody else."""
    sent = await pending(h)
    card = h.parts.card_ref(sent.view.change, MARTA)
    outcome = await h.desk.handle(
        c.Approve(c.RequestId(sent.view.change.id), card, How.IN_PERSON), h.envelope(NED)
    )
    assert refusal(outcome).code == "usage.request-unknown"
    assert await state(h, sent) is State.PENDING


async def test_the_second_voter_is_told_who_decided(h: House) -> None:
    """Only one decision counts; the later click names the first."""
    h.directory.managers.pop(ALICE)
    h.directory.groups[h_approvers(h)].members.add(MARTA)
    sent = await pending(h)
    assert isinstance(await approve(h, sent, ADA), o.Working)
    late = await approve(h, sent, MARTA)
    assert refusal(late).code == "conflict.already-decided"
    assert refusal(late).facts["name"] == "Ada Ames"


def h_approvers(h: House) -> str:
    return next(gid for gid, group in h.directory.groups.items() if group.name == "Approvers")


async def test_a_rejection_needs_a_reason_and_ends_it(h: House) -> None:
    """Without words nothing is rejected; with words it is over, both are told, nothing is written."""
    sent = await pending(h)
    change = sent.view.change
    card = h.parts.card_ref(change, MARTA)
    bare = await h.desk.handle(c.Reject(c.RequestId(change.id), " ", card), h.envelope(MARTA))
    assert refusal(bare).code == "usage.reason-missing"
    done = await h.desk.handle(c.Reject(c.RequestId(change.id), "not her", card), h.envelope(MARTA))
    assert refusal(done).facts["because"] == "not her"
    await h.jobs.drain()
    assert await state(h, sent) is State.REJECTED
    assert h.directory.effects == []
    assert len(h.messenger.told(OLIVIA)) == 1


@pytest.mark.parametrize(
    ("minutes", "approved", "what"),
    [(10.5, None, "10 minutes"), (1441, False, "Nobody decided"), (241, True, "could not be started")],
)
async def test_time_running_out_is_never_a_yes(
    h: House, minutes: float, approved: bool | None, what: str
) -> None:
    """A preview, an undecided request and an approved but unstarted one all end as expired."""
    shown = await previewed(h) if approved is None else await pending(h)
    if approved:
        assert isinstance(shown, o.AwaitingApproval)
        await approve(h, shown)
    h.clock.pass_by(minutes=minutes)
    await h.jobs.drain()
    assert await state(h, shown) is State.EXPIRED
    change = await h.store.change(shown.view.change.id)
    assert change is not None
    assert change.ending is not None
    assert what in change.ending.facts["what"]
    assert h.directory.effects == []


async def test_an_expired_request_cannot_be_approved_before_the_worker_saw_it(h: House) -> None:
    """The deadline is in the guard of the vote itself."""
    sent = await pending(h)
    h.clock.pass_by(minutes=1441)
    assert refusal(await approve(h, sent)).code == "conflict.expired"
    assert h.directory.effects == []


@pytest.mark.parametrize("who", [NED, GLENN, MARTA, AMIR])
async def test_only_operators_ask(h: House, who: str) -> None:
    """Everybody else gets the same refusal, before anybody is looked up."""
    outcome = await h.desk.handle(ask(), h.envelope(who))
    assert refusal(outcome).code == "access.not-allowed"
    assert "find" not in h.directory.calls
    assert "phones" not in h.directory.calls


async def test_rights_that_cannot_be_read_are_no_rights(h: House) -> None:
    """A silent directory refuses, and says so."""
    h.directory.fail("member_of", Fault.UNAVAILABLE)
    assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "access.cannot-check"


async def test_nobody_changes_their_own_number(h: House) -> None:
    """An operator is refused for herself."""
    assert refusal(await h.desk.handle(ask(OLIVIA), h.envelope(OLIVIA))).code == "policy.own-number"


async def test_protected_people_are_refused_and_unreadable_protection_too(h: House) -> None:
    """A directory role protects; so does not knowing."""
    h.directory.roles[ALICE] = {"62e90394-69f5-4237-9190-012177145e10"}
    said = refusal(await h.desk.handle(ask(), h.envelope(OLIVIA)))
    assert said.code == "policy.protected"
    assert "Global Administrator" in said.facts["facts"]
    h.directory.roles.clear()
    h.directory.fail("protection", Fault.UNAVAILABLE)
    assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "policy.protection-unknown"


async def test_becoming_protected_after_the_approval_blocks(h: House) -> None:
    """Protection is judged again right before the write."""
    sent = await pending(h)
    await approve(h, sent)
    h.directory.roles[ALICE] = {"62e90394-69f5-4237-9190-012177145e10"}
    await h.jobs.drain()
    assert await state(h, sent) is State.BLOCKED
    assert h.directory.effects == []
    # Whoever looks at it is shown how it ended, and has been refused nothing.
    before = await events(h)
    shown = await h.desk.handle(c.Status(c.RequestId(sent.view.change.id)), h.envelope(OLIVIA))
    assert refusal(shown).code == "policy.protected"
    assert await events(h) == before


async def test_an_operator_removed_in_between_blocks(h: House) -> None:
    """The requester's rights are checked again right before the write."""
    sent = await pending(h)
    await approve(h, sent)
    h.directory.groups[OPERATORS].members.clear()
    await h.jobs.drain()
    assert await state(h, sent) is State.BLOCKED
    assert h.directory.effects == []


async def test_a_value_changed_elsewhere_blocks(h: House) -> None:
    """An approval counts for before -> after as shown, not for another before."""
    sent = await pending(h)
    await approve(h, sent)
    h.directory.set_phone(ALICE, Slot.MOBILE, HELD.__class__("1", "2065550199"))
    await h.jobs.drain()
    assert await state(h, sent) is State.BLOCKED


async def test_the_fallback_is_asked_when_the_manager_cannot_be_reached(h: House) -> None:
    """Known before submit: the card says who is missing and who is asked instead."""
    h.messenger.unreachable[MARTA] = "this app is not installed for them in Teams"
    shown = await previewed(h)
    step = shown.view.change.steps[0]
    assert [asked.person.oid for asked in step.asked] == [ADA]
    assert "Marta Mink" in step.missing[0]
    assert "not installed" in step.missing[0]


async def test_nobody_reachable_is_refused_before_submit(h: House) -> None:
    """Nobody left to ask: no request is made, and the reason names everybody who is missing."""
    h.messenger.unreachable.update({MARTA: "not installed", ADA: "not installed"})
    said = refusal(await h.desk.handle(ask(), h.envelope(OLIVIA)))
    assert said.code == "policy.nobody-to-ask"
    assert "Marta Mink" in said.facts["missing"]


async def test_an_approver_lost_at_delivery_brings_the_fallback_in(h: House) -> None:
    """The manager's card bounces after submit: the fallback is asked at once and the requester told."""
    h.messenger.lost[MARTA] = "they have blocked this app"
    await pending(h)
    await h.jobs.drain()
    assert any(":ask:" in key for key in h.messenger.told(ADA))
    assert any("unreachable" in key for key in h.messenger.told(OLIVIA))


async def test_a_manager_who_is_the_requester_does_not_count(h: House) -> None:
    """Manager = requester: no silent self-route, the fallback is asked."""
    h.directory.managers[ALICE] = OLIVIA
    step = (await previewed(h)).view.change.steps[0]
    assert [asked.person.oid for asked in step.asked] == [ADA]


async def test_already_that_number(h: House) -> None:
    """No request, no write, no approval when it is so already."""
    outcome = await h.desk.handle(ask(number="+1 (206) 555-0112"), h.envelope(OLIVIA))
    assert isinstance(outcome, o.AlreadySo)


async def test_one_open_request_per_person_and_slot(h: House) -> None:
    """The second is refused and told who opened the first and since when; another slot is free."""
    await pending(h)
    said = refusal(await h.desk.handle(ask(number="+1 206 555 0133"), h.envelope(OLIVIA)))
    assert said.code == "conflict.open-request"
    assert said.facts["name"] == "Olivia Ode"
    assert "2026-03-02" in said.facts["since"]
    await previewed(h, ask(slot=Slot.OFFICE))


async def test_two_previews_one_submit(h: House) -> None:
    """Previews hold no lock; the second to be submitted is refused."""
    first, second = await previewed(h), await previewed(h, ask(number="+1 206 555 0133"))
    await h.desk.handle(c.Submit(first.view.card), h.envelope(OLIVIA))
    late = await h.desk.handle(c.Submit(second.view.card), h.envelope(OLIVIA))
    assert refusal(late).code == "conflict.open-request"


async def test_a_redelivered_command_is_absorbed(h: House) -> None:
    """The same activity twice gives the same request, not a second."""
    envelope = h.envelope(OLIVIA)
    first = await h.desk.handle(ask(), envelope)
    again = await h.desk.handle(ask(), envelope)
    assert isinstance(first, o.Preview)
    assert isinstance(again, o.Preview)
    assert first.view.change.id == again.view.change.id


async def test_a_double_click_is_one_submit_and_one_vote(h: House) -> None:
    """A second click is a new activity; the state absorbs it and answers the same."""
    shown = await previewed(h)
    for _ in range(2):
        sent = await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
        assert isinstance(sent, o.AwaitingApproval)
    for _ in range(2):
        await approve(h, sent)
    await h.jobs.drain()
    assert len(h.directory.effects) == 1


async def test_cancel_before_and_too_late(h: House) -> None:
    """The requester may take it back until it starts; afterwards the answer says how it ended."""
    sent = await pending(h)
    change = sent.view.change
    request = c.RequestId(change.id, change.tail)
    stranger = await h.desk.handle(c.Cancel(request), h.envelope(NED))
    assert refusal(stranger).code == "usage.request-unknown"
    ended = await h.desk.handle(c.Cancel(request), h.envelope(OLIVIA))
    assert refusal(ended).code == "conflict.cancelled"
    assert await state(h, sent) is State.CANCELLED
    again = await pending(h)
    await approve(h, again)
    await h.jobs.drain()
    late = await h.desk.handle(c.Cancel(c.RequestId(again.view.change.id)), h.envelope(OLIVIA))
    assert refusal(late).code == "conflict.too-late"


async def test_a_typed_decision_needs_the_right_tail(h: House) -> None:
    """Without the tail the current card is shown; with a wrong one too; only the right one decides."""
    sent = await pending(h)
    change = sent.view.change
    shown = await h.desk.handle(c.Approve(c.RequestId(change.id), how=How.IN_PERSON), h.envelope(MARTA))
    assert isinstance(shown, o.AwaitingApproval)
    assert shown.view.may_vote
    wrong = "0000" if change.tail != "0000" else "1111"
    stale = await h.desk.handle(
        c.Approve(c.RequestId(change.id, wrong), how=How.IN_PERSON), h.envelope(MARTA)
    )
    assert isinstance(stale, o.AwaitingApproval)
    assert stale.said is not None
    assert await state(h, sent) is State.PENDING
    done = await h.desk.handle(
        c.Approve(c.RequestId(change.id, change.tail), how=How.IN_PERSON), h.envelope(MARTA)
    )
    assert isinstance(done, o.Working)


async def test_remove(h: House) -> None:
    """Emptying a slot goes the same way and deletes once."""
    sent = await pending(h, c.RemovePhone(c.Who(c.WhoKind.OID, ALICE), Slot.MOBILE, "left the country"))
    await approve(h, sent)
    await h.jobs.drain()
    assert h.directory.phones_of[ALICE] == {}
    assert len(h.directory.effects) == 1


async def test_read_only_writes_nothing_and_says_so(tmp_path: Path) -> None:
    """The switch refuses at once."""
    async with house(tmp_path, read_only=True) as h:
        assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "policy.read-only"


async def test_refusals_are_audited_once_a_minute(h: House) -> None:
    """Access refusals leave a row, repeated ones only one a minute."""
    for _ in range(3):
        await h.desk.handle(ask(), h.envelope(NED))
    h.clock.pass_by(seconds=61)
    await h.desk.handle(ask(), h.envelope(NED))
    report = await h.store.verify_audit()
    assert report.records == 2


async def test_a_number_in_the_reason_is_not_kept(h: House) -> None:
    """What people type into free text is masked before it is stored, shown or audited."""
    shown = await previewed(
        h, c.SetPhone(c.Who(c.WhoKind.OID, ALICE), Slot.MOBILE, NEW, "call +1 (206) 555-0177 on 2026-11-23")
    )
    assert shown.view.change.reason == "call •••••• 77 on 2026-11-23"


async def test_submit_is_authorised_again(h: House) -> None:
    """Whoever lost the role after the preview cannot send it, by button or typed."""
    shown = await previewed(h)
    change = shown.view.change
    h.directory.groups[OPERATORS].members.clear()
    for command in (c.Submit(shown.view.card), c.Submit(None, c.RequestId(change.id, change.tail))):
        assert refusal(await h.desk.handle(command, h.envelope(OLIVIA))).code == "access.not-allowed"
    assert await state(h, shown) is State.PREVIEWED


async def test_a_typed_submit_needs_the_right_tail(h: House) -> None:
    """Without the tail the preview is shown again; with it, it is sent."""
    shown = await previewed(h)
    change = shown.view.change
    again = await h.desk.handle(c.Submit(None, c.RequestId(change.id)), h.envelope(OLIVIA))
    assert isinstance(again, o.Preview)
    sent = await h.desk.handle(c.Submit(None, c.RequestId(change.id, change.tail)), h.envelope(OLIVIA))
    assert isinstance(sent, o.AwaitingApproval)
