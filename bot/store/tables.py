"""The tables, as SQLAlchemy Core sees them. The migrations make them; a test compares the two.

Knows column types that are alike on SQLite and PostgreSQL: times in UTC with microseconds, JSON with a
version. Must not know what a row means to the workflow. No column holds a clear number.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

JSON_VERSION = 1


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC, kept to the microsecond. SQLite: fixed-width text, so that comparing text compares times."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.String(27)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone")
        utc = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return utc
        return utc.isoformat(timespec="microseconds")[:26] + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return found.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """`{"v":1,"d":...}` as text. Raises ValueError for a version this code does not know."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps({"v": JSON_VERSION, "d": value}).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        document = orjson.loads(value)
        if document["v"] != JSON_VERSION:
            raise ValueError(f"stored JSON has version {document['v']}")
        return document["d"]


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _time(name: str, *, needed: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, UtcTime, nullable=not needed)


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _json(name: str, *, needed: bool = True) -> sa.Column[Any]:
    return sa.Column(name, Json, nullable=not needed)


def _of_change() -> sa.Column[str]:
    return sa.Column("change_id", sa.Text, sa.ForeignKey("changes.id"), primary_key=True, nullable=False)


meta = sa.Table("meta", metadata, _text("name", key=True), _text("value"))

changes = sa.Table(
    "changes",
    metadata,
    _text("id", key=True),
    *map(_text, ("tenant_id", "origin", "action", "state")),
    _number("row_version"),
    *map(_text, ("requester_oid", "requester_name", "requester_upn")),
    *map(_text, ("target_oid", "target_name", "target_upn", "target_kind")),
    *map(_text, ("reason", "ticket", "rule", "policy_hash", "content_hash", "correlation_id")),
    *map(_text, ("batch_id", "parent_id")),
    _time("created_at", needed=True),
    *map(_time, ("submitted_at", "decided_at", "ended_at", "expires_at", "due_at")),
    _number("expire_minutes"),
    _number("execute_minutes"),
    # The step being voted on, derived at each write so that "what waits for me" is one indexed query.
    sa.Column("open_step", sa.BigInteger, nullable=True),
    _json("notes"),
    _json("ending", needed=False),
    _json("ended_by", needed=False),
    _text("lease_owner"),
    _time("lease_until"),
    *map(_number, ("cooling_minutes", "remind_minutes", "escalate_minutes", "nudges", "tries", "deciders")),
    _flag("break_glass"),
    _flag("outside_limits"),
    *map(_json, ("risks", "excluded")),
    _json("proof", needed=False),
    *map(_time, ("asked_at", "reminded_at", "review_until")),
    _text("judged_hash"),
    _json("reviewed_by", needed=False),
)
sa.Index("ix_changes_requester", changes.c.requester_oid, changes.c.created_at)
sa.Index("ix_changes_target", changes.c.target_oid, changes.c.created_at)
sa.Index("ix_changes_state", changes.c.state, changes.c.created_at)
sa.Index("ix_changes_batch", changes.c.batch_id)
sa.Index("ix_changes_parent", changes.c.parent_id)
sa.Index("ix_changes_submitted", changes.c.requester_oid, changes.c.submitted_at)
sa.Index(
    "ix_changes_due",
    changes.c.due_at,
    sqlite_where=changes.c.due_at.is_not(None),
    postgresql_where=changes.c.due_at.is_not(None),
)

operations = sa.Table(
    "operations",
    metadata,
    _of_change(),
    _number("n", key=True),
    *map(_text, ("kind", "slot", "before", "after", "before_key", "after_key", "state")),
    _number("attempt"),
    _time("sent_at"),
    _flag("acked"),
    _number("reads"),
    _text("graph_request_id"),
)
sa.Index("ix_operations_sent", operations.c.sent_at)
sa.Index("ix_operations_after", operations.c.after_key)

steps = sa.Table(
    "steps",
    metadata,
    _of_change(),
    _number("n", key=True),
    _number("need"),
    _json("approvers"),
    _json("fallback"),
    _flag("fallback_on"),
    _json("missing"),
    _flag("everybody"),
)

asked = sa.Table(
    "asked",
    metadata,
    _of_change(),
    _number("step", key=True),
    _text("oid", key=True),
    _number("place"),
    *map(_text, ("name", "upn", "via")),
    _flag("fallback"),
    *map(_text, ("state", "why", "stands_for")),
)
sa.Index("ix_asked_oid", asked.c.oid, asked.c.change_id)

votes = sa.Table(
    "votes",
    metadata,
    _of_change(),
    _number("step", key=True),
    _text("oid", key=True),
    _number("place"),
    *map(_text, ("name", "upn", "verdict")),
    _time("at", needed=True),
    *map(_text, ("content_hash", "via", "because", "how", "kind")),
    _time("shown_at"),
)

sa.Index("ix_votes_oid", votes.c.oid, votes.c.at)

sealed_numbers = sa.Table(
    "sealed_numbers",
    metadata,
    _of_change(),
    _number("n", key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

# What a change replaced, kept for undo under a key of its own: with the key the number is gone.
sealed_earlier = sa.Table(
    "sealed_earlier",
    metadata,
    _of_change(),
    _number("n", key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

undo_keys = sa.Table(
    "undo_keys",
    metadata,
    _of_change(),
    sa.Column("sealed_key", sa.LargeBinary, nullable=False),
    _time("until"),
)

# A freeze that ended is kept a while: the caps count it.
freezes = sa.Table(
    "freezes",
    metadata,
    _text("oid", key=True),
    sa.Column("at", UtcTime, primary_key=True, nullable=False),
    *map(_text, ("name", "upn", "by_oid", "by_name", "by_upn", "kind", "change_id", "why")),
    *map(_json, ("barred", "lifts")),
    _time("ended_at"),
)
sa.Index(
    "ix_freezes_holding",
    freezes.c.oid,
    unique=True,
    sqlite_where=freezes.c.ended_at.is_(None),
    postgresql_where=freezes.c.ended_at.is_(None),
)
sa.Index("ix_freezes_by", freezes.c.by_oid, freezes.c.at)

absences = sa.Table("absences", metadata, _text("oid", key=True), _time("until", needed=True), _text("day"))

switches = sa.Table(
    "switches",
    metadata,
    _text("name", key=True),
    _flag("closed"),
    *map(_text, ("by_oid", "by_name", "by_upn", "why")),
    _time("at", needed=True),
    _json("lifts"),
)

slot_locks = sa.Table(
    "slot_locks",
    metadata,
    _text("tenant_id", key=True),
    _text("target_oid", key=True),
    _text("slot", key=True),
    sa.Column("change_id", sa.Text, sa.ForeignKey("changes.id"), nullable=False, index=True),
)

audit = sa.Table(
    "audit",
    metadata,
    _text("stream", key=True),
    _number("seq", key=True),
    _time("at", needed=True),
    _number("schema"),
    *map(_text, ("name", "actor", "subject", "change_id", "correlation_id")),
    _json("facts"),
    *map(_text, ("key_id", "prev", "mac")),
)
sa.Index("ix_audit_subject", audit.c.subject, audit.c.at, audit.c.stream, audit.c.seq)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    _text("stream", key=True),
    _number("seq"),
    *map(_text, ("mac", "key_id", "seal")),
)

outbox = sa.Table(
    "outbox",
    metadata,
    _text("key", key=True),
    *map(_text, ("kind", "change_id", "to_oid", "subject", "topic", "state")),
    _time("due_at", needed=True),
    _number("attempts"),
    _text("why"),
    _time("ended_at"),
    _text("lease_owner"),
    _time("lease_until"),
)
WAITING = "waiting"
sa.Index(
    "ix_outbox_due",
    outbox.c.due_at,
    sqlite_where=outbox.c.state == WAITING,
    postgresql_where=outbox.c.state == WAITING,
)

inbox = sa.Table(
    "inbox",
    metadata,
    _text("conversation_id", key=True),
    _text("activity_id", key=True),
    _text("body_hash"),
    _text("change_id"),
    _time("at", needed=True),
)

conversations = sa.Table(
    "conversations",
    metadata,
    _text("oid", key=True),
    *map(_text, ("tenant_id", "conversation_id", "service_url", "user_mri", "locale", "timezone")),
    # When it was last written, None = before that was kept.
    _time("seen_at"),
)

posted_cards = sa.Table(
    "posted_cards",
    metadata,
    _text("id", key=True),
    sa.Column("change_id", sa.Text, nullable=False, index=True),
    *map(_text, ("reader_oid", "audience", "conversation_id", "service_url", "activity_id")),
    _number("drawn_version"),
    sa.Column("posted_at", UtcTime, nullable=True, info={"first": True}),
)

leases = sa.Table("leases", metadata, _text("name", key=True), _text("owner"), _time("until", needed=True))

# Hashes of numbers, keyed: whoever copies the database cannot try all numbers.
number_people = sa.Table(
    "number_people",
    metadata,
    _text("tenant_id", key=True),
    _text("person_oid", key=True),
    _time("seen_at", needed=True),
)
sa.Index("ix_number_people_seen", number_people.c.tenant_id, number_people.c.seen_at)

number_index = sa.Table(
    "number_index",
    metadata,
    _text("tenant_id", key=True),
    _text("person_oid", key=True),
    _text("slot", key=True),
    _text("number_key"),
    _flag("sign_in"),
)
sa.Index("ix_number_index_key", number_index.c.number_key)

scan_state = sa.Table(
    "scan_state",
    metadata,
    _text("tenant_id", key=True),
    _time("started_at", needed=True),
    _time("due_at", needed=True),
    _text("cursor"),
    *map(_time, ("finished_at", "whole_since")),
    sa.Column("people_total", sa.BigInteger, nullable=True),
    _number("people_seen"),
)

lane_pauses = sa.Table("lane_pauses", metadata, _text("lane", key=True), _time("until", needed=True))


def insert_new(connection: Connection, table: sa.Table, values: dict[str, Any]) -> bool:
    """Insert unless the key is there: False instead of an error, which would end the transaction."""
    statement = _insert(connection, table).on_conflict_do_nothing()
    done = connection.execute(statement, values, execution_options={"preserve_rowcount": True})
    return done.rowcount > 0


def upsert(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that replaces the row when the primary key is there, but for what stays as it was first."""
    statement = _insert(connection, table)
    kept = {column.name for column in table.c if column.primary_key or column.info.get("first")}
    rest = {column.name: statement.excluded[column.name] for column in table.c if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)


def _insert(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
