"""Outcomes about batches, for the tests of cards.

Knows the examples they build on. Must not draw anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import cards_examples as examples
from cards_examples import ALICE, ALICE_2, MEGAN, NOW, OLIVIA, RAJ

from bot.domain import bulk_reasons as no
from bot.domain import outcome as o
from bot.domain.bulk import Batch, BatchView, Bucket, Mode, PlanRow, Tally
from bot.domain.change import Asked, Change, Operation, OpKind, ResolvedStep, State, Verdict, Vote
from bot.domain.command import CardRef
from bot.domain.people import PersonRef, Reader, Role
from bot.domain.phone import Slot
from bot.domain.policy import Action, Risk

SENDER = Reader(OLIVIA.oid, "en-US", "America/New_York", frozenset({Role.OPERATOR, Role.BULK}))
APPROVER = Reader(MEGAN.oid, "en-US", "America/New_York")
PLAN = "9f" * 32
STEP = ResolvedStep(
    1,
    2,
    ("role:approver",),
    (),
    False,
    (Asked(PersonRef.of(MEGAN), "the role approver"), Asked(PersonRef.of(RAJ), "the role approver")),
)
BATCH = Batch(
    id="7K2Q9M",
    sheet_id="s",
    name="Rollout Hamburg.xlsx",
    digest="ab" * 32,
    mode=Mode.SKIP,
    total=4_210,
    runs=3_871,
    plan_hash=PLAN,
    buckets=MappingProxyType(
        {
            Bucket.NEW: 3_640,
            Bucket.DOWNGRADE: 231,
            Bucket.OVERWRITE: 212,
            Bucket.SAME: 48,
            Bucket.PROTECTED: 6,
            Bucket.INVALID: 41,
            Bucket.NOT_FOUND: 19,
            Bucket.DUPLICATE_PERSON: 4,
            Bucket.OUT_OF_SCOPE: 9,
        }
    ),
    canary=5,
    finish_minutes=4_320,
)
RISKY = tuple(
    PlanRow(line, person.upn, Bucket.DOWNGRADE, PersonRef.of(person), risks=risks)
    for line, person, risks in (
        (17, ALICE, (Risk.FIRST_PHONE,)),
        (212, ALICE_2, (Risk.COUNTRY, Risk.SHARED)),
    )
)


def head(state: State, **given: object) -> Change:
    """The head of the batch in a state."""
    operation = Operation(1, OpKind.BATCH, Slot.MOBILE, "", "3871 of 4210 rows", "", PLAN)
    me = PersonRef.of(OLIVIA)
    made = replace(
        examples.change(),
        id="7K2Q9M",
        batch_id="7K2Q9M",
        action=Action.BULK,
        requester=me,
        target=me,
        operations=(operation,),
        steps=(STEP,),
        votes=(),
        notes=(),
        rule="bulk",
        reason=BATCH.name,
        state=state,
        ending=None,
    )
    return replace(made, **given)  # type: ignore[arg-type]  # fields of a change


def view(change: Change, batch: BatchView, **given: object) -> o.View:
    """As the one who sent the file sees it."""
    made = o.View(change, o.Audience.REQUESTER, CardRef(change.id, "0" * 32), batch=batch)
    return replace(made, **given)  # type: ignore[arg-type]  # fields of a view


def tally(**states: int) -> Tally:
    return Tally(BATCH.runs, MappingProxyType({State(name): count for name, count in states.items()}))


def _vote(person: PersonRef) -> Vote:
    return Vote(1, person, Verdict.APPROVE, NOW + timedelta(hours=1), "v1:" + "ef" * 32, "role:approver")


VOTES = (_vote(PersonRef.of(MEGAN)), _vote(PersonRef.of(RAJ)))
PLANNED = BatchView(BATCH, tally(), RISKY, 11_850, may_choose=True)
STARTED = replace(BATCH, started_at=NOW, finish_at=NOW + timedelta(days=3), rate=19.4)
GOING = BatchView(
    STARTED,
    tally(applied=1_204, failed=2, blocked=3, applying=40, unconfirmed=1),
    (),
    8_100,
    may_hold=True,
    may_stop=True,
)
HELD = no.HELD_ERRORS.refuse(
    failed="14", rows="50", why="The directory refused the number", id="R-7K2Q9M-4F3A"
)
FAILED = no.ROWS_FAILED.refuse(failed="5", done="3866", id="R-7K2Q9M-4F3A")
DONE = tally(applied=3_866, failed=2, blocked=3)
STOPPED = no.STOPPED.refuse(name=OLIVIA.name, done="1204", left="2621")

OUTCOMES: dict[str, tuple[o.Outcome, Reader]] = {
    "bulk-template": (o.Page(o.PageKind.BULK, roles=SENDER.roles), SENDER),
    "bulk-plan": (
        o.Preview(view(head(State.PREVIEWED), PLANNED, may_submit=True, may_cancel=True)),
        SENDER,
    ),
    "bulk-approve": (
        o.AwaitingApproval(
            view(
                head(State.PENDING, submitted_at=NOW),
                replace(PLANNED, may_choose=False),
                audience=o.Audience.APPROVER,
                may_vote=True,
            )
        ),
        APPROVER,
    ),
    "bulk-waiting": (
        o.AwaitingApproval(
            view(head(State.PENDING, submitted_at=NOW), replace(PLANNED, may_choose=False), may_cancel=True)
        ),
        SENDER,
    ),
    "bulk-running": (o.Working(view(head(State.APPLYING, votes=VOTES), GOING)), SENDER),
    "bulk-held": (
        o.Working(
            view(
                head(State.APPLYING, votes=VOTES),
                replace(
                    GOING,
                    batch=replace(STARTED, held=HELD),
                    seconds_left=None,
                    may_hold=False,
                    may_go_on=True,
                    may_retry=True,
                ),
            )
        ),
        SENDER,
    ),
    "bulk-failed-rows": (
        o.Working(
            view(
                head(State.APPLYING, votes=VOTES),
                BatchView(replace(STARTED, held=FAILED), DONE, (), None, may_retry=True, may_stop=True),
            )
        ),
        SENDER,
    ),
    "bulk-done": (
        o.Applied(
            view(
                head(State.APPLIED, votes=VOTES, ended_at=NOW + timedelta(hours=3, minutes=18)),
                BatchView(STARTED, tally(applied=3_871)),
                may_undo=True,
            )
        ),
        SENDER,
    ),
    "bulk-stopped": (
        o.Failed(
            STOPPED,
            view(
                head(State.FAILED, votes=VOTES, ending=STOPPED, ended_at=NOW + timedelta(hours=1)),
                BatchView(replace(STARTED, ended=STOPPED), tally(applied=1_204, failed=2, blocked=3)),
                may_undo=True,
            ),
        ),
        SENDER,
    ),
}
