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


def text_column(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def time_column(name: str, *, needed: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, UtcTime, nullable=not needed)


def number_column(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)


def flag_column(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def json_column(name: str, *, needed: bool = True) -> sa.Column[Any]:
    return sa.Column(name, Json, nullable=not needed)


def _of_change() -> sa.Column[str]:
    return sa.Column("change_id", sa.Text, sa.ForeignKey("changes.id"), primary_key=True, nullable=False)


meta = sa.Table("meta", metadata, text_column("name", key=True), text_column("value"))

changes = sa.Table(
    "changes",
    metadata,
    text_column("id", key=True),
    *map(text_column, ("tenant_id", "origin", "action", "state")),
    number_column("row_version"),
    *map(text_column, ("requester_oid", "requester_name", "requester_upn")),
    *map(text_column, ("target_oid", "target_name", "target_upn", "target_kind")),
    *map(text_column, ("reason", "ticket", "rule", "policy_hash", "content_hash", "correlation_id")),
    *map(text_column, ("batch_id", "parent_id")),
    time_column("created_at", needed=True),
    *map(time_column, ("submitted_at", "decided_at", "ended_at", "expires_at", "due_at")),
    number_column("expire_minutes"),
    number_column("execute_minutes"),
    # The step being voted on, derived at each write so that "what waits for me" is one indexed query.
    sa.Column("open_step", sa.BigInteger, nullable=True),
    json_column("notes"),
    json_column("ending", needed=False),
    json_column("ended_by", needed=False),
    text_column("lease_owner"),
    time_column("lease_until"),
    *map(
        number_column,
        ("cooling_minutes", "remind_minutes", "escalate_minutes", "nudges", "tries", "deciders"),
    ),
    flag_column("break_glass"),
    flag_column("outside_limits"),
    *map(json_column, ("risks", "excluded")),
    json_column("proof", needed=False),
    *map(time_column, ("asked_at", "reminded_at", "review_until")),
    text_column("judged_hash"),
    json_column("reviewed_by", needed=False),
)
sa.Index("ix_changes_requester", changes.c.requester_oid, changes.c.created_at)
sa.Index("ix_changes_target", changes.c.target_oid, changes.c.created_at)
sa.Index("ix_changes_state", changes.c.state, changes.c.created_at)
sa.Index("ix_changes_batch", changes.c.batch_id, changes.c.state)
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
    number_column("n", key=True),
    *map(text_column, ("kind", "slot", "before", "after", "before_key", "after_key", "state")),
    number_column("attempt"),
    time_column("sent_at"),
    flag_column("acked"),
    number_column("reads"),
    text_column("graph_request_id"),
)
sa.Index("ix_operations_sent", operations.c.sent_at)
sa.Index("ix_operations_after", operations.c.after_key)

steps = sa.Table(
    "steps",
    metadata,
    _of_change(),
    number_column("n", key=True),
    number_column("need"),
    json_column("approvers"),
    json_column("fallback"),
    flag_column("fallback_on"),
    json_column("missing"),
    flag_column("everybody"),
)

asked = sa.Table(
    "asked",
    metadata,
    _of_change(),
    number_column("step", key=True),
    text_column("oid", key=True),
    number_column("place"),
    *map(text_column, ("name", "upn", "via")),
    flag_column("fallback"),
    *map(text_column, ("state", "why", "stands_for")),
)
sa.Index("ix_asked_oid", asked.c.oid, asked.c.change_id)

votes = sa.Table(
    "votes",
    metadata,
    _of_change(),
    number_column("step", key=True),
    text_column("oid", key=True),
    number_column("place"),
    *map(text_column, ("name", "upn", "verdict")),
    time_column("at", needed=True),
    *map(text_column, ("content_hash", "via", "because", "how", "kind")),
    time_column("shown_at"),
)

sa.Index("ix_votes_oid", votes.c.oid, votes.c.at)

sealed_numbers = sa.Table(
    "sealed_numbers",
    metadata,
    _of_change(),
    number_column("n", key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

# What a change replaced, kept for undo under a key of its own: with the key the number is gone.
sealed_earlier = sa.Table(
    "sealed_earlier",
    metadata,
    _of_change(),
    number_column("n", key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

undo_keys = sa.Table(
    "undo_keys",
    metadata,
    _of_change(),
    sa.Column("sealed_key", sa.LargeBinary, nullable=False),
    time_column("until"),
)

# A freeze that ended is kept a while: the caps count it.
freezes = sa.Table(
    "freezes",
    metadata,
    text_column("oid", key=True),
    sa.Column("at", UtcTime, primary_key=True, nullable=False),
    *map(text_column, ("name", "upn", "by_oid", "by_name", "by_upn", "kind", "change_id", "why")),
    *map(json_column, ("barred", "lifts")),
    time_column("ended_at"),
)
sa.Index(
    "ix_freezes_holding",
    freezes.c.oid,
    unique=True,
    sqlite_where=freezes.c.ended_at.is_(None),
    postgresql_where=freezes.c.ended_at.is_(None),
)
sa.Index("ix_freezes_by", freezes.c.by_oid, freezes.c.at)

absences = sa.Table(
    "absences", metadata, text_column("oid", key=True), time_column("until", needed=True), text_column("day")
)

switches = sa.Table(
    "switches",
    metadata,
    text_column("name", key=True),
    flag_column("closed"),
    *map(text_column, ("by_oid", "by_name", "by_upn", "why")),
    time_column("at", needed=True),
    json_column("lifts"),
)

slot_locks = sa.Table(
    "slot_locks",
    metadata,
    text_column("tenant_id", key=True),
    text_column("target_oid", key=True),
    text_column("slot", key=True),
    sa.Column("change_id", sa.Text, sa.ForeignKey("changes.id"), nullable=False, index=True),
)

audit = sa.Table(
    "audit",
    metadata,
    text_column("stream", key=True),
    number_column("seq", key=True),
    time_column("at", needed=True),
    number_column("schema"),
    *map(text_column, ("name", "actor", "subject", "change_id", "correlation_id")),
    json_column("facts"),
    *map(text_column, ("key_id", "prev", "mac")),
)
sa.Index("ix_audit_subject", audit.c.subject, audit.c.at, audit.c.stream, audit.c.seq)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    text_column("stream", key=True),
    number_column("seq"),
    *map(text_column, ("mac", "key_id", "seal")),
)

outbox = sa.Table(
    "outbox",
    metadata,
    text_column("key", key=True),
    *map(text_column, ("kind", "change_id", "to_oid", "subject", "topic", "state")),
    time_column("due_at", needed=True),
    number_column("attempts"),
    text_column("why"),
    time_column("ended_at"),
    text_column("lease_owner"),
    time_column("lease_until"),
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
    text_column("conversation_id", key=True),
    text_column("activity_id", key=True),
    text_column("body_hash"),
    text_column("change_id"),
    time_column("at", needed=True),
)

conversations = sa.Table(
    "conversations",
    metadata,
    text_column("oid", key=True),
    *map(text_column, ("tenant_id", "conversation_id", "service_url", "user_mri", "locale", "timezone")),
    # When it was last written, None = before that was kept.
    time_column("seen_at"),
)

posted_cards = sa.Table(
    "posted_cards",
    metadata,
    text_column("id", key=True),
    sa.Column("change_id", sa.Text, nullable=False, index=True),
    *map(text_column, ("reader_oid", "audience", "conversation_id", "service_url", "activity_id")),
    number_column("drawn_version"),
    sa.Column("posted_at", UtcTime, nullable=True, info={"first": True}),
)

leases = sa.Table(
    "leases", metadata, text_column("name", key=True), text_column("owner"), time_column("until", needed=True)
)

# Hashes of numbers, keyed: whoever copies the database cannot try all numbers.
number_people = sa.Table(
    "number_people",
    metadata,
    text_column("tenant_id", key=True),
    text_column("person_oid", key=True),
    time_column("seen_at", needed=True),
)
sa.Index("ix_number_people_seen", number_people.c.tenant_id, number_people.c.seen_at)

number_index = sa.Table(
    "number_index",
    metadata,
    text_column("tenant_id", key=True),
    text_column("person_oid", key=True),
    text_column("slot", key=True),
    text_column("number_key"),
    flag_column("sign_in"),
)
sa.Index("ix_number_index_key", number_index.c.number_key)

scan_state = sa.Table(
    "scan_state",
    metadata,
    text_column("tenant_id", key=True),
    time_column("started_at", needed=True),
    time_column("due_at", needed=True),
    text_column("cursor"),
    *map(time_column, ("finished_at", "whole_since")),
    sa.Column("people_total", sa.BigInteger, nullable=True),
    number_column("people_seen"),
)

# One person has at most one that is open.
onboardings = sa.Table(
    "onboardings",
    metadata,
    text_column("id", key=True),
    *map(text_column, ("tenant_id", "cohort", "stage", "change_id", "bridge")),
    *map(
        text_column, ("person_oid", "person_name", "person_upn", "starter_oid", "starter_name", "starter_upn")
    ),
    *map(number_column, ("row_version", "round", "reminders")),
    *map(flag_column, ("open", "installed")),
    time_column("created_at", needed=True),
    time_column("until", needed=True),
    *map(time_column, ("invited_at", "ended_at", "confirmed_at")),
    json_column("entered_by", needed=False),
    json_column("why", needed=False),
)
sa.Index(
    "ix_onboardings_open",
    onboardings.c.person_oid,
    unique=True,
    sqlite_where=onboardings.c.open,
    postgresql_where=onboardings.c.open,
)
sa.Index("ix_onboardings_person", onboardings.c.person_oid, onboardings.c.created_at)
sa.Index("ix_onboardings_starter", onboardings.c.starter_oid, onboardings.c.created_at)
sa.Index("ix_onboardings_created", onboardings.c.created_at)
sa.Index("ix_onboardings_change", onboardings.c.change_id)

lane_pauses = sa.Table(
    "lane_pauses", metadata, text_column("lane", key=True), time_column("until", needed=True)
)


def insert_new(connection: Connection, table: sa.Table, values: dict[str, Any]) -> bool:
    """Insert unless the key is there: False instead of an error, which would end the transaction."""
    statement = _insert(connection, table).on_conflict_do_nothing()
    done = connection.execute(statement, values, execution_options={"preserve_rowcount": True})
    return done.rowcount > 0


def insert_all_new(connection: Connection, table: sa.Table, values: list[dict[str, Any]]) -> int:
    """Insert those whose key is not there; how many went in."""
    if not values:
        return 0
    statement = _insert(connection, table).on_conflict_do_nothing()
    done = connection.execute(statement, values, execution_options={"preserve_rowcount": True})
    return done.rowcount


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
