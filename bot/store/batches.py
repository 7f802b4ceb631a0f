"""Batches as rows: the plan with its sealed numbers, whose turn it is, and how far a run is.

Knows tables and sealing. Must not know what a row means to the workflow, nor when a run stops. What became of
a row is told by its change alone: nothing is kept twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.domain.bulk import ALWAYS, Batch, Bucket, Mode, PlanRow, Tally
from bot.domain.change import LOCKING, TERMINAL, Change, Operation, OpKind, State
from bot.domain.people import PersonRef
from bot.domain.phone import Slot
from bot.domain.policy import Risk
from bot.ports.batches import BatchWork, Waiting
from bot.store import batch_tables as bt
from bot.store import rows
from bot.store import tables as t
from bot.store.keyring import KeyMissing, KeyRing, SealBroken
from bot.store.sealing import number_text, read_number

_b, _r, _c = bt.batches.c, bt.batch_rows.c, t.changes.c
_PLAIN = (
    *("id", "sheet_id", "name", "digest", "total", "runs", "plan_hash", "canary", "finish_minutes", "undoes"),
    *("started_at", "finish_at", "drawn_at", "retried", "sample_at", "sample_done", "rate"),
    "watched_since",
)
_REFUSALS = ("held", "ended")
_SHEET = _r.sheet_id == sa.bindparam("sheet")
# As the index of these rows has it: SQLite compares the expressions.
_WAITS = sa.text("batch_rows.waiting")
_TURN = sa.select(bt.batch_rows).where(_SHEET, _WAITS).order_by(_r.line)
_TAKE = (
    sa.update(bt.batch_rows)
    .where(_r.sheet_id == sa.bindparam("of"), _r.line == sa.bindparam("at_line"))
    .where(_WAITS)
    .values(waiting=sa.false(), change_id=sa.bindparam("taken_by"))
)
_TALLY = sa.select(_c.state, sa.func.count()).where(_c.batch_id == sa.bindparam("batch_id"))
_FAILED = [State.FAILED.value, State.CONFLICT.value, State.BLOCKED.value]


#: What reading a row raises whose columns make no sense.
_SENSELESS = (ValueError, KeyError, TypeError, IndexError)
_UNREADABLE = {"code": "internal.batch-row-unreadable", "facts": {}}


class RowTaken(Exception):
    """A row was begun by somebody else meanwhile."""


# --- the plan ---------------------------------------------------------------------------------------------
def keep_rows(
    connection: Connection, keys: KeyRing, sheet_id: str, given: Sequence[PlanRow], at: datetime
) -> None:
    """Insert rows of a new plan; they wait as in the mode that skips what is held."""
    if given:
        connection.execute(sa.insert(bt.batch_rows), [_row_values(keys, sheet_id, row, at) for row in given])


def _row_values(keys: KeyRing, sheet_id: str, row: PlanRow, at: datetime) -> dict[str, Any]:
    target = row.target or PersonRef("", "", "")
    sealed = keys.seal(_bound(sheet_id, row.line), number_text(row.number)) if row.number else None
    return {
        **{"sheet_id": sheet_id, "line": row.line, "who": row.who, "bucket": row.bucket.value, "at": at},
        **{"target_oid": target.oid, "target_name": target.name, "target_upn": target.upn},
        **{"kind": row.kind, "slot": row.slot.value if row.slot else "", "parent_id": row.parent_id},
        "operations": [_op_values(op) for op in row.operations],
        **{"alternate_free": row.alternate_free, "why": rows.refusal_values(row.why)},
        **{"risks": [risk.value for risk in row.risks], "reason": row.reason, "ticket": row.ticket},
        **{"sealed": sealed, "waiting": row.runs(Mode.SKIP), "change_id": ""},
    }


def _op_values(op: Operation) -> list[str]:
    return [op.kind.value, op.slot.value, op.before, op.after, op.before_key, op.after_key]


def _plan_row(row: Row[Any]) -> PlanRow:
    target = PersonRef(row.target_oid, row.target_name, row.target_upn) if row.target_oid else None
    return PlanRow(
        line=row.line,
        who=row.who,
        bucket=Bucket(row.bucket),
        target=target,
        kind=row.kind,
        slot=Slot(row.slot) if row.slot else None,
        operations=tuple(
            Operation(n, OpKind(kind), Slot(slot), *texts)
            for n, (kind, slot, *texts) in enumerate(row.operations, start=1)
        ),
        alternate_free=row.alternate_free,
        why=rows.read_refusal(row.why),
        risks=tuple(map(Risk, row.risks)),
        reason=row.reason,
        ticket=row.ticket,
        parent_id=row.parent_id,
    )


def page(connection: Connection, sheet_id: str, after_line: int, limit: int) -> tuple[PlanRow, ...]:
    """Rows in the order of the file, without numbers."""
    query = sa.select(bt.batch_rows).where(_SHEET, _r.line > after_line).order_by(_r.line).limit(limit)
    return tuple(map(_plan_row, connection.execute(query, {"sheet": sheet_id})))


def risky(connection: Connection, sheet_id: str, limit: int) -> tuple[PlanRow, ...]:
    """Rows that wait and have a risk."""
    empty = sa.type_coerce(_r.risks, sa.Text) != '{"v":1,"d":[]}'
    return tuple(map(_plan_row, connection.execute(_TURN.where(empty).limit(limit), {"sheet": sheet_id})))


def results(
    connection: Connection, sheet_id: str, after_line: int, limit: int
) -> tuple[tuple[PlanRow, Change | None], ...]:
    """Rows with their changes."""
    query = sa.select(bt.batch_rows).where(_SHEET, _r.line > after_line).order_by(_r.line).limit(limit)
    found = connection.execute(query, {"sheet": sheet_id}).all()
    changes = {c.id: c for c in rows.load(connection, [row.change_id for row in found if row.change_id])}
    return tuple((_plan_row(row), changes.get(row.change_id)) for row in found)


# --- one commit -------------------------------------------------------------------------------------------
def work(connection: Connection, step: BatchWork) -> None:
    """The batch as it is from now on, and its rows. Raises RowTaken."""
    batch = step.batch
    connection.execute(t.upsert(connection, bt.batches), _values(batch))
    if step.choose is not None:
        _choose(connection, batch.sheet_id, step.choose)
    if step.taken:
        taken = [
            {"of": batch.sheet_id, "at_line": line, "taken_by": change_id}
            for line, change_id in sorted(step.taken.items())
        ]
        if connection.execute(_TAKE, taken).rowcount != len(taken):
            raise RowTaken
    if step.done:
        _forget(connection, _SHEET, _r.line.in_(step.done), sheet_id=batch.sheet_id)
    if step.dropped:
        shell: dict[str, Any] = {
            "waiting": False,
            "sealed": None,
            "operations": [],
            "risks": [],
            "why": _UNREADABLE,
        }
        lost = sa.update(bt.batch_rows).where(_SHEET, _r.line.in_(step.dropped)).values(shell)
        connection.execute(lost, {"sheet": batch.sheet_id})
    if step.again:
        _again(connection, batch)


def over(connection: Connection, batch_id: str) -> None:
    """The end of a head: no row waits and no number is kept, unless another plan of the same rows lives."""
    sheet_id = connection.execute(sa.select(_b.sheet_id).where(_b.id == batch_id)).scalar()
    alive = sa.select(_c.id).join(bt.batches, _b.id == _c.id).where(_b.sheet_id == sheet_id)
    ends = [state.value for state in TERMINAL]
    if sheet_id is None or connection.execute(alive.where(_c.state.not_in(ends)).limit(1)).first():
        return
    _forget(connection, _SHEET, _r.sealed.is_not(None), sheet_id=sheet_id)
    ended = sa.update(bt.batch_rows).where(_SHEET, _WAITS).values(waiting=sa.false())
    connection.execute(ended, {"sheet": sheet_id})


def _forget(connection: Connection, *where: sa.ColumnElement[bool], sheet_id: str) -> None:
    connection.execute(sa.update(bt.batch_rows).where(*where).values(sealed=None), {"sheet": sheet_id})


def _choose(connection: Connection, sheet_id: str, mode: Mode) -> None:
    always = _r.bucket.in_([bucket.value for bucket in ALWAYS])
    if mode is Mode.SKIP:
        waits: sa.ColumnElement[bool] = always
    elif mode is Mode.OVERWRITE:
        waits = sa.or_(always, _r.bucket == Bucket.OVERWRITE.value)
    else:
        second = sa.and_(_r.slot == Slot.MOBILE.value, _r.alternate_free.is_(sa.true()))
        waits = sa.or_(always, sa.and_(_r.bucket == Bucket.OVERWRITE.value, second))
    set_all = sa.update(bt.batch_rows).where(_SHEET).values(waiting=waits)
    connection.execute(set_all, {"sheet": sheet_id})


def _again(connection: Connection, batch: Batch) -> None:
    """Rows whose last try failed wait again; what is done or open stays."""
    failed = sa.select(_c.id).where(_c.batch_id == batch.id, _c.state.in_(_FAILED))
    rows_of = sa.update(bt.batch_rows).where(_SHEET, _r.change_id.in_(failed), _r.sealed.is_not(None))
    connection.execute(rows_of.values(waiting=sa.true()), {"sheet": batch.sheet_id})


def _values(batch: Batch) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(batch, name) for name in _PLAIN}
    values |= {name: rows.refusal_values(getattr(batch, name)) for name in _REFUSALS}
    values["held_by"] = asdict(batch.held_by) if batch.held_by else None
    values["mode"] = batch.mode.value
    values["buckets"] = {bucket.value: count for bucket, count in batch.buckets.items()}
    return values


# --- how far it is ----------------------------------------------------------------------------------------
def load(connection: Connection, batch_id: str) -> Batch | None:
    row = connection.execute(sa.select(bt.batches).where(_b.id == batch_id)).first()
    if row is None:
        return None
    plain = {name: row._mapping[name] for name in _PLAIN}
    plain |= {name: rows.read_refusal(row._mapping[name]) for name in _REFUSALS}
    return Batch(
        **plain,
        mode=Mode(row.mode),
        buckets=MappingProxyType({Bucket(name): count for name, count in row.buckets.items()}),
        held_by=PersonRef(**row.held_by) if row.held_by else None,
    )


def tally(connection: Connection, batch: Batch) -> Tally:
    """States of the changes that rows have become; an earlier try of a row does not count."""
    query = _TALLY.where(_c.id != batch.id)
    if batch.retried:
        latest = sa.select(_r.change_id).where(_r.sheet_id == batch.sheet_id, _r.waiting.is_(sa.false()))
        query = query.where(_c.id.in_(latest))
    found = connection.execute(query.group_by(_c.state), {"batch_id": batch.id})
    return Tally(batch.runs, MappingProxyType({State(state): count for state, count in found}))


def turn(connection: Connection, keys: KeyRing, batch: Batch, limit: int) -> tuple[Waiting, ...]:
    """Rows begun and not sent, then rows that wait."""
    unsent = sa.and_(_c.batch_id == batch.id, _c.id != batch.id, _c.state == State.APPROVED.value)
    begun = sa.select(bt.batch_rows).join(t.changes, _c.id == _r.change_id).where(_SHEET, unsent)
    found = _read(connection, begun.where(_c.due_at.is_(None)).order_by(_r.line).limit(limit), batch)
    ids = [row.change_id for _, row in found if row is not None]
    changes = {change.id: change for change in rows.load(connection, ids)}
    turns = [_turn_of(keys, line, row, changes.get(row.change_id) if row else None) for line, row in found]
    if len(turns) < limit:
        further = _read(connection, _TURN.limit(limit - len(turns)), batch)
        turns += [_turn_of(keys, line, row, None) for line, row in further]
    return tuple(turns)


def _read(connection: Connection, query: sa.Select[Any], batch: Batch) -> list[tuple[int, Row[Any] | None]]:
    """(line, row) in order; None for one that cannot be read, which must not hold up the others."""
    given = {"sheet": batch.sheet_id}
    try:
        return [(row.line, row) for row in connection.execute(query, given)]
    except _SENSELESS:
        lines = connection.scalars(query.with_only_columns(_r.line), given).all()
        return [(line, _one(connection, batch, line)) for line in lines]


def _one(connection: Connection, batch: Batch, line: int) -> Row[Any] | None:
    query = sa.select(bt.batch_rows).where(_SHEET, _r.line == line)
    try:
        return connection.execute(query, {"sheet": batch.sheet_id}).first()
    except _SENSELESS:
        return None


def _turn_of(keys: KeyRing, line: int, row: Row[Any] | None, change: Change | None) -> Waiting:
    try:
        if row is not None:
            return Waiting(_with_number(keys, row), change)
    except (*_SENSELESS, SealBroken, KeyMissing):
        pass  # told by whoever reads of it, with its line
    return Waiting(PlanRow(line, "", Bucket.INVALID), change, broken=True)


def _with_number(keys: KeyRing, row: Row[Any]) -> PlanRow:
    planned = _plan_row(row)
    if row.sealed is None:
        return planned
    number = read_number(keys.open(_bound(row.sheet_id, row.line), row.sealed))
    return _numbered(planned, number)


def _numbered(row: PlanRow, number: Any) -> PlanRow:
    return PlanRow(**{name: getattr(row, name) for name in _ROW_FIELDS}, number=number)


_ROW_FIELDS = tuple(name for name in PlanRow.__dataclass_fields__ if name != "number")


def last(connection: Connection, batch_id: str, limit: int) -> tuple[Change, ...]:
    """The changes of a batch that ended last."""
    of_batch = sa.and_(_c.batch_id == batch_id, _c.id != batch_id, _c.ended_at.is_not(None))
    ids = connection.scalars(
        sa.select(_c.id).where(of_batch).order_by(_c.ended_at.desc(), _c.id).limit(limit)
    ).all()
    return rows.load(connection, ids)


# --- people of a slice ------------------------------------------------------------------------------------
def targets(connection: Connection, batch_id: str, oids: Collection[str]) -> frozenset[str]:
    """Those of these people who stand in the batch with a row that could run."""
    sheet = sa.select(_b.sheet_id).where(_b.id == batch_id).scalar_subquery()
    query = sa.select(_r.target_oid).where(
        _r.sheet_id == sheet, _r.target_oid.in_(list(oids)), _r.sealed.is_not(None) | (_r.change_id != "")
    )
    return frozenset(connection.scalars(query)) if oids else frozenset()


def at_daily_limit(
    connection: Connection, oids: Collection[str], since: datetime, most: int
) -> frozenset[str]:
    """Those for whom so many changes were submitted since then, as the quota of one person counts."""
    query = (
        sa.select(_c.target_oid)
        .where(_c.target_oid.in_(list(oids)), _c.submitted_at > since, _c.outside_limits.is_(sa.false()))
        .group_by(_c.target_oid)
        .having(sa.func.count() >= most)
    )
    return frozenset(connection.scalars(query)) if oids and most else frozenset()


def locked(connection: Connection, oids: Collection[str]) -> Mapping[str, tuple[Change, ...]]:
    """Open changes of these people."""
    holding = sa.select(t.slot_locks.c.change_id).where(t.slot_locks.c.target_oid.in_(list(oids))).distinct()
    found: dict[str, list[Change]] = defaultdict(list)
    for change in rows.load(connection, connection.scalars(holding).all()) if oids else ():
        if change.state in LOCKING:
            found[change.target.oid].append(change)
    return {oid: tuple(changes) for oid, changes in found.items()}


def known_holders(
    connection: Connection, tenant: str, keys: Collection[str]
) -> Mapping[str, frozenset[tuple[str, str]]]:
    """Who is known to hold these numbers."""
    n = t.number_index.c
    query = sa.select(n.number_key, n.person_oid, n.slot).where(
        n.tenant_id == tenant, n.number_key.in_(list(keys))
    )
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in connection.execute(query) if keys else ():
        found[row.number_key].add((row.person_oid, row.slot))
    return {key: frozenset(people) for key, people in found.items()}


def forget_orphans(connection: Connection, before: datetime, limit: int) -> int:
    """Plans that were never finished: their rows go, numbers and all."""
    owned = sa.select(_b.sheet_id)
    some = sa.select(_r.sheet_id).where(_r.at < before, _r.sheet_id.not_in(owned)).distinct().limit(limit)
    sheets = connection.scalars(some).all()
    if sheets:
        connection.execute(sa.delete(bt.batch_rows).where(_r.sheet_id.in_(sheets)))
    return len(sheets)


def _bound(sheet_id: str, line: int) -> bytes:
    return f"batch_rows|{sheet_id}|{line}|sealed".encode()
