"""A change whose sealed number does not open ends, with an alarm, instead of failing every minute."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import approve, events, pending, state
from security_desk import guarded

from bot.domain.change import State
from tests.doubles.directory import Fault
from tests.doubles.house import SAM, House, house


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, outside=guarded()) as made:
        yield made


def spoil(h: House) -> None:
    """Somebody changes the sealed bytes behind our back."""
    engine = sa.create_engine(f"sqlite:///{h.path / 'ringfence.db'}")
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE sealed_numbers SET sealed = x'0102030405060708090a0b0c0d0e0f101112'")
        )
    engine.dispose()


async def test_it_ends_as_blocked_with_an_alarm(h: House, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written; security is alerted, the log says ERROR, and it is never tried again."""
    sent = await pending(h)
    await approve(h, sent)
    spoil(h)
    with caplog.at_level(logging.ERROR):
        await h.jobs.drain()
    assert await state(h, sent) is State.BLOCKED
    assert h.directory.effects == []
    assert any("unsealable" in key for key in h.messenger.told(SAM))
    assert any("does not open" in record.message for record in caplog.records)
    assert not any("a job failed" in record.message for record in caplog.records)
    assert (await events(h))[-1] == "change:mobile:blocked"
    h.clock.pass_by(minutes=5)
    assert await h.jobs.drain() == 0


async def test_what_was_sent_is_settled_by_reading_all_the_same(h: House) -> None:
    """The number is not needed for finding out: a lost answer whose write landed ends as applied."""
    sent = await pending(h)
    h.directory.fail("write", Fault.UNCERTAIN_AFTER)
    await approve(h, sent)
    await h.jobs.drain()
    assert await state(h, sent) is State.UNCONFIRMED
    spoil(h)
    h.clock.pass_by(seconds=6)
    await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED


async def test_what_would_have_to_be_sent_again_is_left_to_people(h: House) -> None:
    """A lost write that cannot be repeated ends as a case for a person, not in a loop."""
    sent = await pending(h)
    h.directory.fail("write", Fault.UNCERTAIN_BEFORE)
    await approve(h, sent)
    await h.jobs.drain()
    spoil(h)
    for _ in range(30):
        h.clock.pass_by(seconds=10)
        await h.jobs.drain()
    assert await state(h, sent) is State.CONFLICT
    assert h.directory.effects == []
