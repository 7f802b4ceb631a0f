"""The time side of a change that waits: who is asked next, when somebody is reminded, when others are asked,
when an agreed change may start. Time running out is never a yes.

Knows steps and the clock. Must not know how a vote is judged nor write to the directory. Whoever moves a
change (a vote, a rejection that routes on, the worker) asks here what it becomes, and stores that at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.absence import Absence
from bot.domain.audit import AuditEvent
from bot.domain.change import Asking, Change, ResolvedStep, State
from bot.ports import Commit, DirectoryUnavailable, Lost, Message, Move
from bot.workflow.approvers import Approvers
from bot.workflow.messages import ask, notice, redraw, remind
from bot.workflow.parts import Parts, event

WORKER = "ringfence"
RETRY = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Next:
    """What a change becomes, who hears of it, and what the audit keeps of it: for the caller's commit."""

    change: Change
    messages: tuple[Message, ...] = ()
    events: tuple[AuditEvent, ...] = ()


class Waiting:
    """Every method that finds people raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts, approvers: Approvers) -> None:
        self._parts = parts
        self._approvers = approvers

    # --- what a change becomes ----------------------------------------------------------------------------
    def submitted(self, change: Change) -> Next:
        """A change that has just become PENDING with its steps resolved: the first step is asked."""
        now = self._parts.now()
        step = change.step
        if step is None:
            return Next(replace(change, asked_at=now, due_at=now))
        # Who is asked at first is in the event of the submit.
        return replace(self._asking(change, step), events=())

    async def voted(self, change: Change) -> Next:
        """A PENDING change with one more approval among its votes: waiting on, the next step, or agreed."""
        step = change.step
        if step is None:
            return Next(self._agreed(change))
        if change.votes[-1].step == step.n:
            return Next(self._timed(change))
        return await self._begin(change, step)

    async def reopened(self, change: Change) -> Next:
        """A PENDING change one of whose votes has become void: the step that lacks it is asked again."""
        again = replace(change, decided_at=None)
        step = again.step
        if step is None:
            return Next(replace(again, due_at=self._parts.now()))
        asked = await self._begin(again, step)
        people = [each.person.oid for each in asked.change.awaited]
        return replace(asked, messages=tuple(remind(change, oid) for oid in people))

    async def without(self, change: Change, oid: str, state: Asking, why: str) -> Next | None:
        """Somebody asked in the present step cannot decide, or said that others should: the fallback is asked
        at once, if there is one. None when that person is not waited for.
        """
        step = change.step
        lost = next((each for each in change.awaited if each.person.oid == oid), None)
        if change.state is not State.PENDING or step is None or lost is None:
            return None
        said = {Asking.UNREACHABLE: f"cannot be reached: {why}", Asking.OUT: f"is out {why}"}.get(state, why)
        marked = tuple(replace(each, state=state, why=why) if each is lost else each for each in step.asked)
        missing = (*step.missing, f"{lost.person.name} ({lost.via}) {said}")
        without = replace(step, asked=marked, missing=missing)
        if state is Asking.OUT:
            without = await self._approvers.stood_in(change, without)
        helped = await self._approvers.helped(change, without, at_once=state is not Asking.OUT)
        return self._added(change, step, helped, f"{state.value}-{oid}")

    def _agreed(self, change: Change) -> Change:
        """Nobody is waited for any more. Cooling counts from here, starting from the end of cooling."""
        agreed = replace(change, state=State.APPROVED, decided_at=self._parts.now())
        return replace(agreed, expires_at=agreed.start_by, due_at=agreed.decided_at)

    async def _begin(self, change: Change, step: ResolvedStep) -> Next:
        opened = await self._approvers.opened(change, step)
        return self._asking(_with(change, opened), opened)

    def _asking(self, change: Change, step: ResolvedStep) -> Next:
        """The step is asked from now on, everybody in it who can be."""
        asked = self._timed(replace(change, asked_at=self._parts.now(), reminded_at=None))
        people = [each.person for each in asked.awaited]
        facts = {"step": str(step.n), "asked": ", ".join(person.name for person in people)}
        told = event(change, "asked", WORKER, **facts, missing="; ".join(step.missing))
        return Next(asked, tuple(ask(asked, step.n, person.oid) for person in people), (told,))

    def _added(self, change: Change, before: ResolvedStep, step: ResolvedStep, what: str) -> Next:
        """People more are asked in the present step; the requester is told, once per `what`."""
        after = self._timed(_with(change, step))
        known = {each.person.oid for each in before.asked if each.state is Asking.ASKED}
        new = [each.person.oid for each in after.awaited if each.person.oid not in known]
        told = notice(change, what, change.requester.oid)
        asks = tuple(ask(after, step.n, oid) for oid in new)
        names = ", ".join(each.person.name for each in after.awaited if each.person.oid in new)
        facts = {"step": str(step.n), "asked": names, "missing": "; ".join(step.missing)}
        return Next(after, (*asks, told), (event(change, "asked-others", WORKER, **facts),))

    # --- when to look again -------------------------------------------------------------------------------
    def _timed(self, change: Change) -> Change:
        """The change with the next moment at which something happens by itself."""
        moments = [change.expires_at, self._remind_at(change), self._escalate_at(change)]
        return replace(change, due_at=min((each for each in moments if each is not None), default=None))

    def _remind_at(self, change: Change) -> datetime | None:
        """Once for each time a step is asked."""
        if not change.remind_minutes or change.asked_at is None or change.reminded_at is not None:
            return None
        return change.asked_at + timedelta(minutes=change.remind_minutes)

    def _escalate_at(self, change: Change) -> datetime | None:
        step = change.step
        if not change.escalate_minutes or change.asked_at is None or step is None or step.fallback_on:
            return None
        return change.asked_at + timedelta(minutes=change.escalate_minutes)

    # --- the worker's side --------------------------------------------------------------------------------
    async def work(self, change: Change) -> None:
        """What is due of a PENDING, APPROVED or COOLING change before it may start.

        The caller holds its lease and has seen to its expiry.
        """
        now = self._parts.now()
        try:
            found = await self._due(change, now)
        except DirectoryUnavailable as error:
            await self._keep(
                change, Next(replace(change, due_at=now + (error.retry_after or RETRY))), quiet=True
            )
            return
        await self._keep(change, found, quiet=not (found.messages or found.events))

    def may_start(self, change: Change) -> bool:
        """True when an agreed change has cooled."""
        return change.cooled_at is None or change.cooled_at <= self._parts.now()

    async def _due(self, change: Change, now: datetime) -> Next:
        if change.state is not State.PENDING:
            cooling = replace(change, state=State.COOLING, due_at=change.cooled_at)
            return Next(
                cooling, events=(event(change, "cooling", WORKER, until=f"{change.cooled_at:%FT%TZ}"),)
            )
        step = change.step
        if step is None:
            return Next(self._agreed(change), events=(event(change, "agreed", WORKER, rule=change.rule),))
        away = await self._parts.store.absences([each.person.oid for each in change.awaited], now)
        if away:
            return await self._routed(change, away)
        escalate, reminder = self._escalate_at(change), self._remind_at(change)
        if escalate is not None and escalate <= now:
            helped = await self._approvers.helped(change, step, at_once=True)
            return self._added(change, step, helped, f"escalated-{step.n}")
        if reminder is not None and reminder <= now:
            people = [each.person for each in change.awaited]
            told = event(change, "reminded", WORKER, asked=", ".join(person.name for person in people))
            reminded = self._timed(replace(change, reminded_at=now))
            return Next(reminded, tuple(remind(change, person.oid) for person in people), (told,))
        return Next(self._timed(change))

    async def _routed(self, change: Change, away: Mapping[str, Absence]) -> Next:
        """Whoever went away is not waited for; others are asked."""
        found = Next(change)
        for oid, absence in away.items():
            further = await self.without(found.change, oid, Asking.OUT, absence.words)
            if further is not None:
                found = Next(further.change, found.messages + further.messages, found.events + further.events)
        return found

    async def _keep(self, before: Change, found: Next, *, quiet: bool) -> None:
        """One commit; losing it means that somebody else was first, and nothing is done."""
        after = replace(found.change, lease_owner="", lease_until=None)
        messages = found.messages if quiet else (*found.messages, redraw(before))
        done = await self._parts.store.commit(
            Commit(at=self._parts.now(), moves=(Move(before, after),), events=found.events, messages=messages)
        )
        if not isinstance(done, Lost) and before.state is not after.state:
            self._parts.metrics.count("changes", after.state.value)


def _with(change: Change, step: ResolvedStep) -> Change:
    return replace(change, steps=tuple(step if each.n == step.n else each for each in change.steps))
