"""Who may approve one change: from the policy's tokens to people, at submit and again at each vote.

Knows the directory and the reach of people. Must not know how a vote is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.change import Asked, Asking, Change, ResolvedStep
from bot.domain.people import Person, PersonRef, Role
from bot.domain.policy import Step, Token, TokenKind
from bot.workflow.parts import Parts

ASKED_AT_MOST = 25
OPERATORS_READ = 999


@dataclass(frozen=True, slots=True)
class _Found:
    asked: tuple[Asked, ...]
    missing: tuple[str, ...]


class Approvers:
    """Resolves tokens to people. Every method raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def resolve(self, number: int, step: Step, requester: str, target: Person) -> ResolvedStep:
        """The step with the people to ask. The fallback is added when a primary token yields nobody."""
        primary = [await self._people(token, requester, target, fallback=False) for token in step.approvers]
        fallback_on = any(not found.asked for found in primary)
        extra = (
            [await self._people(token, requester, target, fallback=True) for token in step.fallback]
            if fallback_on
            else []
        )
        everybody = len(_distinct([asked for found in primary for asked in found.asked]))
        return ResolvedStep(
            n=number,
            need=max(everybody, 1) if step.need is None else step.need,
            approvers=tuple(map(str, step.approvers)),
            fallback=tuple(map(str, step.fallback)),
            fallback_on=fallback_on,
            asked=_distinct([asked for found in primary + extra for asked in found.asked]),
            missing=tuple(dict.fromkeys(text for found in primary + extra for text in found.missing)),
        )

    async def add_fallback(self, change: Change, step: ResolvedStep) -> tuple[Asked, ...]:
        """The people of the fallback, for a step whose primary turned out to be unreachable."""
        target = await self._parts.directory.person(change.target.oid)
        if target is None:
            return ()
        found = [
            await self._people(parse_token(text), change.requester.oid, target, fallback=True)
            for text in step.fallback
        ]
        known = {asked.person.oid for asked in step.asked}
        return tuple(a for f in found for a in f.asked if a.person.oid not in known)

    async def token_for(self, voter: Person, change: Change, tokens: Sequence[str]) -> str | None:
        """The token that makes this person an approver of the change now, or None. Never from a card."""
        if voter.oid in (change.requester.oid, change.target.oid) or not voter.enabled or voter.guest:
            return None
        if not self._parts.policy.operator_may_approve:
            operators = self._parts.policy.roles.get(Role.OPERATOR, frozenset())
            if await self._parts.directory.member_of(voter.oid, operators):
                return None
        for text in tokens:
            if await self._stands_for(parse_token(text), voter, change):
                return text
        return None

    async def _stands_for(self, token: Token, voter: Person, change: Change) -> bool:
        if token.kind is TokenKind.MANAGER:
            manager = await self._parts.directory.manager(change.target.oid)
            return manager is not None and manager.oid == voter.oid
        groups = self._parts.policy.groups_of(token)
        return bool(groups and await self._parts.directory.member_of(voter.oid, groups))

    async def _people(self, token: Token, requester: str, target: Person, *, fallback: bool) -> _Found:
        if token.kind is TokenKind.MANAGER:
            manager = await self._parts.directory.manager(target.oid)
            if manager is None:
                return _Found((), (f"{target.name} has no manager in the directory",))
            candidates: Sequence[Person] = [manager]
        else:
            groups = self._parts.policy.groups_of(token)
            lists = await asyncio.gather(
                *(self._parts.directory.members(group, ASKED_AT_MOST * 2) for group in sorted(groups))
            )
            candidates = [person for people in lists for person in people]
        operators = await self._operators()
        able, missing = [], []
        for person in candidates:
            why = _excluded(person, requester, target, operators)
            if why is None:
                able.append(person)
            elif token.kind is TokenKind.MANAGER:
                missing.append(f"{person.name} ({_words(token)}) {why}")
        found = await self._reached(token, able[:ASKED_AT_MOST], fallback)
        if not found.asked and not found.missing and not missing:
            missing.append(f"nobody in {_words(token)} can approve this")
        return _Found(found.asked, tuple(missing) + found.missing)

    async def _operators(self) -> frozenset[str]:
        if self._parts.policy.operator_may_approve:
            return frozenset()
        groups = self._parts.policy.roles.get(Role.OPERATOR, frozenset())
        lists = await asyncio.gather(
            *(self._parts.directory.members(group, OPERATORS_READ) for group in sorted(groups))
        )
        return frozenset(person.oid for people in lists for person in people)

    async def _reached(self, token: Token, people: Sequence[Person], fallback: bool) -> _Found:
        reaches = await asyncio.gather(*(self._parts.messenger.reach(person.oid) for person in people))
        asked = tuple(
            Asked(PersonRef.of(person), _words(token), fallback, Asking.ASKED)
            for person, reach in zip(people, reaches, strict=True)
            if reach.ok
        )
        missing = tuple(
            f"{person.name} ({_words(token)}) cannot be reached: {reach.why}"
            for person, reach in zip(people, reaches, strict=True)
            if not reach.ok
        )
        return _Found(asked, missing)


def parse_token(text: str) -> Token:
    """A token as stored with a change: `manager-of-target`, `role:NAME`, `group:ID`."""
    kind, _, value = text.partition(":")
    return Token(TokenKind(kind), value)


def _words(token: Token) -> str:
    if token.kind is TokenKind.MANAGER:
        return "manager"
    return f"the {token.kind.value} {token.value}"


def _excluded(person: Person, requester: str, target: Person, operators: frozenset[str]) -> str | None:
    if person.oid == requester:
        return "made the request"
    if person.oid == target.oid:
        return "is the person concerned"
    if not person.enabled:
        return "has a disabled account"
    if person.guest:
        return "is a guest"
    if person.oid in operators:
        return "is an operator, and operators do not approve here"
    return None


def _distinct(asked: list[Asked]) -> tuple[Asked, ...]:
    first: dict[str, Asked] = {}
    for one in asked:
        first.setdefault(one.person.oid, one)
    return tuple(first.values())[:ASKED_AT_MOST]
