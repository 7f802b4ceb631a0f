"""Refusals in the audit: once a minute for each person and code, and not less often because somebody else
recorded one.
"""

from __future__ import annotations

from pathlib import Path

from bot.domain import command as c
from bot.workflow.desk import Desk
from tests.doubles.house import ALICE, House, house

NOT_ALLOWED = c.OpenRequests()


async def recorded(h: House) -> int:
    """How many refusals of Alice stand in the audit."""
    records, _ = await h.store.history("", 100)
    return sum(r.event.actor == ALICE and r.event.name.endswith(":refused") for r in records)


async def test_another_process_recorded_it(tmp_path: Path) -> None:
    """What another process recorded counts for its minute, not for a minute from our own asking."""
    async with house(tmp_path) as h:
        other = Desk(h.parts)
        await h.desk.handle(NOT_ALLOWED, h.envelope(ALICE))
        assert await recorded(h) == 1
        h.clock.pass_by(seconds=50)
        await other.handle(NOT_ALLOWED, h.envelope(ALICE))
        assert await recorded(h) == 1
        h.clock.pass_by(seconds=20)
        await other.handle(NOT_ALLOWED, h.envelope(ALICE))
        assert await recorded(h) == 2
