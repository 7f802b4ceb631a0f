"""The run of a batch: when it begins, waits, goes on and ends. The worker's side.

Knows the order: first a few rows, then the others, as fast as the directory lets us, stopped by errors,
people and time. Must not know how a row is checked or written. All it needs to go on is on disk: a process
that dies at any moment leaves nothing behind but a lease.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import bulk_reasons as no
from bot.domain import reasons
from bot.domain.bulk import Batch, Tally
from bot.domain.change import Change, OpState, State, content_hash
from bot.domain.people import Role
from bot.domain.reason import Refusal
from bot.ports import BatchWork, Commit, DirectoryUnavailable, Lost, LostBecause, Message, Move, Waiting
from bot.telemetry import alarm
from bot.workflow.batch_checking import BatchChecks
from bot.workflow.batch_slices import Slices
from bot.workflow.batches import finish_at
from bot.workflow.endings import ended
from bot.workflow.freezing import Freezing
from bot.workflow.identity import Identity
from bot.workflow.messages import notice, redraw
from bot.workflow.pacing import WritePace
from bot.workflow.parts import Parts, event
from bot.workflow.progress import WORKER, Progress
from bot.workflow.rejudging import Moved, Rejudging
from bot.workflow.switching import Switches

#: At most so many rows in one slice, and no more than are written in so many seconds: reading and committing
#: are between slices, and what is caught up after them at once is missing later, when the allowance is full.
SLICE, SLICE_SECONDS = 400, 5.0
#: A worker gives the batch back after this time, so that a process that is told to stop can.
TURN = timedelta(seconds=10)
DRAWN_EVERY = timedelta(seconds=4)
RETRY, SETTLING, CANARY_WAIT = timedelta(seconds=15), timedelta(seconds=2), timedelta(seconds=1)
PAUSED = timedelta(seconds=30)
#: More than this share of the last so many rows refused by the directory: somebody has to look.
WATCHED, TOO_MANY, FEWEST = 50, 0.2, 10
_NOT_DONE = (State.FAILED, State.CONFLICT)
_log = logging.getLogger(__name__)


class BatchRunning:
    """`work` is given the head of a batch whose lease the caller holds."""

    def __init__(
        self,
        parts: Parts,
        identity: Identity,
        freezing: Freezing,
        switches: Switches,
        rejudging: Rejudging,
        pace: WritePace | None = None,
    ) -> None:
        self._parts = parts
        self._identity = identity
        self._freezing = freezing
        self._switches = switches
        self._rejudging = rejudging
        self._progress = Progress(parts)
        self._checks = BatchChecks(parts)
        self._pace = pace or WritePace()
        self._slices = Slices(parts, self._pace, switches)

    async def work(self, head: Change) -> None:
        """What is due of an agreed or running batch. Losing the head means that somebody else moved it."""
        batch = await self._parts.store.batch(head.id)
        if batch is None:
            raise AssertionError(f"{head.id} is the head of nothing")
        until = self._parts.now() + TURN
        going: Change | None = head
        if head.state is not State.APPLYING:
            going = await self._start(head, batch)
        while going is not None:
            batch = await self._parts.store.batch(head.id) or batch
            going = await self._step(going, batch)
            if going is not None and self._parts.now() >= until:
                await self._later(going, self._parts.now())
                return

    # --- begin --------------------------------------------------------------------------------------------
    async def _start(self, head: Change, batch: Batch) -> Change | None:
        why = await self._against(head, batch)
        if isinstance(why, Refusal):
            done = ended(head, State.BLOCKED, self._parts, why)
            await self._end(head, done, batch, "blocked")
            return None
        if why is not None:
            return None
        now = self._parts.now()
        sending = replace(head.operations[0], state=OpState.SENDING, attempt=1, sent_at=now)
        started = replace(
            head.having(sending),
            state=State.APPLYING,
            expires_at=None,
            due_at=now,
            lease_until=now + TURN * 6,
        )
        own = replace(
            batch,
            started_at=now,
            finish_at=finish_at(now, batch),
            drawn_at=now,
            sample_at=now,
        )
        kept = await self._parts.store.commit(
            Commit(
                at=now,
                moves=(Move(head, started, unexpired_at=now),),
                events=(event(head, "started", WORKER, plan=batch.plan_hash, rows=str(batch.runs)),),
                messages=(redraw(head),),
                batch=BatchWork(own),
            )
        )
        if isinstance(kept, Lost):
            return None
        self._parts.metrics.count("changes", State.APPLYING.value)
        return kept.changes[0]

    async def _against(self, head: Change, batch: Batch) -> Refusal | str | None:
        """Why it must not run, or a word when it was put off, or None: it may."""
        now = self._parts.now()
        if self._parts.read_only:
            await self._progress.later(head, now + PAUSED)
            return "read-only"
        closed = (await self._switches.gate()).closed
        if closed is not None:
            await self._progress.paused(head, now + PAUSED, closed)
            return "paused"
        if content_hash(head) != head.content_hash or head.operations[0].after_key != batch.plan_hash:
            return reasons.HASH_MISMATCH.refuse(id=head.printed_id)
        try:
            roles = await self._identity.roles_of(head.requester.oid)
            if not {Role.OPERATOR, Role.BULK} <= roles:
                return reasons.RIGHTS_LOST.refuse(name=head.requester.name)
            leave = await self._freezing.leave(head)
            if isinstance(leave, Refusal):
                return leave
            # The rule is pinned: only whether those who approved may still decide.
            moved = await self._rejudging.as_before(head)
        except DirectoryUnavailable as error:
            await self._progress.later(head, now + (error.retry_after or RETRY))
            return "silent"
        if isinstance(moved, Moved) and head.state is not State.APPLYING:
            await self._progress.keep(head, moved.change, moved.events, moved.messages)
            return "reopened"
        return moved if isinstance(moved, Refusal) else None

    # --- go on --------------------------------------------------------------------------------------------
    async def _step(self, head: Change, batch: Batch) -> Change | None:
        """One slice, or whatever the run waits for; the head when it can go on at once."""
        now = self._parts.now()
        tally = await self._parts.store.batch_tally(batch)
        late = batch.finish_at is not None and now >= batch.finish_at
        if batch.ended is not None or late:
            why = batch.ended or _out_of_time(batch, tally)
            return await self._wind_up(head, batch, tally, why)
        if batch.held is not None:
            await self._later(head, batch.finish_at)
            return None
        held = await self._must_hold(head, batch, tally)
        if held is not None:
            await self._hold(head, batch, held)
            return None
        against = await self._against(head, batch)
        if isinstance(against, Refusal):
            what = against.reason.title.format(**against.facts)
            await self._hold(head, batch, no.APPROVALS_LOST.refuse(id=head.printed_id, what=what))
        if against is not None:
            return None
        return await self._slice(head, batch, tally)

    async def _slice(self, head: Change, batch: Batch, tally: Tally) -> Change | None:
        """The next rows, as many as the directory takes within seconds."""
        now = self._parts.now()
        room = self._pace.room(SLICE_SECONDS)
        if room < 1:
            await self._later(head, now + timedelta(seconds=self._pace.wait()))
            return None
        canary = tally.begun < batch.canary
        most = min(SLICE, room, batch.canary if canary else SLICE)
        turns = await self._parts.store.batch_turn(batch, most)
        unsent = sum(turn.change is not None for turn in turns)
        if tally.begun == batch.canary and tally.open > unsent and not batch.retried:
            await self._later(head, now + CANARY_WAIT)
            return None
        if not turns:
            return await self._wind_up(head, batch, tally, None)
        broken = [turn for turn in turns if turn.broken]
        if broken:
            return await self._drop_broken(head, batch, broken)
        checked = await self._checks.check(head, batch, turns)
        if all(row.silent is not None for row in checked):
            wait = max((row.silent for row in checked if row.silent), default=RETRY)
            await self._later(head, now + wait)
            return None
        begun = await self._slices.begin(head, batch, checked)
        if isinstance(begun, LostBecause):
            return await self._after_loss(head, begun)
        sent = await self._slices.send(begun)
        seen = await self._slices.read_back(begun, sent)
        results = self._slices.results(begun, sent, seen)
        sampled, drawn = self._sampled(batch, tally, begun.head)
        kept = await self._slices.keep(begun, sampled, results, drawn)
        put_off = [each.not_sent for each in sent.values() if each.not_sent is not None]
        if kept is None or not put_off:
            return kept
        wait = max((error.retry_after for error in put_off if error.retry_after), default=RETRY)
        await self._later(kept, self._parts.now() + wait)
        return None

    async def _drop_broken(self, head: Change, batch: Batch, broken: Sequence[Waiting]) -> Change | None:
        """Rows that cannot be read are put aside with an alarm; the others go on."""
        for turn in broken:
            alarm(_log, "row", f"row {turn.row.line} of the batch {head.printed_id} cannot be read")
        lines = tuple(turn.row.line for turn in broken)
        changes = [turn.change for turn in broken if turn.change is not None]
        why = no.ROW_BROKEN.refuse()
        gone = [(each, ended(each, State.BLOCKED, self._parts, why)) for each in changes]
        kept = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(head, head), *(Move(before, after) for before, after in gone)),
                events=(event(head, "row-unreadable", WORKER, lines=", ".join(map(str, lines))),),
                batch=BatchWork(batch, dropped=lines),
            )
        )
        return None if isinstance(kept, Lost) else next(c for c in kept.changes if c.id == head.id)

    async def _after_loss(self, head: Change, because: LostBecause) -> Change | None:
        """Another look decides: a slot, a freeze or an id was taken between the check and the commit."""
        if because in (LostBecause.SLOT_TAKEN, LostBecause.FROZEN, LostBecause.ID_TAKEN):
            return head
        if because is LostBecause.PAUSED:
            await self._later(head, self._parts.now() + PAUSED)
        return None

    def _sampled(self, batch: Batch, tally: Tally, head: Change) -> tuple[Batch, tuple[Message, ...]]:
        """The batch with the rate of the last seconds, and the redrawing of its cards when it is time."""
        now = self._parts.now()
        if batch.drawn_at is not None and now - batch.drawn_at < DRAWN_EVERY:
            return batch, ()
        since = (now - (batch.sample_at or now)).total_seconds()
        rate = (tally.settled - batch.sample_done) / since if since > 0 else 0.0
        smooth = rate if not batch.rate else 0.6 * batch.rate + 0.4 * rate
        sampled = replace(
            batch, drawn_at=now, sample_at=now, sample_done=tally.settled, rate=max(smooth, 0.0)
        )
        return sampled, (redraw(head),)

    # --- wait for somebody --------------------------------------------------------------------------------
    async def _must_hold(self, head: Change, batch: Batch, tally: Tally) -> Refusal | None:
        """After the first rows, and whenever too many of the last ones were refused by the directory."""
        if not tally.failed:
            return None
        ended_last = await self._parts.store.batch_last(batch.id, WATCHED)
        since = batch.watched_since
        recent = [c for c in ended_last if c.ended_at and (since is None or c.ended_at > since)]
        failed = [change for change in recent if change.state in _NOT_DONE]
        if not failed:
            return None
        codes = Counter(change.ending.reason.title for change in failed if change.ending)
        why = codes.most_common(1)[0][0] if codes else "no answer"
        facts = {"failed": str(len(failed)), "why": why, "id": head.printed_id}
        if tally.begun <= batch.canary and not batch.retried:
            return no.HELD_CANARY.refuse(rows=str(len(recent)), **facts)
        if len(recent) >= FEWEST and len(failed) > TOO_MANY * len(recent):
            return no.HELD_ERRORS.refuse(rows=str(len(recent)), **facts)
        return None

    async def _hold(self, head: Change, batch: Batch, why: Refusal) -> None:
        held = replace(batch, held=why, held_by=None)
        after = _free(replace(head, due_at=batch.finish_at))
        await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(head, after),),
                events=(event(head, "held", WORKER, code=why.code),),
                messages=(redraw(head), notice(head, f"held-{head.row_version}", head.requester.oid)),
                batch=BatchWork(held),
            )
        )

    # --- end ----------------------------------------------------------------------------------------------
    async def _wind_up(self, head: Change, batch: Batch, tally: Tally, why: Refusal | None) -> Change | None:
        """Nothing more begins. What is under way is settled first; rows that failed may be tried again."""
        turns = await self._parts.store.batch_turn(batch, SLICE)
        unsent = [turn.change for turn in turns if turn.change is not None]
        if unsent and why is not None:
            return await self._drop(head, unsent, why)
        if tally.open:
            await self._later(head, self._parts.now() + SETTLING)
            return None
        undone = tally.runs - tally.applied
        if why is None and undone and batch.held is None:
            facts = {"failed": str(undone), "done": str(tally.applied)}
            await self._hold(head, batch, no.ROWS_FAILED.refuse(**facts, id=head.printed_id))
            return None
        state = State.APPLIED if why is None else State.FAILED
        operation = replace(head.operations[0], state=OpState.DONE if why is None else OpState.FAILED)
        done = ended(head.having(operation), state, self._parts, why)
        await self._end(head, done, replace(batch, ended=why, held=None), "finished", tally)
        return None

    async def _drop(self, head: Change, unsent: list[Change], why: Refusal) -> Change | None:
        """Rows that were begun and provably not sent, when nothing may begin any more."""
        gone = [ended(each, State.CANCELLED, self._parts, why) for each in unsent]
        kept = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(head, head), *(Move(b, a) for b, a in zip(unsent, gone, strict=True))),
                events=tuple(event(each, "cancelled", WORKER, code=why.code) for each in gone),
            )
        )
        return None if isinstance(kept, Lost) else next(c for c in kept.changes if c.id == head.id)

    async def _end(
        self, head: Change, after: Change, batch: Batch, what: str, tally: Tally | None = None
    ) -> None:
        states = tally.by_state if tally else {}
        facts = {state.value: str(count) for state, count in states.items()}
        kept = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(head, after),),
                events=(event(head, what, WORKER, **facts, code=after.ending.code if after.ending else ""),),
                messages=(redraw(head), notice(head, "ended", head.requester.oid)),
                batch=BatchWork(batch),
            )
        )
        if not isinstance(kept, Lost):
            self._parts.metrics.count("changes", after.state.value)

    async def _later(self, head: Change, due_at: datetime | None) -> None:
        """Look again then. The lease is given back."""
        after = _free(replace(head, due_at=due_at))
        await self._parts.store.commit(Commit(at=self._parts.now(), moves=(Move(head, after),)))


def _out_of_time(batch: Batch, tally: Tally) -> Refusal:
    facts = {"done": str(tally.applied), "left": str(tally.untouched)}
    return no.OUT_OF_TIME.refuse(minutes=str(batch.finish_minutes), **facts)


def _free(change: Change) -> Change:
    return replace(change, lease_owner="", lease_until=None)
