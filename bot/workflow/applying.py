"""Carrying out approved changes: one effect per operation, across crashes, retries and lost replies.

Knows the life cycle after approval and the read-back table. Must not know a clock but the given one, nor
how due work is found; every step is one commit, and the intent is on disk before the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.domain import reasons
from bot.domain.change import Change, Operation, OpState, State
from bot.domain.people import PersonRef
from bot.domain.phone import PhoneNumber
from bot.domain.reason import Refusal
from bot.ports import (
    Commit,
    DirectoryRefused,
    DirectoryUnavailable,
    DirectoryUncertain,
    Lost,
    Message,
    Move,
)
from bot.workflow.judging import NOTE_NOT_UNIQUE
from bot.workflow.parts import Parts, event
from bot.workflow.rechecking import Rechecks
from bot.workflow.reconciling import FIRST_READ, Reading, next_read, read_back
from bot.workflow.requests import ended, notice, redraw

WORKER = "ringfence"
RETRY = timedelta(seconds=15)
PAUSED = timedelta(seconds=30)
_MOVED_MEANWHILE = frozenset({reasons.ALREADY_THERE.code, reasons.DIRECTORY_MOVED.code})


class Applying:
    """The worker's side of a change. `work` is given a change whose lease the caller holds."""

    def __init__(self, parts: Parts, rechecks: Rechecks) -> None:
        self._parts = parts
        self._rechecks = rechecks

    async def work(self, change: Change) -> None:
        """Do what is due. Losing a guarded move means somebody else was first: then nothing is done."""
        now = self._parts.now()
        if change.state is State.APPLYING:
            await self._recover(change)
        elif change.state is State.UNCONFIRMED:
            await self._reconcile(change)
        elif change.expires_at is not None and change.expires_at <= now:
            await self._expire(change)
        elif change.state is State.APPROVED:
            await self._apply(change)
        else:
            await self._later(change, change.expires_at or now + RETRY)

    # --- expiry -----------------------------------------------------------------------------------------
    async def _expire(self, change: Change) -> None:
        what = {
            State.PREVIEWED: "The preview was not submitted within 10 minutes",
            State.PENDING: "Nobody decided in time",
        }.get(change.state, "It was approved but could not be started in time")
        ending = reasons.EXPIRED.refuse(id=change.printed_id, what=what)
        done = ended(change, State.EXPIRED, self._parts, ending)
        quiet = change.state is State.PREVIEWED
        await self._end(change, done, "expired", quiet=quiet)

    # --- applying ---------------------------------------------------------------------------------------
    async def _apply(self, change: Change) -> None:
        if self._parts.read_only:
            await self._later(change, self._parts.now() + PAUSED)
            return
        numbers = await self._parts.store.numbers(change.id)
        try:
            why = await self._rechecks.against(change, numbers)
        except DirectoryUnavailable as error:
            await self._later(change, self._parts.now() + (error.retry_after or RETRY))
            return
        if why is not None:
            await self._end(change, ended(change, State.BLOCKED, self._parts, why), "blocked", why=why)
            return
        await self._attempt(change, numbers)

    async def _attempt(self, change: Change, numbers: dict[int, PhoneNumber]) -> None:
        """The audited intent, then the one call, then what came of it."""
        now = self._parts.now()
        operation = change.operations[0]
        sending = replace(
            operation,
            state=OpState.SENDING,
            attempt=operation.attempt + 1,
            sent_at=now,
            acked=False,
            reads=0,
        )
        intent = await self._commit(
            change,
            replace(change, state=State.APPLYING, operations=(sending,), expires_at=None),
            "attempted",
            {
                "attempt": str(sending.attempt),
                "content": change.content_hash,
                "after": operation.after or "empty",
            },
            unexpired=change.state is State.APPROVED,
        )
        if intent is None:
            return
        call_id = f"{change.correlation_id}-{sending.attempt}"
        try:
            receipt = await self._parts.directory.write(
                change.target.oid, sending, numbers.get(operation.n), call_id
            )
        except DirectoryUnavailable as error:
            await self._not_sent(intent, error)
        except DirectoryRefused as error:
            await self._refused(intent, error)
        except DirectoryUncertain as error:
            await self._unconfirmed(intent, error.graph_request_id, acked=False)
        else:
            await self._confirm(intent, receipt.graph_request_id)

    async def _not_sent(self, change: Change, error: DirectoryUnavailable) -> None:
        """Provably nothing happened: back to approved, or keep finding out when an earlier send is open."""
        now = self._parts.now()
        operation = change.operations[0]
        if operation.attempt > 1:
            await self._unconfirmed(change, operation.graph_request_id, acked=False)
            return
        planned = replace(operation, state=OpState.PLANNED, attempt=operation.attempt - 1, sent_at=None)
        until = (change.decided_at or now) + timedelta(minutes=change.execute_minutes)
        after = replace(
            change,
            state=State.APPROVED,
            operations=(planned,),
            expires_at=until,
            due_at=now + (error.retry_after or RETRY),
            lease_owner="",
            lease_until=None,
        )
        await self._commit(change, after, "not-sent", {"what": error.what})

    async def _refused(self, change: Change, error: DirectoryRefused) -> None:
        if error.saved_anyway:
            noted = replace(change, notes=(*change.notes, NOTE_NOT_UNIQUE))
            await self._confirm(noted, error.graph_request_id, change)
            return
        operation = replace(
            change.operations[0], state=OpState.FAILED, graph_request_id=error.graph_request_id
        )
        failed = ended(replace(change, operations=(operation,)), State.FAILED, self._parts, error.refusal)
        await self._end(change, failed, "failed", why=error.refusal, graph=error.graph_request_id)

    async def _confirm(self, change: Change, graph_request_id: str, stored: Change | None = None) -> None:
        """Read back before saying yes."""
        operation = replace(change.operations[0], graph_request_id=graph_request_id)
        seen = await read_back(self._parts, change, operation)
        if seen.reading is Reading.NEW:
            await self._applied(stored or change, replace(change, operations=(operation,)))
        else:
            acked = NOTE_NOT_UNIQUE not in change.notes
            await self._unconfirmed(stored or change, graph_request_id, acked=acked, notes=change.notes)

    async def _applied(self, stored: Change, change: Change) -> None:
        operation = replace(change.operations[0], state=OpState.DONE)
        done = ended(replace(change, operations=(operation,)), State.APPLIED, self._parts, None)
        await self._end(stored, done, "applied", graph=operation.graph_request_id)

    async def _unconfirmed(
        self, change: Change, graph_request_id: str, *, acked: bool, notes: tuple[str, ...] | None = None
    ) -> None:
        now = self._parts.now()
        operation = replace(change.operations[0], acked=acked, graph_request_id=graph_request_id)
        after = replace(
            change,
            state=State.UNCONFIRMED,
            operations=(operation,),
            notes=change.notes if notes is None else notes,
            due_at=now + FIRST_READ,
            lease_owner="",
            lease_until=None,
        )
        told = notice(change, f"unconfirmed-{operation.attempt}", change.requester.oid)
        await self._commit(change, after, "unconfirmed", {"graph_request_id": graph_request_id}, told=(told,))

    # --- after a crash or a lost reply ------------------------------------------------------------------
    async def _recover(self, change: Change) -> None:
        """The holder of the lease died somewhere between intent and result: find out by reading."""
        operation = change.operations[0]
        after = replace(
            change,
            state=State.UNCONFIRMED,
            operations=(replace(operation, acked=False),),
            due_at=self._parts.now(),
        )
        recovered = await self._commit(
            change, after, "unconfirmed", {"what": "the worker stopped in between"}
        )
        if recovered is not None:
            await self._reconcile(recovered)

    async def _reconcile(self, change: Change) -> None:
        operation = change.operations[0]
        seen = await read_back(self._parts, change, operation)
        if seen.reading is Reading.NEW:
            await self._applied(change, change)
        elif seen.reading is Reading.OTHER:
            why = reasons.THIRD_VALUE.refuse(slot=operation.slot.word, now=seen.now)
            failed = replace(operation, state=OpState.FAILED)
            done = ended(replace(change, operations=(failed,)), State.CONFLICT, self._parts, why)
            await self._end(change, done, "conflict", why=why)
        elif seen.reading is Reading.SILENT:
            await self._later(change, self._parts.now() + RETRY)
        else:
            await self._still_the_earlier(change, replace(operation, reads=operation.reads + 1))

    async def _still_the_earlier(self, change: Change, operation: Operation) -> None:
        refused = NOTE_NOT_UNIQUE in change.notes
        step = next_read(operation, self._parts.now(), refused=refused)
        if step.wait_until is not None:
            after = replace(
                change, operations=(operation,), due_at=step.wait_until, lease_owner="", lease_until=None
            )
            await self._parts.store.commit(Commit(at=self._parts.now(), moves=(Move(change, after),)))
            return
        if step.give_up:
            await self._give_up(change, operation, refused)
            return
        numbers = await self._parts.store.numbers(change.id)
        try:
            why = await self._rechecks.against(change, numbers)
        except DirectoryUnavailable as error:
            await self._later(change, self._parts.now() + (error.retry_after or RETRY))
            return
        if why is not None and why.code in _MOVED_MEANWHILE:
            # The earlier value went away between the two readings: the next one says what came of our write.
            await self._later(change, self._parts.now() + FIRST_READ)
        elif why is not None:
            await self._give_up(change, operation, refused, why)
        elif self._parts.read_only:
            await self._later(change, self._parts.now() + PAUSED)
        else:
            await self._attempt(change, numbers)

    async def _give_up(
        self, change: Change, operation: Operation, refused: bool, why: Refusal | None = None
    ) -> None:
        said = reasons.DIRECTORY_NOT_UNIQUE if refused else reasons.NOT_KEPT
        why = why or said.refuse(request_id=operation.graph_request_id or "unknown")
        failed = replace(operation, state=OpState.FAILED)
        done = ended(replace(change, operations=(failed,)), State.FAILED, self._parts, why)
        await self._end(change, done, "failed", why=why)

    # --- commits ----------------------------------------------------------------------------------------
    async def _commit(
        self,
        before: Change,
        after: Change,
        what: str,
        facts: Mapping[str, str] = MappingProxyType({}),
        *,
        told: tuple[Message, ...] = (),
        unexpired: bool = False,
    ) -> Change | None:
        """One guarded move with its audit event; None when somebody else was first."""
        now = self._parts.now()
        done = await self._parts.store.commit(
            Commit(
                at=now,
                moves=(Move(before, after, now if unexpired else None),),
                events=(event(after, what, WORKER, **facts),),
                messages=(*told, redraw(before)),
            )
        )
        return None if isinstance(done, Lost) else done.changes[0]

    async def _end(
        self,
        before: Change,
        after: Change,
        what: str,
        *,
        why: Refusal | None = None,
        graph: str = "",
        quiet: bool = False,
    ) -> None:
        operation = after.operations[0]
        facts = {
            "before": operation.before or "empty",
            "after": operation.after or "empty",
            "code": why.code if why else "",
            "graph_request_id": graph,
            "attempt": str(operation.attempt),
        }
        people: tuple[PersonRef, ...] = () if quiet else (after.requester, after.target)
        told = tuple(notice(before, "ended", person.oid) for person in people)
        if await self._commit(before, after, what, facts, told=told) is not None:
            self._parts.metrics.count("changes", after.state.value)

    async def _later(self, change: Change, due_at: datetime) -> None:
        after = replace(change, due_at=due_at, lease_owner="", lease_until=None)
        await self._parts.store.commit(Commit(at=self._parts.now(), moves=(Move(change, after),)))
