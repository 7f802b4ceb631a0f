"""What can go wrong with the process, its database, its people and its time: broken when armed, then healed.

Knows how to break these. Must not know what the bot should make of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy as sa
from fault_site import BY_PEOPLE, Step, Way

from bot.jobs import Jobs
from bot.ports import Store
from bot.store.engine import read_url
from bot.store.tables import metadata
from tests.doubles.crashing import PowerCut

Json = dict[str, Any]
_GOOD_FOR = re.compile(r"Good for: .*?(?=Must approve)")
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
#: Where in the worker's run each of its steps begins.
BEGINS = {
    Step.CLAIM: "before claim_changes",
    Step.CALL: "before write",
    Step.RESULT: "before commit applied",
    Step.TELL: "after commit applied",
}


class Kind:
    """One fault: at people's steps it is there before they speak, at the worker's it strikes in between."""

    def __init__(self, way: Way, step: Step, how: str) -> None:
        """how: the letter of the outcome, where a cell has two."""
        self.way, self.site, self.step, self.how = way, way.site, step, how
        self.phones = f"{way.oid}/authentication/phoneMethods"

    @property
    def ends(self) -> str:
        """How the request ends, where that does not follow from the outcome."""
        return ""

    def stands(self, step: Step) -> Step:
        """How far the request has come when the fault is armed."""
        return step

    async def arm(self) -> None:
        if self.step in BY_PEOPLE:
            await self.strike()
        else:
            self.site.at(BEGINS[self.step], self.strike)

    async def act(self) -> None:
        await self.way.do(self.step)

    async def strike(self) -> None: ...

    async def heal(self) -> None: ...


# --- the process ------------------------------------------------------------------------------------------
class Kill(Kind):
    """f1: nothing can be finished; the next life opens the same database."""

    MOMENTS: ClassVar[dict[tuple[Step, str], str]] = {
        (Step.RECEIVE, "N"): "before commit previewed",
        (Step.SAVE, "R"): "after commit submitted",
        (Step.VOTE, "N"): "before commit approved",
        (Step.VOTE, "R"): "after commit approved",
        (Step.CLAIM, "R"): "after claim_changes",
        (Step.CALL, "Q"): "after write",
        (Step.RESULT, "Q"): "before commit applied",
        (Step.TELL, "E"): "before message_done",
    }

    async def arm(self) -> None:
        if self.step is Step.TELL:
            self.site.at("after commit applied", self.strike)
        else:
            self.site.at(self.MOMENTS[self.step, self.how], self.site.die)

    async def strike(self) -> None:
        self.site.at(self.MOMENTS[self.step, self.how], self.site.die)

    async def heal(self) -> None:
        await self.site.restart()


class Stop(Kind):
    """f2: SIGTERM, as a rolling deploy sends it: no new work, what runs is finished."""

    async def arm(self) -> None:
        if self.step in BY_PEOPLE:
            moments = {Step.SAVE: "before commit submitted", Step.VOTE: "before commit approved"}
            if self.step is Step.RECEIVE:
                self.way.last = await self.way.built(self.step)
                await self.site.stage.end()
            else:
                self.site.at(moments[self.step], self.strike)
        elif self.step is Step.CLAIM:
            self.site.stage.parts.jobs.stop()
        else:
            self.site.at(BEGINS[self.step], self.strike)
        self._ending: asyncio.Task[None] | None = None

    async def act(self) -> None:
        if self.step is Step.RECEIVE:
            self.way.answer = await self.way.post(self.step)
        elif self.step in BY_PEOPLE:
            await self.way.do(self.step)
        else:
            await asyncio.wait_for(self.site.stage.parts.jobs.run(), 20)

    async def strike(self) -> None:
        if self.step in BY_PEOPLE:
            self._ending = asyncio.create_task(self.site.stage.end())
            await asyncio.sleep(0)
        else:
            self.site.stage.parts.jobs.stop()

    async def heal(self) -> None:
        if self._ending is not None:
            await self._ending
        await self.site.restart()


class Paused(Kind):
    """f17: five minutes pass for everybody else; what a second worker can do meanwhile, it does."""

    _second: AbstractAsyncContextManager[tuple[Jobs, str]]

    async def arm(self) -> None:
        moments = {
            Step.RECEIVE: "before commit previewed",
            Step.CLAIM: "before commit attempted",
            Step.CALL: "before write",
            Step.RESULT: "before commit applied",
            Step.TELL: "after commit applied",
        }
        self._second = self.site.second()
        self._jobs, _ = await self._second.__aenter__()
        self.site.at(moments[self.step], self.telling if self.step is Step.TELL else self.strike)

    async def telling(self) -> None:
        # Not earlier: the cards of the vote are still being redrawn while the write is on its way.
        self.site.at("before message_done", self.strike)

    async def strike(self) -> None:
        self.site.stage.clock.pass_by(minutes=5)
        await self._jobs.drain()

    async def heal(self) -> None:
        await self._second.__aexit__(None, None, None)


class TwoWorkers(Kind):
    """f12: the same thing reaches two bots, or two workers, at once."""

    async def arm(self) -> None:
        self._second = self.site.second()
        self._jobs, self._url = await self._second.__aenter__()
        if self.step in (Step.CALL, Step.RESULT):
            self.site.at(BEGINS[self.step], self.strike)

    async def strike(self) -> None:
        await self._jobs.drain()

    async def act(self) -> None:
        if self.step in BY_PEOPLE:
            self.way.last = await self.way.built(self.step)
            both = await asyncio.gather(
                self.way.post(self.step), self.way.post(self.step, self._url), return_exceptions=True
            )
            self.way.answer = next(each for each in both if not isinstance(each, BaseException))
            assert all(not isinstance(each, BaseException) for each in both), both
        else:
            await asyncio.gather(self.site.work(), self._jobs.drain())

    async def heal(self) -> None:
        await self._second.__aexit__(None, None, None)


# --- the database -----------------------------------------------------------------------------------------
class Locked(Kind):
    """f3: somebody holds the database for longer than is waited for; afterwards all connections are new ones,
    as after a failover."""

    _holder: Any = None

    async def strike(self) -> None:
        await asyncio.to_thread(self._hold)

    def _hold(self) -> None:
        if self.site.is_sqlite:
            file = str(read_url(self.site.stage.database_url).database)
            self._holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._holder.execute("BEGIN IMMEDIATE")
            return
        engine = sa.create_engine(read_url(self.site.stage.database_url), poolclass=sa.NullPool)
        self._holder = engine.connect()
        names = ", ".join(table.name for table in metadata.sorted_tables)
        # The bot's own time limit for locks is meant for the bot; this one may wait.
        self._holder.exec_driver_sql("SET lock_timeout = '5s'")
        self._holder.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")

    async def heal(self) -> None:
        await asyncio.to_thread(self._free)

    def _free(self) -> None:
        if self._holder is None:
            return
        if not self.site.is_sqlite:
            ours = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ringfence'"
            )
            here = f" AND query LIKE '%' AND pid IN ({','.join(map(str, self._pids()))})"
            self._holder.rollback()
            if self._pids():
                self._holder.exec_driver_sql((ours + here).replace("%", "%%"))
        self._holder.close()

    def _pids(self) -> list[int]:
        """The server's processes of the bot's idle connections."""
        pool: Any = self.site.engine.pool
        return [record.dbapi_connection.info.backend_pid for record in list(pool._pool.queue)
                if record.dbapi_connection is not None]  # fmt: skip


class ReadOnly(Kind):
    """f4: the database takes nothing more, as when its disk is full or it has become a standby."""

    async def strike(self) -> None:
        if self.site.is_sqlite:
            self._pragma("ON")
        else:
            sa.event.listen(self.site.engine, "begin", _only_read)

    async def heal(self) -> None:
        if self.site.is_sqlite:
            self._pragma("OFF")
        elif sa.event.contains(self.site.engine, "begin", _only_read):
            sa.event.remove(self.site.engine, "begin", _only_read)

    def _pragma(self, what: str) -> None:
        # Not by the engine's own way, which begins a transaction first.
        raw = self.site.engine.raw_connection()
        raw.cursor().execute(f"PRAGMA query_only={what}")
        raw.close()


def _only_read(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")


class Poisoned(Kind):
    """f15: a row that cannot be read, or a message that makes no sense."""

    _repair: tuple[str, Json] | None = None

    async def arm(self) -> None:
        way, sql = self.way, self.site.sql
        if self.step is Step.RECEIVE:
            return
        if self.step is Step.TELL:
            self.site.at(BEGINS[self.step], self.strike)
            return
        state = await way.state()
        await sql("UPDATE changes SET state = 'nonsense' WHERE target_oid = :oid", oid=way.oid)
        self._repair = (
            "UPDATE changes SET state = :state WHERE target_oid = :oid",
            {"state": state, "oid": way.oid},
        )

    async def strike(self) -> None:
        what = "UPDATE outbox SET kind = 'nonsense' WHERE key LIKE :key"
        await self.site.sql(what, key=f"{self.way.printed[2:8]}:notice:ended:{self.way.oid}")

    async def act(self) -> None:
        if self.step is Step.RECEIVE:
            self.way.last = await self.way.built(self.step)
            whole = self.way.last["activity"]
            self.way.last["activity"] = {**whole, "text": None, "value": {"verb": {"a": [1]}, "v": 1}}
            self.way.answer = await self.way.post(self.step)
            return
        await self.way.do(self.step)
        if self.step in BY_PEOPLE:
            return
        # Its lease runs out a few times; meanwhile everybody else is served.
        other = await self.site.way()
        await other.up_to(Step.CLAIM)
        await self.site.pass_by(*[70] * 6)
        assert await other.state() == "applied", "one bad row stopped another request"

    async def heal(self) -> None:
        if self._repair is not None:
            await self.site.sql(self._repair[0], **self._repair[1])


# --- people and time --------------------------------------------------------------------------------------
class Twice(Kind):
    """f5: the same activity again, and the same click again as a new one."""

    async def arm(self) -> None:
        self.first = ""
        if self.step not in BY_PEOPLE:
            self.site.at(BEGINS[self.step], self.strike)

    async def act(self) -> None:
        if self.step not in BY_PEOPLE:
            await self.site.work()
            return
        await self.way.do(self.step)
        kept, answer = await self.way.kept(), self.way.answer
        version = (await self.way.row())[1]
        again = await self.way.post(self.step)
        assert again.status == answer.status
        # What a number is good for is looked up for the first answer only.
        assert again.said == _GOOD_FOR.sub("", answer.said), f"{again.said}\n{answer.said}"
        assert (await self.way.kept(), (await self.way.row())[1]) == (kept, version)
        if self.step is not Step.RECEIVE:
            await self.way.do(self.step)
            assert await self.way.kept() == kept

    async def strike(self) -> None:
        kept = await self.way.kept()
        for _ in range(2):
            answer = await self.way.post(Step.VOTE)
            assert answer.status == 201, answer
        self.way.last = await self.way.built(Step.VOTE)
        answer = await self.way.post(Step.VOTE)
        assert "conflict.already-decided" in answer.said, answer
        assert await self.way.kept() == kept


class WrongClock(Kind):
    """f11: our clock is ten minutes off, forwards or backwards, or jumps back in between."""

    async def arm(self) -> None:
        clock = self.site.stage.clock
        if self.step is Step.RECEIVE:
            self.way.last = await self.way.built(self.step)
            clock.pass_by(minutes=-10)
        elif self.step in BY_PEOPLE:
            clock.pass_by(minutes=-10)
        elif self.step is Step.RESULT:
            self.site.at(BEGINS[self.step], self.strike)

    async def act(self) -> None:
        if self.step is Step.RECEIVE:
            self.way.answer = await self.way.post(self.step)
        elif self.step is Step.CLAIM:
            parts, clock = self.site.stage.parts, self.site.stage.clock
            store: Any = OffClock(parts.store, clock.now)
            jobs = Jobs(parts.desk, store, parts.messenger, clock, parts.counters, "off", check_skew=True)
            await jobs.drain()
        else:
            await self.way.do(self.step)

    async def strike(self) -> None:
        self.site.stage.clock.pass_by(minutes=-10)

    async def heal(self) -> None:
        if self.step is not Step.CLAIM:
            self.site.stage.clock.pass_by(minutes=10)


@dataclass
class OffClock:
    """A store whose database is ten minutes behind us."""

    inner: Store
    now_here: Callable[[], datetime]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def now(self) -> datetime:
        return self.now_here() - timedelta(minutes=10)


class Outage(Kind):
    """f16: the bot is away for longer than the request lives."""

    @property
    def ends(self) -> str:
        return "expired" if self.step is Step.TELL else ""

    def stands(self, step: Step) -> Step:
        return Step.VOTE if step is Step.TELL else step

    AWAY: ClassVar[dict[Step, int]] = {
        Step.SAVE: 11 * 60,
        Step.VOTE: 25 * 3600,
        Step.CLAIM: 5 * 3600,
        Step.CALL: 30 * 3600,
    }

    async def arm(self) -> None:
        if self.step is Step.CALL:
            self.site.at("after write", self.site.die)

    async def act(self) -> None:
        if self.step is Step.CALL:
            with contextlib.suppress(PowerCut):
                await self.site.work()
        away = self.AWAY.get(self.step, 25 * 3600)
        if self.step is not Step.CALL:
            self.site.dead = True
        await self.site.restart()
        self.site.stage.clock.pass_by(seconds=away)
        if self.step in BY_PEOPLE:
            await self.way.do(self.step)
        elif self.step is not Step.CALL:
            await self.site.work()
