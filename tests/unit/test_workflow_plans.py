"""Plans of several operations: swap, SMS sign-in, and the guards over the default method and SMS sign-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, How, OpKind, OpState, State
from bot.domain.methods import ALL_USERS, Default, Method, MethodRule, PolicyTarget, SmsState
from bot.domain.people import TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Risk, Rule, Step, Token, TokenKind
from tests.doubles.directory import Fault
from tests.doubles.house import ALICE, HELD, MARTA, OLIVIA, House, house, policy

OTHER = PhoneNumber("1", "2065550134")
NEW = "+1 206 555 0100"
ALICE_ = c.Who(c.WhoKind.OID, ALICE)
ALL = Rule(
    "everything",
    frozenset({Action.SET, Action.REMOVE, Action.SWAP, Action.SMS}),
    frozenset({TargetKind.ORDINARY}),
    (Step((Token(TokenKind.MANAGER),)),),
)
USABLE = MethodRule(True, (PolicyTarget(ALL_USERS, usable_for_sign_in=True),))


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, rules=policy(rules=(ALL,))) as made:
        made.directory.profile = "default-guard"
        yield made


async def approved(h: House, command: c.Order) -> Change:
    """Asked, submitted, approved; not yet carried out."""
    shown = await h.desk.handle(command, h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview), shown
    await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
    change = shown.view.change
    card = h.parts.card_ref(change, MARTA)
    await h.desk.handle(c.Approve(c.RequestId(change.id), card, How.IN_PERSON), h.envelope(MARTA))
    return change


async def done(h: House, command: c.Order) -> Change:
    change = await approved(h, command)
    await h.jobs.drain()
    return await now(h, change)


async def now(h: House, change: Change) -> Change:
    found = await h.store.change(change.id)
    assert found is not None
    return found


async def refused(h: House, command: c.Order) -> str:
    outcome = await h.desk.handle(command, h.envelope(OLIVIA))
    assert isinstance(outcome, o.Refused), outcome
    return outcome.refusals[0].code


def set_mobile() -> c.SetPhone:
    return c.SetPhone(ALICE_, Slot.MOBILE, NEW, "lost phone")


class TestSwap:
    @pytest.fixture(autouse=True)
    def two_mobiles(self, h: House) -> None:
        h.directory.phones_of[ALICE] = {Slot.MOBILE: HELD, Slot.ALTERNATE: OTHER}

    async def test_promotes_the_alternate(self, h: House) -> None:
        """One change, one approval, two writes in the only order the directory allows."""
        change = await done(h, c.Swap(ALICE_, "lost the first"))
        assert change.state is State.APPLIED
        assert h.directory.phones_of[ALICE] == {Slot.MOBILE: OTHER}
        assert [(e.kind, e.slot) for e in h.directory.effects] == [
            (OpKind.SET, Slot.MOBILE),
            (OpKind.REMOVE, Slot.ALTERNATE),
        ]

    async def test_without_an_alternate_there_is_nothing_to_swap(self, h: House) -> None:
        """The refusal says what to do instead."""
        del h.directory.phones_of[ALICE][Slot.ALTERNATE]
        assert await refused(h, c.Swap(ALICE_)) == "policy.no-alternate"

    async def test_half_way_is_said_as_such(self, h: House) -> None:
        """The second write is refused: failed, with what is done and what is not, and a way back."""
        change = await approved(h, c.Swap(ALICE_))
        h.directory.fail("write", Fault.REFUSED, skip=1)
        await h.jobs.drain()
        change = await now(h, change)
        assert change.state is State.FAILED
        assert change.ending is not None
        assert change.ending.code == "directory.half-done"
        assert [op.state for op in change.operations[:2]] == [OpState.DONE, OpState.FAILED]
        assert h.directory.phones_of[ALICE] == {Slot.MOBILE: OTHER, Slot.ALTERNATE: OTHER}

    async def test_throttled_in_between_goes_on(self, h: House) -> None:
        """The second write provably not sent: it is sent later, the first not again."""
        change = await approved(h, c.Swap(ALICE_))
        h.directory.fail("write", Fault.UNAVAILABLE, skip=1)
        await h.jobs.drain()
        assert (await now(h, change)).state is State.APPLYING
        h.clock.pass_by(seconds=20)
        await h.jobs.drain()
        assert (await now(h, change)).state is State.APPLIED
        assert len(h.directory.effects) == 2

    async def test_a_lost_answer_in_between_is_found_out(self, h: House) -> None:
        """The second answer is lost though the effect is there: read back, then the rest of the plan."""
        change = await approved(h, c.Swap(ALICE_))
        h.directory.fail("write", Fault.UNCERTAIN_AFTER, skip=1)
        await h.jobs.drain()
        assert (await now(h, change)).state is State.UNCONFIRMED
        h.clock.pass_by(seconds=6)
        await h.jobs.drain()
        assert (await now(h, change)).state is State.APPLIED
        assert len(h.directory.effects) == 2

    async def test_an_alternate_changed_elsewhere_blocks(self, h: House) -> None:
        """Every part of the plan must still be about the value that was shown."""
        change = await approved(h, c.Swap(ALICE_))
        h.directory.set_phone(ALICE, Slot.ALTERNATE, PhoneNumber("1", "2065550177"))
        await h.jobs.drain()
        assert (await now(h, change)).state is State.BLOCKED
        assert h.directory.effects == []


class TestTheDefaultMethod:
    async def test_it_stays_when_the_directory_moves_it(self, h: House) -> None:
        """Authenticator was the default; the write moved it to text: restored, and said."""
        h.directory.preferred[ALICE] = Default.PUSH
        h.directory.moves_default = Default.SMS
        change = await done(h, set_mobile())
        assert change.state is State.APPLIED
        assert h.directory.preferred[ALICE] is Default.PUSH
        assert "default-restored" in change.notes

    async def test_nothing_is_written_when_it_stays_by_itself(self, h: House) -> None:
        """No second write for a default that did not move."""
        h.directory.preferred[ALICE] = Default.PUSH
        change = await done(h, set_mobile())
        assert h.directory.deeds == []
        assert change.operations[-1].state is OpState.SKIPPED
        assert "default-restored" not in change.notes

    async def test_a_stronger_default_is_left_alone(self, h: House) -> None:
        """What became stronger is no downgrade."""
        h.directory.preferred[ALICE] = Default.SMS
        h.directory.moves_default = Default.PUSH
        await done(h, set_mobile())
        assert h.directory.preferred[ALICE] is Default.PUSH

    async def test_a_restore_that_fails_is_told(self, h: House) -> None:
        """The number is saved; the note says that a side effect could not be undone."""
        h.directory.preferred[ALICE] = Default.PUSH
        h.directory.moves_default = Default.SMS
        change = await approved(h, set_mobile())
        h.directory.fail("set_default", Fault.REFUSED)
        await h.jobs.drain()
        change = await now(h, change)
        assert change.state is State.APPLIED
        assert "guard-failed" in change.notes

    async def test_where_it_cannot_be_read_the_approver_is_told(self, h: House) -> None:
        """The phone-only profile: no guard in the plan, a note on every card."""
        h.directory.profile = "phone-only"
        change = await done(h, set_mobile())
        assert "default-unreadable" in change.notes
        assert len(change.operations) == 1 or all(
            op.kind is not OpKind.KEEP_DEFAULT for op in change.operations
        )

    async def test_the_default_itself_is_not_removed(self, h: House) -> None:
        """Refused before the call while other methods exist, with the fix."""
        h.directory.preferred[ALICE] = Default.SMS
        h.directory.other_methods[ALICE] = (Method.PASSWORD, Method.AUTHENTICATOR)
        assert await refused(h, c.RemovePhone(ALICE_, Slot.MOBILE)) == "policy.default-method"

    async def test_a_first_phone_beside_a_stronger_method_is_warned_about(self, h: House) -> None:
        """The approver reads it before deciding."""
        h.directory.phones_of.pop(ALICE)
        h.directory.other_methods[ALICE] = (Method.PASSWORD, Method.AUTHENTICATOR)
        change = await approved(h, set_mobile())
        assert [signal.risk for signal in change.risks] == [Risk.INDEX, Risk.FIRST_PHONE]

    async def test_the_preview_says_which_method_is_asked_for_first(self, h: House) -> None:
        """With system-preferred sign-in a phone beside a stronger method changes no prompt."""
        h.directory.other_methods[ALICE] = (Method.PASSWORD, Method.AUTHENTICATOR)
        h.directory.system_preferred = True
        shown = await h.desk.handle(set_mobile(), h.envelope(OLIVIA))
        assert isinstance(shown, o.Preview)
        assert "system-preferred" in [effect.key for effect in shown.effects]

    async def test_removing_the_last_method_is_warned_about(self, h: House) -> None:
        """Nothing but the password is left afterwards."""
        change = await approved(h, c.RemovePhone(ALICE_, Slot.MOBILE))
        assert [signal.risk for signal in change.risks] == [Risk.LAST_METHOD]


class TestSmsSignIn:
    @pytest.fixture(autouse=True)
    def usable(self, h: House) -> None:
        h.directory.policy = replace(h.directory.policy, sms=USABLE)

    async def test_on_and_off(self, h: House) -> None:
        """Each is one change with one write, read back."""
        assert (await done(h, c.SmsSignIn(ALICE_, True))).state is State.APPLIED
        assert h.directory.sms[ALICE] is SmsState.READY
        assert (await done(h, c.SmsSignIn(ALICE_, False))).state is State.APPLIED
        assert h.directory.sms[ALICE] is SmsState.NOT_ENABLED
        assert len(h.directory.deeds) == 2

    async def test_already_so(self, h: House) -> None:
        """No write and no approval when it is so already."""
        outcome = await h.desk.handle(c.SmsSignIn(ALICE_, False), h.envelope(OLIVIA))
        assert isinstance(outcome, o.AlreadySo)

    async def test_needs_a_mobile(self, h: House) -> None:
        """Refused before any call."""
        h.directory.phones_of.pop(ALICE)
        assert await refused(h, c.SmsSignIn(ALICE_, True)) == "policy.no-mobile-for-sms"

    async def test_what_policy_forbids_is_refused_before_anybody_is_asked(self, h: House) -> None:
        """Graph's state and the policy agree that it cannot work: the cause, and who can mend it."""
        h.directory.policy = replace(h.directory.policy, sms=MethodRule(True, (PolicyTarget(ALL_USERS),)))
        assert await refused(h, c.SmsSignIn(ALICE_, True)) == "directory.sms-not-allowed"

    async def test_disabled_by_policy_is_explained(self, h: House) -> None:
        """Graph's disabledByPolicy becomes a registered reason, with the code kept."""
        change = await approved(h, c.SmsSignIn(ALICE_, True))
        h.directory.policy = replace(h.directory.policy, sms=MethodRule(True, (PolicyTarget(ALL_USERS),)))
        await h.jobs.drain()
        change = await now(h, change)
        assert change.state is State.FAILED
        assert change.ending is not None
        assert change.ending.code == "directory.method-policy"

    async def test_a_side_effect_does_not_stay(self, h: House) -> None:
        """Setting a mobile made it a sign-in name by itself: switched off again, and said."""
        h.directory.phones_of.pop(ALICE)
        change = await done(h, set_mobile())
        assert change.state is State.APPLIED
        assert h.directory.sms[ALICE] is SmsState.NOT_ENABLED
        assert "sms-switched-off" in change.notes
        assert "sms-kept-off" in change.notes

    async def test_where_policy_wants_it_the_side_effect_stays(self, tmp_path: Path) -> None:
        """automatic_sms_sign_in = true: no guard, and the preview says what may happen."""
        (tmp_path / "other").mkdir()
        async with house(tmp_path / "other", rules=policy(rules=(ALL,), automatic_sms_sign_in=True)) as h:
            h.directory.policy = replace(h.directory.policy, sms=USABLE)
            change = await done(h, set_mobile())
            assert h.directory.sms[ALICE] is SmsState.READY
            assert "sms-sign-in" in change.notes
            assert h.directory.deeds == []

    async def test_disabling_for_somebody_without_a_password_is_warned_about(self, h: House) -> None:
        """A frontline worker would be locked out: the approver reads it."""
        h.directory.sms[ALICE] = SmsState.READY
        h.directory.other_methods[ALICE] = ()
        change = await approved(h, c.SmsSignIn(ALICE_, False))
        assert "no-password" in change.notes


async def test_the_preview_says_what_the_number_is_good_for(h: House) -> None:
    """The same answers as `check`, for a new number; nothing where no number comes."""
    shown = await h.desk.handle(set_mobile(), h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview)
    assert len({verdict.use for verdict in shown.verdicts}) == 4
    gone = await h.desk.handle(c.RemovePhone(ALICE_, Slot.MOBILE), h.envelope(OLIVIA))
    assert isinstance(gone, o.Preview)
    assert gone.verdicts == ()
