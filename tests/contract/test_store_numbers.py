"""The index of numbers on disk: what was seen last counts, what is gone is erased, one scan at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from store_desk import MINUTE, RING, START, TENANT, HandClock, Place, created

from bot.domain.audit import AuditEvent
from bot.domain.change import State
from bot.domain.numbers import Coverage, Holding, Scan, Sighting
from bot.domain.phone import Slot
from bot.store import KeyRing, SqlStore, open_store
from bot.store.audit import Chain
from bot.store.engine import open_database, prepare_file, read_url
from bot.store.migrate import HEAD, SCRIPTS

ONE, TWO = "0a" * 16, "0b" * 16
ALICE, BOB, CARL = (f"a0000000-0000-0000-0000-00000000010{n}" for n in range(3))


def seen(oid: str, minutes: int = 0, *, sign_in: bool = False, **held: str) -> Sighting:
    slots = {Slot(name): key for name, key in held.items()}
    return Sighting(
        oid, START + minutes * MINUTE, slots, frozenset({Slot.MOBILE}) if sign_in else frozenset()
    )


async def who(store: SqlStore, key: str) -> list[tuple[str, Slot]]:
    return [(each.oid, each.slot) for each in await store.number_holders(key)]


async def test_holders_of_a_number(store: SqlStore) -> None:
    """All slots of all people, the sign-in name first, with the time they were looked at."""
    await store.note_numbers([seen(ALICE, mobile=ONE), seen(BOB, 1, sign_in=True, mobile=ONE, office=TWO)])
    assert await store.number_holders(ONE) == (
        Holding(BOB, Slot.MOBILE, True, START + MINUTE),
        Holding(ALICE, Slot.MOBILE, False, START),
    )
    assert await who(store, TWO) == [(BOB, Slot.OFFICE)]
    assert await store.number_holders("0c" * 16) == ()


async def test_what_changed_replaces_what_was(store: SqlStore) -> None:
    """A new number, an emptied slot, a sign-in switched off: the old row does not stay."""
    await store.note_numbers([seen(ALICE, sign_in=True, mobile=ONE, alternateMobile=TWO)])
    await store.note_numbers([seen(ALICE, 1, mobile=TWO)])
    assert await who(store, ONE) == []
    assert await store.number_holders(TWO) == (Holding(ALICE, Slot.MOBILE, False, START + MINUTE),)


async def test_a_later_look_wins_whoever_writes_first(store: SqlStore) -> None:
    """A slow writer with an older look changes nothing; in one batch the later look counts."""
    await store.note_numbers([seen(ALICE, 5, mobile=TWO)])
    await store.note_numbers([seen(ALICE, 1, mobile=ONE)])
    await store.note_numbers([seen(BOB, 9, mobile=ONE), seen(BOB, 8, mobile=TWO)])
    assert await who(store, ONE) == [(BOB, Slot.MOBILE)]
    assert await who(store, TWO) == [(ALICE, Slot.MOBILE)]


async def test_somebody_gone_is_erased(place: Place) -> None:
    """Nothing of the account stays in any table, and it no longer counts as looked at."""
    async with place.opened() as store:
        await store.note_numbers([seen(ALICE, mobile=ONE), seen(BOB, mobile=ONE)])
        await store.note_numbers(
            [Sighting(ALICE, START + MINUTE, gone=True), Sighting(CARL, START, gone=True)]
        )
        assert await who(store, ONE) == [(BOB, Slot.MOBILE)]
        assert (await store.number_coverage()).seen == 1
    for table in ("number_index", "number_people"):
        assert place.sql(f"SELECT person_oid FROM {table}") == [(BOB,)]  # noqa: S608 - two fixed names


async def test_coverage_counts_people_without_phones_too(store: SqlStore) -> None:
    """Looked at and found without a phone is knowledge; the total comes from the scan."""
    assert await store.number_coverage() == Coverage(0, None, None, None)
    await store.note_numbers([seen(ALICE, 3), seen(BOB, 1, mobile=ONE)])
    await store.keep_scan(Scan(START, START, "page:x", total=4, whole_since=START))
    found = await store.number_coverage()
    assert found == Coverage(2, 4, START + MINUTE, START + 3 * MINUTE, START)
    assert found.percent == 50
    assert not found.is_whole(START + MINUTE)


async def test_people_who_were_not_read_since(store: SqlStore) -> None:
    """The rest of a round comes in order, part by part, without end or repetition."""
    await store.note_numbers([seen(ALICE), seen(BOB), seen(CARL, 9)])
    assert await store.unseen_since(START + MINUTE, "", 1) == (ALICE,)
    assert await store.unseen_since(START + MINUTE, ALICE, 5) == (BOB,)
    assert await store.unseen_since(START + MINUTE, BOB, 5) == ()


async def test_the_scan_is_kept_whole(store: SqlStore) -> None:
    """Every part of where the scan stands survives, the second time replacing the first."""
    assert await store.scan() is None
    await store.keep_scan(Scan(START, START, "page:https://graph.example/next"))
    last = Scan(START, START + MINUTE, "", START, START, 1_000_000, 7)
    await store.keep_scan(last)
    assert await store.scan() == last


async def test_a_lease_has_one_holder(place: Place) -> None:
    """Another replica waits until the lease ends; the holder may lengthen it at any time."""
    until = START + 5 * MINUTE
    async with place.opened() as store:
        assert await store.hold_lease("number-scan", "one", START, until)
        assert not await store.hold_lease("number-scan", "two", START + MINUTE, until)
        assert await store.hold_lease("number-scan", "one", START + MINUTE, until + MINUTE)
        assert not await store.hold_lease("number-scan", "two", until + MINUTE, until + 2 * MINUTE)
        assert await store.hold_lease("number-scan", "two", until + 2 * MINUTE, until + 3 * MINUTE)


async def test_a_new_key_keeps_the_index_and_a_lost_one_empties_it(place: Place) -> None:
    """Adding a first key changes nothing; without the oldest no row could be found, so none stays."""
    old, new = ("old", b"\x01" * 32), ("new", b"\x02" * 32)
    async with place.opened(KeyRing([old])) as store:
        await store.note_numbers([seen(ALICE, mobile=ONE)])
        await store.keep_scan(Scan(START, START, total=1, whole_since=START))
    async with place.opened(KeyRing([new, old])) as store:
        assert await who(store, ONE) == [(ALICE, Slot.MOBILE)]
    async with place.opened(KeyRing([new])) as store:
        assert await who(store, ONE) == []
        assert await store.number_coverage() == Coverage(0, None, None, None)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_an_older_database_keeps_what_it_holds(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """From revision 0001 with an audit in it to the present tables: nothing is lost, the index works."""
    file = tmp_path / "old.db"
    url = f"sqlite:///{file}" if engine == "sqlite" else request.getfixturevalue("empty_schema")
    if engine == "sqlite":
        prepare_file(file)
    to_revision(url, "0001")
    back = sa.create_engine(read_url(url), poolclass=sa.NullPool)
    with back.begin() as connection:
        assert not sa.inspect(connection).has_table("number_index")
    make_old(url)
    store = await open_store(url, RING, HandClock(), tenant_id=TENANT)
    try:
        assert (await store.history("somebody", 5))[0][0].event.name == "change:mobile:previewed"
        assert (await store.verify_audit()).bad == ()
        await store.note_numbers([seen(ALICE, mobile=ONE)])
        assert await who(store, ONE) == [(ALICE, Slot.MOBILE)]
        made = await created(store, "AAAAA1")
        assert made.state is State.PREVIEWED
    finally:
        await store.close()
    with back.begin() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == HEAD


def to_revision(url: str, revision: str) -> None:
    """Migrate only so far."""
    database = open_database(read_url(url))
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    with database.writing.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    database.close()


def make_old(url: str) -> None:
    """One audited event, written with the tables of that time (the audit's did not change)."""
    database = open_database(read_url(url))
    with database.writing.connect() as connection, connection.begin():
        Chain(RING).append(connection, START, [AuditEvent("change:mobile:previewed", "a", "somebody")])
    database.close()


async def test_two_replicas_may_note_the_same_people_at_once(postgres_place: Place) -> None:
    """Neither fails nor waits for ever, and the later look stands."""
    people = [f"a0000000-0000-0000-0000-{n:012d}" for n in range(200)]
    async with postgres_place.opened() as one, postgres_place.opened() as two:
        writes = [
            store.note_numbers([seen(oid, n, mobile=f"{n:032x}") for oid in order])
            for n in range(10)
            for store, order in ((one, people), (two, people[::-1]))
        ]
        await asyncio.gather(*writes)
        assert len(await one.number_holders(f"{9:032x}")) == 200
        assert (await two.number_coverage()).oldest == START + 9 * MINUTE
