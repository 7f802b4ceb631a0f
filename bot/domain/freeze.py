"""A freeze: a mark on a person that lets nothing about their phones go forward until two of security lift it.

Knows who froze whom, why, who may not lift it, and which steps of a change it stops. Must not know how it is
stored or shown. It is no state of a change: what is being written already is brought to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.change import Change, OpState, State, Verdict
from bot.domain.people import PersonRef

LIFTS_NEEDED = 2
# Whoever asks for a frozen person has this many people decide, whatever the rule says.
DECIDERS_WHEN_FROZEN = 2


class FreezeKind(StrEnum):
    """self: by the person. not-me: the same, about a request. fraud: by an approver. security: by them."""

    SELF = "self"
    NOT_ME = "not-me"
    FRAUD = "fraud"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class Lift:
    """One person's yes to ending a freeze, or to opening a switch again."""

    person: PersonRef
    at: datetime


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze of one person. at: with the person its identity.

    change_id: the disputed request, "" = none. barred: object ids that may neither lift it nor ask for the
    person: whoever froze, and the requester of what is disputed. ended_at: None while it holds.
    """

    person: PersonRef
    by: PersonRef
    kind: FreezeKind
    at: datetime
    change_id: str = ""
    why: str = ""
    barred: tuple[str, ...] = ()
    lifts: tuple[Lift, ...] = ()
    ended_at: datetime | None = None

    @property
    def lifted_by(self) -> frozenset[str]:
        return frozenset(lift.person.oid for lift in self.lifts)


def goes_forward(before: Change, after: Change) -> bool:
    """True for a step that a freeze of the person stops: submit, an approval, the first write.

    A plan that has changed something is finished, as is everything that only finds out or ends a change.
    """
    if before.state is State.PREVIEWED and after.state in (State.PENDING, State.APPROVED, State.COOLING):
        return True
    if _approvals(after) > _approvals(before):
        return True
    begun = any(op.state is OpState.DONE for op in before.operations)
    sends = any(
        op.state is OpState.SENDING and not op.kind.conditional and op.attempt > was.attempt
        for op, was in zip(after.operations, before.operations, strict=True)
    )
    return sends and not begun


def _approvals(change: Change) -> int:
    return sum(vote.verdict is Verdict.APPROVE for vote in change.votes)
