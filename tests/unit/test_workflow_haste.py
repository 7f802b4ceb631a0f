"""Approvals faster than anybody can read: counted, and told to security when they come in a row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, How, State
from bot.domain.phone import Slot
from bot.ports import PostedCard
from bot.workflow.alerting import HASTE
from tests.doubles.house import ALICE, MARTA, OLIVIA, SAM, House, house


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def asked(h: House) -> Change:
    """Submitted, and its card posted to the approver now."""
    order = c.SetPhone(c.Who(c.WhoKind.OID, ALICE), Slot.MOBILE, "+1 206 555 0100", "lost phone")
    shown = await h.desk.handle(order, h.envelope(OLIVIA))
    assert isinstance(shown, o.Preview), shown
    await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
    await post(h, shown.view.change)
    return shown.view.change


async def post(h: House, change: Change, name: str = "") -> None:
    where = f"conv-{MARTA}", "https://smba.example/", f"a-{change.id}{name}"
    await h.store.card_posted(PostedCard(f"c-{change.id}{name}", change.id, MARTA, "", *where, 1))


async def approve(h: House, change: Change, *, after: float) -> Change:
    h.clock.pass_by(seconds=after)
    vote = c.Approve(c.RequestId(change.id), h.parts.card_ref(change, MARTA), How.IN_PERSON)
    await h.desk.handle(vote, h.envelope(MARTA))
    found = await h.store.change(change.id)
    assert found is not None
    # Out of the way, so that the next one may be about the same phone.
    await h.desk.handle(c.Cancel(c.RequestId(change.id)), h.envelope(OLIVIA))
    return found


async def alarms(h: House) -> list[str]:
    await h.jobs.drain()
    return [m.to_oid for m in h.messenger.delivered if m.topic == HASTE]


async def test_three_in_a_row_alarm_security(h: House) -> None:
    """Every third; each of the votes counts."""
    for n in range(1, 7):
        voted = await approve(h, await asked(h), after=1.9)
        assert voted.state is State.APPROVED
        assert await alarms(h) == [SAM] * (n // 3)
    (alarm, _) = [m for m in h.messenger.delivered if m.topic == HASTE]
    page = await h.desk.alerting.shown(alarm)
    assert isinstance(page, o.Page)
    assert (page.kind, page.person and page.person.name) == (o.PageKind.HASTY, "Marta Mink")
    assert len(page.rows) == 5
    records, _ = await h.store.history(ALICE, 100)
    hasty = [r.event for r in records if r.event.name.endswith("approved-in-haste")]
    assert [event.facts["count"] for event in hasty] == ["6", "3"]


async def test_one_that_took_its_time_ends_the_row(h: House) -> None:
    """Two seconds are enough; what was quick before does not count any more."""
    for after in (0.5, 0.5, 2.0, 0.5, 0.5):
        await approve(h, await asked(h), after=after)
    assert await alarms(h) == []
    await approve(h, await asked(h), after=0.5)
    assert await alarms(h) == [SAM]


async def test_the_first_card_counts(h: House) -> None:
    """Whoever looks a second time has had the time since the first card."""
    for _ in range(3):
        change = await asked(h)
        h.clock.pass_by(minutes=2)
        await post(h, change)
        await post(h, change, "again")
        await approve(h, change, after=0.5)
    assert await alarms(h) == []


async def test_without_a_card_nothing_is_known(h: House) -> None:
    """A typed approval of somebody who got no card is no haste."""
    for _ in range(3):
        change = await asked(h)
        await h.store.card_gone(f"c-{change.id}")
        await approve(h, change, after=0.1)
    assert await alarms(h) == []
