"""kill -9 of the real bot, over and over, while people work: nothing lost, nothing doubled.

KILLS, LANES, SEED, KILLS_SECONDS (how long it may kill) and STRETCH (how much longer lives are on PostgreSQL)
in the environment make a bigger run by hand, and SEED repeats the same choices.
KILLS_ALONE=1 says that nothing else runs on the machine: then there is a time for it. Without that lives are
as long as the machine is slow, and what does not fit into some minutes is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from kill_drive import FINAL, RATE, Asked, Books, Clock, Lives, People, as_text, killed_so_often
from stage import DATA_KEY, Sandbox, _WorldSeen, a_world

from bot.questions import verify_audit
from bot.sandbox.child import free_port
from bot.sandbox.demo import policy_of, settings_of
from bot.settings.environment import load_settings
from tests.doubles.limits import without_limits

KILLS_BY_DEFAULT = {"sqlite": "200", "postgresql": "100"}
KILLS = {name: int(os.environ.get("KILLS", default)) for name, default in KILLS_BY_DEFAULT.items()}
ALONE = os.environ.get("KILLS_ALONE") == "1"
MOST_SECONDS, KILLS_AT_LEAST = float(os.environ.get("KILLS_SECONDS", "150")), 40
# On PostgreSQL the work of the dead waits for the end of their leases, so that short lives prove less.
STRETCH = float(os.environ.get("STRETCH", "2"))
LANES = int(os.environ.get("LANES", "6"))
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
OPEN = ("approved", "applying", "unconfirmed")
Json = dict[str, Any]


class Scene:
    """One world with a lane of people each, and the database that all lives of the bot share."""

    def __init__(
        self, http: aiohttp.ClientSession, sandbox: Sandbox, world: Json, state: Path, database_url: str
    ) -> None:
        self.http, self.sandbox, self.world = http, sandbox, world
        self.books = Books(database_url)
        self.log = state / "bot.log"
        port = free_port()
        # Work of the dead waits for the end of their leases there: it must not outlast the lives.
        self.clock = Clock() if database_url.startswith("sqlite") else Clock(rate=2.5 * RATE)
        seen: Any = _WorldSeen(world)
        # Lives are short and the clock is quick: what was approved shall be carried out, not run out of time.
        patient = policy_of(seen).replace("execute_minutes = 240", "execute_minutes = 10080")
        assert "10080" in patient
        (state / "policy.toml").write_text(without_limits(patient), encoding="utf-8")
        where: Any = sandbox
        who: Any = SimpleNamespace(**world)
        told = {"DATA_KEYS": f"k1:{DATA_KEY}", "DATABASE_URL": database_url, "SEND_PACE": "none"}
        self.settings = settings_of(where, who, state, port) | told
        self.lives = Lives(self.settings, port, self.log, self.clock)
        bot_url = f"http://127.0.0.1:{port}/api/messages"
        root = self._root(sandbox.teams)
        self.people = People(http, root, bot_url, self.clock, self.books, lambda: self.lives.pace)

    def _root(self, server: str) -> str:
        return f"{server}/_sandbox/worlds/{self.world['tenant_id']}"

    async def control(self, verb: str, path: str, body: Json | None = None) -> Any:
        async with self.http.request(verb, f"{self._root(self.sandbox.graph)}/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def prepare(self) -> None:
        """Operators get their role; every write takes 20 to 50 ms on its way, so that kills meet it there."""
        for lane in range(LANES):
            await self.control("PUT", f"groups/operator/members/op{lane}")
        for verb, ms in (("POST", 20), ("PATCH", 40), ("DELETE", 50)):
            slow = {"kind": "latency", "verb": verb, "path": "phoneMethods", "ms": ms, "times": None}
            await self.control("POST", "faults", slow)

    async def measure(self) -> None:
        """Three starts that nobody disturbs: how fast is this machine?"""
        for _ in range(3):
            await self.lives.begin()
            assert await self.lives.ready()
            await self.lives.kill()

    async def settle(self) -> None:
        """A life without end until nothing is under way, then hours in which every deadline passes."""
        for jump in ({}, {"minutes": 6}, {"minutes": 70}, {"hours": 25}):
            self.clock.jump(**jump)
            await self.lives.begin()
            assert await self.lives.ready()
            await self._quiet()
            await self.lives.kill()

    async def _quiet(self) -> None:
        began = time.monotonic()
        while self.unfinished() and time.monotonic() < began + 15 * self.lives.pace:  # noqa: ASYNC110 - another process ends it
            await asyncio.sleep(0.05)

    def unfinished(self) -> list[Json]:
        """What the worker still has to do now: changes beyond the vote, deadlines passed, messages."""
        now = as_text(self.clock.now())
        marks = ", ".join(f"'{state}'" for state in OPEN)
        soon = f"SELECT id, state, due_at FROM changes WHERE state IN ({marks}) OR due_at <= :now"  # noqa: S608 - constants
        waiting = "SELECT key, state FROM outbox WHERE state = 'waiting'"
        return [row for row in self.books.rows(soon, now=now) if not self._far(row)] + self.books.rows(
            waiting
        )

    def _far(self, row: Json) -> bool:
        """An unconfirmed change that has been read often enough waits for minutes: the next jump."""
        if row.get("state") != "unconfirmed":
            return False
        return (datetime.fromisoformat(row["due_at"]) - self.clock.now()).total_seconds() > 70


@contextlib.asynccontextmanager
async def scene(sandbox: Sandbox, database_url: str, state: Path) -> Any:
    people = [{"alias": f"mg{n}"} for n in range(LANES)] + [{"alias": f"op{n}"} for n in range(LANES)]
    held = {"phones": {"mobile": "+1 2065550110"}}
    people += [{"alias": f"t{n}", "manager": f"mg{n}", **held} for n in range(LANES)]
    spec = {"people": people, "rules": {"group_page_size": 100}}
    async with aiohttp.ClientSession(trust_env=False) as http, a_world(http, sandbox, spec) as world:
        made = Scene(http, sandbox, world, state, database_url)
        await made.prepare()
        await made.lives.open()
        try:
            yield made
        finally:
            await made.lives.close()
            made.books.close()


class Evidence:
    """The journal of the directory, the database and what people were told, side by side."""

    def __init__(self, made: Scene, effects: list[Json]) -> None:
        self.made = made
        rows = made.books.rows
        self.changes = {row["id"]: row for row in rows("SELECT * FROM changes")}
        self.effects: dict[str, list[Json]] = {}
        numbers = {one.number: one for one in made.people.asked}
        self.by_id: dict[str, Asked] = {one.id: one for one in made.people.asked if one.id}
        for effect in effects:
            one = numbers[effect["after"].removeprefix("+1 ")]
            self.effects.setdefault(one.id, []).append(effect)
        self.audit: dict[str, list[Json]] = {}
        for row in rows("SELECT seq, at, name, change_id, facts FROM audit ORDER BY seq"):
            self.audit.setdefault(row["change_id"], []).append(row)
        self.resent = sum(
            1
            for events in self.audit.values()
            for event in events
            if event["name"].endswith(":attempted") and json.loads(event["facts"])["d"]["attempt"] == "2"
        )

    def judge(self) -> None:
        """Everything that must hold of every single request."""
        for one in self.made.people.asked:
            assert one.told in ("asked", "previewed") or one.id in self.changes, f"lost: {one}"
        for change_id, row in self.changes.items():
            one = self.by_id.get(change_id, Asked("", ""))
            told = one.told
            assert row["state"] in FINAL, f"not settled: {change_id} {row['state']}, told {told}"
            self._judge_effects(change_id, row["state"], one)
        self._judge_left_over()

    def _judge_effects(self, change_id: str, state: str, one: Asked) -> None:
        effects = self.effects.get(change_id, [])
        assert len(effects) <= 1, f"doubled: {change_id} was written {len(effects)} times"
        assert (state == "applied") == bool(effects), f"{change_id} says {state}, effects: {len(effects)}"
        if one.told in ("approved", "final"):
            trail = [event["name"] for event in self.audit.get(change_id, [])]
            assert state in ("applied", "failed"), f"{one} was told approved and ended as {state}: {trail}"
        if effects:
            self._judge_trail(change_id, effects[0])

    def _judge_trail(self, change_id: str, effect: Json) -> None:
        """An intent on disk before the write reached the directory, and a result behind it."""
        names = [(e["name"].rsplit(":", 1)[-1], e) for e in self.audit[change_id]]
        attempts = [e for name, e in names if name == "attempted"]
        attempt = effect["client_request_id"].rsplit("-", 1)[-1]
        intent = next(e for e in attempts if json.loads(e["facts"])["d"]["attempt"] == attempt)
        began = datetime.fromisoformat(intent["at"])
        wrote = self.made.clock.shown_at(datetime.fromisoformat(effect["at"]))
        assert began <= wrote, f"{change_id}: written before the intent was on disk"
        assert any(name in FINAL and e["seq"] > intent["seq"] for name, e in names)

    def _judge_left_over(self) -> None:
        rows = self.made.books.rows
        assert rows("SELECT * FROM sealed_numbers") == []
        assert rows("SELECT * FROM slot_locks") == []
        assert rows("SELECT key, state FROM outbox WHERE state <> 'done'") == []
        stale = rows(
            "SELECT p.change_id, p.reader_oid, p.drawn_version, c.row_version, c.state FROM posted_cards p "
            "JOIN changes c ON c.id = p.change_id WHERE p.drawn_version < c.row_version"
        )
        assert stale == [], f"{len(stale)} cards show an old state"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, migrated_file: Path, tmp_path: Path) -> str:
    """A migrated database without rows."""
    (tmp_path / "state").mkdir()
    if request.param == "sqlite":
        file = tmp_path / "state" / "ringfence.db"
        shutil.copy(migrated_file, file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("migrated_schema")
    return url


async def test_kill_nine_loses_nothing_and_doubles_nothing(
    sandbox: Sandbox, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After all kills each request is final, agrees with the directory and was written at most once."""
    name = "sqlite" if database_url.startswith("sqlite") else "postgresql"
    began = time.monotonic()
    async with scene(sandbox, database_url, tmp_path / "state") as made:
        await made.measure()
        working = [asyncio.create_task(made.people.work(lane)) for lane in range(LANES)]
        chance, most = random.Random(SEED), MOST_SECONDS
        alone = ALONE and name == "sqlite"
        stretch = 1.0 if name == "sqlite" else STRETCH
        ends = await killed_so_often(
            made.lives, KILLS[name], chance, alone=alone, most_seconds=most, stretch=stretch
        )
        killing = time.monotonic() - began
        made.people.over.set()
        await made.lives.begin()
        assert await made.lives.ready()
        await asyncio.gather(*working)
        await made.lives.kill()
        await made.settle()
        effects = (await made.control("GET", "journal"))["effects"]
        evidence = Evidence(made, effects)
        report = await verify_audit(load_settings(made.settings))
        with capsys.disabled():
            tell(made, evidence, name, ends, killing, time.monotonic() - began)
        assert report.bad == ()
        evidence.judge()
        for lane in range(LANES):
            person = await made.control("GET", f"people/t{lane}")
            mine = [e for e in effects if e["oid"] == person["oid"]]
            assert person["phones"]["mobile"] == (mine[-1]["after"] if mine else "+1 2065550110")
        kills = sum(ends.values())
        assert kills >= min(KILLS[name], KILLS_AT_LEAST)
        assert not (alone and kills == 200) or killing < 90
        assert kills < KILLS_AT_LEAST or len(effects) >= kills / 8, "too little happened to prove anything"


def tell(
    made: Scene, evidence: Evidence, name: str, ends: dict[str, int], killing: float, whole: float
) -> None:
    """The figures of the run, for `pytest -s` and for docs/measurements.md."""
    states = Counter(row["state"] for row in evidence.changes.values())
    effects = sum(map(len, evidence.effects.values()))
    ready, kills = sorted(made.lives.ready_seconds), sum(ends.values())
    sys.stderr.write(
        f"\n{name} kills={kills} seed={SEED} lanes={LANES}: {killing:.1f} s killing "
        f"({kills / killing:.1f}/s), {whole:.1f} s in all, start {ready[len(ready) // 2]:.3f} s median, "
        f"effects={effects}, re-sends={evidence.resent}, redelivered={made.people.redelivered}, "
        f"answers={made.people.statuses}, ends of changes={dict(states)}\n"
        f"  killed at: {dict(sorted(ends.items(), key=lambda item: -item[1]))}\n"
    )
