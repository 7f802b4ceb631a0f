"""Taking over a request that still waits: another operator's preview of the same content.

Knows what is carried over. Must not show the number, which the new requester never typed; the old request
ends only in the commit that submits the new one.
"""

from __future__ import annotations

from bot.domain import decision_reasons as no
from bot.domain import reasons
from bot.domain.access import MAY_SEE_ANY_STATUS
from bot.domain.change import Change, OpKind, State
from bot.domain.outcome import Outcome, Refused
from bot.domain.people import Actor
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow.handover import TAKEABLE, not_waiting
from bot.workflow.parts import Envelope, Parts
from bot.workflow.planning import Case
from bot.workflow.requests import Requests
from bot.workflow.views import may_see


class Taking:
    """The side of the colleague who goes on."""

    def __init__(self, parts: Parts, requests: Requests) -> None:
        self._parts = parts
        self._requests = requests

    async def take(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """A preview for the taker, judged anew; all earlier requesters are excluded as approvers."""
        why = self._against(change, actor)
        if why is not None:
            return Refused((why,))
        numbers = await self._parts.store.numbers(change.id)
        try:
            target = await self._parts.directory.person(change.target.oid)
        except DirectoryUnavailable as error:
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))
        if target is None:
            return Refused((reasons.PERSON_UNKNOWN.refuse(who=change.target.upn),))
        number = numbers.get(1) if change.action is Action.SET else None
        if change.action is Action.SET and number is None:  # it ended between the two readings
            return Refused((not_waiting(change),))
        case = Case(
            actor.oid,
            target,
            change.action,
            change.slot,
            number,
            change.operations[0].kind is OpKind.SMS_ON,
            actor.roles,
            change,
        )
        return await self._requests.preview(case, change, actor, envelope)

    def _against(self, change: Change, actor: Actor) -> Refusal | None:
        if not may_see(change, actor.oid, actor.roles, MAY_SEE_ANY_STATUS):
            return reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id)
        if change.requester.oid == actor.oid:
            return no.TAKEN_ALREADY.refuse(id=change.printed_id)
        if change.action not in TAKEABLE or change.batch_id:
            return no.NOT_TAKEABLE.refuse(id=change.printed_id, name=change.requester.name)
        return None if change.state is State.PENDING else not_waiting(change)
