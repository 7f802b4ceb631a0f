"""Example outcomes, one of each kind and audience: what the card tests draw. Knows domain values only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import decision_reasons, reasons
from bot.domain import outcome as o
from bot.domain.change import (
    Asked,
    Asking,
    Change,
    How,
    Operation,
    OpKind,
    Proof,
    ResolvedStep,
    State,
    Verdict,
    Vote,
)
from bot.domain.command import (
    CardRef,
    SetPhone,
    Who,
    WhoKind,
)
from bot.domain.methods import (
    ALL_USERS,
    Default,
    Deleted,
    Licences,
    Method,
    MethodPolicy,
    MethodRule,
    Migration,
    PolicyTarget,
    Registration,
    SignIn,
    SmsState,
)
from bot.domain.numbers import Coverage, Holder, WhoHasAnswer
from bot.domain.people import Person, PersonRef, Phones, Reader, Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action
from bot.domain.policy import Method as ProofMethod
from bot.domain.proof_reasons import PROOF_MISSING
from bot.domain.reason import Refusal
from bot.domain.standing import Standing
from bot.domain.usability import Known, Silent, verdicts

NOW = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
CLEAR = "+1 415 867 5309"
OLIVIA = Person("0b1c5a52-5f0e-4f0c-9a77-5d3c1b2f0a11", "Olivia Park", "olivia@contoso.com", department="IT")
ALICE = Person(
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "Alice Adams",
    "alice@contoso.com",
    department="Sales",
    job_title="Account manager",
)
ALICE_2 = Person(
    "77aa04e0-4f89-41d3-9a0c-0305e82cbeef", "Alice Adams", "alice.adams2@contoso.com", department="Legal"
)
MEGAN = Person("9d2504e0-4f89-41d3-9a0c-0305e82c77aa", "Megan Bowen", "megan@contoso.com")
AUDRA = Person("4d2504e0-4f89-41d3-9a0c-0305e82c44dd", "Audra Abbey", "audra@contoso.com")
RAJ = Person("1e2504e0-4f89-41d3-9a0c-0305e82c12cc", "Raj Patel", "raj@contoso.com")
OPERATOR = Reader(OLIVIA.oid, "en-GB", "Europe/Berlin", frozenset({Role.OPERATOR}))
AUDITOR = Reader(OLIVIA.oid, "en-GB", "Europe/Berlin", frozenset({Role.AUDITOR}))
PLAIN_READER = Reader(MEGAN.oid, "en-US", "America/New_York")
CARD = CardRef("7K2Q9M", "0123456789abcdef0123456789abcdef")


def operation(**given: Any) -> Operation:
    """A mobile replaced by another."""
    first = Operation(1, OpKind.SET, Slot.MOBILE, "+1 •••••• 12", "+1 •••••• 09", "b" * 64, "a" * 64)
    return replace(first, **given)


def asked(person: Person, via: str = "manager-of-target", **given: Any) -> Asked:
    return Asked(PersonRef.of(person), via, **given)


def step(*people: Asked, **given: Any) -> ResolvedStep:
    first = ResolvedStep(1, 1, ("manager-of-target",), ("role:approver",), False, people or (asked(MEGAN),))
    return replace(first, **given)


def change(**given: Any) -> Change:
    """Olivia's request to change Alice's mobile, waiting for Megan."""
    first = Change(
        id="7K2Q9M",
        tenant_id="t",
        origin="teams",
        action=Action.SET,
        requester=PersonRef.of(OLIVIA),
        target=PersonRef.of(ALICE),
        target_kind=TargetKind.ORDINARY,
        operations=(operation(),),
        reason="lost phone, identity checked by badge photo",
        ticket="INC1234",
        rule="ordinary change",
        policy_hash="p",
        content_hash="v1:4f3a" + "0" * 60,
        correlation_id="c",
        state=State.PENDING,
        row_version=2,
        created_at=NOW,
        expire_minutes=1440,
        execute_minutes=240,
        steps=(step(),),
        submitted_at=NOW + timedelta(minutes=2),
        expires_at=NOW + timedelta(minutes=1442),
    )
    return replace(first, **given)


def vote(verdict: Verdict = Verdict.APPROVE, because: str = "") -> Vote:
    at = NOW + timedelta(minutes=9)
    how = How.IN_PERSON if verdict is Verdict.APPROVE else None
    return Vote(1, PersonRef.of(MEGAN), verdict, at, "v1:x", "manager-of-target", because, how)


def view(audience: o.Audience = o.Audience.REQUESTER, /, **given: Any) -> o.View:
    """A view with the buttons that audience usually has; `change=` and the `may_` flags can be given."""
    flags = {
        "may_vote": audience is o.Audience.APPROVER,
        "may_cancel": audience is o.Audience.REQUESTER,
    }
    return o.View(**{"change": change(), "audience": audience, "card": CARD, **flags, **given})


def done(state: State = State.APPLIED, **given: Any) -> Change:
    return change(state=state, votes=(vote(),), ended_at=NOW + timedelta(minutes=10), **given)


def preview() -> o.Preview:
    lost = asked(MEGAN, state=Asking.UNREACHABLE, why="not-installed")
    waiting = change(
        state=State.PREVIEWED,
        submitted_at=None,
        expires_at=NOW + timedelta(minutes=60),
        steps=(step(lost, asked(RAJ, "role:approver", fallback=True)),),
    )
    effects = (
        o.Effect("replaces"),
        o.Effect("sms-sign-in"),
        o.Effect("target-told", (("name", "Alice Adams"),)),
    )
    return o.Preview(view(change=waiting, may_submit=True), effects, CLEAR)


def rejected() -> o.Refused:
    because = "the caller could not say who their manager is"
    no = decision_reasons.REJECTED.refuse(id="R-7K2Q9M-4F3A", name="Megan Bowen", because=because)
    ended = change(state=State.REJECTED, ending=no, votes=(vote(Verdict.REJECT, because),))
    return o.Refused((no,), view(change=ended, may_cancel=False))


def half_decided() -> Change:
    """Two of three people decide: one approved, one took the approval back, one passed it on."""
    people = (
        asked(MEGAN),
        asked(RAJ, "role:approver"),
        asked(ALICE_2, "role:approver", state=Asking.DECLINED),
    )
    back = replace(
        vote(), person=PersonRef.of(RAJ), verdict=Verdict.WITHDRAWN, at=NOW + timedelta(minutes=20)
    )
    said = "Alice Adams (approver) says that somebody else should decide: not my team"
    proof = Proof("call-back", "badge number read back")
    return change(steps=(step(*people, need=2, missing=(said,)),), votes=(vote(), back), proof=proof)


def taken() -> o.Preview:
    """Raj goes on with Olivia's request; the number stays masked."""
    mine = change(
        state=State.PREVIEWED,
        requester=PersonRef.of(RAJ),
        submitted_at=None,
        parent_id="M4XQ2Z",
        excluded=(OLIVIA.oid,),
    )
    return o.Preview(view(change=mine, may_submit=True), (o.Effect("replaces"),))


def not_them() -> Refusal:
    return decision_reasons.REJECTED_NOT_ME.refuse(id="R-7K2Q9M-4F3A", target="Alice Adams")


def ended_by(no: Refusal, audience: o.Audience = o.Audience.REQUESTER) -> o.Refused:
    """A request that was refused before anything was written."""
    notes = ("not-me",) if no == not_them() else ()
    ended = change(state=State.REJECTED, ending=no, notes=notes)
    return o.Refused((no,), view(audience, change=ended, may_cancel=False))


def several_refusals() -> o.Refused:
    return o.Refused(
        (
            reasons.PROTECTED.refuse(name="Alice Adams", facts="Global Reader role, break-glass list"),
            reasons.NUMBER_LINE_TYPE.refuse(slot="mobile", kind="premium rate", allowed="mobile"),
        )
    )


def wrong_form() -> o.Form:
    filled = SetPhone(
        Who(WhoKind.NAME, "alice"), Slot.MOBILE, "0415 867 5309", "lost phone", "INC1234", from_form=True
    )
    errors = (("number", reasons.NUMBER_NEEDS_COUNTRY.refuse(example="+1 202 555 0123")),)
    return o.Form(filled, errors, ALICE)


def rows(kind: o.PageKind) -> tuple[o.Row, ...]:
    removal = change(
        id="M4XQ2Z",
        target=PersonRef.of(RAJ),
        operations=(operation(kind=OpKind.REMOVE, slot=Slot.OFFICE, after=""),),
        state=State.APPLIED if kind is not o.PageKind.APPROVALS else State.PENDING,
    )
    return (o.Row(change=change(), at=NOW), o.Row(change=removal, at=NOW - timedelta(days=400)))


def pages() -> dict[str, o.Page]:
    kinds = o.PageKind
    phones = (
        o.Row(("mobile", "+1 •••••• 12")),
        o.Row(("office", "+49 •••••• 77")),
        o.Row(("default", "text message to the mobile")),
        o.Row(change=change(), at=NOW),
    )
    lists = {
        f"page-{kind.value}": o.Page(kind, rows(kind))
        for kind in (kinds.MY_REQUESTS, kinds.APPROVALS, kinds.OPEN)
    }
    events = (
        o.Row(
            (
                "change:mobile:applied",
                "Olivia Park",
                "Olivia Park · R-7K2Q9M-4F3A · +1 •••••• 12 → +1 •••••• 09",
            ),
            at=NOW,
        ),
        o.Row(("change:office:approver-unreachable", "", "R-M4XQ2Z-11AA"), at=NOW - timedelta(days=400)),
    )
    lists["page-history"] = o.Page(kinds.HISTORY, events, more=3)
    return {
        "page-help": o.Page(kinds.HELP),
        "page-hi": o.Page(kinds.HI),
        "page-whoami": o.Page(kinds.WHOAMI, person=OLIVIA, roles=frozenset({Role.OPERATOR, Role.AUDITOR})),
        "page-show": o.Page(kinds.SHOW, phones, person=ALICE),
        "page-explain": o.Page(kinds.EXPLAIN, reason=reasons.PROTECTED),
        **{f"page-{name}": o.Page(o.PageKind.WHO_HAS, who_has=answer) for name, answer in who_has().items()},
        "page-empty": o.Page(kinds.APPROVALS),
        **{name: replace(page, person=ALICE if "history" in name else None) for name, page in lists.items()},
    }


def standings() -> dict[str, o.Page]:
    """`show` with everything readable, with the narrow permissions, and about somebody protected."""
    phones = (o.Row(("mobile", "+1 •••••• 12")), o.Row(("office", "+49 •••••• 77")))
    known = SignIn(
        methods=(Method.PASSWORD, Method.AUTHENTICATOR, Method.FIDO2, Method.PHONE),
        unknown_methods=1,
        default=Default.PUSH,
        system_preferred=True,
    )
    report = Registration(updated_at=NOW, sspr_registered=False, sspr_enabled=True, methods=("mobilePhone",))
    narrow = SignIn(readable=False, why="the permission profile phone-only does not reach it")
    lagging = Registration(readable=False, why="the report does not know the person yet")
    guest = replace(ALICE_2, guest=True, synced=True, enabled=False)
    show = o.PageKind.SHOW
    return {
        "page-show-all": o.Page(
            show, phones, person=ALICE, standing=Standing(known, report, SmsState.NOT_ENABLED)
        ),
        "page-show-narrow": o.Page(
            show, phones, person=ALICE, standing=Standing(narrow, lagging, SmsState.READY)
        ),
        "page-show-protected": o.Page(
            show,
            phones[1:],
            person=guest,
            standing=Standing(narrow, lagging, None, ("holds the directory role Global Reader",)),
        ),
        "page-show-unread": o.Page(
            show, phones, person=ALICE, standing=Standing(narrow, report, None, None, "out of reach")
        ),
    }


def checks() -> dict[str, o.Page]:
    """`check` where all is well, where a group is in the way, and where the directory is silent."""
    sales = "77aa04e0-4f89-41d3-9a0c-0305e82c0011"
    number = PhoneNumber("1", "4158675309")
    usable = MethodRule(True, (PolicyTarget(ALL_USERS, usable_for_sign_in=True),))
    excluding = MethodRule(True, (PolicyTarget(ALL_USERS),), (PolicyTarget(sales),))
    policy = MethodPolicy(usable, usable, True, Migration.COMPLETE, NOW)
    report = Registration(updated_at=NOW, sspr_enabled=True)
    paid = Licences(frozenset({"SPE_F1"}))
    well = Known(ALICE, Phones(), policy, frozenset(), paid, report, {sales: "Sales"}, other_holder=False)
    migrating = replace(policy, sms=excluding, voice=excluding, migration=Migration.RUNNING)
    down = Silent("the directory asks us to slow down")
    cases = {
        "page-check": (well, Slot.MOBILE, number),
        "page-check-group": (
            replace(well, policy=migrating, member_of=frozenset({sales}), licences=Licences()),
            Slot.MOBILE,
            number,
        ),
        "page-check-silent": (
            Known(ALICE, down, down, down, down, Registration(readable=False, why="no licence")),
            Slot.MOBILE,
            PhoneNumber("49", "15112345678"),
        ),
        "page-check-office": (well, Slot.OFFICE, PhoneNumber("1", "4158675309", "45")),
    }
    return {
        name: o.Page(
            o.PageKind.CHECK,
            person=ALICE,
            verdicts=verdicts(known, slot, given),
            slot=slot,
            number=given.masked,
        )
        for name, (known, slot, given) in cases.items()
    }


def who_has() -> dict[str, WhoHasAnswer]:
    """Sure and unsure answers: holders with a sign-in name, nobody in part, in all, nobody looked at."""
    part = Coverage(830, 1000, NOW - timedelta(days=3), NOW - timedelta(minutes=4))
    whole = Coverage(1000, 1000, NOW - timedelta(days=1), NOW, NOW - timedelta(days=1))
    bin_ = (Deleted(RAJ.oid, "Raj Patel", "raj@contoso.com", NOW - timedelta(days=2)),)
    holders = (
        Holder(ALICE, Slot.MOBILE, True, NOW, True),
        Holder(ALICE_2, Slot.ALTERNATE, False, NOW - timedelta(hours=30), False),
        Holder(replace(MEGAN, enabled=False), Slot.OFFICE, False, NOW, True),
    )
    return {
        "who-has": WhoHasAnswer("+1 •••••• 09", NOW, part, holders, 12, bin_, bin_),
        "who-has-shared": WhoHasAnswer("+1 •••••• 09", NOW, whole, holders[1:]),
        "who-has-nobody-known": WhoHasAnswer("+1 •••••• 09", NOW, part, deleted=bin_ * 5),
        "who-has-nobody": WhoHasAnswer("+1 •••••• 09", NOW, whole, deleted=None),
        "who-has-no-look": WhoHasAnswer("+1 •••••• 09", NOW, Coverage(0, None, None, None)),
        "who-has-uncounted": WhoHasAnswer("+1 •••••• 09", NOW, Coverage(3, None, NOW, NOW)),
    }


def unproven_form() -> o.Form:
    """Typed without saying how the caller was verified, where the policy asks for it."""
    methods = tuple(method for method in ProofMethod if method is not ProofMethod.PUSH)
    missing = PROOF_MISSING.refuse(methods=", ".join(methods))
    filled = SetPhone(Who(WhoKind.OID, ALICE.oid), Slot.MOBILE, CLEAR, "lost phone")
    return o.Form(filled, (("proof", missing),), ALICE, methods)
