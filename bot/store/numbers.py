"""The index "number -> people" on disk: keyed hashes, who was looked at when, and the scan's place.

Knows rows. Must not know a number or a key, nor how people are read. What was seen later wins, whoever
writes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.domain.numbers import Coverage, Holding, Scan, Sighting
from bot.domain.phone import Slot
from bot.store import tables as t
from bot.store.advisory import hold

#: The key of the ring that numbers are hashed with: the oldest, so that a new first key changes nothing.
KEY_PURPOSE = "numbers-index"
_n, _p, _s, _l = t.number_index.c, t.number_people.c, t.scan_state.c, t.leases.c
_tenant: sa.BindParameter[str] = sa.bindparam("tenant")
_oids: sa.BindParameter[list[str]] = sa.bindparam("oids", expanding=True)
_SEEN = sa.select(_p.person_oid, _p.seen_at).where(_p.tenant_id == _tenant, _p.person_oid.in_(_oids))
_HELD = sa.select(_n.person_oid, _n.slot, _n.number_key, _n.sign_in).where(
    _n.tenant_id == _tenant, _n.person_oid.in_(_oids)
)
_FORGET = [sa.delete(table).where(table.c.tenant_id == _tenant, table.c.person_oid.in_(_oids))
           for table in (t.number_index, t.number_people)]  # fmt: skip
_EMPTIED = sa.delete(t.number_index).where(
    _n.tenant_id == _tenant, _n.person_oid == sa.bindparam("oid"), _n.slot == sa.bindparam("emptied")
)
_WHO = (
    sa.select(_n.person_oid, _n.slot, _n.sign_in, _p.seen_at)
    .join(t.number_people, sa.and_(_p.tenant_id == _n.tenant_id, _p.person_oid == _n.person_oid))
    .where(_n.tenant_id == _tenant, _n.number_key == sa.bindparam("key"))
    .order_by(_n.sign_in.desc(), _p.seen_at.desc(), _n.person_oid, _n.slot)
)
_MUCH = sa.select(sa.func.count(), sa.func.min(_p.seen_at), sa.func.max(_p.seen_at)).where(
    _p.tenant_id == _tenant
)
_OLDER = (
    sa.select(_p.person_oid)
    .where(_p.tenant_id == _tenant, _p.seen_at < sa.bindparam("before", type_=t.UtcTime))
    .where(_p.person_oid > sa.bindparam("after"))
    .order_by(_p.person_oid)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


def use_key(connection: Connection, fingerprint: str) -> None:
    """Rows made with another key can never be found again: they go, and do not count as knowledge."""
    known = connection.execute(sa.select(t.meta.c.value).where(t.meta.c.name == KEY_PURPOSE)).scalar()
    if known == fingerprint:
        return
    for table in (t.number_index, t.number_people, t.scan_state):
        connection.execute(sa.delete(table))
    connection.execute(t.upsert(connection, t.meta), {"name": KEY_PURPOSE, "value": fingerprint})


def note(connection: Connection, tenant: str, sightings: Sequence[Sighting]) -> None:
    """Keep what was seen; rows of emptied slots and of people who are gone are erased.

    An older sighting than the one kept changes nothing. Rows that are right already are not written.
    """
    # What is there is compared with what was seen: two replicas must not do so at the same time.
    hold(connection, "numbers")
    latest = {each.oid: each for each in sorted(sightings, key=lambda each: each.at)}
    given = {"tenant": tenant, "oids": sorted(latest)}
    seen = {row.person_oid: row.seen_at for row in connection.execute(_SEEN, given)}
    held = {(row.person_oid, row.slot): (row.number_key, row.sign_in)
            for row in connection.execute(_HELD, given)}  # fmt: skip
    news = [latest[oid] for oid in given["oids"] if oid not in seen or seen[oid] <= latest[oid].at]
    gone = [each.oid for each in news if each.gone and each.oid in seen]
    if gone:
        for statement in _FORGET:
            connection.execute(statement, {"tenant": tenant, "oids": gone})
    alive = [each for each in news if not each.gone]
    rows = [_row(tenant, each, slot) for each in alive for slot in sorted(each.held)]
    changed = [
        row
        for row in rows
        if held.get((row["person_oid"], row["slot"])) != (row["number_key"], row["sign_in"])
    ]
    emptied = [
        {"tenant": tenant, "oid": each.oid, "emptied": slot.value}
        for each in alive
        for slot in Slot
        if slot not in each.held and (each.oid, slot.value) in held
    ]
    if emptied:
        connection.execute(_EMPTIED, emptied)
    if changed:
        connection.execute(t.upsert(connection, t.number_index), changed)
    if alive:
        people = [{"tenant_id": tenant, "person_oid": each.oid, "seen_at": each.at} for each in alive]
        connection.execute(t.upsert(connection, t.number_people), people)


def _row(tenant: str, seen: Sighting, slot: Slot) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "person_oid": seen.oid,
        "slot": slot.value,
        "number_key": seen.held[slot],
        "sign_in": slot in seen.sign_in,
    }


def holders(connection: Connection, tenant: str, key: str) -> tuple[Holding, ...]:
    """Everybody known to have the number, sign-in first, then the latest seen."""
    found = connection.execute(_WHO, {"tenant": tenant, "key": key})
    return tuple(Holding(row.person_oid, Slot(row.slot), bool(row.sign_in), row.seen_at) for row in found)


def coverage(connection: Connection, tenant: str) -> Coverage:
    """How much is known. Counts rows: tens of milliseconds for a million people."""
    seen, oldest, newest = connection.execute(_MUCH, {"tenant": tenant}).one()
    scan = read_scan(connection, tenant)
    return Coverage(seen, scan.total if scan else None, oldest, newest, scan.whole_since if scan else None)


def unseen_since(
    connection: Connection, tenant: str, before: datetime, after: str, limit: int
) -> tuple[str, ...]:
    """People last seen before that time, by object id, those behind `after`."""
    given = {"tenant": tenant, "before": before, "after": after, "limit": limit}
    return tuple(connection.scalars(_OLDER, given))


def read_scan(connection: Connection, tenant: str) -> Scan | None:
    """Where the scan stands; None = there never was one."""
    row = connection.execute(sa.select(t.scan_state).where(_s.tenant_id == tenant)).first()
    if row is None:
        return None
    return Scan(
        row.started_at,
        row.due_at,
        row.cursor,
        row.finished_at,
        row.whole_since,
        row.people_total,
        row.people_seen,
    )


def keep_scan(connection: Connection, tenant: str, scan: Scan) -> None:
    values = {
        "tenant_id": tenant,
        "started_at": scan.started_at,
        "due_at": scan.due_at,
        "cursor": scan.cursor,
        "finished_at": scan.finished_at,
        "whole_since": scan.whole_since,
        "people_total": scan.total,
        "people_seen": scan.seen,
    }
    connection.execute(t.upsert(connection, t.scan_state), values)
