"""From the rows of a sheet to a plan: who is meant, what they have now, and what would become of each row.

Knows how one row is judged (as a single change is, with the action bulk) and what rows do to each other. Must
not store, ask or write. Nothing is guessed and nobody is picked: a row that is not clear does not run.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from bot.domain import bulk_reasons as no
from bot.domain import reasons
from bot.domain.bulk import ALWAYS, Bucket, PlanRow
from bot.domain.naming import read_slot
from bot.domain.number_reasons import NUMBER_SHARED
from bot.domain.people import Actor, Person, PersonRef, TargetKind
from bot.domain.phone import PhoneNumber, Slot, hide_numbers, read_number
from bot.domain.policy import Action, Risk, Rule
from bot.domain.reason import Refusal
from bot.domain.sheets import Sheet, SheetRow
from bot.domain.words import split
from bot.workflow.batch_finding import BatchFinding
from bot.workflow.judging import Judge, kind_of, rule_against
from bot.workflow.parts import Parts
from bot.workflow.planning import Case, Facts, against, is_already_so, is_first_beside_stronger, plan

#: So many people are looked at side by side.
AT_ONCE = 120
DAY = timedelta(hours=24)
_TEXT, _TICKET = 500, 120
_BUCKETS = {
    reasons.PERSON_UNKNOWN.code: Bucket.NOT_FOUND,
    no.ROW_WITHOUT_PERSON.code: Bucket.INVALID,
    reasons.DIRECTORY_UNAVAILABLE.code: Bucket.OUT_OF_SCOPE,
}
_T = TypeVar("_T")


@dataclass(slots=True)
class _Row:
    """One row on its way. why: the first thing that keeps it from running."""

    sheet: SheetRow
    slot: Slot | None = None
    number: PhoneNumber | None = field(default=None, repr=False)
    person: Person | None = None
    facts: Facts | None = None
    bucket: Bucket = Bucket.NEW
    why: Refusal | None = None
    kind: TargetKind | None = None
    risks: tuple[Risk, ...] = ()
    planned: PlanRow | None = None

    def refuse(self, bucket: Bucket, why: Refusal) -> None:
        if self.why is None:
            self.bucket, self.why = bucket, why


@dataclass(frozen=True, slots=True)
class Planned:
    """rule: that decides the rows that run, None when none does."""

    rows: tuple[PlanRow, ...]
    rule: Rule | None


class BatchPlanning:
    """Plans sheets. A directory that is silent is a refusal of the row, never a guess."""

    def __init__(self, parts: Parts, judge: Judge) -> None:
        """judge: reading for many people at once."""
        self._parts = parts
        self._judge = judge
        self._finding = BatchFinding(parts)

    async def plan(self, sheet: Sheet, actor: Actor, told: Callable[[int], None] = lambda _: None) -> Planned:
        """Every row in its bucket. told: hears how many people were looked at so far."""
        rows = [_Row(row) for row in sheet.rows]
        await asyncio.to_thread(self._read_all, rows)
        await self._find([row for row in rows if row.why is None], actor)
        _same_person(rows)
        self._same_number(rows)
        known = [row for row in rows if row.why is None]
        done = 0
        for start in range(0, len(known), AT_ONCE):
            some = known[start : start + AT_ONCE]
            await asyncio.gather(*(self._look(row, actor) for row in some))
            await self._stored(some, actor)
            done += len(some)
            told(done)
        rule = self._one_rule([row for row in known if row.why is None], actor)
        return Planned(tuple(_finished(row) for row in rows), rule)

    # --- what the row says --------------------------------------------------------------------------------
    def _read_all(self, rows: Sequence[_Row]) -> None:
        for row in rows:
            self._read(row)

    def _read(self, row: _Row) -> None:
        said = row.sheet
        row.slot = read_slot(split(said.slot, {}).words)
        if said.problem is not None:
            row.refuse(Bucket.INVALID, said.problem)
        elif not said.who:
            row.refuse(Bucket.INVALID, no.ROW_WITHOUT_PERSON.refuse())
        elif row.slot is None:
            row.refuse(Bucket.INVALID, no.ROW_WITHOUT_SLOT.refuse())
        else:
            number = read_number(said.number, row.slot, self._parts.policy.numbers)
            if isinstance(number, Refusal):
                row.refuse(Bucket.INVALID, number)
            else:
                row.number = number

    # --- who is meant -------------------------------------------------------------------------------------
    async def _find(self, rows: Sequence[_Row], actor: Actor) -> None:
        found = await self._finding.find([row.sheet.who for row in rows], actor)
        for row, person in zip(rows, found, strict=True):
            if isinstance(person, Person):
                row.person = person
            else:
                row.refuse(_BUCKETS.get(person.code, Bucket.AMBIGUOUS), person)

    def _same_number(self, rows: Sequence[_Row]) -> None:
        """Office phones may be shared; of any other number no more rows than people may have it."""
        most = self._parts.policy.shared_number_max
        lines: dict[tuple[str, str], list[_Row]] = defaultdict(list)
        for row in rows:
            if row.why is None and row.number and row.slot is not Slot.OFFICE:
                lines[row.number.country, row.number.national].append(row)
        for same in lines.values():
            if most and len(same) > most:
                why = no.NUMBER_TWICE.refuse(most=str(most), lines=_lines(same))
                for row in same:
                    row.refuse(Bucket.DUPLICATE_NUMBER, why)

    # --- what they have now -------------------------------------------------------------------------------
    async def _look(self, row: _Row, actor: Actor) -> None:
        person, slot = _known(row.person), _known(row.slot)
        facts = await self._judge.gather(person)
        if isinstance(facts, Refusal):
            row.refuse(Bucket.OUT_OF_SCOPE, facts)
            return
        row.facts = facts
        row.kind = kind_of(person, facts)
        case = Case(actor.oid, person, Action.SET, slot, row.number, roles=actor.roles)
        if facts.protection:
            why = reasons.PROTECTED.refuse(name=person.name, facts="; ".join(facts.protection.facts))
            row.refuse(Bucket.PROTECTED, why)
        for refusal in (*self._judge.personal(case), *against(case, facts)):
            row.refuse(Bucket.OUT_OF_SCOPE, refusal)
        if row.why is None and is_already_so(case, facts):
            row.bucket = Bucket.SAME
            return
        self._place(row, case, facts)

    def _place(self, row: _Row, case: Case, facts: Facts) -> None:
        """The bucket, the risks and the operations of a row that nothing stands against so far."""
        held = facts.phones.get(case.slot)
        first = is_first_beside_stronger(case, facts)
        if row.why is None:
            row.bucket = Bucket.OVERWRITE if held else Bucket.DOWNGRADE if first else Bucket.NEW
        risks = [Risk.VIP] if facts.vip else []
        risks += [Risk.FIRST_PHONE] if first else []
        risks += [Risk.COUNTRY] if _other_country(case, facts) else []
        row.risks = tuple(risks)
        automatic = self._parts.policy.automatic_sms_sign_in
        made = plan(case, facts, self._parts.number_key, sms_may_come=automatic)
        row.planned = PlanRow(
            line=row.sheet.line,
            who="",
            bucket=row.bucket,
            operations=made.operations,
            alternate_free=case.slot is Slot.MOBILE and facts.phones.get(Slot.ALTERNATE) is None,
        )

    # --- what we know ourselves ---------------------------------------------------------------------------
    async def _stored(self, rows: Sequence[_Row], actor: Actor) -> None:
        """Freezes, open requests, today's changes and known holders: a few questions for all of them."""
        some = [row for row in rows if row.why is None and row.bucket is not Bucket.SAME]
        if not some:
            return
        now, store = self._parts.now(), self._parts.store
        oids = [_known(row.person).oid for row in some]
        keys = {row.sheet.line: self._index_key(row) for row in some if row.slot is not Slot.OFFICE}
        most = self._parts.policy.limits.changes_per_target_per_day
        locked, frozen, often, holders = await asyncio.gather(
            store.locked(oids),
            store.frozen_among(oids),
            store.at_daily_limit(oids, now - DAY, most),
            store.known_holders(list(keys.values())),
        )
        for row in some:
            oid = _known(row.person).oid
            for why in (
                frozen_row(_known(row.person)) if oid in frozen else None,
                open_row(locked.get(oid, ()), _known(row.slot)),
                no.OVER_DAILY.refuse(most=str(most)) if oid in often else None,
            ):
                if why is not None:
                    row.refuse(Bucket.OUT_OF_SCOPE, why)
            key = keys.get(row.sheet.line, "")
            others = {who for who, slot in holders.get(key, ()) if slot != Slot.OFFICE.value and who != oid}
            shared = too_many_have(len(others), self._parts.policy.shared_number_max)
            if shared is not None:
                row.refuse(Bucket.DUPLICATE_NUMBER, shared)
            elif others:
                row.risks = (*row.risks, Risk.SHARED)

    def _index_key(self, row: _Row) -> str:
        return self._parts.index.key_of(_known(row.number))

    # --- one rule for all ---------------------------------------------------------------------------------
    def _one_rule(self, rows: Sequence[_Row], actor: Actor) -> Rule | None:
        """The rule of most rows. What another rule decides, or none, is out of scope."""
        ruled: list[tuple[_Row, Rule]] = []
        for row in rows:
            if row.planned is None:
                continue
            kind, risks = _known(row.kind), frozenset(row.risks)
            slots = frozenset({_known(row.slot)})
            rule = self._parts.policy.rule_for(
                Action.BULK, kind, slots=slots, requester=actor.roles, risks=risks
            )
            said = rule_against(rule, Action.BULK, kind, risks)
            if said is not None or rule is None:
                row.refuse(
                    Bucket.OUT_OF_SCOPE, said or reasons.NO_RULE.refuse(action="bulk", kind=kind.value)
                )
            else:
                ruled.append((row, rule))
        names = Counter(rule.name for _, rule in ruled)
        if not names:
            return None
        chosen = names.most_common(1)[0][0]
        for row, rule in ruled:
            if rule.name != chosen:
                row.refuse(Bucket.OUT_OF_SCOPE, no.OTHER_RULE.refuse(rule=chosen, other=rule.name))
        return next(rule for _, rule in ruled if rule.name == chosen)


def frozen_row(person: Person | PersonRef) -> Refusal:
    """A row about somebody who is frozen. Who froze, and why, is not told to whoever sends a file."""
    return no.ROW_FROZEN.refuse(name=person.name)


def open_row(open_changes: Sequence[Any], slot: Slot) -> Refusal | None:
    """A row about a phone for which something is open already."""
    holder = next((change for change in open_changes if slot in change.slots), None)
    if holder is None:
        return None
    since = f"{(holder.submitted_at or holder.created_at):%Y-%m-%d %H:%M} UTC"
    return reasons.OPEN_REQUEST.refuse(
        slot=slot.word, id=holder.printed_id, name=holder.requester.name, since=since
    )


def too_many_have(others: int, most: int) -> Refusal | None:
    """The policy's limit on people per mobile number, on what is known."""
    if not most or others < most:
        return None
    return NUMBER_SHARED.refuse(count=str(others), most=str(most))


def _known(value: _T | None) -> _T:
    """What an earlier step has found for every row that is still in."""
    if value is None:
        raise AssertionError("a row without what it needs went on")
    return value


def _same_person(rows: Sequence[_Row]) -> None:
    """None of the rows of a person who stands there more than once for one slot, or at all, runs."""
    by_person: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        if row.person is not None:
            by_person[row.person.oid].append(row)
    for same in by_person.values():
        if len(same) > 1:
            why = no.PERSON_TWICE.refuse(lines=_lines(same))
            for row in same:
                row.refuse(Bucket.DUPLICATE_PERSON, why)


def _lines(rows: Sequence[_Row]) -> str:
    shown = ", ".join(str(row.sheet.line) for row in rows[:6])
    return shown if len(rows) <= 6 else f"{shown} and {len(rows) - 6} more"


def _other_country(case: Case, facts: Facts) -> bool:
    held = {number.country for number in facts.phones.by_slot.values()}
    return case.number is not None and bool(held) and case.number.country not in held


def _finished(row: _Row) -> PlanRow:
    runs = row.why is None and row.planned is not None and row.bucket in (*ALWAYS, Bucket.OVERWRITE)
    planned = row.planned if runs and row.planned else PlanRow(row.sheet.line, "", row.bucket)
    return replace(
        planned,
        who=hide_numbers(row.sheet.who)[:256],
        bucket=row.bucket,
        target=PersonRef.of(row.person) if row.person else None,
        kind=row.kind.value if row.kind else "",
        slot=row.slot,
        why=row.why,
        risks=row.risks if runs else (),
        reason=hide_numbers(row.sheet.reason)[:_TEXT],
        ticket=hide_numbers(row.sheet.ticket)[:_TICKET],
        number=row.number if runs else None,
    )
