"""`nudge`: the requester reminds those who have not decided, a few times for each request.

Knows who is waited for. Must not ask anybody new: that is the clock's business.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import approver_reasons, reasons
from bot.domain.change import NUDGES, Change, State
from bot.domain.outcome import Outcome, Refused
from bot.domain.people import Actor
from bot.ports import Commit, Lost, LostBecause, Move
from bot.workflow.messages import redraw, remind
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.requests import MOVE_TRIES
from bot.workflow.views import approver_names, outcome_of, view_of


class Nudging:
    """The requester's reminder."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def nudge(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """Everybody who is asked and has not decided gets the card once more."""
        if change.requester.oid != actor.oid:
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
        for _ in range(MOVE_TRIES):
            people = [each.person for each in change.awaited]
            view = view_of(self._parts, change, actor.oid)
            if change.state is not State.PENDING or not people:
                nobody = approver_reasons.NOTHING_TO_NUDGE
                return Refused((nobody.refuse(id=change.printed_id, state=change.state.value),), view)
            if change.nudges >= NUDGES:
                enough = approver_reasons.NUDGED_ENOUGH
                facts = {"most": str(NUDGES), "approvers": approver_names(change)}
                return Refused((enough.refuse(id=change.printed_id, **facts),), view)
            names = ", ".join(person.name for person in people)
            done = await self._parts.store.commit(
                Commit(
                    at=self._parts.now(),
                    moves=(Move(change, replace(change, nudges=change.nudges + 1)),),
                    events=(event(change, "nudged", actor.oid, by=actor.person.name, asked=names),),
                    messages=(*(remind(change, person.oid) for person in people), redraw(change)),
                    received=envelope.received(change.id),
                )
            )
            if not isinstance(done, Lost):
                return await outcome_of(self._parts, done.changes[0], actor.oid)
            if done.because is LostBecause.RECEIVED_BEFORE or done.current is None:
                return await outcome_of(self._parts, done.current or change, actor.oid)
            change = done.current
        return await outcome_of(self._parts, change, actor.oid)
