"""How fast a batch writes, by what the directory says."""

from __future__ import annotations

import asyncio
from bisect import bisect_right

import pytest

from bot.workflow.pacing import WritePace


class Time:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture(autouse=True)
def no_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sleeps here: the hand moves the time."""

    async def at_once(_: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", at_once)


async def play(limit: float, seconds: float, fastest: float = 60.0, earlier: int = 0) -> tuple[int, int, int]:
    """Against a directory that allows `limit` in 150 s and tells above 80 %: sent, refused, last window.

    earlier: writes of a process before this one, in the 150 s before it began.
    """
    time = Time()
    pace = WritePace(time)
    sent: list[float] = [time.at - 150 + 150 * n / earlier for n in range(earlier)]
    refused = 0
    step = 0.25
    while time.at < 1_000.0 + seconds:
        room = min(pace.room(step), int(fastest * step))
        for _ in range(room):
            await pace.take()
            used = len(sent) - bisect_right(sent, time.at - 150)
            if used >= limit:
                refused += 1
                pace.throttled()
                break
            sent.append(time.at)
            share = (used + 1) / limit
            pace.answered(share if share > 0.8 else None)
        time.at += step
    return len(sent) - earlier, refused, sum(at > time.at - 150 for at in sent)


async def test_it_begins_as_documented() -> None:
    """Before anything is known: 98 % of 3,000 writes in 150 s."""
    pace = WritePace(Time())
    assert round(pace.rate, 1) == 19.6


async def test_the_documented_allowance_is_used_and_never_exceeded() -> None:
    """95 % of it in each window, and nothing refused."""
    sent, refused, last = await play(3_000, 900)
    assert refused == 0
    assert sent >= 0.95 * 3_000 * 6
    assert last >= 0.95 * 3_000


async def test_a_larger_allowance_is_found() -> None:
    """Silence allows to go faster until the directory tells."""
    sent, refused, _ = await play(6_000, 600)
    assert refused == 0
    assert sent >= 0.95 * 6_000 * 4


async def test_a_smaller_allowance_is_kept_to_as_well() -> None:
    """Somebody else uses most of it: what the directory tells counts, not the documents."""
    sent, refused, _ = await play(600, 900)
    assert refused <= 0.01 * sent
    assert sent >= 0.9 * 600 * 6


@pytest.mark.parametrize("earlier", [600, 2_000, 2_900])
async def test_what_an_earlier_life_sent_is_not_taken_for_the_allowance(earlier: int) -> None:
    """After a restart the directory tells of writes that this process has not made."""
    sent, refused, last = await play(3_000, 900, earlier=earlier)
    assert refused <= 0.01 * sent
    assert sent >= 0.9 * (3_000 * 6 - earlier)
    assert last >= 0.95 * 3_000


async def test_a_refusal_slows_down_and_is_forgotten() -> None:
    """Half as fast at once; one wave of refusals counts once; after a calm time it goes faster again."""
    time = Time()
    pace = WritePace(time)
    before = pace.rate
    for _ in range(6):
        pace.throttled()
    assert pace.rate == before / 2
    time.at += 31
    pace.answered(None)
    time.at += 3
    pace.answered(None)
    assert pace.rate > before / 2
