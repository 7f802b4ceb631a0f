"""Pre-hires: somebody enters the number, somebody else decides, and the person confirms it on day one."""

from __future__ import annotations

from pathlib import Path

from onboarding_house import CORA, HUGO, NUMBER, approve, begin, card_of, cards_to, fill_in, opened, standing

from bot.domain import onboarding_commands as oc
from bot.domain import outcome as o
from bot.domain.onboarding import Stage
from tests.doubles.house import ADA, MARTA, House, NotingMessenger


async def by_the_manager(h: House) -> o.AwaitingApproval:
    """Marta enters Hugo's number."""
    card = await begin(h, by=MARTA, on_behalf=True)
    assert isinstance(card, o.Invitation)
    assert card.asks is o.Asks.NUMBER
    assert not card.own
    sent = await fill_in(h, card.card, MARTA)
    assert isinstance(sent, o.AwaitingApproval), sent
    await h.jobs.drain()
    return sent


async def unconfirmed_in_report(h: House) -> int:
    """As the coordinator reads it."""
    found = await h.desk.handle(oc.Report(), h.envelope(CORA))
    assert isinstance(found, o.OnboardingReport)
    return found.unconfirmed


async def test_the_manager_who_enters_it_does_not_decide(tmp_path: Path) -> None:
    """The requester is whoever entered the number: the manager is out, the fallback decides."""
    async with opened(tmp_path, messenger=NotingMessenger(unreachable={HUGO: "not installed"})) as h:
        sent = await by_the_manager(h)
        assert sent.view.change.requester.oid == MARTA
        assert isinstance(await approve(h, sent.view.change.id, by=MARTA), o.Refused)
        assert isinstance(await approve(h, sent.view.change.id, by=ADA), o.Working)
        await h.jobs.drain()
        found = await standing(h)
        assert found.stage is Stage.REGISTERED
        assert found.unconfirmed
        assert cards_to(h, HUGO) == []


async def test_day_one(tmp_path: Path) -> None:
    """Asked as soon as they can be reached; the number is not shown; the wrong digits change nothing."""
    messenger = NotingMessenger(unreachable={HUGO: "not installed"})
    async with opened(tmp_path, messenger=messenger) as h:
        sent = await by_the_manager(h)
        await approve(h, sent.view.change.id, by=ADA)
        await h.jobs.drain()
        for _ in range(3):
            h.clock.pass_by(days=1, minutes=1)
            await h.jobs.drain()
        assert cards_to(h, HUGO) == []
        messenger.unreachable.clear()
        h.clock.pass_by(days=1, minutes=1)
        await h.jobs.drain()
        assert cards_to(h, HUGO) == ["confirm"]
        card = await card_of(h)
        assert card.asks is o.Asks.CONFIRM
        wrong = await h.desk.handle(oc.Confirm(True, "1111", card.card), h.envelope(HUGO))
        assert isinstance(wrong, o.Invitation)
        assert [field for field, _ in wrong.errors] == ["last_four"]
        assert (await standing(h)).unconfirmed
        assert await unconfirmed_in_report(h) == 1
        events = [record.event.name for record in (await h.store.history(HUGO, 50))[0]]
        assert events[0] == "onboarding:confirm-wrong"
        right = await h.desk.handle(oc.Confirm(True, NUMBER[-4:], card.card), h.envelope(HUGO))
        assert isinstance(right, o.Invitation)
        assert not (await standing(h)).unconfirmed
        assert await unconfirmed_in_report(h) == 0
        assert len(h.directory.effects) == 1


async def test_not_theirs(tmp_path: Path) -> None:
    """A number that is not theirs freezes them and alarms security; it is not undone by itself."""
    async with opened(tmp_path) as h:
        sent = await by_the_manager(h)
        await approve(h, sent.view.change.id, by=ADA)
        await h.jobs.drain()
        card = await card_of(h)
        await h.desk.handle(oc.Confirm(False, card=card.card), h.envelope(HUGO))
        assert await h.store.freeze_of(HUGO) is not None
        assert len(h.directory.effects) == 1


async def test_only_who_may_begin_enters_it(tmp_path: Path) -> None:
    """A card drawn for the coordinator works for nobody else; a colleague gets none at all."""
    async with opened(tmp_path, messenger=NotingMessenger(unreachable={HUGO: "not installed"})) as h:
        card = await begin(h, on_behalf=True)
        assert isinstance(card, o.Invitation)
        for other, code in ((ADA, "access.onboarding-not-yours"), (MARTA, "conflict.onboarding-used")):
            refused = await fill_in(h, card.card, other)
            assert isinstance(refused, o.Refused)
            assert refused.refusals[0].code == code
        refused = await begin(h, by=ADA, on_behalf=True)
        assert isinstance(refused, o.Refused)
        assert isinstance(await fill_in(h, card.card, CORA), o.AwaitingApproval)
