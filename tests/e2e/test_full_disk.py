"""A database that grows until its disk is full: told, alarmed, nothing half-done, then on again."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from stage import Stage


def _engine(stage: Stage) -> sa.Engine:
    store: Any = stage.parts.store
    engine: sa.Engine = store._database.writing
    return engine


def _pragma(stage: Stage, text: str) -> int:
    raw = _engine(stage).raw_connection()
    found = raw.cursor().execute(f"PRAGMA {text}").fetchone()
    raw.close()
    return int(found[0])


async def test_a_full_disk_stops_everything_and_loses_nothing(stage: Stage) -> None:
    """Requests until one cannot be kept: refused in words, alarmed; with room again the next is applied."""
    await stage.pending()
    await stage.settle()
    most = _pragma(stage, "max_page_count")
    _pragma(stage, f"max_page_count={_pragma(stage, 'page_count')}")
    said = ""
    for n in range(60):
        said = await stage.ask("olivia", f"set office for vera to +1 206 555 01{n:02d} because it moved")
        if "Code internal.store-unavailable" in said:
            break
        await stage.say("olivia", f"cancel {stage.printed_id(await stage.newest('olivia'))}")
    assert "Code internal.store-unavailable" in said
    assert "What to do:" in said
    assert any(line.get("alarm") == "store" for line in stage.log_lines())
    assert 'ringfence_alarms_total{kind="store"}' in stage.parts.counters.render().decode()
    assert await stage.effects() == []
    _pragma(stage, f"max_page_count={most}")
    await stage.later(seconds=61)
    request = await stage.pending("tessa", "+1 206 555 0144")
    await stage.say("marta", f"approve {request} in person")
    await stage.settle()
    assert [e["after"] for e in await stage.effects()] == ["+1 2065550144"]
    assert (await stage.parts.store.verify_audit()).bad == ()
