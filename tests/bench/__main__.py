"""Runs the bench and prints one line for each budget. Exit code 1 when one is exceeded.

python -m tests.bench            about a minute; run it alone on the machine
python -m tests.bench --stock    also the SDK's own adapter, for comparison
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from statistics import median

import aiohttp

from .budgets import Figure, figure
from .changes import BLOCKS, SIZE, WARM_UP, Desk
from .machine import cores
from .scene import company
from .starts import serving, starts
from .turns import ECHO, FLOOR_TURNS, Contestant, Range, floor, help_card, shooting_range, stock

_STOCK_ROUNDS = 3


def say(text: str) -> None:
    """One line to whoever runs the bench."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def bench(with_stock: bool) -> list[Figure]:
    """Everything, in the order of the table."""
    core, others = cores()
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        async with company(Path(folder)) as scene:
            cpu, memory = await starts(scene, core)
            figures = [figure("start", cpu), figure("memory", memory)]
            async with (
                serving(scene, core) as bot,
                aiohttp.ClientSession() as session,
                shooting_range(scene, others) as place,
            ):
                card = await help_card(scene, session)
                async with floor(scene, core, card) as bare:
                    ours = Contestant("ours", bot, scene.port)
                    async with floor(scene, core, ECHO) as echo:
                        figures.append(await help_turns(place, bare, ours, echo))
                    if with_stock:
                        async with stock(scene, core, card) as theirs:
                            figures.append(await against_stock(place, theirs, ours))
                    figures += await changes(Desk(scene, bot.pid, session), place, bare)
    return figures


async def help_turns(place: Range, bare: Contestant, ours: Contestant, echo: Contestant) -> Figure:
    """The help turn against the floors, pair by pair."""
    rounds = await place.rounds([bare, ours, echo])
    for name, column in zip(("floor", "ours", "floor, one word"), zip(*rounds, strict=True), strict=True):
        say(f"help turn, {name}: {median(column):.2f} ms CPU, median of {len(column)}")
    against = median(mine / word for _, mine, word in rounds)
    say(f"help turn against a floor that answers one word instead of the card: {against:.2f} x")
    return figure("help", [mine / same for same, mine, _ in rounds])


async def against_stock(place: Range, theirs: Contestant, ours: Contestant) -> Figure:
    """The SDK's own adapter against ours, pair by pair."""
    pairs = await place.rounds([theirs, ours], _STOCK_ROUNDS)
    say(f"stock adapter, the same card: {median(slow for slow, _ in pairs):.0f} ms CPU a turn")
    return figure("stock", [slow / mine for slow, mine in pairs])


async def changes(desk: Desk, place: Range, bare: Contestant) -> list[Figure]:
    """Previews and approvals in turns of the floor, as it is right before and right after each of them.

    One machine runs at different speeds within a minute: a floor of another moment would measure that.
    """

    async def in_floor_turns(work: Awaitable[float]) -> tuple[float, float]:
        before = await place.round(bare, FLOOR_TURNS)
        ms = await work
        return ms, ms / ((before + await place.round(bare, FLOOR_TURNS)) / 2)

    await desk.previews(WARM_UP)
    await desk.submitted()
    await desk.approvals()
    measured: dict[str, list[tuple[float, float]]] = {"preview": [], "approve": []}
    for _ in range(BLOCKS):
        measured["preview"].append(await in_floor_turns(desk.previews(SIZE)))
        await desk.submitted()
        measured["approve"].append(await in_floor_turns(desk.approvals()))
    for name, blocks in measured.items():
        say(f"{name}: {median(ms for ms, _ in blocks):.0f} ms CPU, median of {len(blocks)}")
    return [figure(name, [turns for _, turns in blocks]) for name, blocks in measured.items()]


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
