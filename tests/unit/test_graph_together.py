"""Reads that travel together: what a "slow down" for one of many questions means, and what it does not."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from graph_bench import Bench, batched

from bot.graph.together import TogetherClient

PEOPLE = [f"{n:08x}-1111-4111-8111-111111111111" for n in range(300)]
SLOW_DOWN = "Graph asks us to slow down"


class Sporadic:
    """Every twentieth question is told to wait a second; asked again, it is answered."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return batched(request, self._item)

    def _item(self, url: str) -> dict[str, Any]:
        self.asked += 1
        if self.asked % 20 == 0:
            return {"status": 429, "body": {}, "headers": {"Retry-After": "1"}}
        return {"status": 200, "body": {"value": []}, "headers": {}}


async def test_a_few_throttled_questions_do_not_slow_all_down() -> None:
    """Each is asked again after its second; nobody waits longer for an allowance that is not full."""
    bench = Bench(by=Sporadic(), kind=TogetherClient)
    for _ in range(8):
        found = await asyncio.gather(*(bench.directory.phones(oid) for oid in PEOPLE))
        assert len(found) == len(PEOPLE)
    assert max(bench.clock.slept) <= 1.0


async def test_a_few_throttled_questions_hold_up_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is told to wait waits alone: the lane of reads is not paused."""
    bench = Bench(by=Sporadic(), kind=TogetherClient)
    await asyncio.gather(*(bench.directory.phones(oid) for oid in PEOPLE[:40]))
    assert bench.clock.slept == [1.0] * 2
    assert SLOW_DOWN not in caplog.messages


class Full:
    """Refuses every question until it has been asked so many times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return batched(request, self._item)

    def _item(self, url: str) -> dict[str, Any]:
        self.refusals -= 1
        if self.refusals >= 0:
            return {"status": 429, "body": {}, "headers": {"Retry-After": "7"}}
        return {"status": 200, "body": {"value": []}, "headers": {}}


async def test_a_full_allowance_holds_up_everybody(caplog: pytest.LogCaptureFixture) -> None:
    """When all of a request is refused, the lane of reads waits as long as it was told."""
    bench = Bench(by=Full(20), kind=TogetherClient)
    found = await asyncio.gather(*(bench.directory.phones(oid) for oid in PEOPLE[:20]))
    assert len(found) == 20
    assert SLOW_DOWN in caplog.messages
    assert max(bench.clock.slept) == 7.0
