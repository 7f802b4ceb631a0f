"""Runs the bench and prints one line for each budget. Exit code 1 when one is exceeded.

python -m tests.bench            about a minute; run it alone on the machine
python -m tests.bench --stock    also the SDK's own adapter, for comparison
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from .budgets import Figure, figure
from .changes import Desk
from .machine import Program, cores, cpu_seconds, ready, resident_mb, running
from .scene import Scene, company

_TOGETHER = 16
_TURNS, _WARM_UP, _ROUNDS = 1500, 500, 5
_STOCK_TURNS, _STOCK_WARM_UP, _STOCK_ROUNDS = 60, 20, 3
_STARTS = 5
_CHANGES, _CHANGE_WARM_UP, _CHANGE_BLOCKS = 20, 10, 3


@dataclass(slots=True)
class Contestant:
    """A running bot: its process, its port, and the message it is sent."""

    name: str
    program: Program
    port: int
    turns: int = _TURNS


@dataclass(slots=True)
class Range:
    """The shooting range: load generator, stand-in channel, and what to send."""

    load: Program
    channel: Program
    service_url: str
    token: str
    message: dict[str, Any]
    sent: int = 0

    async def round(self, bot: Contestant, turns: int) -> float:
        """CPU milliseconds for each turn. Raises RuntimeError when a turn was not answered properly."""
        before_messages = (await self.channel.ask({}))["messages"]
        before = cpu_seconds(bot.program.pid)
        order = {
            "port": bot.port,
            "token": self.token,
            "activity": self.message,
            "turns": turns,
            "together": _TOGETHER,
            "first": 1_732_366_800_000 + self.sent,
        }
        done = await self.load.ask(order)
        used = cpu_seconds(bot.program.pid) - before
        self.sent += turns
        replies = (await self.channel.ask({}))["messages"] - before_messages
        if done["statuses"] != {"201": turns} or replies != turns:
            raise RuntimeError(f"{bot.name}: {done['statuses']} and {replies} replies to {turns} messages")
        return used / turns * 1000


def say(text: str) -> None:
    """One line to whoever runs the bench."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextlib.asynccontextmanager
async def shooting_range(scene: Scene, others: set[int]) -> AsyncIterator[Range]:
    """Load generator and channel, ready."""
    async with (
        running("-m", "tests.bench.channel", on=others) as channel,
        running("-m", "tests.bench.load", on=others) as load,
    ):
        url = f"http://127.0.0.1:{(await channel.told())['port']}/teams/"
        yield Range(load, channel, url, scene.token(url), scene.message("help", url))


async def starts(scene: Scene, core: set[int]) -> tuple[list[float], list[float]]:
    """CPU seconds and memory of several starts; the first one migrates and is not counted."""
    cpu, memory = [], []
    for number in range(_STARTS + 1):
        async with serving(scene, core) as bot:
            used = cpu_seconds(bot.pid)
            if number:
                cpu.append(used)
                await asyncio.sleep(0.2)
                memory.append(resident_mb(bot.pid))
    return cpu, memory


@contextlib.asynccontextmanager
async def serving(scene: Scene, core: set[int]) -> AsyncIterator[Program]:
    """The real bot as a process, ready."""
    log = scene.state / "bot.log"
    async with running("app.py", "serve", on=core, settings=scene.settings, log=log) as bot:
        try:
            await ready(bot, scene.ready_url)
        except (RuntimeError, TimeoutError):
            say(log.read_text("utf-8", "replace")[-3000:])
            raise
        yield bot


async def turns(place: Range, ours: Contestant, floor: Contestant) -> list[float]:
    """The ratio ours/floor of each pair of rounds."""
    for bot in (floor, ours):
        await place.round(bot, _WARM_UP)
    pairs = [(await place.round(floor, _TURNS), await place.round(ours, _TURNS)) for _ in range(_ROUNDS)]
    say(
        f"help turn, CPU: floor {median(p[0] for p in pairs):.2f} ms, ours {median(p[1] for p in pairs):.2f} ms"
    )
    return [mine / bare for bare, mine in pairs]


async def bench(with_stock: bool) -> list[Figure]:
    """Everything, in the order of the table."""
    core, others = cores()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        async with company(Path(folder)) as scene:
            cpu, memory = await starts(scene, core)
            figures += [figure("start", cpu), figure("memory", memory)]
            async with (
                shooting_range(scene, others) as place,
                serving(scene, core) as bot,
                running("-m", "tests.bench.floor", on=core) as bare,
                aiohttp.ClientSession() as session,
            ):
                ours = Contestant("ours", bot, scene.port)
                told = await bare.ask(scene.floor_order({"type": "message", "text": "help"}))
                floor = Contestant("floor", bare, told["port"])
                figures.append(figure("help", await turns(place, ours, floor)))
                desk = Desk(scene, bot.pid, session)
                await desk.block(_CHANGE_WARM_UP)
                blocks = [await desk.block(_CHANGES) for _ in range(_CHANGE_BLOCKS)]
                figures.append(figure("preview", [preview for preview, _ in blocks]))
                figures.append(figure("approve", [approve for _, approve in blocks]))
    return figures


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--stock", action="store_true", help="also measure the SDK's own adapter")
    arguments = parser.parse_args()
    figures = asyncio.run(bench(arguments.stock))
    for each in figures:
        say(each.line())
    return 0 if all(each.holds for each in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
