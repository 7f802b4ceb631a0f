"""The audit chain on disk: whoever edits, cuts, moves or rebuilds it is found at the first bad record."""

from __future__ import annotations

import asyncio
import zlib
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from store_desk import AGENT, RING, SECOND, START, TARGET, Place, created, event

from bot.domain.audit import AuditEvent, canonical, link
from bot.ports import ChainReport
from bot.store import ChainBroken, KeyMissing, KeyRing, SqlStore
from bot.store.audit import MANY_STREAMS, ONE_STREAM, Chain

#: Where the events of `event()` go: by their change, where there are several streams.
ON_POSTGRES = MANY_STREAMS[zlib.crc32(b"AAAAA1") % len(MANY_STREAMS)]


def stream_in(place: Place) -> str:
    return "main" if place.is_sqlite else ON_POSTGRES


def good(place: Place, records: int) -> ChainReport:
    """Several streams are opened with one record."""
    return ChainReport(records, 1) if place.is_sqlite else ChainReport(records + 1, len(MANY_STREAMS))


def tamper(place: Place, statements: str) -> None:
    """SQL behind the store's back, on the records and the head of that one stream."""
    for statement in statements.split(";"):
        only = f"WHERE stream = '{stream_in(place)}'"
        narrow = statement.replace("WHERE", f"{only} AND") if "WHERE" in statement else f"{statement} {only}"
        place.sql(narrow)


async def ten(store: SqlStore, first: int = 0) -> None:
    for n in range(first, first + 5):
        pair = [event(f"change:mobile:step{n}{m}", facts={"n": str(n), "who": "Ünal"}) for m in "ab"]
        await store.append_audit(START + timedelta(microseconds=n), pair)


async def test_an_untouched_chain_verifies(place: Place, store: SqlStore) -> None:
    """Ten records, nothing bad; an empty one is good too."""
    assert await store.verify_audit() == ChainReport(records=0, streams=0)
    await ten(store)
    assert await store.verify_audit() == good(place, 10)


COLUMNS = "at, schema, name, actor, subject, change_id, correlation_id, facts, key_id, prev, mac"
SHIFT = "UPDATE audit SET seq = seq + 1000 WHERE seq >= 5; UPDATE audit SET seq = seq - 999 WHERE seq >= 1000"
TAMPERED = {
    "edited name": ("UPDATE audit SET name = 'x' WHERE seq = 4", 4, "was changed"),
    "edited actor": ("UPDATE audit SET actor = 'x' WHERE seq = 1", 1, "was changed"),
    "edited fact": ("UPDATE audit SET facts = replace(facts, 'Ü', 'U') WHERE seq = 9", 9, "was changed"),
    "edited time": ("UPDATE audit SET at = (SELECT at FROM audit WHERE seq = 9) WHERE seq = 6", 6, "changed"),
    "spoiled facts": ("UPDATE audit SET facts = '{' WHERE seq = 2", 2, "cannot be read"),
    "odd facts": ("UPDATE audit SET facts = '[]' WHERE seq = 2", 2, "cannot be read"),
    "other schema": ("UPDATE audit SET schema = 9 WHERE seq = 2", 2, "schema"),
    "other key": ("UPDATE audit SET key_id = 'old' WHERE seq = 3", 3, "was changed"),
    "no such key": ("UPDATE audit SET key_id = 'mine' WHERE seq = 3", 3, "not in the key ring"),
    "deleted": ("DELETE FROM audit WHERE seq = 5", 5, "missing"),
    "start deleted": ("DELETE FROM audit WHERE seq <= 3", 1, "missing"),
    "deleted and closed up": (
        "DELETE FROM audit WHERE seq = 5; UPDATE audit SET seq = seq + 1000 WHERE seq > 5;"
        "UPDATE audit SET seq = seq - 1001 WHERE seq > 1000",
        5,
        "does not follow",
    ),
    "inserted": (
        f"{SHIFT}; INSERT INTO audit (stream, seq, {COLUMNS}) SELECT stream, 5, {COLUMNS}"  # noqa: S608
        " FROM audit WHERE seq = 4",
        5,
        "does not follow",
    ),
    "reordered": (
        "UPDATE audit SET seq = 1003 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 7;"
        "UPDATE audit SET seq = 7 WHERE seq = 1003",
        3,
        "does not follow",
    ),
    "cut": ("DELETE FROM audit WHERE seq > 7", 8, "cut off"),
    "cut, head moved": (
        "DELETE FROM audit WHERE seq > 7; UPDATE audit_heads SET seq = 7,"
        "mac = (SELECT mac FROM audit WHERE seq = 7) WHERE seq = 10",
        7,
        "head of the stream was changed",
    ),
    "all gone": ("DELETE FROM audit", 1, "cut off"),
    "head gone": ("DELETE FROM audit_heads", 10, "head of the stream is missing"),
    "added at the end": (
        f"INSERT INTO audit (stream, seq, {COLUMNS}) SELECT stream, 11, {COLUMNS}"  # noqa: S608
        " FROM audit WHERE seq = 10",
        11,
        "does not follow",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_tampering_is_found_at_its_place(place: Place, store: SqlStore, how: str) -> None:
    """Each way to falsify the record is named with the first bad sequence number."""
    await ten(store)
    statements, seq, what = TAMPERED[how]
    tamper(place, statements)
    ((stream, found, why),) = (await store.verify_audit()).bad
    assert (stream, found) == (stream_in(place), seq)
    assert what in why


async def test_a_chain_rebuilt_with_another_key_is_found(place: Place, store: SqlStore) -> None:
    """Somebody who may write every row, but has not our key, cannot make a chain that verifies."""
    await ten(store)
    forged = KeyRing([("new", b"\x66" * 32)]).derive("audit")
    prev = "0" * 64
    for row in (await store.history(TARGET.oid, 100))[0][::-1]:
        lie = AuditEvent(**{f: getattr(row.event, f) for f in AuditEvent.__slots__} | {"actor": SECOND.oid})
        mac = link(forged, canonical(row.stream, row.seq, row.at, lie, "new", prev))
        values = {"actor": SECOND.oid, "prev": prev, "mac": mac, "seq": row.seq}
        values["stream"] = row.stream
        forging = "UPDATE audit SET actor = :actor, prev = :prev, mac = :mac"
        place.sql(f"{forging} WHERE stream = :stream AND seq = :seq", values)
        prev = mac
    assert (await store.verify_audit()).bad[0][:2] == (stream_in(place), 1)


@pytest.mark.parametrize(
    "tampering",
    ["UPDATE audit_heads SET seq = 7", "UPDATE audit_heads SET mac = seal", "DELETE FROM audit_heads"],
)
async def test_nothing_is_done_on_a_falsified_head(place: Place, store: SqlStore, tampering: str) -> None:
    """Appending would hide the falsification: it is refused, and with it the change it belongs to."""
    await ten(store)
    place.sql(tampering)
    with pytest.raises(ChainBroken):
        await created(store, "AAAAA1")
    assert await store.change("AAAAA1") is None


async def test_no_audit_no_change(place: Place, store: SqlStore) -> None:
    """When the audit record cannot be written the change is not kept either."""
    await ten(store)
    tamper(place, "UPDATE audit SET seq = 11 WHERE seq = 10")
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        await created(store, "AAAAA1")
    assert await store.change("AAAAA1") is None


async def test_a_new_first_key_carries_the_chain_on(place: Place) -> None:
    """After rotation each part verifies with its key; a chain whose key is gone is told."""
    old, new = ("old", b"\x01" * 32), ("new", b"\x02" * 32)
    async with place.opened(KeyRing([old])) as store:
        await ten(store)
    async with place.opened(KeyRing([new, old])) as store:
        await ten(store, 5)
        assert await store.verify_audit() == good(place, 20)
        records, _ = await store.history(TARGET.oid, 20)
        assert [r.key_id for r in records] == ["new"] * 10 + ["old"] * 10
    async with place.opened(KeyRing([new])) as store:
        assert (await store.verify_audit()).bad[0][:2] == ("main", 1)
    with pytest.raises(KeyMissing):
        await place.opened(KeyRing([old])).__aenter__()


async def test_writers_at_once_make_one_chain(place: Place) -> None:
    """Eight writers on the same few heads (on PostgreSQL in two stores): no fork, no gap, each event once."""
    async with place.opened() as first:

        async def write(store: SqlStore, writer: int) -> None:
            for n in range(25):
                await store.append_audit(START, [event(f"w{writer}:{n}", f"AAAAA{n % 3}")])

        if place.is_sqlite:
            await asyncio.gather(*(write(first, n) for n in range(8)))
        else:
            async with place.opened() as second:
                await asyncio.gather(*(write((first, second)[n % 2], n) for n in range(8)))
        assert await first.verify_audit() == good(place, 200)
        records, more = await first.history(TARGET.oid, 500)
        assert more == 0
        assert {r.event.name for r in records} == {f"w{w}:{n}" for w in range(8) for n in range(25)}


async def test_history_is_newest_first_with_a_rest(store: SqlStore) -> None:
    """The newest records about one person, whole, and how many are left out; nobody else's."""
    await ten(store)
    await store.append_audit(START, [event(subject=AGENT.oid)])
    records, more = await store.history(TARGET.oid, 3)
    assert ([r.seq for r in records], more) == ([10, 9, 8], 7)
    newest = records[0]
    assert newest.event == event("change:mobile:step4b", facts={"n": "4", "who": "Ünal"})
    assert (newest.at, newest.prev, newest.key_id) == (
        START + timedelta(microseconds=4),
        records[1].mac,
        RING.first_id,
    )


async def test_a_long_chain_is_read_in_chunks(place: Place, store: SqlStore) -> None:
    """More records than one chunk holds, with the fault in a later chunk and at its edge."""
    await store.append_audit(START, [event()] * 10_001)
    assert await store.verify_audit() == good(place, 10_001)


async def test_one_change_is_in_one_stream(place: Place, store: SqlStore) -> None:
    """Events of many changes spread over the streams (SQLite: the one); those of one change stand in one."""
    for n in range(40):
        await store.append_audit(START, [event("a", f"C{n}"), event("b", f"D{n}")])
        await store.append_audit(START, [event("c", f"C{n}")])
    records, _ = await store.history(TARGET.oid, 500)
    where = {(r.event.name, r.event.change_id[1:]): r.stream for r in records}
    assert all(where["a", str(n)] == where["c", str(n)] for n in range(40))
    assert set(where.values()) == set(ONE_STREAM if place.is_sqlite else MANY_STREAMS)


async def test_history_is_in_order_of_time_across_streams(place: Place, store: SqlStore) -> None:
    """Whatever stream a record stands in: newest first; the count of the rest ends at a bound."""
    for n in range(30):
        await store.append_audit(START + timedelta(seconds=n), [event(f"e{n}", f"C{n}")])
    records, more = await store.history(TARGET.oid, 10)
    assert [r.event.name for r in records] == [f"e{n}" for n in range(29, 19, -1)]
    assert more == 20
    await store.append_audit(START, [event()] * 1_500)
    assert (await store.history(TARGET.oid, 10))[1] == 1_000


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_a_stream_does_not_vanish_unseen(postgres_place: Place, *, all_of_them: bool) -> None:
    """Records and head of a whole stream taken out: verifying tells, and what belongs there is refused."""
    async with postgres_place.opened() as store:
        await ten(store)
        which = "<> 'main'" if all_of_them else f"= '{ON_POSTGRES}'"
        for table in ("audit", "audit_heads"):
            postgres_place.sql(f"DELETE FROM {table} WHERE stream {which}")  # noqa: S608 - constants
        bad = (await store.verify_audit()).bad
        assert (ON_POSTGRES, 0, "the head of the stream is missing") in bad
        with pytest.raises(ChainBroken):
            await created(store, "AAAAA1")


async def test_a_chain_of_one_stream_goes_on_in_several(postgres_place: Place) -> None:
    """What an earlier version wrote goes on to verify and to be read beside what comes now."""
    chain = Chain(RING, ONE_STREAM)
    async with postgres_place.opened() as store:
        with postgres_place.back.begin() as connection:
            chain.append(connection, START, [event("old")] * 5)
        assert await store.verify_audit() == ChainReport(5, 1)
        await store.append_audit(START + timedelta(seconds=1), [event("new")])
        # An earlier version still runs beside us during the upgrade.
        with postgres_place.back.begin() as connection:
            chain.append(connection, START, [event("old")])
        assert await store.verify_audit() == ChainReport(8, len(MANY_STREAMS))
        records, _ = await store.history(TARGET.oid, 10)
        assert [r.event.name for r in records] == ["new"] + ["old"] * 6
