"""Who the rows of a sheet mean: asked one by one, or looked up in a list of everybody when they are many.

Knows how names are read and what fits them. Must never guess: both ways find exactly the same people.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from bot.domain import bulk_reasons as no
from bot.domain import reasons
from bot.domain.command import Who, WhoKind
from bot.domain.naming import is_plain, read_who
from bot.domain.people import Actor, Listed, Person
from bot.domain.phone import hide_numbers
from bot.domain.reason import Refusal
from bot.domain.words import split
from bot.ports import DirectoryUnavailable
from bot.workflow.lookup import Several, look_up
from bot.workflow.parts import Parts

#: From so many rows on reading the list of everybody costs less than asking for each.
FROM_ROWS = 200
AT_ONCE = 120


class BatchFinding:
    """From the words of rows to people."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def find(self, texts: Sequence[str], actor: Actor) -> list[Person | Refusal]:
        """One answer for each text, in their order. A directory that is silent is a refusal."""
        named = [read_who(split(text, {}).words) for text in texts]
        roster: Roster | None = None
        if len(texts) >= FROM_ROWS and self._parts.reports is not None:
            try:
                roster = Roster(await self._parts.reports.roster())
            except DirectoryUnavailable as error:
                refusal = reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what)
                return [refusal for _ in texts]
        found: list[Person | Refusal] = []
        for start in range(0, len(texts), AT_ONCE):
            some = zip(texts[start : start + AT_ONCE], named[start : start + AT_ONCE], strict=True)
            found += await asyncio.gather(*(self._one(text, who, roster, actor) for text, who in some))
        return found

    async def _one(self, text: str, who: Who | None, roster: Roster | None, actor: Actor) -> Person | Refusal:
        if who is None or who.kind is WhoKind.ME:
            return no.ROW_WITHOUT_PERSON.refuse()
        # A name in a file is a whole name: the beginning of one would fit people whom nobody meant.
        who = replace(who, exact=True) if who.kind is WhoKind.NAME else who
        shown = hide_numbers(text)[:120]
        if roster is None:
            found = await look_up(self._parts.many.directory, who, actor)
            if isinstance(found, Several):
                return no.ROW_AMBIGUOUS.refuse(who=shown, count=str(len(found.people)))
            return found
        if not is_plain(who):
            return reasons.PERSON_NOT_PLAIN.refuse()
        people = roster.fitting(who)
        if not people:
            return reasons.PERSON_UNKNOWN.refuse(who=shown)
        if len(people) > 1:
            return no.ROW_AMBIGUOUS.refuse(who=shown, count=str(len(people)))
        return people[0]


class Roster:
    """Everybody, by all the words that mean exactly one of them."""

    def __init__(self, everybody: Sequence[Listed]) -> None:
        self._by: dict[tuple[WhoKind, str], dict[str, Person]] = defaultdict(dict)
        for listed in everybody:
            person = listed.person
            words = [(WhoKind.UPN, text) for text in (person.upn, *listed.addresses)]
            words += [(WhoKind.OID, person.oid), (WhoKind.NAME, person.name)]
            words += [(WhoKind.EMPLOYEE, person.employee_id)] if person.employee_id else []
            for kind, text in words:
                self._by[kind, text.casefold()][person.oid] = person

    def fitting(self, who: Who) -> list[Person]:
        """Everybody whom the whole word means."""
        return list(self._by.get((who.kind, who.value.strip().casefold()), {}).values())
