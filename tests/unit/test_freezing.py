"""Freezing a person: who may, what it stops, who hears of it, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from asking import approve, ask, events, pending, previewed, refusal, state
from security_desk import SID, SOL, SUE, freeze, guarded, is_frozen, unfreeze, who

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import State
from bot.domain.freeze import Freeze, FreezeKind
from bot.domain.people import PersonRef
from bot.ports import Commit, Lost, Store, Won
from bot.workflow.desk import Desk
from tests.doubles.house import ALICE, MARTA, NED, OLIVIA, SAM, SECURITY, House, house


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, outside=guarded()) as made:
        yield made


def ref(h: House, oid: str) -> PersonRef:
    return PersonRef.of(h.directory.people[oid])


async def test_everybody_may_freeze_themselves_and_nobody_else(h: House) -> None:
    """`freeze me` needs no role; another person is frozen by security only, and the no looks nobody up."""
    shown = await h.desk.handle(c.Freeze(c.Who(c.WhoKind.ME, "me")), h.envelope(ALICE))
    assert isinstance(shown, o.Page)
    assert shown.freeze is not None
    assert shown.freeze.kind is FreezeKind.SELF
    assert await is_frozen(h, ALICE)
    h.directory.calls.clear()
    assert refusal(await freeze(h, NED, by=OLIVIA)).code == "access.not-allowed"
    assert "find" not in h.directory.calls
    assert not await is_frozen(h, NED)


async def test_a_frozen_person_stops_preview_submit_approval_and_write(h: House) -> None:
    """At every step the requester or approver hears who is frozen and who lifts it; nothing is written."""
    shown = await previewed(h)
    await freeze(h, ALICE)
    assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "policy.frozen"
    late = await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
    assert refusal(late).code == "policy.frozen"
    assert "IT security froze it" in refusal(late).facts["how"]
    assert await state(h, shown) is State.PREVIEWED


async def test_a_freeze_stops_an_approval_but_not_a_rejection(h: House) -> None:
    """The approver is told; saying no and cancelling stay possible."""
    sent = await pending(h)
    await freeze(h, ALICE)
    assert refusal(await approve(h, sent)).code == "policy.frozen"
    assert await state(h, sent) is State.PENDING
    card = h.parts.card_ref(sent.view.change, MARTA)
    await h.desk.handle(c.Reject(c.RequestId(sent.view.change.id), "strange", card), h.envelope(MARTA))
    assert await state(h, sent) is State.REJECTED


async def test_an_approved_change_of_a_frozen_person_is_stopped_before_its_write(h: House) -> None:
    """What was approved before the freeze ends as blocked with the reason; the directory is not called."""
    sent = await pending(h)
    await approve(h, sent)
    await freeze(h, ALICE)
    await h.jobs.drain()
    assert await state(h, sent) is State.BLOCKED
    assert h.directory.effects == []
    found = await h.store.change(sent.view.change.id)
    assert found is not None
    assert found.ending is not None
    assert found.ending.code == "policy.frozen"


class FreezesAtTheLastMoment:
    """A store where somebody is frozen after every check, right before the intent of a write is kept."""

    def __init__(self, inner: Store, mark: Freeze) -> None:
        self._inner, self._mark = inner, mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, commit: Commit) -> Won | Lost:
        if any(move.after.state is State.APPLYING for move in commit.moves):
            await self._inner.commit(Commit(at=commit.at, freezes=(self._mark,)))
        return await self._inner.commit(commit)


async def test_a_freeze_between_the_checks_and_the_intent_still_stops_the_write(h: House) -> None:
    """The guard in the commit: the person is frozen after the last check, and nothing is sent."""
    sent = await pending(h)
    await approve(h, sent)
    mark = Freeze(ref(h, ALICE), ref(h, SAM), FreezeKind.SECURITY, h.clock.now(), barred=(SAM,))
    late = cast(Store, FreezesAtTheLastMoment(h.store, mark))
    desk = Desk(replace(h.parts, store=late))
    change = await h.store.change(sent.view.change.id)
    assert change is not None
    await desk.applying.work(change)
    assert await is_frozen(h, ALICE)
    assert h.directory.effects == []
    h.clock.pass_by(minutes=2)
    await h.jobs.drain()
    assert await state(h, sent) is State.BLOCKED
    assert "change:mobile:attempted" not in await events(h)


async def test_security_and_the_person_hear_of_it_at_once(h: House) -> None:
    """Everybody of security and the frozen person get an alert; the freeze and its kind are audited."""
    await freeze(h, ALICE)
    await h.jobs.drain()
    for oid in (SAM, SUE, SID, SOL, ALICE):
        assert len(h.messenger.told(oid)) == 1, oid
    assert await events(h) == ["person:freeze:set"]


async def test_unfreezing_takes_two_of_security_without_a_part_in_it(h: House) -> None:
    """The freezer and the frozen person cannot lift; the first lift waits, the second ends it, all hear."""
    await freeze(h, ALICE, by=SAM)
    assert refusal(await unfreeze(h, ALICE, OLIVIA)).code == "access.not-allowed"
    assert refusal(await unfreeze(h, ALICE, SAM)).code == "access.lift-barred"
    await unfreeze(h, ALICE, SUE)
    await unfreeze(h, ALICE, SUE)
    assert await is_frozen(h, ALICE)
    await h.jobs.drain()
    h.messenger.delivered.clear()
    await unfreeze(h, ALICE, SID)
    assert not await is_frozen(h, ALICE)
    await h.jobs.drain()
    for oid in (SAM, SUE, SID, SOL, ALICE):
        assert any(":ended:" in key for key in h.messenger.told(oid)), oid
    assert await events(h) == ["person:freeze:set", "person:freeze:lifted-once", "person:freeze:ended"]
    assert (await previewed(h)).view.change.state is State.PREVIEWED


async def test_one_person_with_two_accounts_lifts_once(h: House) -> None:
    """Two accounts with one employee id are one person: the second lift does not count."""
    for oid in (SUE, SID):
        h.directory.people[oid] = replace(h.directory.people[oid], employee_id="E7")
    await freeze(h, ALICE, by=SAM)
    await unfreeze(h, ALICE, SUE)
    assert refusal(await unfreeze(h, ALICE, SID)).code == "access.lift-barred"
    assert await is_frozen(h, ALICE)


async def test_the_requester_of_what_is_disputed_cannot_lift_it(h: House) -> None:
    """Nobody of security lifts a freeze that came from their own request."""
    sent = await pending(h)
    disputed = replace(sent.view.change, requester=ref(h, SUE))
    by = ref(h, MARTA)
    mark = await h.desk.freezing.mark(
        FreezeKind.FRAUD, ref(h, ALICE), by, change=disputed, why="not her voice"
    )
    await h.store.commit(Commit(at=h.clock.now(), freezes=mark.freezes, events=mark.events))
    assert refusal(await unfreeze(h, ALICE, SUE)).code == "access.lift-barred"
    await unfreeze(h, ALICE, SID)
    await unfreeze(h, ALICE, SOL)
    assert not await is_frozen(h, ALICE)


async def test_freezing_has_a_daily_cap(h: House) -> None:
    """A third self-freeze of a day is the last; an approver's sixth fraud freezes nobody but alarms."""
    for _ in range(3):
        await h.desk.handle(c.Freeze(c.Who(c.WhoKind.ME, "me")), h.envelope(ALICE))
        await unfreeze(h, ALICE, SUE)
        await unfreeze(h, ALICE, SID)
        h.clock.pass_by(minutes=1)
    me = c.Freeze(c.Who(c.WhoKind.ME, "me"))
    assert refusal(await h.desk.handle(me, h.envelope(ALICE))).code == "policy.freezes-today"
    change = (await pending(h)).view.change
    for n in range(5):
        mark = await h.desk.freezing.mark(
            FreezeKind.FRAUD, replace(change.target, oid=f"{n}"), ref(h, MARTA), change=change
        )
        await h.store.commit(Commit(at=h.clock.now(), freezes=mark.freezes))
    sixth = await h.desk.freezing.mark(FreezeKind.FRAUD, change.target, ref(h, MARTA), change=change)
    assert sixth.freezes == ()
    assert [event.name for event in sixth.events] == ["person:freeze:limit"]
    assert [message.to_oid for message in sixth.messages] == ["role:security"]
    h.clock.pass_by(hours=24, minutes=1)
    assert isinstance(await h.desk.handle(me, h.envelope(ALICE)), o.Page)


async def test_an_alert_that_reaches_nobody_is_an_error_and_a_metric(
    h: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Members without a chat are skipped and counted; with none left the log says so at level ERROR."""
    h.messenger.unreachable = dict.fromkeys((SUE, SID, SOL), "no app")
    await freeze(h, ALICE)
    await h.jobs.drain()
    assert h.tally.counted[("alerts", "unreachable")] == 3
    assert len(h.messenger.told(SAM)) == 1
    h.messenger.unreachable[SAM] = "no app"
    with caplog.at_level(logging.ERROR):
        await freeze(h, NED, by=SUE)
        await h.jobs.drain()
    assert h.tally.counted[("alerts", "nobody")] == 1
    assert any("an alert was not delivered" in record.message for record in caplog.records)
    h.directory.groups[SECURITY].members.clear()


async def test_several_people_of_one_name_are_a_choice(h: House) -> None:
    """Nobody is picked to be frozen."""
    for n in (31, 32):
        person = replace(
            h.directory.people[NED], oid=f"bbbbbbbb-0000-4000-8000-{n:012d}", upn=f"n{n}@x.example"
        )
        h.directory.people[person.oid] = person
    chosen = await h.desk.handle(c.Freeze(c.Who(c.WhoKind.NAME, "Ned Noone", exact=True)), h.envelope(SAM))
    assert isinstance(chosen, o.Choice)
    assert await h.store.freezes(5) == ()
    assert who(NED).kind is c.WhoKind.OID
