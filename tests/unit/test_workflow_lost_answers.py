"""Writes whose answers are lost: found out by reading, sent again once, never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asking import approve, pending, state

from bot.domain import outcome as o
from bot.domain.change import State
from bot.domain.phone import Slot
from tests.doubles.directory import Fault
from tests.doubles.house import ALICE, HELD, House, house


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


class TestWhenTheAnswerIsLost:
    """A write whose reply does not come: found out by reading, sent again once, never twice."""

    async def uncertain(self, h: House, fault: Fault, times: int = 1) -> o.AwaitingApproval:
        sent = await pending(h)
        h.directory.fail("write", fault, times=times)
        await approve(h, sent)
        await h.jobs.drain()
        assert await state(h, sent) is State.UNCONFIRMED
        return sent

    async def later(self, h: House, **delta: float) -> None:
        h.clock.pass_by(**delta)
        await h.jobs.drain()

    async def test_it_had_landed(self, h: House) -> None:
        """The first reading shows the new value: applied, one effect."""
        sent = await self.uncertain(h, Fault.UNCERTAIN_AFTER)
        await self.later(h, seconds=6)
        assert await state(h, sent) is State.APPLIED
        assert len(h.directory.effects) == 1

    async def test_it_had_not_landed(self, h: House) -> None:
        """Three readings over 65 s show the earlier value: sent once more, audited as attempt 2."""
        sent = await self.uncertain(h, Fault.UNCERTAIN_BEFORE)
        for seconds in (6, 15, 43):
            await self.later(h, seconds=seconds)
            assert h.directory.effects == []
        await self.later(h, seconds=2)
        assert len(h.directory.effects) == 1
        assert await state(h, sent) is State.APPLIED
        records, _ = await h.store.history(ALICE, 50)
        attempts = [r.event.facts["attempt"] for r in records if r.event.name.endswith(":attempted")]
        assert attempts == ["2", "1"]

    async def test_never_a_third_time(self, h: House) -> None:
        """Both sends lost without effect: after more than an hour of reading it has failed, honestly."""
        sent = await self.uncertain(h, Fault.UNCERTAIN_BEFORE, times=5)
        for _ in range(40):
            await self.later(h, seconds=20)
        await self.later(h, minutes=70)
        await self.later(h, minutes=70)
        assert h.directory.calls.count("write") == 2
        assert await state(h, sent) is State.FAILED
        assert h.directory.effects == []

    async def test_somebody_else_wrote_in_between(self, h: House) -> None:
        """A third value is a conflict for a human; it is never overwritten."""
        sent = await self.uncertain(h, Fault.UNCERTAIN_BEFORE)
        h.directory.set_phone(ALICE, Slot.MOBILE, HELD.__class__("1", "2065550199"))
        await self.later(h, seconds=6)
        assert await state(h, sent) is State.CONFLICT
        assert h.directory.effects == []

    async def test_stale_reads_do_not_cause_a_second_write(self, h: House) -> None:
        """The directory said yes but still shows the old value: waited for, never sent again."""
        h.directory.stale_reads(4)
        sent = await pending(h)
        await approve(h, sent)
        await h.jobs.drain()
        assert await state(h, sent) is State.UNCONFIRMED
        for _ in range(12):
            await self.later(h, seconds=30)
        assert h.directory.calls.count("write") == 1
        assert await state(h, sent) is State.APPLIED

    async def test_a_throttled_write_waits_and_is_done_once(self, h: House) -> None:
        """Provably not sent: back to approved, tried again later."""
        sent = await pending(h)
        h.directory.fail("write", Fault.UNAVAILABLE)
        await approve(h, sent)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPROVED
        await self.later(h, seconds=16)
        assert await state(h, sent) is State.APPLIED
        assert len(h.directory.effects) == 1

    async def test_refused_by_the_directory(self, h: House) -> None:
        """A no is a no: failed, with the reason and Graph's request id."""
        sent = await pending(h)
        h.directory.fail("write", Fault.REFUSED)
        await approve(h, sent)
        await h.jobs.drain()
        assert await state(h, sent) is State.FAILED
        assert h.directory.effects == []

    async def test_saved_although_refused(self, h: House) -> None:
        """409 phoneNumberNotUnique with the number saved: applied, with the second verdict as a note."""
        h.directory.sign_in_numbers.append(HELD.__class__("1", "2065550100"))
        sent = await pending(h)
        await approve(h, sent)
        await h.jobs.drain()
        change = await h.store.change(sent.view.change.id)
        assert change is not None
        assert change.state is State.APPLIED
        assert "sms-not-unique" in change.notes
