"""May this change be made, under which rule, and who decides: all rules judged on fresh facts.

Knows the policy, the directory's facts and the order rules of phone methods. Must not store or send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.domain import reasons
from bot.domain.change import OpKind, ResolvedStep
from bot.domain.people import Person, Phones, Protection, Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Rule
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable, Reach
from bot.workflow.approvers import Approvers
from bot.workflow.parts import Parts

NOTE_DEFAULT_UNREADABLE = "default-unreadable"
NOTE_ADDS = "adds"
NOTE_REPLACES = "replaces"
NOTE_SMS_SIGN_IN = "sms-sign-in"
NOTE_REMOVES = "removes"
NOTE_LAST_PHONE = "last-phone"
NOTE_TARGET_UNTOLD = "target-not-told"
NOTE_NOT_UNIQUE = "sms-not-unique"
NOTE_WEAK_GROUPS = "weak-groups"


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for. number is None when the slot is to be emptied."""

    requester: str
    target: Person
    action: Action
    slot: Slot
    number: PhoneNumber | None = field(default=None, repr=False)

    @property
    def kind(self) -> OpKind:
        return OpKind.REMOVE if self.number is None else OpKind.SET


@dataclass(frozen=True, slots=True)
class Facts:
    """What the directory says about the target now."""

    phones: Phones
    protection: Protection
    target_roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Cleared:
    """Nothing stands in the way: by which rule, who decides, and what people should know before."""

    facts: Facts
    kind: TargetKind
    rule: Rule
    step: ResolvedStep
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """All refusals at once, or `cleared`, or neither when the directory holds the number already."""

    refusals: tuple[Refusal, ...] = ()
    cleared: Cleared | None = None


class Judge:
    """Judges cases. Never raises for an unreadable directory: that is a refusal (fail closed)."""

    def __init__(self, parts: Parts, approvers: Approvers) -> None:
        self._parts = parts
        self._approvers = approvers

    async def judge(self, case: Case) -> Judgement:
        """Everything: facts, rules, approvers and their reach. Refusals are complete, not only the first."""
        gathered = await self.gather(case.target)
        if isinstance(gathered, Refusal):
            return Judgement((gathered, *self._personal(case)))
        kind = kind_of(case.target, gathered)
        held = gathered.phones.get(case.slot)
        refusals = [*self._personal(case), *_facts_against(case, gathered)]
        if not refusals and self._is_already_so(case, held):
            return Judgement()
        rule = self._parts.policy.rule_for(case.action, kind)
        if rule is None and not gathered.protection:
            refusals.append(reasons.NO_RULE.refuse(action=case.action.value, kind=kind.value))
        if refusals or rule is None:
            return Judgement(tuple(refusals))
        return await self._with_approvers(case, gathered, kind, rule)

    async def gather(self, target: Person) -> Facts | Refusal:
        """Fresh phones, protection and roles of the target, read side by side."""
        policy = self._parts.policy
        phones, protection, groups = await _all(
            self._parts.directory.phones(target.oid),
            self._parts.directory.protection(target.oid, policy.protected, policy.all_groups()),
            self._parts.directory.member_of(target.oid, policy.all_groups()),
        )
        if isinstance(protection, DirectoryUnavailable) or isinstance(groups, DirectoryUnavailable):
            what = protection.what if isinstance(protection, DirectoryUnavailable) else groups.what
            return reasons.PROTECTION_UNKNOWN.refuse(name=target.name, what=what)
        if isinstance(phones, DirectoryUnavailable):
            return reasons.DIRECTORY_UNAVAILABLE.refuse(what=phones.what)
        return Facts(phones, protection, policy.roles_from(groups))

    def _is_already_so(self, case: Case, held: PhoneNumber | None) -> bool:
        return case.number is not None and case.number.same_as(held)

    def _personal(self, case: Case) -> list[Refusal]:
        found = []
        if self._parts.read_only:
            found.append(reasons.READ_ONLY.refuse())
        if case.requester == case.target.oid:
            found.append(reasons.OWN_NUMBER.refuse())
        if not case.target.enabled:
            found.append(reasons.TARGET_DISABLED.refuse(name=case.target.name))
        return found

    async def _with_approvers(self, case: Case, facts: Facts, kind: TargetKind, rule: Rule) -> Judgement:
        resolving = self._approvers.resolve(1, rule.steps[0], case.requester, case.target)
        step, reach = await _all(resolving, self._parts.messenger.reach(case.target.oid))
        if isinstance(step, DirectoryUnavailable):
            return Judgement((reasons.DIRECTORY_UNAVAILABLE.refuse(what=step.what),))
        if len(step.asked) < step.need:
            missing = "; ".join(step.missing) or "the policy names nobody else"
            refusal = reasons.NOBODY_TO_ASK.refuse(rule=rule.name, missing=missing)
            return Judgement((refusal,))
        notes = _notes(case, facts, reach, weak=self._parts.policy.accept_weak_groups)
        return Judgement(cleared=Cleared(facts, kind, rule, step, notes))


def kind_of(target: Person, facts: Facts) -> TargetKind:
    """The first kind that fits."""
    if facts.protection:
        return TargetKind.PROTECTED
    if facts.target_roles:
        return TargetKind.OPERATOR
    return TargetKind.GUEST if target.guest else TargetKind.ORDINARY


def _facts_against(case: Case, facts: Facts) -> list[Refusal]:
    found = []
    if facts.protection:
        found.append(reasons.PROTECTED.refuse(name=case.target.name, facts="; ".join(facts.protection.facts)))
    held = facts.phones.get(case.slot)
    alternate = facts.phones.get(Slot.ALTERNATE)
    who = case.target.upn
    if case.number is None and held is None:
        found.append(reasons.NOTHING_TO_REMOVE.refuse(name=case.target.name, slot=case.slot.word, who=who))
    elif case.number is None and case.slot is Slot.MOBILE and alternate is not None:
        found.append(reasons.ALTERNATE_STILL_THERE.refuse(who=who))
    if case.number is not None and case.slot is Slot.ALTERNATE and facts.phones.get(Slot.MOBILE) is None:
        found.append(reasons.MOBILE_FIRST.refuse(who=who))
    return found


def _notes(case: Case, facts: Facts, target_reach: Reach, *, weak: bool) -> tuple[str, ...]:
    notes = []
    if case.number is None:
        notes.append(NOTE_REMOVES)
        if len(facts.phones.by_slot) == 1:
            notes.append(NOTE_LAST_PHONE)
    else:
        notes.append(NOTE_ADDS if facts.phones.get(case.slot) is None else NOTE_REPLACES)
        if case.slot is Slot.MOBILE and facts.phones.get(Slot.MOBILE) is None:
            notes.append(NOTE_SMS_SIGN_IN)
    notes.append(NOTE_DEFAULT_UNREADABLE)
    if not target_reach.ok:
        notes.append(NOTE_TARGET_UNTOLD)
    if weak:
        notes.append(NOTE_WEAK_GROUPS)
    return tuple(notes)


async def _all(*reads: Coroutine[Any, Any, Any]) -> list[Any]:
    """Results side by side; an unreadable directory comes back as its exception, anything else is raised."""
    results = await asyncio.gather(*reads, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, DirectoryUnavailable):
            raise result
    return list(results)
