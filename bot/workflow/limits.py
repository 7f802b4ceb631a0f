"""How much may be asked for: the quotas of one request, and what is said when one of them is full.

Knows the limits of the policy and what is outside them. Must not count: the store does, inside the commit.
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.limit_reasons import NUMBER_ASKED, OPERATOR_LIMIT, TARGET_LIMIT
from bot.domain.people import Person, Role
from bot.domain.phone import Slot
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import Commit, Counted, Full, Quota
from bot.workflow.alerting import LIMIT, alert
from bot.workflow.judging import Cleared
from bot.workflow.parts import Parts
from bot.workflow.planning import Case
from bot.workflow.risks import holders_in

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)


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
        if shared and case.action is Action.SET and case.slot is not Slot.OFFICE:
            key, left = cleared.plan.operations[0].after_key, shared - holders_in(cleared.signals)
            found.append(Quota(Counted.NUMBER, key, left, besides=case.target.oid))
        return tuple(found)

    async def against(self, case: Case, cleared: Cleared, *, outside: bool) -> tuple[Refusal, ...]:
        """What is full now: said at the preview, so that nobody fills in what cannot be sent."""
        full = await self._parts.store.full(self._parts.now(), self.of(case, cleared, outside=outside))
        return tuple([await self.refused(each, case.target) for each in full])

    async def refused(self, full: Full, target: Person) -> Refusal:
        """Why not, and from when on. Security hears of an operator at the limit, once until there is room."""
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
            case Counted.NUMBER:
                shared = self._parts.policy.shared_number_max
                return NUMBER_ASKED.refuse(held=str(shared - full.quota.most), most=str(shared))


def is_outside(case: Case, cleared: Cleared, *, repair: bool) -> bool:
    """Undo, break-glass and repairs of a frozen person: outside the daily limit, and not counted there."""
    return case.action is Action.UNDO or cleared.rule.break_glass or repair
