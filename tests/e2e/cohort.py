"""A cohort of new people over HTTP, some of whom cannot be onboarded, each in a way of their own.

Knows who is who. Must not judge: it acts as people do, and counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from onboarding_drive import SEND
from stage import Stage

from bot.sandbox.people import GLOBAL_ADMIN

Json = dict[str, Any]
#: One in thirty-three of each: what is wrong with somebody before the card, and what they do with it.
BEFORE: dict[str, Json] = {
    "has a phone": {"phones": {"mobile": ""}},
    "not installed": {"installed": False},
    "protected": {"directory_roles": [GLOBAL_ADMIN]},
    "left": {},
}
ANSWERS = ("no phone", "prefer not", "silent", "rejected", "slip")


class Cohort:
    """`size` people of Marta's: most are as they should be."""

    def __init__(self, size: int) -> None:
        self.kinds: dict[str, str] = {}
        share = max(round(size * 0.03), 1)
        odd = [kind for kind in (*BEFORE, *ANSWERS) for _ in range(share)]
        for n in range(size):
            self.kinds[f"new{n:04d}"] = odd[n] if n < len(odd) else "well"

    def of(self, *kinds: str) -> list[str]:
        return [alias for alias, kind in self.kinds.items() if kind in kinds]

    def spec(self) -> Json:
        """People whose accounts were made yesterday."""
        made = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        people = []
        for n, (alias, kind) in enumerate(self.kinds.items()):
            more = dict(BEFORE.get(kind, {}))
            if "phones" in more:
                more["phones"] = {"mobile": f"+1 206555{2000 + n:04d}"}
            about = {"alias": alias, "display_name": f"New Person{n:04d}", "manager": "marta"}
            people.append({**about, "created": made, "employee_id": f"N{n:04d}", **more})
        return {"people": people}

    def number(self, alias: str) -> str:
        """Each their own, of a block that is made up."""
        return f"(425) 555-{1000 + int(alias[3:]):04d}"

    # --- what people do -----------------------------------------------------------------------------------
    async def answer(self, stage: Stage, alias: str) -> None:
        """What this person does with the card."""
        kind = self.kinds[alias]
        if kind in ("no phone", "prefer not"):
            await stage.say(alias, kind)
        elif kind in ("well", "slip", "rejected"):
            if kind == "slip":
                await self._send(stage, alias, "12")
            await self._send(stage, alias, self.number(alias))

    async def _send(self, stage: Stage, alias: str, number: str) -> None:
        await stage.click(alias, SEND, inputs={"number": number, "region": "US"})


async def until(done: Callable[[], Awaitable[bool]], stage: Stage, seconds: float = 60.0) -> None:
    """Time passes by the clock, and really, because the pace is kept on a real one."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not await done():
        assert loop.time() < deadline, "the cohort does not come to its end"
        await stage.later(seconds=2)
        await asyncio.sleep(0.2)
