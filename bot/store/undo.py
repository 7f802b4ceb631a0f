"""What a change replaced, kept for undo: each change under a key of its own, which is sealed by the key ring.

Knows sealing and destroying. Must not know when undo is allowed. With the row of the key gone, no copy of the
sealed numbers opens any more; both go together, in one transaction.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.domain.change import TERMINAL, UNDO_WINDOW, Change, State
from bot.domain.phone import PhoneNumber
from bot.domain.policy import Action
from bot.store import tables as t
from bot.store.keyring import KeyRing
from bot.store.sealing import number_text, read_number

_KEY = 32
_k = t.undo_keys.c
_e = t.sealed_earlier.c


def keep(
    connection: Connection, keys: KeyRing, earlier: Mapping[str, Mapping[int, PhoneNumber]], over: set[str]
) -> None:
    """Before a change writes: the numbers it will replace. over: changes that end in this commit anyway."""
    keeping = {change_id: numbers for change_id, numbers in earlier.items() if change_id not in over}
    own = _own_keys(connection, keys, sorted(keeping))
    sealed = [
        {
            "change_id": change_id,
            "n": n,
            "sealed": own[change_id].seal(_bound(change_id, n), number_text(number)),
        }
        for change_id, numbers in sorted(keeping.items())
        for n, number in sorted(numbers.items())
    ]
    if sealed:
        connection.execute(t.upsert(connection, t.sealed_earlier), sealed)


def ended(connection: Connection, steps: Iterable[tuple[Change | None, Change]], at: datetime) -> None:
    """An applied change keeps what it replaced for the window; any other end, and an undo, destroys it."""
    gone, kept = set(), []
    for before, after in steps:
        if after.state not in TERMINAL or (before is not None and before.state in TERMINAL):
            continue
        if after.state is State.APPLIED:
            kept.append(after.id)
            if after.action is Action.UNDO:
                gone.add(after.parent_id)
        else:
            gone.add(after.id)
    if kept:
        until = sa.update(t.undo_keys).where(_k.change_id.in_(sorted(kept))).values(until=at + UNDO_WINDOW)
        connection.execute(until)
    _destroy(connection, gone)


def read(
    connection: Connection, keys: KeyRing, change_id: str, at: datetime
) -> dict[int, PhoneNumber] | None:
    """The replaced numbers by operation; None when nothing is kept (any more)."""
    kept = sa.select(_k.sealed_key).where(
        _k.change_id == change_id, sa.or_(_k.until.is_(None), _k.until > at)
    )
    sealed = connection.execute(kept).scalar()
    if sealed is None:
        return None
    own = _opened(keys, change_id, sealed)
    rows = connection.execute(sa.select(_e.n, _e.sealed).where(_e.change_id == change_id))
    return {n: read_number(own.open(_bound(change_id, n), value)) for n, value in rows}


def destroy_due(connection: Connection, at: datetime, limit: int) -> int:
    """Whatever is kept beyond its time: key and numbers go; how many changes that were."""
    due = connection.scalars(
        sa.select(_k.change_id).where(_k.until <= at).order_by(_k.until).limit(limit)
    ).all()
    _destroy(connection, set(due))
    return len(due)


def _destroy(connection: Connection, change_ids: set[str]) -> None:
    if change_ids:
        for table in (t.sealed_earlier, t.undo_keys):
            connection.execute(sa.delete(table).where(table.c.change_id.in_(sorted(change_ids))))


def _own_keys(connection: Connection, keys: KeyRing, change_ids: Sequence[str]) -> dict[str, KeyRing]:
    """The key of each change, made at its first use."""
    if not change_ids:
        return {}
    query = sa.select(_k.change_id, _k.sealed_key).where(_k.change_id.in_(change_ids))
    own = {row.change_id: _opened(keys, row.change_id, row.sealed_key) for row in connection.execute(query)}
    made = {change_id: secrets.token_bytes(_KEY) for change_id in change_ids if change_id not in own}
    values = [
        {"change_id": each, "sealed_key": keys.seal(_bound_key(each), _key_text(key)), "until": None}
        for each, key in made.items()
    ]
    if values:
        connection.execute(sa.insert(t.undo_keys), values)
    return own | {change_id: _ring(key) for change_id, key in made.items()}


def _key_text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _opened(keys: KeyRing, change_id: str, sealed: bytes) -> KeyRing:
    return _ring(base64.b64decode(keys.open(_bound_key(change_id), sealed)))


def _ring(key: bytes) -> KeyRing:
    return KeyRing([("undo", key)])


def _bound(change_id: str, n: int) -> bytes:
    return f"sealed_earlier|{change_id}|{n}|sealed".encode()


def _bound_key(change_id: str) -> bytes:
    return f"undo_keys|{change_id}|sealed_key".encode()
