"""`check` and `show` on the real workflow: what somebody reads, and that nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain import reasons
from bot.domain.methods import (
    Default,
    Method,
    MethodRule,
    Migration,
    PolicyTarget,
    Registration,
    SmsState,
)
from bot.domain.people import Person
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.standing import Reset, ResetProgress, Standing, reset_progress
from bot.domain.usability import Answer, Use
from tests.doubles.directory import Fault, Group
from tests.doubles.house import ALICE, AMIR, GLENN, HELD, OLIVIA, SAM, House, group_id, house

SALES = group_id(40)
NEW = "+1 206 555 0177"
SEEN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
WRITES = ("write", "set_default", "sms_sign_in")


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        made.directory.groups[SALES] = Group(SALES, "Sales")
        yield made


def check(number: str | None = NEW, slot: Slot | None = Slot.MOBILE, who: str = ALICE) -> c.Check:
    return c.Check(c.Who(c.WhoKind.OID, who), slot, number)


async def page(h: House, command: c.Command, by: str = OLIVIA) -> o.Page:
    outcome = await h.desk.handle(command, h.envelope(by))
    assert isinstance(outcome, o.Page), outcome
    assert not set(h.directory.calls) & set(WRITES)
    assert not h.directory.effects
    return outcome


async def answers(h: House, command: c.Check) -> dict[Use, Answer]:
    return {each.use: each.answer for each in (await page(h, command)).verdicts}


def standing(shown: o.Page) -> Standing:
    assert shown.standing is not None
    return shown.standing


async def test_check_answers_per_use_and_masks_the_number(h: House) -> None:
    """Four answers about the person, the slot and the number, which is masked; nothing is written."""
    h.directory.registrations[ALICE] = Registration(updated_at=SEEN, sspr_enabled=True)
    shown = await page(h, check())
    assert shown.kind is o.PageKind.CHECK
    assert shown.person is not None
    assert (shown.person.oid, shown.slot, shown.number) == (ALICE, Slot.MOBILE, "+1 •••••• 77")
    assert {each.use: each.answer for each in shown.verdicts} == {
        Use.MFA_TEXT: Answer.YES,
        Use.MFA_CALL: Answer.YES,
        Use.SSPR: Answer.YES,
        Use.SMS_SIGN_IN: Answer.NO,  # the policy of the house includes everybody for the second factor only
    }
    assert "2065550177" not in repr(shown)
    assert await h.store.history(ALICE, 10) == ((), 0)


async def test_check_without_a_number_looks_at_the_registered_one(h: House) -> None:
    """`check alice mobile` is about the mobile she has; an empty slot is said, not guessed."""
    assert (await page(h, check(None))).number == HELD.masked
    missing = await h.desk.handle(check(None, Slot.OFFICE), h.envelope(OLIVIA))
    assert isinstance(missing, o.Refused)
    assert "has no office" in missing.refusals[0].facts["problem"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (check("+1 206 555 CALL"), reasons.NUMBER_HAS_LETTERS.code),
        (check("206 555 0177"), reasons.NUMBER_NEEDS_COUNTRY.code),
        (check("+1 206 555 0177 x4"), reasons.NUMBER_EXTENSION.code),
        (check(slot=None), reasons.MALFORMED.code),
        (c.Check(None, Slot.MOBILE, NEW), reasons.MALFORMED.code),
    ],
)
async def test_a_wrong_number_or_a_missing_part_is_refused_before_any_look_up(
    h: House, command: c.Check, code: str
) -> None:
    """A bad number never reaches the directory, and the refusal says how it is written."""
    outcome = await h.desk.handle(command, h.envelope(OLIVIA))
    assert isinstance(outcome, o.Refused)
    assert outcome.refusals[0].code == code
    assert "find" not in h.directory.calls
    assert "phones" not in h.directory.calls


@pytest.mark.parametrize("reader", [AMIR, SAM, ALICE])
async def test_only_operators_check(h: House, reader: str) -> None:
    """Whoever has no such role learns nothing about the person or the policy."""
    outcome = await h.desk.handle(check(), h.envelope(reader))
    assert isinstance(outcome, o.Refused)
    assert outcome.refusals[0].code.startswith("access.")
    assert "method_policy" not in h.directory.calls


async def test_the_group_that_decides_is_named(h: House) -> None:
    """The cause of a no names the group by name and id; putting the person in makes it a yes."""
    rule = MethodRule(True, (PolicyTarget(SALES, usable_for_sign_in=True),))
    h.directory.policy = replace(h.directory.policy, sms=rule)
    (text, *_) = (await page(h, check())).verdicts
    assert text.answer is Answer.NO
    assert dict(text.causes[0].facts)["included"] == f"Sales ({SALES})"
    h.directory.groups[SALES].members.add(ALICE)
    assert (await answers(h, check()))[Use.MFA_TEXT] is Answer.YES


@pytest.mark.parametrize(
    ("call", "uses"),
    [
        ("method_policy", {Use.MFA_TEXT, Use.MFA_CALL, Use.SSPR, Use.SMS_SIGN_IN}),
        ("licences", {Use.SMS_SIGN_IN}),
        ("registration", {Use.SSPR}),
        ("phones", {Use.SMS_SIGN_IN}),
    ],
)
async def test_every_silence_is_cannot_tell_with_its_cause(h: House, call: str, uses: set[Use]) -> None:
    """A reading that fails is no answer and no refusal: what hangs on it cannot be told, and it says why."""
    usable = MethodRule(True, (PolicyTarget("all_users", usable_for_sign_in=True),))
    h.directory.policy = replace(h.directory.policy, sms=usable)
    h.directory.registrations[ALICE] = Registration(updated_at=SEEN, sspr_enabled=True)
    h.directory.fail(call, Fault.UNAVAILABLE, times=9)
    found = {each.use: each for each in (await page(h, check())).verdicts}
    for use in uses:
        assert found[use].answer is Answer.CANNOT_TELL
        assert any("out of reach" in dict(cause.facts).values() for cause in found[use].causes)


async def test_group_names_that_cannot_be_read_leave_the_ids(h: House) -> None:
    """The answer stays; only the name is missing."""
    h.directory.policy = replace(
        h.directory.policy, sms=MethodRule(True, (PolicyTarget(SALES),)), migration=Migration.COMPLETE
    )
    h.directory.fail("group_names", Fault.UNAVAILABLE)
    (text, *_) = (await page(h, check())).verdicts
    assert dict(text.causes[0].facts)["included"] == f"the group {SALES}"


async def test_several_people_are_a_choice_and_nobody_is_picked(h: House) -> None:
    """Two of one name: the number goes nowhere before it is clear whose it is."""
    twin = Person("dddddddd-0000-4000-8000-000000000001", "Alice Anders", "alice2@contoso.example")
    h.directory.people[twin.oid] = twin
    command = c.Check(c.Who(c.WhoKind.NAME, "alice"), Slot.MOBILE, NEW)
    outcome = await h.desk.handle(command, h.envelope(OLIVIA))
    assert isinstance(outcome, o.Choice)
    assert outcome.then == command
    assert "method_policy" not in h.directory.calls


async def test_other_use_cases_get_the_same_verdicts(h: House) -> None:
    """Preview, bulk and onboarding ask the same engine."""
    shown = await page(h, check())
    assert shown.person is not None
    number = PhoneNumber("1", "2065550177")
    assert await h.desk.checking.verdicts(shown.person, Slot.MOBILE, number) == shown.verdicts
    assert len(await h.desk.checking.verdicts(shown.person, Slot.MOBILE, None)) == 4


# --- show -------------------------------------------------------------------------------------------------
def show(who: str = ALICE) -> c.Show:
    return c.Show(c.Who(c.WhoKind.OID, who))


async def test_show_tells_methods_default_and_sms_state(h: House) -> None:
    """With the permissions for it, all methods by kind, the default, and what Entra prefers."""
    h.directory.profile = "default-guard"
    h.directory.preferred[ALICE] = Default.PUSH
    h.directory.other_methods[ALICE] = (Method.PASSWORD, Method.AUTHENTICATOR)
    h.directory.system_preferred = True
    found = standing(await page(h, show()))
    assert found.sign_in.default is Default.PUSH
    assert Method.AUTHENTICATOR in found.sign_in.methods
    assert found.sign_in.system_preferred is True
    assert found.sms is SmsState.NOT_ALLOWED
    assert found.protection == ()


async def test_show_in_the_phone_only_profile_says_what_is_beyond_it(h: House) -> None:
    """What the permissions do not reach is named with the cause; the numbers are shown all the same."""
    shown = await page(h, show())
    assert not standing(shown).sign_in.readable
    assert "phone-only" in standing(shown).sign_in.why
    assert shown.rows[0].cells == ("mobile", HELD.masked)


async def test_show_survives_everything_but_silent_phones(h: House) -> None:
    """A silent report, protection or method list is said; without the phones there is nothing to show."""
    for call in ("registration", "protection", "sign_in"):
        h.directory.fail(call, Fault.UNAVAILABLE)
    found = standing(await page(h, show()))
    assert found.protection is None
    assert found.why_unread == "out of reach"
    assert (found.sign_in.why, found.registration.why) == ("out of reach", "out of reach")
    h.directory.fail("phones", Fault.UNAVAILABLE)
    assert isinstance(await h.desk.handle(show(), h.envelope(OLIVIA)), o.Refused)


async def test_show_names_what_protects_and_no_sms_without_a_mobile(h: House) -> None:
    """Why somebody is protected stands on the page; SMS sign-in is only about a mobile."""
    h.directory.facts[GLENN] = ("is on the list of protected people",)
    found = standing(await page(h, show(GLENN)))
    assert found.protection == ("is on the list of protected people",)
    assert found.sms is None


@pytest.mark.parametrize(
    ("report", "progress"),
    [
        (Registration(readable=False, why="no licence"), ResetProgress(Reset.UNKNOWN)),
        (Registration(methods=("mobilePhone",)), ResetProgress(Reset.UNKNOWN, 1)),
        (
            Registration(sspr_registered=False, sspr_enabled=True, methods=("mobilePhone",)),
            ResetProgress(Reset.LACKING, 1, 2),
        ),
        (
            Registration(sspr_registered=False, methods=("mobilePhone", "alternateMobilePhone")),
            ResetProgress(Reset.LACKING, 1, 2),
        ),
        (Registration(sspr_registered=False, methods=()), ResetProgress(Reset.LACKING, 0)),
        (
            Registration(sspr_registered=False, methods=("mobilePhone", "email")),
            ResetProgress(Reset.LACKING, 2),
        ),
        (Registration(sspr_registered=True, methods=("mobilePhone",)), ResetProgress(Reset.READY, 1)),
        (
            Registration(sspr_registered=False, sspr_enabled=False, methods=("mobilePhone",)),
            ResetProgress(Reset.CLOSED, 1),
        ),
    ],
)
def test_what_is_missing_for_password_reset(report: Registration, progress: ResetProgress) -> None:
    """ "1 of 2" is said only when it follows: one method counts and the report says it is not enough."""
    assert reset_progress(report) == progress
