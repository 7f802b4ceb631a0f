"""Runs the bench and prints one line for each budget. Exit code 1 when one is exceeded.

python -m tests.bench            under a minute; run it alone on the machine
python -m tests.bench --stock    also the SDK's own adapter, for comparison
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median

import aiohttp

from .budgets import Figure, figure
from .changes import BLOCKS, SIZE, WARM_UP, Desk
from .machine import cores
from .scene import Scene, company
from .starts import serving, starts
from .turns import ECHO, Contestant, floor, help_card, shooting_range, stock

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
            async with serving(scene, core) as bot, aiohttp.ClientSession() as session:
                ours = Contestant("ours", bot, scene.port)
                turns, floor_ms = await help_turns(scene, ours, session, core, others, with_stock)
                figures += turns
                desk = Desk(scene, bot.pid, session)
                await desk.block(WARM_UP)
                blocks = [await desk.block(SIZE) for _ in range(BLOCKS)]
                for name, column in zip(("preview", "approve"), zip(*blocks, strict=True), strict=True):
                    say(f"{name}: {median(column):.0f} ms CPU, median of {len(column)}")
                    figures.append(figure(name, [ms / floor_ms for ms in column]))
    return figures


async def help_turns(
    scene: Scene,
    ours: Contestant,
    session: aiohttp.ClientSession,
    core: set[int],
    others: set[int],
    with_stock: bool,
) -> tuple[list[Figure], float]:
    """The help turn against the floors, pair by pair; on request against the stock adapter as well.

    Also the processor milliseconds of one turn of the floor.
    """
    card = await help_card(scene, session)
    async with (
        shooting_range(scene, others) as place,
        floor(scene, core, card) as bare,
        floor(scene, core, ECHO) as echo,
    ):
        rounds = await place.rounds([bare, ours, echo])
        figures = [figure("help", [mine / same for same, mine, _ in rounds])]
        for name, column in zip(("floor", "ours", "floor, one word"), zip(*rounds, strict=True), strict=True):
            say(f"help turn, {name}: {median(column):.2f} ms CPU, median of {len(column)}")
        against = median(mine / word for _, mine, word in rounds)
        say(f"help turn against a floor that answers one word instead of the card: {against:.2f} x")
        if with_stock:
            async with stock(scene, core, card) as theirs:
                pairs = await place.rounds([theirs, ours], _STOCK_ROUNDS)
            say(f"stock adapter, the same card: {median(slow for slow, _ in pairs):.0f} ms CPU a turn")
            figures.append(figure("stock", [slow / mine for slow, mine in pairs]))
    return figures, median(bare_ms for bare_ms, _, _ in rounds)


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
