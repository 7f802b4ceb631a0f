"""A whole installation for one test: a fresh pretend tenant, a fresh database, and the real bot between them.

Knows how the bot is told where everything is, and how people in Teams act and see. Must not hold any rule of
the product: it only sends, looks and counts. The sandbox is a process of its own; the bot runs in the test's
event loop behind a real listener, so that its log, its files and its counters can be read.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import io
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import sqlalchemy as sa
from surroundings import captured_log, environment

from bot.sandbox.demo import policy_of, settings_of
from bot.sandbox.player import Addresses, Player
from bot.sandbox.screen import told
from bot.settings.environment import Settings, load_settings
from bot.settings.policy_file import load_policy
from bot.store import tables as t
from bot.web import listening
from bot.wiring import Assembled, assembled, working
from tests.doubles.limits import without_limits

Json = dict[str, Any]
DATA_KEY = "dGVzdHMtb25seS1rZXktb2YtdGhpcnR5LXR3by1iISE="
Between = dict[str, Any]
PATIENCE = 8.0
# As long as the channel waits: no test depends on the speed of the machine. Those of the time in a turn
# open a stage with the product's own limit.
LONG_TURN = 15.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The addresses of a running sandbox process; `ca_file` is what makes its login trusted."""

    graph: str
    login: str
    teams: str
    ca_file: str


class ShiftedClock:
    """Stands at the time of its making and is moved by hand: nothing is due because a machine is slow."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self.shift = timedelta()

    def now(self) -> datetime:
        return self.start + self.shift

    def pass_by(self, **delta: float) -> None:
        self.shift += timedelta(**delta)


class RunningClock(ShiftedClock):
    """The computer's own, moved by hand as well: for what takes long enough to be paused by the directory."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


@dataclass(frozen=True, slots=True)
class _WorldSeen:
    """The answer of the control API with the few names that the demo's writers of settings want."""

    body: Json

    @property
    def role_groups(self) -> dict[str, str]:
        return dict(self.body["role_groups"])

    def find(self, alias: str) -> Any:
        person = self.body["people"].get(alias)
        return SimpleNamespace(**person) if person else None

    def find_group(self, group_id: str) -> Any:
        found = next((g for g in self.body["groups"].values() if g["id"] == group_id), None)
        return SimpleNamespace(**found) if found else None


@dataclass
class Stage:
    """One test's world. `who` is an alias of the sandbox's company; everything is done over HTTP."""

    sandbox: Sandbox
    world: Json
    settings: Settings
    state: Path
    log: io.StringIO
    clock: ShiftedClock
    http: aiohttp.ClientSession
    database_url: str
    parts: Assembled = field(init=False)
    bot_url: str = ""
    typed: list[str] = field(default_factory=list)
    between: Between = field(default_factory=dict)
    works: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    _life: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    # --- lives of the bot -------------------------------------------------------------------------------
    async def begin(self) -> None:
        """A life of the bot over this world and database: listening, and working if it `works` by itself."""
        policy = load_policy(self.settings.policy_file)
        opening = assembled(self.settings, policy, clock=self.clock, **self.between)
        self.parts = await self._life.enter_async_context(opening)
        opened = listening(self.parts.app, "127.0.0.1", 0, count=self.parts.counters.count)
        door = await self._life.enter_async_context(opened)
        if self.works:
            await self._life.enter_async_context(working(self.parts.jobs))
        self.bot_url = f"http://127.0.0.1:{door.port}/api/messages"
        await self.control("PATCH", "", {"bot_url": self.bot_url})

    async def end(self) -> None:
        """That life is over: what runs is finished, as when the process is told to stop."""
        await self._life.aclose()

    # --- what people do ---------------------------------------------------------------------------------
    async def say(self, who: str, text: str, **more: Any) -> Json:
        """A typed message; the bot's HTTP answer."""
        self.typed.append(text)
        return await self._act("say", {"as": who, "text": text, **more})

    async def click(self, who: str, action: str | int = 1, **more: Any) -> Json:
        """A press on a button: of the newest card that has it, or of `activity_id`.

        Whoever approves says that they spoke in person, unless `inputs` says something else.
        """
        if action == "Approve":
            more.setdefault("inputs", {"how": "in-person"})
        if "activity_id" not in more and isinstance(action, str):
            more["activity_id"] = (await self.card_with(who, action))["activity_id"]
        return await self._act("click", {"as": who, "action": action, **more})

    async def invoke(self, who: str, name: str | None, value: Any, **more: Any) -> Json:
        return await self._act("invoke", {"as": who, "name": name, "value": value, **more})

    async def refresh(self, who: str, activity_id: str, **more: Any) -> Json:
        return await self._act("refresh", {"as": who, "activity_id": activity_id, **more})

    async def activity(self, activity: Json | None = None, **more: Any) -> Json:
        """Any activity, or any text as `body`, through the channel."""
        return await self._act("activity", {"activity": activity, **more})

    async def install(self, who: str, installed: bool = True) -> Json:
        return await self._act("install", {"as": who, "installed": installed})

    async def dry(self, who: str, text: str = "help", **more: Any) -> Json:
        """`{activity, token}` as the channel would send them, and nothing sent."""
        return await self._act("say", {"as": who, "text": text, "dry": True, **more})

    async def forged(self, who: str, verb: object, data: Json, **value: Any) -> Json:
        """A card action that no card of ours offered, signed by the channel all the same."""
        action = {"type": "Action.Execute", "verb": verb, "data": data}
        return await self.invoke(who, "adaptiveCard/action", {"action": action, **value})

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None, verb: str = "POST") -> int:
        """These bytes straight to the bot; the status."""
        data = io.BytesIO(body)
        async with self.http.request(verb, self.bot_url, data=data, headers=dict(headers or {})) as answer:
            await answer.read()
            return answer.status

    async def upload(self, who: str, name: str, content: bytes, **more: Any) -> Json:
        """A file, sent in the chat with the bot."""
        text = base64.b64encode(content).decode()
        return await self._act("upload", {"as": who, "name": name, "content": text, **more})

    async def consent(self, who: str, accept: bool = True, **more: Any) -> Json:
        """The answer to a file that the bot offers, the newest unless named."""
        return await self._act("consent", {"as": who, "accept": accept, **more})

    async def drive(self, who: str) -> list[Json]:
        """The files that the bot has put into somebody's OneDrive; `content` is bytes."""
        files: list[Json] = (await self.control("GET", f"drive?as={who}", teams=True))["files"]
        return [file | {"content": base64.b64decode(file["content"])} for file in files]

    async def _act(self, what: str, wish: Json) -> Json:
        """The bot's HTTP answer. What follows it is waited for; `at_once` leaves that out."""
        at_once = wish.pop("at_once", False)
        if self.clock.shift and wish.get("sign") is None:
            wish["sign"] = {"claims": self.claims_now()}
        answer: Json = await self.control("POST", what, wish, teams=True)
        if not at_once:
            await self.parts.bot.settle()
        return answer

    def claims_now(self) -> Json:
        now = int(self.clock.now().timestamp())
        return {"iat": now, "nbf": now - 5, "exp": now + 3600}

    # --- what people see --------------------------------------------------------------------------------
    async def view(self, who: str) -> list[Json]:
        """Everything in this person's chats, oldest first."""
        seen: list[Json] = await self.control("GET", f"view?as={who}", teams=True)
        return seen

    async def from_bot(self, who: str) -> list[Json]:
        """What the bot said to them, the last changed one at the end."""
        return sorted(
            (e for e in await self.view(who) if e["from"] == "bot"), key=lambda e: int(e["changed"])
        )

    async def newest(self, who: str) -> Json:
        return (await self.from_bot(who))[-1]

    async def text(self, who: str) -> str:
        """All words of the bot's newest message to them, as one line."""
        return " ".join(told(await self.newest(who)).split())

    async def all_text(self, who: str) -> str:
        return " ".join(" ".join(told(e).split()) for e in await self.from_bot(who))

    async def ask(self, who: str, text: str, **more: Any) -> str:
        """Say something; the words of the answer to exactly that."""
        answer = await self.say(who, text, **more)
        assert answer["status"] == 201, answer
        said = [e for e in await self.from_bot(who) if e["reply_to"] == answer["activity_id"]]
        return " ".join(told(said[-1]).split()) if said else await self.text(who)

    async def card_with(self, who: str, title: str) -> Json:
        """The newest card of theirs that has this button; waits for it."""

        async def find() -> Json | None:
            for entry in reversed(await self.from_bot(who)):
                if any(a["title"] == title for a in entry["actions"]):
                    return entry
            return None

        found: Json = await self.wait_for(find)
        return found

    def player(self, who: str = "olivia") -> Player:
        """The written language of the sandbox, on this world."""
        at = Addresses(self.sandbox.teams, self.sandbox.graph, self.world["tenant_id"])
        return Player(at, who=who, patience=PATIENCE)

    # --- the hand behind the curtain --------------------------------------------------------------------
    async def control(self, verb: str, path: str, body: Any = None, *, teams: bool = False) -> Any:
        root = self.sandbox.teams if teams else self.sandbox.graph
        url = f"{root}/_sandbox/worlds/{self.world['tenant_id']}/{path}"
        async with self.http.request(verb, url.rstrip("/"), json=body) as answer:
            assert answer.status < 500, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def anywhere(self, verb: str, path: str, body: Any = None) -> Any:
        """A control route that belongs to no world (signing keys)."""
        async with self.http.request(verb, f"{self.sandbox.teams}/_sandbox/{path}", json=body) as answer:
            return await answer.json()

    async def person(self, who: str) -> Json:
        found: Json = await self.control("GET", f"people/{who}")
        return found

    def oid(self, who: str) -> str:
        return str(self.world["people"][who]["oid"])

    async def patch(self, who: str, **fields: Any) -> None:
        answer = await self.control("PATCH", f"people/{who}", fields)
        assert "error" not in answer, answer

    async def join(self, group: str, who: str) -> None:
        await self.control("PUT", f"groups/{group}/members/{who}")

    async def leave(self, group: str, who: str) -> None:
        await self.control("DELETE", f"groups/{group}/members/{who}")

    async def fault(self, **fields: Any) -> None:
        answer = await self.control("POST", "faults", fields)
        assert "error" not in answer, answer

    async def heal(self) -> None:
        await self.control("DELETE", "faults")

    async def effects(self) -> list[Json]:
        """Every write that the directory accepted."""
        found: list[Json] = (await self.control("GET", "journal"))["effects"]
        return found

    async def requests(self, server: str = "graph") -> list[Json]:
        found: list[Json] = (await self.control("GET", f"requests?server={server}"))["requests"]
        return found

    async def sent(self) -> list[Json]:
        """Everything the bot wrote to Teams, answers to HTTP included."""
        found: list[Json] = (await self.control("GET", "outbound", teams=True))["sent"]
        return found

    # --- waiting and judging ----------------------------------------------------------------------------
    async def wait_for(self, predicate: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """The first truthy result of `predicate` (may be a coroutine function); AssertionError when late."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            found = predicate()
            found = await found if inspect.isawaitable(found) else found
            if found:
                return found
            assert loop.time() < deadline, f"not within {seconds:g} s: {inspect.getsource(predicate)}"
            await asyncio.sleep(0.01)

    async def settle(self) -> None:
        """Nothing is under way any more and nothing is due at the clock's present time."""
        quiet = 0
        while quiet < 2:
            await self.parts.bot.settle()
            quiet = 0 if await self.parts.jobs.drain() else quiet + 1
            await asyncio.sleep(0)

    async def later(self, **delta: float) -> None:
        """Let time pass, and everything happen that becomes due."""
        self.clock.pass_by(**delta)
        self.parts.jobs.wake()
        await self.settle()

    async def ends_with(self, *writes: tuple[str, str, str | None], audited: tuple[str, ...] = ()) -> None:
        """All is quiet; the directory took exactly these writes (who, slot, number), the chain verifies, and
        the log holds no error: nothing that people or strangers do is one.

        audited: audit events that must be there, by name.
        """
        await self.settle()
        found = [(e["oid"], e["phone_type"], e["after"]) for e in await self.effects()]
        assert found == [(self.oid(who), slot, number) for who, slot, number in writes]
        report = await self.parts.store.verify_audit()
        assert report.bad == ()
        assert [line for line in self.log_lines() if line["level"] in ("ERROR", "CRITICAL")] == []
        if audited:
            names = await self.audit_names()
            assert set(audited) <= set(names), names

    async def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Behind the bot's back."""

        def read() -> list[tuple[Any, ...]]:
            engine = sa.create_engine(self.database_url, poolclass=sa.NullPool)
            with engine.connect() as connection:
                rows = [tuple(row) for row in connection.execute(sa.text(query))]
            engine.dispose()
            return rows

        return await asyncio.to_thread(read)

    async def audit_names(self) -> list[str]:
        return [name for name, _ in await self.audit_rows()]

    async def audit_rows(self) -> list[tuple[str, Json]]:
        """(event name, facts) of every audit record, oldest first."""

        def read() -> list[tuple[str, Json]]:
            engine = sa.create_engine(self.database_url, poolclass=sa.NullPool)
            with engine.connect() as connection:
                rows = (
                    connection.execute(
                        sa.select(t.audit).order_by(t.audit.c.at, t.audit.c.stream, t.audit.c.seq)
                    )
                    .mappings()
                    .all()
                )
            engine.dispose()
            return [(str(row["name"]), dict(row)) for row in rows]

        return await asyncio.to_thread(read)

    def log_lines(self) -> list[Json]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    # --- short ways to a state --------------------------------------------------------------------------
    async def previewed(
        self, who: str = "alice", number: str = "+1 206 555 0100", by: str = "olivia", slot: str = "mobile"
    ) -> Json:
        """The requester's preview card."""
        await self.say(by, f"set {slot} for {who} to {number} because lost phone INC1234")
        return await self.newest(by)

    async def pending(
        self, who: str = "alice", number: str = "+1 206 555 0100", by: str = "olivia", slot: str = "mobile"
    ) -> str:
        """A submitted request; its printed id."""
        await self.previewed(who, number, by, slot)
        await self.click(by, "Submit for approval")
        return self.printed_id(await self.newest(by))

    def printed_id(self, entry: Json) -> str:
        found = re.findall(r"\bR-[0-9A-Z]{6}-[0-9A-F]{4}\b", told(entry))
        assert found, told(entry)
        return str(found[0])


def _told(log: io.StringIO) -> str:
    """What the bot complained of."""
    lines = log.getvalue().splitlines(keepends=True)
    return "".join(line for line in lines if json.loads(line)["level"] not in ("DEBUG", "INFO"))


@contextlib.asynccontextmanager
async def a_world(http: aiohttp.ClientSession, sandbox: Sandbox, spec: Json) -> AsyncIterator[Json]:
    """A company of the sandbox; forgotten afterwards, so that the last test finds it as fast as the first."""
    async with http.post(f"{sandbox.graph}/_sandbox/worlds", json=spec) as answer:
        world: Json = await answer.json()
        assert answer.status == 201, world
    try:
        yield world
    finally:
        async with http.delete(f"{sandbox.graph}/_sandbox/worlds/{world['tenant_id']}") as answer:
            assert answer.status in (204, 404), await answer.text()


@contextlib.asynccontextmanager
async def open_stage(
    sandbox: Sandbox,
    state: Path,
    *,
    database_url: str = "",
    migrated: Path | None = None,
    spec: Json | None = None,
    policy: Callable[[str], str] = lambda text: text,
    more: Mapping[str, str] | None = None,
    log_level: str = "INFO",
    turn_seconds: float = LONG_TURN,
    between: Between | None = None,
    works: bool = True,
    clock: ShiftedClock | None = None,
) -> AsyncIterator[Stage]:
    """World, database and bot, all fresh and ready; everything gone afterwards.

    spec: of the world. policy: changes the text of the policy file. more: settings over the demo's.
    between: what stands between the parts (the wraps of `assembled`). works: the worker runs by itself.
    clock: None = one that stands.
    """
    await asyncio.to_thread(state.mkdir, parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        world = await stack.enter_async_context(a_world(http, sandbox, spec or {}))
        seen: Any = _WorldSeen(world)
        where: Any = sandbox
        (state / "policy.toml").write_text(without_limits(policy(policy_of(seen))), encoding="utf-8")
        told_bot = settings_of(where, SimpleNamespace(**world), state, 3978)  # type: ignore[arg-type]
        url = database_url or f"sqlite:///{state / 'ringfence.db'}"
        if not database_url and migrated is not None:
            shutil.copy(migrated, state / "ringfence.db")
        told_bot |= {"DATABASE_URL": url, "DATA_KEYS": f"k1:{DATA_KEY}", "SEND_PACE": "none"}
        told_bot |= more or {}
        stack.enter_context(environment({n: told_bot[n] for n in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}))
        settings = load_settings(told_bot)
        log = stack.enter_context(captured_log(log_level))
        # Shown by pytest beside a test that failed, and nowhere else.
        stack.callback(lambda: sys.stdout.write(_told(log)))
        stage = Stage(sandbox, world, settings, state, log, clock or ShiftedClock(), http, url)
        stage.environment = dict(told_bot)
        stage.between, stage.works = {"turn_seconds": turn_seconds, **(between or {})}, works
        stack.push_async_callback(stage.end)
        await stage.begin()
        yield stage
