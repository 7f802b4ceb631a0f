"""The kill switch and the breaker: closing them, opening them, and whether something may be written now.

Knows switches, the role of admins and the limit of writes. Must not write to the directory. Nothing is kept
in memory: every write asks the store, so that a switch counts on all replicas at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import command as c
from bot.domain import reasons
from bot.domain.audit import AuditEvent
from bot.domain.freeze import Lift
from bot.domain.outcome import Outcome, Page, PageKind, Refused
from bot.domain.people import Actor, PersonRef, Role
from bot.domain.phone import hide_numbers
from bot.domain.switch import NOBODY, Switch, SwitchName, first_closed
from bot.ports import Ceiling, Commit, DirectoryUnavailable, Lost, Switching
from bot.workflow.alerting import SWITCH, alert
from bot.workflow.identity import Identity
from bot.workflow.parts import Envelope, Parts

HOUR = timedelta(hours=1)
WORKER = "ringfence"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Gate:
    """What a write has to pass. closed: the switch that forbids it. ceiling: for the commit of its intent.

    turned_at: when a switch was last turned, None = never: what waited until then is not late.
    """

    closed: Switch | None
    ceiling: Ceiling
    turned_at: datetime | None


class Switches:
    """Turns switches and asks them."""

    def __init__(self, parts: Parts, identity: Identity) -> None:
        self._parts = parts
        self._identity = identity

    async def gate(self) -> Gate:
        """For the next write. Closes the breaker when the write would be one too many."""
        switches = await self._parts.store.switches()
        ceiling = self._ceiling(switches)
        closed = first_closed(switches)
        if closed is None and ceiling.most:
            sent = await self._parts.store.writes_since(ceiling.since)
            if sent >= ceiling.most:
                closed = await self._break(switches.get(SwitchName.BREAKER), ceiling.most)
        return Gate(closed, ceiling, max((switch.at for switch in switches.values()), default=None))

    async def pause(self, command: c.Pause, actor: Actor, envelope: Envelope) -> Outcome:
        """By one admin, at once; a switch that is closed already stays as it is."""
        for _ in range(_TRIES):
            held = (await self._parts.store.switches()).get(SwitchName.PAUSE)
            if held is not None and held.closed:
                break
            why = hide_numbers(command.reason.strip())[:500]
            closed = Switch(SwitchName.PAUSE, True, PersonRef.of(actor.person), self._parts.now(), why)
            if await self._turn(held, closed, "closed", actor.oid, envelope):
                break
        return await self._page(actor)

    async def resume(self, actor: Actor, envelope: Envelope) -> Outcome:
        """Opens the pause, and gives the breaker one of the yeses that it needs."""
        for name in SwitchName:
            for _ in range(_TRIES):
                held = (await self._parts.store.switches()).get(name)
                if held is None or not held.closed:
                    break
                lifters = [lift.person.oid for lift in held.lifts]
                try:
                    if await self._identity.is_one_of(actor.person, lifters):
                        break
                except DirectoryUnavailable:
                    return Refused((reasons.RIGHTS_UNKNOWN.refuse(),))
                after = self._lifted(held, PersonRef.of(actor.person))
                what = "lifted-once" if after.closed else "opened"
                if await self._turn(held, after, what, actor.oid, envelope):
                    break
        return await self._page(actor)

    # --- pieces -----------------------------------------------------------------------------------------
    def _ceiling(self, switches: dict[SwitchName, Switch]) -> Ceiling:
        """Counted over the last hour, and anew from when two admins have opened the breaker."""
        since = self._parts.now() - HOUR
        breaker = switches.get(SwitchName.BREAKER)
        if breaker is not None and not breaker.closed:
            since = max(since, breaker.at)
        return Ceiling(since, self._parts.policy.limits.writes_per_hour)

    async def _break(self, held: Switch | None, most: int) -> Switch | None:
        why = f"more than {most} writes in one hour"
        closed = Switch(SwitchName.BREAKER, True, NOBODY, self._parts.now(), why)
        if await self._turn(held, closed, "closed", WORKER, Envelope("")):
            self._parts.metrics.count("breaker", "closed")
        return first_closed(await self._parts.store.switches())

    def _lifted(self, held: Switch, by: PersonRef) -> Switch:
        now = self._parts.now()
        after = replace(held, lifts=(*held.lifts, Lift(by, now)))
        if len(after.lifts) < held.name.lifts_needed:
            return after
        return replace(after, closed=False, by=by, at=now, why="")

    async def _turn(
        self, before: Switch | None, after: Switch, what: str, actor: str, envelope: Envelope
    ) -> bool:
        now = self._parts.now()
        facts = {"by": after.by.name, "because": after.why}
        event = AuditEvent(f"switch:{after.name}:{what}", actor, "", "", envelope.correlation_id, facts)
        key = f"switch:{after.name}:{what}:{now:%Y%m%dT%H%M%S.%f}"
        done = await self._parts.store.commit(
            Commit(
                at=now,
                switchings=(Switching(before, after),),
                events=(event,),
                messages=tuple(alert(key, SWITCH, role) for role in (Role.ADMIN, Role.SECURITY)),
            )
        )
        return not isinstance(done, Lost)

    async def _page(self, actor: Actor) -> Outcome:
        switches = await self._parts.store.switches()
        return Page(PageKind.SWITCHES, roles=actor.roles, switches=tuple(switches.values()))
