"""Work that waits: due changes and messages, claimed under leases.

Knows leases and due times. Must not know what the work is. A claim raises the row version of a change, so
that whoever held it before can no longer write. On PostgreSQL two workers never wait for each other's claim.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.domain.change import Change
from bot.ports import Message, MessageKind
from bot.store import rows
from bot.store import tables as t
from bot.telemetry import alarm

# Claimed so often without a stored move, a change is put aside, each time twice as long: others must not wait
# for it, nor must it end the process again and again. It may be innocent, in a process that others end.
TRIES = 5
ASIDE = timedelta(hours=1)

_log = logging.getLogger(__name__)
_b = sa.bindparam
_now, _limit = _b("now", type_=t.UtcTime), _b("limit", type_=sa.Integer)
_c, _m = t.changes.c, t.outbox.c
_DUE_CHANGES = (
    sa.select(_c.id, _c.tries)
    .where(_c.due_at <= _now, sa.or_(_c.lease_until.is_(None), _c.lease_until < _now))
    .order_by(_c.due_at, _c.id)
    .limit(_limit)
    .with_for_update(skip_locked=True)
)
_LEASE = {"lease_owner": _b("worker"), "lease_until": _b("until", type_=t.UtcTime)}
_KEYS: sa.BindParameter[list[str]] = _b("keys", expanding=True)
_CLAIM_CHANGES = (
    sa.update(t.changes)
    .where(_c.id.in_(_KEYS))
    .values(_LEASE | {"row_version": _c.row_version + 1, "tries": _c.tries + 1})
)
_DUE_MESSAGES = (
    sa.select(t.outbox)
    .where(_m.state == t.WAITING, _m.due_at <= _now)
    .where(sa.or_(_m.lease_until.is_(None), _m.lease_until < _now))
    .order_by(_m.due_at, _m.key)
    .limit(_limit)
    .with_for_update(skip_locked=True)
)
_CLAIM_MESSAGES = sa.update(t.outbox).where(_m.key.in_(_KEYS)).values(_LEASE | {"attempts": _m.attempts + 1})
_FREE = {"lease_owner": "", "lease_until": None}


def claim_changes(
    connection: Connection, worker: str, now: datetime, lease: timedelta, limit: int
) -> tuple[Change, ...]:
    """Due and without a living lease, oldest due first. What cannot be read stays leased, with an alarm.

    What was claimed five times and never moved is leased twice as long with every further claim, at most for
    an hour. Those of one claim come back one after the other: one of them may have ended the process for all.
    """
    found = connection.execute(_DUE_CHANGES, {"now": now, "limit": limit}).all()
    for held, keys in _shares([(row.id, row.tries + 1) for row in found], lease).items():
        connection.execute(_CLAIM_CHANGES, {"worker": worker, "until": now + held, "keys": keys})
    return rows.load(connection, [row.id for row in found], _unreadable("change"))


def _shares(claimed: Sequence[tuple[str, int]], lease: timedelta) -> dict[timedelta, list[str]]:
    """Lease -> keys, from (key, tries with this one). What is put aside is spread over half of its time."""
    shares: dict[timedelta, list[str]] = {}
    aside = [key for key, tries in claimed if tries >= TRIES]
    for key, tries in claimed:
        held = _held_for(tries, lease)
        if tries >= TRIES:
            held -= held * aside.index(key) / (2 * len(aside))
        shares.setdefault(held, []).append(key)
    return shares


def _held_for(tries: int, lease: timedelta) -> timedelta:
    doublings = min(max(tries - TRIES + 1, 0), 16)
    return max(min(lease * (1 << doublings), ASIDE), lease)


def _unreadable(what: str) -> Callable[[str], None]:
    def told(key: str) -> None:
        alarm(_log, "row", f"the stored {what} {key} cannot be read and is put aside")

    return told


def claim_messages(
    connection: Connection, worker: str, now: datetime, lease: timedelta, limit: int
) -> tuple[Message, ...]:
    """Due and without a living lease, oldest due first; attempts counts this one."""
    found = connection.execute(_DUE_MESSAGES, {"now": now, "limit": limit}).all()
    if not found:
        return ()
    keys = [row.key for row in found]
    connection.execute(_CLAIM_MESSAGES, {"worker": worker, "until": now + lease, "keys": keys})
    return tuple(message for row in found if (message := _message(connection, row, now)) is not None)


def _message(connection: Connection, row: Row[Any], now: datetime) -> Message | None:
    """None for one that cannot be read: it is given up, with an alarm, and holds up no other."""
    try:
        kind = MessageKind(row.kind)
    except ValueError:
        _unreadable("message")(row.key)
        end_message(connection, row.key, "dead", "it cannot be read", now)
        return None
    return Message(
        row.key, kind, row.change_id, row.to_oid, row.due_at, row.attempts + 1, row.subject, row.topic
    )


def is_unclaimed(connection: Connection, key: str) -> bool:
    """True for a message that waits and that nobody has taken up yet."""
    query = sa.select(_m.key).where(_m.key == key, _m.state == t.WAITING, _m.lease_until.is_(None))
    return connection.execute(query).first() is not None


def end_message(connection: Connection, key: str, state: str, why: str, at: datetime) -> None:
    """Done or dead. The row stays, so that the same message is never enqueued again."""
    values = _FREE | {"state": state, "why": why, "ended_at": at}
    connection.execute(sa.update(t.outbox).where(_m.key == key).values(values))


def put_off(connection: Connection, key: str, due_at: datetime, *, tried: bool = True) -> None:
    """Try again at due_at; the lease is given back. tried False: the claim counts as no attempt."""
    values = _FREE | {"due_at": due_at} | ({} if tried else {"attempts": _m.attempts - 1})
    waiting = sa.and_(_m.key == key, _m.state == t.WAITING)
    connection.execute(sa.update(t.outbox).where(waiting).values(values))


def next_change(connection: Connection) -> datetime | None:
    """The earliest due time of a change; for what is leased the end of its lease, if that is later."""
    return _next(connection, _c, _c.due_at.is_not(None))


def next_message(connection: Connection) -> datetime | None:
    """The same of a message."""
    return _next(connection, _m, _m.state == t.WAITING)


def _next(connection: Connection, columns: Any, open_rows: sa.ColumnElement[bool]) -> datetime | None:
    free = sa.or_(columns.lease_until.is_(None), columns.lease_until <= columns.due_at)
    first = sa.select(columns.due_at).where(open_rows, free).order_by(columns.due_at).limit(1)
    found = connection.execute(first).scalar()
    # Only what is due before that can come earlier, and thousands may wait behind it.
    before = open_rows if found is None else sa.and_(open_rows, columns.due_at <= found)
    when = sa.case((columns.lease_until > columns.due_at, columns.lease_until), else_=columns.due_at)
    earliest: datetime | None = connection.execute(sa.select(sa.func.min(when)).where(before)).scalar()
    return earliest


def release(connection: Connection, worker: str | None) -> None:
    """Give back the leases of a worker, or all. The row version stays: the holder may still finish."""
    for table in (t.changes, t.outbox):
        held = table.c.lease_owner != "" if worker is None else table.c.lease_owner == worker
        connection.execute(sa.update(table).where(held).values(_FREE))


def lane_pauses(connection: Connection) -> dict[str, datetime]:
    """Lane -> the time it may go on."""
    return {row.lane: row.until for row in connection.execute(sa.select(t.lane_pauses))}


def keep_lane_pause(connection: Connection, lane: str, until: datetime) -> None:
    """The later of two pauses counts, whoever writes last."""
    if t.insert_new(connection, t.lane_pauses, {"lane": lane, "until": until}):
        return
    p = t.lane_pauses.c
    earlier = sa.and_(p.lane == lane, p.until < until)
    connection.execute(sa.update(t.lane_pauses).where(earlier).values(until=until))
