"""Carrying out approved changes: one effect per operation, across crashes, retries and lost replies.

Knows the life cycle after approval. Must not know a clock but the given one, nor how due work is found; the
intent of each operation is on disk before its call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain import reasons
from bot.domain.change import TERMINAL, Change, Operation, OpKind, OpState, State
from bot.domain.phone import PhoneNumber
from bot.domain.reason import Refusal
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain, SealUnreadable
from bot.workflow.effects import Effects, Reading
from bot.workflow.endings import ended
from bot.workflow.freezing import Freezing
from bot.workflow.messages import notice
from bot.workflow.parts import Parts
from bot.workflow.progress import Progress, result_facts
from bot.workflow.rechecking import Rechecks
from bot.workflow.reconciling import FIRST_READ, NOTE_NOT_UNIQUE, SEND_WITHIN, next_read
from bot.workflow.rejudging import Moved
from bot.workflow.reviewing import Reviewing
from bot.workflow.switching import Switches
from bot.workflow.unsealing import give_up
from bot.workflow.waiting import Waiting

RETRY = timedelta(seconds=15)
PAUSED = timedelta(seconds=30)
STUCK = timedelta(minutes=65)
NOTE_GUARD_FAILED = "guard-failed"
NOTE_GUARD_UNCHECKED = "guard-unchecked"
NOTE_DEFAULT_RESTORED = "default-restored"
NOTE_SMS_SWITCHED_OFF = "sms-switched-off"


@dataclass(slots=True)
class Numbers:
    """Clear numbers of one run of a plan, by operation. held: what the slots held when last checked."""

    new: dict[int, PhoneNumber]
    held: dict[int, PhoneNumber] = field(default_factory=dict)


_AGREED = (State.APPROVED, State.COOLING)


class Applying:
    """The worker's side of a change. `work` is given a change whose lease the caller holds."""

    def __init__(
        self,
        parts: Parts,
        rechecks: Rechecks,
        freezing: Freezing,
        switches: Switches,
        reviewing: Reviewing,
        waiting: Waiting,
        others: Mapping[OpKind, Callable[[Change], Awaitable[None]]],
    ) -> None:
        """others: what is due of agreed requests that are not one write after the other, by their kind."""
        self._others = others
        self._reviewing = reviewing
        self._waiting = waiting
        self._parts = parts
        self._rechecks = rechecks
        self._freezing = freezing
        self._switches = switches
        self._effects = Effects(parts)
        self._progress = Progress(parts)

    async def work(self, change: Change) -> None:
        """Do what is due. Losing a guarded move means somebody else was first: then nothing is done."""
        try:
            await self._work(change)
        except SealUnreadable:
            await give_up(self._parts, self._progress, change.id)

    async def _work(self, change: Change) -> None:
        now, other = self._parts.now(), self._others.get(change.operations[0].kind)
        if change.state in TERMINAL:
            await self._reviewing.overdue(change)
        elif other is not None and change.state in (State.APPLYING, State.UNCONFIRMED):
            await other(change)
        elif change.state is State.APPLYING:
            await self._resume(change)
        elif change.state is State.UNCONFIRMED:
            await self._reconcile(change)
        elif change.expires_at is not None and change.expires_at <= now:
            await self._expire(change)
        elif change.state in _AGREED and self._waiting.may_start(change):
            await (other or self._apply)(change)
        elif change.state is State.PREVIEWED:
            await self._progress.later(change, change.expires_at or now + RETRY)
        else:
            await self._waiting.work(change)

    async def _expire(self, change: Change) -> None:
        what = {
            State.PREVIEWED: "The preview was not submitted within 10 minutes",
            State.PENDING: "Nobody decided in time",
        }.get(change.state, "It was approved but could not be started in time")
        ending = reasons.EXPIRED.refuse(id=change.printed_id, what=what)
        done = ended(change, State.EXPIRED, self._parts, ending)
        quiet = change.state is State.PREVIEWED
        await self._progress.end(change, done, "expired", change.operations[0], why=ending, quiet=quiet)

    async def _numbers(self, change: Change) -> Numbers:
        return Numbers(await self._parts.store.numbers(change.id))

    # --- applying ---------------------------------------------------------------------------------------
    async def _apply(self, change: Change) -> None:
        numbers = await self._numbers(change)
        why = await self._may_write(change, numbers)
        if isinstance(why, Refusal):
            done = ended(change, State.BLOCKED, self._parts, why)
            await self._progress.end(change, done, "blocked", change.operations[0], why=why)
        elif why:
            await self._run(change, numbers)

    async def _stopped(self, change: Change, operation: Operation, why: Refusal | bool) -> Change | None:
        """What an operation that must not be written leaves to do; None when it was put off, or all ends."""
        if isinstance(why, Refusal):
            return await self._failed(change, replace(operation, state=OpState.FAILED), why)
        return None

    async def _may_write(
        self, change: Change, numbers: Numbers, operation: Operation | None = None
    ) -> Refusal | bool:
        """True to go on, a refusal to stop, False when it was put off. operation: if it is not the first."""
        now = self._parts.now()
        if self._parts.read_only:
            await self._progress.later(change, now + PAUSED)
            return False
        closed = (await self._switches.gate()).closed
        if closed is not None:
            await self._progress.paused(change, now + PAUSED, closed)
            return False
        why: Refusal | Moved | None
        try:
            if operation is not None and operation.kind.conditional:
                why = await self._rechecks.against_guard(change)
            else:
                why = await self._rechecks.against(change, numbers.new, numbers.held)
                why = why or await self._stopped_by_freeze(change)
        except DirectoryUnavailable as error:
            await self._progress.later(change, now + (error.retry_after or RETRY))
            return False
        if isinstance(why, Moved):
            await self._progress.keep(change, why.change, why.events, why.messages)
            return False
        return True if why is None else why

    async def _stopped_by_freeze(self, change: Change) -> Refusal | None:
        """A freeze stops the first write; a plan that has changed something is finished."""
        if any(operation.state is OpState.DONE for operation in change.operations):
            return None
        leave = await self._freezing.leave(change)
        return leave if isinstance(leave, Refusal) else None

    async def _run(self, stored: Change, numbers: Numbers, *, interrupted: bool = False) -> None:
        """The rest of the plan, operation by operation; each result is stored before the next begins.

        interrupted: time has passed since the last check, so there is another before the next write.
        """
        running = stored
        while (operation := running.current) is not None:
            if operation.kind.conditional:
                running = await self._guard(running, operation)
                if running.current is not operation:
                    continue
            why = await self._may_write(stored, numbers, operation) if interrupted else True
            if why is True:
                interrupted = False
                going_on = await self._attempt(stored, running, operation, numbers)
            else:
                going_on = await self._stopped(stored, operation, why)
            if going_on is None:
                return
            stored = running = going_on
        failed = next((op for op in running.operations if _is_half_way(op)), None)
        if failed is not None:
            done = ended(running, State.FAILED, self._parts, running.ending)
            await self._progress.end(stored, done, "failed", failed, why=running.ending)
            return
        finished = ended(running, State.APPLIED, self._parts, None)
        await self._progress.end(stored, finished, "applied", running.operations[0])

    async def _guard(self, change: Change, operation: Operation) -> Change:
        """Skips a conditional operation that is not necessary, or that cannot be judged: then it is told."""
        seen = await self._effects.look(change.target.oid, operation)
        if seen.reading is Reading.EARLIER:
            return change
        unchecked = seen.reading is Reading.SILENT and NOTE_GUARD_UNCHECKED not in change.notes
        notes = (*change.notes, NOTE_GUARD_UNCHECKED) if unchecked else change.notes
        return replace(change.having(replace(operation, state=OpState.SKIPPED)), notes=notes)

    async def _attempt(
        self, stored: Change, change: Change, operation: Operation, numbers: Numbers
    ) -> Change | None:
        """The audited intent, then the one call, then what came of it; the change if the plan goes on."""
        now, attempt = self._parts.now(), operation.attempt + 1
        sending = replace(
            operation, state=OpState.SENDING, attempt=attempt, sent_at=now, acked=False, reads=0
        )
        after = replace(change.having(sending), state=State.APPLYING, expires_at=None)
        facts = {**result_facts(sending), "content": change.content_hash, "before_key": operation.before_key}
        gate = await self._switches.gate()
        intent = await self._progress.intend(
            stored,
            after,
            facts,
            unexpired=change.state in _AGREED,
            despite_freeze=await self._freezing.has_leave(change),
            # Batches have two approvers, a rate and a stop of their own: the breaker is for single changes.
            ceiling=None if change.in_batch else gate.ceiling,
            earlier=numbers.held,
        )
        if intent is None:
            return None
        call_id = f"{change.correlation_id}-{operation.n}-{attempt}"
        try:
            if self._parts.now() - now > SEND_WITHIN:
                # Whoever slept this long may have been given up: others may have written since.
                raise DirectoryUnavailable("the worker was held up before sending")
            receipt = await self._effects.perform(
                change.target.oid, sending, numbers.new.get(operation.n), call_id
            )
        except DirectoryUnavailable as error:
            await self._not_sent(intent, operation, error)
            return None
        except DirectoryRefused as error:
            return await self._refused(intent, sending, error)
        except DirectoryUncertain as error:
            await self._unconfirmed(intent, sending, error.graph_request_id, acked=False)
            return None
        return await self._confirm(intent, sending, receipt.graph_request_id)

    async def _not_sent(self, change: Change, before: Operation, error: DirectoryUnavailable) -> None:
        """Provably nothing happened: the operation is as it was before, and tried again later."""
        now = self._parts.now()
        back = change.having(before)
        wait = now + (error.retry_after or RETRY)
        if before.attempt:
            # An earlier send is still open: go on finding out by reading.
            after = replace(back, state=State.UNCONFIRMED, due_at=wait)
        elif before.n > 1:
            after = replace(back, due_at=wait)
        else:
            after = replace(back, state=State.APPROVED, expires_at=change.start_by, due_at=wait)
        unleased = replace(after, lease_owner="", lease_until=None)
        await self._progress.step(change, unleased, "not-sent", {"what": error.what})

    async def _refused(self, change: Change, operation: Operation, error: DirectoryRefused) -> Change | None:
        if error.saved_anyway:
            noted = replace(change, notes=(*change.notes, NOTE_NOT_UNIQUE))
            return await self._confirm(noted, operation, error.graph_request_id, change)
        failed = replace(operation, state=OpState.FAILED, graph_request_id=error.graph_request_id)
        return await self._failed(change, failed, error.refusal)

    async def _failed(self, change: Change, failed: Operation, why: Refusal) -> Change | None:
        """A guard that failed is told; a later operation that failed leaves a half-way state, said so.

        What the earlier operations made necessary is guarded all the same; only then the change ends.
        """
        if failed.kind.conditional:
            noted = replace(change.having(failed), notes=(*change.notes, NOTE_GUARD_FAILED))
            after = replace(noted, state=State.APPLYING)
            return await self._progress.step(change, after, "guard-failed", {"code": why.code})
        if failed.n > 1:
            why = reasons.HALF_DONE.refuse(
                name=change.target.name, why=why.reason.title, who=change.target.upn
            )
            after = replace(change.having(failed), state=State.APPLYING, ending=why)
            if after.current is not None:
                return await self._progress.step(change, after, "half-done", result_facts(failed))
        done = ended(change.having(failed), State.FAILED, self._parts, why)
        await self._progress.end(change, done, "failed", failed, why=why)
        return None

    async def _confirm(
        self, change: Change, operation: Operation, graph_request_id: str, stored: Change | None = None
    ) -> Change | None:
        """Read back before saying yes. stored: the change as the store has it, when notes were added."""
        sent = replace(operation, graph_request_id=graph_request_id)
        seen = await self._effects.look(change.target.oid, sent)
        if seen.reading is Reading.NEW:
            return await self._operation_done(stored or change, change, sent)
        acked = NOTE_NOT_UNIQUE not in change.notes
        await self._unconfirmed(stored or change, sent, graph_request_id, acked=acked, notes=change.notes)
        return None

    async def _operation_done(self, stored: Change, change: Change, operation: Operation) -> Change | None:
        """The result of one operation; a plan of one ends in the same commit."""
        done = change.having(replace(operation, state=OpState.DONE))
        if len(done.operations) == 1:
            finished = ended(done, State.APPLIED, self._parts, None)
            await self._progress.end(stored, finished, "applied", operation)
            return None
        said = _SAID_OF_GUARDS.get(operation.kind)
        noted = replace(done, state=State.APPLYING, notes=(*done.notes, *([said] if said else [])))
        return await self._progress.step(stored, noted, "operation-applied", result_facts(operation))

    async def _unconfirmed(
        self,
        change: Change,
        operation: Operation,
        graph_request_id: str,
        *,
        acked: bool,
        notes: tuple[str, ...] | None = None,
    ) -> None:
        asked = replace(operation, acked=acked, graph_request_id=graph_request_id)
        after = replace(
            change.having(asked),
            state=State.UNCONFIRMED,
            notes=change.notes if notes is None else notes,
            due_at=self._parts.now() + FIRST_READ,
            lease_owner="",
            lease_until=None,
        )
        told = notice(change, f"unconfirmed-{operation.n}-{operation.attempt}", change.requester.oid)
        # Of a row of a batch its requester reads on the card of the batch.
        news = () if change.in_batch else (told,)
        await self._progress.step(change, after, "unconfirmed", result_facts(asked), told=news)

    # --- after a crash or a lost reply ------------------------------------------------------------------
    async def _resume(self, change: Change) -> None:
        """Between two operations: go on. Between intent and result: find out by reading."""
        operation = change.current
        if operation is None or operation.state is OpState.PLANNED:
            numbers = await self._numbers(change)
            if operation is not None and await self._is_stuck(change):
                why = reasons.NOT_KEPT.refuse(request_id=operation.graph_request_id or "unknown")
                going_on = await self._failed(change, replace(operation, state=OpState.FAILED), why)
                if going_on is not None:
                    await self._run(going_on, numbers, interrupted=True)
                return
            await self._run(change, numbers, interrupted=True)
            return
        unsure = change.having(replace(operation, acked=False))
        after = replace(unsure, state=State.UNCONFIRMED, due_at=self._parts.now())
        what = {"what": "the worker stopped in between"}
        recovered = await self._progress.step(change, after, "unconfirmed", what)
        if recovered is not None:
            await self._reconcile(recovered)

    async def _is_stuck(self, change: Change) -> bool:
        """Too long without a step forward, where nothing stopped it: a closed switch is no reason to fail."""
        gate = await self._switches.gate()
        since = _last_sent(change)
        if gate.turned_at is not None:
            since = max(since, gate.turned_at)
        return gate.closed is None and self._parts.now() > since + STUCK

    async def _reconcile(self, change: Change) -> None:
        operation = change.current
        if operation is None:
            await self._run(change, Numbers({}))
            return
        seen = await self._effects.look(change.target.oid, operation)
        if seen.reading is Reading.NEW:
            going_on = await self._operation_done(change, change, operation)
            if going_on is not None:
                await self._run(going_on, await self._numbers(change), interrupted=True)
        elif seen.reading is Reading.OTHER:
            why = reasons.THIRD_VALUE.refuse(slot=operation.slot.word, now=seen.now)
            failed = replace(operation, state=OpState.FAILED)
            guarded = any(op.kind.conditional for op in change.operations)
            told = (*change.notes, NOTE_GUARD_UNCHECKED) if guarded else change.notes
            noted = replace(change.having(failed), notes=tuple(dict.fromkeys(told)))
            done = ended(noted, State.CONFLICT, self._parts, why)
            await self._progress.end(change, done, "conflict", failed, why=why)
        elif seen.reading is Reading.SILENT:
            await self._silent(change, operation)
        else:
            await self._still_the_earlier(change, replace(operation, reads=operation.reads + 1))

    async def _silent(self, change: Change, operation: Operation) -> None:
        """A number is asked for until it is known, or nobody is there; a guard does not hold the slot."""
        now = self._parts.now()
        waited = now >= (operation.sent_at or now) + STUCK
        if waited and not operation.kind.conditional and await self._is_gone(change):
            request_id = operation.graph_request_id or "unknown"
            gone = reasons.DIRECTORY_GONE.refuse(code="404", request_id=request_id)
            failed = replace(operation, state=OpState.FAILED)
            done = ended(change.having(failed), State.CONFLICT, self._parts, gone)
            await self._progress.end(change, done, "conflict", failed, why=gone)
            return
        if not operation.kind.conditional or not waited:
            await self._progress.later(change, now + RETRY)
            return
        why = reasons.NOT_KEPT.refuse(request_id=operation.graph_request_id or "unknown")
        going_on = await self._failed(change, replace(operation, state=OpState.FAILED), why)
        if going_on is not None:
            await self._run(going_on, await self._numbers(change), interrupted=True)

    async def _is_gone(self, change: Change) -> bool:
        try:
            return await self._parts.directory.person(change.target.oid) is None
        except DirectoryUnavailable:
            return False

    async def _still_the_earlier(self, change: Change, operation: Operation) -> None:
        refused = NOTE_NOT_UNIQUE in change.notes
        now = self._parts.now()
        in_time = change.start_by is not None and now < change.start_by
        step = next_read(operation, now, refused=refused, in_time=in_time)
        if step.wait_until is not None:
            await self._progress.later(change, step.wait_until, operation)
            return
        numbers = await self._numbers(change)
        why = None if step.give_up else await self._may_write(change, numbers)
        if why is True:
            going_on = await self._attempt(change, change, operation, numbers)
            if going_on is not None:
                await self._run(going_on, numbers)
        elif why is not False:
            said = reasons.DIRECTORY_NOT_UNIQUE if refused else reasons.NOT_KEPT
            why = why or said.refuse(request_id=operation.graph_request_id or "unknown")
            going_on = await self._failed(change, replace(operation, state=OpState.FAILED), why)
            if going_on is not None:
                await self._run(going_on, numbers, interrupted=True)


def _last_sent(change: Change) -> datetime:
    """When the plan last went forward."""
    sent = [operation.sent_at for operation in change.operations if operation.sent_at is not None]
    return max(sent, default=change.decided_at or change.created_at)


def _is_half_way(operation: Operation) -> bool:
    return operation.state is OpState.FAILED and not operation.kind.conditional


_SAID_OF_GUARDS = {
    OpKind.KEEP_DEFAULT: NOTE_DEFAULT_RESTORED,
    OpKind.KEEP_SMS_OFF: NOTE_SMS_SWITCHED_OFF,
}
