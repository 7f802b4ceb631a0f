"""Deciding a request: one person's vote, judged at the click, bound to exactly what was shown.

Knows approvers and the life cycle. Must not write to the directory; time running out is never a yes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain import approver_reasons, reasons
from bot.domain import decision_reasons as no
from bot.domain.access import MAY_SEE_ANY_STATUS
from bot.domain.change import Asked, Asking, Change, How, NoKind, ResolvedStep, State, Verdict, Vote
from bot.domain.freeze import FreezeKind
from bot.domain.onboarding_reasons import LINE_MISSING
from bot.domain.outcome import Outcome, Refused
from bot.domain.people import Actor, PersonRef
from bot.domain.phone import hide_numbers
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Lost, LostBecause, Move
from bot.workflow.approvers import Approvers
from bot.workflow.endings import ended
from bot.workflow.freezing import Freezing
from bot.workflow.haste import Haste
from bot.workflow.messages import notice, redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.requests import MOVE_TRIES
from bot.workflow.views import approver_names, may_see, outcome_of, view_of, wants_line
from bot.workflow.waiting import Next, Waiting

_ENDED_UNDECIDED = frozenset({State.EXPIRED, State.CANCELLED, State.BLOCKED})


@dataclass(frozen=True, slots=True)
class Ballot:
    """What an approver said. how: of an approval. kind: of a rejection.

    because: as typed; of an approval, on which line they spoke.
    """

    verdict: Verdict
    how: How | None = None
    because: str = ""
    kind: NoKind = NoKind.NOT_NOW


class Deciding:
    """The approver's side of a change."""

    def __init__(self, parts: Parts, approvers: Approvers, freezing: Freezing, waiting: Waiting) -> None:
        self._parts = parts
        self._approvers = approvers
        self._freezing = freezing
        self._waiting = waiting
        self._haste = Haste(parts)

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
        if change.is_batch:
            # Nobody speaks to thousands of people: what is approved is the plan.
            return None
        if ballot.how is None:
            return no.HOW_MISSING.refuse(id=change.printed_id, name=change.target.name)
        if ballot.how is How.DID_NOT and not self._parts.policy.deciding.may_not_know:
            return no.MUST_KNOW.refuse(id=change.printed_id, name=change.target.name)
        if wants_line(self._parts.policy, change) and not ballot.because.strip():
            return LINE_MISSING.refuse(name=change.target.name)
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
        if isinstance(via, str) and change.passed_on_by(actor.oid):
            return no.PASSED_ON.refuse(approvers=approver_names(change))
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
        me, because = PersonRef.of(actor.person), hide_numbers(ballot.because.strip())[:500]
        if ballot.verdict is Verdict.REJECT and ballot.kind is NoKind.WRONG_PERSON:
            return await self._passed_on(change, step, me, via, because, envelope)
        approves = ballot.verdict is Verdict.APPROVE
        vote = replace(
            Vote(step.n, me, ballot.verdict, self._parts.now(), change.content_hash, via, because),
            shown_at=await self._haste.shown_at(change, me.oid),
            how=ballot.how if approves else None,
            kind=None if approves else ballot.kind,
        )
        voted = replace(change, votes=(*(v for v in change.votes if _stays(v, vote)), vote))
        if approves:
            found, hasty = await self._waiting.voted(voted), await self._haste.alarm(change, vote)
            told = replace(
                found,
                events=(*hasty.events, *found.events),
                messages=(*found.messages, *hasty.messages),
            )
            return self._commit("approved", change, told, vote, envelope)
        ended_so = Next(ended(voted, State.REJECTED, self._parts, _ending(voted, vote), me))
        decision = self._commit("rejected", change, ended_so, vote, envelope)
        return await self._frozen(decision, change, vote, envelope)

    async def _frozen(self, decision: Commit, change: Change, vote: Vote, envelope: Envelope) -> Commit:
        """With the person frozen and security alerted, when the rejection says that it is fraud."""
        if vote.kind is not NoKind.FRAUD:
            return decision
        mark = await self._freezing.mark(
            FreezeKind.FRAUD,
            change.target,
            vote.person,
            change=change,
            why=vote.because,
            correlation=envelope.correlation_id,
        )
        return replace(
            decision,
            freezes=mark.freezes,
            events=(*decision.events, *mark.events),
            messages=(*decision.messages, *mark.messages),
        )

    async def _passed_on(
        self,
        change: Change,
        step: ResolvedStep,
        me: PersonRef,
        via: str,
        because: str,
        envelope: Envelope,
    ) -> Commit:
        """Somebody else should decide: the fallback is asked; with nobody left it ends as rejected."""
        words = f"says that somebody else should decide: {because}"
        found = await self._waiting.without(
            _asking_also(change, step, me, via), me.oid, Asking.DECLINED, words
        )
        if found is None:
            raise AssertionError("whoever is asked can be marked")
        vote = Vote(
            step.n,
            me,
            Verdict.REJECT,
            self._parts.now(),
            change.content_hash,
            via,
            because,
            kind=NoKind.WRONG_PERSON,
        )
        if _can_be_decided(found.change):
            return self._commit("passed-on", change, found, vote, envelope)
        ending = no.NOBODY_LEFT.refuse(id=change.printed_id, name=me.name, because=because)
        over = ended(found.change, State.REJECTED, self._parts, ending, me)
        return self._commit("rejected", change, Next(over), vote, envelope)

    def _commit(self, name: str, change: Change, found: Next, vote: Vote, envelope: Envelope) -> Commit:
        """One decision with its audit event; whoever is concerned hears of an end."""
        told = event(
            change,
            name,
            vote.person.oid,
            by=vote.person.name,
            via=vote.via,
            because=vote.because,
            how=vote.how.value if vote.how else "",
            kind=vote.kind.value if vote.kind else "",
            content=vote.content_hash,
        )
        over = found.change.state is State.REJECTED
        people = (change.requester, change.target) if over else ()
        ends = tuple(notice(change, "ended", person.oid) for person in people)
        return Commit(
            at=vote.at,
            moves=(Move(change, found.change, unexpired_at=vote.at),),
            events=(told, *found.events),
            messages=(*found.messages, redraw(change), *ends),
            received=envelope.received(change.id),
        )

    def _too_late(self, change: Change, actor: Actor) -> Refused:
        if not may_see(change, actor.oid, actor.roles, MAY_SEE_ANY_STATUS):
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
        view = view_of(self._parts, change, actor.oid)
        if change.state in _ENDED_UNDECIDED and change.ending is not None:
            return Refused((change.ending,), view)
        counted = [vote for vote in change.votes if vote.verdict is not Verdict.WITHDRAWN]
        decider = counted[-1].person.name if counted else (change.ended_by or change.requester).name
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


def _stays(earlier: Vote, vote: Vote) -> bool:
    """An approval that its voter took back makes room for what they say now."""
    same = (earlier.step, earlier.person.oid) == (vote.step, vote.person.oid)
    return not (same and earlier.verdict is Verdict.WITHDRAWN)


def _ending(change: Change, vote: Vote) -> Refusal:
    name, because = vote.person.name, vote.because
    if vote.kind is NoKind.FRAUD:
        return no.REJECTED_FRAUD.refuse(id=change.printed_id, name=name, because=because)
    if vote.kind is NoKind.LEFT:
        left = change.target.name
        return no.REJECTED_LEFT.refuse(id=change.printed_id, name=name, because=because, target=left)
    return no.REJECTED.refuse(id=change.printed_id, name=name, because=because)


def _asking_also(change: Change, step: ResolvedStep, person: PersonRef, via: str) -> Change:
    """The change with this approver among those who are asked: some decide without having been."""
    if any(each.person.oid == person.oid for each in change.awaited):
        return change
    others = tuple(each for each in step.asked if each.person.oid != person.oid)
    asked = replace(step, asked=(*others, Asked(person, via)))
    return replace(change, steps=tuple(asked if each.n == step.n else each for each in change.steps))


def _can_be_decided(change: Change) -> bool:
    """Enough people are asked, or have approved, for the present step."""
    step = change.step
    if step is None:
        return True
    got = {v.person.oid for v in change.votes if v.step == step.n and v.verdict is Verdict.APPROVE}
    return len(got) + len(change.awaited) >= step.need
