"""Switches as rows: reading them, and the guarded step from one position to another.

Knows one row per switch, and how many writes were sent. Must not know who may turn it. Every replica reads
the same rows at each write. On PostgreSQL a lock orders a turn and an intent to write: the intent either was
kept first, or finds the switch as it was turned.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.domain.change import State
from bot.domain.people import PersonRef
from bot.domain.switch import Switch, SwitchName
from bot.ports import Ceiling, Switching
from bot.store import tables as t
from bot.store.advisory import hold
from bot.store.freezes import lifts_values, read_lifts

_s = t.switches.c
_SENT = (
    sa.select(sa.func.count())
    .select_from(t.operations.join(t.changes, t.changes.c.id == t.operations.c.change_id))
    .where(t.operations.c.sent_at >= sa.bindparam("since", type_=t.UtcTime), t.changes.c.batch_id == "")
)
# More than all replicas together have in flight.
_NEAR = 64
_SENDING, _COUNTING = "switches", "writes"
# What was put off while nothing might be written need not wait for its next look.
_GO_ON = (
    sa.update(t.changes)
    .where(t.changes.c.state == State.APPROVED, t.changes.c.due_at > sa.bindparam("now", type_=t.UtcTime))
    .values(due_at=sa.bindparam("now", type_=t.UtcTime))
)
_CLOSED = sa.select(_s.name).where(_s.closed).limit(1)


def closed(connection: Connection) -> bool:
    """True when any switch forbids writing; no switch turns from here to the end of the transaction."""
    hold(connection, _SENDING, shared=True)
    return connection.execute(_CLOSED).first() is not None


def reached(connection: Connection, ceiling: Ceiling) -> bool:
    """True when no more writes may be sent. Near the limit replicas count one after the other."""
    if not ceiling.most:
        return False
    sent = sent_since(connection, ceiling.since)
    if sent < ceiling.most - _NEAR or connection.dialect.name != "postgresql":
        return sent >= ceiling.most
    hold(connection, _COUNTING)
    return sent_since(connection, ceiling.since) >= ceiling.most


def sent_since(connection: Connection, since: datetime) -> int:
    """Writes sent since then, those of batches apart."""
    return int(connection.execute(_SENT, {"since": since}).scalar_one())


def read(connection: Connection) -> dict[SwitchName, Switch]:
    """All that were ever touched."""
    return {SwitchName(row.name): _switch(row) for row in connection.execute(sa.select(t.switches))}


def turn(connection: Connection, step: Switching) -> bool:
    """False when the switch no longer stands as it was seen. Waits for the intents that are being kept."""
    hold(connection, _SENDING)
    values = _values(step.after)
    if step.before is None:
        return t.insert_new(connection, t.switches, values)
    row = connection.execute(
        sa.select(t.switches).where(_s.name == step.before.name.value).with_for_update()
    ).first()
    if row is None or _switch(row) != step.before:
        return False
    connection.execute(sa.update(t.switches).where(_s.name == values.pop("name")).values(values))
    if step.before.closed and not step.after.closed:
        connection.execute(_GO_ON, {"now": step.after.at})
    return True


def _values(switch: Switch) -> dict[str, Any]:
    by = switch.by
    return {
        **{"name": switch.name.value, "closed": switch.closed, "at": switch.at, "why": switch.why},
        **{"by_oid": by.oid, "by_name": by.name, "by_upn": by.upn},
        "lifts": lifts_values(switch.lifts),
    }


def _switch(row: Row[Any]) -> Switch:
    by = PersonRef(row.by_oid, row.by_name, row.by_upn)
    return Switch(SwitchName(row.name), row.closed, by, row.at, row.why, read_lifts(row.lifts))
