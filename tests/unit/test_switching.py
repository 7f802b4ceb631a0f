"""The kill switch and the breaker: who turns them, what stops, and what goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import approve, ask, pending, refusal, state
from security_desk import ANN, BEN, administered

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import State
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Limits
from bot.domain.switch import SwitchName
from tests.doubles.directory import Fault
from tests.doubles.house import ALICE, MARTA, NED, OLIVIA, SAM, House, house


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    outside, rules = administered()
    async with house(tmp_path, outside=outside, rules=rules) as made:
        yield made


async def pause(h: House, by: str = ANN) -> o.Outcome:
    return await h.desk.handle(c.Pause("a strange burst"), h.envelope(by))


async def resume(h: House, by: str = ANN) -> o.Outcome:
    return await h.desk.handle(c.Resume(), h.envelope(by))


async def closed(h: House) -> set[SwitchName]:
    return {switch.name for switch in (await h.store.switches()).values() if switch.closed}


async def test_paused_nothing_is_written_and_approvals_go_on(h: House) -> None:
    """An approved change waits with the word on its card; after `resume` it is carried out."""
    sent = await pending(h)
    await pause(h)
    assert isinstance(await approve(h, sent), o.Working)
    await h.jobs.drain()
    assert h.directory.effects == []
    assert await state(h, sent) is State.APPROVED
    change = await h.store.change(sent.view.change.id)
    assert change is not None
    shown = await h.desk.present(change, OLIVIA)
    assert isinstance(shown, o.Working)
    assert shown.view is not None
    assert shown.view.paused is not None
    assert shown.view.paused.by.name == "Ann Admin"
    assert any(":redraw:pause:" in message.key for message in h.messenger.delivered)
    await resume(h)
    h.clock.pass_by(seconds=31)
    await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED
    assert len(h.directory.effects) == 1


async def test_a_pause_stops_the_next_write_of_a_plan(tmp_path: Path) -> None:
    """A swap that was interrupted half-way does not go on while paused, however long; then it does."""
    outside, rules = administered()
    swaps = replace(rules.rules[0], actions=frozenset({Action.SWAP}))
    outside.phones_of[ALICE][Slot.ALTERNATE] = PhoneNumber("1", "2065550177")
    async with house(tmp_path, outside=outside, rules=replace(rules, rules=(swaps,))) as h:
        sent = await pending(h, c.Swap(c.Who(c.WhoKind.OID, ALICE), "old phone gone"))
        h.directory.fail("write", Fault.UNAVAILABLE, skip=1)
        await approve(h, sent)
        await h.jobs.drain()
        assert len(h.directory.effects) == 1
        await pause(h)
        for _ in range(80):
            h.clock.pass_by(minutes=1)
            await h.jobs.drain()
        assert len(h.directory.effects) == 1
        assert await state(h, sent) is State.APPLYING
        await resume(h)
        h.clock.pass_by(seconds=31)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED


async def test_what_waits_too_long_lapses(h: House) -> None:
    """A pause is no way to have something written long after its approval."""
    sent = await pending(h)
    await pause(h)
    await approve(h, sent)
    h.clock.pass_by(hours=5)
    await h.jobs.drain()
    assert await state(h, sent) is State.EXPIRED
    assert h.directory.effects == []


async def test_only_admins_turn_it_and_all_of_it_is_audited(h: House) -> None:
    """Others are refused; closing and opening are in the audit, and admins and security are alerted."""
    for by in (OLIVIA, SAM, MARTA):
        assert refusal(await pause(h, by)).code == "access.not-allowed"
        assert refusal(await resume(h, by)).code == "access.not-allowed"
    assert await closed(h) == set()
    await pause(h)
    await h.jobs.drain()
    for by in (ANN, BEN, SAM):
        assert len(h.messenger.told(by)) == 1
    await resume(h, BEN)
    records, _ = await h.store.history("", 50)
    names = [record.event.name for record in records]
    assert names.count("switch:pause:closed") == 1
    assert names.count("switch:pause:opened") == 1
    assert (await h.store.verify_audit()).bad == ()


async def test_the_breaker_closes_by_itself_and_two_admins_open_it(tmp_path: Path) -> None:
    """I2: one write too many in an hour stops everything; one admin alone does not reopen it."""
    outside, rules = administered(limits=Limits(writes_per_hour=2))
    outside.managers[NED] = MARTA
    async with house(tmp_path, outside=outside, rules=rules) as h:
        done = []
        for target, slot in ((ALICE, Slot.MOBILE), (ALICE, Slot.OFFICE), (NED, Slot.MOBILE)):
            sent = await pending(h, ask(target, f"+1 206 555 010{len(done)}", slot))
            await approve(h, sent)
            await h.jobs.drain()
            done.append(await state(h, sent))
        assert done == [State.APPLIED, State.APPLIED, State.APPROVED]
        assert len(h.directory.effects) == 2
        assert await closed(h) == {SwitchName.BREAKER}
        assert h.tally.counted[("breaker", "closed")] == 1
        for by in (ANN, BEN, SAM):
            assert any("breaker:closed" in key for key in h.messenger.told(by))
        await resume(h)
        await resume(h)
        h.clock.pass_by(minutes=1)
        await h.jobs.drain()
        assert len(h.directory.effects) == 2
        await resume(h, BEN)
        assert await closed(h) == set()
        h.clock.pass_by(minutes=1)
        await h.jobs.drain()
        assert len(h.directory.effects) == 3, "counted anew from the reopening"
        assert h.tally.counted[("breaker", "closed")] == 1


async def test_an_hour_later_the_limit_is_free_again(tmp_path: Path) -> None:
    """Only the last hour counts: spread writes never close the breaker."""
    outside, rules = administered(limits=Limits(writes_per_hour=1))
    async with house(tmp_path, outside=outside, rules=rules) as h:
        for n, slot in enumerate((Slot.MOBILE, Slot.OFFICE)):
            sent = await pending(h, ask(ALICE, f"+1 206 555 010{n}", slot))
            await approve(h, sent)
            await h.jobs.drain()
            assert await state(h, sent) is State.APPLIED
            h.clock.pass_by(minutes=61)
        assert await closed(h) == set()


async def test_one_admin_with_two_accounts_opens_once(tmp_path: Path) -> None:
    """Two admin accounts with one employee id are one person."""
    outside, rules = administered(limits=Limits(writes_per_hour=1))
    for oid in (ANN, BEN):
        outside.people[oid] = replace(outside.people[oid], employee_id="E9")
    async with house(tmp_path, outside=outside, rules=rules) as h:
        for slot in (Slot.MOBILE, Slot.OFFICE):
            await approve(h, await pending(h, ask(ALICE, slot=slot)))
            await h.jobs.drain()
        assert await closed(h) == {SwitchName.BREAKER}
        await resume(h)
        await resume(h, BEN)
        assert await closed(h) == {SwitchName.BREAKER}
