"""What holds when a plan stops half-way, people go, or an approver cannot be told; and what is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, How, State, content_hash, number_key
from bot.domain.methods import Default
from bot.domain.people import Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Rule, Step, Token, TokenKind
from bot.jobs import LEASE, TRIES
from bot.ports import Commit, Delivered, Lost, Message, Store, Won
from bot.wiring import WeakGroups, _check_groups
from bot.workflow.desk import Desk
from tests.doubles.directory import Fault, Group
from tests.doubles.house import (
    ADA,
    ALICE,
    AMIR,
    HELD,
    MARTA,
    OLIVIA,
    SAM,
    HandClock,
    House,
    NotingMessenger,
    directory,
    house,
    policy,
)

OTHER = PhoneNumber("1", "2065550134")
ALICE_ = c.Who(c.WhoKind.OID, ALICE)
ALL = Rule(
    "everything",
    frozenset({Action.SET, Action.REMOVE, Action.SWAP, Action.SMS}),
    frozenset({TargetKind.ORDINARY}),
    (Step((Token(TokenKind.MANAGER),), 1, (Token(TokenKind.ROLE, "approver"),)),),
)
RULES = policy(rules=(ALL,))


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, rules=RULES) as made:
        made.directory.phones_of[ALICE] = {Slot.MOBILE: HELD, Slot.ALTERNATE: OTHER}
        yield made


async def submitted(h: House, command: c.Order) -> Change:
    shown = await h.desk.handle(command, h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview), shown
    await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
    return shown.view.change


async def approved(h: House, command: c.Order) -> Change:
    change = await submitted(h, command)
    card = h.parts.card_ref(change, MARTA)
    await h.desk.handle(c.Approve(c.RequestId(change.id), card, How.IN_PERSON), h.envelope(MARTA))
    return change


async def now(h: House, change: Change) -> Change:
    found = await h.store.change(change.id)
    assert found is not None
    return found


async def half_way(h: House, fault: Fault = Fault.UNAVAILABLE) -> Change:
    """A swap whose first write is there and whose second was not sent, or has not been answered."""
    change = await approved(h, c.Swap(ALICE_, "lost the first"))
    skip = 0 if fault is Fault.UNCERTAIN_AFTER else 1
    h.directory.fail("write", fault, skip=skip)
    await h.jobs.drain()
    assert len(h.directory.effects) == 1
    return change


def set_mobile() -> c.SetPhone:
    return c.SetPhone(ALICE_, Slot.MOBILE, "+1 206 555 0100", "lost phone")


class TestTheRestOfAPlan:
    @pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.UNCERTAIN_AFTER])
    async def test_nothing_more_is_written_to_who_became_protected(self, h: House, fault: Fault) -> None:
        """Promoted between two writes of one plan: the second is not made, and half-way is said."""
        change = await half_way(h, fault)
        h.directory.facts[ALICE] = ("holds the directory role Global Administrator",)
        h.clock.pass_by(minutes=2)
        await h.jobs.drain()
        found = await now(h, change)
        assert len(h.directory.effects) == 1
        assert found.state is State.FAILED
        assert found.ending is not None
        assert found.ending.code == "directory.half-done"

    async def test_nothing_more_is_written_by_a_bot_that_may_only_read(self, tmp_path: Path) -> None:
        """Started again with READ_ONLY: the second write waits."""
        outside = directory()
        outside.phones_of[ALICE] = {Slot.MOBILE: HELD, Slot.ALTERNATE: OTHER}
        async with house(tmp_path, rules=RULES, outside=outside) as first:
            change = await half_way(first)
        async with house(tmp_path, rules=RULES, outside=outside, clock=first.clock, read_only=True) as h:
            h.clock.pass_by(minutes=2)
            await h.jobs.drain()
            assert len(outside.effects) == 1
            assert (await now(h, change)).state is State.APPLYING

    async def test_unreadable_facts_put_the_rest_off(self, h: House) -> None:
        """Whether the person is protected cannot be read: no write now, the rest when it can be."""
        change = await half_way(h)
        h.clock.pass_by(minutes=2)
        h.directory.fail("protection", Fault.UNAVAILABLE)
        await h.jobs.drain()
        assert len(h.directory.effects) == 1
        h.clock.pass_by(minutes=2)
        await h.jobs.drain()
        assert (await now(h, change)).state is State.APPLIED

    async def test_a_late_start_leaves_the_rest_its_time(self, h: House) -> None:
        """Begun two hours after the approval and throttled in between: the second write still comes."""
        change = await approved(h, c.Swap(ALICE_, "lost the first"))
        h.clock.pass_by(hours=2)
        h.directory.fail("write", Fault.UNAVAILABLE, skip=1)
        await h.jobs.drain()
        h.clock.pass_by(seconds=20)
        await h.jobs.drain()
        assert (await now(h, change)).state is State.APPLIED
        assert len(h.directory.effects) == 2


class TestAWorkerThatSlept:
    async def test_it_does_not_send_what_it_meant_to_send_minutes_ago(self, tmp_path: Path) -> None:
        """Held up between intent and call for longer than its lease: nothing is sent on the old intent."""
        async with house(tmp_path, rules=RULES) as h:
            change = await approved(h, set_mobile())
            slow = SleepsAfterTheIntent(h.store, h.clock)
            desk = Desk(replace(h.parts, store=cast(Store, slow)))
            claimed = await h.store.claim_changes("sleeper", h.clock.now(), LEASE, 1)
            await desk.applying.work(claimed[0])
            assert h.directory.effects == []
            assert (await now(h, change)).state is State.APPROVED
            h.clock.pass_by(minutes=1)
            await h.jobs.drain()
            assert (await now(h, change)).state is State.APPLIED
            assert len(h.directory.effects) == 1


class TestNothingStaysOpenForEver:
    async def test_an_account_that_is_gone_ends_it(self, h: House) -> None:
        """No answer to the write, then the account is deleted: somebody must look, the slot is free."""
        change = await approved(h, set_mobile())
        h.directory.fail("write", Fault.UNCERTAIN_BEFORE)
        await h.jobs.drain()
        del h.directory.people[ALICE]
        for _ in range(30):
            h.clock.pass_by(minutes=5)
            await h.jobs.drain()
        found = await now(h, change)
        assert found.state is State.CONFLICT
        assert found.ending is not None

    async def test_a_guard_that_can_be_read_no_more_is_given_up_and_told(self, h: House) -> None:
        """Restoring the default gets no answer and the default becomes unreadable: said, not waited for."""
        h.directory.profile = "default-guard"
        h.directory.preferred[ALICE] = Default.PUSH
        h.directory.moves_default = Default.SMS
        change = await approved(h, set_mobile())
        h.directory.fail("set_default", Fault.UNCERTAIN_BEFORE)
        await h.jobs.drain()
        assert (await now(h, change)).state is State.UNCONFIRMED
        h.directory.unreadable = "the directory does not say"
        for _ in range(30):
            h.clock.pass_by(minutes=5)
            await h.jobs.drain()
        found = await now(h, change)
        assert found.state is State.APPLIED
        assert "guard-failed" in found.notes


async def preview_of(h: House) -> o.Preview:
    shown = await h.desk.handle(set_mobile(), h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview)
    return shown


class TestApproversWhoCannotBeTold:
    async def test_the_fallback_is_asked_when_the_directory_answers_again(self, h: House) -> None:
        """The manager's card is undeliverable while the directory is silent: the fallback comes later."""
        h.messenger.lost[MARTA] = "the app is not installed"
        change = await submitted(h, set_mobile())
        h.directory.fail("person", Fault.UNAVAILABLE)
        await h.jobs.drain()
        h.clock.pass_by(minutes=5)
        await h.jobs.drain()
        step = (await now(h, change)).step
        assert step is not None
        assert step.fallback_on
        assert any("ask" in key for key in h.messenger.told(ADA))

    async def test_a_message_that_breaks_its_sending_is_given_up(self, tmp_path: Path) -> None:
        """A card that cannot be drawn is tried a limited number of times, and the fallback takes over."""
        broken = BreaksFor(MARTA)
        async with house(tmp_path, rules=RULES, messenger=broken) as h:
            change = await submitted(h, set_mobile())
            for _ in range(2 * TRIES):
                await h.jobs.drain()
                h.clock.pass_by(minutes=2)
            assert broken.tried <= TRIES
            step = (await now(h, change)).step
            assert step is not None
            assert step.fallback_on

    async def test_a_message_outlives_many_killed_processes(self, h: House) -> None:
        """Claimed by one process after the other, each killed before it could send: told in the end."""
        await h.desk.handle(c.Submit((await preview_of(h)).view.card), h.envelope(OLIVIA))
        for n in range(2 * TRIES):
            assert await h.store.claim_messages(f"dead-{n}", h.clock.now(), LEASE, 100)
            await h.store.release_leases(None)
        await h.jobs.drain()
        assert any("ask" in key for key in h.messenger.told(MARTA))


class TestWhatIsShown:
    async def test_a_swap_shows_nobody_a_number_that_nobody_typed(self, h: House) -> None:
        """The number a swap promotes comes from the directory: the requester's preview keeps it masked."""
        shown = await h.desk.handle(c.Swap(ALICE_, "lost the first"), h.envelope(OLIVIA))
        assert isinstance(shown, o.Preview)
        assert shown.in_full is None
        assert shown.view.change.operations[0].after == OTHER.masked

    async def test_a_preview_is_the_requesters_own_also_for_other_operators(self, h: House) -> None:
        """A typed submit with the right tail does not show somebody else's preview."""
        h.directory.groups[next(iter(RULES.roles[Role.OPERATOR]))].members.add(SAM)
        shown = await h.desk.handle(set_mobile(), h.envelope(OLIVIA))
        assert isinstance(shown, o.Preview)
        change = shown.view.change
        typed = c.Submit(None, c.RequestId(change.id, change.tail))
        outcome = await h.desk.handle(typed, h.envelope(SAM))
        assert isinstance(outcome, o.Refused), outcome
        assert outcome.refusals[0].code == "usage.request-unknown"

    async def test_a_preview_never_sent_stays_the_requesters(self, h: House) -> None:
        """Cancelled before submit: the target and those who would have been asked never hear of it."""
        shown = await h.desk.handle(set_mobile(), h.envelope(OLIVIA))
        assert isinstance(shown, o.Preview)
        change = shown.view.change
        await h.desk.handle(c.Cancel(c.RequestId(change.id), shown.view.card), h.envelope(OLIVIA))
        for who in (ALICE, MARTA):
            outcome = await h.desk.handle(c.Status(c.RequestId(change.id)), h.envelope(who))
            assert isinstance(outcome, o.Refused)
            assert outcome.refusals[0].code == "usage.request-unknown"
            assert outcome.view is None

    async def test_a_number_given_as_a_ticket_is_not_audited(self, h: House) -> None:
        """Whatever stands where the ticket stands, the audit of `who has` holds no clear number."""
        asked = c.WhoHas("+1 206 555 0134", "lost and found", "+1 206 555 0177")
        await h.desk.handle(asked, h.envelope(AMIR))
        records, _ = await h.store.history("", 10)
        assert records
        assert "0177" not in str([record.event.facts for record in records])

    async def test_a_content_hash_cannot_be_guessed_back_to_the_number(self, h: House) -> None:
        """Whoever reads audit and cards knows all but the number; trying all numbers must not find it."""
        h.directory.phones_of[ALICE] = {}
        shown = await h.desk.handle(set_mobile(), h.envelope(OLIVIA))
        assert isinstance(shown, o.Preview)
        change = shown.view.change
        known = tuple(
            replace(op, before_key="", after_key="") if op.n == 1 else op for op in change.operations
        )
        guesses = [
            tuple(replace(op, after_key=guess) for op in known)
            for guess in ("", "+12065550100", "2065550100", number_key(b"", PhoneNumber("1", "2065550100")))
        ]
        assert change.content_hash not in {content_hash(replace(change, operations=g)) for g in guesses}


class TestTheStart:
    @pytest.mark.parametrize("fallback", [False, True])
    async def test_a_weak_group_of_approvers_refuses_it(self, fallback: bool) -> None:
        """Approvers named by group id decide as much as a role does: their group is checked as well."""
        outside = directory()
        weak = "cccccccc-0000-4000-8000-000000000099"
        outside.groups[weak] = Group(weak, "Anybody's")
        by_group, manager = Token(TokenKind.GROUP, weak), Token(TokenKind.MANAGER)
        step = Step((manager,), 1, (by_group,)) if fallback else Step((by_group,))
        rule = Rule("by group", frozenset({Action.SET}), frozenset({TargetKind.ORDINARY}), (step,))
        with pytest.raises(WeakGroups, match=weak):
            await _check_groups(outside, policy(rules=(rule,)))
        await _check_groups(outside, policy(rules=(rule,), accept_weak_groups=True))


class BreaksFor(NotingMessenger):
    """Raises a defect of ours when one person is written to."""

    def __init__(self, oid: str) -> None:
        super().__init__()
        self.oid = oid
        self.tried = 0

    async def deliver(self, message: Message) -> Delivered:
        if message.to_oid == self.oid:
            self.tried += 1
            raise RuntimeError("a card that cannot be drawn")
        return await super().deliver(message)


class SleepsAfterTheIntent:
    """A store whose user is stopped for five minutes right after the intent was written."""

    def __init__(self, inside: Store, clock: HandClock) -> None:
        self._inside = inside
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inside, name)

    async def commit(self, commit: Commit) -> Won | Lost:
        done = await self._inside.commit(commit)
        if any(event.name.endswith(":attempted") for event in commit.events):
            self._clock.pass_by(minutes=5)
        return done
