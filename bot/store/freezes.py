"""Freezes as rows: setting, adding to, lifting and reading them, and the guard of a commit.

Knows that at most one freeze of a person holds. Must not know who may freeze or lift. On PostgreSQL a lock on
the person orders a freeze and a step that it stops: the step either came first, or finds the freeze.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.domain.freeze import Freeze, FreezeKind, Lift
from bot.domain.people import PersonRef
from bot.ports import Thaw
from bot.store import tables as t
from bot.store.advisory import hold

_f = t.freezes.c
_HOLDING = sa.select(t.freezes).where(_f.oid == sa.bindparam("oid"), _f.ended_at.is_(None))
_HELD = sa.select(_f.oid).where(_f.oid.in_(sa.bindparam("oids", expanding=True)), _f.ended_at.is_(None))


def lock(connection: Connection, oids: set[str], *, exclusive: bool) -> None:
    """Until the end of the transaction: exclusive to turn a freeze, else to go forward beside others."""
    for oid in sorted(oids):
        hold(connection, f"freeze|{oid}", shared=not exclusive)


def frozen(connection: Connection, oids: set[str]) -> frozenset[str]:
    """Those of these people whom a freeze holds."""
    return frozenset(connection.scalars(_HELD, {"oids": sorted(oids)})) if oids else frozenset()


def put(connection: Connection, freeze: Freeze) -> None:
    """A new freeze; of somebody frozen already, the one that holds bars more people and loses its lifts."""
    held = freeze_of(connection, freeze.person.oid)
    if held is None:
        # They have an order: one set in the very moment of an earlier one, lifted since, comes after it.
        last = last_of(connection, freeze.person.oid)
        if last is not None and freeze.at <= last.at:
            freeze = replace(freeze, at=last.at + timedelta(microseconds=1))
        connection.execute(sa.insert(t.freezes), _values(freeze))
        return
    barred = tuple(dict.fromkeys((*held.barred, *freeze.barred)))
    _write(connection, replace(held, barred=barred, lifts=()))


def thaw(connection: Connection, step: Thaw) -> bool:
    """False when the freeze is no longer as it was seen."""
    if freeze_of(connection, step.before.person.oid) != step.before:
        return False
    _write(connection, step.after)
    return True


def freeze_of(connection: Connection, oid: str) -> Freeze | None:
    """The freeze that holds for a person."""
    row = connection.execute(_HOLDING, {"oid": oid}).first()
    return _freeze(row) if row else None


def last_of(connection: Connection, oid: str) -> Freeze | None:
    """The newest freeze of a person, ended or not."""
    query = sa.select(t.freezes).where(_f.oid == oid).order_by(_f.at.desc()).limit(1)
    row = connection.execute(query).first()
    return _freeze(row) if row else None


def holding(connection: Connection, limit: int) -> tuple[Freeze, ...]:
    """Every freeze that holds, newest first."""
    query = sa.select(t.freezes).where(_f.ended_at.is_(None)).order_by(_f.at.desc(), _f.oid).limit(limit)
    return tuple(map(_freeze, connection.execute(query)))


def set_by(connection: Connection, oid: str, kind: FreezeKind, since: datetime) -> int:
    """How many freezes of a kind somebody has set, ended ones too."""
    theirs = (_f.by_oid == oid, _f.kind == kind.value, _f.at >= since)
    query = sa.select(sa.func.count()).select_from(t.freezes).where(*theirs)
    return int(connection.execute(query).scalar_one())


def _write(connection: Connection, freeze: Freeze) -> None:
    values = _values(freeze)
    mine = sa.and_(_f.oid == values.pop("oid"), _f.at == values.pop("at"))
    connection.execute(sa.update(t.freezes).where(mine).values(values))


def _values(freeze: Freeze) -> dict[str, Any]:
    by = freeze.by
    return {
        **asdict(freeze.person),
        **{"by_oid": by.oid, "by_name": by.name, "by_upn": by.upn, "kind": freeze.kind.value},
        **{"at": freeze.at, "change_id": freeze.change_id, "why": freeze.why, "ended_at": freeze.ended_at},
        "barred": list(freeze.barred),
        "lifts": lifts_values(freeze.lifts),
    }


def _freeze(row: Row[Any]) -> Freeze:
    return Freeze(
        person=PersonRef(row.oid, row.name, row.upn),
        by=PersonRef(row.by_oid, row.by_name, row.by_upn),
        kind=FreezeKind(row.kind),
        at=row.at,
        change_id=row.change_id,
        why=row.why,
        barred=tuple(row.barred),
        lifts=read_lifts(row.lifts),
        ended_at=row.ended_at,
    )


def lifts_values(lifts: tuple[Lift, ...]) -> list[dict[str, str]]:
    """Lifts as JSON."""
    return [{**asdict(lift.person), "at": lift.at.isoformat()} for lift in lifts]


def read_lifts(stored: list[dict[str, str]]) -> tuple[Lift, ...]:
    """Lifts from JSON."""
    return tuple(
        Lift(PersonRef(one["oid"], one["name"], one["upn"]), datetime.fromisoformat(one["at"]))
        for one in stored
    )
