"""Three processes of the bot on one PostgreSQL behind one address: nothing lost, doubled or overlooked.

CHANGES in the environment makes a bigger run by hand.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fleet import HELD, fleet, number_of, patience
from kill_drive import FINAL
from stage import Sandbox

from bot.questions import verify_audit
from bot.settings.environment import load_settings

CHANGES = int(os.environ.get("CHANGES", "500"))
LANES = 4
PAUSED = 60
SLOW = {"kind": "latency", "verb": "PATCH", "path": "phoneMethods", "ms": 200, "times": None}
OPEN = "changes WHERE state IN ('approved', 'applying', 'unconfirmed')"
BEGUN = "audit WHERE name LIKE '%attempted'"
WAITING = "outbox WHERE state = 'waiting'"


async def test_one_of_three_dies_half_way(
    sandbox: Sandbox, migrated_schema: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each approved change is written exactly once and everybody is told, though one of three is gone."""
    async with fleet(sandbox, migrated_schema, tmp_path, targets=CHANGES) as there:
        await there.stock(CHANGES)
        began = time.monotonic()
        await there.begin()
        await there.until(lambda: there.count(OPEN) <= CHANGES / 2, patience(60 + CHANGES))
        await there.lives[1].kill()
        killed = there.count(OPEN)
        await there.until(lambda: there.count(OPEN) == 0, patience(60 + CHANGES))
        seconds = time.monotonic() - began
        await there.until(lambda: there.count(WAITING) == 0, patience(60 + CHANGES))
        report = await verify_audit(load_settings(there.told))
        states = Counter(row["state"] for row in there.books.rows("SELECT state FROM changes"))
        effects = (await there.control("GET", "journal"))["effects"]
        notices = "SELECT state FROM outbox WHERE kind = 'notice' AND key LIKE '%ended%'"
        said = Counter(row["state"] for row in there.books.rows(notices))
        with capsys.disabled():
            sys.stderr.write(
                f"\n{CHANGES} changes, three replicas, one killed with {killed} left: {seconds:.1f} s, "
                f"states={dict(states)}, effects={len(effects)}, notices={dict(said)}, "
                f"records={report.records} in {report.streams} streams\n"
            )
        assert report.bad == ()
        assert killed > 0
        assert states == {"applied": CHANGES}
        wanted = {there.world["people"][f"t{n}"]["oid"]: f"+1 {number_of(n)}" for n in range(CHANGES)}
        assert Counter((e["oid"], e["after"]) for e in effects) == Counter(wanted.items())
        assert said == {"done": 2 * CHANGES}
        assert there.count("sealed_numbers") + there.count("slot_locks") == 0
        for n in range(0, CHANGES, 25):
            shown = await there.control("GET", f"view?as=t{n}", teams=True)
            assert [e for e in shown if e["from"] == "bot"], f"t{n} was not told"


async def test_a_rolling_restart_loses_no_click(
    sandbox: Sandbox, migrated_schema: str, tmp_path: Path
) -> None:
    """One after the other is told to stop and comes back while people click: each is answered."""
    async with fleet(sandbox, migrated_schema, tmp_path, targets=LANES, lanes=LANES) as there:
        await there.begin()
        await asyncio.sleep(0.8)  # the address looks who is ready
        working = [asyncio.create_task(there.people.work(lane)) for lane in range(LANES)]
        knocking = asyncio.create_task(there.knock())
        for life in there.lives:
            clicked = sum(there.people.statuses.values())
            await there.until(lambda c=clicked: sum(there.people.statuses.values()) > c + 5, patience(90))
            await life.stop()
            await life.begin()
            assert await life.ready()
        assert not knocking.done(), knocking.exception()
        knocking.cancel()
        there.people.over.set()
        await asyncio.gather(*working)
        await there.until(lambda: there.count(OPEN) + there.count(WAITING) == 0, patience(90))
        assert there.people.redelivered == 0
        assert set(there.people.statuses) <= {200, 201}
        effects = Counter(e["after"] for e in (await there.control("GET", "journal"))["effects"])
        approved = [one for one in there.people.asked if one.told in ("approved", "final")]
        assert len(approved) >= LANES
        for one in approved:
            assert there.people.state(one.id) in FINAL
            assert effects[f"+1 {one.number}"] == 1, one
        assert max(effects.values()) == 1
        assert HELD not in effects
        assert (await verify_audit(load_settings(there.told))).bad == ()


async def test_a_pause_stops_every_replica_at_once(
    sandbox: Sandbox, migrated_schema: str, tmp_path: Path
) -> None:
    """Once the admin is answered, no replica begins a write; what had been sent by then may still arrive."""
    async with fleet(sandbox, migrated_schema, tmp_path, targets=PAUSED, rate=1.0) as there:
        await there.control("PUT", "groups/admin/members/op0")
        await there.control("POST", "faults", SLOW)
        await there.stock(PAUSED)
        await there.begin()
        await asyncio.sleep(0.8)  # the address looks who is ready
        await there.until(lambda: there.count(OPEN) < PAUSED, patience(60))
        await there.people.say("op0", "pause because a strange burst")
        begun = there.count(BEGUN)
        assert there.count("switches WHERE closed") == 1
        await there.until(lambda: there.count("changes WHERE state = 'applying'") == 0, patience(60))
        left = there.count(OPEN)
        await asyncio.sleep(2)
        assert there.count(OPEN) == left > 0
        assert there.count(BEGUN) == begun > 0, "an intent was kept after the admin was answered"
