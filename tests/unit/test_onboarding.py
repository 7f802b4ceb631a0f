"""One new person from `onboard` to a registered phone, on the real workflow and a real SQLite store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from onboarding_house import CORA, HUGO, approve, begin, card_of, cards_to, fill_in, invited, opened, standing

from bot.domain import onboarding_commands as oc
from bot.domain import outcome as o
from bot.domain.onboarding import Stage
from bot.domain.phone import Slot
from tests.doubles.house import ADA, MARTA, NED, House


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as made:
        yield made


async def events(h: House) -> list[str]:
    records, _ = await h.store.history(HUGO, 100)
    return [record.event.name for record in reversed(records)]


async def test_the_main_job(h: House) -> None:
    """Begun by the coordinator, entered by the person, approved by the manager, written once, and told."""
    card = await invited(h)
    assert card.asks is o.Asks.NUMBER
    assert cards_to(h, HUGO) == ["invite"]
    sent = await fill_in(h, card.card)
    assert isinstance(sent, o.AwaitingApproval), sent
    assert sent.view.change.requester.oid == HUGO
    assert h.directory.effects == []
    await h.jobs.drain()
    assert isinstance(await approve(h, sent.view.change.id), o.Working)
    await h.jobs.drain()
    assert [(e.oid, e.slot, e.after.masked) for e in h.directory.effects if e.after] == [
        (HUGO, Slot.MOBILE, "+1 •••••• 47")
    ]
    assert (await standing(h)).stage is Stage.REGISTERED
    assert cards_to(h, HUGO) == ["invite", "after"]
    assert await events(h) == [
        "onboarding:begun",
        *(f"change:mobile:{what}" for what in ("previewed", "submitted", "approved", "attempted", "applied")),
    ]
    assert (await h.store.verify_audit()).bad == ()
    assert await h.store.numbers(sent.view.change.id) == {}


async def test_nobody_approves_their_own(h: House) -> None:
    """Whoever entered the number is the requester: neither they nor the coordinator can approve it."""
    sent = await fill_in(h, (await invited(h)).card)
    assert isinstance(sent, o.AwaitingApproval)
    for other in (HUGO, CORA, ADA, NED):
        assert isinstance(await approve(h, sent.view.change.id, by=other), o.Refused)
    await h.jobs.drain()
    assert h.directory.effects == []


async def test_errors_stand_beside_their_field_and_values_stay(h: House) -> None:
    """What is wrong is said at the field; what was typed is still there; nothing was asked for."""
    card = await invited(h)
    again = await fill_in(h, card.card, number="12")
    assert isinstance(again, o.Invitation)
    assert [field for field, _ in again.errors] == ["number"]
    assert again.filled is not None
    assert again.filled.number == "12"
    no_country = await fill_in(h, card.card, region="")
    assert isinstance(no_country, o.Invitation)
    assert [field for field, _ in no_country.errors] == ["region"]
    assert isinstance(await fill_in(h, card.card, number="+44 7400 123456", region=""), o.AwaitingApproval)


async def test_a_way_out_is_final_and_told(h: House) -> None:
    """No phone: nobody is asked again, the coordinator hears it, and a second onboarding is refused."""
    card = await invited(h)
    shown = await h.desk.handle(oc.TakeWayOut(Stage.NO_PHONE, card.card), h.envelope(HUGO))
    assert isinstance(shown, o.Invitation)
    assert shown.onboarding.stage is Stage.NO_PHONE
    h.clock.pass_by(days=20)
    await h.jobs.drain()
    assert "news" in cards_to(h, CORA)
    assert "reminder" not in cards_to(h, HUGO)
    refused = await begin(h)
    assert isinstance(refused, o.Refused)
    assert refused.refusals[0].code == "policy.onboarding-said-no"
    assert isinstance(await fill_in(h, card.card), o.Refused)


async def test_a_rejected_number_can_be_entered_again_on_a_new_card(h: House) -> None:
    """After a no the card is theirs again; the old copy of it does nothing."""
    from bot.domain import command as c

    card = await invited(h)
    sent = await fill_in(h, card.card)
    assert isinstance(sent, o.AwaitingApproval)
    change = sent.view.change
    ref = h.parts.card_ref(change, MARTA)
    await h.desk.handle(c.Reject(c.RequestId(change.id), "a typo, I think", ref), h.envelope(MARTA))
    assert (await standing(h)).stage is Stage.INVITED
    old = await fill_in(h, card.card)
    assert isinstance(old, o.Refused)
    assert old.refusals[0].code == "conflict.onboarding-used"
    assert isinstance(await fill_in(h, (await card_of(h)).card, number="206 555 0148"), o.AwaitingApproval)
