"""Deciding a request: one person's vote, judged at the click, bound to exactly what was shown.

Knows approvers and the life cycle. Must not write to the directory; time running out is never a yes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain import approver_reasons, reasons
from bot.domain import decision_reasons as no
from bot.domain.access import MAY_SEE_ANY_STATUS
from bot.domain.change import Asking, Change, How, ResolvedStep, State, Verdict, Vote
from bot.domain.outcome import Outcome, Refused
from bot.domain.people import Actor, PersonRef
from bot.domain.phone import hide_numbers
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Lost, LostBecause, Message, Move
from bot.workflow.approvers import Approvers
from bot.workflow.freezing import Freezing
from bot.workflow.messages import notice, redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.requests import MOVE_TRIES, ended
from bot.workflow.views import approver_names, may_see, outcome_of, view_of
from bot.workflow.waiting import Next, Waiting

_ENDED_UNDECIDED = frozenset({State.EXPIRED, State.CANCELLED, State.BLOCKED})


@dataclass(frozen=True, slots=True)
class Ballot:
    """What an approver said. how: of an approval. because: of a rejection, as typed."""

    verdict: Verdict
    how: How | None = None
    because: str = ""


class Deciding:
    """The approver's side of a change."""

    def __init__(self, parts: Parts, approvers: Approvers, freezing: Freezing, waiting: Waiting) -> None:
        self._parts = parts
        self._approvers = approvers
        self._freezing = freezing
        self._waiting = waiting

    async def vote(self, ballot: Ballot, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """Counts, or says why not. The loser of a race is told who decided."""
        for _ in range(MOVE_TRIES):
            step = change.step
            if change.state is not State.PENDING or step is None:
                return self._too_late(change, actor)
            via = await self._standing(change, step, actor)
            if isinstance(via, Refusal):
                return self._refused(via, change, actor)
            missing = self._missing(ballot, change)
            if missing is not None:
                return Refused((missing,), view_of(self._parts, change, actor.oid, may_vote=True))
            leave = await self._leave(ballot.verdict, change)
            if isinstance(leave, Refusal):
                return self._refused(leave, change, actor)
            try:
                decision = await self._decision(ballot, change, step, actor, via, envelope)
            except DirectoryUnavailable as error:
                return self._refused(reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what), change, actor)
            leaving = tuple(replace(move, despite_freeze=leave) for move in decision.moves)
            done = await self._parts.store.commit(replace(decision, moves=leaving))
            if not isinstance(done, Lost):
                self._parts.metrics.count("votes", ballot.verdict.value)
                return await outcome_of(self._parts, done.changes[0], actor.oid)
            if done.because is LostBecause.EXPIRED:
                return Refused((_expired(change),))
            if done.because is LostBecause.RECEIVED_BEFORE or done.current is None:
                return await outcome_of(self._parts, done.current or change, actor.oid)
            change = done.current
        return self._too_late(change, actor)

    async def card(self, change: Change, actor: Actor, said: Refusal | None = None) -> Outcome:
        """The current card for somebody who may decide, or whatever else they may see."""
        step = change.step
        if change.state is State.PENDING and step is not None:
            via = await self._standing(change, step, actor)
            if not isinstance(via, Refusal):
                return await outcome_of(self._parts, change, actor.oid, said=said, may_vote=True)
            return self._refused(via, change, actor)
        return self._too_late(change, actor)

    async def unreachable(self, change_id: str, oid: str, why: str) -> None:
        """An approver's card could not be delivered: the fallback is asked at once, the requester told."""
        for _ in range(MOVE_TRIES):
            change = await self._parts.store.change(change_id)
            if change is None:
                return
            found = await self._waiting.without(change, oid, Asking.UNREACHABLE, why)
            if found is None:
                return
            lost = event(change, "approver-unreachable", "ringfence", who=oid, why=why)
            done = await self._parts.store.commit(
                Commit(
                    at=self._parts.now(),
                    moves=(Move(change, found.change),),
                    events=(lost, *found.events),
                    messages=(*found.messages, redraw(change)),
                )
            )
            if not isinstance(done, Lost):
                return

    async def _leave(self, verdict: Verdict, change: Change) -> Refusal | bool:
        """A freeze stops approvals, never a rejection."""
        if verdict is Verdict.REJECT:
            return False
        try:
            return await self._freezing.leave(change)
        except DirectoryUnavailable:
            return reasons.RIGHTS_UNKNOWN.refuse()

    def _missing(self, ballot: Ballot, change: Change) -> Refusal | None:
        """What this ballot lacks to count, whoever casts it."""
        if ballot.verdict is Verdict.REJECT:
            return None if ballot.because.strip() else no.REASON_MISSING.refuse(id=change.printed_id)
        if ballot.how is None:
            return no.HOW_MISSING.refuse(id=change.printed_id, name=change.target.name)
        if ballot.how is How.DID_NOT and not self._parts.policy.deciding.may_not_know:
            return no.MUST_KNOW.refuse(id=change.printed_id, name=change.target.name)
        return None

    async def _standing(self, change: Change, step: ResolvedStep, actor: Actor) -> str | Refusal:
        """The token by which this person may decide now, or why not."""
        if actor.oid == change.requester.oid:
            return no.OWN_REQUEST.refuse(id=change.printed_id, approvers=approver_names(change))
        if actor.oid == change.target.oid:
            return no.OWN_PHONE_DECISION.refuse(approvers=approver_names(change))
        try:
            via = await self._approvers.standing(actor.person, change, step.tokens)
        except DirectoryUnavailable:
            return reasons.RIGHTS_UNKNOWN.refuse()
        if isinstance(via, str) and actor.oid in change.approved_by:
            return approver_reasons.COUNTED_BEFORE.refuse(
                id=change.printed_id, approvers=approver_names(change)
            )
        if via is None:
            return no.NOT_AN_APPROVER.refuse(approvers=approver_names(change))
        return via

    async def _decision(
        self,
        ballot: Ballot,
        change: Change,
        step: ResolvedStep,
        actor: Actor,
        via: str,
        envelope: Envelope,
    ) -> Commit:
        now = self._parts.now()
        vote = Vote(
            step=step.n,
            person=PersonRef.of(actor.person),
            verdict=ballot.verdict,
            at=now,
            content_hash=change.content_hash,
            via=via,
            because=hide_numbers(ballot.because.strip())[:500],
            how=ballot.how,
        )
        voted = replace(change, votes=(*change.votes, vote))
        found = await self._counted(voted, vote)
        messages: tuple[Message, ...] = (*found.messages, redraw(change))
        if ballot.verdict is Verdict.REJECT:
            people = (change.requester, change.target)
            messages += tuple(notice(change, "ended", person.oid) for person in people)
        name = "approved" if ballot.verdict is Verdict.APPROVE else "rejected"
        told = event(
            change,
            name,
            actor.oid,
            by=actor.person.name,
            via=via,
            because=vote.because,
            how=vote.how.value if vote.how else "",
            content=change.content_hash,
        )
        return Commit(
            at=now,
            moves=(Move(change, found.change, unexpired_at=now),),
            events=(told, *found.events),
            messages=messages,
            received=envelope.received(change.id),
        )

    async def _counted(self, voted: Change, vote: Vote) -> Next:
        """What a change becomes by one more vote: over, agreed, or still waiting for others."""
        if vote.verdict is Verdict.REJECT:
            ending = no.REJECTED.refuse(id=voted.printed_id, name=vote.person.name, because=vote.because)
            return Next(ended(voted, State.REJECTED, self._parts, ending, vote.person))
        return await self._waiting.voted(voted)

    def _too_late(self, change: Change, actor: Actor) -> Refused:
        if not may_see(change, actor.oid, actor.roles, MAY_SEE_ANY_STATUS):
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
        view = view_of(self._parts, change, actor.oid)
        if change.state in _ENDED_UNDECIDED and change.ending is not None:
            return Refused((change.ending,), view)
        decider = change.votes[-1].person.name if change.votes else change.requester.name
        said = no.ALREADY_DECIDED.refuse(id=change.printed_id, name=decider, state=change.state.value)
        return Refused((said,), view)

    def _refused(self, why: Refusal, change: Change, actor: Actor) -> Refused:
        """The reason and the card only for those concerned: a bystander learns nothing from a click."""
        if not may_see(change, actor.oid, actor.roles, MAY_SEE_ANY_STATUS):
            unknown = reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id)
            return Refused((why if why.code == reasons.RIGHTS_UNKNOWN.code else unknown,))
        return Refused((why,), view_of(self._parts, change, actor.oid))


def _expired(change: Change) -> Refusal:
    return reasons.EXPIRED.refuse(id=change.printed_id, what="Nobody decided in time")
