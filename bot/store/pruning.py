"""Rows that have outlived their use: what came in, what was said, how people were reached, ended freezes.

Knows ages. Must not touch changes, votes or the audit. A bounded number of rows goes at a time, so that no
transaction holds the database for long.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.ports import Outlived
from bot.store import tables as t


def prune(connection: Connection, outlived: Outlived, at: datetime, limit: int) -> int:
    """Deletes at most `limit` rows of each kind; how many rows went."""
    unseen = t.conversations.c.seen_at.is_(None)
    connection.execute(sa.update(t.conversations).where(unseen).values(seen_at=at))
    ended = t.outbox.c.state != t.WAITING
    return sum(
        _delete(connection, table, old, limit)
        for table, old in (
            (t.inbox, t.inbox.c.at < outlived.inbox),
            (t.outbox, sa.and_(ended, t.outbox.c.ended_at < outlived.outbox)),
            (t.conversations, t.conversations.c.seen_at < outlived.conversations),
            (t.freezes, t.freezes.c.ended_at < outlived.freezes),
        )
    )


def _delete(connection: Connection, table: sa.Table, old: sa.ColumnElement[bool], limit: int) -> int:
    key = list(table.primary_key)
    due = connection.execute(sa.select(*key).where(old).limit(limit)).all()
    if not due:
        return 0
    gone = sa.tuple_(*key).in_([tuple(row) for row in due])
    return connection.execute(sa.delete(table).where(gone)).rowcount
