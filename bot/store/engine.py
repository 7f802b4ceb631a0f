"""Connections, threads and transactions of the two engines.

Knows pragmas, pools, isolation, and which errors may be tried again. Must not know tables. One call is one
transaction in one hop to a thread; a cancelled caller never cuts it. SQLite: one writer thread (WAL,
BEGIN IMMEDIATE, synchronous=FULL) and readers that cannot write. PostgreSQL: four threads, four connections,
READ COMMITTED with row locks for writing, one snapshot for reading.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool

from bot.ports import StoreUnavailable

T = TypeVar("T")
_READERS = 2
_POSTGRES_THREADS = 4
_TRIES = 4
_BUSY_MS = 10_000
# Deadlock and serialisation failure: the server has rolled everything back (PostgreSQL, Appendix A).
_AGAIN = frozenset({"40P01", "40001"})
# A standby, or a database that was made read-only (PostgreSQL, Appendix A): the driver calls it an internal
# error.
_TAKES_NOTHING = "25006"
# No wait without an end. Times of sessions in UTC so that text forms never depend on the server's setting.
_POSTGRES_OPTIONS = (
    "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
)


def read_url(database_url: str) -> URL:
    """The URL with its driver. Raises ValueError for an engine we do not support or SQLite without a file."""
    url = make_url(database_url)
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise ValueError("DATABASE_URL: SQLite needs a plain file name")
        return url.set(drivername="sqlite+pysqlite")
    raise ValueError(f"DATABASE_URL: {url.drivername} is neither sqlite nor postgresql")


@dataclass(frozen=True, slots=True)
class Database:
    """Two ways in: `write` and `read`, each one transaction off the event loop."""

    url: URL
    writing: Engine
    reading: Engine
    _writers: ThreadPoolExecutor
    _readers: ThreadPoolExecutor

    @property
    def is_sqlite(self) -> bool:
        return self.writing.dialect.name == "sqlite"

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in a writing transaction; it may run again from the start after a deadlock.

        Raises StoreUnavailable when the database cannot be had, and whatever work raises (rolled back).
        """
        return await self._hop(self._writers, self.writing, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work on one snapshot of the database. Raises as `write`."""
        return await self._hop(self._readers, self.reading, work)

    async def _hop(self, threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(threads, transact, engine, work)
        except RuntimeError as error:
            raise StoreUnavailable("the store is closed") from error
        return await asyncio.shield(future)

    def close(self) -> None:
        """Wait for the running transactions, then end threads and connections."""
        for threads in (self._writers, self._readers):
            threads.shutdown(wait=True)
        for engine in (self.reading, self.writing):
            engine.dispose()


def transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    """One transaction, here and now. Lost connections and deadlocks before the commit are tried again."""
    for left in reversed(range(_TRIES)):
        committing = False
        try:
            with engine.connect() as connection, connection.begin() as transaction:
                result = work(connection)
                committing = True
                transaction.commit()
            return result
        except DBAPIError as error:
            if left and not committing and _again(error):
                continue
            if _unavailable(error):
                raise StoreUnavailable("the database does not answer") from error
            raise
    raise AssertionError("unreachable")


def _unavailable(error: DBAPIError) -> bool:
    """Down, busy, full or read-only; everything else is a defect of ours."""
    known = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    return known or getattr(error.orig, "sqlstate", "") == _TAKES_NOTHING


def _again(error: DBAPIError) -> bool:
    return error.connection_invalidated or getattr(error.orig, "sqlstate", "") in _AGAIN


def open_database(url: URL, *, read_only: bool = False) -> Database:
    """Threads and engines for a URL of `read_url`; nothing is connected yet."""
    if url.get_backend_name() == "sqlite":
        writing, reading = _sqlite(url, writer=not read_only), _sqlite(url, writer=False)
        one = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        return Database(
            url, writing, reading, one, ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        )
    writing = _postgres(url, read_only=read_only)
    threads = ThreadPoolExecutor(_POSTGRES_THREADS, thread_name_prefix="store")
    reading = writing.execution_options(isolation_level="REPEATABLE READ")
    return Database(url, writing, reading, threads, threads)


def prepare_file(path: Path) -> None:
    """Directory and database file, readable by us only. SQLite gives -wal and -shm the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _sqlite(url: URL, *, writer: bool) -> Engine:
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1 if writer else _READERS,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000},
        hide_parameters=True,
    )
    pragmas = [f"busy_timeout={_BUSY_MS}", "foreign_keys=ON"]
    pragmas += ["journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"] if writer else ["query_only=ON"]

    def connected(raw: Any, _record: object) -> None:
        # No driver transactions: they begin too late and lose updates. Ours begin in `begun`.
        raw.isolation_level = None
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}").close()

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _postgres(url: URL, *, read_only: bool) -> Engine:
    given = url.query.get("options", "")
    options = " ".join([_POSTGRES_OPTIONS, *([given] if isinstance(given, str) else given)])
    if read_only:
        options += " -c default_transaction_read_only=on"
    return sa.create_engine(
        url.difference_update_query(["options"]),
        pool_size=_POSTGRES_THREADS,
        max_overflow=0,
        isolation_level="READ COMMITTED",
        connect_args={"options": options, "connect_timeout": 5, "application_name": "ringfence"},
        hide_parameters=True,
    )
