"""Who is speaking, and what may they do: looked up in the directory, no answer = no.

Knows roles and groups. Must not know commands beyond the access table, nor anything about targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.domain import reasons
from bot.domain.people import Actor, Person, Role
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow.parts import Parts

CACHE = timedelta(seconds=60)
CACHED_PEOPLE = 10_000


class Identity:
    """Looks people up as actors. A short memory serves answers that decide nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[str, tuple[datetime, Actor]] = {}

    async def actor(self, oid: str, *, fresh: bool = True) -> Actor | Refusal:
        """The enabled member account behind an object id with its roles, or the one refusal.

        fresh=False may answer from at most 60 s ago; use it only where nothing is decided.
        """
        now = self._parts.now()
        known = self._known.get(oid)
        if not fresh and known is not None and now - known[0] < CACHE:
            return known[1]
        person, groups = await asyncio.gather(
            self._parts.directory.person(oid),
            self._parts.directory.member_of(oid, self._parts.policy.all_groups()),
            return_exceptions=True,
        )
        # Whoever is not in our directory has no groups to read either: that is a plain no, not an outage.
        if person is not None and isinstance(groups, BaseException):
            person = groups
        if isinstance(person, DirectoryUnavailable):
            return reasons.RIGHTS_UNKNOWN.refuse()
        if isinstance(person, BaseException):
            raise person
        if person is None or isinstance(groups, BaseException) or not person.enabled or person.guest:
            self._known.pop(oid, None)
            return reasons.NO_ROLE.refuse()
        actor = Actor(person, self._parts.policy.roles_from(groups))
        if len(self._known) >= CACHED_PEOPLE:
            self._known.clear()
        self._known[oid] = (now, actor)
        return actor

    async def is_one_of(self, person: Person, oids: Iterable[str]) -> bool:
        """True when the person is one of these accounts, or has one of them as well (same employee id).

        Raises DirectoryUnavailable.
        """
        others = sorted(set(oids))
        if person.oid in others:
            return True
        if not self._parts.policy.person_key or not person.employee_id:
            return False
        for oid in others:
            other = await self._parts.directory.person(oid)
            if other is not None and other.employee_id == person.employee_id:
                return True
        return False

    async def holds(self, oid: str, role: Role) -> bool:
        """True when the person is an enabled member and holds the role now. Raises DirectoryUnavailable."""
        return role in await self.roles_of(oid)

    async def roles_of(self, oid: str) -> frozenset[Role]:
        """The roles of an enabled member now; nobody else has any. Raises DirectoryUnavailable."""
        actor = await self.actor(oid)
        if isinstance(actor, Refusal):
            if actor.code == reasons.RIGHTS_UNKNOWN.code:
                raise DirectoryUnavailable("groups of a person could not be read")
            return frozenset()
        return actor.roles
