"""A place where requests go wrong: one company, one database, the whole bot, and requests that take it step
by step, so that something can be broken exactly there.

Knows how a request goes its way, what can be seen of it and how the bot dies and comes back. Must not know
what should happen: that stands in the table.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa
from stage import Sandbox, Stage, open_stage
from surroundings import environment

from bot.jobs import Jobs
from bot.sandbox.screen import told
from bot.store.engine import read_url
from tests.doubles.crashing import PowerCut, Watched

Json = dict[str, Any]
Act = Callable[[], Awaitable[None]]
DOMAIN = "contoso.example"
#: How long the database is waited for here, so that a locked one costs a test milliseconds.
PATIENCE_MS = 40
#: Two hours in steps: the reads after an unknown outcome, retries, leases, long pauses.
TWO_HOURS = (6, 15, 45, 5, 60, 240, 600, 1800, 1800, 1800, 900)


REQUESTS_A_SITE = 8


class Step(StrEnum):
    """The way of one request."""

    RECEIVE = "S1 receive"
    SAVE = "S2 request saved"
    VOTE = "S3 vote"
    CLAIM = "S4 claim and intent"
    CALL = "S5 Graph call in flight"
    RESULT = "S6 result saved"
    TELL = "S7 notices and cards"


STEPS = tuple(Step)
BY_PEOPLE = (Step.RECEIVE, Step.SAVE, Step.VOTE)


@dataclass
class Site:
    """One company and database, used by many requests one after the other."""

    stage: Stage
    relay: Relay
    hooks: dict[str, Act] = field(default_factory=dict)
    dead: bool = False
    requests: int = 0
    unintended: int = 0
    broken: bool = False
    _back: sa.Engine | None = None

    @property
    def is_spent(self) -> bool:
        """Something went wrong here, or so much happened that a new one costs less than looking back."""
        return self.broken or self.requests >= REQUESTS_A_SITE

    # --- moments ----------------------------------------------------------------------------------------
    def moment(self, name: str) -> Awaitable[None] | None:
        """Called before and after each call to store and directory."""
        if self.dead:
            raise PowerCut(name)
        act = self.hooks.pop(name, None)
        if name == "before write":
            return self._intended(act)
        return act() if act else None

    async def _intended(self, act: Act | None) -> None:
        """No write without its intent on disk, in the change and in the audit."""
        query = (
            "SELECT count(*) FROM operations o JOIN changes c ON c.id = o.change_id"
            " JOIN audit a ON a.change_id = c.id"
            " WHERE c.state = 'applying' AND o.state = 'sending' AND a.name LIKE :name"
        )
        if (await self.sql(query, name="%:attempted"))[0][0] == 0:
            self.unintended += 1
        if act is not None:
            await act()

    def at(self, moment: str, act: Act) -> None:
        """Do this once, there."""
        self.hooks[moment] = act

    async def die(self) -> None:
        """The process is gone: nothing after this is done by it."""
        self.dead = True
        raise PowerCut("now")

    async def restart(self) -> None:
        """The next life over the same database."""
        self.hooks.clear()
        await self.stage.end()
        self.dead = False
        await self.begin()

    async def begin(self) -> None:
        await self.stage.begin()
        if self.is_sqlite:
            with self.engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE_MS}")

    # --- the database -----------------------------------------------------------------------------------
    @property
    def is_sqlite(self) -> bool:
        return self.stage.database_url.startswith("sqlite")

    @property
    def engine(self) -> sa.Engine:
        """The bot's own connections for writing."""
        store: Any = self.stage.parts.store
        engine: sa.Engine = store._inner._database.writing
        return engine

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        """Behind the bot's back."""

        def run() -> list[Any]:
            self._back = self._back or sa.create_engine(
                read_url(self.stage.database_url), poolclass=sa.NullPool
            )
            with self._back.begin() as connection:
                found = connection.execute(sa.text(statement), values)
                return list(found) if found.returns_rows else []

        return await asyncio.to_thread(run)

    # --- the worker -------------------------------------------------------------------------------------
    async def work(self) -> None:
        """Everything that is due now."""
        await self.stage.settle()

    async def pass_by(self, *seconds: float) -> None:
        """Time passes, and everything happens that becomes due."""
        for each in seconds:
            self.stage.clock.pass_by(seconds=each)
            await self.work()

    @contextlib.asynccontextmanager
    async def second(self) -> AsyncIterator[tuple[Jobs, str]]:
        """Another worker and where it listens: on PostgreSQL a second bot of its own; on SQLite, where only
        one process may use the file, a second worker in it.
        """
        stage = self.stage
        if self.is_sqlite:
            parts = stage.parts
            yield (
                Jobs(
                    parts.desk, parts.store, parts.messenger, stage.clock, parts.counters, "second",
                    check_skew=False,
                ),
                stage.bot_url,
            )  # fmt: skip
            return
        other = Stage(
            stage.sandbox, stage.world, stage.settings, stage.state, stage.log, stage.clock, stage.http,
            stage.database_url, works=False, between={"turn_seconds": 15.0},
        )  # fmt: skip
        await other.begin()
        await stage.control("PATCH", "", {"bot_url": stage.bot_url})
        try:
            yield other.parts.jobs, other.bot_url
        finally:
            await other.end()

    # --- requests ---------------------------------------------------------------------------------------
    async def way(self) -> Way:
        """A request of its own: another person, another number."""
        self.requests += 1
        alias = f"row{self.requests:03}"
        made = {"alias": alias, "display_name": f"Row {self.requests:03} Person", "manager": "marta"}
        held = {"phones": {"mobile": f"+1 206555{1000 + self.requests}"}}
        person = await self.stage.control("POST", "people", made | held)
        assert "error" not in person, person
        return Way(self, alias, person["oid"], f"+1 206555{3000 + self.requests}")


@dataclass
class Answer:
    """What the sender got: the HTTP status (0 = no connection), and the words in the chat."""

    status: int
    said: str


@dataclass
class Way:
    """One request on its way."""

    site: Site
    alias: str
    oid: str
    number: str
    printed: str = ""
    last: Json = field(default_factory=dict)
    answer: Answer = field(default_factory=lambda: Answer(0, ""))

    # --- steps ------------------------------------------------------------------------------------------
    async def do(self, step: Step) -> None:
        """What people, or the worker, do at this step; the worker's steps are one."""
        if step in BY_PEOPLE:
            self.last = await self.built(step)
            self.answer = await self.post(step)
        else:
            await self.site.work()

    async def built(self, step: Step) -> Json:
        """The activity, signed and not yet sent."""
        who, text = self.words(step)
        self.site.stage.typed.append(text)
        return await self.site.stage.dry(who, text)

    def words(self, step: Step) -> tuple[str, str]:
        """Who says what."""
        if step is Step.RECEIVE:
            return "olivia", f"set mobile for {self.alias}@{DOMAIN} to {self.number} because lost phone"
        if step is Step.SAVE:
            return "olivia", f"submit {self.printed}"
        return "marta", f"approve {self.printed} in person"

    async def post(self, step: Step, url: str = "") -> Answer:
        """The built activity, once more if it was sent before."""
        stage = self.site.stage
        before = await self.newest(self.words(step)[0])
        headers = {"Authorization": f"Bearer {self.last['token']}", "Content-Type": "application/json"}
        body = io.BytesIO(json.dumps(self.last["activity"]).encode())
        try:
            async with stage.http.post(url or stage.bot_url, data=body, headers=headers) as got:
                await got.read()
                status = got.status
        except (aiohttp.ClientError, OSError):
            status = 0
        if not self.site.dead:
            await stage.parts.bot.settle()
        said = await self.said(self.words(step)[0], before)
        return Answer(status, said)

    async def newest(self, who: str) -> int:
        """How far the chat has come."""
        return max((int(e["changed"]) for e in await self.site.stage.from_bot(who)), default=0)

    async def said(self, who: str, since: int) -> str:
        """The words of all that the bot wrote to them since."""
        said = [e for e in await self.site.stage.from_bot(who) if int(e["changed"]) > since]
        return " | ".join(" ".join(told(e).split()) for e in said)

    async def name(self) -> None:
        """Its printed id, as soon as there is one."""
        found = await self.site.sql(
            "SELECT id, content_hash FROM changes WHERE target_oid = :oid", oid=self.oid
        )
        self.printed = f"R-{found[0][0]}-{found[0][1][3:7].upper()}" if found else ""

    async def up_to(self, step: Step) -> None:
        """Everything before it goes well."""
        for each in STEPS[: min(STEPS.index(step), 3)]:
            await self.do(each)
            assert self.answer.status == 201, self.answer
            await self.name()
            if each is Step.SAVE:
                await self.site.work()  # the approver has been asked

    # --- what can be seen -------------------------------------------------------------------------------
    async def row(self) -> Any:
        """state, row_version, due_at, expires_at, lease_until of the change; None without one."""
        query = (
            "SELECT state, row_version, due_at, expires_at, lease_until FROM changes WHERE target_oid = :oid"
        )
        found = await self.site.sql(query, oid=self.oid)
        assert len(found) <= 1, "one request became two"
        return found[0] if found else None

    async def state(self) -> str:
        found = await self.row()
        return str(found[0]) if found else ""

    async def kept(self) -> list[Any]:
        """Everything of it that people caused: the change's version and its votes."""
        votes = (
            "SELECT oid, verdict FROM votes"
            " WHERE change_id IN (SELECT id FROM changes WHERE target_oid = :oid)"
        )
        return [await self.state(), *map(tuple, await self.site.sql(votes, oid=self.oid))]

    async def effects(self) -> list[Json]:
        found: list[Json] = (await self.site.stage.control("GET", f"journal?who={self.alias}"))["effects"]
        return found

    async def sends(self) -> int:
        """Requests to write that reached the directory, whatever came of them."""
        seen = await self.site.stage.requests()
        return len(
            [r for r in seen if r["verb"] in ("PATCH", "POST") and f"{self.oid}/authentication" in r["path"]]
        )

    async def events(self) -> list[tuple[str, datetime]]:
        """Last words of the audit events about this person with their times, in order."""
        found = await self.site.sql(
            "SELECT name, at FROM audit WHERE subject = :oid ORDER BY seq", oid=self.oid
        )
        return [(name.rsplit(":", 1)[-1], at) for name, at in found]

    async def outbox(self) -> list[Any]:
        """key, kind, to, state, attempts, why of its messages."""
        query = (
            "SELECT key, kind, to_oid, state, attempts, why FROM outbox"
            " WHERE change_id IN (SELECT id FROM changes WHERE target_oid = :oid) ORDER BY key"
        )
        return await self.site.sql(query, oid=self.oid)


class Relay:
    """A proxy to the directory that can be cut. mode: `open`; `dark`: nobody listens; `cut`: a write is taken
    and goes nowhere, and the connection ends without an answer.
    """

    def __init__(self, address: str) -> None:
        self._host, _, port = address.removeprefix("http://").partition(":")
        self._to = int(port)
        self._server: asyncio.Server | None = None
        # A proxy is asked for whole addresses, the server behind it for paths.
        self._whole = f" {address}/".encode()
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.mode = "open"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def turn(self, mode: str) -> None:
        """What is connected is cut at each turn, as a new start of a network would."""
        self.mode = mode
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        if mode != "dark":
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._to)
            self._open.add(far_writer)
            await asyncio.gather(self._ask(reader, far_writer, writer), _pump(far_reader, writer))
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.mode == "cut" and data.startswith(b"PATCH "):
                    near.transport.abort()
                    break
                far.write(data.replace(self._whole, b" /", 1))
                await far.drain()
        far.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def open_site(sandbox: Sandbox, folder: Path, migrated: Path, database_url: str) -> AsyncIterator[Site]:
    """Fresh and running; the worker only moves when told."""
    relay = Relay(sandbox.graph)
    await relay.turn("open")
    made: list[Site] = []

    def watched(inner: object) -> Any:
        return Watched(inner, lambda name: made[0].moment(name) if made else None)

    between = {"wrap_store": watched, "wrap_directory": watched}
    if database_url:
        wait = f"-c lock_timeout={PATIENCE_MS}ms"
        url = read_url(database_url)
        given = url.query.get("options", "")
        database_url = url.update_query_dict({"options": f"{given} {wait}"}).render_as_string(False)
    opening = open_stage(
        sandbox, folder, database_url=database_url, migrated=migrated, between=between, works=False,
    )  # fmt: skip
    # The client of the directory goes through a proxy where the environment names one.
    through = {"HTTP_PROXY": relay.url, "http_proxy": relay.url, "NO_PROXY": "", "no_proxy": ""}
    with environment(through):
        async with opening as stage:
            site = Site(stage, relay)
            made.append(site)
            if site.is_sqlite:
                with site.engine.connect() as connection:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE_MS}")
            try:
                yield site
            finally:
                site.dead = False
                site.hooks.clear()
    await relay.turn("dark")
