"""What is asked of the store without changing it: lists, and who holds a slot.

Knows the queries. Must not write. Each runs on one snapshot.
"""

from __future__ import annotations

import logging
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.domain.change import LOCKING, Asking, Change, OpKind, State, Verdict
from bot.domain.outcome import MORE_COUNTED
from bot.ports import Listing, Recent
from bot.store import rows
from bot.store import tables as t
from bot.telemetry import alarm

_log = logging.getLogger(__name__)

_c = t.changes.c
_oid: sa.BindParameter[str] = sa.bindparam("oid")
# Who is out may decide all the same.
_MAY_DECIDE = (Asking.ASKED.value, Asking.OUT.value)
_ASKED = (
    sa.select(t.asked.c.oid)
    .where(t.asked.c.change_id == _c.id, t.asked.c.step == _c.open_step)
    .where(t.asked.c.oid == _oid, t.asked.c.state.in_(_MAY_DECIDE))
    .exists()
)
# SQLite, which keeps no statistics of its own, begins with all that is pending, unless the state is no column
# of an index as written here; few of those are asked of one person, so it is to begin with the people asked.
_PENDING = {
    "sqlite": sa.func.coalesce(_c.state, "") == State.PENDING.value,
    "postgresql": _c.state == State.PENDING.value,
}
_OF_MINE = _c.id.in_(
    sa.select(t.asked.c.change_id).where(t.asked.c.oid == _oid, t.asked.c.state.in_(_MAY_DECIDE))
)
_VOTED = (
    sa.select(t.votes.c.oid)
    .where(t.votes.c.change_id == _c.id, t.votes.c.oid == _oid)
    .where(t.votes.c.verdict != Verdict.WITHDRAWN.value)
    .exists()
)
# A batch is one entry: its rows stand in its result.
_NO_ROW = sa.or_(_c.batch_id == "", _c.batch_id == _c.id)
# "Open" is what was submitted and is not at its end; a preview binds nobody and is not in it.
_WHICH = {
    Listing.MINE: sa.and_(_c.requester_oid == _oid, _NO_ROW),
    Listing.TO_DECIDE: sa.and_(_OF_MINE, _ASKED, ~_VOTED),
    Listing.DECIDED: _c.id.in_(sa.select(t.votes.c.change_id).where(t.votes.c.oid == _oid)),
    Listing.OPEN: sa.and_(_c.state.in_([state.value for state in LOCKING]), _NO_ROW),
}
_NEWEST = (_c.created_at.desc(), _c.id)


def _which(listing: Listing, dialect: str) -> sa.ColumnElement[bool]:
    which = _WHICH[listing]
    return sa.and_(_PENDING[dialect], which) if listing is Listing.TO_DECIDE else which


_LISTS = {
    (dialect, listing): sa.select(_c.id)
    .where(_which(listing, dialect))
    .order_by(*_NEWEST)
    .limit(sa.bindparam("limit"))
    for dialect in _PENDING
    for listing in _WHICH
}
_SIZES = {
    (dialect, listing): sa.select(sa.func.count()).select_from(
        sa.select(_c.id).where(_which(listing, dialect)).limit(sa.bindparam("most")).subquery()
    )
    for dialect in _PENDING
    for listing in _WHICH
}
_HOLDING = (
    sa.select(_c.id)
    .where(_c.id.in_(sa.select(t.slot_locks.c.change_id).where(t.slot_locks.c.target_oid == _oid)))
    .order_by(*_NEWEST)
)
_b = sa.bindparam
# What ended like this never reached the directory.
_UNWRITTEN = (State.PREVIEWED, State.CANCELLED, State.EXPIRED, State.REJECTED, State.BLOCKED)
_BY_REQUESTER = (
    sa.select(sa.func.count())
    .select_from(t.changes)
    .where(_c.requester_oid == _b("requester"), _c.submitted_at > _b("by_since"), _NO_ROW)
)
_OF_TARGET = (
    sa.select(sa.func.count())
    .select_from(t.changes)
    .where(_c.target_oid == _b("target"), _c.submitted_at > _b("of_since"))
    .where(_c.state.not_in([state.value for state in _UNWRITTEN]))
)
_SAME_NUMBER = (
    sa.select(sa.func.count(_c.target_oid.distinct()))
    .select_from(t.operations.join(t.changes))
    .where(t.operations.c.after_key == _b("number_key"), t.operations.c.kind == OpKind.SET.value)
    .where(_c.state.in_([state.value for state in LOCKING]), _c.target_oid != _b("target"))
)
_CLOCKS = {
    "postgresql": sa.select(sa.cast(sa.func.clock_timestamp(), t.UtcTime)),
    # SQLite counts milliseconds (page "Date And Time Functions").
    "sqlite": sa.select(sa.type_coerce(sa.func.strftime("%Y-%m-%dT%H:%M:%fZ", "now"), t.UtcTime)),
}


def waiting_for(oid: sa.BindParameter[str]) -> sa.Select[tuple[datetime]]:
    """When each request was submitted that waits for this person's decision, by the index on who is asked."""
    a = t.asked.c
    voted = sa.select(t.votes.c.oid).where(t.votes.c.change_id == _c.id, t.votes.c.oid == a.oid).exists()
    return (
        sa.select(_c.submitted_at)
        .select_from(t.asked.join(t.changes, sa.and_(a.change_id == _c.id, a.step == _c.open_step)))
        .where(a.oid == oid, a.state == Asking.ASKED.value, _c.state == State.PENDING.value, ~voted)
    )


_WAITING = sa.select(sa.func.count()).select_from(waiting_for(_oid).subquery())


def count_waiting(connection: Connection, oid: str) -> int:
    """How many requests wait for this person's decision; without what others have while they are out."""
    return int(connection.execute(_WAITING, {"oid": oid}).scalar_one())


def list_changes(
    connection: Connection, listing: Listing, oid: str, limit: int
) -> tuple[tuple[Change, ...], int]:
    """Newest first, and how many more there are, counted up to MORE_COUNTED."""
    given = {} if listing is Listing.OPEN else {"oid": oid}
    ids = connection.scalars(_LISTS[connection.dialect.name, listing], given | {"limit": limit}).all()
    if len(ids) < limit:
        return rows.load(connection, ids, _left_out), 0
    size = connection.execute(
        _SIZES[connection.dialect.name, listing], given | {"most": limit + MORE_COUNTED}
    ).scalar_one()
    return rows.load(connection, ids, _left_out), size - len(ids)


def open_for(connection: Connection, target_oid: str) -> tuple[Change, ...]:
    """Changes that hold a slot of this person, newest first."""
    return rows.load(connection, connection.scalars(_HOLDING, {"oid": target_oid}).all())


def submitted(
    connection: Connection, since: datetime, after: tuple[datetime, str] | None, limit: int
) -> tuple[Change, ...]:
    """Submitted requests from that time on, oldest first, those behind `after` = (submitted at, id)."""
    query = sa.select(_c.id).where(_c.submitted_at >= since).order_by(_c.submitted_at, _c.id).limit(limit)
    if after is not None:
        later = sa.and_(_c.submitted_at == after[0], _c.id > after[1])
        query = query.where(sa.or_(_c.submitted_at > after[0], later))
    return rows.load(connection, connection.scalars(query).all())


def recent(
    connection: Connection, requester: tuple[str, datetime], target: tuple[str, datetime], number_key: str
) -> Recent:
    """How much was submitted by one person and for one, and who else is to get the number."""
    by = connection.execute(_BY_REQUESTER, {"requester": requester[0], "by_since": requester[1]})
    of = connection.execute(_OF_TARGET, {"target": target[0], "of_since": target[1]})
    given = {"number_key": number_key, "target": target[0]}
    same = connection.execute(_SAME_NUMBER, given).scalar_one() if number_key else 0
    return Recent(by.scalar_one(), of.scalar_one(), same)


def children(connection: Connection, parent_id: str) -> tuple[Change, ...]:
    """Changes that came from this one, oldest first."""
    query = sa.select(_c.id).where(_c.parent_id == parent_id).order_by(_c.created_at, _c.id)
    return rows.load(connection, connection.scalars(query).all())


def _left_out(change_id: str) -> None:
    alarm(_log, "row", f"the stored change {change_id} cannot be read and is missing in a list")


def now(connection: Connection) -> object:
    """The database's clock, aware UTC."""
    return connection.execute(_CLOCKS[connection.dialect.name]).scalar_one()
