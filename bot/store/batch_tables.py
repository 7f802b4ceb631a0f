"""The tables of batches, beside the others and of the same metadata.

Knows columns. Must not know what a row means to the workflow. No column holds a clear number.
"""

from __future__ import annotations

import sqlalchemy as sa

from bot.store import tables as t

# A batch beside its head, the change of the same id.
batches = sa.Table(
    "batches",
    t.metadata,
    t.text_column("id", key=True),
    *map(t.text_column, ("sheet_id", "name", "digest", "mode", "plan_hash", "undoes")),
    *map(t.number_column, ("total", "runs", "canary", "finish_minutes", "retried", "sample_done")),
    t.json_column("buckets"),
    *map(t.time_column, ("started_at", "finish_at", "drawn_at", "sample_at", "watched_since")),
    sa.Column("rate", sa.Float, nullable=False),
    *[t.json_column(name, needed=False) for name in ("held", "held_by", "ended")],
)
sa.Index("ix_batches_sheet", batches.c.sheet_id)

batch_rows = sa.Table(
    "batch_rows",
    t.metadata,
    t.text_column("sheet_id", key=True),
    t.number_column("line", key=True),
    t.time_column("at", needed=True),
    *map(
        t.text_column,
        ("who", "bucket", "target_oid", "target_name", "target_upn", "kind", "slot", "parent_id"),
    ),
    t.json_column("operations"),
    t.flag_column("alternate_free"),
    t.json_column("why", needed=False),
    t.json_column("risks"),
    *map(t.text_column, ("reason", "ticket")),
    sa.Column("sealed", sa.LargeBinary, nullable=True),
    t.flag_column("waiting"),
    t.text_column("change_id"),
)
sa.Index(
    "ix_batch_rows_waiting",
    batch_rows.c.sheet_id,
    batch_rows.c.line,
    sqlite_where=sa.text("waiting"),
    postgresql_where=sa.text("waiting"),
)
sa.Index("ix_batch_rows_change", batch_rows.c.change_id)
sa.Index("ix_batch_rows_target", batch_rows.c.sheet_id, batch_rows.c.target_oid)
