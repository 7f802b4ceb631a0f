"""The audit chain on disk: appending under one lock per stream, and verifying from the first record on.

Knows rows, heads and keys. What a link is computed over belongs to `bot.domain.audit`. The head of a stream
carries a keyed seal of its own, so that neither the tail nor the head can be cut or moved without the key;
an earlier head put back together with its tail shows only against a copy kept elsewhere.

Where several processes write, the chain has several streams, so that commits do not queue at one head: each
event goes to a stream picked by what it is about, in one order of streams, and everything about one change
stands in one stream in its order. The heads of the further streams are made together, and the first stream
records that; so a whole stream cannot go missing unseen.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.domain.audit import GENESIS, SCHEMA, AuditEvent, AuditRecord, canonical, link
from bot.domain.outcome import MORE_COUNTED
from bot.ports import ChainReport
from bot.store import tables as t
from bot.store.keyring import KeyMissing, KeyRing

MAIN = "main"
#: Of a database that one process writes, and of one that many may write. Names are only ever added.
ONE_STREAM = (MAIN,)
MANY_STREAMS = (MAIN, *(f"s{n}" for n in range(1, 8)))
_OPENED, _STREAMS = "audit:streams:opened", "audit-streams"
_CHUNK = 5_000
_TEXTS = ("name", "actor", "subject", "change_id", "correlation_id", "key_id", "prev", "mac")
_HEAD = sa.select(t.audit_heads).where(t.audit_heads.c.stream == sa.bindparam("stream"))
_HEAD_LOCKED = _HEAD.with_for_update()
_ANY_RECORD = sa.select(t.audit.c.seq).limit(1)
_MOVE_HEAD = sa.update(t.audit_heads).where(t.audit_heads.c.stream == sa.bindparam("of"))
_BY_SUBJECT = t.audit.c.subject == sa.bindparam("subject")
_NEWEST = (t.audit.c.at.desc(), t.audit.c.stream.desc(), t.audit.c.seq.desc())
_HISTORY = sa.select(t.audit).where(_BY_SUBJECT).order_by(*_NEWEST).limit(sa.bindparam("limit"))
_COUNTED = sa.select(t.audit.c.seq).where(_BY_SUBJECT).limit(sa.bindparam("most")).subquery()
_HISTORY_SIZE = sa.select(sa.func.count()).select_from(_COUNTED)
_OPENINGS = sa.select(sa.type_coerce(t.audit.c.facts, sa.Text)).where(
    t.audit.c.subject == _STREAMS, t.audit.c.name == _OPENED, t.audit.c.stream == MAIN
)
# As stored, not as typed: what was tampered with must be told, not trip over.
_RAW = (
    sa.select(
        t.audit.c.seq,
        sa.type_coerce(t.audit.c.at, sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")),
        t.audit.c.schema,
        sa.type_coerce(t.audit.c.facts, sa.Text),
        *(t.audit.c[name] for name in _TEXTS),
    )
    .where(t.audit.c.stream == sa.bindparam("stream"), t.audit.c.seq > sa.bindparam("seq"))
    .order_by(t.audit.c.seq)
    .limit(_CHUNK)
)


class ChainBroken(Exception):
    """Somebody without the key changed the head: nothing may be appended, so nothing may be done."""


class Chain:
    """The audit of one database under one key ring."""

    def __init__(self, keys: KeyRing, streams: Sequence[str] = ONE_STREAM) -> None:
        self._keys = keys
        self._streams = streams

    def append(self, connection: Connection, at: datetime, events: Sequence[AuditEvent]) -> None:
        """Add events, each to its stream. Locks the heads until the end of the transaction, so do it last.

        Raises ChainBroken or KeyMissing: the transaction must not go on without its audit.
        """
        streams: dict[str, list[AuditEvent]] = {}
        for happened in events:
            streams.setdefault(self._stream_of(happened), []).append(happened)
        for stream in sorted(streams):
            self._append_to(connection, stream, at, streams[stream])

    def _append_to(
        self, connection: Connection, stream: str, at: datetime, events: Sequence[AuditEvent]
    ) -> None:
        head = connection.execute(_HEAD_LOCKED, {"stream": stream}).first()
        if head is None:
            self._start(connection, at)
            head = connection.execute(_HEAD_LOCKED, {"stream": stream}).one()
        self._add(connection, head, at, events)

    def _stream_of(self, event: AuditEvent) -> str:
        """The same for everything about one change, in every process and version."""
        about = event.change_id or event.correlation_id
        return self._streams[zlib.crc32(about.encode()) % len(self._streams)]

    def _add(
        self, connection: Connection, head: Row[Any], at: datetime, events: Sequence[AuditEvent]
    ) -> None:
        at, stream = at.astimezone(UTC), head.stream
        if head.seal != self._seal(stream, head.seq, head.mac, head.key_id):
            raise ChainBroken(f"the head of the audit stream {stream} was not written by this bot")
        key_id, prev = self._keys.first_id, head.mac
        key = self._keys.derive("audit")
        rows = []
        for seq, happened in enumerate(events, head.seq + 1):
            mac = link(key, canonical(stream, seq, at, happened, key_id, prev))
            rows.append(
                {
                    **{"stream": stream, "seq": seq, "at": at, "schema": SCHEMA},
                    **{"name": happened.name, "actor": happened.actor, "subject": happened.subject},
                    **{"change_id": happened.change_id, "correlation_id": happened.correlation_id},
                    **{"facts": dict(happened.facts), "key_id": key_id, "prev": prev, "mac": mac},
                }
            )
            prev = mac
        connection.execute(sa.insert(t.audit), rows)
        last = head.seq + len(rows)
        seal = self._seal(stream, last, prev, key_id)
        connection.execute(
            _MOVE_HEAD, {"of": stream, "seq": last, "mac": prev, "key_id": key_id, "seal": seal}
        )

    def history(
        self, connection: Connection, subject: str, limit: int
    ) -> tuple[tuple[AuditRecord, ...], int]:
        """Records about a person, newest first, and how many more there are, counted up to MORE_COUNTED."""
        rows = connection.execute(_HISTORY, {"subject": subject, "limit": limit}).all()
        if len(rows) < limit:
            return tuple(map(_record, rows)), 0
        most = limit + MORE_COUNTED
        size = connection.execute(_HISTORY_SIZE, {"subject": subject, "most": most}).scalar_one()
        return tuple(map(_record, rows)), size - len(rows)

    def verify(self, connection: Connection) -> ChainReport:
        """Every record of every stream, in chunks. Stops in each stream at the first bad one."""
        heads = {row.stream: row for row in connection.execute(sa.select(t.audit_heads))}
        streams = heads.keys() | set(connection.scalars(sa.select(t.audit.c.stream).distinct()))
        streams |= _opened(connection)
        bad, records = [], 0
        for stream in sorted(streams):
            last, mac, fault = self._walk(connection, stream)
            records += last
            fault = fault or self._judge_head(heads.get(stream), stream, last, mac)
            if fault:
                bad.append((stream, *fault))
        return ChainReport(records=records, streams=len(streams), bad=tuple(bad))

    def reseal(self, connection: Connection) -> None:
        """Seal every genuine head with the first key: a stream that rests does not hold on to an old one."""
        other = t.audit_heads.c.key_id != self._keys.first_id
        for head in connection.execute(sa.select(t.audit_heads).where(other).with_for_update()).all():
            if head.seal == self._seal(head.stream, head.seq, head.mac, head.key_id):
                key_id = self._keys.first_id
                seal = self._seal(head.stream, head.seq, head.mac, key_id)
                given = {"of": head.stream, "seq": head.seq, "mac": head.mac}
                connection.execute(_MOVE_HEAD, given | {"key_id": key_id, "seal": seal})

    def key_ids(self, connection: Connection) -> set[str]:
        """The keys that the heads were sealed with: without them nothing can be appended."""
        return set(connection.scalars(sa.select(t.audit_heads.c.key_id)))

    def _start(self, connection: Connection, at: datetime) -> None:
        """Make the heads that are missing; of two starting at once the later waits here and finds them."""
        if self._put_head(connection, MAIN) and connection.execute(_ANY_RECORD).first():
            # Only who made the head may look: others have written records since we found none.
            raise ChainBroken(f"the audit stream {MAIN} has records but no head")
        main = connection.execute(_HEAD_LOCKED, {"stream": MAIN}).one()
        known = _opened(connection)
        heads = set(connection.scalars(sa.select(t.audit_heads.c.stream)))
        if lost := sorted(known - heads):
            raise ChainBroken(f"the audit stream {lost[0]} has no head any more")
        if new := [stream for stream in self._streams if stream not in known | heads]:
            self._add(connection, main, at, [_opening(new)])
            for stream in new:
                self._put_head(connection, stream)

    def _put_head(self, connection: Connection, stream: str) -> bool:
        key_id = self._keys.first_id
        seal = self._seal(stream, 0, GENESIS, key_id)
        values = {"stream": stream, "seq": 0, "mac": GENESIS, "key_id": key_id, "seal": seal}
        return t.insert_new(connection, t.audit_heads, values)

    def _seal(self, stream: str, seq: int, mac: str, key_id: str) -> str:
        return link(self._keys.derive_for(key_id, "audit"), f"head|{stream}|{seq}|{mac}|{key_id}".encode())

    def _walk(self, connection: Connection, stream: str) -> tuple[int, str, tuple[int, str] | None]:
        """The seq and mac of the last good record, and the first fault: (seq, what)."""
        last, mac = 0, GENESIS
        for row in _raw_rows(connection, stream):
            fault = self._judge(stream, row, last + 1, mac)
            if fault:
                return last, mac, fault
            last, mac = row[0], row[-1]
        return last, mac, None

    def _judge(self, stream: str, row: Sequence[Any], expected: int, before: str) -> tuple[int, str] | None:
        seq, at, schema, facts, name, actor, subject, change_id, correlation_id, key_id, prev, mac = row
        if seq != expected:
            return expected, "the record is missing"
        if schema != SCHEMA:
            return seq, "the record has a schema this version does not know"
        try:
            when = at if isinstance(at, datetime) else datetime.fromisoformat(at)
            happened = AuditEvent(name, actor, subject, change_id, correlation_id, orjson.loads(facts)["d"])
            made = link(
                self._keys.derive_for(key_id, "audit"), canonical(stream, seq, when, happened, key_id, prev)
            )
        except KeyMissing:
            return seq, f"the record was signed with the key {key_id}, which is not in the key ring"
        except (ValueError, TypeError, KeyError, AttributeError):
            return seq, "the record cannot be read"
        if prev != before:
            return seq, "the record does not follow the one before it"
        return None if made == mac else (seq, "the record was changed")

    def _judge_head(self, head: Row[Any] | None, stream: str, last: int, mac: str) -> tuple[int, str] | None:
        if head is None:
            return last, "the head of the stream is missing"
        try:
            genuine = head.seal == self._seal(stream, head.seq, head.mac, head.key_id)
        except KeyMissing:
            return last, f"the head was sealed with the key {head.key_id}, which is not in the key ring"
        if not genuine:
            return last, "the head of the stream was changed"
        if head.seq > last:
            return last + 1, f"the end is cut off: the head knows {head.seq} records"
        return None if (head.seq, head.mac) == (last, mac) else (head.seq + 1, "a record beyond the head")


def _opening(streams: Sequence[str]) -> AuditEvent:
    return AuditEvent(_OPENED, "ringfence", _STREAMS, facts={"streams": " ".join(streams)})


def _opened(connection: Connection) -> set[str]:
    """The further streams that the first one says were opened. An entry that cannot be read names none:
    the walk through the first stream finds it."""
    found = set()
    for (facts,) in connection.execute(_OPENINGS):
        try:
            found |= set(orjson.loads(facts)["d"]["streams"].split())
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def _raw_rows(connection: Connection, stream: str) -> Iterator[Sequence[Any]]:
    last = 0
    while True:
        rows = connection.execute(_RAW, {"stream": stream, "seq": last}).all()
        yield from rows
        if len(rows) < _CHUNK:
            return
        last = rows[-1][0]


def _record(row: Row[Any]) -> AuditRecord:
    happened = AuditEvent(row.name, row.actor, row.subject, row.change_id, row.correlation_id, row.facts)
    return AuditRecord(row.stream, row.seq, row.at, happened, row.schema, row.key_id, row.prev, row.mac)
