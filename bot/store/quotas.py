"""Counting against quotas, inside the commit that would be one more.

Knows what counts and how commits for one key are made to follow one another. Must not know why there is a
limit. SQLite has one writer anyway; on PostgreSQL a lock by key is held to the end of the transaction, and
what is counted after it is what others have committed (READ COMMITTED).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.domain.change import LOCKING, OpKind
from bot.ports import Counted, Full, Quota
from bot.store import queries
from bot.store import tables as t
from bot.store.advisory import hold

_b = sa.bindparam
_c = t.changes.c
_NEWEST = sa.select(_c.submitted_at).where(_c.submitted_at > _b("since")).order_by(_c.submitted_at.desc())
# Each gives the newest `most` of what is counted: as many as that = no room.
_COUNTING = {
    Counted.REQUESTER: _NEWEST.where(_c.requester_oid == _b("key"), _c.batch_id == ""),
    Counted.TARGET: _NEWEST.where(_c.target_oid == _b("key"), _c.outside_limits.is_(sa.false())),
    Counted.NUMBER: sa.select(sa.func.max(_c.submitted_at))
    .select_from(t.operations.join(t.changes))
    .where(t.operations.c.after_key == _b("key"), t.operations.c.kind == OpKind.SET.value)
    .where(_c.state.in_([state.value for state in LOCKING]), _c.target_oid != _b("besides"))
    .group_by(_c.target_oid),
    Counted.OPEN: sa.select(_c.submitted_at)
    .where(_c.requester_oid == _b("key"), _c.batch_id == "")
    .where(_c.state.in_([state.value for state in LOCKING])),
    Counted.WAITING: queries.waiting_for(_b("key")),
}
_BY_TIME = (Counted.REQUESTER, Counted.TARGET)


def without_room(
    connection: Connection, at: datetime, quotas: Iterable[Quota], *, lock: bool = False
) -> Iterator[Full]:
    """The quotas that are full at that time. lock: nobody else counts these keys before we have committed."""
    ordered = sorted(quotas, key=lambda quota: (quota.counted, quota.key))
    for quota in ordered if lock else ():
        hold(connection, f"quota|{quota.counted}|{quota.key}")
    for quota in ordered:
        given = {"key": quota.key, "most": quota.most}
        if quota.counted is Counted.NUMBER:
            given["besides"] = quota.besides
        found = connection.scalars(
            _COUNTING[quota.counted].limit(_b("most")),
            {**given, "since": at - quota.window} if quota.counted in _BY_TIME else given,
        ).all()
        if len(found) >= quota.most:
            by_time = quota.counted in _BY_TIME and quota.most > 0
            yield Full(quota, found[-1] + quota.window if by_time else None)
