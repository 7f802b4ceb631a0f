"""One commit: everything becomes true together, or nothing does and we say why.

Knows the order of writes, the guards, slot locks and sealed numbers. Must not know who asked or what comes
next. Rows are locked in one order everywhere (inbox, quotas, freezes, switches, changes by id, slots,
onboardings, messages, audit head), so that two commits do not wait for each other; the audit head comes
last because everybody needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.domain.change import LOCKING, TERMINAL, Change, OpState, may_move
from bot.domain.freeze import goes_forward
from bot.domain.phone import PhoneNumber
from bot.ports import Commit, Full, Lost, LostBecause, Message, Move, Received, RowUnreadable, Won
from bot.store import batches, freezes, onboardings, quotas, rows, switches, undo
from bot.store import tables as t
from bot.store.audit import Chain
from bot.store.keyring import KeyRing, SealBroken
from bot.store.sealing import number_text, read_number

_b = sa.bindparam
_GUARD = sa.and_(
    t.changes.c.id == _b("b_id"),
    t.changes.c.state == _b("b_state"),
    t.changes.c.row_version == _b("b_version"),
)
# Which columns are set follows from the values that are given.
_MOVE = sa.update(t.changes).where(_GUARD)
_MOVE_UNEXPIRED = _MOVE.where(t.changes.c.expires_at > _b("unexpired_at"))
_STANDS = sa.select(t.changes.c.id).where(_GUARD)
_WRITE_OPERATION = sa.update(t.operations).where(
    t.operations.c.change_id == _b("b_change"), t.operations.c.n == _b("b_n")
)
_HOLDER = sa.select(t.slot_locks.c.change_id).where(
    t.slot_locks.c.tenant_id == _b("tenant_id"),
    t.slot_locks.c.target_oid == _b("target_oid"),
    t.slot_locks.c.slot == _b("slot"),
)
_SEALED = sa.select(t.sealed_numbers.c.n, t.sealed_numbers.c.sealed).where(
    t.sealed_numbers.c.change_id == _b("change_id")
)
_FIRST = sa.select(t.inbox).where(
    t.inbox.c.conversation_id == _b("conversation_id"), t.inbox.c.activity_id == _b("activity_id")
)
_COUNTED = {"preserve_rowcount": True}
Step = tuple[Change | None, Change]
"""A change before and after; None = it has just come into being."""


class LosingError(Exception):
    """Rolls the transaction back. change_id: whose present state the caller is shown, "" for none."""

    def __init__(self, because: LostBecause, change_id: str, full: Full | None = None) -> None:
        super().__init__(because)
        self.because = because
        self.change_id = change_id
        self.full = full

    def lost(self, connection: Connection) -> Lost:
        """The answer, read when the losing transaction is gone."""
        current = rows.load_one(connection, self.change_id) if self.change_id else None
        return Lost(self.because, current, self.full)


def check(commit: Commit) -> None:
    """What must hold before the database is touched. Raises ValueError: the caller has a defect."""
    for move in commit.moves:
        _check_move(move)
    changes = [*(move.after for move in commit.moves), *commit.made]
    by_id = {change.id: change for change in changes}
    if len(by_id) != len(changes):
        raise ValueError("a change appears twice in one commit")
    for change in changes:
        voters = [(vote.step, vote.person.oid) for vote in change.votes]
        if not change.operations or len(set(voters)) != len(voters):
            raise ValueError(f"{change.id}: no operation, or two votes of one person in one step")
    for change_id, n in commit.numbers:
        if change_id not in by_id or n not in {op.n for op in by_id[change_id].operations}:
            raise ValueError(f"a number for {change_id} operation {n}, which is not in the commit")


def makes_due(commit: Commit) -> bool:
    """True when there is something to do at once after this commit: worth telling others."""
    changes = [*(move.after for move in commit.moves), *commit.made]
    return any((message.due_at or commit.at) <= commit.at for message in commit.messages) or any(
        change.due_at is not None and change.due_at <= commit.at for change in changes
    )


def _check_move(move: Move) -> None:
    before, after = move.before, move.after
    if before.state is not after.state and not may_move(before.state, after.state):
        raise ValueError(f"{before.id}: {before.state} does not lead to {after.state}")
    was, to = rows.change_values(before), rows.change_values(after)
    changed = sorted(name for name in rows.FIXED if was[name] != to[name])
    plan = [
        [(o.n, o.kind, o.slot, o.before, o.after, o.before_key, o.after_key) for o in change.operations]
        for change in (before, after)
    ]
    if changed or plan[0] != plan[1]:
        raise ValueError(f"{before.id}: a move may not alter {', '.join(changed) or 'the plan'}")


class Writer:
    """Carries commits out on a connection. Holds no state but the keys."""

    def __init__(self, keys: KeyRing, chain: Chain) -> None:
        self._keys = keys
        self._chain = chain

    def carry_out(self, connection: Connection, commit: Commit) -> Won:
        """All of a checked commit in the caller's transaction. Raises LosingError to have it undone."""
        if commit.received:
            _receive(connection, commit.received, commit.at)
        for full in quotas.without_room(connection, commit.at, commit.quotas, lock=True):
            raise LosingError(LostBecause.QUOTA, "", full)
        _keep_freezes(connection, commit)
        _keep_switches(connection, commit)
        _create(connection, commit.made)
        moved = {change.id: change for change in _move(connection, commit.moves)}
        steps: list[Step] = [(None, change) for change in commit.made]
        steps += [(move.before, moved[move.before.id]) for move in commit.moves]
        _keep_batch(connection, commit, steps)
        _keep_slots(connection, steps)
        _write_children(connection, steps)
        self._keep_numbers(connection, commit, steps)
        if not onboardings.write(connection, commit.onboardings):
            raise LosingError(LostBecause.MOVED, "")
        onboardings.follow(connection, steps, commit.at)
        _enqueue(connection, commit.messages, commit.at)
        self._chain.append(connection, commit.at, commit.events)
        return Won(tuple(after for _, after in steps))

    def numbers(self, connection: Connection, change_id: str) -> dict[int, PhoneNumber]:
        """The clear numbers. Raises RowUnreadable for a value that stands in a wrong row, KeyMissing."""
        found = connection.execute(_SEALED, {"change_id": change_id}).all()
        try:
            return {n: read_number(self._keys.open(_bound(change_id, n), sealed)) for n, sealed in found}
        except SealBroken as error:
            raise RowUnreadable(change_id) from error

    def _keep_numbers(self, connection: Connection, commit: Commit, steps: list[Step]) -> None:
        over = {change.id for _, change in steps if change.state in TERMINAL}
        sealed = [
            {
                "change_id": change_id,
                "n": n,
                "sealed": self._keys.seal(_bound(change_id, n), number_text(number)),
            }
            for (change_id, n), number in sorted(commit.numbers.items(), key=lambda item: item[0])
            if change_id not in over
        ]
        if sealed:
            connection.execute(t.upsert(connection, t.sealed_numbers), sealed)
        undo.keep(connection, self._keys, commit.earlier, over)
        undo.ended(connection, steps, commit.at)
        if over:
            gone = t.sealed_numbers.c.change_id.in_(sorted(over))
            connection.execute(sa.delete(t.sealed_numbers).where(gone))


def _keep_freezes(connection: Connection, commit: Commit) -> None:
    """Freezes and thaws, then the guard: nothing goes forward for a frozen person without leave."""
    marked = {freeze.person.oid for freeze in commit.freezes}
    marked |= {step.before.person.oid for step in commit.thaws}
    stopped = [move for move in commit.moves if goes_forward(move.before, move.after)]
    begun = {change.target.oid: change.id for change in commit.begin if change.state not in TERMINAL}
    freezes.lock(connection, marked, exclusive=True)
    freezes.lock(connection, {*(move.after.target.oid for move in stopped), *begun} - marked, exclusive=False)
    for step in commit.thaws:
        if not freezes.thaw(connection, step):
            raise LosingError(LostBecause.MOVED, "")
    for freeze in sorted(commit.freezes, key=lambda freeze: freeze.person.oid):
        freezes.put(connection, freeze)
    needing = begun | {move.after.target.oid: move.after.id for move in stopped if not move.despite_freeze}
    for oid in sorted(freezes.frozen(connection, set(needing))):
        raise LosingError(LostBecause.FROZEN, needing[oid])


def _keep_switches(connection: Connection, commit: Commit) -> None:
    """Turns switches, then the guard: no write is sent while one is closed."""
    for step in sorted(commit.switchings, key=lambda step: step.after.name):
        if not switches.turn(connection, step):
            raise LosingError(LostBecause.MOVED, "")
    sending = next((move.after.id for move in commit.moves if _sends(move)), None)
    begun = (change.id for change in commit.begin if change.state not in TERMINAL)
    sending = sending or next(begun, None)
    if sending is None:
        return
    full = commit.ceiling is not None and switches.reached(connection, commit.ceiling)
    if full or switches.closed(connection):
        raise LosingError(LostBecause.PAUSED, sending)


def _sends(move: Move) -> bool:
    pairs = zip(move.after.operations, move.before.operations, strict=True)
    return any(op.state is OpState.SENDING and op.attempt > was.attempt for op, was in pairs)


def _receive(connection: Connection, received: Received, at: datetime) -> None:
    values = {
        "conversation_id": received.conversation_id,
        "activity_id": received.activity_id,
        "body_hash": received.body_hash,
        "change_id": received.change_id,
        "at": at,
    }
    if not t.insert_new(connection, t.inbox, values):
        first = find_received(connection, received.conversation_id, received.activity_id)
        raise LosingError(LostBecause.RECEIVED_BEFORE, first.change_id if first else "")


def find_received(connection: Connection, conversation_id: str, activity_id: str) -> Received | None:
    """The first delivery of an activity, if there was one with an effect."""
    key = {"conversation_id": conversation_id, "activity_id": activity_id}
    row = connection.execute(_FIRST, key).first()
    return Received(row.conversation_id, row.activity_id, row.body_hash, row.change_id) if row else None


def _create(connection: Connection, made: Sequence[Change]) -> None:
    values = [rows.change_values(change) | {"tries": 0} for change in made]
    if t.insert_all_new(connection, t.changes, values) != len(values):
        # Which of many does not matter: whoever asks makes all their ids anew.
        raise LosingError(LostBecause.ID_TAKEN, made[0].id if len(made) == 1 else "")


def _move(connection: Connection, moves: Sequence[Move]) -> list[Change]:
    """Guarded UPDATEs; one that matches nothing = lost. No deadline counts as passed."""
    ordered = sorted(moves, key=lambda move: move.before.id)
    for update, some in (
        (_MOVE, [move for move in ordered if move.unexpired_at is None]),
        (_MOVE_UNEXPIRED, [move for move in ordered if move.unexpired_at is not None]),
    ):
        if some and _updated(connection, update, [_move_values(move) for move in some]) != len(some):
            raise _lost_move(connection, some)
    return [replace(move.after, row_version=move.before.row_version + 1) for move in moves]


def _move_values(move: Move) -> rows.Values:
    after = replace(move.after, row_version=move.before.row_version + 1)
    values = {name: v for name, v in rows.change_values(after).items() if name not in rows.FIXED}
    until = {} if move.unexpired_at is None else {"unexpired_at": move.unexpired_at}
    return values | _guard_values(move) | until | {"tries": 0}


def _guard_values(move: Move) -> rows.Values:
    before = move.before
    return {"b_id": before.id, "b_state": before.state, "b_version": before.row_version}


def _updated(connection: Connection, update: sa.Update, values: list[rows.Values]) -> int:
    """How many rows took the update; none do unless all do, so that the one that did not can be found."""
    if len(values) == 1:
        return connection.execute(update, values).rowcount
    with connection.begin_nested() as attempt:
        done = connection.execute(update, values, execution_options=_COUNTED).rowcount
        if done != len(values):
            attempt.rollback()
    return done


def _lost_move(connection: Connection, moves: Sequence[Move]) -> LosingError:
    """Which of these guards does not stand, and why."""
    for move in moves:
        stands = connection.execute(_STANDS, _guard_values(move)).first()
        if stands is None:
            return LosingError(LostBecause.MOVED, move.before.id)
    late = next(move for move in moves if _is_over(connection, move))
    return LosingError(LostBecause.EXPIRED, late.before.id)


def _is_over(connection: Connection, move: Move) -> bool:
    """The deadline of the guard has passed, or there is none."""
    alive = _STANDS.where(t.changes.c.expires_at > move.unexpired_at)
    return connection.execute(alive, _guard_values(move)).first() is None


def _keep_batch(connection: Connection, commit: Commit, steps: Iterable[Step]) -> None:
    """What the commit does to a batch; with its head's end, however that comes, its numbers are gone."""
    if commit.batch is not None:
        try:
            batches.work(connection, commit.batch)
        except batches.RowTaken as error:
            raise LosingError(LostBecause.MOVED, commit.batch.batch.id) from error
    for _, after in steps:
        if after.is_batch and after.state in TERMINAL:
            batches.over(connection, after.id)


def _keep_slots(connection: Connection, steps: Iterable[Step]) -> None:
    """Release first, so that one commit can end a change and open its successor; take in one order."""
    wanted, released = [], []
    for before, after in steps:
        locked, locks = before is not None and before.state in LOCKING, after.state in LOCKING
        if locked and not locks:
            released.append(after.id)
        if locks and not locked:
            wanted += [(after.tenant_id, after.target.oid, lock, after.id) for lock in after.locks]
    if released:
        connection.execute(sa.delete(t.slot_locks).where(t.slot_locks.c.change_id.in_(sorted(released))))
    names = ("tenant_id", "target_oid", "slot", "change_id")
    values = [dict(zip(names, each, strict=True)) for each in sorted(wanted)]
    if t.insert_all_new(connection, t.slot_locks, values) == len(values):
        return
    for row in values:
        holder = connection.execute(_HOLDER, {name: row[name] for name in names[:3]}).scalar()
        if holder != row["change_id"]:
            raise LosingError(LostBecause.SLOT_TAKEN, holder or "")


def _write_children(connection: Connection, steps: Iterable[Step]) -> None:
    """What differs, row by row; the plan itself never changes after it was made."""
    new: list[rows.Values] = []
    changed: list[rows.Values] = []
    for before, after in steps:
        if before is None:
            new += [rows.operation_values(after.id, op) for op in after.operations]
        else:
            pairs = zip(after.operations, before.operations, strict=True)
            changed += [rows.operation_values(after.id, op) for op, was in pairs if op != was]
    if new:
        connection.execute(sa.insert(t.operations), new)
    if changed:
        for values in changed:
            values |= {"b_change": values.pop("change_id"), "b_n": values.pop("n")}
        connection.execute(_WRITE_OPERATION, changed)
    _write_deciding(connection, steps)


def _write_deciding(connection: Connection, steps: Iterable[Step]) -> None:
    """Steps with their people, and votes."""
    new_steps, new_people, new_votes = [], [], []
    for before, after in steps:
        if before is None:
            new_steps += [rows.step_values(after.id, step) for step in after.steps]
            new_people += [values for step in after.steps for values in rows.asked_values(after.id, step)]
            new_votes += [rows.vote_values(after.id, place, vote) for place, vote in enumerate(after.votes)]
            continue
        if after.steps != before.steps:
            _replace(
                connection, t.steps, after.id, [rows.step_values(after.id, step) for step in after.steps]
            )
            people = [values for step in after.steps for values in rows.asked_values(after.id, step)]
            _replace(connection, t.asked, after.id, people)
        if after.votes != before.votes:
            _write_votes(connection, before.votes, after)
    for table, values in ((t.steps, new_steps), (t.asked, new_people), (t.votes, new_votes)):
        if values:
            connection.execute(sa.insert(table), values)


def _replace(connection: Connection, table: sa.Table, change_id: str, values: list[rows.Values]) -> None:
    connection.execute(sa.delete(table).where(table.c.change_id == change_id))
    if values:
        connection.execute(sa.insert(table), values)


def _write_votes(connection: Connection, before: Iterable[object], after: Change) -> None:
    """New votes are inserted (the key allows one per person and step); a vote made void is taken out."""
    known, kept = set(before), set(after.votes)
    if known - kept:
        _replace(connection, t.votes, after.id, [])
        known = set()
    places = enumerate(after.votes)
    new = [rows.vote_values(after.id, place, vote) for place, vote in places if vote not in known]
    if new:
        connection.execute(sa.insert(t.votes), new)


def _enqueue(connection: Connection, messages: Iterable[Message], at: datetime) -> None:
    t.insert_all_new(
        connection,
        t.outbox,
        [
            {
                "key": message.key,
                "kind": message.kind,
                "change_id": message.change_id,
                "to_oid": message.to_oid,
                "subject": message.subject,
                "topic": message.topic,
                "state": t.WAITING,
                "due_at": message.due_at or at,
                "attempts": message.attempts,
                "why": "",
                "ended_at": None,
                "lease_owner": "",
                "lease_until": None,
            }
            for message in sorted(messages, key=lambda message: message.key)
        ],
    )


def _bound(change_id: str, n: int) -> bytes:
    """Where a sealed number stands: copied to another row it does not open."""
    return f"sealed_numbers|{change_id}|{n}|sealed".encode()
