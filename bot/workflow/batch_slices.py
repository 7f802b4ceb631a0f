"""One slice of a run: rows checked together, their intents in one commit, their writes one by one, and their
results in one commit.

Knows how a row becomes a change and what came of its write. Must not know when a run begins, waits or ends.
What a slice cannot settle at once (no answer, a guard that has to act) goes the way of every single change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.audit import AuditEvent
from bot.domain.bulk import Batch
from bot.domain.change import Change, Operation, OpKind, OpState, State, content_hash
from bot.domain.methods import SmsState
from bot.domain.people import Phones, TargetKind
from bot.domain.phone import PhoneNumber
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import (
    BatchWork,
    Commit,
    DirectoryRefused,
    DirectoryUnavailable,
    DirectoryUncertain,
    Lost,
    LostBecause,
    Message,
    Move,
)
from bot.workflow.batch_checking import Checked
from bot.workflow.endings import ended
from bot.workflow.messages import notice
from bot.workflow.pacing import WritePace
from bot.workflow.parts import Parts, event
from bot.workflow.progress import WORKER, result_facts
from bot.workflow.reconciling import FIRST_READ, NOTE_NOT_UNIQUE, SEND_WITHIN
from bot.workflow.switching import Switches

LEASE = timedelta(seconds=60)
#: Writes under way at once; single changes have connections of their own.
IN_FLIGHT = 6
#: Asked so often while a slice is written: "pause" counts within five seconds.
SWITCHES_SECONDS = 1.0
#: People are told this far apart: thousands of them must not push anybody else's news aside.
TOLD_EVERY = timedelta(seconds=0.2)


@dataclass(frozen=True, slots=True)
class Begun:
    """A slice whose intents are on disk. head: as stored. changes: by line."""

    head: Change
    changes: Mapping[int, Change]
    rows: tuple[Checked, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one write; nothing set = the directory said yes. not_sent: provably nothing happened."""

    request_id: str = ""
    refused: DirectoryRefused | None = None
    uncertain: bool = False
    not_sent: DirectoryUnavailable | None = None

    @property
    def may_be_there(self) -> bool:
        """Worth reading at once: the directory said yes, or a no with which it usually saves all the same."""
        refused = self.refused is not None and not self.refused.saved_anyway
        return self.not_sent is None and not self.uncertain and not refused


@dataclass(frozen=True, slots=True)
class Result:
    """A row after its write, to be stored with the others."""

    line: int
    before: Change
    after: Change
    what: str
    facts: Mapping[str, str]
    messages: tuple[Message, ...] = ()


@dataclass(slots=True)
class _Stop:
    """Set by the first write that is put off: the rest of the slice is not tried.

    ask_at: when the switches are asked again, by the time of the pace.
    """

    ask_at: float
    why: DirectoryUnavailable | None = field(default=None)


class Slices:
    """Every method is about one slice of a batch whose head's lease the caller holds."""

    def __init__(self, parts: Parts, pace: WritePace, switches: Switches) -> None:
        self._parts = parts
        self._pace = pace
        self._switches = switches
        self._told_until: datetime | None = None

    # --- intents ------------------------------------------------------------------------------------------
    async def begin(self, head: Change, batch: Batch, rows: Sequence[Checked]) -> Begun | LostBecause:
        """The audited intents of all rows that go, and the ends of those that must not, in one commit."""
        now = self._parts.now()
        decided = [row for row in rows if row.silent is None]
        changes = {row.row.line: self._change(head, batch, row, now) for row in decided}
        new = [changes[row.row.line] for row in decided if row.turn.change is None]
        moves = [
            Move(row.turn.change, changes[row.row.line]) for row in decided if row.turn.change is not None
        ]
        numbers = {
            (changes[row.row.line].id, 1): row.row.number
            for row in decided
            if row.goes and row.turn.change is None and row.row.number is not None
        }
        taken = {row.row.line: changes[row.row.line].id for row in decided if not row.turn.change}
        held = {changes[row.row.line].id: {1: row.held} if row.held else {} for row in decided if row.goes}
        leased = replace(head, lease_until=now + LEASE)
        done = await self._parts.store.commit(
            Commit(
                at=now,
                moves=(Move(head, leased), *moves),
                begin=tuple(new),
                events=tuple(_intent(head, changes[row.row.line], row) for row in decided),
                numbers=numbers,
                earlier=held,
                batch=BatchWork(batch, taken=taken),
            )
        )
        if isinstance(done, Lost):
            return done.because
        stored = {change.id: change for change in done.changes}
        by_line = {line: stored[change.id] for line, change in changes.items()}
        return Begun(stored[head.id], by_line, tuple(row for row in decided if row.goes))

    def _change(self, head: Change, batch: Batch, row: Checked, now: datetime) -> Change:
        """The row as a change of its own: on its way, or refused before anything was called."""
        made = row.turn.change or self._made(head, batch, row, now)
        if row.why is not None:
            return ended(made, State.BLOCKED, self._parts, row.why)
        first = replace(
            made.operations[0],
            state=OpState.SENDING,
            attempt=made.operations[0].attempt + 1,
            sent_at=now,
            acked=False,
            reads=0,
        )
        # Should this process die, the change is due as soon as its lease is over, like any other.
        return replace(
            made.having(first),
            state=State.APPLYING,
            due_at=now,
            lease_owner=head.lease_owner,
            lease_until=now + LEASE,
        )

    def _made(self, head: Change, batch: Batch, row: Checked, now: datetime) -> Change:
        planned = row.row
        if planned.target is None:
            raise AssertionError("a row that waits has a person")
        decided = head.decided_at or now
        until = batch.finish_at or now + timedelta(days=3)
        made = Change(
            id=self._parts.ids.request_key(),
            tenant_id=head.tenant_id,
            origin="batch",
            action=Action.UNDO if planned.parent_id else Action.BULK,
            requester=head.requester,
            target=planned.target,
            target_kind=TargetKind(planned.kind or TargetKind.ORDINARY),
            operations=row.operations,
            reason=planned.reason or head.reason,
            ticket=planned.ticket,
            rule=head.rule,
            policy_hash=head.policy_hash,
            content_hash="",
            correlation_id=f"{head.correlation_id}-{planned.line}",
            state=State.APPLYING,
            row_version=1,
            created_at=now,
            expire_minutes=head.expire_minutes,
            execute_minutes=max(int((until - decided).total_seconds() // 60), 1),
            submitted_at=head.submitted_at,
            decided_at=decided,
            batch_id=head.id,
            parent_id=planned.parent_id,
            risks=(),
        )
        # Its votes are those on the batch: the plan's hash, which they are about, holds every row.
        return replace(made, content_hash=content_hash(made))

    # --- writes -------------------------------------------------------------------------------------------
    async def send(self, begun: Begun) -> dict[int, Sent]:
        """Each write once, a few at a time, no faster than the directory takes them."""
        gate, stop = asyncio.Semaphore(IN_FLIGHT), _Stop(self._pace.now() + SWITCHES_SECONDS)

        async def one(row: Checked) -> tuple[int, Sent]:
            async with gate:
                return row.row.line, await self._send(begun.changes[row.row.line], row.row.number, stop)

        return dict(await asyncio.gather(*(one(row) for row in begun.rows)))

    async def _send(self, change: Change, number: PhoneNumber | None, stop: _Stop) -> Sent:
        operation = change.operations[0]
        if stop.why is None:
            await self._pace.take()
            await self._ask_switches(stop)
        if stop.why is not None:
            return Sent(not_sent=stop.why)
        if operation.sent_at is None or self._parts.now() - operation.sent_at > SEND_WITHIN:
            # Whoever slept this long may have been given up: others may have written since.
            return Sent(not_sent=DirectoryUnavailable("the worker was held up before sending"))
        call_id = f"{change.correlation_id}-{operation.n}-{operation.attempt}"
        number = number if operation.kind is OpKind.SET else None
        try:
            receipt = await self._parts.many.directory.write(
                change.target.oid, operation, number, call_id, present=bool(operation.before_key)
            )
        except DirectoryUnavailable as error:
            stop.why = error
            if error.retry_after is not None:
                self._pace.throttled()
            return Sent(not_sent=error)
        except DirectoryRefused as error:
            self._pace.answered(None)
            return Sent(error.graph_request_id, refused=error)
        except DirectoryUncertain as error:
            return Sent(error.graph_request_id, uncertain=True)
        self._pace.answered(receipt.pressure)
        return Sent(receipt.graph_request_id)

    async def _ask_switches(self, stop: _Stop) -> None:
        """A switch that is closed meanwhile holds up the rest of the slice, however slow the slice is."""
        now = self._pace.now()
        if stop.why is None and now >= stop.ask_at:
            stop.ask_at = now + SWITCHES_SECONDS
            if (await self._switches.gate()).closed is not None:
                stop.why = DirectoryUnavailable("paused")

    async def read_back(self, begun: Begun, sent: Mapping[int, Sent]) -> dict[str, Phones]:
        """What the directory holds now, of those that it said yes to. Who cannot be read is missing."""
        oids = [
            begun.changes[line].target.oid
            for line, each in sent.items()
            if each.not_sent is None
            and not each.uncertain
            and (not each.refused or each.refused.saved_anyway)
        ]
        found: dict[str, Phones] = {}
        try:
            async for oid, seen in self._parts.many.directory.phones_of_many(oids):
                if isinstance(seen, Phones):
                    self._parts.index.saw(oid, seen)
                    found[oid] = seen
        except DirectoryUnavailable:
            # Those who were not read find out by reading later, one by one.
            return found
        return found

    # --- results ------------------------------------------------------------------------------------------
    def results(self, begun: Begun, sent: Mapping[int, Sent], seen: Mapping[str, Phones]) -> list[Result]:
        """What each row becomes."""
        return [
            self._result(line, begun.changes[line], each, seen.get(begun.changes[line].target.oid))
            for line, each in sent.items()
        ]

    def _result(self, line: int, change: Change, sent: Sent, seen: Phones | None) -> Result:
        operation = replace(change.operations[0], graph_request_id=sent.request_id)
        if sent.not_sent is not None:
            return self._put_back(line, change, sent.not_sent)
        if sent.refused is not None and not sent.refused.saved_anyway:
            failed = change.having(replace(operation, state=OpState.FAILED))
            done = ended(failed, State.FAILED, self._parts, sent.refused.refusal)
            return Result(line, change, done, "failed", _facts(operation, sent.refused.refusal))
        notes = (*change.notes, *((NOTE_NOT_UNIQUE,) if sent.refused else ()))
        acked = not sent.uncertain and sent.refused is None
        key = None if seen is None else self._parts.number_key(seen.get(operation.slot))
        if key != operation.after_key or sent.uncertain:
            asked = replace(operation, acked=acked)
            after = replace(_free(change.having(asked)), state=State.UNCONFIRMED, notes=notes)
            after = replace(after, due_at=self._parts.now() + FIRST_READ)
            return Result(line, change, after, "unconfirmed", _facts(asked))
        return self._written(line, change, replace(operation, state=OpState.DONE), notes, seen)

    def _written(
        self, line: int, change: Change, operation: Operation, notes: tuple[str, ...], seen: Phones | None
    ) -> Result:
        """Guards that were not necessary are skipped here; one that may be is left to the ordinary way."""
        done = replace(change.having(operation), notes=notes)
        for guard in done.operations[1:]:
            if guard.kind is OpKind.KEEP_SMS_OFF and seen and seen.sms_sign_in is not SmsState.READY:
                done = done.having(replace(guard, state=OpState.SKIPPED))
        if done.current is not None:
            after = replace(_free(done), due_at=self._parts.now())
            return Result(line, change, after, "operation-applied", _facts(operation))
        over = ended(done, State.APPLIED, self._parts, None)
        told = replace(notice(change, "ended", change.target.oid), due_at=self._tell_at())
        return Result(line, change, over, "applied", _facts(operation), (told,))

    def _put_back(self, line: int, change: Change, why: DirectoryUnavailable) -> Result:
        """Provably nothing happened: its turn comes again, first of all."""
        operation = change.operations[0]
        before = replace(operation, state=OpState.PLANNED, attempt=operation.attempt - 1, sent_at=None)
        after = replace(_free(change.having(before)), state=State.APPROVED, due_at=None)
        return Result(line, change, after, "not-sent", {"what": why.what})

    def _tell_at(self) -> datetime:
        now = self._parts.now()
        after = now if self._told_until is None else self._told_until + TOLD_EVERY
        self._told_until = max(now, after)
        return self._told_until

    async def keep(
        self, begun: Begun, batch: Batch, results: Sequence[Result], more: Sequence[Message]
    ) -> Change | None:
        """All results in one commit; the head as it is then, None when somebody else has moved it.

        A row whose lease was over meanwhile is settled by whoever has it now: the others are kept singly.
        """
        done = tuple(each.line for each in results if each.after.state is State.APPLIED)
        head = replace(begun.head, lease_until=self._parts.now() + LEASE)
        kept = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(begun.head, head), *(Move(each.before, each.after) for each in results)),
                events=tuple(_event(each) for each in results),
                messages=(*more, *(message for each in results for message in each.messages)),
                batch=BatchWork(batch, done=done),
            )
        )
        if isinstance(kept, Lost):
            for each in results:
                await self._keep_one(each)
            return None
        for each in results:
            self._count(each)
        return next(change for change in kept.changes if change.id == head.id)

    async def _keep_one(self, each: Result) -> None:
        kept = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(each.before, each.after),),
                events=(_event(each),),
                messages=each.messages,
            )
        )
        if not isinstance(kept, Lost):
            self._count(each)

    def _count(self, each: Result) -> None:
        if each.before.state is not each.after.state:
            self._parts.metrics.count("changes", each.after.state.value)


def _intent(head: Change, change: Change, row: Checked) -> AuditEvent:
    facts = {**result_facts(change.operations[0]), "batch": head.printed_id, "line": str(row.row.line)}
    if row.why is not None:
        return event(change, "blocked", WORKER, **facts, code=row.why.code)
    facts |= {"content": change.content_hash, "before_key": change.operations[0].before_key}
    return event(change, "attempted", WORKER, **facts)


def _event(each: Result) -> AuditEvent:
    return event(each.after, each.what, WORKER, **each.facts)


def _facts(operation: Operation, why: Refusal | None = None) -> dict[str, str]:
    return {**result_facts(operation), "code": why.code if why else ""}


def _free(change: Change) -> Change:
    return replace(change, lease_owner="", lease_until=None)
