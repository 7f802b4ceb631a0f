"""What the words of sign-in mean: strength, inclusion, licences, states and their reasons."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.directory_reasons import of_sms_state
from bot.domain.methods import (
    ALL_USERS,
    Default,
    Licences,
    Method,
    MethodPolicy,
    MethodRule,
    Migration,
    PolicyTarget,
    SignIn,
    SmsState,
)

ME, A, B = "me", "group-a", "group-b"


@pytest.mark.parametrize(
    ("now", "before", "weaker"),
    [
        (Default.SMS, Default.PUSH, True),
        (Default.OATH, Default.PUSH, True),
        (Default.SMS, Default.OATH, True),
        (Default.NONE, Default.SMS, True),
        (Default.PUSH, Default.SMS, False),
        (Default.SMS, Default.VOICE_OFFICE, False),
        (Default.VOICE_OFFICE, Default.SMS, False),
        (Default.PUSH, Default.PUSH, False),
        (Default.UNKNOWN, Default.UNKNOWN, False),
        (Default.UNKNOWN, Default.PUSH, None),
        (Default.SMS, Default.UNKNOWN, None),
    ],
)
def test_a_weaker_default_is_recognised(now: Default, before: Default, weaker: bool | None) -> None:
    """Push, then code, then telephony; what is not known is never called as strong."""
    assert now.weaker_than(before) is weaker


def test_every_word_can_be_said_to_people() -> None:
    """Each method, default and state has words, and each state that is a no has a cause and a fix."""
    assert all(word.words for kind in (Method, Default, SmsState) for word in kind)
    for state in SmsState:
        reason = of_sms_state(state)
        if state in (SmsState.READY, SmsState.UNKNOWN):
            assert reason is None
        else:
            assert reason is not None
            assert state.value in reason.why
            assert reason.next_step
            assert reason.link.startswith("https://learn.microsoft.com/")


def targets(*ids: str, sign_in: bool = False) -> tuple[PolicyTarget, ...]:
    return tuple(PolicyTarget(each, sign_in) for each in ids)


@pytest.mark.parametrize(
    ("rule", "member_of", "allowed", "because", "excluded", "sign_in"),
    [
        (MethodRule(False, targets(ALL_USERS)), {A}, False, "", False, False),
        (MethodRule(True, targets(ALL_USERS)), set(), True, ALL_USERS, False, False),
        (MethodRule(True, targets(A)), set(), False, "", False, False),
        (MethodRule(True, targets(A, sign_in=True)), {A}, True, A, False, True),
        (MethodRule(True, targets(ME)), set(), True, ME, False, False),
        (MethodRule(True, targets(ALL_USERS), targets(B)), {A, B}, False, B, True, False),
        (MethodRule(True, targets(ALL_USERS) + targets(A, sign_in=True)), {A}, True, A, False, True),
        (MethodRule(True), {A}, False, "", False, False),
    ],
)
def test_a_rule_treats_a_person(
    rule: MethodRule, member_of: set[str], allowed: bool, because: str, excluded: bool, sign_in: bool
) -> None:
    """State, inclusion, exclusion first, and the target that decides, for sign-in before others."""
    got = rule.of(ME, frozenset(member_of))
    assert (got.allowed, got.because, got.excluded, got.usable_for_sign_in) == (
        allowed,
        because,
        excluded,
        sign_in,
    )


def test_one_membership_question_answers_the_whole_policy() -> None:
    """All groups of both methods, without the word for everybody; legacy counts until migrated."""
    at = datetime(2026, 3, 2, tzinfo=UTC)
    sms, voice = MethodRule(True, targets(ALL_USERS, A)), MethodRule(True, (), targets(B))
    for state in Migration:
        policy = MethodPolicy(sms, voice, None, state, at)
        assert policy.groups == {A, B}
        assert policy.legacy_counts == (state is not Migration.COMPLETE)


def test_licences_for_sign_in_by_text_message() -> None:
    """A frontline SKU or a premium plan is enough; others are not."""
    assert Licences(frozenset({"SPE_F1"})).allow_sms_sign_in
    assert Licences(plans=frozenset({"AAD_PREMIUM_P2"})).allow_sms_sign_in
    assert not Licences(frozenset({"O365_BUSINESS"}), frozenset({"EXCHANGE_S_STANDARD"})).allow_sms_sign_in


def test_methods_stronger_than_a_phone() -> None:
    """Each kind once; password, e-mail and phones are not among them."""
    have = (Method.PASSWORD, Method.PHONE, Method.FIDO2, Method.FIDO2, Method.AUTHENTICATOR, Method.EMAIL)
    assert SignIn(methods=have).stronger_than_phone == (Method.FIDO2, Method.AUTHENTICATOR)
