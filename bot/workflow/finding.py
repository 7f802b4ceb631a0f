"""From one token of a policy to the people it stands for: who counts, who is out, who stands in, who can be
reached.

Knows the directory, absences and reach. Must not know steps, nor how many people are needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain.change import Asked, Asking
from bot.domain.people import Person, PersonRef, Role
from bot.domain.policy import Token, TokenKind
from bot.ports import DirectoryUnavailable
from bot.workflow.circle import Circle, circle_of, key_of
from bot.workflow.managers import Managers
from bot.workflow.parts import Parts

ASKED_AT_MOST = 25
OPERATORS_READ = 999
MANAGERS = (TokenKind.MANAGER, TokenKind.SECOND_MANAGER)


@dataclass(frozen=True, slots=True)
class Found:
    """What one token, or several, came to. keys: employee id by object id, where it is known.

    wanted: how many people it stands for, those who cannot be asked now included.
    """

    asked: tuple[Asked, ...] = ()
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    wanted: int = 0

    @property
    def able(self) -> int:
        return sum(each.state is Asking.ASKED for each in self.asked)


@dataclass(frozen=True, slots=True)
class Setting:
    """What every token is resolved against. operators: those who may not approve here."""

    circle: Circle
    target: Person
    operators: frozenset[str]


class Finding:
    """Every method raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts, managers: Managers) -> None:
        self._parts = parts
        self._managers = managers

    async def setting(
        self, requester: str, target: Person, excluded: Iterable[str], voters: Iterable[str] = ()
    ) -> Setting:
        directory, key = self._parts.directory, self._parts.policy.person_key
        circle, operators = await asyncio.gather(
            circle_of(directory, requester, target.oid, excluded, voters, person_key=key), self._operators()
        )
        return Setting(circle, target, operators)

    async def people(self, token: Token, setting: Setting, *, fallback: bool) -> Found:
        candidates, missing, unread = await self._candidates(token, setting.target)
        able, words = [], token_words(token)
        for person in candidates:
            why = _excluded(person, setting)
            if why is None:
                able.append(person)
            elif token.kind in MANAGERS:
                missing.append(f"{person.name} ({words}) {why}")
        asked = [Asked(PersonRef.of(person), words, fallback) for person in able[:ASKED_AT_MOST]]
        found = await self._reached(asked)
        stands_in = await self.stand_ins(found.asked, setting)
        if not found.asked and not found.missing and not missing:
            missing.append(f"nobody in {words} can approve this")
        return Found(
            found.asked + stands_in.asked,
            (*missing, *found.missing, *stands_in.missing),
            tuple(unread),
            tuple((person.oid, key) for person in able if (key := key_of(person))) + stands_in.keys,
            len(asked),
        )

    async def _candidates(self, token: Token, target: Person) -> tuple[list[Person], list[str], list[str]]:
        """People of one token; in words who is not there, and what could not be read."""
        if token.kind in MANAGERS:
            found = await self._managers.of(target, second=token.kind is TokenKind.SECOND_MANAGER)
            if found.person is None:
                return [], [found.why], []
            if found.why:
                return [], [f"{found.person.name} ({token_words(token)}) {found.why}"], []
            return [found.person], [], list(found.unread)
        groups = self._parts.policy.groups_of(token)
        lists = await asyncio.gather(
            *(self._parts.directory.members(group, ASKED_AT_MOST * 2) for group in sorted(groups))
        )
        return [person for people in lists for person in people], [], []

    async def _operators(self) -> frozenset[str]:
        if self._parts.policy.operator_may_approve:
            return frozenset()
        groups = self._parts.policy.roles.get(Role.OPERATOR, frozenset())
        lists = await asyncio.gather(
            *(self._parts.directory.members(group, OPERATORS_READ) for group in sorted(groups))
        )
        return frozenset(person.oid for people in lists for person in people)

    async def _reached(self, people: Sequence[Asked]) -> Found:
        """Who of them can be asked now; who is out stays among them, since they may decide all the same."""
        away = await self._parts.store.absences([each.person.oid for each in people], self._parts.now())
        here = [each for each in people if each.person.oid not in away]
        reaches = await asyncio.gather(*(self._parts.messenger.reach(each.person.oid) for each in here))
        answers = dict(zip((each.person.oid for each in here), reaches, strict=True))
        asked, missing = [], []
        for each in people:
            name = f"{each.person.name} ({each.via})"
            absence = away.get(each.person.oid)
            if absence is not None:
                asked.append(replace(each, state=Asking.OUT, why=absence.words))
                missing.append(f"{name} is out {absence.words}")
            elif answers[each.person.oid].ok:
                asked.append(each)
            else:
                missing.append(f"{name} cannot be reached: {answers[each.person.oid].why}")
        return Found(tuple(asked), tuple(missing))

    async def stand_ins(self, asked: Sequence[Asked], setting: Setting) -> Found:
        """Whom the directory names for those who are out; every check applies to them, and no chains."""
        away = [each for each in asked if each.state is Asking.OUT]
        if not self._parts.policy.deciding.stand_ins:
            return Found()
        return united([await self._stand_in(each, setting) for each in away])

    async def _stand_in(self, absent: Asked, setting: Setting) -> Found:
        try:
            person = await self._parts.directory.stand_in(absent.person.oid)
        except DirectoryUnavailable as error:
            why = f"who stands in for {absent.person.name} cannot be read: {error.what}"
            return Found(missing=(why,))
        if person is None:
            return Found()
        why_not = _excluded(person, setting)
        if why_not is not None:
            return Found(missing=(f"{person.name}, who stands in for {absent.person.name}, {why_not}",))
        one = Asked(PersonRef.of(person), absent.via, absent.fallback, stands_for=absent.person.oid)
        reached = await self._reached([one])
        asked = tuple(each for each in reached.asked if each.state is Asking.ASKED)
        key = key_of(person)
        return Found(asked, reached.missing, keys=((person.oid, key),) if key else ())


def parse_token(text: str) -> Token:
    """A token as stored with a change: `manager-of-target`, `role:NAME`, `group:ID`."""
    kind, _, value = text.partition(":")
    return Token(TokenKind(kind), value)


def token_words(token: Token) -> str:
    if token.kind is TokenKind.SECOND_MANAGER:
        return "manager's manager"
    return "manager" if token.kind is TokenKind.MANAGER else f"the {token.kind.value} {token.value}"


def _excluded(person: Person, setting: Setting) -> str | None:
    circle = setting.circle
    if person.oid == circle.requester:
        return "made the request"
    if person.oid == circle.target:
        return "is the person concerned"
    if person.oid in circle.excluded:
        return "had a part in this request"
    if person.oid in circle.voters:
        return "has approved already"
    if not person.enabled:
        return "has a disabled account"
    if person.guest:
        return "is a guest"
    if person.oid in setting.operators:
        return "is an operator, and operators do not approve here"
    same = circle.same_as(person)
    return None if same is None else f"is the same person as {same}, by the employee id"


def distinct(asked: Iterable[Asked]) -> tuple[Asked, ...]:
    first: dict[str, Asked] = {}
    for one in asked:
        first.setdefault(one.person.oid, one)
    return tuple(first.values())[:ASKED_AT_MOST]


def united(found: Sequence[Found]) -> Found:
    return Found(
        distinct(each for one in found for each in one.asked),
        tuple(text for one in found for text in one.missing),
        tuple(text for one in found for text in one.unread),
        tuple(pair for one in found for pair in one.keys),
        sum(one.wanted for one in found),
    )
