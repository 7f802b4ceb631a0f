"""For every test: nothing may leave this machine; and where a PostgreSQL server is, if there is one.

PostgreSQL is used when TEST_DATABASE_URL is set or a server answers on the loopback; without one these tests
are skipped and the summary says so, or fail when REQUIRE_POSTGRES=1.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from _pytest.terminal import TerminalReporter
from aiohttp import web_app
from hypothesis import HealthCheck, settings

from bot.store.engine import read_url

# Promises are tested, not the speed of the machine.
settings.register_profile("ringfence", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ringfence")

LOCAL = "postgresql+psycopg://root@127.0.0.1/test"
NOT_RUN = "PostgreSQL: not run"
_NAMED = frozenset({"localhost", ""})


def _only_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse sockets to other machines, whoever opens them. Unix sockets have text addresses."""
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host = str(arguments[1][0])
    if host not in _NAMED and not ipaddress.ip_address(host).is_loopback:
        raise ConnectionRefusedError("tests speak to this machine only")


sys.addaudithook(_only_loopback)


@pytest.fixture(autouse=True)
def no_app_outlives_its_test() -> Iterator[None]:
    """aiohttp remembers the last 1,024 handlers with everything behind them: whole installations of the bot.

    A run of thousands of tests would come to pauses of seconds whenever Python looks for garbage.
    """
    yield
    web_app._cached_build_middleware.cache_clear()


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


@pytest.fixture(scope="session")
def new_schema(postgres_server: str) -> Callable[[], AbstractContextManager[str]]:
    """Makes a schema of its own, gone after the block; gives its URL."""
    return lambda: _schema(postgres_server)


@pytest.fixture
def empty_schema(new_schema: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The URL of a schema without any table."""
    with new_schema() as url:
        yield url


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Nobody shall believe that PostgreSQL was tested when it was not."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if NOT_RUN in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{NOT_RUN} ({len(skipped)} tests skipped)", yellow=True)
