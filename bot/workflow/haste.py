"""Approvals that come faster than anybody can read, several in a row: security is told, the votes count.

Knows when a card first stood in somebody's chat. Must not refuse anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from bot.domain.audit import AuditEvent
from bot.domain.change import Change, Verdict, Vote
from bot.domain.people import Role
from bot.ports import Message
from bot.workflow.alerting import HASTE, alert
from bot.workflow.parts import Parts, event

QUICK = timedelta(seconds=2)
IN_A_ROW = 3
#: A longer run than this is told of once more at each new look.
LOOKED_AT = 30


@dataclass(frozen=True, slots=True)
class Alarm:
    """What goes into the commit of a vote; both empty when there is nothing to tell."""

    events: tuple[AuditEvent, ...] = ()
    messages: tuple[Message, ...] = ()


class Haste:
    """Looks at the pace of one approver."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def shown_at(self, change: Change, oid: str) -> datetime | None:
        """When the first card of the request was posted to this person; None when none ever was."""
        cards = await self._parts.store.cards(change.id)
        return min(
            (card.posted_at for card in cards if card.reader_oid == oid and card.posted_at), default=None
        )

    async def alarm(self, change: Change, vote: Vote) -> Alarm:
        """After every third quick approval in a row: an alert to security, and an audit event."""
        if not is_quick(vote):
            return Alarm()
        before = await self._parts.store.votes_of(vote.person.oid, LOOKED_AT)
        run = 1 + _run(before)
        if run % IN_A_ROW:
            return Alarm()
        oid, at = vote.person.oid, f"{vote.at:%Y%m%dT%H%M%S.%f}"
        told = alert(f"haste:{oid}:{change.id}:{at}", HASTE, Role.SECURITY, change_id=change.id, subject=oid)
        noted = event(change, "approved-in-haste", oid, by=vote.person.name, count=str(run))
        return Alarm((noted,), (told,))


def is_quick(vote: Vote) -> bool:
    """An approval within two seconds of the card; never when no card was posted."""
    return vote.verdict is Verdict.APPROVE and vote.shown_at is not None and vote.at - vote.shown_at < QUICK


def _run(votes: Iterable[Vote]) -> int:
    return sum(1 for _ in takewhile(is_quick, votes))
