"""Who is out: one row for each person who said so.

Knows the rows. Must not know what being out means for a request.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.domain.absence import Absence
from bot.store import tables as t

_a = t.absences.c
_oids: sa.BindParameter[list[str]] = sa.bindparam("oids", expanding=True)
_OUT = sa.select(t.absences).where(_a.oid.in_(_oids), _a.until > sa.bindparam("now", type_=t.UtcTime))


def of(connection: Connection, oids: Collection[str], now: datetime) -> dict[str, Absence]:
    """Those who are out now."""
    found = connection.execute(_OUT, {"oids": sorted(set(oids)), "now": now})
    return {row.oid: Absence(row.oid, row.until, date.fromisoformat(row.day)) for row in found}


def keep(connection: Connection, absence: Absence) -> None:
    """The last word counts."""
    values = {"oid": absence.oid, "until": absence.until, "day": absence.day.isoformat()}
    connection.execute(t.upsert(connection, t.absences), values)
