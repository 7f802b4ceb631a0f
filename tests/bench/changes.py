"""The main job under measurement: previews, then approvals with everything they set off.

Knows what people say and click in Teams. The bot's processor time is read around each block; what the
pretend directory and Teams need is theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp

from .machine import cpu_seconds
from .scene import BOSSES, Scene

SIZE, WARM_UP, BLOCKS = 20, 10, 3
_TOGETHER = 4
_LOOK_SECONDS = 0.3
_QUIET = 0.01
_PATIENCE_SECONDS = 30
# What is filled in before a click; a button sends only the fields it asks for.
_FIELDS = {"how": "in-person"}


class Desk:
    """Olivia asks and the managers decide, each request for another person."""

    def __init__(self, scene: Scene, pid: int, session: aiohttp.ClientSession) -> None:
        self._scene, self._pid, self._session = scene, pid, session
        self._places = asyncio.Semaphore(_TOGETHER)
        self._asked = 0

    async def block(self, size: int) -> tuple[float, float]:
        """CPU milliseconds of one preview and of one approval. Raises RuntimeError when one does not work.

        An approval is counted from the click until the bot is quiet again: vote, checks, the write, the
        read-back, audit, and every card redrawn.
        """
        people = range(self._asked, self._asked + size)
        self._asked += size
        before = cpu_seconds(self._pid)
        said = await self._each([self._ask(number) for number in people])
        await self._quiet()
        preview = cpu_seconds(self._pid) - before
        previews = [
            card for card in await self._cards("olivia", "Submit for approval") if card[0] in set(said)
        ]
        await self._each([self._click("olivia", "Submit for approval", card) for _, card in previews])
        await self._quiet()
        asked = [(boss, card) for boss in BOSSES for _, card in await self._cards(boss, "Approve")]
        effects = self._scene.world.journal.effects
        written = len(effects)
        before = cpu_seconds(self._pid)
        await self._each([self._click(boss, "Approve", card) for boss, card in asked])
        await self._quiet(lambda: len(effects) - written >= size)
        approval = cpu_seconds(self._pid) - before
        if len(asked) != size or len(effects) - written != size:
            raise RuntimeError(f"{size} requests: {len(asked)} to decide, {len(effects) - written} writes")
        return preview / size * 1000, approval / size * 1000

    async def _ask(self, number: int) -> str:
        phone = f"+1 206 555 01{number % 100:02}"
        text = f"set mobile for r{number:02}@contoso.example to {phone} because lost phone INC1234"
        said = await self._act("say", {"as": "olivia", "text": text})
        return str(said["activity_id"])

    async def _click(self, who: str, button: str, card: str) -> str:
        done = await self._act("click", {"as": who, "activity_id": card, "action": button, "inputs": _FIELDS})
        return str(done["activity_id"])

    async def _act(self, what: str, wish: dict[str, Any]) -> dict[str, Any]:
        async with self._places, self._session.post(self._scene.act(what), json=wish) as answer:
            done: dict[str, Any] = await answer.json()
        if done.get("status") not in (200, 201):
            raise RuntimeError(f"{what}: {done}")
        return done

    async def _cards(self, who: str, button: str) -> list[tuple[str, str]]:
        """The cards in somebody's chat that have this button: (what it answers, its id)."""
        async with self._session.get(self._scene.act("view"), params={"as": who}) as answer:
            entries = await answer.json()
        return [
            (entry["reply_to"], entry["activity_id"])
            for entry in entries
            if any(action["title"] == button for action in entry["actions"])
        ]

    async def _each(self, acts: Sequence[Awaitable[str]]) -> list[str]:
        return list(await asyncio.gather(*acts))

    async def _quiet(self, done: Callable[[], bool] = lambda: True) -> None:
        """Wait until it is done and the bot has nothing more to do. Raises TimeoutError."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            last, now = 0.0, cpu_seconds(self._pid)
            while now - last > _QUIET or not done():
                await asyncio.sleep(_LOOK_SECONDS)
                last, now = now, cpu_seconds(self._pid)
