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

#: Requests in a block. All blocks together stay within the scene's people and within 100 numbers.
SIZE, WARM_UP, BLOCKS = 16, 10, 5
_TOGETHER = 4
_LOOK_SECONDS = 0.3
_QUIET = 0.01
_PATIENCE_SECONDS = 30
# What is filled in before a click; a button sends only the fields it asks for.
_FIELDS = {"how": "in-person"}


class Desk:
    """Olivia asks and the managers decide, each request for another person.

    One block is `previews`, `submitted`, `approvals`, in this order.
    """

    def __init__(self, scene: Scene, pid: int, session: aiohttp.ClientSession) -> None:
        self._scene, self._pid, self._session = scene, pid, session
        self._places = asyncio.Semaphore(_TOGETHER)
        self._asked = 0
        self._said: list[str] = []

    async def previews(self, size: int) -> float:
        """CPU milliseconds of one preview."""
        people = range(self._asked, self._asked + size)
        self._asked += size
        before = cpu_seconds(self._pid)
        self._said = await self._each([self._ask(number) for number in people])
        await self._quiet()
        return (cpu_seconds(self._pid) - before) / size * 1000

    async def submitted(self) -> None:
        """All previews of the block go to their approvers."""
        said = set(self._said)
        cards = [
            card for answers, card in await self._cards("olivia", "Submit for approval") if answers in said
        ]
        await self._each([self._click("olivia", "Submit for approval", card) for card in cards])
        await self._quiet()

    async def approvals(self) -> float:
        """CPU milliseconds of one approval. Raises RuntimeError when one does not work.

        Counted from the click until the bot is quiet again: vote, checks, the write, the read-back, audit,
        and every card redrawn.
        """
        size = len(self._said)
        asked = [(boss, card) for boss in BOSSES for _, card in await self._cards(boss, "Approve")]
        effects = self._scene.world.journal.effects
        written = len(effects)
        before = cpu_seconds(self._pid)
        await self._each([self._click(boss, "Approve", card) for boss, card in asked])
        await self._quiet(lambda: len(effects) - written >= size)
        used = cpu_seconds(self._pid) - before
        if len(asked) != size or len(effects) - written != size:
            raise RuntimeError(f"{size} requests: {len(asked)} to decide, {len(effects) - written} writes")
        return used / size * 1000

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
