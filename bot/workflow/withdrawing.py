"""Taking back an approval, as long as the write has not been started.

Knows votes and the states before a write. Must not judge who may approve: only one's own approval is taken
back, which needs no right.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import decision_reasons as no
from bot.domain import reasons
from bot.domain.access import MAY_SEE_ANY_STATUS
from bot.domain.change import Change, State, Verdict, Vote
from bot.domain.outcome import Outcome, Refused
from bot.domain.people import Actor
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Lost, LostBecause, Move
from bot.workflow.messages import notice, redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.requests import MOVE_TRIES
from bot.workflow.views import UNSTARTED, may_see, outcome_of, view_of
from bot.workflow.waiting import Next, Waiting


class Withdrawing:
    """One approver's second thoughts."""

    def __init__(self, parts: Parts, waiting: Waiting) -> None:
        self._parts = parts
        self._waiting = waiting

    async def withdraw(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """The vote counts no more; a request that needs it waits again. Against the worker one wins."""
        for _ in range(MOVE_TRIES):
            mine = _approval_of(change, actor.oid)
            why = self._against(change, mine, actor)
            if why is not None or mine is None:
                return why or await outcome_of(self._parts, change, actor.oid)
            try:
                found = await self._without(change, mine)
            except DirectoryUnavailable as error:
                said = reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what)
                return Refused((said,), view_of(self._parts, change, actor.oid))
            done = await self._parts.store.commit(self._commit(change, found, mine, envelope))
            if not isinstance(done, Lost):
                self._parts.metrics.count("votes", Verdict.WITHDRAWN.value)
                return await outcome_of(self._parts, done.changes[0], actor.oid)
            if done.because is LostBecause.RECEIVED_BEFORE or done.current is None:
                return await outcome_of(self._parts, done.current or change, actor.oid)
            change = done.current
        return Refused((_too_late(change),), view_of(self._parts, change, actor.oid))

    def _against(self, change: Change, mine: Vote | None, actor: Actor) -> Refused | None:
        if not may_see(change, actor.oid, actor.roles, MAY_SEE_ANY_STATUS):
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
        view = view_of(self._parts, change, actor.oid)
        if mine is None:
            return Refused((no.NO_APPROVAL.refuse(id=change.printed_id),), view)
        return None if change.state in UNSTARTED else Refused((_too_late(change),), view)

    async def _without(self, change: Change, mine: Vote) -> Next:
        """What the change becomes: waiting as before, or with the step that lacks the vote asked again."""
        now = self._parts.now()
        taken_back = replace(mine, verdict=Verdict.WITHDRAWN, at=now)
        votes = tuple(taken_back if vote is mine else vote for vote in change.votes)
        after = replace(
            change,
            state=State.PENDING,
            votes=votes,
            expires_at=_decide_until(change),
            lease_owner="",
            lease_until=None,
        )
        waited_for = change.step.n if change.step else None
        if after.step is not None and after.step.n == waited_for:
            return Next(after)
        again = await self._waiting.reopened(after)
        others = tuple(message for message in again.messages if message.to_oid != mine.person.oid)
        return replace(again, messages=others)

    def _commit(self, change: Change, found: Next, mine: Vote, envelope: Envelope) -> Commit:
        me = mine.person
        told = event(
            change,
            "withdrawn",
            me.oid,
            by=me.name,
            via=mine.via,
            how=mine.how.value if mine.how else "",
            content=change.content_hash,
        )
        news = notice(change, f"withdrawn-{change.row_version}-{me.oid}", change.requester.oid)
        return Commit(
            at=self._parts.now(),
            moves=(Move(change, found.change),),
            events=(told, *found.events),
            messages=(*found.messages, redraw(change), news),
            received=envelope.received(change.id),
        )


def _approval_of(change: Change, oid: str) -> Vote | None:
    mine = (v for v in change.votes if v.person.oid == oid and v.verdict is Verdict.APPROVE)
    return next(mine, None)


def _decide_until(change: Change) -> datetime:
    """Expiry counts from the submit, whatever happened since."""
    return (change.submitted_at or change.created_at) + timedelta(minutes=change.expire_minutes)


def _too_late(change: Change) -> Refusal:
    return no.TOO_LATE_TO_WITHDRAW.refuse(id=change.printed_id, state=change.state.value)
