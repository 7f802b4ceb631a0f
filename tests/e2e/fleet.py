"""Several real processes of the bot on one PostgreSQL, behind one address that people write to.

Knows how they are started, what stands ready in their database, and how an address in front of them shares
out connections. Must not judge: tests and measurements do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from kill_drive import Books, Clock, Lives, People
from stage import DATA_KEY, Sandbox, _WorldSeen, a_world
from surroundings import environment

from bot.domain import command as c
from bot.domain.change import Change, How, State, content_hash, number_key
from bot.domain.outcome import Preview
from bot.domain.people import PersonRef
from bot.domain.phone import PhoneNumber, Slot
from bot.ports import Commit, Won
from bot.sandbox.child import free_port
from bot.sandbox.demo import policy_of, settings_of
from bot.settings.environment import load_settings
from bot.settings.policy_file import load_policy
from bot.store.keyring import KeyRing
from bot.wiring import assembled
from bot.workflow.parts import Envelope, event
from tests.doubles.limits import without_limits

Json = dict[str, Any]
HELD = "+1 2065550110"
_LOOK_SECONDS = 0.3


class Address:
    """One TCP address before several processes: each new connection goes to the next one that is ready."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._ready: list[int] = []
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(trust_env=False) as http:
            server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            looking = [asyncio.create_task(self._look(http, port)) for port in self._ports]
            try:
                yield
            finally:
                server.close()
                for task in (*looking, *self._tasks):
                    task.cancel()
                await asyncio.gather(*looking, *self._tasks, return_exceptions=True)

    async def _look(self, http: aiohttp.ClientSession, port: int) -> None:
        """As a load balancer does: ask each again and again whether it is ready."""
        limit = aiohttp.ClientTimeout(total=5)
        while True:
            ready = False
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with http.get(f"http://127.0.0.1:{port}/readyz", timeout=limit) as answer:
                    ready = answer.status == 200
            if ready != (port in self._ready):
                self._ready = [p for p in self._ports if (ready if p == port else p in self._ready)]
            await asyncio.sleep(_LOOK_SECONDS)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError):
            there = await self._next()
            if there is not None:
                await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        writer.close()

    async def _next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """It does not try another one: who is not there loses what comes to it."""
        if not self._ready:
            return None
        self._turn += 1
        return await asyncio.open_connection("127.0.0.1", self._ready[self._turn % len(self._ready)])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


@dataclass
class Fleet:
    """One world, one database, several lives of the bot. targets: t0, t1, ...; lanes: op0 and mg0, ..."""

    sandbox: Sandbox
    world: Json
    http: aiohttp.ClientSession
    books: Books
    clock: Clock
    told: dict[str, str]
    lives: list[Lives]
    address: Address
    people: People = field(init=False)

    def __post_init__(self) -> None:
        bot_url = f"http://127.0.0.1:{self.address.port}/api/messages"
        root = f"{self.sandbox.teams}/_sandbox/worlds/{self.world['tenant_id']}"
        # Whoever waits for an answer waits long: no click is sent again because a machine is slow.
        self.people = People(self.http, root, bot_url, self.clock, self.books, lambda: 10.0)

    async def control(self, verb: str, path: str, body: Json | None = None, *, teams: bool = False) -> Any:
        server = self.sandbox.teams if teams else self.sandbox.graph
        root = f"{server}/_sandbox/worlds/{self.world['tenant_id']}"
        async with self.http.request(verb, f"{root}/{path}".rstrip("/"), json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def begin(self, count: int | None = None) -> None:
        """So many lives at once, all of them by default."""
        for life in self.lives[:count]:
            await life.begin()
        for life in self.lives[:count]:
            assert await life.ready()

    async def _meet(self, who: str) -> None:
        """Somebody writes to the bot: now it knows where people of this directory are met."""
        await self.begin(1)
        await self.people.say(who, "help")
        await self.lives[0].stop()

    async def knock(self) -> None:
        """Requests without a break, each on a connection of its own; raises when one gets no answer."""
        while True:
            # A POST, because the client would send a GET a second time by itself.
            async with self.http.post(f"http://127.0.0.1:{self.address.port}/api/messages") as answer:
                assert answer.status < 500
            await asyncio.sleep(0.002)

    def count(self, what: str) -> int:
        return int(self.books.rows(f"SELECT count(*) AS n FROM {what}")[0]["n"])  # noqa: S608 - constants

    async def until(self, told: Any, seconds: float) -> None:
        """Ask a function again and again; AssertionError when it takes too long."""
        async with asyncio.timeout(seconds):
            while not told():  # noqa: ASYNC110 - other processes make it true
                await asyncio.sleep(0.1)

    async def stock(self, count: int) -> None:
        """So many approved changes, one for each target: the first by people's own steps, the rest alike."""
        await self._meet("op0")
        settings = load_settings(self.told)
        trust = {name: self.told[name] for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}
        with environment(trust):
            opening = assembled(settings, load_policy(settings.policy_file), clock=self.clock)
            async with opening as parts:
                first = await _approved(parts.desk, self.world["people"])
                keys = KeyRing([(key.id, key.secret) for key in settings.data_keys])
                key = keys.derive_oldest("numbers")
                for n in range(1, count):
                    change, number = _alike(first, n, self.world["people"][f"t{n}"], key)
                    made = event(change, "approved", "mg0", how="in-person")
                    commit = Commit(self.clock.now(), change, {(change.id, 1): number}, events=(made,))
                    assert isinstance(await parts.store.commit(commit), Won)


async def _approved(desk: Any, people: Json) -> Change:
    """The first change, asked for by op0 and approved by mg0."""
    operator, manager = (Envelope(people[who]["oid"]) for who in ("op0", "mg0"))
    who = c.Who(c.WhoKind.OID, people["t0"]["oid"])
    asked = c.SetPhone(who, Slot.MOBILE, "+1 " + number_of(0), "lost phone", "INC1234")
    shown = await desk.handle(asked, operator)
    assert isinstance(shown, Preview), shown
    sent = await desk.handle(c.Submit(shown.view.card), operator)
    change: Change = sent.view.change
    typed = c.Approve(c.RequestId(change.id, change.tail), None, How.IN_PERSON)
    done = await desk.handle(typed, manager)
    approved: Change = done.view.change
    assert approved.state is State.APPROVED, done
    return approved


def number_of(n: int) -> str:
    return f"20660{n:05d}"


def _alike(first: Change, n: int, person: Json, key: bytes) -> tuple[Change, PhoneNumber]:
    number = PhoneNumber("1", number_of(n))
    operation = replace(first.operations[0], after=number.masked, after_key=number_key(key, number))
    target = PersonRef(person["oid"], person["display_name"], person["upn"])
    made = replace(
        first,
        id=f"{n:06d}",
        target=target,
        operations=(operation,),
        correlation_id=f"stock{n:011d}",
        row_version=1,
    )
    made = replace(made, content_hash=content_hash(made))
    votes = tuple(replace(vote, content_hash=made.content_hash) for vote in made.votes)
    return replace(made, votes=votes), number


@contextlib.asynccontextmanager
async def fleet(
    sandbox: Sandbox,
    database_url: str,
    state: Path,
    *,
    replicas: int = 3,
    targets: int,
    lanes: int = 1,
    rate: float = 20.0,
    drain_seconds: int = 2,
) -> AsyncIterator[Fleet]:
    """Everything but the lives themselves. database_url: a migrated database without rows."""
    people: list[Json] = [{"alias": f"{kind}{n}"} for kind in ("mg", "op") for n in range(lanes)]
    held = {"phones": {"mobile": HELD}}
    people += [{"alias": f"t{n}", "manager": f"mg{n % lanes}", **held} for n in range(targets)]
    spec = {"people": people, "rules": {"group_page_size": 100}}
    async with contextlib.AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(force_close=True)
        http = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False, connector=connector))
        world = await stack.enter_async_context(a_world(http, sandbox, spec))
        ports = [free_port() for _ in range(replicas)]
        address = Address(ports)
        await stack.enter_async_context(address.open())
        seen: Any = _WorldSeen(world)
        policy = without_limits(policy_of(seen)).replace("execute_minutes = 240", "execute_minutes = 10000")
        policy = policy.replace("[numbers]", "[numbers]\nshared_number_max = 0", 1)
        (state / "policy.toml").write_text(policy, encoding="utf-8")
        where: Any = sandbox
        told = settings_of(where, SimpleNamespace(**world), state, ports[0])  # type: ignore[arg-type]
        told |= {"DATA_KEYS": f"k1:{DATA_KEY}", "DATABASE_URL": database_url}
        told |= {"DRAIN_SECONDS": str(drain_seconds), "SEND_PACE": "none"}
        clock, lives = Clock(rate=rate), []
        for n, port in enumerate(ports):
            life = Lives(told, port, state / f"bot{n}.log", clock)
            await life.open()
            stack.push_async_callback(life.close)
            lives.append(life)
        books = Books(database_url)
        stack.callback(books.close)
        made = Fleet(sandbox, world, http, books, clock, told, lives, address)
        for n in range(lanes):
            await made.control("PUT", f"groups/operator/members/op{n}")
        bot_url = f"http://127.0.0.1:{address.port}/api/messages"
        await made.control("PATCH", "", {"bot_url": bot_url})
        yield made


def patience(seconds: float) -> float:
    """Longer where a test run says that the machine is shared or small."""
    return seconds * float(os.environ.get("PATIENCE", "1"))
