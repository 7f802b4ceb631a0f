"""The steps of one change as tests take them: ask, preview, submit, approve, look.

Knows the house of doubles. Must not assert more than that a step was possible.
"""

from __future__ import annotations

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import How, State
from bot.domain.phone import Slot
from bot.domain.reason import Refusal
from tests.doubles.house import ALICE, MARTA, OLIVIA, House

NEW = "+1 206 555 0100"


def ask(who: str = ALICE, number: str | None = NEW, slot: Slot = Slot.MOBILE) -> c.SetPhone:
    return c.SetPhone(c.Who(c.WhoKind.OID, who), slot, number, "lost phone", "INC1234")


async def previewed(h: House, command: c.Command | None = None, by: str = OLIVIA) -> o.Preview:
    outcome = await h.desk.handle(command or ask(), h.envelope(by))
    assert isinstance(outcome, o.Preview), outcome
    return outcome


async def pending(h: House, command: c.Command | None = None, by: str = OLIVIA) -> o.AwaitingApproval:
    shown = await previewed(h, command, by)
    outcome = await h.desk.handle(c.Submit(shown.view.card), h.envelope(by))
    assert isinstance(outcome, o.AwaitingApproval), outcome
    await h.jobs.drain()
    return outcome


async def approve(h: House, sent: o.AwaitingApproval, by: str = MARTA) -> o.Outcome:
    change = sent.view.change
    card = h.parts.card_ref(change, by)
    return await h.desk.handle(c.Approve(c.RequestId(change.id), card, How.IN_PERSON), h.envelope(by))


async def state(h: House, shown: o.Preview | o.AwaitingApproval) -> State:
    found = await h.store.change(shown.view.change.id)
    assert found is not None
    return found.state


async def events(h: House) -> list[str]:
    records, _ = await h.store.history(ALICE, 100)
    return [record.event.name for record in reversed(records)]


def refusal(outcome: o.Outcome) -> Refusal:
    assert isinstance(outcome, o.Refused), outcome
    return outcome.refusals[0]
