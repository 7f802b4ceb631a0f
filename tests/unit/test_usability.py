"""For what a number can be used, as a table: every condition of the vendor's pages, and every silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.methods import (
    ALL_USERS,
    Licences,
    MethodPolicy,
    MethodRule,
    Migration,
    PolicyTarget,
    Registration,
    SmsState,
)
from bot.domain.people import Person, Phones
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.usability import Answer, Known, Silent, Use, Verdict, verdicts

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OID = "bbbbbbbb-0000-4000-8000-000000000002"
SALES, EXTERNALS = "cccccccc-0000-4000-8000-000000000011", "cccccccc-0000-4000-8000-000000000012"
NAMES = {SALES: "Sales", EXTERNALS: "Externals"}
ALICE = Person(OID, "Alice Anders", "alice@contoso.example")
US, US_2 = PhoneNumber("1", "2065550100"), PhoneNumber("1", "2065550177")
GERMAN, FRENCH, JAMAICAN = PhoneNumber("49", "15112345678"), PhoneNumber("33", "612345678"), PhoneNumber(
    "1", "8762345678"
)  # fmt: skip
FIXED = PhoneNumber("33", "123456789")
WITH_EXTENSION = PhoneNumber("1", "2065550100", "45")
MOBILE, ALTERNATE, OFFICE = Slot.MOBILE, Slot.ALTERNATE, Slot.OFFICE
EVERYBODY = (PolicyTarget(ALL_USERS, usable_for_sign_in=True),)
OPEN = MethodRule(True, EVERYBODY)
OFF = MethodRule(False, EVERYBODY)
FOR_SALES = MethodRule(True, (PolicyTarget(SALES, usable_for_sign_in=True),))
SECOND_FACTOR = MethodRule(True, (PolicyTarget(SALES),))
NOT_EXTERNALS = MethodRule(True, EVERYBODY, (PolicyTarget(EXTERNALS),))
BY_NAME = MethodRule(True, (PolicyTarget(OID, usable_for_sign_in=True),))
POLICY = MethodPolicy(OPEN, OPEN, True, Migration.COMPLETE, NOW)
P1 = Licences(frozenset({"SPE_E3"}), frozenset({"AAD_PREMIUM"}))
REPORT = Registration(updated_at=NOW, sspr_enabled=True, sspr_registered=False, methods=("mobilePhone",))
BOTH = Phones({MOBILE: US_2, ALTERNATE: US})
HELD = {state: Phones({MOBILE: US}, {MOBILE: state}) for state in SmsState}
KNOWN = Known(ALICE, Phones(), POLICY, frozenset(), P1, REPORT, NAMES, other_holder=False)
DOWN = Silent("out of reach")
Y, N, C = Answer.YES, Answer.NO, Answer.CANNOT_TELL


def known(**changed: Any) -> Known:
    return replace(KNOWN, **changed)


def ruled(**changed: Any) -> MethodPolicy:
    return replace(POLICY, **changed)


def asked(facts: Known, slot: Slot, number: PhoneNumber | None) -> dict[Use, Verdict]:
    return {each.use: each for each in verdicts(facts, slot, number)}


T, V, R, S = Use.MFA_TEXT, Use.MFA_CALL, Use.SSPR, Use.SMS_SIGN_IN
# (what is known, slot, number, use, answer, the key of its first cause)
ROWS: dict[str, tuple[Known, Slot, PhoneNumber | None, Use, Answer, str]] = {
    # --- codes by text
    "text: all is open": (KNOWN, MOBILE, US, T, Y, "everybody"),
    "text: any number": (KNOWN, MOBILE, None, T, Y, "everybody"),
    "text: alternate": (KNOWN, ALTERNATE, US, T, N, "directory.text-needs-mobile"),
    "text: office": (KNOWN, OFFICE, US, T, N, "directory.text-needs-mobile"),
    "text: policy off": (known(policy=ruled(sms=OFF)), MOBILE, US, T, N, "directory.method-off"),
    "text: not in the group": (
        known(policy=ruled(sms=FOR_SALES)), MOBILE, US, T, N, "directory.method-not-included"),
    "text: in the group": (
        known(policy=ruled(sms=FOR_SALES), member_of=frozenset({SALES})), MOBILE, US, T, Y, "included"),
    "text: second factor only is enough": (
        known(policy=ruled(sms=SECOND_FACTOR), member_of=frozenset({SALES})), MOBILE, US, T, Y, "included"),
    "text: named": (known(policy=ruled(sms=BY_NAME)), MOBILE, US, T, Y, "included"),
    "text: nobody included": (
        known(policy=ruled(sms=MethodRule(True))), MOBILE, US, T, N, "directory.method-not-included"),
    "text: excluded": (
        known(policy=ruled(sms=NOT_EXTERNALS), member_of=frozenset({EXTERNALS})),
        MOBILE, US, T, N, "directory.method-excluded"),
    "text: not excluded": (known(policy=ruled(sms=NOT_EXTERNALS)), MOBILE, US, T, Y, "everybody"),
    "text: off before the migration": (
        known(policy=ruled(sms=OFF, migration=Migration.BEFORE)), MOBILE, US, T, C, "directory.method-off"),
    "text: off while migrating": (
        known(policy=ruled(sms=OFF, migration=Migration.RUNNING)), MOBILE, US, T, C, "directory.method-off"),
    "text: off, migration unknown": (
        known(policy=ruled(sms=OFF, migration=Migration.UNKNOWN)), MOBILE, US, T, C, "directory.method-off"),
    "text: excluded before the migration": (
        known(policy=ruled(sms=NOT_EXTERNALS, migration=Migration.BEFORE), member_of=frozenset({EXTERNALS})),
        MOBILE, US, T, C, "directory.method-excluded"),
    "text: on before the migration": (
        known(policy=ruled(migration=Migration.BEFORE)), MOBILE, US, T, Y, "everybody"),
    "text: policy unread": (known(policy=DOWN), MOBILE, US, T, C, "directory.part-unread"),
    "text: groups unread and they matter": (
        known(policy=ruled(sms=FOR_SALES), member_of=DOWN), MOBILE, US, T, C, "directory.part-unread"),
    "text: groups unread, an exclusion could win": (
        known(policy=ruled(sms=NOT_EXTERNALS), member_of=DOWN), MOBILE, US, T, C, "directory.part-unread"),
    "text: groups unread and they do not matter": (known(member_of=DOWN), MOBILE, US, T, Y, "everybody"),
    "text: groups unread, policy off": (
        known(policy=ruled(sms=replace(FOR_SALES, enabled=False)), member_of=DOWN),
        MOBILE, US, T, N, "directory.method-off"),
    "text: groups unread, named": (
        known(policy=ruled(sms=BY_NAME), member_of=DOWN), MOBILE, US, T, Y, "included"),
    "text: phones unread": (known(phones=DOWN), MOBILE, US, T, Y, "everybody"),
    "text: report unread": (
        known(registration=Registration(readable=False, why="no licence")), MOBILE, US, T, Y, "everybody"),
    "text: a country on the list": (KNOWN, MOBILE, GERMAN, T, C, "directory.text-country"),
    "text: a country that is not": (KNOWN, MOBILE, FRENCH, T, Y, "everybody"),
    "text: an area of +1 on the list": (KNOWN, MOBILE, JAMAICAN, T, C, "directory.text-country"),
    "text: a fixed line": (KNOWN, MOBILE, FIXED, T, C, "directory.line-kind"),
    "text: disabled": (
        known(person=replace(ALICE, enabled=False)), MOBILE, US, T, N, "policy.target-disabled"),
    "text: a guest": (known(person=replace(ALICE, guest=True)), MOBILE, US, T, Y, "everybody"),
    # --- calls
    "call: mobile": (KNOWN, MOBILE, US, V, Y, "everybody"),
    "call: alternate": (known(phones=BOTH), ALTERNATE, US, V, Y, "everybody"),
    "call: alternate without a mobile": (KNOWN, ALTERNATE, US, V, N, "policy.mobile-first"),
    "call: alternate, phones unread": (known(phones=DOWN), ALTERNATE, US, V, Y, "everybody"),
    "call: office": (KNOWN, OFFICE, US, V, Y, "everybody"),
    "call: office with extension": (KNOWN, OFFICE, WITH_EXTENSION, V, Y, "everybody"),
    "call: office not allowed": (
        known(policy=ruled(office_calls=False)), OFFICE, US, V, N, "directory.office-calls-off"),
    "call: office not allowed before the migration": (
        known(policy=ruled(office_calls=False, migration=Migration.BEFORE)),
        OFFICE, US, V, C, "directory.office-calls-off"),
    "call: office not told": (
        known(policy=ruled(office_calls=None)), OFFICE, US, V, C, "directory.part-unread"),
    "call: mobile, office not allowed": (
        known(policy=ruled(office_calls=False)), MOBILE, US, V, Y, "everybody"),
    "call: off": (known(policy=ruled(voice=OFF)), MOBILE, US, V, N, "directory.method-off"),
    "call: off before the migration": (
        known(policy=ruled(voice=OFF, migration=Migration.BEFORE)), MOBILE, US, V, C, "directory.method-off"),
    "call: texts off": (known(policy=ruled(sms=OFF)), MOBILE, US, V, Y, "everybody"),
    "call: excluded": (
        known(policy=ruled(voice=NOT_EXTERNALS), member_of=frozenset({EXTERNALS})),
        MOBILE, US, V, N, "directory.method-excluded"),
    "call: a country on the list": (KNOWN, MOBILE, GERMAN, V, C, "directory.voice-country"),
    "call: off and on the list": (
        known(policy=ruled(voice=OFF)), MOBILE, GERMAN, V, N, "directory.method-off"),
    "call: policy unread": (known(policy=DOWN), OFFICE, US, V, C, "directory.part-unread"),
    "call: disabled": (
        known(person=replace(ALICE, enabled=False)), OFFICE, US, V, N, "policy.target-disabled"),
    # --- password reset
    "reset: mobile": (KNOWN, MOBILE, US, R, Y, "reset-open"),
    "reset: alternate never": (known(phones=BOTH), ALTERNATE, US, R, N, "directory.alternate-not-for-reset"),
    "reset: office": (KNOWN, OFFICE, US, R, Y, "reset-open"),
    "reset: office with extension": (KNOWN, OFFICE, WITH_EXTENSION, R, N, "directory.extension-dropped"),
    "reset: office not allowed": (
        known(policy=ruled(office_calls=False)), OFFICE, US, R, N, "directory.office-calls-off"),
    "reset: not open": (
        known(registration=replace(REPORT, sspr_enabled=False)), MOBILE, US, R, N, "directory.reset-off"),
    "reset: not told": (
        known(registration=replace(REPORT, sspr_enabled=None)),
        MOBILE, US, R, C, "directory.sspr-unreadable"),
    "reset: report unread": (
        known(registration=Registration(readable=False, why="no licence")),
        MOBILE, US, R, C, "directory.sspr-unreadable"),
    "reset: calls alone are enough": (known(policy=ruled(sms=OFF)), MOBILE, US, R, Y, "reset-open"),
    "reset: texts alone are enough": (known(policy=ruled(voice=OFF)), MOBILE, US, R, Y, "reset-open"),
    "reset: neither": (
        known(policy=ruled(sms=OFF, voice=OFF)), MOBILE, US, R, N, "directory.method-off"),
    "reset: neither before the migration": (
        known(policy=ruled(sms=OFF, voice=OFF, migration=Migration.BEFORE)),
        MOBILE, US, R, C, "directory.method-off"),
    "reset: policy unread": (known(policy=DOWN), MOBILE, US, R, C, "directory.part-unread"),
    "reset: one channel unsure, one closed": (
        known(policy=ruled(sms=OFF)), MOBILE, GERMAN, R, C, "directory.voice-country"),
    "reset: a fixed line can be called": (KNOWN, MOBILE, FIXED, R, Y, "reset-open"),
    # --- sign-in by text message
    "sign-in: nobody else has it": (KNOWN, MOBILE, US, S, Y, "everybody"),
    "sign-in: holder not known": (
        known(other_holder=None), MOBILE, US, S, C, "directory.holder-unknown"),
    "sign-in: somebody else's": (known(other_holder=True), MOBILE, US, S, N, "directory.sms-not-unique"),
    "sign-in: office": (KNOWN, OFFICE, US, S, N, "directory.sms-not-supported"),
    "sign-in: alternate": (KNOWN, ALTERNATE, US, S, N, "directory.sms-not-supported"),
    "sign-in: guest": (known(person=replace(ALICE, guest=True)), MOBILE, US, S, N, "directory.sms-guest"),
    "sign-in: China": (known(cloud="china"), MOBILE, US, S, N, "directory.cloud-without-sms"),
    "sign-in: US government": (known(cloud="gcch"), MOBILE, US, S, Y, "everybody"),
    "sign-in: no licence": (
        known(licences=Licences(frozenset({"O365_BUSINESS"}))), MOBILE, US, S, N, "directory.sms-licence"),
    "sign-in: no licence at all": (known(licences=Licences()), MOBILE, US, S, N, "directory.sms-licence"),
    "sign-in: frontline licence": (
        known(licences=Licences(frozenset({"SPE_F1"}))), MOBILE, US, S, Y, "everybody"),
    "sign-in: licences unread": (known(licences=DOWN), MOBILE, US, S, C, "directory.part-unread"),
    "sign-in: second factor only": (
        known(policy=ruled(sms=SECOND_FACTOR), member_of=frozenset({SALES})),
        MOBILE, US, S, N, "directory.sms-second-factor-only"),
    "sign-in: one of two groups says so": (
        known(
            policy=ruled(sms=MethodRule(True, (PolicyTarget(EXTERNALS), PolicyTarget(SALES, True)))),
            member_of=frozenset({SALES, EXTERNALS})),
        MOBILE, US, S, Y, "included"),
    "sign-in: off": (known(policy=ruled(sms=OFF)), MOBILE, US, S, N, "directory.method-off"),
    "sign-in: off before the migration, which never had it": (
        known(policy=ruled(sms=OFF, migration=Migration.BEFORE)), MOBILE, US, S, N, "directory.method-off"),
    "sign-in: groups unread": (
        known(policy=ruled(sms=FOR_SALES), member_of=DOWN), MOBILE, US, S, C, "directory.part-unread"),
    "sign-in: included for all, usable only for a group unread": (
        known(
            policy=ruled(sms=MethodRule(True, (PolicyTarget(ALL_USERS), PolicyTarget(SALES, True)))),
            member_of=DOWN),
        MOBILE, US, S, C, "directory.part-unread"),
    "sign-in: policy unread": (known(policy=DOWN), MOBILE, US, S, C, "directory.part-unread"),
    "sign-in: phones unread": (known(phones=DOWN), MOBILE, US, S, C, "directory.part-unread"),
    "sign-in: an office phone beside": (
        known(phones=Phones({OFFICE: US_2})), MOBILE, US, S, C, "directory.sms-voice-number"),
    "sign-in: a country on the list": (KNOWN, MOBILE, GERMAN, S, C, "directory.text-country"),
    "sign-in: a fixed line": (KNOWN, MOBILE, FIXED, S, C, "directory.line-kind"),
    "sign-in: ready": (known(phones=HELD[SmsState.READY]), MOBILE, US, S, Y, "sms-ready"),
    "sign-in: ready, policy unread": (
        known(phones=HELD[SmsState.READY], policy=DOWN), MOBILE, US, S, Y, "sms-ready"),
    "sign-in: another number is ready": (
        known(phones=HELD[SmsState.READY], other_holder=None),
        MOBILE, US_2, S, C, "directory.holder-unknown"),
    "sign-in: switched off": (
        known(phones=HELD[SmsState.NOT_ENABLED]), MOBILE, US, S, N, "directory.sms-not-enabled"),
    "sign-in: not unique": (
        known(phones=HELD[SmsState.NOT_UNIQUE]), MOBILE, US, S, N, "directory.sms-not-unique"),
    "sign-in: not allowed by policy": (
        known(phones=HELD[SmsState.NOT_ALLOWED]), MOBILE, US, S, N, "directory.sms-not-allowed"),
    "sign-in: not configured": (
        known(phones=HELD[SmsState.NOT_CONFIGURED]), MOBILE, US, S, N, "directory.sms-not-configured"),
    "sign-in: state not told": (
        known(phones=HELD[SmsState.UNKNOWN], other_holder=None),
        MOBILE, US, S, C, "directory.holder-unknown"),
    "sign-in: disabled": (
        known(person=replace(ALICE, enabled=False), phones=HELD[SmsState.READY]),
        MOBILE, US, S, N, "policy.target-disabled"),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_answer_and_what_it_rests_on(row: str) -> None:
    """Each condition gives its answer, and the first cause names it."""
    facts, slot, number, use, answer, cause = ROWS[row]
    verdict = asked(facts, slot, number)[use]
    assert (verdict.answer, verdict.causes[0].key) == (answer, cause)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_answer_has_a_cause_and_every_no_says_who_can_mend_it(row: str) -> None:
    """No verdict stands without evidence; whatever is no yes names a registered reason with a next step."""
    facts, slot, number, *_ = ROWS[row]
    found = verdicts(facts, slot, number)
    assert [each.use for each in found] == list(Use)
    for verdict in found:
        assert verdict.causes
        for cause in verdict.causes:
            if cause.reason is not None:
                assert cause.reason.next_step.format(**dict(cause.facts))
        first = verdict.causes[0].reason
        assert (first is None) is (verdict.answer is Y)


def test_a_group_is_named_with_its_id() -> None:
    """Who excludes or includes the person can be found in Entra: by name and by object id."""
    policy = ruled(sms=FOR_SALES, voice=NOT_EXTERNALS)
    found = asked(known(policy=policy, member_of=frozenset({SALES, EXTERNALS})), MOBILE, US)
    assert dict(found[T].causes[0].facts)["group"] == f"Sales ({SALES})"
    assert dict(found[V].causes[0].facts)["excluded"] == f"Externals ({EXTERNALS})"
    unnamed = asked(known(policy=policy, names={}), MOBILE, US)
    assert dict(unnamed[T].causes[0].facts)["included"] == f"the group {SALES}"


def test_a_silent_directory_never_says_yes_or_no_where_it_matters() -> None:
    """With nothing readable, the answers that hang on it are all "cannot tell"."""
    silent = known(
        phones=DOWN, policy=DOWN, member_of=DOWN, licences=DOWN,
        registration=Registration(readable=False, why="out of reach"), other_holder=None,
    )  # fmt: skip
    assert {each.answer for each in verdicts(silent, MOBILE, US)} == {C}


def test_legacy_policies_are_named_beside_the_no_they_soften() -> None:
    """The reader sees both: what this policy says, and that an older one may say otherwise."""
    facts = known(policy=ruled(sms=OFF, migration=Migration.RUNNING))
    keys = [cause.key for cause in asked(facts, MOBILE, US)[T].causes]
    assert keys == ["directory.method-off", "directory.legacy-policy"]


def test_the_table_is_long_enough() -> None:
    """Every condition has its row."""
    assert len(ROWS) >= 90
