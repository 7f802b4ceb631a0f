"""Being away: until when, and what that means for the requests that wait for somebody.

Knows absences and lists of requests. Must not find approvers: the worker does when it looks at a request.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain import approver_reasons
from bot.domain.absence import LONGEST_DAYS, Absence
from bot.domain.audit import AuditEvent
from bot.domain.change import Change, State
from bot.domain.command import Out
from bot.domain.days import read_day
from bot.domain.outcome import Outcome, Page, PageKind, Refused
from bot.domain.people import Actor
from bot.ports import Commit, Listing, Lost, Move
from bot.workflow.parts import Envelope, Parts

_AT_ONCE = 200
_TRIES = 5


class Away:
    """`out until` and `back`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def answer(self, command: Out, actor: Actor, envelope: Envelope) -> Outcome:
        """Kept and audited; what waits for the speaker is looked at again at once."""
        now = self._parts.now()
        conversation = await self._parts.store.conversation(actor.oid)
        zone = _zone(conversation.timezone if conversation else "UTC")
        today = now.astimezone(zone).date()
        day = read_day(command.until, today)
        if day is None:
            return _unclear("That is no day that I understand, or it could mean two different ones.")
        if day < today:
            return _unclear("That day is over.")
        if (day - today).days > LONGEST_DAYS:
            return _unclear(
                f"At most {LONGEST_DAYS} days: somebody who is away longer should not be an approver."
            )
        until = datetime.combine(day, time(), zone).astimezone(UTC)
        absence = Absence(actor.oid, until, day)
        facts = {"by": actor.person.name, "until": day.isoformat()}
        told = AuditEvent("absence:person:out", actor.oid, actor.oid, "", envelope.correlation_id, facts)
        await self._parts.store.keep_absence(now, absence, (told,))
        if until <= now:
            return Page(PageKind.ABSENCE, roles=actor.roles)
        waiting, _ = await self._parts.store.list_changes(Listing.TO_DECIDE, actor.oid, _AT_ONCE)
        looked_at = [change for change in waiting if await self._look_again(change, actor.oid)]
        return Page(PageKind.ABSENCE, roles=actor.roles, absence=absence, more=len(looked_at))

    async def _look_again(self, change: Change, oid: str) -> bool:
        """The worker looks at the request now; False when it does not wait for this person any more."""
        for _ in range(_TRIES):
            if change.state is not State.PENDING or oid not in {each.person.oid for each in change.awaited}:
                return False
            now = self._parts.now()
            due = replace(change, due_at=now, lease_owner="", lease_until=None)
            done = await self._parts.store.commit(Commit(at=now, moves=(Move(change, due),)))
            if not isinstance(done, Lost):
                return True
            if done.current is None:
                return False
            change = done.current
        return False


def _unclear(problem: str) -> Refused:
    return Refused((approver_reasons.DATE_UNCLEAR.refuse(problem=problem),))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
