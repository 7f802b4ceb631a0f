"""Somebody's manager or the manager's manager, and whether that person counts as one by now.

Knows the ages that the policy wants of an account and of a relation. Must not know who asks or votes.
What cannot be read is said in words and not held against anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.people import Person, PersonRef
from bot.ports import DirectoryUnavailable
from bot.workflow.parts import Parts


@dataclass(frozen=True, slots=True)
class Superior:
    """person: None when the directory names nobody. why: in words why they do not count, "" = they do.

    unread: in words what could not be read about them.
    """

    person: Person | None
    why: str = ""
    unread: tuple[str, ...] = ()


class Managers:
    """Fresh answers. Every method raises DirectoryUnavailable when no manager can be read."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def of(self, target: Person | PersonRef, *, second: bool = False) -> Superior:
        """The manager, or the manager's manager."""
        first = await self._parts.directory.manager(target.oid)
        if first is None or not second:
            return await self._judged(first, ((target, first),)) if first else _nobody(target)
        above = await self._parts.directory.manager(first.oid)
        if above is None:
            return _nobody(first)
        return await self._judged(above, ((target, first), (first, above)))

    async def _judged(
        self, person: Person, relations: tuple[tuple[Person | PersonRef, Person], ...]
    ) -> Superior:
        terms, now = self._parts.policy.deciding, self._parts.now()
        unread = []
        if terms.manager_account_days:
            if person.created_at is None:
                unread.append(f"how old the account of {person.name} is cannot be read")
            elif now - person.created_at < timedelta(days=terms.manager_account_days):
                days = _days(now, person.created_at)
                why = f"has an account that is {days} old; the policy wants {terms.manager_account_days} days"
                return Superior(person, why)
        if not terms.manager_relation_days:
            return Superior(person, unread=tuple(unread))
        for below, above in relations:
            since = await self._changed(below, now - timedelta(days=terms.manager_relation_days))
            if isinstance(since, str):
                unread.append(
                    f"since when {above.name} is the manager of {below.name} cannot be read: {since}"
                )
            elif since is not None:
                wanted = f"the policy wants {terms.manager_relation_days} days"
                what = f"the manager of {below.name} was changed {_days(now, since)} ago; {wanted}"
                return Superior(person, f"does not count yet: {what}")
        return Superior(person, unread=tuple(unread))

    async def _changed(self, person: Person | PersonRef, since: datetime) -> datetime | str | None:
        """When the manager was changed last, None = not since then; or in words why that cannot be read."""
        try:
            return await self._parts.directory.manager_changed(person.oid, since)
        except DirectoryUnavailable as error:
            return error.what


def _nobody(person: Person | PersonRef) -> Superior:
    return Superior(None, f"{person.name} has no manager in the directory")


def _days(now: datetime, then: datetime) -> str:
    days = (now - then).days
    return "less than a day" if days < 1 else f"{days} day{'' if days == 1 else 's'}"
