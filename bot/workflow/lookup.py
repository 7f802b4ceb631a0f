"""From how a person was named to exactly one account, or a choice, or a refusal. Nobody is ever picked.

Knows the directory. Must not know what the person is looked up for.
"""

from __future__ import annotations

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
