"""Who may approve one change: from the policy's tokens to people, at submit, when a step begins, at a vote.

Knows the directory, who is out and the reach of people. Must not know how a vote is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain import approver_reasons as no
from bot.domain.change import Asked, Asking, Change, ResolvedStep
from bot.domain.people import Person, Role
from bot.domain.policy import Step, Token, TokenKind
from bot.domain.reason import Refusal
from bot.workflow.circle import Circle, circle_of, key_of
from bot.workflow.finding import MANAGERS, Finding, Found, Setting, distinct, parse_token, token_words, united
from bot.workflow.managers import Managers
from bot.workflow.matching import first_short
from bot.workflow.parts import Parts, had


@dataclass(frozen=True, slots=True)
class Resolved:
    """The steps with their people. notes: in words, for whoever decides.

    short: in words why a step could not be satisfied, None = all of them can be, by different people.
    """

    steps: tuple[ResolvedStep, ...]
    notes: tuple[str, ...] = ()
    short: str | None = None


class Approvers:
    """Resolves tokens to people. Every method raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._managers = Managers(parts)
        self._finding = Finding(parts, self._managers)

    async def resolve(
        self, steps: Sequence[Step], requester: str, target: Person, excluded: Iterable[str] = ()
    ) -> Resolved:
        """All steps of a rule. The fallback is added where a primary token yields nobody who can be asked."""
        case = await self._finding.setting(requester, target, excluded)
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
        """A step right before its people are asked, found afresh: one person counts in one step."""
        case = await self._setting_of(change, step)
        if case is None:
            return step
        tokens = tuple(map(parse_token, step.approvers)), tuple(map(parse_token, step.fallback))
        again = Step(tokens[0], None if step.everybody else step.need, tokens[1])
        found, _ = await self._step(step.n, again, case)
        declined = [each for each in step.asked if each.state is Asking.DECLINED]
        # Opened again, it takes no fewer people than before, though somebody of "all" is not there any more.
        need = max(found.need, step.need) if change.approved_in(step.n) else found.need
        now = replace(found, asked=distinct([*declined, *found.asked]), need=need)
        return await self.helped(change, now, at_once=len(_able(now)) < need)

    async def helped(self, change: Change, step: ResolvedStep, *, at_once: bool = False) -> ResolvedStep:
        """The step with its fallback asked, if it needs it. at_once: needed or not."""
        if step.fallback_on or not (at_once or _wants_fallback(step)):
            return step
        case = await self._setting_of(change, step)
        if case is None:
            return replace(step, fallback_on=True)
        found = [await self._finding.people(parse_token(text), case, fallback=True) for text in step.fallback]
        extra = united(found)
        missing = tuple(dict.fromkeys((*step.missing, *extra.missing)))
        return replace(step, fallback_on=True, asked=distinct([*step.asked, *extra.asked]), missing=missing)

    async def stood_in(self, change: Change, step: ResolvedStep) -> ResolvedStep:
        """The step with those who stand in for whoever of it is out."""
        case = await self._setting_of(change, step)
        if case is None:
            return step
        found = await self._finding.stand_ins(step.asked, case)
        missing = tuple(dict.fromkeys((*step.missing, *found.missing)))
        return replace(step, asked=distinct([*step.asked, *found.asked]), missing=missing)

    async def standing(self, voter: Person, change: Change, tokens: Sequence[str]) -> str | Refusal | None:
        """The token that makes this person an approver of the change now; why they do not count; or None."""
        if voter.oid in (change.requester.oid, change.target.oid) or not voter.enabled or voter.guest:
            return None
        names = _names(change)
        if change.is_batch and await self._parts.store.batch_targets(change.id, [voter.oid]):
            # Whoever a row is about does not decide about it.
            return no.EXCLUDED.refuse(approvers=names)
        if voter.oid in change.excluded:
            return no.EXCLUDED.refuse(approvers=names)
        # Side by side, because somebody waits; judged in order.
        operates, via, same = await asyncio.gather(
            self._barred_as_operator(voter),
            self._token_of(voter, change, tokens),
            self._same_as(voter, change),
            return_exceptions=True,
        )
        if had(operates) or had(via) is None:
            return None
        other = had(same)
        return had(via) if other is None else no.SAME_PERSON.refuse(name=other, approvers=names)

    async def token_for(self, voter: Person, change: Change, tokens: Sequence[str]) -> str | None:
        """The token that makes this person an approver of the change now, or None. Never from a card."""
        via = await self.standing(voter, change, tokens)
        return via if isinstance(via, str) else None

    # --- one vote -----------------------------------------------------------------------------------------
    async def _barred_as_operator(self, voter: Person) -> bool:
        if self._parts.policy.operator_may_approve:
            return False
        operators = self._parts.policy.roles.get(Role.OPERATOR, frozenset())
        return bool(await self._parts.directory.member_of(voter.oid, operators))

    async def _same_as(self, voter: Person, change: Change) -> str | None:
        """The name of another account with a part in the request that is the same person."""
        if not self._parts.policy.person_key or not key_of(voter):
            return None
        return (await self._circle(change, change.approved_by - {voter.oid})).same_as(voter)

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
        if token.kind in MANAGERS:
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
    async def _step(
        self, number: int, step: Step, case: Setting, *, helped: bool = False
    ) -> tuple[ResolvedStep, Found]:
        """helped: with the fallback, whether a primary is missing or not."""
        primary = [await self._finding.people(token, case, fallback=False) for token in step.approvers]
        first = united(primary)
        empty = helped or any(not found.able for found in primary) or first.able < (step.need or 1)
        extra = (
            [await self._finding.people(token, case, fallback=True) for token in step.fallback]
            if empty
            else []
        )
        every = united([*primary, *extra])
        resolved = ResolvedStep(
            n=number,
            need=step.need or 1,
            approvers=tuple(map(str, step.approvers)),
            fallback=tuple(map(str, step.fallback)),
            fallback_on=empty,
            asked=distinct(every.asked),
            missing=tuple(dict.fromkeys(every.missing)),
            everybody=step.need is None,
        )
        return _counted(resolved, max(first.wanted, 1)), every

    async def _setting_of(self, change: Change, step: ResolvedStep) -> Setting | None:
        """Whoever approved another step counts no more; whoever approved this one still does."""
        target = await self._parts.directory.person(change.target.oid)
        if target is None:
            return None
        voters = change.approved_by - change.approved_in(step.n)
        return await self._finding.setting(change.requester.oid, target, change.excluded, voters)


def _able(step: ResolvedStep) -> list[Asked]:
    return [each for each in step.asked if each.state is Asking.ASKED]


def _counted(step: ResolvedStep, wanted: int) -> ResolvedStep:
    """`all` means as many as the primaries were, as far as there are people to ask."""
    return replace(step, need=max(min(wanted, len(_able(step))), 1)) if step.everybody else step


def _wants_fallback(step: ResolvedStep) -> bool:
    """True when a primary token has nobody left to ask, or not enough people are there."""
    able = _able(step)
    there = {each.via for each in able}
    lost = any(token_words(parse_token(text)) not in there for text in step.approvers)
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


def _lacking(made: Sequence[tuple[ResolvedStep, Found]]) -> int | None:
    """The first step for which nobody is left when each person counts once."""
    keys = {oid: key for _, found in made for oid, key in found.keys}
    steps = [step for step, _ in made]
    sets = [{keys.get(each.person.oid, each.person.oid) for each in _able(step)} for step in steps]
    return first_short([step.need for step in steps], sets)


def _missing_in(step: ResolvedStep) -> str:
    return "; ".join(step.missing) or "the policy names nobody else, and one person counts once"
