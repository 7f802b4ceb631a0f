"""May this change be made, under which rule, and who decides: all rules judged on fresh facts.

Knows the policy and which facts are needed. Must not store or send; the plan itself is made in `planning`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from bot.domain import reasons
from bot.domain.change import Change, ResolvedStep
from bot.domain.freeze import DECIDERS_WHEN_FROZEN
from bot.domain.methods import Inclusion, SignIn
from bot.domain.people import Person, PersonRef, Role, TargetKind
from bot.domain.policy import Action, Risk, Rule
from bot.domain.reason import Refusal
from bot.domain.rule_reasons import RULE_REFUSES
from bot.domain.signals import Signal, risks_of
from bot.ports import DirectoryUnavailable
from bot.workflow.approvers import Approvers
from bot.workflow.holders import Holders, other_holders, too_many
from bot.workflow.parts import Parts
from bot.workflow.pass_readers import PassReaders
from bot.workflow.planning import Case, Facts, Plan, against, is_already_so, number_after, plan
from bot.workflow.risks import Signals

NOTE_TARGET_UNTOLD = "target-not-told"
NOTE_WEAK_GROUPS = "weak-groups"


@dataclass(frozen=True, slots=True)
class Cleared:
    """Nothing stands in the way: by which rule, who decides, and what people should know before.

    deciders: at least so many people, whatever the rule of the file says.
    """

    facts: Facts
    kind: TargetKind
    rule: Rule
    steps: tuple[ResolvedStep, ...]
    plan: Plan
    notes: tuple[str, ...]
    signals: tuple[Signal, ...] = ()
    deciders: int = 0


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the rules say to a case. refusals: of the rule itself, or because too many have the number.

    deciders: at least so many people, whatever the rule of the file says.
    """

    kind: TargetKind
    signals: tuple[Signal, ...]
    rule: Rule | None
    refusals: tuple[Refusal, ...]
    deciders: int = 0


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
        self._signals = Signals(parts)
        self._readers = PassReaders(parts)

    async def judge(self, case: Case) -> Judgement:
        """Everything: facts, rules, approvers and their reach. Refusals are complete, not only the first."""
        gathered = await self.gather(case.target)
        if isinstance(gathered, Refusal):
            return Judgement((gathered, *self.personal(case)))
        refusals = [*self.personal(case), *against(case, gathered)]
        if case.action is Action.PASS:
            reader = await self._readers.of(case.target, case.requester)
            refusals += [reader] if isinstance(reader, Refusal) else []
            minutes = self._parts.policy.onboarding.pass_minutes
            case = case if isinstance(reader, Refusal) else replace(case, reader=reader, minutes=minutes)
        if not refusals and is_already_so(case, gathered):
            return Judgement()
        ruled = await self.ruled(case, gathered)
        emergency = ruled.rule is not None and ruled.rule.break_glass
        able = may_ask(case.roles, case.action, deciders=ruled.deciders, break_glass=emergency)
        if not able and case.onboarding is None:
            # Of security, who asks here, each knows who is protected; else the answer of any outsider.
            return Judgement(tuple(refusals) if gathered.protection else (reasons.NO_ROLE.refuse(),))
        refusals += ruled.refusals
        if refusals or ruled.rule is None:
            return Judgement(tuple(refusals))
        return await self._with_approvers(case, gathered, ruled.rule, ruled)

    async def ruled(self, case: Case, facts: Facts) -> Ruled:
        """Which rule decides, by the signals that are found; nobody is asked yet."""
        kind = kind_of(case.target, facts)
        holders = await self._holders(case, facts)
        signals = await self._signals.of(case, facts, holders)
        shared = too_many(holders, self._parts.policy.shared_number_max)
        risks = risks_of(signals)
        deciders = await self._deciders(case)
        rule = self._parts.policy.rule_for(
            case.action, kind, slots=case.slots, requester=case.roles, risks=risks, deciders=deciders
        )
        said = None if facts.protection else rule_against(rule, case.action, kind, risks)
        return Ruled(kind, signals, rule, tuple(each for each in (shared, said) if each), deciders)

    async def _deciders(self, case: Case) -> int:
        """How many people must decide, whatever the rule says."""
        frozen = await self._parts.store.freeze_of(case.target.oid) is not None
        return max(case.deciders, DECIDERS_WHEN_FROZEN if frozen else 0)

    async def gather(self, target: Person | PersonRef) -> Facts | Refusal:
        """Fresh phones, protection, roles and sign-in experience of the target, read side by side."""
        policy = self._parts.policy
        directory = self._parts.directory
        phones, protection, groups, sign_in, sms = await _all(
            directory.phones(target.oid),
            directory.protection(target.oid, policy.protected, policy.all_groups()),
            directory.member_of(target.oid, policy.all_groups() | policy.vip),
            directory.sign_in(target.oid),
            self._sms_policy(target.oid),
        )
        if isinstance(protection, DirectoryUnavailable) or isinstance(groups, DirectoryUnavailable):
            what = protection.what if isinstance(protection, DirectoryUnavailable) else groups.what
            return reasons.PROTECTION_UNKNOWN.refuse(name=target.name, what=what)
        if isinstance(phones, DirectoryUnavailable):
            return reasons.DIRECTORY_UNAVAILABLE.refuse(what=phones.what)
        # What only makes the preview fuller is not worth a refusal: it is said that it is not known.
        known = (
            SignIn(readable=False, why=sign_in.what) if isinstance(sign_in, DirectoryUnavailable) else sign_in
        )
        included = None if isinstance(sms, DirectoryUnavailable) else sms
        vip = bool(groups & policy.vip)
        onboarding = await self._parts.store.onboarding_of(target.oid)
        new = onboarding is not None and onboarding.open
        stage = onboarding.stage if onboarding is not None else None
        return Facts(phones, protection, policy.roles_from(groups), known, included, vip, new, stage)

    async def _sms_policy(self, oid: str) -> Inclusion:
        """How the tenant's policy for texts treats the person."""
        policy = await self._parts.directory.method_policy()
        groups = policy.sms.groups
        member = await self._parts.directory.member_of(oid, groups) if groups else frozenset()
        return policy.sms.of(oid, member)

    async def _holders(self, case: Case, facts: Facts) -> Holders:
        """Others who have the number that the slot is to hold, as far as we know."""
        number = number_after(case, facts)
        return await other_holders(self._parts, number, case.slot, case.target.oid) if number else Holders()

    def personal(self, case: Case) -> list[Refusal]:
        """What stands in the way whoever the facts are about."""
        found = []
        if self._parts.read_only:
            found.append(reasons.READ_ONLY.refuse())
        if case.requester == case.target.oid and case.onboarding is None:
            found.append(reasons.OWN_NUMBER.refuse())
        if not case.target.enabled:
            found.append(reasons.TARGET_DISABLED.refuse(name=case.target.name))
        return found

    async def _with_approvers(self, case: Case, facts: Facts, rule: Rule, ruled: Ruled) -> Judgement:
        resolving = self._approvers.resolve(rule.steps, case.requester, case.target, case.excluded)
        resolved, reach = await _all(resolving, self._parts.messenger.reach(case.target.oid))
        if isinstance(resolved, DirectoryUnavailable):
            return Judgement((reasons.DIRECTORY_UNAVAILABLE.refuse(what=resolved.what),))
        if resolved.short is not None:
            refusal = reasons.NOBODY_TO_ASK.refuse(rule=rule.name, missing=resolved.short)
            return Judgement((refusal,))
        made = plan(
            case, facts, self._parts.number_key, sms_may_come=self._parts.policy.automatic_sms_sign_in
        )
        notes = made.notes + resolved.notes + (() if reach.ok else (NOTE_TARGET_UNTOLD,))
        notes += (NOTE_WEAK_GROUPS,) if self._parts.policy.accept_weak_groups else ()
        cleared = Cleared(facts, ruled.kind, rule, resolved.steps, made, notes, ruled.signals, ruled.deciders)
        return Judgement(cleared=cleared)


def may_ask(roles: frozenset[Role], action: Action, *, deciders: int, break_glass: bool) -> bool:
    """Operators ask for anything but passes, which are for coordinators. Security asks for what is frozen, in
    emergencies, and to undo.
    """
    if action is Action.PASS:
        return Role.COORDINATOR in roles
    if Role.OPERATOR in roles:
        return True
    frozen = deciders >= DECIDERS_WHEN_FROZEN and action is not Action.SMS
    return Role.SECURITY in roles and (frozen or break_glass or action is Action.UNDO)


def rule_against(
    rule: Rule | None, action: Action, kind: TargetKind, risks: frozenset[Risk]
) -> Refusal | None:
    """Why the rule that was found, or its absence, refuses; None when it leads to people who decide."""
    if rule is None:
        return reasons.NO_RULE.refuse(action=action.value, kind=kind.value)
    if not rule.refuse:
        return None
    because = sorted(rule.risks & risks)
    signals = f", because of: {', '.join(because)}" if because else ""
    return RULE_REFUSES.refuse(rule=rule.name, action=action.value, kind=kind.value, signals=signals)


def under(change: Change, rule: Rule, kind: TargetKind, steps: tuple[ResolvedStep, ...]) -> Change:
    """The change with what a rule asks for."""
    return replace(
        change,
        target_kind=kind,
        rule=rule.name,
        expire_minutes=rule.expire_minutes,
        execute_minutes=rule.execute_minutes,
        cooling_minutes=rule.cooling_minutes,
        remind_minutes=rule.remind_minutes,
        escalate_minutes=rule.escalate_minutes,
        break_glass=rule.break_glass,
        steps=steps,
    )


def kind_of(target: Person, facts: Facts) -> TargetKind:
    """The first kind that fits."""
    if facts.protection:
        return TargetKind.PROTECTED
    if facts.target_roles:
        return TargetKind.OPERATOR
    if facts.vip:
        return TargetKind.VIP
    if target.guest:
        return TargetKind.GUEST
    return TargetKind.NEW_HIRE if facts.new_hire else TargetKind.ORDINARY


async def _all(*reads: Coroutine[Any, Any, Any]) -> list[Any]:
    """Results side by side; an unreadable directory comes back as its exception, anything else is raised."""
    results = await asyncio.gather(*reads, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, DirectoryUnavailable):
            raise result
    return list(results)
