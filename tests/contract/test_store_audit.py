"""The audit chain on disk: whoever edits, cuts, moves or rebuilds it is found at the first bad record."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from store_desk import AGENT, RING, SECOND, START, TARGET, Place, created, event

from bot.domain.audit import AuditEvent, canonical, link
from bot.ports import ChainReport
from bot.store import ChainBroken, KeyMissing, KeyRing, SqlStore

GOOD = ChainReport(records=10, streams=1)


async def ten(store: SqlStore) -> None:
    for n in range(5):
        pair = [event(f"change:mobile:step{n}{m}", facts={"n": str(n), "who": "Ünal"}) for m in "ab"]
        await store.append_audit(START + timedelta(microseconds=n), pair)


async def test_an_untouched_chain_verifies(store: SqlStore) -> None:
    """Ten records, one stream, nothing bad; an empty one is good too."""
    assert await store.verify_audit() == ChainReport(records=0, streams=0)
    await ten(store)
    assert await store.verify_audit() == GOOD


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
        "mac = (SELECT mac FROM audit WHERE seq = 7)",
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
    for statement in statements.split(";"):
        place.sql(statement)
    ((stream, found, why),) = (await store.verify_audit()).bad
    assert (stream, found) == ("main", seq)
    assert what in why


async def test_a_chain_rebuilt_with_another_key_is_found(place: Place, store: SqlStore) -> None:
    """Somebody who may write every row, but has not our key, cannot make a chain that verifies."""
    await ten(store)
    forged = KeyRing([("new", b"\x66" * 32)]).derive("audit")
    prev = "0" * 64
    for row in (await store.history(TARGET.oid, 100))[0][::-1]:
        lie = AuditEvent(**{f: getattr(row.event, f) for f in AuditEvent.__slots__} | {"actor": SECOND.oid})
        mac = link(forged, canonical("main", row.seq, row.at, lie, "new", prev))
        values = {"actor": SECOND.oid, "prev": prev, "mac": mac, "seq": row.seq}
        place.sql("UPDATE audit SET actor = :actor, prev = :prev, mac = :mac WHERE seq = :seq", values)
        prev = mac
    assert (await store.verify_audit()).bad[0][:2] == ("main", 1)


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
    place.sql("UPDATE audit SET seq = 11 WHERE seq = 10")
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        await created(store, "AAAAA1")
    assert await store.change("AAAAA1") is None


async def test_a_new_first_key_carries_the_chain_on(place: Place) -> None:
    """After rotation each part verifies with its key; a chain whose key is gone is told."""
    old, new = ("old", b"\x01" * 32), ("new", b"\x02" * 32)
    async with place.opened(KeyRing([old])) as store:
        await ten(store)
    async with place.opened(KeyRing([new, old])) as store:
        await ten(store)
        assert await store.verify_audit() == ChainReport(records=20, streams=1)
        records, _ = await store.history(TARGET.oid, 20)
        assert [r.key_id for r in records] == ["new"] * 10 + ["old"] * 10
    async with place.opened(KeyRing([new])) as store:
        assert (await store.verify_audit()).bad[0][:2] == ("main", 1)
    with pytest.raises(KeyMissing):
        await place.opened(KeyRing([old])).__aenter__()


async def test_writers_at_once_make_one_chain(place: Place) -> None:
    """Eight writers (on PostgreSQL in two stores): no fork, no gap, every event once."""
    async with place.opened() as first:

        async def write(store: SqlStore, writer: int) -> None:
            for n in range(25):
                await store.append_audit(START, [event(f"w{writer}:{n}")])

        if place.is_sqlite:
            await asyncio.gather(*(write(first, n) for n in range(8)))
        else:
            async with place.opened() as second:
                await asyncio.gather(*(write((first, second)[n % 2], n) for n in range(8)))
        assert await first.verify_audit() == ChainReport(records=200, streams=1)
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


async def test_a_long_chain_is_read_in_chunks(store: SqlStore) -> None:
    """More records than one chunk holds, with the fault in a later chunk and at its edge."""
    await store.append_audit(START, [event()] * 10_001)
    assert await store.verify_audit() == ChainReport(records=10_001, streams=1)
