"""Approvals that hold: terms of rules and signals with a change, how people know, freezes, absences, switches,
and what a change replaced, for undo.

Frozen once released: whatever changes later is a revision of its own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
EMPTY_LIST = '{"v":1,"d":[]}'


def upgrade() -> None:
    _columns()
    _tables()
    op.create_index("ix_changes_parent", "changes", ["parent_id"], unique=False)
    op.create_index("ix_changes_submitted", "changes", ["requester_oid", "submitted_at"], unique=False)
    op.create_index("ix_operations_sent", "operations", ["sent_at"], unique=False)
    op.create_index("ix_votes_oid", "votes", ["oid", "at"], unique=False)
    op.create_index("ix_operations_after", "operations", ["after_key"], unique=False)
    # Across several streams a history is in order of time.
    op.drop_index("ix_audit_subject", "audit")
    op.create_index("ix_audit_subject", "audit", ["subject", "at", "stream", "seq"], unique=False)


def _columns() -> None:
    numbers = ("cooling_minutes", "remind_minutes", "escalate_minutes", "nudges", "tries", "deciders")
    new: list[sa.Column[Any]] = [sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in numbers]
    flags = ("break_glass", "outside_limits")
    new += [sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()) for name in flags]
    new += [sa.Column(name, sa.Text(), nullable=False, server_default=EMPTY_LIST) for name in ("risks", "excluded")]
    new += [sa.Column(name, sa.Text(), nullable=True) for name in ("proof", "reviewed_by")]
    new += [sa.Column(name, TIME, nullable=True) for name in ("asked_at", "reminded_at", "review_until")]
    new += [sa.Column("judged_hash", sa.Text(), nullable=False, server_default="")]
    for column in new:
        op.add_column("changes", column)
    for name in ("how", "kind"):
        op.add_column("votes", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in ("subject", "topic"):
        op.add_column("outbox", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("votes", sa.Column("shown_at", TIME, nullable=True))
    op.add_column("posted_cards", sa.Column("posted_at", TIME, nullable=True))
    op.add_column("conversations", sa.Column("seen_at", TIME, nullable=True))
    op.add_column("steps", sa.Column("everybody", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("asked", sa.Column("stands_for", sa.Text(), nullable=False, server_default=""))


def _tables() -> None:
    op.create_table(
        "sealed_earlier",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_sealed_earlier_change_id")),
        sa.PrimaryKeyConstraint("change_id", "n", name=op.f("pk_sealed_earlier")),
    )
    op.create_table(
        "undo_keys",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("until", TIME, nullable=True),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_undo_keys_change_id")),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_undo_keys")),
    )
    texts = ("name", "upn", "by_oid", "by_name", "by_upn", "kind", "change_id", "why")
    op.create_table(
        "freezes",
        sa.Column("oid", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        *[sa.Column(name, sa.Text(), nullable=False) for name in (*texts, "barred", "lifts")],
        sa.Column("ended_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("oid", "at", name=op.f("pk_freezes")),
    )
    holding = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_freezes_holding", "freezes", ["oid"], unique=True, sqlite_where=holding, postgresql_where=holding
    )
    op.create_index("ix_freezes_by", "freezes", ["by_oid", "at"], unique=False)
    op.create_table(
        "absences",
        sa.Column("oid", sa.Text(), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("oid", name=op.f("pk_absences")),
    )
    op.create_table(
        "switches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        *[sa.Column(name, sa.Text(), nullable=False) for name in ("by_oid", "by_name", "by_upn", "why")],
        sa.Column("at", TIME, nullable=False),
        sa.Column("lifts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )
