"""Asking for a change: form, preview, submit, cancel, repeat.

Knows judging and the store. Must not decide a request or write to the directory.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain import reasons
from bot.domain.change import Change, Operation, State, content_hash
from bot.domain.command import RemovePhone, SetPhone, Who, WhoKind
from bot.domain.outcome import AlreadySo, Choice, Form, Outcome, Refused
from bot.domain.people import Actor, Person, PersonRef
from bot.domain.phone import PhoneNumber, Slot, hide_numbers, read_number
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Lost, LostBecause, Message, MessageKind, Move
from bot.workflow.judging import Case, Cleared, Judge, Judgement
from bot.workflow.lookup import Several, look_up
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.views import CANCELLABLE, outcome_of

PREVIEW_LIFE = timedelta(minutes=10)
ID_TRIES = 5
MOVE_TRIES = 5
WHOLE_FORM = "form"


class Requests:
    """The requester's side of a change."""

    def __init__(self, parts: Parts, judge: Judge) -> None:
        self._parts = parts
        self._judge = judge

    async def ask(self, command: SetPhone | RemovePhone, actor: Actor, envelope: Envelope) -> Outcome:
        """A preview, or the form, a choice, or every reason why not."""
        command = replace(command, reason=hide_numbers(command.reason), ticket=hide_numbers(command.ticket))
        if command.who is None or command.slot is None or _number_missing(command):
            return await self._form(command, actor)
        found = await look_up(self._parts.directory, command.who, actor)
        number = self._number(command, command.slot)
        if isinstance(found, Several):
            return Choice(found.people, command)
        refusals = [x for x in (found, number) if isinstance(x, Refusal)]
        if refusals and command.from_form:
            target = None if isinstance(found, Refusal) else found
            return Form(command, _beside_fields(found, number), target)
        if isinstance(found, Refusal) or isinstance(number, Refusal):
            return Refused(tuple(refusals))
        case = Case(actor.oid, found, _action(command), command.slot, number)
        outcome = await self._preview(case, command, actor, envelope)
        if command.from_form and isinstance(outcome, Refused):
            # The form stays, with what was typed and the whole refusal above it.
            return Form(command, tuple((WHOLE_FORM, refusal) for refusal in outcome.refusals), found)
        return outcome

    async def submit(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """To the approvers: judged again on fresh facts, then one guarded move."""
        if change.state is not State.PREVIEWED or change.requester.oid != actor.oid:
            return await outcome_of(self._parts, change, actor.oid)
        numbers = await self._parts.store.numbers(change.id)
        try:
            target = await self._parts.directory.person(change.target.oid)
        except DirectoryUnavailable as error:
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))
        if target is None:
            return Refused((reasons.PERSON_UNKNOWN.refuse(who=change.target.upn),))
        case = Case(actor.oid, target, change.action, change.slot, numbers.get(1))
        judged = await self._judge.judge(case)
        refusals = judged.refusals or self._moved_since(change, judged)
        if refusals or judged.cleared is None:
            return Refused(refusals)
        return await self._send(change, judged.cleared, actor, envelope)

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
        who = Who(WhoKind.OID, change.target.oid)
        command: SetPhone | RemovePhone
        if change.action is Action.REMOVE:
            command = RemovePhone(who, change.slot, change.reason, change.ticket)
        else:
            command = SetPhone(who, change.slot, None, change.reason, change.ticket)
        return await self.ask(command, actor, envelope)

    # --- pieces -----------------------------------------------------------------------------------------
    async def _form(self, command: SetPhone | RemovePhone, actor: Actor) -> Outcome:
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

    def _number(self, command: SetPhone | RemovePhone, slot: Slot) -> PhoneNumber | Refusal | None:
        if isinstance(command, RemovePhone):
            return None
        return read_number(command.number or "", slot, self._parts.policy.numbers)

    async def _preview(
        self, case: Case, command: SetPhone | RemovePhone, actor: Actor, envelope: Envelope
    ) -> Outcome:
        judged = await self._judge.judge(case)
        if not judged.refusals and judged.cleared is None and case.number is not None:
            return AlreadySo(case.target, case.slot, case.number.masked)
        refusals = judged.refusals + await self._slot_taken(case)
        if refusals or judged.cleared is None:
            return Refused(refusals)
        for _ in range(ID_TRIES):
            change = self._build(case, judged.cleared, command, actor, envelope)
            numbers = {} if case.number is None else {(change.id, 1): case.number}
            done = await self._parts.store.commit(
                Commit(
                    at=change.created_at,
                    create=change,
                    numbers=numbers,
                    events=(event(change, "previewed", actor.oid, **_facts(change)),),
                    received=envelope.received(change.id),
                )
            )
            if not isinstance(done, Lost):
                self._parts.metrics.count("changes", "previewed")
                return await outcome_of(self._parts, done.changes[0], actor.oid)
            if done.because is LostBecause.RECEIVED_BEFORE and done.current is not None:
                return await outcome_of(self._parts, done.current, actor.oid)
        return Refused((reasons.INTERNAL.refuse(reference=envelope.correlation_id),))

    async def _slot_taken(self, case: Case) -> tuple[Refusal, ...]:
        open_changes = await self._parts.store.open_for(case.target.oid)
        return tuple(_open_request(c) for c in open_changes if case.slot in c.slots)

    def _build(
        self,
        case: Case,
        cleared: Cleared,
        command: SetPhone | RemovePhone,
        actor: Actor,
        envelope: Envelope,
    ) -> Change:
        now = self._parts.now()
        held = cleared.facts.phones.get(case.slot)
        operation = Operation(
            n=1,
            kind=case.kind,
            slot=case.slot,
            before=held.masked if held else "",
            after=case.number.masked if case.number else "",
            before_key=self._parts.number_key(held),
            after_key=self._parts.number_key(case.number),
        )
        change = Change(
            id=self._parts.ids.request_key(),
            tenant_id=self._parts.tenant_id,
            origin="chat",
            action=case.action,
            requester=PersonRef.of(actor.person),
            target=PersonRef.of(case.target),
            target_kind=cleared.kind,
            operations=(operation,),
            reason=command.reason,
            ticket=command.ticket,
            rule=cleared.rule.name,
            policy_hash=self._parts.policy.digest,
            content_hash="",
            correlation_id=envelope.correlation_id or self._parts.ids.correlation(),
            state=State.PREVIEWED,
            row_version=1,
            created_at=now,
            expire_minutes=cleared.rule.expire_minutes,
            execute_minutes=cleared.rule.execute_minutes,
            steps=(cleared.step,),
            notes=cleared.notes,
            expires_at=now + PREVIEW_LIFE,
            due_at=now + PREVIEW_LIFE,
        )
        numbers = {} if case.number is None else {1: case.number}
        return replace(change, content_hash=content_hash(change, numbers))

    def _moved_since(self, change: Change, judged: Judgement) -> tuple[Refusal, ...]:
        if judged.cleared is None:
            now = change.operations[0].after
            return (reasons.ALREADY_THERE.refuse(slot=change.slot.word, now=now),)
        held = judged.cleared.facts.phones.get(change.slot)
        if self._parts.number_key(held) == change.operations[0].before_key:
            return ()
        return (
            reasons.DIRECTORY_MOVED.refuse(
                slot=change.slot.word,
                before=change.operations[0].before or "empty",
                now=held.masked if held else "empty",
                who=change.target.upn,
            ),
        )

    async def _send(self, change: Change, cleared: Cleared, actor: Actor, envelope: Envelope) -> Outcome:
        now = self._parts.now()
        until = now + timedelta(minutes=cleared.rule.expire_minutes)
        pending = replace(
            change,
            state=State.PENDING,
            steps=(cleared.step,),
            notes=cleared.notes,
            rule=cleared.rule.name,
            policy_hash=self._parts.policy.digest,
            submitted_at=now,
            expires_at=until,
            due_at=until,
        )
        asks = tuple(
            Message(f"{change.id}:ask:{asked.person.oid}", MessageKind.ASK, change.id, asked.person.oid)
            for asked in cleared.step.asked
        )
        told = Message(
            f"{change.id}:notice:submitted:{change.target.oid}",
            MessageKind.NOTICE,
            change.id,
            change.target.oid,
        )
        done = await self._parts.store.commit(
            Commit(
                at=now,
                moves=(Move(change, pending, unexpired_at=now),),
                events=(event(change, "submitted", actor.oid, **_facts(pending)),),
                messages=(*asks, told, redraw(change)),
                received=envelope.received(change.id),
            )
        )
        if not isinstance(done, Lost):
            self._parts.metrics.count("changes", "pending")
            return await outcome_of(self._parts, done.changes[0], actor.oid)
        return await self._not_sent(done, change, actor)

    async def _not_sent(self, lost: Lost, change: Change, actor: Actor) -> Outcome:
        if lost.because is LostBecause.SLOT_TAKEN and lost.current is not None:
            return Refused((_open_request(lost.current),))
        if lost.because is LostBecause.EXPIRED:
            what = "The preview was not submitted within 10 minutes"
            return Refused((reasons.EXPIRED.refuse(id=change.printed_id, what=what),))
        return await outcome_of(self._parts, lost.current or change, actor.oid)

    def _cancelled(self, change: Change, actor: Actor) -> Change:
        ending = reasons.CANCELLED.refuse(id=change.printed_id, name=actor.person.name)
        by = PersonRef.of(actor.person)
        return ended(change, State.CANCELLED, self._parts, ending, by)

    def _after_end(self, change: Change) -> tuple[Message, ...]:
        return (redraw(change),) + (
            (notice(change, "ended", change.target.oid),) if change.state is not State.PREVIEWED else ()
        )


def ended(
    change: Change, state: State, parts: Parts, ending: Refusal | None, by: PersonRef | None = None
) -> Change:
    """The change in a terminal state: nothing is due, nobody holds it."""
    return replace(
        change,
        state=state,
        ending=ending,
        ended_by=by,
        ended_at=parts.now(),
        expires_at=None,
        due_at=None,
        lease_owner="",
        lease_until=None,
    )


def redraw(change: Change) -> Message:
    """All posted cards of the change shall show what becomes true with this commit."""
    return Message(f"{change.id}:redraw:{change.row_version + 1}", MessageKind.REDRAW, change.id)


def notice(change: Change, what: str, oid: str) -> Message:
    """News for one person, once per `what`."""
    return Message(f"{change.id}:notice:{what}:{oid}", MessageKind.NOTICE, change.id, oid)


def _open_request(holder: Change) -> Refusal:
    return reasons.OPEN_REQUEST.refuse(
        slot=holder.slot.word,
        id=holder.printed_id,
        name=holder.requester.name,
        since=f"{(holder.submitted_at or holder.created_at):%Y-%m-%d %H:%M} UTC",
    )


def _number_missing(command: SetPhone | RemovePhone) -> bool:
    return isinstance(command, SetPhone) and not (command.number or "").strip()


def _action(command: SetPhone | RemovePhone) -> Action:
    return Action.SET if isinstance(command, SetPhone) else Action.REMOVE


def _beside_fields(
    found: Person | Refusal, number: PhoneNumber | Refusal | None
) -> tuple[tuple[str, Refusal], ...]:
    errors = []
    if isinstance(found, Refusal):
        errors.append(("who", found))
    if isinstance(number, Refusal):
        errors.append(("number", number))
    return tuple(errors)


def _facts(change: Change) -> dict[str, str]:
    operation = change.operations[0]
    return {
        "by": change.requester.name,
        "target": change.target.upn,
        "before": operation.before or "empty",
        "after": operation.after or "empty",
        "rule": change.rule,
        "reason": change.reason,
        "ticket": change.ticket,
        "content": change.content_hash,
        "policy": change.policy_hash,
    }
