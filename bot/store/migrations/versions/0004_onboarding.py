"""Onboardings: one row for each time that somebody new is asked for a first phone.

Frozen once released: whatever changes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    texts = ("tenant_id", "cohort", "stage", "change_id", "bridge")
    people = [f"{who}_{what}" for who in ("person", "starter") for what in ("oid", "name", "upn")]
    op.create_table(
        "onboardings",
        sa.Column("id", sa.Text(), nullable=False),
        *[sa.Column(name, sa.Text(), nullable=False) for name in (*texts, *people)],
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("row_version", "round", "reminders")],
        *[sa.Column(name, sa.Boolean(), nullable=False) for name in ("open", "installed")],
        *[sa.Column(name, TIME, nullable=False) for name in ("created_at", "until")],
        *[sa.Column(name, TIME, nullable=True) for name in ("invited_at", "ended_at", "confirmed_at")],
        *[sa.Column(name, sa.Text(), nullable=True) for name in ("entered_by", "why")],
        sa.PrimaryKeyConstraint("id", name=op.f("pk_onboardings")),
    )
    is_open = sa.text("open")
    op.create_index(
        "ix_onboardings_open", "onboardings", ["person_oid"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_index("ix_onboardings_person", "onboardings", ["person_oid", "created_at"], unique=False)
    op.create_index("ix_onboardings_starter", "onboardings", ["starter_oid", "created_at"], unique=False)
    op.create_index("ix_onboardings_created", "onboardings", ["created_at"], unique=False)
    op.create_index("ix_onboardings_change", "onboardings", ["change_id"], unique=False)
