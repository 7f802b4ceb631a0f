"""Fixtures of the end-to-end tests: one sandbox process per worker, one world, database and bot per test."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from _pytest.terminal import TerminalReporter
from stage import Sandbox, Stage, open_stage

from bot.store.engine import open_database, prepare_file, read_url
from bot.store.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]
LOCAL = "postgresql+psycopg://root@127.0.0.1/test"
NOT_RUN = "PostgreSQL: not run"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Graph, login and Teams in a process of their own, which ends when its standard input does."""
    state = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "bot.sandbox", "serve", "--until-eof", "--state-dir", str(state)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield Sandbox(**json.loads(process.stdout.readline()))
        process.kill()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows, migrated once and copied for each test."""
    file = tmp_path_factory.mktemp("template") / "ringfence.db"
    prepare_file(file)
    database = open_database(read_url(f"sqlite:///{file}"))
    migrate(database.writing)
    database.close()
    return file


@pytest.fixture
def opened(
    sandbox: Sandbox, migrated_file: Path, tmp_path: Path
) -> Callable[..., AbstractAsyncContextManager[Stage]]:
    """For tests that want another world or policy: `async with opened(spec=..., policy=...) as stage`."""
    return partial(open_stage, sandbox, tmp_path / "state", migrated=migrated_file)


@pytest.fixture
async def stage(opened: Callable[..., AbstractAsyncContextManager[Stage]]) -> AsyncIterator[Stage]:
    """The company, the demo's policy, an empty database, and the bot."""
    async with opened() as there:
        yield there


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
def postgres_schema(postgres_server: str) -> Iterator[str]:
    """The URL of an empty schema."""
    with _schema(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_stage(
    request: pytest.FixtureRequest, opened: Callable[..., AbstractAsyncContextManager[Stage]]
) -> AsyncIterator[Stage]:
    """The same on both databases."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_schema")
    async with opened(database_url=url) as there:
        yield there


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if NOT_RUN in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{NOT_RUN} ({len(skipped)} tests skipped)", yellow=True)
