"""Whether the rows of a slice may be written now: the same questions as before a single write, asked for all
of them together.

Knows facts of people and of the store. Must not write anywhere: each row comes back as "go", "no because", or
"the directory is silent".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain import bulk_reasons as no
from bot.domain import reasons
from bot.domain.bulk import Batch, PlanRow
from bot.domain.change import Change, Operation, OpKind
from bot.domain.people import Person, Phones, Protection, TargetKind
from bot.domain.phone import PhoneNumber, Slot, against_rules
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable, Unread, Waiting
from bot.workflow.batch_planning import DAY, frozen_row, open_row, too_many_have
from bot.workflow.judging import kind_of
from bot.workflow.parts import Parts
from bot.workflow.planning import Facts
from bot.workflow.rechecking import identity_moved, protected

Found = tuple[Person | None, Facts] | DirectoryUnavailable
"""What the directory says about somebody; None = it does not have the account."""
Known = tuple[Person | None, Protection, frozenset[str]]
"""The account, what protects it, and its groups."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One row of a slice. why: it must not be written. silent: not known now, how long to wait if told.

    held: what the slot holds right before the write, None = nothing.
    """

    turn: Waiting
    operations: tuple[Operation, ...]
    why: Refusal | None = None
    silent: timedelta | None = None
    held: PhoneNumber | None = field(default=None, repr=False)

    @property
    def row(self) -> PlanRow:
        return self.turn.row

    @property
    def goes(self) -> bool:
        return self.why is None and self.silent is None


class BatchChecks:
    """Fresh answers only."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def check(self, head: Change, batch: Batch, turns: Sequence[Waiting]) -> list[Checked]:
        """Every row, in the order given."""
        oids = [_target(turn.row) for turn in turns]
        facts, stored = await asyncio.gather(self._facts(oids), self._stored(head, batch, turns, oids))
        return [
            self._judged(batch, turn, facts[oid], stored[oid]) for turn, oid in zip(turns, oids, strict=True)
        ]

    # --- what the directory says --------------------------------------------------------------------------
    async def _facts(self, oids: Sequence[str]) -> dict[str, Found]:
        phones, people = await asyncio.gather(
            self._phones(oids), asyncio.gather(*(self._person(oid) for oid in oids))
        )
        return {oid: self._found(phones.get(oid), known) for oid, known in zip(oids, people, strict=True)}

    async def _phones(self, oids: Sequence[str]) -> dict[str, Phones | Unread]:
        found: dict[str, Phones | Unread] = {}
        try:
            async for oid, seen in self._parts.many.directory.phones_of_many(oids):
                found[oid] = seen
        except DirectoryUnavailable as error:
            return {oid: found.get(oid, Unread(error.what)) for oid in oids}
        return found

    async def _person(self, oid: str) -> Known | DirectoryUnavailable:
        directory, policy = self._parts.many.directory, self._parts.policy
        try:
            return await asyncio.gather(
                directory.person(oid),
                directory.protection(oid, policy.protected, policy.all_groups()),
                directory.member_of(oid, policy.all_groups() | policy.vip),
            )
        except DirectoryUnavailable as error:
            return error

    def _found(self, phones: Phones | Unread | None, known: Known | DirectoryUnavailable) -> Found:
        if isinstance(known, DirectoryUnavailable):
            # Of somebody who is gone nothing else can be read either.
            if isinstance(phones, Unread) and phones.gone:
                return None, Facts(Phones(), Protection(), frozenset())
            return known
        person, protection, groups = known
        if person is not None and not isinstance(phones, Phones):
            return DirectoryUnavailable(phones.why if phones else "the phones of a person")
        held = phones if isinstance(phones, Phones) else Phones()
        policy = self._parts.policy
        return person, Facts(held, protection, policy.roles_from(groups), vip=bool(groups & policy.vip))

    # --- what we know ourselves ---------------------------------------------------------------------------
    async def _stored(
        self, head: Change, batch: Batch, turns: Sequence[Waiting], oids: Sequence[str]
    ) -> dict[str, Refusal | None]:
        """By person the first thing of our own that stands against the row."""
        store, most = self._parts.store, self._parts.policy.limits.changes_per_target_per_day
        keys = {
            _target(turn.row): self._parts.index.key_of(turn.row.number)
            for turn in turns
            if turn.row.number is not None and _slot(batch, turn.row) is not Slot.OFFICE
        }
        locked, frozen, often, holders = await asyncio.gather(
            store.locked(oids),
            store.frozen_among(oids),
            store.at_daily_limit(oids, self._parts.now() - DAY, 0 if batch.undoes else most),
            store.known_holders(list(keys.values())),
        )
        found: dict[str, Refusal | None] = {}
        for turn, oid in zip(turns, oids, strict=True):
            others = [
                each for each in locked.get(oid, ()) if turn.change is None or each.id != turn.change.id
            ]
            known = {who for who, slot in holders.get(keys.get(oid, ""), ()) if slot != Slot.OFFICE.value}
            row = turn.row
            daily = no.OVER_DAILY.refuse(most=str(most)) if oid in often and turn.change is None else None
            found[oid] = (
                (frozen_row(row.target) if oid in frozen and row.target else None)
                or open_row(others, _slot(batch, row))
                or daily
                or too_many_have(len(known - {oid}), self._parts.policy.shared_number_max)
            )
        return found

    # --- together -----------------------------------------------------------------------------------------
    def _judged(
        self,
        batch: Batch,
        turn: Waiting,
        found: Found,
        stored: Refusal | None,
    ) -> Checked:
        operations = turn.change.operations if turn.change else turn.row.in_mode(batch.mode)
        if isinstance(found, DirectoryUnavailable):
            return Checked(turn, operations, silent=found.retry_after or timedelta())
        person, facts = found
        why = self._against(turn, person, facts, operations[0]) or stored
        if why is not None:
            return Checked(turn, operations, why)
        return Checked(turn, operations, held=facts.phones.get(operations[0].slot))

    def _against(
        self, turn: Waiting, person: Person | None, facts: Facts, operation: Operation
    ) -> Refusal | None:
        row = turn.row
        if person is None or row.target is None:
            return reasons.PERSON_UNKNOWN.refuse(who=row.target.upn if row.target else row.who)
        why = identity_moved(row.target, person) or protected(person, facts)
        if why is None and (kind := kind_of(person, facts)) is not TargetKind.ORDINARY:
            # Whoever was no guest, colleague or VIP when it was approved, and is one now.
            why = None if kind.value == row.kind else reasons.NO_RULE.refuse(action="bulk", kind=kind.value)
        return why or self._number(row, operation) or self._moved(row, facts.phones, operation)

    def _number(self, row: PlanRow, operation: Operation) -> Refusal | None:
        """The number is the one that was approved, and the policy in force lets it be set."""
        if operation.kind is not OpKind.SET:
            return None
        if row.number is None or self._parts.number_key(row.number) != operation.after_key:
            return reasons.HASH_MISMATCH.refuse(id=f"line {row.line}")
        # What an undo restores was there before: the rules for new numbers do not count.
        return (
            None if row.parent_id else against_rules(row.number, operation.slot, self._parts.policy.numbers)
        )

    def _moved(self, row: PlanRow, phones: Phones, operation: Operation) -> Refusal | None:
        held = phones.get(operation.slot)
        key = self._parts.number_key(held)
        now = held.masked if held else "empty"
        if key == operation.after_key:
            return reasons.ALREADY_THERE.refuse(slot=operation.slot.word, now=now)
        if key != operation.before_key:
            before = operation.before or "empty"
            return no.ROW_MOVED.refuse(slot=operation.slot.word, before=before, now=now)
        if operation.slot is Slot.ALTERNATE and operation.after_key and phones.get(Slot.MOBILE) is None:
            return reasons.MOBILE_FIRST.refuse(who=row.target.upn if row.target else row.who)
        removes_mobile = operation.kind is OpKind.REMOVE and operation.slot is Slot.MOBILE
        if removes_mobile and phones.get(Slot.ALTERNATE):
            return reasons.ALTERNATE_STILL_THERE.refuse(who=row.target.upn if row.target else row.who)
        return None


def _slot(batch: Batch, row: PlanRow) -> Slot:
    return row.in_mode(batch.mode)[0].slot


def _target(row: PlanRow) -> str:
    if row.target is None:
        raise AssertionError("a row that waits has a person")
    return row.target.oid
