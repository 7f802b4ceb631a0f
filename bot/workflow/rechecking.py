"""Everything that is checked again right before a write: rights, protection, content, the value before.

Knows the policy and the directory's facts. Must not write anywhere: it answers "go", "no because"
or "first this".
"""

from __future__ import annotations

import asyncio

from bot.domain import reasons
from bot.domain.change import Change, Operation, OpKind, OpState, content_hash
from bot.domain.onboarding import Stage
from bot.domain.onboarding_reasons import HAS_METHOD, OVER
from bot.domain.passes import terms_of
from bot.domain.people import Person, PersonRef, Phones, Role
from bot.domain.phone import PhoneNumber, Slot, against_rules
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow import proofs
from bot.workflow.effects import Effects, Reading
from bot.workflow.holders import shared_number
from bot.workflow.identity import Identity
from bot.workflow.judging import Judge, kind_of, may_ask
from bot.workflow.parts import Parts, had
from bot.workflow.pass_readers import PassReaders
from bot.workflow.planning import Facts, against_pass
from bot.workflow.rejudging import Moved, Rejudging


class Rechecks:
    """Fresh answers only. Every method raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts, identity: Identity, judge: Judge, rejudging: Rejudging) -> None:
        self._parts = parts
        self._identity = identity
        self._judge = judge
        self._rejudging = rejudging
        self._effects = Effects(parts)
        self._readers = PassReaders(parts)

    async def against(
        self, change: Change, numbers: dict[int, PhoneNumber], held: dict[int, PhoneNumber]
    ) -> Refusal | Moved | None:
        """Why the change must not be written now, what it becomes first, or None: it may be written.

        held: filled with what the slots hold before the write, by operation.
        """
        if content_hash(change) != change.content_hash or not self._are_approved(change, numbers):
            return reasons.HASH_MISMATCH.refuse(id=change.printed_id)
        # Side by side, because somebody waits; judged in order, because of the deleted nothing can be read.
        person, roles, facts, counted = await asyncio.gather(
            self._parts.directory.person(change.target.oid),
            self._identity.roles_of(change.requester.oid),
            self._facts(change.target),
            self._rejudging.counted(change),
            return_exceptions=True,
        )
        target = had(person)
        if target is None:
            return reasons.PERSON_UNKNOWN.refuse(who=change.target.upn)
        moved = identity_moved(change.target, target) or await self._rights_lost(change, target, had(roles))
        if moved is not None:
            return moved
        refused = await self._refused(change, target, had(facts), numbers, held)
        if refused is not None:
            return refused
        # Last, because a vote that is void sends it back to people: nothing else may stand against it then.
        kind = kind_of(target, had(facts))
        return await self._rejudging.judge(change, had(counted), target, kind, had(roles))

    async def _refused(
        self,
        change: Change,
        target: Person,
        facts: Facts,
        numbers: dict[int, PhoneNumber],
        held: dict[int, PhoneNumber],
    ) -> Refusal | None:
        return (
            protected(target, facts)
            or _has_method(change, target, facts)
            or await self._pass_moved(change, target, facts)
            or self._forbidden(change, numbers)
            or await shared_number(self._parts, numbers.get(1), change.slot, change.target.oid)
            or _order_broken(change, facts.phones)
            or self._value_moved(change, facts.phones, held)
        )

    async def _rights_lost(self, change: Change, target: Person, roles: frozenset[Role]) -> Refusal | None:
        """Whoever asked must still be able to; for a first phone its onboarding must still wait for this."""
        if change.action is Action.ONBOARD:
            found = await self._parts.store.onboarding_of(target.oid)
            waits = found is not None and found.stage is Stage.SUBMITTED and found.change_id == change.id
            return None if waits else OVER.refuse(name=target.name, who=target.upn)
        able = may_ask(roles, change.action, deciders=change.deciders, break_glass=change.break_glass)
        return None if able else reasons.RIGHTS_LOST.refuse(name=change.requester.name)

    def _forbidden(self, change: Change, numbers: dict[int, PhoneNumber]) -> Refusal | None:
        """What the policy in force says to the proof and the number, whatever it said when it was asked."""
        policy, number = self._parts.policy, numbers.get(1)
        said = proofs.against_change(policy, change)
        if said is None and change.action.brings_a_number and number is not None:
            return against_rules(number, change.slot, policy.numbers)
        return said

    async def _pass_moved(self, change: Change, target: Person, facts: Facts) -> Refusal | None:
        """The person is still new and without a method, the reader still the one whom the policy names."""
        if not change.is_pass:
            return None
        found = against_pass(target, facts)
        if found:
            return found[0]
        reader = await self._readers.of(target, change.requester.oid)
        if isinstance(reader, Refusal):
            return reader
        return None if reader.oid == terms_of(change).reader else reasons.RULE_CHANGED.refuse()

    async def against_guard(self, change: Change) -> Refusal | None:
        """Why not even a guard may be written. It only keeps what was there, so votes do not count."""
        target = await self._parts.directory.person(change.target.oid)
        if target is None:
            return reasons.PERSON_UNKNOWN.refuse(who=change.target.upn)
        return protected(target, await self._facts(target))

    async def _facts(self, target: Person | PersonRef) -> Facts:
        facts = await self._judge.gather(target)
        if isinstance(facts, Refusal):
            raise DirectoryUnavailable(facts.facts.get("what", "the facts about the person"))
        return facts

    def _are_approved(self, change: Change, numbers: dict[int, PhoneNumber]) -> bool:
        """The sealed numbers are those whose keyed hashes were approved."""
        return all(
            self._parts.number_key(numbers.get(op.n)) == op.after_key
            for op in change.operations
            if op.kind is OpKind.SET
        )

    def _value_moved(self, change: Change, phones: Phones, held: dict[int, PhoneNumber]) -> Refusal | None:
        """Everything still to be written must be about the value that was shown."""
        for operation in change.operations:
            if not _is_to_be_compared(operation):
                continue
            seen, slot = self._effects.seen_in(phones, operation), operation.slot.word
            if seen.reading is Reading.NEW:
                return reasons.ALREADY_THERE.refuse(slot=slot, now=seen.now)
            if seen.reading is Reading.OTHER:
                before, who = operation.before or "empty", change.target.upn
                return reasons.DIRECTORY_MOVED.refuse(slot=slot, before=before, now=seen.now, who=who)
            if seen.number is not None:
                held[operation.n] = seen.number
        return None


def _is_to_be_compared(operation: Operation) -> bool:
    """Still to be written, over something that can be read."""
    kind = operation.kind
    return kind.is_about_a_phone and not kind.conditional and operation.state is OpState.PLANNED


def protected(target: Person, facts: Facts) -> Refusal | None:
    """The refusal of a protected person."""
    if not facts.protection:
        return None
    return reasons.PROTECTED.refuse(name=target.name, facts="; ".join(facts.protection.facts))


def _has_method(change: Change, target: Person, facts: Facts) -> Refusal | None:
    """A first phone is only written where there is still nothing."""
    if change.action is not Action.ONBOARD or not facts.has_method:
        return None
    return HAS_METHOD.refuse(name=target.name, who=target.upn, methods=facts.has_method)


def identity_moved(approved: PersonRef, target: Person) -> Refusal | None:
    """The account is not as it was when it was approved."""
    if target.upn.casefold() != approved.upn.casefold():
        return reasons.TARGET_RENAMED.refuse(before=approved.upn, now=target.upn)
    if not target.enabled:
        return reasons.TARGET_DISABLED.refuse(name=target.name)
    return None


def _order_broken(change: Change, phones: Phones) -> Refusal | None:
    operation = change.operations[0]
    if operation.slot is Slot.ALTERNATE and operation.after_key and phones.get(Slot.MOBILE) is None:
        return reasons.MOBILE_FIRST.refuse(who=change.target.upn)
    removes_mobile = operation.kind is OpKind.REMOVE and operation.slot is Slot.MOBILE
    if removes_mobile and phones.get(Slot.ALTERNATE):
        return reasons.ALTERNATE_STILL_THERE.refuse(who=change.target.upn)
    return None
