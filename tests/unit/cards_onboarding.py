"""Outcomes of onboarding, for the tests of cards.

Knows the examples they build on. Must not draw anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import cards_examples as examples

from bot.domain import outcome as o
from bot.domain.change import Change, State
from bot.domain.onboarding import Bridge, Onboarding, Stage
from bot.domain.onboarding_commands import Register
from bot.domain.onboarding_reasons import CANNOT_REACH, LAST_FOUR_DIFFER, NOT_NEW
from bot.domain.people import PersonRef, Reader
from bot.domain.phone import Slot
from bot.domain.policy import Action
from bot.domain.reasons import NUMBER_NOT_VALID

HIRE = Reader(examples.ALICE.oid, "en-GB", "Europe/Berlin")
CORA = Reader(examples.RAJ.oid, "en-GB", "Europe/Berlin")
SOME = ("DE", "GB", "US")


def onboarding(stage: Stage = Stage.INVITED, **given: Any) -> Onboarding:
    first = Onboarding(
        id="7K2Q9M",
        tenant_id="t",
        person=PersonRef.of(examples.ALICE),
        starter=PersonRef.of(examples.RAJ),
        cohort="7K2Q9N",
        stage=stage,
        row_version=2,
        created_at=examples.NOW,
        until=examples.NOW + timedelta(days=14),
    )
    return replace(first, **given)


def card(asks: o.Asks = o.Asks.NUMBER, about: Onboarding | None = None, **given: Any) -> o.Invitation:
    usual = {"region": "DE", "regions": SOME}
    return o.Invitation(about or onboarding(), examples.CARD, asks, **{**usual, **given})


def first_phone(**given: Any) -> Change:
    """Alice's own first number, waiting for Megan."""
    entered = {
        "action": Action.ONBOARD,
        "origin": "onboarding",
        "requester": PersonRef.of(examples.ALICE),
        "operations": (examples.operation(before="", before_key=""),),
        "reason": "Onboarding O-7K2Q9M, begun by Raj Patel",
        "ticket": "",
        "notes": ("adds", "entered-by-them", "last-four-typed-twice"),
    }
    return examples.change(**{**entered, **given})


def outcomes() -> dict[str, tuple[o.Outcome, Reader]]:
    """By name, each with its reader."""
    typed = Register(examples.CARD, Slot.OFFICE, "DE", examples.CLEAR, "1234")
    wrong = (
        ("number", NUMBER_NOT_VALID.refuse(slot="office", example="+1 202 555 0123 x45")),
        ("last_four", LAST_FOUR_DIFFER.refuse()),
    )
    no_chat = CANNOT_REACH.refuse(name="Alice Adams", why="not installed", who="alice@contoso.com")
    late = onboarding(Stage.UNREACHABLE, why=no_chat)
    proposed = onboarding(Stage.REGISTERED, bridge=Bridge.PROPOSED)
    megan = PersonRef.of(examples.MEGAN)
    behalf = onboarding(Stage.REGISTERED, entered_by=megan)
    missing = (
        o.Effect("sspr-short", (("have", "1"), ("needed", "2"))),
        o.Effect("no-passkey"),
        o.Effect("bridge"),
    )
    ref, change = examples.view(o.Audience.APPROVER, change=first_phone()), first_phone()
    refused = NOT_NEW.refuse(name="Bob Brown", who="bob@contoso.com", days="30", since="2019-01-01")
    counts = ((Stage.INVITED, 31), (Stage.REGISTERED, 60), (Stage.NO_PHONE, 2), (Stage.UNREACHABLE, 1))
    return {
        "onboarding-card": (card(last_four=True), HIRE),
        "onboarding-errors": (card(last_four=True, filled=typed, errors=wrong), HIRE),
        "onboarding-everywhere": (card(regions=(), last_four=True, filled=typed, errors=wrong), HIRE),
        "onboarding-behalf": (card(about=late, own=False), CORA),
        "onboarding-confirm": (card(o.Asks.CONFIRM, behalf, last_four=True), HIRE),
        "onboarding-bridge": (card(o.Asks.BRIDGE, proposed), HIRE),
        "onboarding-registered": (card(o.Asks.STATE, onboarding(Stage.REGISTERED), missing=missing), HIRE),
        "onboarding-no-phone": (card(o.Asks.STATE, onboarding(Stage.NO_PHONE)), HIRE),
        "onboarding-said-no": (card(o.Asks.STATE, onboarding(Stage.PREFERS_NOT), own=False), CORA),
        "onboarding-begun": (card(o.Asks.STATE, own=False), CORA),
        "onboarding-unreachable": (card(o.Asks.STATE, late, own=False), CORA),
        "onboarding-unconfirmed": (card(o.Asks.STATE, behalf, own=False), CORA),
        "onboarding-remove": (
            card(o.Asks.STATE, onboarding(Stage.SETTLED, bridge=Bridge.REMOVE), own=False),
            CORA,
        ),
        "onboarding-many": (o.OnboardingReport(begun=480, refused=(refused,), more_refused=19), CORA),
        "onboarding-report": (
            o.OnboardingReport(counts, (late, onboarding(Stage.NO_PHONE)), 3, unconfirmed=2),
            CORA,
        ),
        "onboarding-new-people": (o.NewPeopleList((ref, ref), 4, 3), examples.PLAIN_READER),
        "onboarding-nobody": (o.NewPeopleList(), examples.PLAIN_READER),
        "onboarding-decide": (o.AwaitingApproval(ref), examples.PLAIN_READER),
        "onboarding-waiting": (o.AwaitingApproval(examples.view(change=change)), HIRE),
        "onboarding-done": (
            o.Applied(examples.view(change=first_phone(state=State.APPLIED), may_cancel=False)),
            HIRE,
        ),
    }
