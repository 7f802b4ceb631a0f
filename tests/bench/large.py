"""Lists and histories of a large installation, and commits through one audit stream against several. By hand.

`python -m tests.bench.large lists sqlite:////tmp/large.db` (or a postgresql:// URL of an empty schema) loads
10,000 open requests and 1,000,000 audit records, then asks as people do. `python -m tests.bench.large streams
postgresql://...` commits from three processes. Knows the store only.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.audit import AuditEvent
from bot.domain.change import Asked, Change, Operation, OpKind, ResolvedStep, State
from bot.domain.people import PersonRef, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import Action
from bot.ports import Commit, Listing, Message, MessageKind, Won
from bot.store import KeyRing, SqlStore, open_store, rows
from bot.store import tables as t
from bot.store.audit import MANY_STREAMS, ONE_STREAM, Chain
from bot.store.commits import Writer

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
RING = KeyRing([("k1", b"\x01" * 32)])
OPEN, RECORDS, PEOPLE = 10_000, 1_000_000, 10_000
SHOWN, ASKED_TIMES = 20, 200
# One record in ten is about the same person. Lists look at no link, so none is computed.
_VALUES = f"""n, 1, 'change:mobile:applied', 'actor',
  'target-' || substr('0000000' || (CASE WHEN n % 10 = 0 THEN 0 ELSE n % {PEOPLE} END), -8),
  'B' || n, 'c' || n, '{{"v":1,"d":{{"id":"R-7K2Q9M-4F3A","after":"+1 •••••• 00"}}}}', 'k1',
  '{"0" * 64}', '{"0" * 64}'"""
_COLUMNS = "seq, schema, name, actor, subject, change_id, correlation_id, facts, key_id, prev, mac"
_RECORDS = {
    "sqlite": f"""WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {RECORDS})
        INSERT INTO audit (stream, at, {_COLUMNS}) SELECT 'main',
        strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1700000000 + n, 'unixepoch'), {_VALUES} FROM c""",  # noqa: S608 - constants
    "postgresql": f"""INSERT INTO audit (stream, at, {_COLUMNS}) SELECT 's' || n % 8,
        to_timestamp(1700000000 + n), {_VALUES.replace("substr(", "right(").replace(", -8)", ", 8)")}
        FROM generate_series(1, {RECORDS}) AS n""",  # noqa: S608 - constants
}


def told(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class StandingClock:
    def now(self) -> datetime:
        return NOW


def person(kind: str, n: int) -> PersonRef:
    return PersonRef(f"{kind}-{n:08d}", f"{kind.title()} {n}", f"{kind}{n}@contoso.example")


def request(n: int, key: str = "") -> Change:
    """One of many open requests: of one of 50 operators, asked of a manager and of the one busy approver."""
    operation = Operation(1, OpKind.SET, Slot.MOBILE, "", "+1 •••••• 00", "", f"{n:064d}")
    asked = (
        Asked(person("manager", n % 500), "manager-of-target"),
        Asked(person("approver", 0), "role:approver"),
    )
    step = ResolvedStep(1, 1, ("manager-of-target",), (), False, asked)
    return Change(
        **{"id": key or f"{n:06d}", "tenant_id": "tenant", "origin": "chat", "action": Action.SET},
        **{"requester": person("operator", n % 50), "target": person("target", n), "row_version": 1},
        **{"target_kind": TargetKind.ORDINARY, "operations": (operation,), "reason": "lost phone"},
        **{"ticket": "INC1", "rule": "ordinary", "policy_hash": "p", "content_hash": f"v1:{n:064d}"},
        **{"correlation_id": f"c{n}", "state": State.PENDING, "steps": (step,), "expire_minutes": 1440},
        **{"execute_minutes": 240, "created_at": NOW - timedelta(seconds=n), "submitted_at": NOW},
        **{"due_at": NOW + timedelta(days=1), "expires_at": NOW + timedelta(days=1)},
    )


def load(store: SqlStore) -> None:
    """Everything that the lists look through."""
    engine = store._database.writing
    with engine.begin() as connection:
        changes = [request(n) for n in range(OPEN)]
        connection.execute(sa.insert(t.changes), [rows.change_values(c) for c in changes])
        connection.execute(
            sa.insert(t.operations), [rows.operation_values(c.id, c.operations[0]) for c in changes]
        )
        connection.execute(sa.insert(t.steps), [rows.step_values(c.id, c.steps[0]) for c in changes])
        asked = [values for c in changes for values in rows.asked_values(c.id, c.steps[0])]
        connection.execute(sa.insert(t.asked), asked)
    with engine.begin() as connection:
        # As text: the drivers read % each in its own way.
        connection.execute(sa.text(_RECORDS[connection.dialect.name].replace(":", "\\:")))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


async def p95(what: str, ask: Callable[[int], Awaitable[Any]]) -> None:
    times = []
    for n in range(ASKED_TIMES):
        began = time.perf_counter()
        await ask(n)
        times.append((time.perf_counter() - began) * 1000)
    spread = statistics.quantiles(times, n=20)
    told(f"{what:45} p50 {spread[9]:6.2f} ms   p95 {spread[18]:6.2f} ms   most {max(times):6.2f} ms")


async def lists(url: str) -> None:
    """Answers over a full database."""
    store = await open_store(url, RING, StandingClock())
    if await store.change(f"{0:06d}") is None:
        began = time.monotonic()
        await asyncio.to_thread(load, store)
        told(f"loaded in {time.monotonic() - began:.0f} s")
    manager, busy = (lambda n: person("manager", n).oid), (lambda n: person("approver", 0).oid)
    operator = lambda n: person("operator", n % 50).oid  # noqa: E731 - as the two above
    for what, listing, who in (
        ("approvals of a manager (20 wait)", Listing.TO_DECIDE, manager),
        ("approvals of the one asked about all", Listing.TO_DECIDE, busy),
        ("my requests (200 of mine)", Listing.MINE, operator),
        ("open", Listing.OPEN, lambda n: ""),
    ):
        await p95(what, lambda n, one=listing, oid=who: store.list_changes(one, oid(n), SHOWN))
    for what, subject in (("somebody (90 records)", 1), ("one with 100,000 records", 0)):
        await p95(f"history of {what}", lambda n, of=subject: store.history(person("target", of).oid, SHOWN))
    await store.close()


def one_stream(store: SqlStore) -> None:
    """As an installation without several streams would commit."""
    store._chain = Chain(RING, ONE_STREAM)
    store._writer = Writer(RING, store._chain)


async def _commit_on(url: str, worker: int, several: bool, seconds: float) -> int:
    store = await open_store(url, RING, StandingClock())
    if not several:
        one_stream(store)
    ends, done = time.monotonic() + seconds, 0

    async def write(lane: int) -> None:
        nonlocal done
        n = 0
        while time.monotonic() < ends:
            n += 1
            key = f"{worker:02d}{lane}{n:05d}"
            made = replace(request(n, key), target=person("target", int(key)))
            event = AuditEvent("change:mobile:submitted", "actor", made.target.oid, key)
            note = Message(f"{key}|n", MessageKind.NOTICE, key, "oid", due_at=NOW + timedelta(days=1))
            won = await store.commit(Commit(NOW, made, events=(event,), messages=(note,)))
            assert isinstance(won, Won), won
            done += 1

    await asyncio.gather(*(write(lane) for lane in range(4)))
    await store.close()
    return done


def _commits(url: str, worker: int, several: bool, seconds: float, done: Any) -> None:
    done.put(asyncio.run(_commit_on(url, worker, several, seconds)))


def streams(url: str, seconds: float = 8.0) -> None:
    """Three processes with four connections each create requests as fast as they can."""
    context = multiprocessing.get_context("spawn")
    for attempt, several in enumerate((False, True, False, True)):
        done = context.Queue()
        given = [(url, 3 * attempt + n, several, seconds, done) for n in range(3)]
        writers = [context.Process(target=_commits, args=each) for each in given]
        for writer in writers:
            writer.start()
        commits = sum(done.get() for _ in writers)
        for writer in writers:
            writer.join()
        count = len(MANY_STREAMS if several else ONE_STREAM)
        told(f"{count} stream(s): {commits / seconds:.0f} commits a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("lists", "streams"))
    parser.add_argument("url", help="of a database without rows; it stays as it is afterwards")
    given = parser.parse_args()
    if given.what == "lists":
        asyncio.run(lists(given.url))
    else:
        streams(given.url)


if __name__ == "__main__":
    main()
