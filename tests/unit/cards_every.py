"""All agreed outcomes by name, with who reads them. The pieces stand in `cards_examples`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cards_examples import (
    ALICE,
    ALICE_2,
    AUDITOR,
    CLEAR,
    MEGAN,
    NOW,
    OLIVIA,
    OPERATOR,
    PLAIN_READER,
    change,
    checks,
    done,
    ended_by,
    half_decided,
    not_them,
    pages,
    preview,
    rejected,
    several_refusals,
    standings,
    taken,
    unproven_form,
    view,
    vote,
    who_has,
    wrong_form,
)

from bot.domain import decision_reasons, reasons
from bot.domain import outcome as o
from bot.domain.change import (
    Proof,
    State,
)
from bot.domain.command import (
    Check,
    History,
    RemovePhone,
    SetPhone,
    Show,
    SmsSignIn,
    Swap,
    Who,
    WhoKind,
)
from bot.domain.people import Reader
from bot.domain.phone import Slot
from bot.domain.policy import Risk
from bot.domain.signals import Signal


def concerns() -> dict[str, o.Outcome]:
    """Signals on the cards of who decides and who asks, and what security is alarmed about."""
    signals = (
        Signal(Risk.VIP),
        Signal(Risk.COUNTRY, facts=(("new", "+370"), ("held", "+1"))),
        Signal(Risk.HOURS, "day", (("local", "2026-11-22 03:10"), ("zone", "Europe/Berlin"))),
        Signal(Risk.SECOND, facts=(("count", "2"),)),
        Signal(Risk.RESET, facts=(("at", "2026-11-23T12:31:00+00:00"),)),
    )
    proof = Proof("call-back", "number from the HR file")
    risky = change(risks=signals, proof=proof, notes=("replaces",))
    shown = change(state=State.PREVIEWED, submitted_at=None, risks=signals, proof=proof, notes=("replaces",))
    rows = (o.Row(change=risky), o.Row(change=done()))
    return {
        "waiting-approver-risky": o.AwaitingApproval(view(o.Audience.APPROVER, change=risky)),
        "preview-risky": o.Preview(view(change=shown, may_submit=True)),
        "page-at-limit": o.Page(o.PageKind.AT_LIMIT, rows, person=OLIVIA, more=3),
        "page-same-number": o.Page(o.PageKind.SAME_NUMBER, rows, person=OLIVIA),
        "page-hasty": o.Page(o.PageKind.HASTY, rows, person=MEGAN),
        "form-proof": unproven_form(),
    }


def every() -> dict[str, tuple[o.Outcome, Reader]]:
    """Name -> (outcome, reader): each kind of outcome, each audience where it matters."""
    a = o.Audience
    stale = reasons.CARD_STALE.refuse(id="R-7K2Q9M-4F3A")
    failure = reasons.DIRECTORY_DENIED.refuse(code="accessDenied", request_id=ALICE_2.oid)
    unsure = change(state=State.UNCONFIRMED, votes=(vote(),), due_at=NOW + timedelta(minutes=12))
    outcomes: dict[str, o.Outcome] = {
        "preview": preview(),
        "preview-later": replace(preview(), in_full=None),
        "waiting-approver": o.AwaitingApproval(
            view(a.APPROVER, change=change(notes=("replaces", "default-unreadable")))
        ),
        "waiting-approver-stale": o.AwaitingApproval(view(a.APPROVER), stale),
        "waiting-approver-second": o.AwaitingApproval(view(a.APPROVER, change=half_decided())),
        "waiting-approver-voted": o.AwaitingApproval(
            view(a.APPROVER, change=half_decided(), may_vote=False, may_withdraw=True)
        ),
        "waiting-requester": o.AwaitingApproval(view(a.REQUESTER)),
        "waiting-target": o.AwaitingApproval(view(a.TARGET, may_dispute=True)),
        "preview-taken": taken(),
        "waiting-onlooker": o.AwaitingApproval(view(a.ONLOOKER)),
        "working": o.Working(view(change=change(state=State.APPLYING, votes=(vote(),)), may_cancel=False)),
        "working-reading": o.Working(),
        "applied": o.Applied(view(change=done(notes=("sms-not-unique",)), may_cancel=False)),
        "applied-target": o.Applied(view(a.TARGET, change=done(), may_dispute=True)),
        "applied-disputed": o.Applied(view(change=done(notes=("not-me",)), may_cancel=False)),
        "working-target": o.Working(view(a.TARGET, change=change(state=State.APPLYING), may_dispute=True)),
        "refused-fraud": ended_by(
            decision_reasons.REJECTED_FRAUD.refuse(
                id="R-7K2Q9M-4F3A", name="Megan Bowen", because="Alice sits here and asked for nothing"
            )
        ),
        "refused-not-me": ended_by(not_them()),
        "refused-not-me-target": ended_by(not_them(), a.TARGET),
        "already-so": o.AlreadySo(ALICE, Slot.MOBILE, "+1 •••••• 09"),
        "refused-unknown": o.Refused((reasons.UNKNOWN_COMMAND.refuse(suggestion=""),), nearest="my requests"),
        "refused-several": several_refusals(),
        "refused-rejected": rejected(),
        "failed": o.Failed(failure, view(change=done(State.FAILED), may_cancel=False)),
        "unconfirmed": o.Unconfirmed(view(change=unsure, may_cancel=False)),
        "choice-show": o.Choice((ALICE, ALICE_2), Show(Who(WhoKind.NAME, "alice"))),
        "choice-history": o.Choice((ALICE, ALICE_2), History(Who(WhoKind.NAME, "alice"))),
        "choice-set": o.Choice((ALICE, ALICE_2), SetPhone(Who(WhoKind.NAME, "alice"), Slot.MOBILE, CLEAR)),
        "form-set": o.Form(SetPhone(Who(WhoKind.NAME, "alice"), reason="lost phone")),
        "form-set-wrong": wrong_form(),
        "choice-check": o.Choice((ALICE, ALICE_2), Check(Who(WhoKind.NAME, "alice"), Slot.MOBILE, CLEAR)),
        "choice-swap": o.Choice((ALICE, ALICE_2), Swap(Who(WhoKind.NAME, "alice"), "lost phone")),
        "form-swap": o.Form(Swap(None, "lost phone", "INC1234")),
        "form-sms-on": o.Form(SmsSignIn(Who(WhoKind.NAME, "alice"), True), (), ALICE),
        "form-sms-off": o.Form(SmsSignIn(None, False)),
        "form-remove": o.Form(RemovePhone(None, Slot.OFFICE), (), ALICE),
        **pages(),
        **standings(),
        **checks(),
        **concerns(),
    }
    quiet = {
        "waiting-approver",
        "waiting-approver-risky",
        "waiting-approver-second",
        "waiting-approver-voted",
        "waiting-approver-stale",
        "waiting-target",
        "applied-target",
    }
    readers = {name: PLAIN_READER for name in quiet} | {f"page-{name}": AUDITOR for name in who_has()}
    return {name: (each, readers.get(name, OPERATOR)) for name, each in outcomes.items()}
