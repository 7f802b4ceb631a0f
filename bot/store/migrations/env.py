"""What Alembic runs: the scripts, on the connection and in the transaction it was handed.

Must not open a connection or commit: the caller holds the lock and the transaction.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite cannot ALTER in place: Alembic copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
