"""What tests of contracts stand on: a database for each, and a sandbox for a module."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa
from store_desk import Place

from bot.store import SqlStore
from bot.store.engine import open_database, prepare_file, read_url
from bot.store.migrate import migrate
from bot.store.tables import metadata
from tests.contract.directory_stages import sandbox_urls


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
def migrated_schema(new_schema: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Migrated once, emptied before each test."""
    with new_schema() as url:
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


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A sandbox for one module of tests."""
    with sandbox_urls(Path(tmp_path_factory.mktemp("sandbox"))) as found:
        yield found
