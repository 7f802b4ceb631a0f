"""Opening a database: one process per file, migration by whoever is first, one tenant, the right keys."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from store_desk import NUMBER, RING, START, TENANT, HandClock, Place, change, created, event, message, moved

from bot.domain.change import State
from bot.ports import Commit, StoreUnavailable
from bot.store import DatabaseInUse, KeyMissing, KeyRing, SchemaAhead, WrongTenant, open_store
from bot.store.engine import open_database, read_url, transact
from bot.store.migrate import HEAD, SCRIPTS
from bot.store.tables import metadata

ROOT = Path(__file__).parents[2]
CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from bot.store import KeyRing, open_store
class Clock:
    def now(self): return datetime(2026, 1, 1, tzinfo=UTC)
async def main(url):
    ring = KeyRing([("new", b"\\x02" * 32), ("old", b"\\x01" * 32)])
    store = await open_store(url, ring, Clock())
    print("open", "alembic" in sys.modules, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await store.close()
asyncio.run(main(sys.argv[1]))
"""
MIGRATE = """
import sys
from bot.store.engine import open_database, read_url
from bot.store.migrate import migrate
database = open_database(read_url(sys.argv[1]))
sys.stdin.read()
migrate(database.writing)
"""


def child(script: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_second_process_is_refused_until_the_first_dies(sqlite_place: Place) -> None:
    """The refusal names the file; after kill -9 of the holder the database opens at once."""
    holder = child(CHILD, sqlite_place.url)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open False\n"
        with pytest.raises(DatabaseInUse, match=r"ringfence\.db"):
            await open_store(sqlite_place.url, RING, HandClock())
        refused = child(CHILD, sqlite_place.url)
        assert "DatabaseInUse" in refused.communicate(timeout=30)[1]
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    async with sqlite_place.opened() as store:
        await store.ping()


async def test_another_name_of_the_file_is_the_same_database(sqlite_place: Place, tmp_path: Path) -> None:
    """A link to the file does not get round the lock; a second open in the same process neither."""
    assert sqlite_place.file
    (tmp_path / "link.db").symlink_to(sqlite_place.file)
    async with sqlite_place.opened():
        with pytest.raises(DatabaseInUse):
            await open_store(f"sqlite:///{tmp_path / 'link.db'}", RING, HandClock())


async def test_an_alembic_free_start(sqlite_place: Place) -> None:
    """A migrated database opens without loading Alembic: starts stay quick."""
    process = child(CHILD, sqlite_place.url)
    assert process.communicate(timeout=30)[0] == "open False\n"
    assert process.returncode == 0


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_three_processes_may_migrate_at_once(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """On an empty database one migrates, the others wait and go on; the tables are those of the code."""
    file = tmp_path / "empty.db"
    url = f"sqlite:///{file}" if engine == "sqlite" else request.getfixturevalue("empty_schema")
    processes = [child(MIGRATE, url) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    for process in processes:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    bare = sa.create_engine(read_url(url), poolclass=sa.NullPool)
    with bare.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []


def test_the_head_constant_is_the_newest_script() -> None:
    """Forgetting to raise HEAD with a new script would leave databases behind."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_scripts_run_from_an_installed_tree(tmp_path: Path) -> None:
    """Copied elsewhere (with an awkward name), away from the project, the store makes its tables."""
    installed = tmp_path / "100% site" / "bot"
    shutil.copytree(ROOT / "bot", installed, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, f"sqlite:///{tmp_path}/new/deep/ringfence.db"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed.parent), "PATH": os.environ["PATH"]},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("open True\n", "")
    assert (tmp_path / "new/deep/ringfence.db").stat().st_mode & 0o077 == 0


async def test_a_database_of_a_later_version_is_left_alone(place: Place) -> None:
    """An unknown revision refuses the start instead of guessing."""
    place.sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(SchemaAhead, match="9999"):
            await open_store(place.url, RING, HandClock())
    finally:
        place.sql("UPDATE alembic_version SET version_num = :head", {"head": HEAD})


async def test_one_directory_per_installation(place: Place) -> None:
    """A database bound to a tenant refuses another, at start and with a change."""
    async with place.opened(tenant_id=TENANT) as store:
        await created(store, "AAAAA1")
        with pytest.raises(ValueError, match="tenant"):
            await store.commit(Commit(at=START, create=change("AAAAA2", tenant_id="other")))
    with pytest.raises(WrongTenant, match=TENANT):
        await open_store(place.url, RING, HandClock(), tenant_id="other")
    async with place.opened(tenant_id=TENANT) as store:
        assert await store.change("AAAAA2") is None


async def test_the_first_change_binds_an_unbound_database(place: Place) -> None:
    """Opened without a tenant, the first change decides whose it is."""
    async with place.opened() as store:
        await created(store, "AAAAA1")
        with pytest.raises(ValueError, match="tenant"):
            await store.commit(Commit(at=START, create=change("AAAAA2", tenant_id="other")))
    with pytest.raises(WrongTenant):
        await open_store(place.url, RING, HandClock(), tenant_id="other")


async def test_wrong_keys_refuse_the_start(place: Place) -> None:
    """A key by a known name with other bytes, or a ring without the key in use, is found at once."""
    async with place.opened() as store:
        await created(store, "AAAAA1")
    for ring in (KeyRing([("new", b"\x99" * 32)]), KeyRing([("third", b"\x03" * 32)])):
        with pytest.raises(KeyMissing):
            await open_store(place.url, ring, HandClock())


async def test_tools_may_read_beside_the_bot(place: Place) -> None:
    """Read-only opening needs no lock, sees what is stored, and cannot write."""
    async with place.opened() as bot:
        made = await created(bot, "AAAAA1")
        async with place.opened(read_only=True) as tool:
            assert await tool.change("AAAAA1") == made
            assert (await tool.verify_audit()).bad == ()
            with pytest.raises((StoreUnavailable, sa.exc.DBAPIError)):
                await tool.append_audit(START, [event()])
        await bot.append_audit(START, [event()])


async def test_no_clear_number_in_any_file(sqlite_place: Place) -> None:
    """Neither the database nor its write-ahead log ever holds the digits, before or after the end."""
    assert sqlite_place.file
    directory = sqlite_place.file.parent
    digits = NUMBER.national.encode()
    forms = {digits, b"1" + digits, base64.b64encode(b"+1 " + digits), digits.hex().encode(), digits[::-1]}

    def leaks() -> list[str]:
        files = sorted(directory.glob("ringfence.db*"))
        assert len(files) >= 3
        return [file.name for file in files for form in forms if form in file.read_bytes()]

    async with sqlite_place.opened() as store:
        pending = await created(store, "AAAAA1", State.PENDING)
        await store.commit(Commit(at=START, messages=(message("m"),)))
        assert leaks() == []
        sealed = sqlite_place.sql("SELECT sealed FROM sealed_numbers")[0][0]
        await moved(store, pending, State.CANCELLED)
        assert leaks() == []
    assert sealed not in sqlite_place.file.read_bytes()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "sqlite:///file:x?uri=true"]
)
async def test_unusable_urls_are_refused(url: str) -> None:
    """Engines we do not support and databases that nobody else could see."""
    with pytest.raises(ValueError, match="DATABASE_URL"):
        await open_store(url, RING, HandClock())


async def test_a_server_that_is_not_there_is_told() -> None:
    """No server: StoreUnavailable, without the password."""
    with pytest.raises(StoreUnavailable) as caught:
        await open_store("postgresql://bot:hush@127.0.0.1:1/none", RING, HandClock())
    assert "hush" not in str(caught.value) + str(caught.value.__cause__)


async def test_a_dropped_connection_is_replaced(postgres_place: Place) -> None:
    """When the server ends our connections the next call works all the same."""
    async with postgres_place.opened() as store:
        await store.ping()
        postgres_place.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'ringfence' AND pid <> pg_backend_pid()"
        )
        await created(store, "AAAAA1")


async def test_a_read_sees_one_moment(place: Place) -> None:
    """Whatever is written while a change is being read: its parts belong together."""
    async with place.opened() as store:
        await created(store, "AAAAA1")
    database = open_database(read_url(place.url))
    query = "SELECT state FROM changes"

    def read(connection: sa.Connection) -> list[str | None]:
        first = connection.exec_driver_sql(query).scalar()
        place.sql("UPDATE changes SET state = 'pending'")
        return [first, connection.exec_driver_sql(query).scalar()]

    assert transact(database.reading, read) == ["previewed", "previewed"]
    assert place.sql(query) == [("pending",)]
    database.close()


async def test_the_database_tells_its_own_time(place: Place) -> None:
    """Aware UTC, near the real clock."""
    async with place.opened() as store:
        found = await store.now()
    assert found.utcoffset() == timedelta(0)
    assert abs(found - datetime.now(UTC)) < timedelta(minutes=1)
