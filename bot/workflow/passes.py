"""Temporary Access Passes: made and shown in the one moment in which their reader asks for them.

Knows the life of an approved request for a pass. Must not keep a pass: the directory tells it once, so that
the write happens in the turn of the person who sees it (ADR 16), behind the same checks and the same audited
intent as any other write. An answer that was lost is not found out by reading: what nobody saw is made void
by the next one, and is told as what it is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import reasons
from bot.domain.change import Change, OpState, State
from bot.domain.outcome import Outcome, PassShown, Refused
from bot.domain.pass_reasons import PASS_HELD, PASS_NOT_READY, PASS_NOT_SHOWN, PASS_NOT_YOURS, PASS_UNSEEN
from bot.domain.passes import may_be_shown, terms_of
from bot.domain.people import Actor
from bot.domain.reason import Refusal
from bot.ports import (
    Commit,
    DirectoryRefused,
    DirectoryUnavailable,
    DirectoryUncertain,
    Lost,
    LostBecause,
    Move,
    Pass,
)
from bot.workflow.endings import ended
from bot.workflow.freezing import Freezing
from bot.workflow.messages import notice, redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.progress import Progress, result_facts
from bot.workflow.rechecking import Rechecks
from bot.workflow.rejudging import Moved
from bot.workflow.switching import Switches
from bot.workflow.views import outcome_of

#: Teams gives a dialog up after some seconds: what is not there by then is not shown (facts of Teams).
SHOW_WITHIN = timedelta(seconds=4)
#: A turn is over long before: if its intent still stands then, its process is gone.
_GIVEN_UP = timedelta(seconds=60)


class Passes:
    """Shows passes to their readers, and closes what was never shown."""

    def __init__(self, parts: Parts, rechecks: Rechecks, freezing: Freezing, switches: Switches) -> None:
        self._parts = parts
        self._rechecks = rechecks
        self._freezing = freezing
        self._switches = switches
        self._progress = Progress(parts)

    # --- the worker's side --------------------------------------------------------------------------------
    async def work(self, change: Change) -> None:
        """What is due of an agreed request, or of one whose showing broke off. The caller holds its lease."""
        now = self._parts.now()
        until = change.start_by or now
        if change.state is State.APPLYING:
            await self._unsure(change, "the process that made it stopped")
        elif change.state is not State.UNCONFIRMED:
            ready = replace(change, due_at=until, lease_owner="", lease_until=None)
            told = (notice(change, "pass-ready", terms_of(change).reader),)
            await self._progress.step(change, ready, "ready", {"until": f"{until:%FT%TZ}"}, told=told)
        elif now < until:
            await self._progress.later(change, until)
        else:
            why = PASS_UNSEEN.refuse(minutes=str(terms_of(change).minutes))
            await self._fail(change, why)

    # --- the reader's side --------------------------------------------------------------------------------
    async def show(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """The pass, made now and told once; or why there is none, and what that means."""
        began = self._parts.now()
        if actor.oid != terms_of(change).reader:
            return Refused((PASS_NOT_YOURS.refuse(id=change.printed_id),))
        if not may_be_shown(change, began):
            return Refused((PASS_NOT_READY.refuse(id=change.printed_id, state=change.state.value),))
        try:
            why = await self._against(change)
        except DirectoryUnavailable as error:
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))
        if isinstance(why, Moved):
            await self._progress.keep(change, why.change, why.events, why.messages)
            return await self._as_it_stands(change, actor)
        if why is not None:
            return Refused((why,))
        intent = await self._intend(change, actor, envelope)
        if not isinstance(intent, Change):
            return intent
        return await self._issue(intent, actor, began + SHOW_WITHIN)

    async def _against(self, change: Change) -> Refusal | Moved | None:
        """Everything that is checked before a write. Raises DirectoryUnavailable."""
        if self._parts.read_only:
            return reasons.READ_ONLY.refuse()
        closed = (await self._switches.gate()).closed
        if closed is not None:
            return PASS_HELD.refuse(what="Nothing is written: it was stopped by an admin or by the breaker")
        leave = await self._freezing.leave(change)
        return leave if isinstance(leave, Refusal) else await self._rechecks.against(change, {}, {})

    async def _intend(self, change: Change, actor: Actor, envelope: Envelope) -> Change | Outcome:
        """The audited intent, in the commit that absorbs a second delivery of the same press."""
        now, operation = self._parts.now(), change.operations[0]
        sending = replace(operation, state=OpState.SENDING, attempt=operation.attempt + 1, sent_at=now)
        applying = replace(
            change.having(sending), state=State.APPLYING, expires_at=None, due_at=now + _GIVEN_UP
        )
        agreed = now if change.state is not State.UNCONFIRMED else None
        leave = await self._freezing.has_leave(change)
        done = await self._parts.store.commit(
            Commit(
                at=now,
                moves=(Move(change, applying, agreed, leave),),
                events=(event(applying, "attempted", actor.oid, **_facts(applying)),),
                messages=(redraw(change),),
                received=envelope.received(change.id),
                ceiling=(await self._switches.gate()).ceiling,
            )
        )
        if not isinstance(done, Lost):
            return done.changes[0]
        if done.because is LostBecause.PAUSED:
            return Refused((PASS_HELD.refuse(what="Nothing is written: it was stopped just now"),))
        return await self._as_it_stands(done.current or change, actor)

    async def _issue(self, change: Change, actor: Actor, until: datetime) -> Outcome:
        call_id = f"{change.correlation_id}-1-{change.operations[0].attempt}"
        try:
            if self._parts.now() > until:
                # Whoever slept this long may have been given up: another one may have been shown since.
                raise DirectoryUnavailable("it was held up before sending")
            issued = await self._parts.directory.issue_pass(
                change.target.oid, terms_of(change).minutes, call_id
            )
        except DirectoryUnavailable as error:
            return await self._not_made(change, error)
        except DirectoryRefused as error:
            await self._fail(change, error.refusal, error.graph_request_id)
            return Refused((error.refusal,))
        except DirectoryUncertain as error:
            return await self._unsure(change, error.what)
        return await self._given(change, issued, actor, until)

    async def _given(self, change: Change, issued: Pass, actor: Actor, until: datetime) -> Outcome:
        """Shown only if its result is kept, and in time; else nobody has seen it."""
        if self._parts.now() > until:
            return await self._unsure(change, "the directory answered too late")
        operation = change.operations[0]
        made = replace(operation, state=OpState.DONE, graph_request_id=issued.graph_request_id, acked=True)
        done = ended(change.having(made), State.APPLIED, self._parts, None)
        told = tuple(notice(change, "ended", each) for each in (change.requester.oid, change.target.oid))
        kept = await self._progress.step(change, done, "applied", _facts(done), told=told)
        if kept is None:
            return await self._as_it_stands(change, actor)
        self._parts.metrics.count("changes", done.state.value)
        return PassShown(change.target, issued.secret, issued.minutes, own=actor.oid == change.target.oid)

    # --- what else may come of it ---------------------------------------------------------------------------
    async def _not_made(self, change: Change, error: DirectoryUnavailable) -> Outcome:
        """Provably nothing was made: as before, where nothing else is open."""
        operation = replace(change.operations[0], attempt=change.operations[0].attempt - 1)
        if operation.attempt:
            return await self._unsure(change.having(operation), error.what, before=change)
        back = change.having(replace(operation, state=OpState.PLANNED, sent_at=None))
        until = change.start_by
        agreed = replace(back, state=State.APPROVED, expires_at=until, due_at=until)
        await self._progress.step(change, agreed, "not-sent", {"what": error.what})
        return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))

    async def _unsure(self, change: Change, what: str, *, before: Change | None = None) -> Outcome:
        """One may be there that nobody saw: its reader may have another made until the time is over."""
        due = change.start_by
        unsure = replace(change, state=State.UNCONFIRMED, due_at=due, lease_owner="", lease_until=None)
        await self._progress.step(before or change, unsure, "unconfirmed", {"what": what})
        return Refused((PASS_NOT_SHOWN.refuse(what=what),))

    async def _fail(self, change: Change, why: Refusal, request_id: str = "") -> None:
        operation = change.operations[0]
        failed = replace(operation, state=OpState.FAILED, graph_request_id=request_id)
        done = ended(change.having(failed), State.FAILED, self._parts, why)
        await self._progress.end(change, done, "failed", failed, why=why)

    async def _as_it_stands(self, change: Change, actor: Actor) -> Outcome:
        latest = await self._parts.store.change(change.id)
        return await outcome_of(self._parts, latest or change, actor.oid)


def _facts(change: Change) -> dict[str, str]:
    terms = terms_of(change)
    return {
        **result_facts(change.operations[0]),
        "content": change.content_hash,
        "minutes": str(terms.minutes),
        "reader": terms.reader,
    }
