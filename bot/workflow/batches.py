"""Asking for a batch: from a file to a plan that can be looked at, submitted, held, continued, tried again,
ended and undone.

Knows plans and the batch's head. Must not carry out a row: `batch_running` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.domain import bulk_reasons as no
from bot.domain import command as c
from bot.domain import reasons
from bot.domain.bulk import Batch, Bucket, Mode, PlanRow, plan_hash
from bot.domain.change import Change, Operation, OpKind, ResolvedStep, State, content_hash
from bot.domain.outcome import Document, Outcome, Page, PageKind, Refused
from bot.domain.people import Actor, PersonRef, Role, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import Action, Rule
from bot.domain.reason import Refusal
from bot.domain.sheets import FileKind
from bot.ports import BatchWork, Commit, DirectoryUnavailable, Lost, Move, SheetRefused
from bot.workflow.approvers import Approvers
from bot.workflow.batch_planning import BatchPlanning
from bot.workflow.batch_undoing import BatchUndoing
from bot.workflow.endings import ended
from bot.workflow.judging import Judge
from bot.workflow.messages import redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.views import outcome_of
from bot.workflow.waiting import Waiting

#: A plan of thousands is looked at for longer than one change; each row is checked again before its write.
PLAN_LIFE = timedelta(hours=4)
#: So many rows go first, and are settled before the others begin.
CANARY = 5
_CHUNK = 1_000
_TRIES = 5
_MODES = {
    c.BatchWord.SKIP: Mode.SKIP,
    c.BatchWord.OVERWRITE: Mode.OVERWRITE,
    c.BatchWord.ALTERNATE: Mode.ALTERNATE,
}


class Batches:
    """The requester's side of a batch."""

    def __init__(self, parts: Parts, approvers: Approvers, waiting: Waiting) -> None:
        self._parts = parts
        self._approvers = approvers
        self._waiting = waiting
        self._planning = BatchPlanning(parts, Judge(parts.many, approvers))
        self._undoing = BatchUndoing(parts)

    async def template(self, command: c.Bulk, actor: Actor) -> Outcome:
        """An empty file with the columns that are read."""
        if self._parts.sheets is None:
            return Refused((reasons.NO_ROLE.refuse(),))
        content = await self._parts.sheets.template(command.kind)
        words = "bulk" if command.kind is FileKind.XLSX else f"bulk {command.kind.value}"
        file = Document(f"phones.{command.kind.value}", content, words)
        return Page(PageKind.BULK, roles=actor.roles, document=file)

    # --- the plan -----------------------------------------------------------------------------------------
    async def take(self, command: c.BulkFile, actor: Actor, envelope: Envelope) -> Outcome:
        """The plan of a file, or why there is none. The file itself is not kept."""
        if Role.OPERATOR not in actor.roles or self._parts.sheets is None:
            return Refused((reasons.NO_ROLE.refuse(),))
        if self._parts.read_only:
            return Refused((reasons.READ_ONLY.refuse(),))
        try:
            sheet = await self._parts.sheets.read(command.name, command.content)
        except SheetRefused as error:
            return Refused((error.refusal,))
        most = self._parts.policy.limits.bulk_rows
        if most and len(sheet.rows) > most:
            return Refused((no.ROWS_TOO_MANY.refuse(rows=str(len(sheet.rows)), most=str(most)),))
        planned = await self._planning.plan(sheet, actor)
        made = _batch(sheet.name, sheet.digest, Mode.SKIP, planned.rows, self._finish())
        return await self._preview(made, planned.rows, planned.rule, actor, envelope)

    async def undo(self, head: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """A plan that restores what the rows of a batch replaced."""
        batch = await self._parts.store.batch(head.id)
        rows = await self._undoing.rows(head, batch, actor) if batch else no.NOT_A_BATCH.refuse(id=head.id)
        if isinstance(rows, Refusal) or batch is None:
            return Refused((rows,) if isinstance(rows, Refusal) else ())
        rule = self._parts.policy.rule_for(Action.BULK, TargetKind.ORDINARY, requester=actor.roles)
        made = _batch(batch.name, f"undo|{batch.plan_hash}", Mode.OVERWRITE, rows, self._finish())
        return await self._preview(replace(made, undoes=head.id), rows, rule, actor, envelope)

    def _finish(self) -> int:
        return self._parts.policy.limits.bulk_finish_minutes

    async def _preview(
        self, batch: Batch, rows: Sequence[PlanRow], rule: Rule | None, actor: Actor, envelope: Envelope
    ) -> Outcome:
        if rule is None:
            found = ", ".join(f"{count} {bucket.value}" for bucket, count in batch.buckets.items())
            return Refused((no.NOTHING_TO_DO.refuse(rows=str(batch.total), what=found),))
        steps = await self._steps(rule, rows, actor)
        if isinstance(steps, Refusal):
            return Refused((steps,))
        now = self._parts.now()
        batch = replace(batch, sheet_id=self._parts.ids.correlation() + self._parts.ids.request_key())
        for start in range(0, len(rows), _CHUNK):
            await self._parts.store.keep_rows(batch.sheet_id, rows[start : start + _CHUNK], now)
        for _ in range(_TRIES):
            head = self._head(batch, rule, steps, actor, envelope)
            own = replace(batch, id=head.id)
            done = await self._parts.store.commit(
                Commit(
                    at=now,
                    create=head,
                    events=(event(head, "planned", actor.oid, **_facts(head, own)),),
                    received=envelope.received(head.id),
                    batch=BatchWork(own, choose=own.mode),
                )
            )
            if not isinstance(done, Lost):
                self._parts.metrics.count("changes", "previewed")
                return await outcome_of(self._parts, done.changes[0], actor.oid)
            if done.current is not None and done.current.id != head.id:
                return await outcome_of(self._parts, done.current, actor.oid)
        return Refused((reasons.INTERNAL.refuse(reference=envelope.correlation_id),))

    async def _steps(
        self, rule: Rule, rows: Sequence[PlanRow], actor: Actor
    ) -> tuple[ResolvedStep, ...] | Refusal:
        """Who decides. Whoever a row is about never counts, as with a single change."""
        targets = {row.target.oid for row in rows if row.target and row.operations}
        excluded: set[str] = set()
        try:
            while True:
                found = await self._approvers.resolve(rule.steps, actor.oid, actor.person, sorted(excluded))
                asked = {each.person.oid for step in found.steps for each in step.asked}
                more = (asked & targets) - excluded
                if not more:
                    break
                excluded |= more
        except DirectoryUnavailable as error:
            return reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what)
        if found.short is not None:
            return reasons.NOBODY_TO_ASK.refuse(rule=rule.name, missing=found.short)
        return found.steps

    def _head(
        self, batch: Batch, rule: Rule, steps: tuple[ResolvedStep, ...], actor: Actor, envelope: Envelope
    ) -> Change:
        now, key, me = self._parts.now(), self._parts.ids.request_key(), PersonRef.of(actor.person)
        words = f"{batch.runs} of {batch.total} rows"
        head = Change(
            id=key,
            batch_id=key,
            tenant_id=self._parts.tenant_id,
            origin="chat",
            action=Action.BULK,
            requester=me,
            # Nobody in particular: each row has a person of its own.
            target=me,
            target_kind=TargetKind.ORDINARY,
            operations=(Operation(1, OpKind.BATCH, Slot.MOBILE, "", words, "", batch.plan_hash),),
            reason=batch.name,
            ticket="",
            rule=rule.name,
            policy_hash=self._parts.policy.digest,
            content_hash="",
            correlation_id=envelope.correlation_id or self._parts.ids.correlation(),
            state=State.PREVIEWED,
            row_version=1,
            created_at=now,
            expire_minutes=rule.expire_minutes,
            execute_minutes=rule.execute_minutes,
            cooling_minutes=rule.cooling_minutes,
            remind_minutes=rule.remind_minutes,
            escalate_minutes=rule.escalate_minutes,
            steps=steps,
            expires_at=now + PLAN_LIFE,
            due_at=now + PLAN_LIFE,
            parent_id=batch.undoes,
            outside_limits=True,
        )
        return replace(head, content_hash=content_hash(head))

    # --- what is said about a plan or a run ---------------------------------------------------------------
    async def said(self, command: c.OfBatch, head: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """Choose, hold, go on, or try again: the requester's alone; security may hold, too."""
        batch = await self._parts.store.batch(head.id)
        if batch is None or not head.is_batch:
            return Refused((no.NOT_A_BATCH.refuse(id=head.printed_id),))
        holds = command.word is c.BatchWord.HOLD and Role.SECURITY in actor.roles
        if head.requester.oid != actor.oid and not holds:
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=head.printed_id),))
        if command.word in _MODES:
            return await self._choose(_MODES[command.word], head, batch, actor, envelope)
        if head.state is not State.APPLYING:
            return Refused((no.NOT_RUNNING.refuse(id=head.printed_id, state=head.state.value),))
        if command.word is c.BatchWord.HOLD:
            return await self._hold(head, batch, actor, envelope)
        return await self._go_on(head, batch, actor, envelope, again=command.word is c.BatchWord.RETRY)

    async def _choose(
        self, mode: Mode, head: Change, batch: Batch, actor: Actor, envelope: Envelope
    ) -> Outcome:
        """The same rows in another mode: another plan, with a head of its own."""
        if head.state is not State.PREVIEWED or batch.undoes:
            return Refused((no.CHOICE_TOO_LATE.refuse(id=head.printed_id, state=head.state.value),))
        if mode is batch.mode:
            return await outcome_of(self._parts, head, actor.oid)
        rows = await self._rows(batch)
        rule = next((rule for rule in self._parts.policy.rules if rule.name == head.rule), None)
        chosen = replace(
            _batch(batch.name, batch.digest, mode, rows, self._finish()), sheet_id=batch.sheet_id
        )
        if rule is None or not chosen.runs:
            return Refused((no.NOTHING_TO_DO.refuse(rows=str(batch.total), what=mode.value),))
        after = self._head(chosen, rule, head.steps, actor, envelope)
        own = replace(chosen, id=after.id)
        gone = ended(head, State.CANCELLED, self._parts, _replaced(after), head.requester)
        done = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                create=after,
                moves=(Move(head, gone),),
                events=(
                    event(head, "cancelled", actor.oid, by=actor.person.name),
                    event(after, "planned", actor.oid, **_facts(after, own)),
                ),
                messages=(redraw(head),),
                received=envelope.received(after.id),
                batch=BatchWork(own, choose=mode),
            )
        )
        if isinstance(done, Lost):
            return await outcome_of(self._parts, done.current or head, actor.oid)
        return await outcome_of(self._parts, done.changes[0], actor.oid)

    async def _rows(self, batch: Batch) -> list[PlanRow]:
        found: list[PlanRow] = []
        while page := await self._parts.store.batch_rows(
            batch.sheet_id, found[-1].line if found else -1, _CHUNK
        ):
            found += page
        return found

    async def submit(self, head: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """To the approvers of its rule. Each row is judged again when its turn comes."""
        if head.state is not State.PREVIEWED or head.requester.oid != actor.oid:
            return await outcome_of(self._parts, head, actor.oid)
        if not {Role.OPERATOR, Role.BULK} <= actor.roles:
            return Refused((reasons.NO_ROLE.refuse(),))
        now = self._parts.now()
        pending = replace(
            head,
            state=State.PENDING,
            policy_hash=self._parts.policy.digest,
            submitted_at=now,
            expires_at=now + timedelta(minutes=head.expire_minutes),
        )
        asked = self._waiting.submitted(pending)
        batch = await self._parts.store.batch(head.id)
        facts = _facts(head, batch) if batch else {}
        done = await self._parts.store.commit(
            Commit(
                at=now,
                moves=(Move(head, asked.change, unexpired_at=now),),
                events=(event(head, "submitted", actor.oid, **facts), *asked.events),
                messages=(*asked.messages, redraw(head)),
                received=envelope.received(head.id),
            )
        )
        if isinstance(done, Lost):
            if done.current is not None and done.current.state is State.PREVIEWED:
                what = "The plan was not submitted in time"
                return Refused((reasons.EXPIRED.refuse(id=head.printed_id, what=what),))
            return await outcome_of(self._parts, done.current or head, actor.oid)
        self._parts.metrics.count("changes", "pending")
        return await outcome_of(self._parts, done.changes[0], actor.oid)

    async def stop(self, head: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """Ends a run: what was sent is settled, nothing else begins."""
        for _ in range(_TRIES):
            batch = await self._parts.store.batch(head.id)
            if batch is None or head.state is not State.APPLYING or head.requester.oid != actor.oid:
                return await outcome_of(self._parts, head, actor.oid)
            tally = await self._parts.store.batch_tally(batch)
            name = actor.person.name
            why = no.STOPPED.refuse(name=name, done=str(tally.applied), left=str(tally.untouched))
            stopping = replace(batch, ended=why, held=None, held_by=None)
            current = await self._turn(head, stopping, "stopped", actor, envelope)
            if current is None:
                return await self._shown(head, actor)
            head = current
        return await self._shown(head, actor)

    async def _hold(self, head: Change, batch: Batch, actor: Actor, envelope: Envelope) -> Outcome:
        held = no.HELD_BY_PERSON.refuse(name=actor.person.name, id=head.printed_id)
        holding = replace(batch, held=held, held_by=PersonRef.of(actor.person))
        await self._turn(head, holding, "held", actor, envelope)
        return await self._shown(head, actor)

    async def _go_on(
        self, head: Change, batch: Batch, actor: Actor, envelope: Envelope, *, again: bool
    ) -> Outcome:
        now = self._parts.now()
        going = replace(batch, held=None, held_by=None, watched_since=now)
        going = replace(going, retried=batch.retried + 1) if again else going
        await self._turn(head, going, "tried-again" if again else "continued", actor, envelope, again=again)
        return await self._shown(head, actor)

    async def _turn(
        self,
        head: Change,
        batch: Batch,
        what: str,
        actor: Actor,
        envelope: Envelope,
        *,
        again: bool = False,
    ) -> Change | None:
        """One guarded step of the head; the present head when somebody else was first, None when done.

        The worker that runs a slice meanwhile loses its next step and looks again.
        """
        for _ in range(_TRIES):
            after = replace(head, due_at=self._parts.now(), lease_owner="", lease_until=None)
            done = await self._parts.store.commit(
                Commit(
                    at=self._parts.now(),
                    moves=(Move(head, after),),
                    events=(event(head, what, actor.oid, by=actor.person.name),),
                    messages=(redraw(head),),
                    received=envelope.received(head.id),
                    batch=BatchWork(batch, again=again),
                )
            )
            if not isinstance(done, Lost):
                return None
            if done.current is None or done.current.state is not State.APPLYING:
                return done.current or head
            head, fresh = done.current, await self._parts.store.batch(head.id)
            batch = _onto(fresh, batch) if fresh else batch
        return head

    async def _shown(self, head: Change, actor: Actor) -> Outcome:
        latest = await self._parts.store.change(head.id)
        return await outcome_of(self._parts, latest or head, actor.oid)


def _batch(name: str, digest: str, mode: Mode, rows: Sequence[PlanRow], finish_minutes: int) -> Batch:
    runs = sum(row.runs(mode) for row in rows)
    counted = Counter(row.bucket for row in rows)
    return Batch(
        id="",
        sheet_id="",
        name=name,
        digest=digest,
        mode=mode,
        total=len(rows),
        runs=runs,
        plan_hash=plan_hash(digest, mode, rows),
        buckets=MappingProxyType({bucket: counted[bucket] for bucket in Bucket if counted[bucket]}),
        canary=min(CANARY, runs),
        finish_minutes=finish_minutes,
    )


def _onto(fresh: Batch, wanted: Batch) -> Batch:
    """What somebody said, on top of what the run has kept meanwhile."""
    return replace(
        fresh,
        held=wanted.held,
        held_by=wanted.held_by,
        ended=wanted.ended,
        retried=wanted.retried,
        watched_since=wanted.watched_since,
    )


def _replaced(after: Change) -> Refusal:
    return no.PLAN_REPLACED.refuse(id=after.printed_id)


def _facts(head: Change, batch: Batch) -> dict[str, str]:
    return {
        "by": head.requester.name,
        "file": batch.name,
        "digest": batch.digest,
        "plan": batch.plan_hash,
        "mode": batch.mode.value,
        "rows": str(batch.total),
        "runs": str(batch.runs),
        "rule": head.rule,
        "content": head.content_hash,
        "policy": head.policy_hash,
    }


def finish_at(started: datetime, batch: Batch) -> datetime | None:
    """Until when rows may begin; None = no limit."""
    return started + timedelta(minutes=batch.finish_minutes) if batch.finish_minutes else None
