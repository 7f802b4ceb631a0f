"""Who may approve one change: from the policy's tokens to people, at submit, when a step begins, at a vote.

Knows the directory, who is out and the reach of people. Must not know how a vote is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain import approver_reasons as no
from bot.domain.change import Asked, Asking, Change, ResolvedStep
from bot.domain.people import Person, PersonRef, Role
from bot.domain.policy import Step, Token, TokenKind
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow.circle import Circle, circle_of, key_of
from bot.workflow.managers import Managers
from bot.workflow.matching import first_short
from bot.workflow.parts import Parts

ASKED_AT_MOST = 25
OPERATORS_READ = 999
_MANAGERS = (TokenKind.MANAGER, TokenKind.SECOND_MANAGER)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The steps with their people. notes: in words, for whoever decides.

    short: in words why a step could not be satisfied, None = all of them can be, by different people.
    """

    steps: tuple[ResolvedStep, ...]
    notes: tuple[str, ...] = ()
    short: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
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
class _Case:
    """What every token is resolved against. operators: those who may not approve here."""

    circle: Circle
    target: Person
    operators: frozenset[str]


class Approvers:
    """Resolves tokens to people. Every method raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._managers = Managers(parts)

    async def resolve(
        self, steps: Sequence[Step], requester: str, target: Person, excluded: Iterable[str] = ()
    ) -> Resolved:
        """All steps of a rule. The fallback is added where a primary token yields nobody who can be asked."""
        case = await self._case(requester, target, excluded)
        made = [await self._step(n, step, case) for n, step in enumerate(steps, start=1)]
        while (lacking := _lacking(made)) is not None and not made[lacking][0].fallback_on:
            # One person counts once, so that a step may need its fallback because of the others.
            made[lacking] = await self._step(lacking + 1, steps[lacking], case, helped=True)
        keys = {oid: key for _, found in made for oid, key in found.keys}
        resolved = tuple(step for step, _ in made)
        unread = tuple(dict.fromkeys(text for _, found in made for text in found.unread))
        unknown = (
            [*case.circle.unknown, *_without_key(resolved, keys)] if self._parts.policy.person_key else []
        )
        notes = tuple(f"{text[:1].upper()}{text[1:]}." for text in unread) + _not_comparable(unknown)
        return Resolved(resolved, notes, None if lacking is None else _missing_in(resolved[lacking]))

    async def opened(self, change: Change, step: ResolvedStep) -> ResolvedStep:
        """A step right before its people are asked, found afresh: whoever approved before counts no more."""
        case = await self._case_of(change)
        if case is None:
            return step
        tokens = tuple(map(parse_token, step.approvers)), tuple(map(parse_token, step.fallback))
        again = Step(tokens[0], None if step.everybody else step.need, tokens[1])
        found, _ = await self._step(step.n, again, case)
        declined = [each for each in step.asked if each.state is Asking.DECLINED]
        return replace(found, asked=_distinct([*declined, *found.asked]))

    async def helped(self, change: Change, step: ResolvedStep, *, at_once: bool = False) -> ResolvedStep:
        """The step with its fallback asked, if it needs it. at_once: needed or not."""
        if step.fallback_on or not (at_once or _wants_fallback(step)):
            return step
        case = await self._case_of(change)
        if case is None:
            return replace(step, fallback_on=True)
        found = [await self._people(parse_token(text), case, fallback=True) for text in step.fallback]
        extra = _all(found)
        missing = tuple(dict.fromkeys((*step.missing, *extra.missing)))
        return replace(step, fallback_on=True, asked=_distinct([*step.asked, *extra.asked]), missing=missing)

    async def stood_in(self, change: Change, step: ResolvedStep) -> ResolvedStep:
        """The step with those who stand in for whoever of it is out."""
        case = await self._case_of(change)
        if case is None:
            return step
        found = await self._stand_ins(step.asked, case)
        missing = tuple(dict.fromkeys((*step.missing, *found.missing)))
        return replace(step, asked=_distinct([*step.asked, *found.asked]), missing=missing)

    async def standing(self, voter: Person, change: Change, tokens: Sequence[str]) -> str | Refusal | None:
        """The token that makes this person an approver of the change now; why they do not count; or None."""
        if voter.oid in (change.requester.oid, change.target.oid) or not voter.enabled or voter.guest:
            return None
        names = _names(change)
        if voter.oid in change.excluded:
            return no.EXCLUDED.refuse(approvers=names)
        if not self._parts.policy.operator_may_approve:
            operators = self._parts.policy.roles.get(Role.OPERATOR, frozenset())
            if await self._parts.directory.member_of(voter.oid, operators):
                return None
        via = await self._token_of(voter, change, tokens)
        if via is None or not self._parts.policy.person_key or not key_of(voter):
            return via
        others = change.approved_by - {voter.oid}
        same = (await self._circle(change, others)).same_as(voter)
        return via if same is None else no.SAME_PERSON.refuse(name=same, approvers=names)

    async def token_for(self, voter: Person, change: Change, tokens: Sequence[str]) -> str | None:
        """The token that makes this person an approver of the change now, or None. Never from a card."""
        via = await self.standing(voter, change, tokens)
        return via if isinstance(via, str) else None

    # --- one vote -----------------------------------------------------------------------------------------
    async def _token_of(self, voter: Person, change: Change, tokens: Sequence[str]) -> str | None:
        for text in tokens:
            if await self._stands_for(parse_token(text), voter.oid, change):
                return text
        for absent in _stood_for(change, voter.oid):
            if not self._parts.policy.deciding.stand_ins:
                return None
            named = await self._parts.directory.stand_in(absent)
            if named is None or named.oid != voter.oid:
                continue
            for text in tokens:
                if await self._stands_for(parse_token(text), absent, change):
                    return text
        return None

    async def _stands_for(self, token: Token, oid: str, change: Change) -> bool:
        if token.kind in _MANAGERS:
            found = await self._managers.of(change.target, second=token.kind is TokenKind.SECOND_MANAGER)
            return found.person is not None and not found.why and found.person.oid == oid
        groups = self._parts.policy.groups_of(token)
        return bool(groups and await self._parts.directory.member_of(oid, groups))

    async def _circle(self, change: Change, voters: Iterable[str]) -> Circle:
        return await circle_of(
            self._parts.directory,
            change.requester.oid,
            change.target.oid,
            change.excluded,
            voters,
            person_key=self._parts.policy.person_key,
        )

    # --- people of a step ---------------------------------------------------------------------------------
    async def _case(
        self, requester: str, target: Person, excluded: Iterable[str], voters: Iterable[str] = ()
    ) -> _Case:
        directory, key = self._parts.directory, self._parts.policy.person_key
        circle, operators = await asyncio.gather(
            circle_of(directory, requester, target.oid, excluded, voters, person_key=key), self._operators()
        )
        return _Case(circle, target, operators)

    async def _step(
        self, number: int, step: Step, case: _Case, *, helped: bool = False
    ) -> tuple[ResolvedStep, _Found]:
        """helped: with the fallback, whether a primary is missing or not."""
        primary = [await self._people(token, case, fallback=False) for token in step.approvers]
        first = _all(primary)
        empty = helped or any(not found.able for found in primary) or first.able < (step.need or 1)
        extra = [await self._people(token, case, fallback=True) for token in step.fallback] if empty else []
        every = _all([*primary, *extra])
        resolved = ResolvedStep(
            n=number,
            need=step.need or 1,
            approvers=tuple(map(str, step.approvers)),
            fallback=tuple(map(str, step.fallback)),
            fallback_on=empty,
            asked=_distinct(every.asked),
            missing=tuple(dict.fromkeys(every.missing)),
            everybody=step.need is None,
        )
        return _counted(resolved, max(first.wanted, 1)), every

    async def _people(self, token: Token, case: _Case, *, fallback: bool) -> _Found:
        candidates, missing, unread = await self._candidates(token, case.target)
        able, words = [], _words(token)
        for person in candidates:
            why = _excluded(person, case)
            if why is None:
                able.append(person)
            elif token.kind in _MANAGERS:
                missing.append(f"{person.name} ({words}) {why}")
        asked = [Asked(PersonRef.of(person), words, fallback) for person in able[:ASKED_AT_MOST]]
        found = await self._reached(asked)
        stands_in = await self._stand_ins(found.asked, case)
        if not found.asked and not found.missing and not missing:
            missing.append(f"nobody in {words} can approve this")
        return _Found(
            found.asked + stands_in.asked,
            (*missing, *found.missing, *stands_in.missing),
            tuple(unread),
            tuple((person.oid, key) for person in able if (key := key_of(person))) + stands_in.keys,
            len(asked),
        )

    async def _candidates(self, token: Token, target: Person) -> tuple[list[Person], list[str], list[str]]:
        """People of one token; in words who is not there, and what could not be read."""
        if token.kind in _MANAGERS:
            found = await self._managers.of(target, second=token.kind is TokenKind.SECOND_MANAGER)
            if found.person is None:
                return [], [found.why], []
            if found.why:
                return [], [f"{found.person.name} ({_words(token)}) {found.why}"], []
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

    async def _reached(self, people: Sequence[Asked]) -> _Found:
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
        return _Found(tuple(asked), tuple(missing))

    async def _stand_ins(self, asked: Sequence[Asked], case: _Case) -> _Found:
        """Whom the directory names for those who are out; every check applies to them, and no chains."""
        away = [each for each in asked if each.state is Asking.OUT]
        if not self._parts.policy.deciding.stand_ins:
            return _Found()
        return _all([await self._stand_in(each, case) for each in away])

    async def _stand_in(self, absent: Asked, case: _Case) -> _Found:
        try:
            person = await self._parts.directory.stand_in(absent.person.oid)
        except DirectoryUnavailable as error:
            why = f"who stands in for {absent.person.name} cannot be read: {error.what}"
            return _Found(missing=(why,))
        if person is None:
            return _Found()
        why_not = _excluded(person, case)
        if why_not is not None:
            return _Found(missing=(f"{person.name}, who stands in for {absent.person.name}, {why_not}",))
        one = Asked(PersonRef.of(person), absent.via, absent.fallback, stands_for=absent.person.oid)
        reached = await self._reached([one])
        asked = tuple(each for each in reached.asked if each.state is Asking.ASKED)
        key = key_of(person)
        return _Found(asked, reached.missing, keys=((person.oid, key),) if key else ())

    async def _case_of(self, change: Change) -> _Case | None:
        target = await self._parts.directory.person(change.target.oid)
        if target is None:
            return None
        return await self._case(change.requester.oid, target, change.excluded, change.approved_by)


def parse_token(text: str) -> Token:
    """A token as stored with a change: `manager-of-target`, `role:NAME`, `group:ID`."""
    kind, _, value = text.partition(":")
    return Token(TokenKind(kind), value)


def _words(token: Token) -> str:
    if token.kind is TokenKind.SECOND_MANAGER:
        return "manager's manager"
    return "manager" if token.kind is TokenKind.MANAGER else f"the {token.kind.value} {token.value}"


def _excluded(person: Person, case: _Case) -> str | None:
    circle = case.circle
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
    if person.oid in case.operators:
        return "is an operator, and operators do not approve here"
    same = circle.same_as(person)
    return None if same is None else f"is the same person as {same}, by the employee id"


def _distinct(asked: Iterable[Asked]) -> tuple[Asked, ...]:
    first: dict[str, Asked] = {}
    for one in asked:
        first.setdefault(one.person.oid, one)
    return tuple(first.values())[:ASKED_AT_MOST]


def _all(found: Sequence[_Found]) -> _Found:
    return _Found(
        _distinct(each for one in found for each in one.asked),
        tuple(text for one in found for text in one.missing),
        tuple(text for one in found for text in one.unread),
        tuple(pair for one in found for pair in one.keys),
        sum(one.wanted for one in found),
    )


def _able(step: ResolvedStep) -> list[Asked]:
    return [each for each in step.asked if each.state is Asking.ASKED]


def _counted(step: ResolvedStep, wanted: int) -> ResolvedStep:
    """`all` means as many as the primaries were, as far as there are people to ask."""
    return replace(step, need=max(min(wanted, len(_able(step))), 1)) if step.everybody else step


def _wants_fallback(step: ResolvedStep) -> bool:
    """True when a primary token has nobody left to ask, or not enough people are there."""
    able = _able(step)
    there = {each.via for each in able}
    lost = any(_words(parse_token(text)) not in there for text in step.approvers)
    return lost or len(able) < step.need


def _stood_for(change: Change, oid: str) -> list[str]:
    """Object ids of those whom this person was asked for in the place of."""
    return [
        each.stands_for
        for step in change.steps
        for each in step.asked
        if each.person.oid == oid and each.stands_for
    ]


def _names(change: Change) -> str:
    return " or ".join(each.person.name for each in change.awaited[:3]) or "an approver"


def _without_key(steps: Sequence[ResolvedStep], keys: dict[str, str]) -> list[str]:
    return [each.person.name for step in steps for each in step.asked if each.person.oid not in keys]


def _not_comparable(names: Sequence[str]) -> tuple[str, ...]:
    """The note that two accounts of one person would not be noticed, and whose."""
    distinct = list(dict.fromkeys(names))
    if not distinct:
        return ()
    others = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
    who = ", ".join(distinct[:3]) + others
    return (f"No employee id in the directory for {who}: two accounts of one person would not be noticed.",)


def _lacking(made: Sequence[tuple[ResolvedStep, _Found]]) -> int | None:
    """The first step for which nobody is left when each person counts once."""
    keys = {oid: key for _, found in made for oid, key in found.keys}
    steps = [step for step, _ in made]
    sets = [{keys.get(each.person.oid, each.person.oid) for each in _able(step)} for step in steps]
    return first_short([step.need for step in steps], sets)


def _missing_in(step: ResolvedStep) -> str:
    return "; ".join(step.missing) or "the policy names nobody else, and one person counts once"
