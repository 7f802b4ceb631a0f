"""Who has a part in one request, and so does not count as an approver of it: by account and by person.

Knows requester, target, those excluded and those who voted. Must not know tokens, groups or managers.
Two accounts with the same employee id are one person (`policy.person_key`); who has none cannot be compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.people import Person
from bot.ports import Directory


@dataclass(frozen=True, slots=True)
class Circle:
    """requester, target, excluded, voters: object ids. keys: their names by employee id.

    unknown: names of those whose employee id is not in the directory. Without `policy.person_key` keys and
    unknown are empty.
    """

    requester: str
    target: str
    excluded: frozenset[str]
    voters: frozenset[str]
    keys: dict[str, str]
    unknown: tuple[str, ...] = ()

    def same_as(self, person: Person) -> str | None:
        """The name of the account that is the same person as this one, or None."""
        key = key_of(person)
        return self.keys.get(key) if key else None


async def circle_of(
    directory: Directory,
    requester: str,
    target: str,
    excluded: Iterable[str],
    voters: Iterable[str] = (),
    *,
    person_key: bool,
) -> Circle:
    """Read afresh. voters: those whose vote counts already. Raises DirectoryUnavailable."""
    out, counted = frozenset(excluded), frozenset(voters)
    if not person_key:
        return Circle(requester, target, out, counted, {})
    oids = tuple(dict.fromkeys((requester, target, *sorted(out), *sorted(counted))))
    people = [p for p in await asyncio.gather(*map(directory.person, oids)) if p is not None]
    keys = {key: person.name for person in reversed(people) if (key := key_of(person))}
    unknown = tuple(person.name for person in people if not key_of(person))
    return Circle(requester, target, out, counted, keys, unknown)


def key_of(person: Person) -> str:
    """The employee id for comparing, "" when there is none."""
    return (person.employee_id or "").strip().casefold()
