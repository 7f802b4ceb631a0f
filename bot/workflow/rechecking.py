"""Everything that is checked again right before a write: rights, protection, content, the value before.

Knows the policy and the directory's facts. Must not write anywhere: it answers "go", "no because"
or "first this".
"""

from __future__ import annotations

from bot.domain import reasons
from bot.domain.change import Change, OpKind, OpState, content_hash
from bot.domain.people import Person, Phones
from bot.domain.phone import PhoneNumber, Slot, against_rules
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow import proofs
from bot.workflow.effects import Effects, Reading
from bot.workflow.holders import shared_number
from bot.workflow.identity import Identity
from bot.workflow.judging import Judge, kind_of, may_ask
from bot.workflow.parts import Parts
from bot.workflow.planning import Facts
from bot.workflow.rejudging import Moved, Rejudging


class Rechecks:
    """Fresh answers only. Every method raises DirectoryUnavailable when the directory is silent."""

    def __init__(self, parts: Parts, identity: Identity, judge: Judge, rejudging: Rejudging) -> None:
        self._parts = parts
        self._identity = identity
        self._judge = judge
        self._rejudging = rejudging
        self._effects = Effects(parts)

    async def against(
        self, change: Change, numbers: dict[int, PhoneNumber], held: dict[int, PhoneNumber]
    ) -> Refusal | Moved | None:
        """Why the change must not be written now, what it becomes first, or None: it may be written.

        held: filled with what the slots hold before the write, by operation.
        """
        if content_hash(change) != change.content_hash or not self._are_approved(change, numbers):
            return reasons.HASH_MISMATCH.refuse(id=change.printed_id)
        target = await self._parts.directory.person(change.target.oid)
        if target is None:
            return reasons.PERSON_UNKNOWN.refuse(who=change.target.upn)
        identity_moved = _identity_moved(change, target)
        if identity_moved is not None:
            return identity_moved
        roles = await self._identity.roles_of(change.requester.oid)
        if not may_ask(roles, change.action, deciders=change.deciders, break_glass=change.break_glass):
            return reasons.RIGHTS_LOST.refuse(name=change.requester.name)
        facts = await self._facts(target)
        refused = (
            _protected(target, facts)
            or self._forbidden(change, numbers)
            or await shared_number(self._parts, numbers.get(1), change.slot, change.target.oid)
            or _order_broken(change, facts.phones)
            or await self._value_moved(change, held)
        )
        # Last, because a vote that is void sends it back to people: nothing else may stand against it then.
        return refused or await self._rejudging.judge(change, target, kind_of(target, facts), roles)

    def _forbidden(self, change: Change, numbers: dict[int, PhoneNumber]) -> Refusal | None:
        """What the policy in force says to the proof and the number, whatever it said when it was asked."""
        policy, number = self._parts.policy, numbers.get(1)
        said = proofs.against_change(policy, change)
        if said is None and change.action is Action.SET and number is not None:
            return against_rules(number, change.slot, policy.numbers)
        return said

    async def against_guard(self, change: Change) -> Refusal | None:
        """Why not even a guard may be written. It only keeps what was there, so votes do not count."""
        target = await self._parts.directory.person(change.target.oid)
        if target is None:
            return reasons.PERSON_UNKNOWN.refuse(who=change.target.upn)
        return _protected(target, await self._facts(target))

    async def _facts(self, target: Person) -> Facts:
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

    async def _value_moved(self, change: Change, held: dict[int, PhoneNumber]) -> Refusal | None:
        """Everything still to be written must be about the value that was shown."""
        for operation in change.operations:
            if operation.kind.conditional or operation.state is not OpState.PLANNED:
                continue
            seen = await self._effects.look(change.target.oid, operation)
            slot = operation.slot.word
            if seen.reading is Reading.SILENT:
                raise DirectoryUnavailable("the present value")
            if seen.reading is Reading.NEW:
                return reasons.ALREADY_THERE.refuse(slot=slot, now=seen.now)
            if seen.reading is Reading.OTHER:
                before, who = operation.before or "empty", change.target.upn
                return reasons.DIRECTORY_MOVED.refuse(slot=slot, before=before, now=seen.now, who=who)
            if seen.number is not None:
                held[operation.n] = seen.number
        return None


def _protected(target: Person, facts: Facts) -> Refusal | None:
    if not facts.protection:
        return None
    return reasons.PROTECTED.refuse(name=target.name, facts="; ".join(facts.protection.facts))


def _identity_moved(change: Change, target: Person) -> Refusal | None:
    if target.upn.casefold() != change.target.upn.casefold():
        return reasons.TARGET_RENAMED.refuse(before=change.target.upn, now=target.upn)
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
