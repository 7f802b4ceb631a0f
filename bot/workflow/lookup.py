"""From how a person was named to exactly one account, or a choice, or a refusal. Nobody is ever picked.

Knows the directory. Must not know what the person is looked up for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain import reasons
from bot.domain.command import Who, WhoKind
from bot.domain.naming import is_plain
from bot.domain.people import Actor, Person
from bot.domain.phone import hide_numbers
from bot.domain.reason import Refusal
from bot.ports import Directory, DirectoryUnavailable

SHOWN_AT_MOST = 8


@dataclass(frozen=True, slots=True)
class Several:
    """More than one account fits the words."""

    people: tuple[Person, ...]


async def look_up(directory: Directory, who: Who, actor: Actor) -> Person | Several | Refusal:
    """The account that the words mean. `me` is the speaker."""
    if who.kind is WhoKind.ME:
        return actor.person
    if not is_plain(who):
        # Full-width and Cyrillic look-alikes normalise to real names: refused, never normalised.
        return reasons.PERSON_NOT_PLAIN.refuse()
    try:
        people = await directory.find(who, SHOWN_AT_MOST)
    except DirectoryUnavailable as error:
        return reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what)
    if not people:
        return reasons.PERSON_UNKNOWN.refuse(who=hide_numbers(who.value)[:120])
    if len(people) > SHOWN_AT_MOST:
        return reasons.PERSON_TOO_MANY.refuse(who=hide_numbers(who.value)[:120])
    return people[0] if len(people) == 1 else Several(tuple(people))


def among(people: Sequence[Person], who: Who) -> Person | Several | None:
    """Whom of these people the words mean; the directory is not asked, so that nothing else can be learnt."""
    if who.kind is WhoKind.ME or not is_plain(who):
        return None
    found = [person for person in people if _fits(person, who)]
    if len(found) > 1:
        return Several(tuple(found[:SHOWN_AT_MOST]))
    return found[0] if found else None


def _fits(person: Person, who: Who) -> bool:
    wanted = who.value.strip().casefold()
    match who.kind:
        case WhoKind.OID:
            return person.oid == wanted
        case WhoKind.UPN:
            return wanted in (person.upn.casefold(), (person.mail or "").casefold())
        case WhoKind.EMPLOYEE:
            return (person.employee_id or "").casefold() == wanted
        case _:
            name = person.name.casefold()
            parts = name.split()
            words = wanted.split()
            begins = bool(words) and all(any(part.startswith(word) for part in parts) for word in words)
            return name == wanted or (begins and not who.exact)
