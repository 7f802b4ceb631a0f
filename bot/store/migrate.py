"""Bringing a database to the present tables, by one process at a time.

Knows the head revision as a constant, so that Alembic (slow to import) is loaded only when there is
something to do. Must not know the tables themselves.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from bot.store.engine import transact

HEAD = "0005"
SCRIPTS = Path(__file__).parent / "migrations"
# Any fixed number will do; it is ours within one database ("ringfenc" in ASCII).
_ADVISORY = 0x72696E6766656E63


class SchemaAhead(Exception):
    """The database is of another version of the bot than this one, and may not be touched."""


def stored_revision(connection: Connection) -> str | None:
    """The revision a database is at; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def migrate(engine: Engine) -> None:
    """Upgrade to HEAD in one transaction under a lock; at HEAD already: nothing.

    Several processes may do this at once: one works, the others wait and find it done. Raises SchemaAhead
    for a revision this version has no script for.
    """
    if transact(engine, stored_revision) != HEAD:
        transact(engine, _upgrade)


def _upgrade(connection: Connection) -> None:
    # SQLite needs no lock of its own: the transaction was begun IMMEDIATE.
    if connection.dialect.name == "postgresql":
        # Somebody else's migration, and our own, may take longer than any other transaction may.
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY})
    revision = stored_revision(connection)
    if revision == HEAD:
        return

    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # ConfigParser reads % as its own sign.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaAhead(f"the database is at revision {revision}, this version knows {HEAD}") from error
