"""Locks by name that last to the end of a transaction: they put commits that exclude each other in one order.

Knows how PostgreSQL does it (READ COMMITTED: what is read after the lock is what others have committed). Must
not know what is kept apart. SQLite has one writer at a time, so nothing is to be done there.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_TOGETHER = sa.text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")


def hold(connection: Connection, name: str, *, shared: bool = False) -> None:
    """Wait for, and hold, what `name` stands for. shared: beside others that hold it shared."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TOGETHER if shared else _ALONE, {"name": name}).close()
