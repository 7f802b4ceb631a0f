"""Batches: a plan with its rows beside the head, and counting the changes of a batch by their state.

Frozen once released: whatever changes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.drop_index("ix_changes_batch", "changes")
    op.create_index("ix_changes_batch", "changes", ["batch_id", "state"], unique=False)
    texts = ("sheet_id", "name", "digest", "mode", "plan_hash", "undoes")
    numbers = ("total", "runs", "canary", "finish_minutes", "retried", "sample_done")
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        *[sa.Column(name, sa.Text(), nullable=False) for name in texts],
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers],
        sa.Column("buckets", sa.Text(), nullable=False),
        *[sa.Column(name, TIME, nullable=True) for name in ("started_at", "finish_at", "drawn_at", "sample_at", "watched_since")],
        sa.Column("rate", sa.Float(), nullable=False),
        *[sa.Column(name, sa.Text(), nullable=True) for name in ("held", "held_by", "ended")],
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index("ix_batches_sheet", "batches", ["sheet_id"], unique=False)
    people = ("target_oid", "target_name", "target_upn")
    planned = ("who", "bucket", *people, "kind", "slot", "parent_id", "operations")
    op.create_table(
        "batch_rows",
        sa.Column("sheet_id", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        *[sa.Column(name, sa.Text(), nullable=False) for name in planned],
        sa.Column("alternate_free", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        *[sa.Column(name, sa.Text(), nullable=False) for name in ("risks", "reason", "ticket")],
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sheet_id", "line", name=op.f("pk_batch_rows")),
    )
    waiting = sa.text("waiting")
    op.create_index(
        "ix_batch_rows_waiting",
        "batch_rows",
        ["sheet_id", "line"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index("ix_batch_rows_change", "batch_rows", ["change_id"], unique=False)
    op.create_index("ix_batch_rows_target", "batch_rows", ["sheet_id", "target_oid"], unique=False)
