"""Starts of the real bot under measurement: processor time until it is ready, and memory then."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from .machine import Program, cpu_seconds, ready, resident_mb, running
from .scene import Scene

STARTS = 5
_SETTLED_SECONDS = 0.3


@contextlib.asynccontextmanager
async def serving(scene: Scene, core: set[int]) -> AsyncIterator[Program]:
    """The bot as anybody would start it, ready. Shows the end of its log when it does not get there."""
    log = scene.state / "bot.log"
    async with running("app.py", "serve", on=core, settings=scene.settings, log=log) as bot:
        try:
            await ready(bot, scene.ready_url)
        except (RuntimeError, TimeoutError):
            sys.stderr.write(log.read_text("utf-8", "replace")[-3000:])
            raise
        yield bot


async def starts(scene: Scene, core: set[int]) -> tuple[list[float], list[float]]:
    """CPU seconds until the first 200 of /readyz, and memory in MB of the idle bot, of each start.

    One more start comes first and does not count: it makes the database.
    """
    cpu: list[float] = []
    memory: list[float] = []
    for number in range(STARTS + 1):
        async with serving(scene, core) as bot:
            used = cpu_seconds(bot.pid)
            await asyncio.sleep(_SETTLED_SECONDS)
            if number:
                cpu.append(used)
                memory.append(resident_mb(bot.pid))
    return cpu, memory
