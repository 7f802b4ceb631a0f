"""“This was not me”: the person concerned says that a request about their phone is not theirs.

Knows the states and the freeze. Must not undo a write, revoke anything, or take silence for an answer.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import decision_reasons as no
from bot.domain import reasons
from bot.domain.change import NOTE_DISPUTED, TERMINAL, Change, State
from bot.domain.freeze import FreezeKind
from bot.domain.outcome import Outcome, Page, PageKind, Refused
from bot.domain.people import Actor, PersonRef
from bot.ports import Commit, Lost, LostBecause, Move
from bot.workflow.endings import ended
from bot.workflow.freezing import Freezing
from bot.workflow.messages import notice, redraw
from bot.workflow.parts import Envelope, Parts, event
from bot.workflow.requests import MOVE_TRIES
from bot.workflow.views import UNSTARTED, outcome_of


class Disputing:
    """The side of the person whose phone it is."""

    def __init__(self, parts: Parts, freezing: Freezing) -> None:
        self._parts = parts
        self._freezing = freezing

    async def not_me(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        """Before the write the request ends as rejected. The person is frozen and security alarmed."""
        if change.target.oid != actor.oid or change.submitted_at is None:
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
        for left in reversed(range(MOVE_TRIES)):
            if change.disputed or await self._said_before(change, actor):
                return await self._answer(change, actor)
            # After the last try nothing is moved: what races us must not keep us from freezing.
            after = self._after(change, actor) if left else change
            done = await self._parts.store.commit(await self._commit(change, after, actor, envelope))
            if not isinstance(done, Lost):
                self._parts.metrics.count("disputes", change.state.value)
                return await self._answer(done.changes[0] if done.changes else change, actor)
            if done.because is LostBecause.RECEIVED_BEFORE or done.current is None:
                return await self._answer(done.current or change, actor)
            change = done.current
        return await self._answer(change, actor)

    async def _said_before(self, change: Change, actor: Actor) -> bool:
        """What is being written cannot be marked; there the freeze itself tells that it was said."""
        if change.state in UNSTARTED or change.state in TERMINAL:
            return False
        held = await self._parts.store.freeze_of(actor.oid)
        return held is not None and {actor.oid, change.requester.oid} <= set(held.barred)

    def _after(self, change: Change, actor: Actor) -> Change:
        """Ended when nothing was written yet; marked when it is over; what is being written goes on."""
        marked = replace(change, notes=(*change.notes, NOTE_DISPUTED))
        if change.state in TERMINAL:
            return marked
        if change.state not in UNSTARTED:
            return change
        ending = no.REJECTED_NOT_ME.refuse(id=change.printed_id, target=change.target.name)
        return ended(marked, State.REJECTED, self._parts, ending, PersonRef.of(actor.person))

    async def _commit(self, change: Change, after: Change, actor: Actor, envelope: Envelope) -> Commit:
        me = PersonRef.of(actor.person)
        mark = await self._freezing.mark(
            FreezeKind.NOT_ME, change.target, me, change=change, correlation=envelope.correlation_id
        )
        told = event(change, "disputed", me.oid, by=me.name, state=change.state.value)
        moved = after is not change
        news = (redraw(change), notice(change, "disputed", change.requester.oid)) if moved else ()
        return Commit(
            at=self._parts.now(),
            moves=(Move(change, after),) if moved else (),
            freezes=mark.freezes,
            events=(told, *mark.events),
            messages=(*news, *mark.messages),
            received=envelope.received(change.id),
        )

    async def _answer(self, change: Change, actor: Actor) -> Outcome:
        """The request as it stands, which says what was said; while it is being written, the freeze."""
        if change.disputed:
            return await outcome_of(self._parts, change, actor.oid)
        held = await self._parts.store.freeze_of(actor.oid)
        return Page(PageKind.FREEZE, person=actor.person, roles=actor.roles, freeze=held)
