"""Groups G, H and I of the security sheet, where they concern storage, the audit and stopping everything."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from leaks import Clear, found
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from stage import Stage

from bot.domain.audit import AuditEvent
from bot.store import KeyMissing, KeyRing, open_store
from bot.store.engine import read_url
from bot.telemetry import configure_logging

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
TYPED = "+1 206 555 0100"
NUMBER = Clear("1", "2065550100")
ALICE = ("alice", "mobile", "+1 2065550100")


# --- G1: every way in which a number can come into a log ------------------------------------------------
class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = Field(le=5)


def _pydantic() -> None:
    try:
        _Body.model_validate({"number": "+1 206 555 0100", "more": "2065550100"})
    except ValidationError:
        logging.getLogger("bot.graph.rows").exception("a row of Graph could not be read")


def _raised() -> None:
    try:
        try:
            raise ValueError("cannot set 206-555-0100")
        except ValueError as error:
            raise RuntimeError(f"while setting {TYPED}") from error
    except RuntimeError:
        logging.getLogger("bot.workflow").exception("a turn failed")


def _warned() -> None:
    logging.getLogger("py.warnings").warning("Unclosed connection to /users?phone=%%2B12065550100")


LOGGED: dict[str, Callable[[], None]] = {
    "in the text": lambda: logging.getLogger("bot.a").warning(f"setting {TYPED}"),
    "as an argument": lambda: logging.getLogger("bot.a").warning("setting %s", "(206) 555-0100"),
    "as a field": lambda: logging.getLogger("bot.a").warning("set", extra={"what": "12065550100"}),
    "in a mapping": lambda: logging.getLogger("bot.a").warning("set %s", {"phoneNumber": TYPED}),
    "in an exception and its cause": _raised,
    "in a pydantic error": _pydantic,
    "in a warning": _warned,
    "httpx on debug": lambda: logging.getLogger("httpx").debug("HTTP Request: PATCH /x?n=%2B12065550100"),
    "httpcore on debug": lambda: logging.getLogger("httpcore.http11").debug("send_request_body %s", TYPED),
    "aiohttp's access log": lambda: logging.getLogger("aiohttp.access").info('"GET /?n=12065550100" 200'),
    "with the wrong arguments": lambda: logging.getLogger("bot.a").warning("set %d", TYPED),
}


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All that a process writes to its log, on the noisiest level."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    stream = io.StringIO()
    configure_logging("DEBUG", stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])


@pytest.mark.parametrize("way", LOGGED)
def test_a_number_in_the_log_is_masked_however_it_got_there(way: str, written: io.StringIO) -> None:
    """G1: f-strings, arguments, exceptions with causes, pydantic's input values, libraries on debug."""
    LOGGED[way]()
    assert not found([NUMBER], written.getvalue().encode()), written.getvalue()


# --- G2 to G5: what is stored --------------------------------------------------------------------------
async def test_a_number_that_the_directory_echoes_goes_no_further(stage: Stage) -> None:
    """G2: Graph's error text is never passed on: not to people, not to the log, not to the audit."""
    text = f"The phone number {TYPED} is not valid for user alice"
    await stage.fault(kind="status", status=400, verb="PATCH", path="phoneMethods", message=text)
    request = await stage.pending()
    await stage.say("marta", f"approve {request} in person")
    await stage.settle()
    for who in ("olivia", "marta", "alice"):
        assert not found([NUMBER], (await stage.text(who)).encode())
    assert not found([NUMBER], stage.log.getvalue().encode())
    assert not found([NUMBER], repr(await stage.audit_rows()).encode())
    assert await stage.effects() == []


def _digests(text: str) -> Iterator[str]:
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        yield hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


async def test_no_dictionary_of_numbers_opens_the_database(stage: Stage) -> None:
    """G3: numbers are compared by keyed hashes: no plain hash of any form of the number is stored."""
    await stage.pending()
    await stage.settle()
    forms = ("2065550100", "12065550100", "+12065550100", "+1 2065550100", TYPED, "number|12065550100")
    stored = b"".join(file.read_bytes() for file in stage.state.glob("ringfence.db*"))
    for form in forms:
        for digest in _digests(form):
            assert digest.encode() not in stored, form
            assert bytes.fromhex(digest) not in stored, form


def _backup(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)


async def test_a_copied_database_tells_no_number(stage: Stage, tmp_path: Path) -> None:
    """G4: while the request waits: nothing in clear in the copy, and without the key it does not open."""
    await stage.pending()
    await stage.settle()
    copy = tmp_path / "copy.db"
    with (
        closing(sqlite3.connect(stage.state / "ringfence.db")) as source,
        closing(sqlite3.connect(copy)) as to,
    ):
        source.backup(to)
    assert not found([NUMBER], copy.read_bytes())
    with pytest.raises(KeyMissing):
        await open_store(
            f"sqlite:///{copy}", KeyRing([("k1", b"another key, of thirty-two bytes")]), stage.clock
        )


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_nothing_is_left_behind_in_any_file(stage: Stage, tmp_path: Path) -> None:
    """G5: write-ahead log, shared memory, backups, freed pages: the sealed value is gone at the end."""
    request = await stage.pending()
    await stage.settle()
    back = sa.create_engine(read_url(stage.database_url), poolclass=sa.NullPool)
    with back.connect() as connection:
        query = "SELECT sealed FROM sealed_numbers WHERE change_id = :key"
        sealed = bytes(connection.execute(sa.text(query), {"key": request[2:8]}).scalar_one())
    await stage.say("olivia", f"cancel {request}")
    await stage.settle()
    with back.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql(f"VACUUM INTO '{tmp_path / 'backup.db'}'")
    back.dispose()
    for file, text in (await asyncio.to_thread(_files, tmp_path)).items():
        assert not found([NUMBER], text), file
        assert sealed not in text, file


# --- H: the audit ------------------------------------------------------------------------------------------
_TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER no_audit BEFORE INSERT ON audit WHEN NEW.name LIKE '%:attempted'"
        " BEGIN SELECT RAISE(ABORT, 'no'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.name LIKE '%%:attempted' THEN RAISE 'no'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER no_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no_audit()",
    ),
}
_HEAL = {"sqlite": "DROP TRIGGER no_audit", "postgresql": "DROP TRIGGER no_audit ON audit"}


async def test_without_its_audit_nothing_is_written(any_stage: Stage) -> None:
    """H5: the intent cannot be recorded: no call to the directory; when it can be again, it goes on."""
    stage = any_stage
    back = sa.create_engine(read_url(stage.database_url), poolclass=sa.NullPool)

    def run(*statements: str) -> None:
        with back.begin() as connection:
            for each in statements:
                connection.exec_driver_sql(each)

    request = await stage.pending()
    await stage.settle()
    await asyncio.to_thread(run, *_TRIGGERS[back.dialect.name])
    await stage.say("marta", f"approve {request} in person")
    await stage.settle()
    assert await stage.effects() == []
    assert [r for r in await stage.requests() if r["verb"] == "PATCH"] == []
    assert any(line.get("alarm") == "job" for line in stage.log_lines())
    await asyncio.to_thread(run, _HEAL[back.dialect.name])
    await stage.later(seconds=61)
    back.dispose()
    assert [e["after"] for e in await stage.effects()] == ["+1 2065550100"]
    assert (await stage.parts.store.verify_audit()).bad == ()


async def test_eight_writers_do_not_fork_the_chain(any_stage: Stage) -> None:
    """H6: on PostgreSQL by two bots over one database: every record has one place, and the chain holds."""
    stage = any_stage
    stores = [stage.parts.store]
    if not stage.database_url.startswith("sqlite"):
        ring = KeyRing([("k1", _key(stage))])
        stores.append(await open_store(stage.database_url, ring, stage.clock))

    async def write(writer: int) -> None:
        for n in range(25):
            name = AuditEvent("access:help:refused", f"w{writer}", "", "", f"c{n}", {"n": str(n)})
            await stores[writer % len(stores)].append_audit(stage.clock.now(), [name])

    await asyncio.gather(*(write(n) for n in range(8)))
    report = await stage.parts.store.verify_audit()
    for store in stores[1:]:
        await store.close()
    assert report.bad == ()
    assert (await stage.audit_names()).count("access:help:refused") == 200


def _key(stage: Stage) -> bytes:
    key: Any = stage.settings.data_keys[0].secret
    return bytes(key)


# --- I: stopping everything -------------------------------------------------------------------------------
async def test_the_kill_switch_holds_what_is_approved_and_keeps_it(any_stage: Stage) -> None:
    """I9: paused: nothing is written, the vote still counts; resumed: it goes on, once."""
    stage = any_stage
    request = await stage.pending()
    await stage.settle()
    await stage.say("adam", "pause because something is odd")
    await stage.say("marta", f"approve {request} in person")
    await stage.later(minutes=5)
    assert await stage.effects() == []
    assert "Approved" in await stage.ask("olivia", f"status {request}")
    await stage.say("adam", "resume")
    await stage.later(minutes=2)
    await stage.ends_with(ALICE)


async def test_a_mass_change_closes_the_breaker(opened: Opened) -> None:
    """I2: more writes within the hour than the policy allows: the rest waits until two admins open it."""

    def two_writes(text: str) -> str:
        return f"{text}\n[limits]\nwrites_per_hour = 2\n"

    async with opened(policy=two_writes) as stage:
        await stage.join("admin", "arthur")
        for n, who in enumerate(("alice", "tessa", "ulla")):
            slot = "office" if who == "ulla" else "mobile"
            request = await stage.pending(who, f"+1 206 555 014{n}", slot=slot)
            await stage.settle()
            await stage.say("marta", f"approve {request} in person")
            await stage.settle()
        assert len(await stage.effects()) == 2
        await stage.say("adam", "resume")
        await stage.later(minutes=2)
        assert len(await stage.effects()) == 2
        await stage.say("arthur", "resume")
        await stage.later(minutes=61)
        assert len(await stage.effects()) == 3


async def test_the_eleventh_of_fifty_for_one_approver_is_held(opened: Opened) -> None:
    """C16: ten of fifty reach the manager, in six messages; security hears of it; one decided makes room."""

    def ten(text: str) -> str:
        return f"{text}\n[limits]\nopen_per_approver = 10\n"

    people = [{"alias": f"crowd{n:02}", "manager": "marta"} for n in range(50)]
    async with opened(policy=ten, spec={"people": people}) as stage:
        sent = []
        for n in range(50):
            await stage.previewed(f"crowd{n:02}@contoso.example", f"+1 206 555 01{n:02}")
            if n < 10:
                await stage.click("olivia", "Submit for approval")
                sent.append(stage.printed_id(await stage.newest("olivia")))
            else:
                assert "policy.approvers-full" in await stage.text("olivia")
        await stage.settle()
        assert len(await stage.from_bot("marta")) == 6
        assert "Marta" in await stage.all_text("sven")
        await stage.say("marta", f"reject {sent[0]} because not verified")
        await stage.settle()
        last = await stage.pending("crowd49@contoso.example")
        assert last not in sent
        assert await stage.effects() == []
