"""Help turns under measurement: rounds of the same messages to the bot and to the floors, by turns.

Knows contestants and rounds. Must not know budgets.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from .machine import Program, cpu_seconds, running
from .scene import Scene

TOGETHER = 16
TURNS, WARM_UP, ROUNDS = 1500, 500, 5
#: A round of the floor beside something else.
FLOOR_TURNS = 1000
STOCK_TURNS, STOCK_WARM_UP = 64, 16
ECHO = {"type": "message", "text": "help"}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running bot, and how many messages make a round and a warm-up for it."""

    name: str
    program: Program
    port: int
    turns: int = TURNS
    warm_up: int = WARM_UP


@dataclass(slots=True)
class Range:
    """Load generator and stand-in channel, and what is sent."""

    load: Program
    channel: Program
    token: str
    message: dict[str, Any]
    sent: int = 0

    async def round(self, bot: Contestant, turns: int) -> float:
        """CPU milliseconds for each turn. Raises RuntimeError when a turn was not answered properly."""
        replies = (await self.channel.ask({}))["messages"]
        before = cpu_seconds(bot.program.pid)
        order = {
            "port": bot.port,
            "token": self.token,
            "activity": self.message,
            "turns": turns,
            "together": TOGETHER,
            "first": 1_732_366_800_000 + self.sent,
        }
        done = await self.load.ask(order)
        used = cpu_seconds(bot.program.pid) - before
        self.sent += turns
        replies = (await self.channel.ask({}))["messages"] - replies
        if done["statuses"] != {"201": turns} or replies != turns:
            raise RuntimeError(f"{bot.name}: {done['statuses']} and {replies} replies to {turns} messages")
        return float(used / turns * 1000)

    async def rounds(self, bots: Sequence[Contestant], count: int = ROUNDS) -> list[tuple[float, ...]]:
        """`count` times one round of each, after a warm-up: CPU milliseconds for each turn."""
        for bot in bots:
            await self.round(bot, bot.warm_up)
        return [tuple([await self.round(bot, bot.turns) for bot in bots]) for _ in range(count)]


@contextlib.asynccontextmanager
async def shooting_range(scene: Scene, others: set[int]) -> AsyncIterator[Range]:
    """Everything around the contestants, ready."""
    async with (
        running("-m", "tests.bench.channel", on=others) as channel,
        running("-m", "tests.bench.load", on=others) as load,
    ):
        url = f"http://127.0.0.1:{(await channel.told())['port']}/teams/"
        yield Range(load, channel, scene.token(url), scene.message("help", url))


@contextlib.asynccontextmanager
async def floor(scene: Scene, core: set[int], reply: dict[str, Any]) -> AsyncIterator[Contestant]:
    """The hand-written floor, which answers everything with this reply."""
    async with running("-m", "tests.bench.floor", on=core) as program:
        told = await program.ask(scene.floor_order(reply))
        yield Contestant("floor", program, told["port"])


@contextlib.asynccontextmanager
async def stock(scene: Scene, core: set[int], reply: dict[str, Any]) -> AsyncIterator[Contestant]:
    """The SDK's own adapter, which answers everything with this reply."""
    async with running("-m", "tests.bench.stock", on=core, settings=scene.trust) as program:
        told = await program.ask(scene.stock_order(reply))
        yield Contestant("stock", program, told["port"], STOCK_TURNS, STOCK_WARM_UP)


async def help_card(scene: Scene, session: aiohttp.ClientSession) -> dict[str, Any]:
    """What the bot really posts in answer to `help`, caught in the pretend Teams."""
    async with session.post(scene.act("say"), json={"as": "olivia", "text": "help"}) as answer:
        await answer.read()
    async with session.get(scene.act("outbound")) as answer:
        sent = (await answer.json())["sent"]
    card: dict[str, Any] = [each["body"] for each in sent if each["verb"] == "POST"][-1]
    return card
