"""Outcomes of what stops changes, of undo and of emergencies, for the tests of cards.

Knows the examples they build on. Must not draw anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import cards_examples as examples
from cards_examples import ALICE, ALICE_2, AUDRA, MEGAN, NOW, OLIVIA, OPERATOR, RAJ

from bot.domain import outcome as o
from bot.domain import stop_reasons as stops
from bot.domain.change import Change, Operation, OpKind, State
from bot.domain.command import Freeze as FreezeCommand
from bot.domain.command import Who, WhoKind
from bot.domain.freeze import Freeze, FreezeKind, Lift
from bot.domain.people import PersonRef, Reader, Role
from bot.domain.policy import Action
from bot.domain.switch import NOBODY, Switch, SwitchName

GUARD = Reader(AUDRA.oid, "en-GB", "Europe/Berlin", frozenset({Role.SECURITY}))
HERSELF = Reader(ALICE.oid, "en-US", "America/New_York")
FRAUD = Freeze(
    PersonRef.of(ALICE),
    PersonRef.of(MEGAN),
    FreezeKind.FRAUD,
    NOW,
    "7K2Q9M",
    "the caller did not know her own desk",
    (MEGAN.oid, OLIVIA.oid),
)
LIFTED = replace(FRAUD, lifts=(Lift(PersonRef.of(AUDRA), NOW + timedelta(hours=2)),))
ENDED = replace(
    LIFTED,
    lifts=(*LIFTED.lifts, Lift(PersonRef.of(RAJ), NOW + timedelta(hours=3))),
    ended_at=NOW + timedelta(hours=3),
)
OWN = replace(FRAUD, by=FRAUD.person, kind=FreezeKind.SELF, change_id="", why="", barred=(ALICE.oid,))
PAUSE = Switch(SwitchName.PAUSE, True, PersonRef.of(RAJ), NOW, "we look into a burst of requests")
BREAKER = Switch(
    SwitchName.BREAKER, True, NOBODY, NOW, "more than 200 writes in one hour", (Lift(PAUSE.by, NOW),)
)


def _undo(**given: object) -> Change:
    op = replace(examples.operation(), before="+1 •••••• 09", after="+1 •••••• 10")
    made = examples.change(
        action=Action.UNDO, parent_id="7K2Q9M", operations=(op,), reason="Undo of R-7K2Q9M"
    )
    return replace(made, **given)  # type: ignore[arg-type]  # fields of a change


def _emptied() -> Change:
    gone = Operation(1, OpKind.REMOVE, examples.operation().slot, "+1 •••••• 09", "", "k", "")
    return _undo(operations=(gone,))


def _broken(state: State, **given: object) -> Change:
    until = NOW + timedelta(hours=24)
    made = examples.change(state=state, steps=(), break_glass=True, rule="emergency", review_until=until)
    return replace(made, **given)  # type: ignore[arg-type]  # fields of a change


def outcomes() -> dict[str, tuple[o.Outcome, Reader]]:
    """By name, each with its reader."""
    page, audience = o.PageKind, o.Audience
    ended = NOW + timedelta(minutes=1)
    shown = _undo(state=State.PREVIEWED, submitted_at=None, notes=("undoes",), votes=())
    emergency = _broken(State.PREVIEWED, review_until=None, submitted_at=None, notes=("replaces",))
    over = _broken(State.APPLIED, ended_at=ended)
    reviewed = replace(over, review_until=None, reviewed_by=PersonRef.of(RAJ))
    applied = examples.done()
    return {
        "freeze-fraud": (o.Page(page.FREEZE, freeze=FRAUD), GUARD),
        "freeze-lifted-once": (o.Page(page.FREEZE, freeze=LIFTED), GUARD),
        "freeze-ended": (o.Page(page.FREEZE, freeze=ENDED), GUARD),
        "freeze-own": (o.Page(page.FREEZE, freeze=OWN), HERSELF),
        "freeze-of-you": (o.Page(page.FREEZE, freeze=FRAUD), HERSELF),
        "freeze-none": (o.Page(page.FREEZE, person=ALICE), GUARD),
        "freeze-choice": (
            o.Choice((ALICE, ALICE_2), FreezeCommand(Who(WhoKind.NAME, "Alice Adams", True))),
            GUARD,
        ),
        "refused-frozen": (
            o.Refused(
                (
                    stops.FROZEN.refuse(
                        name=ALICE.name,
                        who=ALICE.upn,
                        how="An approver took a request for fraud",
                        since="2026-11-23 13:05 UTC",
                    ),
                )
            ),
            OPERATOR,
        ),
        "switch-paused": (o.Page(page.SWITCHES, switches=(PAUSE,)), GUARD),
        "switch-breaker": (o.Page(page.SWITCHES, switches=(PAUSE, BREAKER)), GUARD),
        "switch-running": (o.Page(page.SWITCHES, switches=(replace(PAUSE, closed=False),)), GUARD),
        "working-paused": (
            o.Working(examples.view(change=examples.change(state=State.APPROVED), paused=PAUSE)),
            OPERATOR,
        ),
        "waiting-breaker": (
            o.AwaitingApproval(examples.view(audience.APPROVER, paused=BREAKER)),
            GUARD,
        ),
        "preview-undo": (o.Preview(examples.view(change=shown, may_submit=True)), OPERATOR),
        "waiting-undo": (o.AwaitingApproval(examples.view(audience.APPROVER, change=_undo())), GUARD),
        "waiting-undo-empty": (
            o.AwaitingApproval(examples.view(audience.APPROVER, change=_emptied())),
            GUARD,
        ),
        "applied-may-undo": (o.Applied(examples.view(change=applied, may_undo=True)), OPERATOR),
        "preview-emergency": (
            o.Preview(examples.view(change=emergency, may_submit=True)),
            GUARD,
        ),
        "waiting-emergency-target": (
            o.AwaitingApproval(examples.view(audience.TARGET, change=_broken(State.PENDING))),
            HERSELF,
        ),
        "applied-to-review": (
            o.Applied(examples.view(audience.ONLOOKER, change=over, may_review=True, may_undo=True)),
            GUARD,
        ),
        "applied-reviewed": (o.Applied(examples.view(audience.ONLOOKER, change=reviewed)), GUARD),
    }
