"""How the client to Graph ends: every call under way is answered, and no connection stays open."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.graph.wire import Wire

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#: More rounds of the loop than a call takes from its beginning to its answer.
ROUNDS = 40


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
    except asyncio.IncompleteReadError:
        writer.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with await asyncio.start_server(_answers, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def _wire() -> Wire:
    return Wire(call_seconds=5, pool_seconds=5, transport=None)


@pytest.mark.parametrize("rounds", range(ROUNDS))
async def test_a_call_under_way_is_answered_and_its_connection_closed(url: str, rounds: int) -> None:
    """Wherever the call is when the client is closed: connecting, sending, waiting or done."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        wire = _wire()
        call = asyncio.create_task(wire.get(url))
        for _ in range(rounds + 1):
            await asyncio.sleep(0)
        await wire.aclose()
        assert (await call).json() == {}
        del wire, call
        gc.collect()
    assert [str(each.message) for each in told if each.category is ResourceWarning] == []


async def test_after_the_end_nothing_is_sent_and_that_is_said(url: str) -> None:
    """What comes later counts as not sent: a write of it may be tried again by somebody else."""
    wire = _wire()
    await wire.aclose()
    with pytest.raises(httpx.ConnectError):
        await wire.get(url)
