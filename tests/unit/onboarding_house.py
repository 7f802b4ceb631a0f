"""A house with somebody new in it, and the steps of one onboarding as tests take them.

Knows the house of doubles. Must not assert more than that a step was possible.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.domain import command as c
from bot.domain import onboarding_commands as oc
from bot.domain import outcome as o
from bot.domain.change import How
from bot.domain.onboarding import Onboarding
from bot.domain.people import Person, Role, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import Action, OnboardingTerms, Policy, Rule, Step, Token, TokenKind
from bot.ports import MessageKind
from tests.doubles.directory import Group
from tests.doubles.house import (
    MARTA,
    HandClock,
    House,
    NotingMessenger,
    directory,
    group_id,
    house,
    oid,
    policy,
)

CORA, HUGO, ADA = oid(20), oid(21), oid(4)
COORDINATORS = group_id(9)
NUMBER = "206 555 0147"


def terms(**changed: object) -> Policy:
    """The policy of the house with a rule for new people. changed: of the table [onboarding]."""
    found = policy()
    new = Rule(
        "new people",
        frozenset({Action.ONBOARD}),
        frozenset({TargetKind.NEW_HIRE}),
        (Step((Token(TokenKind.MANAGER),), 1, (Token(TokenKind.ROLE, "approver"),)),),
    )
    roles = {**found.roles, Role.COORDINATOR: frozenset({COORDINATORS})}
    table = OnboardingTerms(**changed)  # type: ignore[arg-type]  # values of the fields
    return replace(found, rules=(*found.rules, new), roles=roles, onboarding=table)


@contextlib.asynccontextmanager
async def opened(
    path: Path, *, messenger: NotingMessenger | None = None, people: int = 0, **changed: object
) -> AsyncIterator[House]:
    """Cora coordinates, Hugo is new and Marta's; people: further new ones of hers."""
    found, clock = directory(), HandClock()
    born = clock.now() - timedelta(days=2)
    found.people[CORA] = Person(CORA, "Cora Cole", "cora@contoso.example")
    found.groups[COORDINATORS] = Group(COORDINATORS, "People", members={CORA}, role_assignable=True)
    for n in range(people + 1):
        one = Person(
            oid(21 + n),
            "Hugo Hall" if n == 0 else f"New Person{n:03d}",
            f"{'hugo' if n == 0 else f'new{n:03d}'}@contoso.example",
            usage_location="US",
            created_at=born,
        )
        found.people[one.oid] = one
        found.managers[one.oid] = MARTA
    async with house(path, rules=terms(**changed), outside=found, messenger=messenger, clock=clock) as h:
        yield h


def who(person: str) -> c.Who:
    return c.Who(c.WhoKind.OID, person)


async def begin(h: House, person: str = HUGO, by: str = CORA, *, on_behalf: bool = False) -> o.Outcome:
    return await h.desk.handle(oc.Onboard((who(person),), on_behalf=on_behalf), h.envelope(by))


async def invited(h: House, person: str = HUGO, by: str = CORA) -> o.Invitation:
    """Begun, and the person's own card."""
    await begin(h, person, by)
    await h.jobs.drain()
    return await card_of(h, person)


async def card_of(h: House, person: str = HUGO) -> o.Invitation:
    shown = await h.desk.handle(oc.OwnOnboarding(), h.envelope(person))
    assert isinstance(shown, o.Invitation), shown
    return shown


async def fill_in(
    h: House,
    card: c.CardRef,
    person: str = HUGO,
    number: str = NUMBER,
    region: str = "US",
    last_four: str = "",
) -> o.Outcome:
    command = oc.Register(card, Slot.MOBILE, region, number, last_four)
    return await h.desk.handle(command, h.envelope(person))


async def approve(h: House, change_id: str, by: str = MARTA, how: How = How.IN_PERSON) -> o.Outcome:
    change = await h.store.change(change_id)
    assert change is not None
    ref = h.parts.card_ref(change, by)
    return await h.desk.handle(c.Approve(c.RequestId(change.id), ref, how), h.envelope(by))


async def standing(h: House, person: str = HUGO) -> Onboarding:
    found = await h.store.onboarding_of(person)
    assert found is not None
    return found


def cards_to(h: House, person: str) -> list[str]:
    """Topics of the onboarding cards delivered to somebody."""
    kind = MessageKind.ONBOARDING
    return [m.topic for m in h.messenger.delivered if m.kind is kind and m.to_oid == person]
