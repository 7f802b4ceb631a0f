"""The bot is killed with SIGKILL again and again while it invites a cohort and while it writes their numbers:
nobody is lost, nobody is written twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from onboarding_drive import SEND

from bot.sandbox.demo import Stage, stage

Json = dict[str, Any]
PEOPLE, KILLS = 10, 6
SEED = 20261126


class Drive:
    """People of one running demo."""

    def __init__(self, there: Stage, http: aiohttp.ClientSession) -> None:
        self.there, self.http = there, http

    async def control(self, verb: str, what: str, body: Any = None) -> Any:
        async with self.http.request(verb, self.there.addresses.directory(what), json=body) as answer:
            return await answer.json() if answer.status != 204 else None

    async def act(self, what: str, **wish: Any) -> Json:
        """Said again until the bot lives and answers: people do that, too."""
        for _ in range(100):
            async with self.http.post(self.there.addresses.acts(what), json=wish) as answer:
                found: Json = await answer.json()
            if answer.status == 200 and found.get("status") in (200, 201):
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(found)

    async def cards(self, who: str) -> list[Json]:
        async with self.http.get(self.there.addresses.acts(f"view?as={who}")) as answer:
            return [e for e in await answer.json() if SEND in str(e.get("actions"))]

    def count(self, what: str) -> int:
        """Rows of the bot's database."""
        with contextlib.closing(sqlite3.connect(self.there.state / "ringfence.db")) as database:
            return int(database.execute(f"select count(*) from {what}").fetchone()[0])  # noqa: S608


async def _killing(there: Stage, times: int, rng: random.Random) -> None:
    for _ in range(times):
        await asyncio.sleep(rng.uniform(0.3, 1.5))
        await there.bot.restart()


async def _until(done: Any, seconds: float) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not done():
        assert asyncio.get_running_loop().time() < deadline, "it does not come to its end"
        await asyncio.sleep(0.1)


async def test_a_cohort_survives_kills(tmp_path: Path) -> None:
    """Begun once; after the kills each has one onboarding, a card, and in the end exactly one write."""
    rng = random.Random(SEED)
    names = [f"new{n:02d}" for n in range(PEOPLE)]
    async with stage(tmp_path) as there, aiohttp.ClientSession(trust_env=False) as http:
        drive = Drive(there, http)
        for n, alias in enumerate(names):
            about = {"alias": alias, "display_name": f"New {alias}", "manager": "marta"}
            await drive.control("POST", "people", {**about, "employee_id": f"N{n}"})
        await drive.act("say", **{"as": "cora", "text": "onboard everybody created in the last 1 days"})
        await _killing(there, KILLS // 2, rng)
        await _until(lambda: drive.count("onboardings where stage = 'waiting'") == 0, 60)
        cards = "outbox where kind = 'onboarding' and state = 'waiting'"
        await _until(lambda: drive.count(cards) == 0, 30)
        for alias in names:
            # At least one; a second one where the process died between sending and remembering.
            assert 1 <= len(await drive.cards(alias)) <= 2, alias
        for n, alias in enumerate(names):
            fields = {"number": f"(425) 555-{1200 + n}", "region": "US"}
            await drive.act("click", **{"as": alias, "action": SEND, "inputs": fields})
        killing = asyncio.create_task(_killing(there, KILLS // 2, rng))
        pressed = {"action": "Approve all but those chosen", "inputs": {"how": "in-person"}}
        # As often as it takes: a press that meets a dying process decides nothing.
        deadline = asyncio.get_running_loop().time() + 120
        while asyncio.get_running_loop().time() < deadline:
            await drive.act("say", **{"as": "marta", "text": "new people"})
            async with http.post(there.addresses.acts("click"), json={"as": "marta", **pressed}) as answer:
                await answer.read()
            if killing.done() and drive.count("changes where state = 'pending'") == 0:
                break
        await killing
        # A write whose answer died with the process is read again for 65 seconds.
        await _until(lambda: drive.count("onboardings where stage = 'registered'") == PEOPLE, 180)
        effects = (await drive.control("GET", "journal"))["effects"]
        assert sorted(Counter(e["oid"] for e in effects).values()) == [1] * PEOPLE
        assert drive.count("onboardings") == drive.count("(select distinct person_oid from onboardings)")
