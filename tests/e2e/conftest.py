"""Fixtures of the end-to-end tests: one sandbox process per worker, one world, database and bot per test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
from stage import Sandbox, Stage, open_stage

from bot.store.engine import open_database, prepare_file, read_url
from bot.store.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]


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
def migrated_schema(empty_schema: str) -> str:
    """The same on PostgreSQL, for one test."""
    database = open_database(read_url(empty_schema))
    migrate(database.writing)
    database.close()
    return empty_schema


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


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_stage(
    request: pytest.FixtureRequest, opened: Callable[..., AbstractAsyncContextManager[Stage]]
) -> AsyncIterator[Stage]:
    """The same on both databases."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("empty_schema")
    async with opened(database_url=url) as there:
        yield there
