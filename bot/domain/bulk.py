"""Batches as values: what a spreadsheet said, what its plan is, how far a run is, what a file of ours says.

Knows rows, buckets and the plan's hash. Must not know file formats, directories or how a batch is stored or
carried out. A batch is asked for and approved as one change (its head, whose id is the batch's id); each row
that runs becomes a change of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from bot.domain.change import Operation, OpKind, State
from bot.domain.people import PersonRef
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Risk
from bot.domain.reason import Refusal

#: The writes that Graph documents for one app in one tenant ("throttling-limits", identity and access).
DOCUMENTED_WRITES, DOCUMENTED_SECONDS = 3_000, 150
#: So much of an allowance is used: the rest is for single changes and other apps' clocks.
USED_SHARE = 0.98


class Mode(StrEnum):
    """What becomes of a row whose slot holds another number."""

    SKIP = "skip"
    OVERWRITE = "overwrite"
    ALTERNATE = "as-alternate"


class Bucket(StrEnum):
    """Where the plan puts a row. Only the first three can run; OVERWRITE only where the mode says so.

    NEW: the slot is empty. DOWNGRADE: the same, but the person has a stronger method and no phone yet.
    """

    NEW = "new"
    DOWNGRADE = "downgrade-risk"
    OVERWRITE = "overwrite"
    SAME = "same"
    PROTECTED = "protected"
    INVALID = "invalid"
    NOT_FOUND = "not-found"
    AMBIGUOUS = "ambiguous"
    DUPLICATE_PERSON = "duplicate-person"
    DUPLICATE_NUMBER = "duplicate-number"
    OUT_OF_SCOPE = "out-of-scope"


#: What becomes a write in every mode.
ALWAYS = (Bucket.NEW, Bucket.DOWNGRADE)


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One row as planned: what the directory held then, and what it is to hold.

    who: as typed, masked. operations: empty for what cannot run. alternate_free: the second mobile slot may
    take the number. why: of every row that does not run. risks: what an approver should look at. number: in
    clear, on its way to be sealed; None once it is stored. parent_id: the change that a row undoes.
    """

    line: int
    who: str
    bucket: Bucket
    target: PersonRef | None = None
    kind: str = ""
    slot: Slot | None = None
    operations: tuple[Operation, ...] = ()
    alternate_free: bool = False
    why: Refusal | None = None
    risks: tuple[Risk, ...] = ()
    reason: str = ""
    ticket: str = ""
    number: PhoneNumber | None = field(default=None, repr=False)
    parent_id: str = ""

    def runs(self, mode: Mode) -> bool:
        """Whether the row becomes a write in this mode."""
        if not self.operations:
            return False
        if self.bucket in ALWAYS:
            return True
        as_second = self.slot is Slot.MOBILE and self.alternate_free
        allowed = mode is Mode.OVERWRITE or (mode is Mode.ALTERNATE and as_second)
        return self.bucket is Bucket.OVERWRITE and allowed

    def in_mode(self, mode: Mode) -> tuple[Operation, ...]:
        """The operations of a row that runs: in the mode "as alternate" the mobile stays as it is."""
        if mode is not Mode.ALTERNATE or self.bucket is not Bucket.OVERWRITE:
            return self.operations
        first = replace(self.operations[0], slot=Slot.ALTERNATE, before="", before_key="")
        guards = (op for op in self.operations[1:] if op.kind is OpKind.KEEP_DEFAULT)
        return (first, *(replace(op, n=n) for n, op in enumerate(guards, start=2)))


def plan_hash(batch_digest: str, mode: Mode, rows: Iterable[PlanRow]) -> str:
    """sha256 hex over everything that is approved: the file, the mode, and each row with what becomes of it.

    batch_digest: of the file's bytes. Numbers stand in it as their keyed hashes.
    """
    digest = hashlib.sha256(f"v1|{batch_digest}|{mode.value}".encode())
    for row in sorted(rows, key=lambda row: row.line):
        runs = row.runs(mode)
        digest.update(json.dumps(_canonical(row, mode, runs), separators=(",", ":")).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _canonical(row: PlanRow, mode: Mode, runs: bool) -> list[object]:
    if not runs:
        return [row.line, row.bucket.value]
    operations = [
        [op.n, op.kind.value, op.slot.value, op.before_key, op.after_key] for op in row.in_mode(mode)
    ]
    oid = row.target.oid if row.target else ""
    return [row.line, row.bucket.value, oid, operations, row.reason, row.ticket, row.parent_id]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch beside its head. sheet_id: under which its rows are kept, whatever the mode.

    total, runs: rows of the file, and those that become writes. buckets: rows by bucket. held: why the run
    waits for somebody, None = it goes on. canary: so many rows go first. drawn_at: when its cards were
    redrawn last. retried: how often failed rows were tried again by hand. sample_at, sample_done: for the
    rate, in rows per second. watched_since: failures before that do not stop the run again. undoes: the batch
    whose rows are restored.
    """

    id: str
    sheet_id: str
    name: str
    digest: str
    mode: Mode
    total: int
    runs: int
    plan_hash: str
    buckets: Mapping[Bucket, int]
    canary: int
    finish_minutes: int
    undoes: str = ""
    started_at: datetime | None = None
    finish_at: datetime | None = None
    held: Refusal | None = None
    held_by: PersonRef | None = None
    ended: Refusal | None = None
    drawn_at: datetime | None = None
    retried: int = 0
    sample_at: datetime | None = None
    sample_done: int = 0
    watched_since: datetime | None = None
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a run is: rows that became changes, by the state of these; the latest try of a row counts."""

    runs: int
    by_state: Mapping[State, int] = field(default_factory=lambda: MappingProxyType({}))

    def count(self, *states: State) -> int:
        return sum(self.by_state.get(state, 0) for state in states)

    @property
    def applied(self) -> int:
        return self.count(State.APPLIED)

    @property
    def failed(self) -> int:
        """Rows that the directory refused, or whose slot somebody else changed."""
        return self.count(State.FAILED, State.CONFLICT)

    @property
    def blocked(self) -> int:
        """Rows that we refused when their turn came."""
        return self.count(State.BLOCKED)

    @property
    def open(self) -> int:
        """Sent and not settled, or about to be sent again."""
        return self.count(State.APPROVED, State.COOLING, State.APPLYING, State.UNCONFIRMED)

    @property
    def settled(self) -> int:
        return sum(self.by_state.values()) - self.open

    @property
    def begun(self) -> int:
        return sum(self.by_state.values())

    @property
    def untouched(self) -> int:
        """Rows whose turn has not come."""
        return self.runs - self.begun


def seconds_for(writes: int, per_second: float = 0.0) -> int:
    """How long so many writes take at that rate; 0 = at the documented allowance of Graph."""
    rate = per_second or DOCUMENTED_WRITES * USED_SHARE / DOCUMENTED_SECONDS
    return int(writes / rate + 0.5)


@dataclass(frozen=True, slots=True)
class BatchView:
    """What a card shows of a batch beside its head. risky: rows that an approver should look at, a few.

    seconds_left: until all rows are through, None = that cannot be told now.
    """

    batch: Batch
    tally: Tally
    risky: tuple[PlanRow, ...] = ()
    seconds_left: int | None = None
    may_hold: bool = False
    may_go_on: bool = False
    may_retry: bool = False
    may_choose: bool = False
    may_stop: bool = False
