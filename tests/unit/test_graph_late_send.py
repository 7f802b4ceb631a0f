"""A process that was stopped between its intent and its call must not send on waking up."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from graph_bench import OID, Answer, Bench, listed

from bot.domain.change import Operation, OpKind
from bot.domain.phone import PhoneNumber, Slot
from bot.ports import DirectoryUnavailable


async def test_a_write_is_not_sent_minutes_after_its_intent() -> None:
    """Stopped during the read that comes before the write: provably not sent, so it is judged anew."""
    bench = Bench()

    def by(request: httpx.Request) -> Answer:
        bench.clock.time += timedelta(minutes=5)
        return listed()

    bench.by = by
    op = Operation(1, OpKind.SET, Slot.MOBILE, "", "", "", "", sent_at=bench.clock.now())
    with pytest.raises(DirectoryUnavailable, match="held up"):
        await bench.directory.write(OID, op, PhoneNumber("1", "2065550177"), "c")
    assert bench.verbs == ["GET"]
