"""Questions that change nothing: show, history, status, lists, help.

Knows the directory and the store as readers. Must not write, except that access is audited by the desk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from bot.domain import reasons
from bot.domain.access import MAY_SEE_ANY_STATUS, may
from bot.domain.change import Change
from bot.domain.command import History, Show, Who, WhoKind
from bot.domain.methods import Registration, SignIn
from bot.domain.outcome import Choice, Outcome, Page, PageKind, Refused, Row
from bot.domain.people import Actor, Protection, Role
from bot.domain.phone import Slot
from bot.domain.reason import Refusal
from bot.domain.standing import Standing
from bot.ports import DirectoryUnavailable, Listing
from bot.workflow.lookup import Several, look_up
from bot.workflow.parts import Parts
from bot.workflow.views import may_see, outcome_of

ROWS = 10
_Read = TypeVar("_Read")


class Reading:
    """Read-only answers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def show(self, command: Show, actor: Actor) -> Outcome:
        """The phones of a person, masked, how the sign-in stands, and the open requests about them.

        Only the phones must be readable; of the rest the page says what is not known, and why.
        """
        who = command.who or Who(WhoKind.ME, "me")
        found = await look_up(self._parts.directory, who, actor)
        if isinstance(found, Refusal):
            return Refused((found,))
        if isinstance(found, Several):
            return Choice(found.people, command)
        freeze = await self._parts.store.freeze_of(found.oid)
        if found.oid != actor.oid and Role.OPERATOR not in actor.roles and freeze is None:
            # Security looks only at who is frozen; `history` and `who has` are theirs.
            return Refused((reasons.NO_ROLE.refuse(),))
        phones, sign_in, report, protection, open_changes = await asyncio.gather(
            _or_why(self._parts.directory.phones(found.oid)),
            _or_why(self._parts.directory.sign_in(found.oid)),
            _or_why(self._parts.directory.registration(found.oid)),
            _or_why(self._protection(found.oid)),
            self._parts.store.open_for(found.oid),
        )
        if isinstance(phones, str):
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=phones),))
        rows = []
        for slot in Slot:
            number = phones.get(slot)
            rows.append(Row((slot.word, number.masked if number else "")))
        rows += [Row(change=change, at=change.submitted_at) for change in open_changes]
        standing = Standing(
            sign_in=SignIn(readable=False, why=sign_in) if isinstance(sign_in, str) else sign_in,
            registration=Registration(readable=False, why=report) if isinstance(report, str) else report,
            sms=phones.sms_sign_in if phones.get(Slot.MOBILE) else None,
            protection=None if isinstance(protection, str) else protection.facts,
            why_unread=protection if isinstance(protection, str) else "",
        )
        return Page(
            PageKind.SHOW, tuple(rows), person=found, roles=actor.roles, standing=standing, freeze=freeze
        )

    async def _protection(self, oid: str) -> Protection:
        policy = self._parts.policy
        return await self._parts.directory.protection(oid, policy.protected, policy.all_groups())

    async def history(self, command: History, actor: Actor) -> Outcome:
        """What happened to a person's phones through us, newest first."""
        found = await look_up(self._parts.directory, command.who or Who(WhoKind.ME, "me"), actor)
        if isinstance(found, Refusal):
            return Refused((found,))
        if isinstance(found, Several):
            return Choice(found.people, command)
        records, more = await self._parts.store.history(found.oid, ROWS)
        rows = tuple(
            Row((record.event.name, _detail(record.event.facts)), at=record.at) for record in records
        )
        return Page(PageKind.HISTORY, rows, person=found, roles=actor.roles, more=more)

    async def status(self, change: Change, actor: Actor) -> Outcome:
        """The present state of one request, for those concerned and for roles that may see any."""
        if not may_see(change, actor.oid, actor.roles, MAY_SEE_ANY_STATUS):
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
        return await outcome_of(self._parts, change, actor.oid, roles=actor.roles)

    async def listing(self, kind: PageKind, listing: Listing, actor: Actor) -> Outcome:
        """My requests, what waits for me, or everything open."""
        changes, more = await self._parts.store.list_changes(listing, actor.oid, ROWS)
        rows = tuple(Row(change=change, at=change.submitted_at or change.created_at) for change in changes)
        return Page(kind, rows, roles=actor.roles, more=more)

    def explain(self, code: str) -> Outcome:
        """The words behind a code."""
        reason = reasons.find(code)
        if reason is None:
            return Refused((reasons.CODE_UNKNOWN.refuse(code=code[:80]),))
        return Page(PageKind.EXPLAIN, reason=reason)

    def show_is_own(self, command: Show, actor: Actor) -> bool:
        """`show me` is open to everyone."""
        own = command.who is None or command.who.kind is WhoKind.ME or command.who.value == actor.oid
        return own or may(Show, actor.roles)


async def _or_why(reading: Awaitable[_Read]) -> _Read | str:
    """The reading, or why there is none in short words."""
    try:
        return await reading
    except DirectoryUnavailable as error:
        return error.what


def _detail(facts: Mapping[str, str]) -> str:
    parts = [facts.get("by", ""), facts.get("id", "")]
    if facts.get("before") or facts.get("after"):
        parts.append(f"{facts.get('before', '')} → {facts.get('after', '')}")
    parts += [facts[key] for key in ("because", "code", "graph_request_id") if facts.get(key)]
    return " · ".join(part for part in parts if part)
