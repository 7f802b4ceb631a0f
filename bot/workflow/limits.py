"""How much may be asked for: the quotas of one request, and what is said when one of them is full.

Knows the limits of the policy and what is outside them. Must not count: the store does, inside the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.approver_reasons import APPROVERS_FULL, REQUESTER_FULL
from bot.domain.change import Asked, Asking
from bot.domain.limit_reasons import NUMBER_ASKED, OPERATOR_LIMIT, TARGET_LIMIT
from bot.domain.number_reasons import NUMBER_SHARED
from bot.domain.people import Person, PersonRef, Role
from bot.domain.phone import Slot
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import Commit, Counted, Full, Quota
from bot.workflow.alerting import FLOOD, LIMIT, MANY, NUMBER, alert
from bot.workflow.judging import Cleared
from bot.workflow.parts import Parts
from bot.workflow.planning import Case
from bot.workflow.risks import holders_in

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
_OF_NUMBERS = frozenset({NUMBER_ASKED.code, NUMBER_SHARED.code})


class Quotas:
    """The limits of one installation."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def of(self, case: Case, cleared: Cleared, *, outside: bool) -> tuple[Quota, ...]:
        """What must have room for the request. outside: the daily limit of the person does not count."""
        limits = self._parts.policy.limits
        found = []
        if limits.changes_per_operator_per_hour:
            most = limits.changes_per_operator_per_hour
            found.append(Quota(Counted.REQUESTER, case.requester, most, HOUR))
        if limits.changes_per_target_per_day and not outside:
            found.append(Quota(Counted.TARGET, case.target.oid, limits.changes_per_target_per_day, DAY))
        shared = self._parts.policy.shared_number_max
        if shared and case.action.brings_a_number and case.slot is not Slot.OFFICE:
            key, left = cleared.plan.operations[0].after_key, shared - holders_in(cleared.signals)
            found.append(Quota(Counted.NUMBER, key, left, besides=case.target.oid))
        if limits.open_per_requester and not outside:
            found.append(Quota(Counted.OPEN, case.requester, limits.open_per_requester))
        return (*found, *(() if outside else self._waiting(cleared)))

    def _waiting(self, cleared: Cleared) -> tuple[Quota, ...]:
        """Room with each of those who are asked at first."""
        most = self._parts.policy.limits.open_per_approver
        asked = _asked_first(cleared)
        return tuple(Quota(Counted.WAITING, each.person.oid, most) for each in asked) if most else ()

    async def spared(self, cleared: Cleared, *, outside: bool) -> Cleared | Refusal:
        """The same without asking those for whom too much waits already, if others are enough.

        The fallback is not asked for that: who floods a manager would choose who decides instead.
        """
        waiting = () if outside else self._waiting(cleared)
        full = {each.quota.key for each in await self._parts.store.full(self._parts.now(), waiting)}
        if not full:
            return cleared
        first, *rest = cleared.steps
        left = [each for each in _asked_first(cleared) if each.person.oid not in full]
        over = [each.person for each in _asked_first(cleared) if each.person.oid in full]
        if len(left) < first.need:
            return await self._flooded(over)
        words = tuple(f"{person.name} has too many requests waiting" for person in over)
        asked = tuple(each for each in first.asked if each.person.oid not in full)
        step = replace(first, asked=asked, missing=first.missing + words)
        return replace(cleared, steps=(step, *rest))

    async def _flooded(self, people: Sequence[PersonRef]) -> Refusal:
        """Held. Security hears of it, once an hour for each of them."""
        now = self._parts.now()
        alarms = [
            alert(f"flood:{person.oid}:{now:%Y-%m-%dT%H}", FLOOD, Role.SECURITY, subject=person.oid)
            for person in people
        ]
        await self._parts.store.commit(Commit(at=now, messages=tuple(alarms)))
        most = str(self._parts.policy.limits.open_per_approver)
        return APPROVERS_FULL.refuse(names=" and ".join(person.name for person in people[:3]), most=most)

    async def against(self, case: Case, cleared: Cleared, *, outside: bool) -> tuple[Refusal, ...]:
        """What is full now: said at the preview, so that nobody fills in what cannot be sent."""
        spared = await self.spared(cleared, outside=outside)
        held = (spared,) if isinstance(spared, Refusal) else ()
        quotas = [q for q in self.of(case, cleared, outside=outside) if q.counted is not Counted.WAITING]
        full = await self._parts.store.full(self._parts.now(), quotas)
        return (*held, *[await self.refused(each, cleared, case.target) for each in full])

    async def told(self, refusals: tuple[Refusal, ...], case: Case) -> tuple[Refusal, ...]:
        """The same; of one number for too many people security hears, once an hour for each who asks."""
        if any(refusal.code in _OF_NUMBERS for refusal in refusals):
            now = self._parts.now()
            key = f"number:{case.requester}:{case.target.oid}:{now:%Y-%m-%dT%H}"
            alarm = alert(key, NUMBER, Role.SECURITY, subject=case.requester)
            await self._parts.store.commit(Commit(at=now, messages=(alarm,)))
        return refusals

    async def refused(self, full: Full, cleared: Cleared, target: Person) -> Refusal:
        """Why not, and from when on. Security hears of an operator at the limit, once until there is room."""
        if full.quota.counted is Counted.WAITING:
            asked = [each.person for each in _asked_first(cleared) if each.person.oid == full.quota.key]
            return await self._flooded(asked)
        if full.quota.counted is Counted.OPEN:
            hour = f"{self._parts.now():%Y-%m-%dT%H}"
            alarm = alert(f"open:{full.quota.key}:{hour}", MANY, Role.SECURITY, subject=full.quota.key)
            await self._parts.store.commit(Commit(at=self._parts.now(), messages=(alarm,)))
        if full.quota.counted is Counted.REQUESTER:
            alarm = alert(
                f"limit:{full.quota.key}:{full.free_at}", LIMIT, Role.SECURITY, subject=full.quota.key
            )
            await self._parts.store.commit(Commit(at=self._parts.now(), messages=(alarm,)))
        return self._refusal(full, target)

    def _refusal(self, full: Full, target: Person) -> Refusal:
        most = str(full.quota.most)
        until = f"{full.free_at:%Y-%m-%d %H:%M} UTC" if full.free_at else "a later time"
        match full.quota.counted:
            case Counted.REQUESTER:
                return OPERATOR_LIMIT.refuse(most=most, until=until)
            case Counted.TARGET:
                return TARGET_LIMIT.refuse(most=most, until=until, name=target.name, who=target.upn)
            case Counted.OPEN | Counted.WAITING:
                return REQUESTER_FULL.refuse(most=most)
            case Counted.NUMBER:
                shared = self._parts.policy.shared_number_max
                return NUMBER_ASKED.refuse(held=str(shared - full.quota.most), most=str(shared))


def _asked_first(cleared: Cleared) -> list[Asked]:
    """Who gets a card when it is submitted."""
    first = cleared.steps[:1]
    return [each for step in first for each in step.asked if each.state is Asking.ASKED]


def is_outside(case: Case, cleared: Cleared, *, repair: bool) -> bool:
    """Undo, break-glass and repairs of a frozen person: outside the daily limit, and not counted there.

    Nor is what was taken over: it was counted when it was asked for first. An onboarding was begun by
    somebody else, once: of a manager's many new people none must wait for the others.
    """
    apart = case.action in (Action.UNDO, Action.ONBOARD) or case.takes is not None
    return apart or cleared.rule.break_glass or repair
