"""Leases by name: what one process at a time does, and what is done once in a while by all of them together.

Knows names, owners and times. Must not know what is done under a lease. A lease that ran out is anybody's.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.store import tables as t

_l = t.leases.c
_NAMED = _l.name == sa.bindparam("lease")
_OVER = _l.until < sa.bindparam("now", type_=t.UtcTime)
_VALUES = {"owner": sa.bindparam("worker"), "until": sa.bindparam("until_", type_=t.UtcTime)}
_TAKE = sa.update(t.leases).where(_NAMED, sa.or_(_l.owner == sa.bindparam("worker"), _OVER)).values(**_VALUES)
_RELEASE = sa.delete(t.leases).where(_NAMED, _l.owner == sa.bindparam("worker"))
_TIDY = sa.delete(t.leases).where(_l.until <= sa.bindparam("now", type_=t.UtcTime), _l.name.like("once|%"))


def hold(connection: Connection, name: str, worker: str, now: datetime, until: datetime) -> bool:
    """Take or lengthen a lease by name; False while somebody else's lives."""
    given = {"lease": name, "worker": worker, "now": now, "until_": until}
    if connection.execute(_TAKE, given).rowcount:
        return True
    return t.insert_new(connection, t.leases, {"name": name, "owner": worker, "until": until})


def release(connection: Connection, name: str, worker: str) -> None:
    """Give it back, if it is still this worker's."""
    connection.execute(_RELEASE, {"lease": name, "worker": worker})


def take_once(connection: Connection, name: str, now: datetime, until: datetime) -> bool:
    """True for the first who asks; False for all others until then."""
    connection.execute(_TIDY, {"now": now})
    return t.insert_new(connection, t.leases, {"name": f"once|{name}", "owner": "", "until": until})
