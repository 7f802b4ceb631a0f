"""Do the votes of an agreed change still carry it: under the policy in force, by people who may still decide?

Knows rules, steps and votes. Must not know the directory's values nor write anything: what a change becomes
is handed back for one commit. Signals are about the moment of asking: they are kept as they were found then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain import reasons
from bot.domain.audit import AuditEvent
from bot.domain.change import Asking, Change, ResolvedStep, State, Verdict, Vote
from bot.domain.people import Person, Role, TargetKind
from bot.domain.policy import Rule
from bot.domain.reason import Refusal
from bot.domain.signals import risks_of
from bot.ports import Message
from bot.workflow.approvers import Approvers
from bot.workflow.judging import rule_against, under
from bot.workflow.matching import first_short, places
from bot.workflow.messages import notice
from bot.workflow.parts import Parts, event
from bot.workflow.waiting import WORKER, Waiting

_AGREED = (State.APPROVED, State.COOLING)


@dataclass(frozen=True, slots=True)
class Moved:
    """What an agreed change becomes before anything may be written; the caller stores it and looks again."""

    change: Change
    events: tuple[AuditEvent, ...]
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """Votes by the step they count for now, and those that do not count any more."""

    change: Change
    void: tuple[Vote, ...]
    by_step: tuple[frozenset[str], ...]


class Rejudging:
    """Every method raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts, approvers: Approvers, waiting: Waiting) -> None:
        self._parts = parts
        self._approvers = approvers
        self._waiting = waiting

    async def counted(self, change: Change) -> Counted:
        """Its votes as they count now under the rule it is stored with; those of a batch count elsewhere."""
        return Counted(change, (), ()) if change.in_batch else await self._count(change, by_own_token=True)

    async def judge(
        self, change: Change, counted: Counted, target: Person, kind: TargetKind, roles: frozenset[Role]
    ) -> Refusal | Moved | None:
        """None: the votes carry it as it is stored. roles: those of the requester now."""
        if change.in_batch:
            return await self._with_its_batch(change)
        policy, risks = self._parts.policy, risks_of(change.risks)
        rule = policy.rule_for(
            change.action,
            kind,
            slots=change.slots,
            requester=roles,
            risks=risks,
            deciders=change.deciders,
        )
        if rule is None:
            return reasons.RULE_CHANGED.refuse()
        said = rule_against(rule, change.action, kind, risks)
        if said is not None:
            return said
        if rule.name == change.rule and policy.digest == (change.judged_hash or change.policy_hash):
            return await self._as_before(change, counted)
        return await self._anew(change, rule, target, kind)

    async def _with_its_batch(self, change: Change) -> Refusal | None:
        """A row is carried by the votes on its batch, under the rule that the batch was submitted under."""
        head = await self._parts.store.change(change.batch_id)
        if head is None:
            return reasons.HASH_MISMATCH.refuse(id=change.printed_id)
        found = await self.as_before(head)
        return found if isinstance(found, Refusal) else None

    async def as_before(self, change: Change) -> Refusal | Moved | None:
        """The same rule of the same file: only whether those who voted may still decide."""
        return await self._as_before(change, await self._count(change, by_own_token=True))

    async def _as_before(self, change: Change, counted: Counted) -> Refusal | Moved | None:
        if not counted.void:
            return None
        if counted.change.step is None:
            return Moved(self._upheld(counted.change), self._void(change, counted.void))
        return await self._reopen(change, counted, first_of(counted.void, change))

    async def _anew(
        self, change: Change, rule: Rule, target: Person, kind: TargetKind
    ) -> Refusal | Moved | None:
        """Another rule, or another file: its steps with their people, and which votes count for them."""
        resolved = await self._approvers.resolve(rule.steps, change.requester.oid, target, change.excluded)
        judged = replace(under(change, rule, kind, resolved.steps), judged_hash=self._parts.policy.digest)
        counted = await self._count(judged, by_own_token=False)
        again = self._judged_again(counted.change)
        if counted.change.step is None:
            return Moved(self._upheld(counted.change), (*self._void(change, counted.void), again))
        if _lacks_people(counted):
            missing = resolved.short or "; ".join(text for step in resolved.steps for text in step.missing)
            return reasons.NOBODY_TO_ASK.refuse(rule=rule.name, missing=missing or "nobody else is named")
        reopened = await self._reopen(change, counted, reasons.RULE_CHANGED.refuse())
        if isinstance(reopened, Refusal):
            return reopened
        return replace(reopened, events=(*reopened.events, again))

    def _upheld(self, change: Change) -> Change:
        """To be looked at at once. Before the first write the waits of the rule count anew."""
        timed = replace(change, due_at=self._parts.now())
        return replace(timed, expires_at=timed.start_by) if timed.state in _AGREED else timed

    # --- votes --------------------------------------------------------------------------------------------
    async def _count(self, change: Change, *, by_own_token: bool) -> Counted:
        """by_own_token: a vote counts for its own step by its own token, or not at all."""
        given = [vote for vote in change.votes if vote.verdict is Verdict.APPROVE]
        able: list[dict[str, str]] = []
        for step in change.steps:
            tokens = await self._tokens(change, step, given, by_own_token=by_own_token)
            able.append(tokens)
        owner = places([step.need for step in change.steps], [frozenset(each) for each in able])
        kept, void = [], []
        for vote in given:
            oid = vote.person.oid
            index = owner.get(oid, next((n for n, each in enumerate(able) if oid in each), None))
            if index is None:
                void.append(vote)
            else:
                kept.append(replace(vote, step=change.steps[index].n, via=able[index][oid]))
        if not change.steps:
            kept, void = given, []
        by_step = tuple(frozenset(each) for each in able)
        return Counted(replace(change, votes=tuple(kept)), tuple(void), by_step)

    async def _tokens(
        self, change: Change, step: ResolvedStep, votes: list[Vote], *, by_own_token: bool
    ) -> dict[str, str]:
        """Object id -> the token by which somebody who voted stands for the step now."""
        found: dict[str, str] = {}
        for vote in votes:
            if vote.content_hash != change.content_hash or (by_own_token and vote.step != step.n):
                continue
            # A fallback counts for whoever voted as the fallback: it had been asked then.
            tokens = [vote.via] if by_own_token else [*step.approvers, *({vote.via} & {*step.fallback})]
            voter = await self._parts.directory.person(vote.person.oid)
            via = await self._approvers.token_for(voter, change, tokens) if voter else None
            if via is not None:
                found[vote.person.oid] = via
        return found

    # --- back to the approvers ----------------------------------------------------------------------------
    async def _reopen(self, before: Change, counted: Counted, why: Refusal) -> Refusal | Moved:
        """Back to pending, if nothing is written yet, time remains and somebody is left to ask."""
        changed = counted.change
        until = (changed.submitted_at or changed.created_at) + timedelta(minutes=changed.expire_minutes)
        if before.state not in _AGREED or until <= self._parts.now():
            return why
        pending = replace(changed, state=State.PENDING, expires_at=until, reminded_at=None)
        found = await self._waiting.reopened(pending)
        step = found.change.step
        if step is None or len(found.change.awaited) < step.need - _votes_in(found.change, step):
            missing = "; ".join(step.missing) if step else ""
            return reasons.NOBODY_TO_ASK.refuse(rule=changed.rule, missing=missing or "nobody else is named")
        said = [f"The approval of {vote.person.name} no longer counts" for vote in counted.void]
        said += [] if said else [f"The policy has changed: the rule “{changed.rule}” wants more approvals"]
        told = replace(step, missing=(*said, *step.missing))
        after = replace(found.change, steps=tuple(told if s.n == step.n else s for s in found.change.steps))
        news = notice(before, f"reopened-{before.row_version}", before.requester.oid)
        return Moved(after, (*self._void(before, counted.void), *found.events), (*found.messages, news))

    def _void(self, change: Change, votes: tuple[Vote, ...]) -> tuple[AuditEvent, ...]:
        return tuple(
            event(change, "vote-void", WORKER, who=v.person.oid, by=v.person.name, via=v.via) for v in votes
        )

    def _judged_again(self, change: Change) -> AuditEvent:
        facts = {"rule": change.rule, "policy": change.policy_hash, "judged": change.judged_hash}
        return event(change, "judged-again", WORKER, **facts)


def first_of(votes: tuple[Vote, ...], change: Change) -> Refusal:
    """The reason for whoever cannot have it decided again."""
    return reasons.VOTE_VOID.refuse(name=votes[0].person.name, id=change.printed_id)


def _votes_in(change: Change, step: ResolvedStep) -> int:
    return sum(vote.step == step.n and vote.verdict is Verdict.APPROVE for vote in change.votes)


def _lacks_people(counted: Counted) -> bool:
    """True when those who voted and those who can be asked are together too few, each counted once."""
    steps = counted.change.steps
    able = [{a.person.oid for a in step.asked if a.state is Asking.ASKED} for step in steps]
    sets = [mine | voted for mine, voted in zip(able, counted.by_step, strict=True)]
    return first_short([step.need for step in steps], sets) is not None
