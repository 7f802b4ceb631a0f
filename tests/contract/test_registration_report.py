"""The registration report, read from the simulator: every page, within its allowance, pauses or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.coverage import coverage
from bot.graph import GraphClient, GraphDirectory, Lanes
from bot.ports import DirectoryRefused, DirectoryUnavailable
from bot.sandbox.login import mint
from bot.sandbox.server import start
from bot.sandbox.world import World

PEOPLE = 1_250


class Time:
    """Passes only while somebody sleeps."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Minted:
    """Tokens of one world."""

    def __init__(self, world: World, audience: str) -> None:
        self._world, self._audience = world, audience

    async def get(self, scope: str) -> str:
        return mint(self._world, self._audience, 36_000)

    refresh = get


@asynccontextmanager
async def asked(folder: Path, **rules: Any) -> AsyncIterator[tuple[GraphDirectory, World, Time]]:
    """A directory of many people, and the world behind it."""
    time = Time()
    running = await start(folder, now=time.now)
    world = running.worlds.create({"name": "report", "seed": "empty", "size": PEOPLE, "rules": rules})
    lanes, tokens = Lanes(lambda: 0.5), Minted(world, running.graph)
    client = GraphClient(running.graph, world.tenant_id, tokens, time, lanes, lambda: 0.5, sleep=time.sleep)
    try:
        yield GraphDirectory(client), world, time
    finally:
        await client.aclose()
        await running.close()


def reports(world: World) -> list[int | None]:
    """The answers to reads of the report, in order."""
    return [seen.status for seen in world.journal.requests if "userRegistrationDetails" in seen.route]


async def test_every_page_is_read_at_the_documented_pace(tmp_path: Path) -> None:
    """Five calls in ten seconds are allowed; the reader is never told to slow down, nobody is left out."""
    async with asked(tmp_path, throttle="small", page_size=100) as (directory, world, time):
        began = time.now()
        rows, accounts = await directory.enrolments(), await directory.accounts()
        assert len({row.oid for row in rows}) == len({each.oid for each in accounts}) == PEOPLE
        answers = reports(world)
        assert set(answers) == {200}
        assert timedelta(seconds=2 * (len(answers) - 1)) < time.now() - began < timedelta(seconds=60)
        found = coverage(rows, accounts, time.now())
        assert found.whole.people + found.left_out == PEOPLE


async def test_a_pause_in_between_is_waited_out(tmp_path: Path) -> None:
    """Another app may use the same allowance: the reader goes on where it was."""
    async with asked(tmp_path, page_size=500) as (directory, world, _):
        world.faults.add(kind="status", status=429, retry_after=30, path="userRegistrationDetails", skip=1)
        world.faults.add(kind="status", status=503, path="userRegistrationDetails", skip=2, times=4)
        assert len(await directory.enrolments()) == PEOPLE
        assert [fault.hits for fault in world.faults.planned] == [1, 4]


async def test_what_does_not_end_is_given_up(tmp_path: Path) -> None:
    """After some minutes, in words that name no person."""
    async with asked(tmp_path) as (directory, world, time):
        world.faults.add(
            kind="status", status=429, retry_after=60, path="userRegistrationDetails", times=None
        )
        began = time.now()
        with pytest.raises(DirectoryUnavailable):
            await directory.enrolments()
        assert time.now() - began < timedelta(minutes=10)


async def test_a_refusal_is_told_apart(tmp_path: Path) -> None:
    """No licence is somebody else's to mend than no permission."""
    async with asked(tmp_path, has_p1=False) as (directory, world, _):
        with pytest.raises(DirectoryRefused) as caught:
            await directory.enrolments()
        assert caught.value.refusal.code == "directory.report-licence"
        world.set_rules({"has_p1": True})
        world.permissions -= {"AuditLog.Read.All"}
        with pytest.raises(DirectoryRefused) as caught:
            await directory.enrolments()
        assert caught.value.refusal.code == "directory.report-permission"
