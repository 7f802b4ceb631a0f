"""Outcomes about Temporary Access Passes, for the tests of cards.

Knows the examples they build on. Must not draw anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import cards_examples as examples

from bot.domain import outcome as o
from bot.domain.change import Change, OpKind, State
from bot.domain.command import IssuePass, Who, WhoKind
from bot.domain.pass_reasons import PASS_UNSEEN
from bot.domain.passes import PassTerms
from bot.domain.people import PersonRef, Reader
from bot.domain.policy import Action

HIRE = Reader(examples.ALICE.oid, "en-GB", "Europe/Berlin")
BOSS = Reader(examples.MEGAN.oid, "en-GB", "Europe/Berlin")
SECRET = "Fg4+kZ7q"


def requested(state: State = State.PENDING, reader: Any = examples.MEGAN, **given: Any) -> Change:
    """Raj's request for a pass for Alice, whose reader is Megan."""
    operation = examples.operation(
        kind=OpKind.PASS, before="", before_key="", after=reader.name, after_key=PassTerms(60, reader.oid).key
    )
    asked = {
        "action": Action.PASS,
        "requester": PersonRef.of(examples.RAJ),
        "operations": (operation,),
        "reason": "she gets a security key",
        "ticket": "",
        "notes": ("pass",),
        "state": state,
        "rule": "passes",
    }
    return examples.change(**{**asked, **given})


def agreed(**given: Any) -> Change:
    return requested(
        **{"state": State.APPROVED, "votes": (examples.vote(),), "decided_at": examples.NOW, **given}
    )


def every() -> dict[str, tuple[o.Outcome, Reader]]:
    """Name -> (outcome, reader): each card that a pass is about."""
    a, view = o.Audience, examples.view
    raj = Reader(examples.RAJ.oid, "en-GB", "Europe/Berlin")
    unseen = agreed(state=State.UNCONFIRMED, due_at=examples.NOW + timedelta(hours=1))
    over = replace(agreed(state=State.FAILED), ended_at=examples.NOW)
    why = PASS_UNSEEN.refuse(minutes="60")
    ended = agreed(state=State.APPLIED, ended_at=examples.NOW + timedelta(minutes=10))
    manager = view(a.APPROVER, change=agreed(), may_vote=False, may_show_pass=True)
    own, alice = agreed(reader=examples.ALICE), PersonRef.of(examples.ALICE)
    person = view(a.TARGET, change=own, may_show_pass=True, may_dispute=True)
    return {
        "pass-form": (o.Form(IssuePass(Who(WhoKind.NAME, "alice"))), raj),
        "pass-preview": (
            o.Preview(view(change=requested(State.PREVIEWED, submitted_at=None), may_submit=True)), raj,
        ),
        "pass-approver": (o.AwaitingApproval(view(a.APPROVER, change=requested())), BOSS),
        "pass-target": (o.AwaitingApproval(view(a.TARGET, change=requested(), may_dispute=True)), HIRE),
        "pass-waits": (o.Working(view(change=agreed())), raj),
        "pass-ready-manager": (o.Working(manager), BOSS),
        "pass-ready-person": (o.Working(person), HIRE),
        "pass-unseen": (o.Unconfirmed(view(a.TARGET, change=unseen, may_show_pass=True)), HIRE),
        "pass-applied": (o.Applied(view(change=ended, may_cancel=False)), raj),
        "pass-applied-target": (o.Applied(view(a.TARGET, change=ended, may_dispute=True)), HIRE),
        "pass-failed": (o.Failed(why, view(change=over, may_cancel=False)), raj),
        "pass-shown-person": (o.PassShown(alice, SECRET, 60, own=True), HIRE),
        "pass-shown-manager": (o.PassShown(alice, SECRET, 60, own=False), BOSS),
    }  # fmt: skip
