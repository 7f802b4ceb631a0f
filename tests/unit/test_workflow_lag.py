"""Directory reads that lag behind a write: what is said at the end must be what happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import How, State
from bot.domain.phone import Slot
from tests.doubles.directory import Fault
from tests.doubles.house import ALICE, MARTA, OLIVIA, house


@pytest.mark.parametrize("stale", range(6))
async def test_a_write_that_shows_late_is_never_called_failed(tmp_path: Path, stale: int) -> None:
    """However many reads still show the earlier value, also up to the one right before a second send."""
    async with house(tmp_path) as h:
        h.directory.stale_reads(stale)
        asked = c.SetPhone(c.Who(c.WhoKind.OID, ALICE), Slot.MOBILE, "+1 206 555 0100", "lost phone")
        shown = await h.desk.handle(asked, h.envelope(OLIVIA))
        assert isinstance(shown, o.Preview)
        await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
        h.directory.fail("write", Fault.UNCERTAIN_AFTER)
        card = h.parts.card_ref(shown.view.change, MARTA)
        await h.desk.handle(c.Approve(c.RequestId(card.change_id), card, How.IN_PERSON), h.envelope(MARTA))
        await h.jobs.drain()
        for seconds in (6, 15, 46, 6, 20, 66):
            h.clock.pass_by(seconds=seconds)
            await h.jobs.drain()
        change = await h.store.change(card.change_id)
        assert change is not None
        assert change.state is State.APPLIED
        assert len([e for e in h.directory.effects if e.before != e.after]) == 1
