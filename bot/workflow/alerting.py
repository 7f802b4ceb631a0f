"""Alerts: from "everybody of a role" to people, and what an alert shows when it is delivered.

Knows roles, their members and who can be reached. Must not know why somebody is alerted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.domain import reasons
from bot.domain.change import Change
from bot.domain.outcome import Outcome, Page, PageKind, Refused, Row
from bot.domain.people import Person, Role
from bot.ports import Commit, Delivered, Delivery, DirectoryUnavailable, Listing, Message, MessageKind
from bot.telemetry import alarm
from bot.workflow.parts import Parts

# More people of one role than this are no on-call list; the others read it in `history`.
ALERTED_AT_MOST = 50
SHOWN_AT_MOST = 5
_ROLE = "role:"
FREEZE, SWITCH, CHANGE, LIMIT, HASTE = "freeze", "switch", "change", "limit", "haste"
FLOOD, MANY, NUMBER = "flood", "many", "number"

_CONCERNS = {
    LIMIT: (PageKind.AT_LIMIT, Listing.MINE),
    HASTE: (PageKind.HASTY, Listing.DECIDED),
    FLOOD: (PageKind.FLOODED, Listing.TO_DECIDE),
    MANY: (PageKind.MANY_OPEN, Listing.MINE),
    NUMBER: (PageKind.SAME_NUMBER, Listing.MINE),
}

log = logging.getLogger(__name__)


def alert(key: str, topic: str, to: str | Role, *, change_id: str = "", subject: str = "") -> Message:
    """An alert to one person or to everybody who has a role when it is delivered.

    topic: FREEZE (of subject), SWITCH, CHANGE, LIMIT (reached by subject), HASTE (of subject), FLOOD (too
    much waits for subject), MANY (too much of subject is open) or NUMBER (subject wants one number for too
    many people). key: unique without the addressee.
    """
    to_oid = f"{_ROLE}{to.value}" if isinstance(to, Role) else to
    return Message(f"{key}:{to_oid}", MessageKind.ALERT, change_id, to_oid, subject=subject, topic=topic)


class Alerting:
    """The deliverer's side of alerts."""

    def __init__(self, parts: Parts, present: Callable[[Change, str], Awaitable[Outcome]]) -> None:
        """present: a change as one reader sees it now."""
        self._parts = parts
        self._present = present

    def is_for_a_role(self, message: Message) -> bool:
        return message.kind is MessageKind.ALERT and message.to_oid.startswith(_ROLE)

    async def fan_out(self, message: Message) -> Delivered:
        """One message for each member who can be reached. Nobody reached is an alarm of its own."""
        role = Role(message.to_oid.removeprefix(_ROLE))
        try:
            members = await self._members(role)
        except DirectoryUnavailable as error:
            return Delivered(Delivery.LATER, error.what, error.retry_after)
        reaches = await asyncio.gather(*(self._parts.messenger.reach(person.oid) for person in members))
        reached = [person for person, reach in zip(members, reaches, strict=True) if reach.ok]
        for _ in range(len(members) - len(reached)):
            self._parts.metrics.count("alerts", "unreachable")
        if not reached:
            self.lost(message, f"nobody of the role {role.value} can be reached")
            return Delivered(Delivery.DONE)
        each = (replace(message, key=f"{message.key}:{p.oid}", to_oid=p.oid) for p in reached)
        await self._parts.store.commit(Commit(at=self._parts.now(), messages=tuple(each)))
        return Delivered(Delivery.DONE)

    def lost(self, message: Message, why: str) -> None:
        """Somebody had to know and does not: the log and the metric are what is left."""
        self._parts.metrics.count("alerts", "nobody" if self.is_for_a_role(message) else "undelivered")
        about = message.change_id or message.subject
        alarm(log, "alert", f"an alert was not delivered ({message.topic}, {about}): {why}")

    async def shown(self, message: Message) -> Outcome:
        """How what the alert is about stands now, for its reader."""
        if message.topic == FREEZE:
            return Page(PageKind.FREEZE, freeze=await self._parts.store.last_freeze(message.subject))
        if message.topic == SWITCH:
            return Page(PageKind.SWITCHES, switches=tuple((await self._parts.store.switches()).values()))
        if message.topic in _CONCERNS:
            return await self._concern(message)
        change = await self._parts.store.change(message.change_id)
        if change is None:
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=message.change_id),))
        return await self._present(change, message.to_oid)

    async def _concern(self, message: Message) -> Outcome:
        """Somebody whose doings security should look at, with what they did last."""
        kind, of = _CONCERNS[message.topic]
        changes, more = await self._parts.store.list_changes(of, message.subject, SHOWN_AT_MOST)
        people = [vote.person for change in changes for vote in change.votes]
        people += [change.requester for change in changes]
        people += [each.person for change in changes for each in change.awaited]
        who = next((person for person in people if person.oid == message.subject), None)
        rows = tuple(Row(change=change, at=change.submitted_at) for change in changes)
        person = Person(who.oid, who.name, who.upn) if who else await self._person(message.subject)
        return Page(kind, rows, person=person, more=more)

    async def _person(self, oid: str) -> Person | None:
        """Somebody who is in none of their requests yet; None when the directory is silent."""
        try:
            return await self._parts.directory.person(oid)
        except DirectoryUnavailable:
            return None

    async def _members(self, role: Role) -> list[Person]:
        groups = sorted(self._parts.policy.roles.get(role, frozenset()))
        found = await asyncio.gather(
            *(self._parts.directory.members(group, ALERTED_AT_MOST) for group in groups)
        )
        people = {person.oid: person for members in found for person in members}
        able = [person for person in people.values() if person.enabled and not person.guest]
        return able[:ALERTED_AT_MOST]
