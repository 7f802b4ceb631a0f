"""Who has a number: keyed hashes of numbers by person and slot, and where the scan of everybody stands.

Frozen: whatever changes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.create_table(
        "number_people",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("person_oid", sa.Text(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "person_oid", name=op.f("pk_number_people")),
    )
    op.create_index("ix_number_people_seen", "number_people", ["tenant_id", "seen_at"], unique=False)
    op.create_table(
        "number_index",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("person_oid", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("number_key", sa.Text(), nullable=False),
        sa.Column("sign_in", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "person_oid", "slot", name=op.f("pk_number_index")),
    )
    op.create_index("ix_number_index_key", "number_index", ["number_key"], unique=False)
    op.create_table(
        "scan_state",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("whole_since", TIME, nullable=True),
        sa.Column("people_total", sa.BigInteger(), nullable=True),
        sa.Column("people_seen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_scan_state")),
    )


def downgrade() -> None:
    for table in ("scan_state", "number_index", "number_people"):
        op.drop_table(table)
