"""Freezing people and lifting it: who may, how often, who is told, and what a freeze stops.

Knows freezes and the role of security. Must not decide a change; who decides and who applies ask here for
leave, and put a mark that is made here into their own commit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain import command as c
from bot.domain import reasons, stop_reasons
from bot.domain.audit import AuditEvent
from bot.domain.change import Change
from bot.domain.freeze import DECIDERS_WHEN_FROZEN, LIFTS_NEEDED, Freeze, FreezeKind, Lift
from bot.domain.outcome import Choice, Outcome, Page, PageKind, Refused
from bot.domain.people import Actor, Person, PersonRef, Role
from bot.domain.phone import hide_numbers
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Lost, Message, Thaw
from bot.workflow.alerting import CHANGE, FREEZE, alert
from bot.workflow.identity import Identity
from bot.workflow.lookup import Several, look_up
from bot.workflow.parts import Envelope, Parts

# An approver who freezes more than a handful in a day stops the helpdesk rather than a fraud; whoever freezes
# themselves a third time needs security, not another alarm. Security itself has no cap.
CAPS = {FreezeKind.SELF: 3, FreezeKind.FRAUD: 5}
DAY = timedelta(hours=24)
_TRIES = 5
_HOW = {
    FreezeKind.SELF: "They froze it themselves",
    FreezeKind.NOT_ME: "They said that a request was not theirs",
    FreezeKind.FRAUD: "An approver took a request for fraud",
    FreezeKind.SECURITY: "IT security froze it",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What goes into one commit to freeze somebody. freezes is empty when the cap of the day is reached."""

    freezes: tuple[Freeze, ...]
    events: tuple[AuditEvent, ...]
    messages: tuple[Message, ...]


class Freezing:
    """Freezes and lifts. Methods that look people up raise DirectoryUnavailable unless they say otherwise."""

    def __init__(self, parts: Parts, identity: Identity) -> None:
        self._parts = parts
        self._identity = identity

    # --- what others ask --------------------------------------------------------------------------------
    async def leave(self, change: Change) -> Refusal | bool:
        """Whether the change may go forward: False = its person is not frozen, True = despite the freeze.

        Goes into `Move.despite_freeze`; a commit that is lost because FROZEN asks again here.
        """
        people = sum(step.need for step in change.steps)
        return await self.leave_for(change.target.oid, change.requester.oid, people)

    async def leave_for(self, target: str, requester: str, people: int) -> Refusal | bool:
        """The same for a request that is not stored yet. people: how many must decide it."""
        freeze = await self._parts.store.freeze_of(target)
        if freeze is None:
            return False
        may = people >= DECIDERS_WHEN_FROZEN and requester not in freeze.barred
        if may and await self._identity.holds(requester, Role.SECURITY):
            return True
        return frozen(freeze)

    async def has_leave(self, change: Change) -> bool:
        """For the commit of a write: True when its person is frozen and it may go on. Never raises."""
        try:
            return await self.leave(change) is True
        except DirectoryUnavailable:
            return False

    async def mark(
        self,
        kind: FreezeKind,
        person: PersonRef,
        by: PersonRef,
        *,
        change: Change | None = None,
        why: str = "",
        correlation: str = "",
    ) -> Mark:
        """A freeze with its audit event and the alarm to security, for the caller's commit.

        change: the disputed request. Never raises; over the cap security is alarmed all the same.
        """
        now = self._parts.now()
        barred = (by.oid, *((change.requester.oid,) if change else ()))
        about = change.id if change else ""
        freeze = Freeze(person, by, kind, now, about, hide_numbers(why.strip())[:500], barred)
        over = await self._over(kind, by.oid)
        facts = {"kind": kind.value, "by": by.name, "because": freeze.why}
        facts |= {"id": change.printed_id} if change else {}
        name = "person:freeze:limit" if over else "person:freeze:set"
        event = AuditEvent(name, by.oid, person.oid, about, correlation, facts)
        if over:
            alarm = alert(f"{about}:limit:{by.oid}", CHANGE, Role.SECURITY, change_id=about)
            return Mark((), (event,), (alarm,))
        alarm = self._alert(freeze, "set", Role.SECURITY)
        told = () if by.oid == person.oid else (self._alert(freeze, "set", person.oid),)
        return Mark((freeze,), (event,), (alarm, *told))

    # --- commands ---------------------------------------------------------------------------------------
    def is_own(self, command: c.Freeze, actor: Actor) -> bool:
        """`freeze me` is open to everyone."""
        return command.who.kind is c.WhoKind.ME or command.who.value.lower() in (
            actor.oid,
            actor.person.upn.lower(),
        )

    async def freeze(self, command: c.Freeze, actor: Actor, envelope: Envelope) -> Outcome:
        """By everybody for themselves, by security for anybody."""
        found = await self._find(command, actor)
        if not isinstance(found, Person):
            return found
        own = found.oid == actor.oid
        held = await self._parts.store.freeze_of(found.oid)
        if held is not None and actor.oid in held.barred:
            return _page(found, actor, held)
        kind = FreezeKind.SELF if own else FreezeKind.SECURITY
        if await self._over(kind, actor.oid):
            return Refused((stop_reasons.FREEZES_TODAY.refuse(limit=str(CAPS[kind])),))
        by, person = PersonRef.of(actor.person), PersonRef.of(found)
        mark = await self.mark(kind, person, by, why=command.reason, correlation=envelope.correlation_id)
        await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                freezes=mark.freezes,
                events=mark.events,
                messages=mark.messages,
                received=envelope.received(),
            )
        )
        self._parts.metrics.count("freezes", kind.value)
        return _page(found, actor, await self._parts.store.freeze_of(found.oid))

    async def unfreeze(self, command: c.Unfreeze, actor: Actor, envelope: Envelope) -> Outcome:
        """By two of security who have no part in it; the first lift waits for the second."""
        found = await self._find(command, actor)
        if not isinstance(found, Person):
            return found
        for _ in range(_TRIES):
            held = await self._parts.store.freeze_of(found.oid)
            if held is None or actor.oid in held.lifted_by:
                return _page(found, actor, held)
            try:
                # As accounts and as people: two accounts of one person are one lift.
                parties = {found.oid, *held.barred, *held.lifted_by}
                barred = await self._identity.is_one_of(actor.person, parties)
            except DirectoryUnavailable:
                return Refused((reasons.RIGHTS_UNKNOWN.refuse(),))
            if barred:
                return Refused((stop_reasons.LIFT_BARRED.refuse(who=found.upn),))
            after = self._lifted(held, actor)
            done = await self._parts.store.commit(self._lifting(held, after, actor, envelope))
            if not isinstance(done, Lost):
                self._parts.metrics.count("freezes", "ended" if after.ended_at else "lifted-once")
                return _page(found, actor, after)
        return _page(found, actor, await self._parts.store.freeze_of(found.oid))

    # --- pieces -----------------------------------------------------------------------------------------
    async def _find(self, command: c.Freeze | c.Unfreeze, actor: Actor) -> Person | Outcome:
        found = await look_up(self._parts.directory, command.who, actor)
        if isinstance(found, Refusal):
            return Refused((found,))
        return Choice(found.people, command) if isinstance(found, Several) else found

    async def _over(self, kind: FreezeKind, by: str) -> bool:
        cap = CAPS.get(kind)
        if cap is None:
            return False
        return await self._parts.store.freezes_by(by, kind, self._parts.now() - DAY) >= cap

    def _lifted(self, freeze: Freeze, actor: Actor) -> Freeze:
        now = self._parts.now()
        after = replace(freeze, lifts=(*freeze.lifts, Lift(PersonRef.of(actor.person), now)))
        return replace(after, ended_at=now) if len(after.lifts) >= LIFTS_NEEDED else after

    def _lifting(self, before: Freeze, after: Freeze, actor: Actor, envelope: Envelope) -> Commit:
        what = "ended" if after.ended_at else "lifted-once"
        facts = {"by": actor.person.name, "kind": before.kind.value}
        event = AuditEvent(
            f"person:freeze:{what}",
            actor.oid,
            before.person.oid,
            before.change_id,
            envelope.correlation_id,
            facts,
        )
        # Who froze and who is frozen hear of the end; security of each step.
        people = dict.fromkeys((before.person.oid, before.by.oid)) if after.ended_at else {}
        told = tuple(self._alert(after, what, to) for to in (Role.SECURITY, *people))
        return Commit(
            at=self._parts.now(),
            thaws=(Thaw(before, after),),
            events=(event,),
            messages=told,
            received=envelope.received(),
        )

    def _alert(self, freeze: Freeze, what: str, to: str | Role) -> Message:
        oid, at = freeze.person.oid, f"{self._parts.now():%Y%m%dT%H%M%S.%f}"
        return alert(f"freeze:{oid}:{what}:{at}", FREEZE, to, change_id=freeze.change_id, subject=oid)


def frozen(freeze: Freeze) -> Refusal:
    """Why nothing goes forward for a frozen person."""
    return stop_reasons.FROZEN.refuse(
        name=freeze.person.name,
        who=freeze.person.upn,
        how=_HOW[freeze.kind],
        since=f"{freeze.at:%Y-%m-%d %H:%M} UTC",
    )


def _page(person: Person, actor: Actor, freeze: Freeze | None) -> Page:
    return Page(PageKind.FREEZE, person=person, roles=actor.roles, freeze=freeze)
