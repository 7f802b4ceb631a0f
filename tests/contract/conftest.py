"""Databases for the store: a migrated SQLite file or an emptied PostgreSQL schema for each test.

PostgreSQL is used when TEST_DATABASE_URL is set or a server answers on the loopback; without one these tests
are skipped and the summary says so, or fail when REQUIRE_POSTGRES=1.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from _pytest.terminal import TerminalReporter
from store_desk import Place

from bot.store import SqlStore
from bot.store.engine import open_database, prepare_file, read_url
from bot.store.migrate import migrate
from bot.store.tables import metadata

LOCAL = "postgresql+psycopg://root@127.0.0.1/test"
NOT_RUN = "PostgreSQL: not run"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, copied for each test."""
    file = tmp_path_factory.mktemp("template") / "ringfence.db"
    prepare_file(file)
    database = open_database(read_url(f"sqlite:///{file}"))
    migrate(database.writing)
    database.close()
    return file


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a server that answers, or the skip that is told in the summary."""
    url = os.environ.get("TEST_DATABASE_URL") or LOCAL
    engine = sa.create_engine(read_url(url), connect_args={"connect_timeout": 2})
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        if os.environ.get("REQUIRE_POSTGRES") == "1":
            pytest.fail(f"REQUIRE_POSTGRES=1, but no server answers at {engine.url!r}")
        pytest.skip(NOT_RUN)
    finally:
        engine.dispose()
    return url


@contextmanager
def _schema(server: str) -> Iterator[str]:
    """A schema of its own, gone afterwards."""
    name = f"ringfence_{secrets.token_hex(6)}"
    engine = sa.create_engine(read_url(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        url = read_url(server).update_query_dict({"options": f"-csearch_path={name}"})
        try:
            yield url.render_as_string(hide_password=False)
        finally:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    engine.dispose()


@pytest.fixture
def empty_schema(postgres_server: str) -> Iterator[str]:
    """The URL of a schema without any table."""
    with _schema(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_schema(postgres_server: str) -> Iterator[str]:
    """Migrated once, emptied before each test."""
    with _schema(postgres_server) as url:
        database = open_database(read_url(url))
        migrate(database.writing)
        database.close()
        yield url


@pytest.fixture
def sqlite_place(migrated_file: Path, tmp_path: Path) -> Iterator[Place]:
    file = tmp_path / "ringfence.db"
    shutil.copy(migrated_file, file)
    back = sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)
    yield Place(f"sqlite:///{file}", file, back)
    back.dispose()


@pytest.fixture
def postgres_place(migrated_schema: str) -> Iterator[Place]:
    back = sa.create_engine(read_url(migrated_schema))
    with back.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    yield Place(migrated_schema, None, back)
    back.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue("sqlite_place" if request.param == "sqlite" else "postgres_place")
    return found


@pytest.fixture
async def store(place: Place) -> AsyncIterator[SqlStore]:
    async with place.opened() as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if NOT_RUN in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{NOT_RUN} ({len(skipped)} tests skipped)", yellow=True)
