"""Asking for a change: form, preview, submit, cancel, repeat.

Knows judging and the store. Must not decide a request or write to the directory.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from bot.domain import reasons
from bot.domain.change import Change, OpKind, State
from bot.domain.command import IssuePass, Order, RemovePhone, SetPhone, SmsSignIn, Swap, Who, WhoKind
from bot.domain.onboarding_reasons import CARD_USED
from bot.domain.outcome import AlreadySo, Choice, Form, Outcome, Preview, Refused
from bot.domain.people import Actor, Person, PersonRef, Role
from bot.domain.phone import PhoneNumber, Slot, hide_numbers, read_number
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.domain.usability import Verdict
from bot.ports import Commit, DirectoryUnavailable, Lost, LostBecause, Message, Move
from bot.workflow import proofs
from bot.workflow.alerting import CHANGE, alert
from bot.workflow.checking import Checking
from bot.workflow.endings import ended
from bot.workflow.freezing import Freezing, frozen
from bot.workflow.handover import handing_over, not_waiting, taken_from, taken_over
from bot.workflow.judging import Cleared, Judge, Judgement
from bot.workflow.limits import Quotas, is_outside
from bot.workflow.lookup import Several, look_up
from bot.workflow.making import answered, content_of, facts_of, made, under_terms
from bot.workflow.messages import notice, redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.planning import NOTE_LAST_FOUR, Case
from bot.workflow.undoing import Undoing, deciders_of
from bot.workflow.views import CANCELLABLE, outcome_of
from bot.workflow.waiting import Waiting
from bot.workflow.wishes import beside_fields, wish_of

# Within so long somebody of security looks at what a break-glass rule let through.
REVIEW_WITHIN = timedelta(hours=24)
ID_TRIES = 5
MOVE_TRIES = 5
WHOLE_FORM = "form"


class Requests:
    """The requester's side of a change."""

    def __init__(
        self, parts: Parts, judge: Judge, checking: Checking, freezing: Freezing, waiting: Waiting
    ) -> None:
        self._parts = parts
        self._waiting = waiting
        self._judge = judge
        self._checking = checking
        self._freezing = freezing
        self._quotas = Quotas(parts)
        self._undoing = Undoing(parts)

    async def ask(self, command: Order, actor: Actor, envelope: Envelope) -> Outcome:
        """A preview, or the form, a choice, or every reason why not."""
        outcome = await self._asked(_masked(command), actor, envelope)
        if isinstance(outcome, Form | Choice):
            return replace(outcome, methods=proofs.methods_of(self._parts.policy))
        return outcome

    async def _asked(self, command: Order, actor: Actor, envelope: Envelope) -> Outcome:
        wish = wish_of(command)
        if command.who is None or wish is None:
            return await self._form(command, actor)
        found = await look_up(self._parts.directory, command.who, actor)
        number = self._number(command, wish.slot)
        if isinstance(found, Several):
            return Choice(found.people, command)
        proof = proofs.against(self._parts.policy, wish.action, command.proof, command.ticket)
        refusals = [x for x in (found, number) if isinstance(x, Refusal)]
        if command.from_form and (refusals or proof):
            target = None if isinstance(found, Refusal) else found
            return Form(command, beside_fields(found, number, proof), target)
        if isinstance(found, Refusal) or isinstance(number, Refusal):
            return Refused(tuple(refusals))
        if proof is not None:
            command = replace(command, who=Who(WhoKind.OID, found.oid))
            return Form(command, beside_fields(found, number, proof), found)
        case = Case(actor.oid, found, wish.action, wish.slot, number, wish.enable, actor.roles)
        outcome = await self.preview(case, command, actor, envelope)
        if command.from_form and isinstance(outcome, Refused):
            # The form stays, with what was typed and the whole refusal above it.
            return Form(command, tuple((WHOLE_FORM, refusal) for refusal in outcome.refusals), found)
        return outcome

    async def undo(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """A preview of restoring what an applied change replaced, or why that cannot be."""
        case = await self._undoing.case(change, actor)
        if isinstance(case, Refusal):
            return Refused((case,))
        said = replace(change, reason=f"Undo of {change.printed_id}", proof=None)
        return await self.preview(case, said, actor, envelope)

    async def submit(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """To the approvers: judged again on fresh facts, then one guarded move."""
        if change.state is not State.PREVIEWED or change.requester.oid != actor.oid:
            return await outcome_of(self._parts, change, actor.oid)
        try:
            target = await self._parts.directory.person(change.target.oid)
        except DirectoryUnavailable as error:
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))
        if target is None:
            return Refused((reasons.PERSON_UNKNOWN.refuse(who=change.target.upn),))
        case = await self._case_of(change, target, actor)
        if isinstance(case, Refusal):
            return Refused((case,))
        judged = await self._judge.judge(case)
        leave = await self._leave(case, judged)
        stopped = (leave, proofs.against_change(self._parts.policy, change))
        refusals = judged.refusals + tuple(x for x in stopped if isinstance(x, Refusal)) or self._moved_since(
            change, judged
        )
        if refusals or judged.cleared is None or isinstance(leave, Refusal):
            return Refused(refusals)
        return await self._send(change, case, judged.cleared, actor, envelope, leave)

    async def cancel(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """The requester takes it back, at any time before the write has been started."""
        for _ in range(MOVE_TRIES):
            if change.requester.oid != actor.oid:
                return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
            if change.state not in CANCELLABLE:
                if change.state is State.CANCELLED:
                    return await outcome_of(self._parts, change, actor.oid)
                said = reasons.TOO_LATE.refuse(id=change.printed_id, state=change.state.value)
                return Refused((said,))
            ended = self._cancelled(change, actor)
            done = await self._parts.store.commit(
                Commit(
                    at=self._parts.now(),
                    moves=(Move(change, ended),),
                    events=(event(change, "cancelled", actor.oid, by=actor.person.name),),
                    messages=self._after_end(change),
                    received=envelope.received(change.id),
                )
            )
            if not isinstance(done, Lost):
                return await outcome_of(self._parts, done.changes[0], actor.oid)
            if done.current is None or done.because is LostBecause.RECEIVED_BEFORE:
                return await outcome_of(self._parts, done.current or change, actor.oid)
            change = done.current
        return Refused((reasons.TOO_LATE.refuse(id=change.printed_id, state=change.state.value),))

    async def repeat(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """A new request with what the old one said; numbers are not kept, so they are asked for again."""
        who, slot = Who(WhoKind.OID, change.target.oid), change.slot
        if change.action is Action.UNDO:
            undone = await self._parts.store.change(change.parent_id)
            if undone is not None:
                return await self.undo(undone, actor, envelope)
        command: Order
        match change.action:
            case Action.REMOVE:
                command = RemovePhone(who, slot, change.reason, change.ticket)
            case Action.SWAP:
                command = Swap(who, change.reason, change.ticket)
            case Action.PASS:
                command = IssuePass(who, change.reason, change.ticket)
            case Action.SMS:
                enable = change.operations[0].kind is OpKind.SMS_ON
                command = SmsSignIn(who, enable, change.reason, change.ticket)
            case _:
                command = SetPhone(who, slot, None, change.reason, change.ticket)
        return await self.ask(command, actor, envelope)

    # --- pieces -----------------------------------------------------------------------------------------
    async def _form(self, command: Order, actor: Actor) -> Outcome:
        errors: tuple[tuple[str, Refusal], ...] = ()
        target: Person | None = None
        if command.who is not None:
            found = await look_up(self._parts.directory, command.who, actor)
            if isinstance(found, Several):
                return Choice(found.people, command)
            if isinstance(found, Refusal):
                errors = (("who", found),)
            else:
                target = found
                command = replace(command, who=Who(WhoKind.OID, found.oid))
        return Form(command, errors, target)

    def _number(self, command: Order, slot: Slot) -> PhoneNumber | Refusal | None:
        if not isinstance(command, SetPhone):
            return None
        return read_number(command.number or "", slot, self._parts.policy.numbers)

    async def _case_of(self, change: Change, target: Person, actor: Actor) -> Case | Refusal:
        """What a stored change asks for, to be judged again."""
        numbers = await self._parts.store.numbers(change.id)
        case = Case(
            actor.oid,
            target,
            change.action,
            change.slot,
            numbers.get(1) if change.action.brings_a_number or change.action is Action.UNDO else None,
            enable=change.operations[0].kind is OpKind.SMS_ON,
            roles=actor.roles,
        )
        if change.action is Action.ONBOARD:
            waiting = await self._parts.store.onboarding_of(target.oid)
            if waiting is None or not waiting.answerable(self._parts.now()):
                return CARD_USED.refuse()
            return replace(case, onboarding=waiting, last_four=NOTE_LAST_FOUR in change.notes)
        if change.action is not Action.UNDO:
            earlier = await taken_from(self._parts.store, change)
            return earlier if isinstance(earlier, Refusal) else replace(case, takes=earlier)
        asked = [op for op in change.operations if op.kind in (OpKind.SET, OpKind.REMOVE)]
        parent = await self._parts.store.change(change.parent_id)
        return replace(
            case,
            restores=tuple((op.slot, numbers.get(op.n)) for op in asked),
            deciders=deciders_of(parent) if parent else 0,
            parent_id=change.parent_id,
        )

    async def preview(self, case: Case, said: Order | Change, actor: Actor, envelope: Envelope) -> Outcome:
        """Judged, stored and shown; or every reason why not. said: whose reason, ticket and proof it has."""
        judged, verdicts = await asyncio.gather(self._judge.judge(case), self._uses(case))
        if not judged.refusals and judged.cleared is None:
            now = case.number.masked if case.number else ""
            return AlreadySo(case.target, case.slot, now, case.action, case.enable)
        leave = await self._leave(case, judged)
        stopped = (leave,) if isinstance(leave, Refusal) else ()
        refusals = judged.refusals + stopped + await self._slot_taken(case)
        if judged.cleared is not None:
            outside = is_outside(case, judged.cleared, repair=leave is True)
            refusals += await self._quotas.against(case, judged.cleared, outside=outside)
        if refusals or judged.cleared is None:
            return Refused(await self._quotas.told(refusals, case))
        for _ in range(ID_TRIES):
            change = made(self._parts, case, judged.cleared, said, actor, envelope)
            numbers = {(change.id, n): number for n, number in judged.cleared.plan.numbers.items()}
            done = await self._parts.store.commit(
                Commit(
                    at=change.created_at,
                    create=change,
                    numbers=numbers,
                    events=(event(change, "previewed", actor.oid, **facts_of(change)),),
                    received=envelope.received(change.id),
                )
            )
            if not isinstance(done, Lost):
                self._parts.metrics.count("changes", "previewed")
                shown = await outcome_of(self._parts, done.changes[0], actor.oid)
                return replace(shown, verdicts=verdicts) if isinstance(shown, Preview) else shown
            if done.because is LostBecause.RECEIVED_BEFORE and done.current is not None:
                return await outcome_of(self._parts, done.current, actor.oid)
        return Refused((reasons.INTERNAL.refuse(reference=envelope.correlation_id),))

    async def _uses(self, case: Case) -> tuple[Verdict, ...]:
        """What a new number will be good for; nothing is asked where no number comes."""
        if case.number is None:
            return ()
        return await self._checking.verdicts(case.target, case.slot, case.number)

    async def _leave(self, case: Case, judged: Judgement) -> Refusal | bool:
        """Whether a freeze of the person stops it."""
        people = sum(step.need for step in judged.cleared.steps) if judged.cleared else 0
        try:
            return await self._freezing.leave_for(case.target.oid, case.requester, people)
        except DirectoryUnavailable:
            return reasons.RIGHTS_UNKNOWN.refuse()

    async def _slot_taken(self, case: Case) -> tuple[Refusal, ...]:
        open_changes = await self._parts.store.open_for(case.target.oid)
        others = (each for each in open_changes if case.takes is None or each.id != case.takes.id)
        return tuple(_open_request(each) for each in others if case.locks & each.locks)

    def _moved_since(self, change: Change, judged: Judgement) -> tuple[Refusal, ...]:
        if judged.cleared is None:
            now = change.operations[0].after
            return (reasons.ALREADY_THERE.refuse(slot=change.slot.word, now=now),)
        planned = judged.cleared.plan.operations
        if [content_of(op) for op in planned] == [content_of(op) for op in change.operations]:
            return ()
        return (
            reasons.DIRECTORY_MOVED.refuse(
                slot=change.slot.word,
                before=change.operations[0].before or "empty",
                now=planned[0].before or "empty",
                who=change.target.upn,
            ),
        )

    async def _send(
        self, change: Change, case: Case, cleared: Cleared, actor: Actor, envelope: Envelope, leave: bool
    ) -> Outcome:
        now = self._parts.now()
        outside = is_outside(case, cleared, repair=leave)
        spared = await self._quotas.spared(cleared, outside=outside)
        if isinstance(spared, Refusal):
            return Refused((spared,))
        cleared = spared
        until = now + timedelta(minutes=cleared.rule.expire_minutes)
        pending = replace(
            under_terms(change, cleared),
            state=State.PENDING,
            outside_limits=outside,
            policy_hash=self._parts.policy.digest,
            submitted_at=now,
            expires_at=until,
            review_until=now + REVIEW_WITHIN if cleared.rule.break_glass else None,
        )
        asked = self._waiting.submitted(pending)
        own = change.requester.oid == change.target.oid
        told = () if own else (notice(change, "submitted", change.target.oid),)
        commit = Commit(
            at=now,
            moves=(Move(change, asked.change, unexpired_at=now, despite_freeze=leave),),
            events=(event(change, "submitted", actor.oid, **facts_of(pending)), *asked.events),
            messages=(*asked.messages, *told, redraw(change), *self._alarms(pending)),
            received=envelope.received(change.id),
            quotas=self._quotas.of(case, cleared, outside=outside),
            onboardings=answered(case, pending),
        )
        if case.takes is not None:
            why = taken_over(case.takes, change)
            gone = ended(case.takes, State.CANCELLED, self._parts, why, change.requester)
            commit = handing_over(commit, case.takes, gone, change)
        done = await self._parts.store.commit(commit)
        if not isinstance(done, Lost):
            self._parts.metrics.count("changes", "pending")
            return await outcome_of(self._parts, done.changes[0], actor.oid)
        return await self._not_sent(done, change, cleared, case, actor)

    def _alarms(self, change: Change) -> tuple[Message, ...]:
        """Security hears at once of what nobody has to approve."""
        if not change.break_glass:
            return ()
        return (alert(f"{change.id}:break-glass", CHANGE, Role.SECURITY, change_id=change.id),)

    async def _not_sent(
        self, lost: Lost, change: Change, cleared: Cleared, case: Case, actor: Actor
    ) -> Outcome:
        if case.takes is not None and lost.current is not None and lost.current.id == case.takes.id:
            return Refused((not_waiting(lost.current),))
        latest = await self._parts.store.change(change.id)
        if lost.full is not None and latest is not None and latest.state is State.PREVIEWED:
            refusal = await self._quotas.refused(lost.full, cleared, case.target)
            return Refused(await self._quotas.told((refusal,), case))
        if lost.because is LostBecause.SLOT_TAKEN and lost.current is not None:
            return Refused((_open_request(lost.current),))
        freeze = await self._parts.store.freeze_of(change.target.oid)
        if lost.because is LostBecause.FROZEN and freeze is not None:
            return Refused((frozen(freeze),))
        if lost.because is LostBecause.EXPIRED:
            what = "The preview was not submitted within 10 minutes"
            return Refused((reasons.EXPIRED.refuse(id=change.printed_id, what=what),))
        return await outcome_of(self._parts, lost.current or latest or change, actor.oid)

    def _cancelled(self, change: Change, actor: Actor) -> Change:
        ending = reasons.CANCELLED.refuse(id=change.printed_id, name=actor.person.name)
        by = PersonRef.of(actor.person)
        return ended(change, State.CANCELLED, self._parts, ending, by)

    def _after_end(self, change: Change) -> tuple[Message, ...]:
        return (redraw(change),) + (
            (notice(change, "ended", change.target.oid),) if change.state is not State.PREVIEWED else ()
        )


def _open_request(holder: Change) -> Refusal:
    return reasons.OPEN_REQUEST.refuse(
        slot="Temporary Access Pass" if holder.is_pass else holder.slot.word,
        id=holder.printed_id,
        name=holder.requester.name,
        since=f"{(holder.submitted_at or holder.created_at):%Y-%m-%d %H:%M} UTC",
    )


def _masked(command: Order) -> Order:
    """Free text may hold a number; it is kept and shown without."""
    proof = command.proof
    hidden = proof and replace(proof, evidence=hide_numbers(proof.evidence))
    reason, ticket = hide_numbers(command.reason), hide_numbers(command.ticket)
    return replace(command, reason=reason, ticket=ticket, proof=hidden)
