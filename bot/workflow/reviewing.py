"""Break-glass changes afterwards: somebody of security looks at each within a day, or the alarm comes again.

Knows reviews. Must not stop or undo anything: an emergency waives waiting, and this is its price.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.domain import reasons
from bot.domain import stop_reasons as stops
from bot.domain.change import TERMINAL, Change
from bot.domain.outcome import Outcome, Refused
from bot.domain.people import Actor, PersonRef, Role
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Lost, Move
from bot.telemetry import alarm
from bot.workflow.alerting import CHANGE, alert
from bot.workflow.identity import Identity
from bot.workflow.messages import redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.requests import REVIEW_WITHIN
from bot.workflow.views import outcome_of

_TRIES = 5

log = logging.getLogger(__name__)


class Reviewing:
    """Takes reviews, and alarms when one is missing."""

    def __init__(self, parts: Parts, identity: Identity) -> None:
        self._parts = parts
        self._identity = identity

    async def review(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """By somebody of security who is neither the requester nor the person concerned."""
        for _ in range(_TRIES):
            refused = await self._against(change, actor)
            if refused is not None:
                return Refused((refused,))
            me = PersonRef.of(actor.person)
            after = replace(change, reviewed_by=me, review_until=None, due_at=None)
            done = await self._parts.store.commit(
                Commit(
                    at=self._parts.now(),
                    moves=(Move(change, after),),
                    events=(event(change, "reviewed", actor.oid, by=me.name, rule=change.rule),),
                    messages=(redraw(change),),
                    received=envelope.received(change.id),
                )
            )
            if not isinstance(done, Lost):
                self._parts.metrics.count("reviews", "done")
                return await outcome_of(self._parts, done.changes[0], actor.oid, roles=actor.roles)
            change = done.current or change
        return await outcome_of(self._parts, change, actor.oid, roles=actor.roles)

    async def overdue(self, change: Change) -> None:
        """What the worker does with an ended change that is due: nobody has reviewed it in time."""
        now = self._parts.now()
        if change.review_until is None or now < change.review_until:
            due = change.review_until
            quiet = replace(change, due_at=due, lease_owner="", lease_until=None)
            await self._parts.store.commit(Commit(at=now, moves=(Move(change, quiet),)))
            return
        after = replace(change, due_at=now + REVIEW_WITHIN, lease_owner="", lease_until=None)
        missing = alert(
            f"{change.id}:review-overdue:{change.row_version}", CHANGE, Role.SECURITY, change_id=change.id
        )
        done = await self._parts.store.commit(
            Commit(
                at=now,
                moves=(Move(change, after),),
                events=(event(change, "review-overdue", "ringfence", rule=change.rule),),
                messages=(missing, redraw(change)),
            )
        )
        if not isinstance(done, Lost):
            self._parts.metrics.count("reviews", "overdue")
            alarm(log, "review", f"the break-glass change {change.id} was not reviewed in time")

    async def _against(self, change: Change, actor: Actor) -> Refusal | None:
        if not change.break_glass or change.reviewed_by is not None or change.review_until is None:
            return stops.NOTHING_TO_REVIEW.refuse(id=change.printed_id)
        if change.state not in TERMINAL:
            return stops.REVIEW_TOO_EARLY.refuse(id=change.printed_id)
        try:
            mine = await self._identity.is_one_of(actor.person, (change.requester.oid, change.target.oid))
        except DirectoryUnavailable:
            return reasons.RIGHTS_UNKNOWN.refuse()
        return stops.REVIEW_OWN.refuse(id=change.printed_id) if mine else None
