"""“This was not me” (H10), said by the person concerned in every state, on the real workflow and store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from asking import approve, events, pending, previewed, refusal, state
from security_desk import guarded, is_frozen

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, State
from bot.domain.freeze import FreezeKind
from bot.domain.phone import Slot
from tests.doubles.directory import Fault
from tests.doubles.house import ALICE, MARTA, NED, OLIVIA, SAM, House, house, policy


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    rules = tuple(replace(rule, cooling_minutes=30) for rule in policy().rules)
    async with house(tmp_path, rules=policy(rules=rules), outside=guarded()) as opened:
        yield opened


async def not_me(
    h: House, sent: o.AwaitingApproval | o.Preview, by: str = ALICE, *, typed: bool = False
) -> o.Outcome:
    change = sent.view.change
    request = c.RequestId(change.id)
    command = c.NotMe(request) if typed else c.NotMe(request, h.parts.card_ref(change, by))
    return await h.desk.handle(command, h.envelope(by))


async def now(h: House, sent: o.AwaitingApproval) -> Change:
    found = await h.store.change(sent.view.change.id)
    assert found is not None
    return found


async def waiting(h: House) -> o.AwaitingApproval:
    return await pending(h)


async def agreed(h: House) -> o.AwaitingApproval:
    sent = await pending(h)
    await approve(h, sent)
    return sent


async def cooling(h: House) -> o.AwaitingApproval:
    sent = await agreed(h)
    await h.jobs.drain()
    return sent


async def written(h: House) -> o.AwaitingApproval:
    sent = await cooling(h)
    h.clock.pass_by(minutes=31)
    await h.jobs.drain()
    return sent


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("stage", [waiting, agreed, cooling])
async def test_before_the_write_it_ends_the_request(
    h: House, stage: Callable[[House], Awaitable[o.AwaitingApproval]], typed: bool
) -> None:
    """From every state before the write: rejected, the person frozen, security alarmed, no write."""
    sent = await stage(h)
    said = refusal(await not_me(h, sent, typed=typed))
    assert said.code == "conflict.rejected-not-me"
    change = await now(h, sent)
    assert (change.state, change.disputed) == (State.REJECTED, True)
    held = await h.store.freeze_of(ALICE)
    assert held is not None
    assert (held.kind, held.change_id) == (FreezeKind.NOT_ME, change.id)
    assert {ALICE, OLIVIA} <= set(held.barred)
    h.clock.pass_by(hours=1)
    await h.jobs.drain()
    assert any("freeze" in key for key in h.messenger.told(SAM))
    assert any("disputed" in key for key in h.messenger.told(OLIVIA))
    assert {"change:mobile:disputed", "person:freeze:set"} <= set(await events(h))
    assert h.directory.effects == []


async def test_after_the_write_it_freezes_and_undoes_nothing(h: House) -> None:
    """The number stays as it was written; the request stays applied and says that it is disputed."""
    sent = await written(h)
    held = dict(h.directory.phones_of[ALICE])
    shown = await not_me(h, sent)
    assert isinstance(shown, o.Applied)
    assert not shown.view.may_dispute
    await h.jobs.drain()
    assert ((await now(h, sent)).state, (await now(h, sent)).disputed) == (State.APPLIED, True)
    assert await is_frozen(h, ALICE)
    assert any("freeze" in key for key in h.messenger.told(SAM))
    assert h.directory.phones_of[ALICE] == held
    assert len(h.directory.effects) == 1


async def test_while_it_is_being_written_it_is_brought_to_its_end(h: House) -> None:
    """A write whose outcome is not known is found out; the freeze and the alarm do not wait for it."""
    h.directory.fail("write", Fault.UNCERTAIN_AFTER)
    sent = await written(h)
    assert await state(h, sent) is State.UNCONFIRMED
    answer = await not_me(h, sent)
    assert isinstance(answer, o.Page)
    assert answer.freeze is not None
    assert await is_frozen(h, ALICE)
    again = await not_me(h, sent)
    assert isinstance(again, o.Page)
    assert [name for name in await events(h) if name == "change:mobile:disputed"] == [
        "change:mobile:disputed"
    ]
    for seconds in (6, 20, 70):
        h.clock.pass_by(seconds=seconds)
        await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED


async def test_said_twice_it_is_one_freeze_and_one_alarm(h: House) -> None:
    """A second press shows how it stands."""
    sent = await pending(h)
    await not_me(h, sent)
    await h.jobs.drain()
    told = list(h.messenger.told(SAM))
    assert refusal(await not_me(h, sent)).code == "conflict.rejected-not-me"
    await h.jobs.drain()
    assert h.messenger.told(SAM) == told


@pytest.mark.parametrize("who", [OLIVIA, MARTA, NED, SAM])
async def test_only_the_person_concerned_may_say_it(h: House, who: str) -> None:
    """Whoever else presses or types it freezes nobody and learns nothing."""
    sent = await pending(h)
    for typed in (True, False):
        assert refusal(await not_me(h, sent, who, typed=typed)).code == "usage.request-unknown"
    assert not await is_frozen(h, ALICE)
    assert await state(h, sent) is State.PENDING


async def test_a_preview_cannot_be_disputed(h: House) -> None:
    """Nobody but its requester was ever to hear of it."""
    shown = await previewed(h)
    assert refusal(await not_me(h, shown)).code == "usage.request-unknown"
    assert not await is_frozen(h, ALICE)


async def test_silence_is_no_consent_and_no_dispute(h: House) -> None:
    """Nothing happens because the person says nothing: the request waits for its approver, then expires."""
    sent = await pending(h)
    h.clock.pass_by(minutes=1441)
    await h.jobs.drain()
    assert await state(h, sent) is State.EXPIRED
    assert h.directory.effects == []
    assert not await is_frozen(h, ALICE)


async def test_an_ended_request_can_be_disputed_all_the_same(h: House) -> None:
    """Somebody tried: security wants to know, also when nothing was written."""
    sent = await pending(h)
    await h.desk.handle(c.Cancel(c.RequestId(sent.view.change.id)), h.envelope(OLIVIA))
    await not_me(h, sent)
    assert ((await now(h, sent)).state, (await now(h, sent)).disputed) == (State.CANCELLED, True)
    assert await is_frozen(h, ALICE)


async def test_nothing_else_of_theirs_goes_forward(h: House) -> None:
    """Another request about the same person, waiting at that time, is stopped by the freeze."""
    sent = await pending(h)
    number = c.SetPhone(c.Who(c.WhoKind.OID, ALICE), Slot.OFFICE, "+1 206 555 0199", "desk", "INC2")
    other = await pending(h, number)
    await not_me(h, sent)
    assert refusal(await approve(h, other)).code == "policy.frozen"
    h.clock.time += timedelta(hours=2)
    await h.jobs.drain()
    assert h.directory.effects == []
