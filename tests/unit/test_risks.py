"""Risk signals: a table from circumstances to signals, with the facts that their sentences need."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.methods import Default, Method, SignIn
from bot.domain.numbers import Holding
from bot.domain.people import Person, Phones, Protection
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Risk, RiskTerms
from bot.domain.signals import Signal
from bot.ports import Recent
from bot.workflow.holders import Holders
from bot.workflow.planning import Case, Facts
from bot.workflow.risks import Circumstances, found_in
from tests.doubles.house import ALICE, NED, OLIVIA, house, policy

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CREATED = datetime(2025, 1, 7, 9, 0, tzinfo=UTC)
HERE, ABROAD = PhoneNumber("1", "2065550100"), PhoneNumber("370", "61234567")
PERSON = Person(ALICE, "Alice Anders", "alice@contoso.example", usage_location="US", created_at=CREATED)
OFFICE_HOURS = RiskTerms(opens=8 * 60, closes=18 * 60, timezone="Europe/Vilnius")
NIGHT_SHIFT = replace(OFFICE_HOURS, opens=22 * 60, closes=6 * 60, timezone="UTC")
VILNIUS = ("zone", "Europe/Vilnius")
STRONGER = (Method.PASSWORD, Method.AUTHENTICATOR)


def around(**changed: object) -> Circumstances:
    """A quiet morning: a number of the same country replaces a mobile that nobody else has.

    case, facts, target: replace parts; everything else is a field of the circumstances.
    """
    case = Case(OLIVIA, PERSON, Action.SET, Slot.MOBILE, HERE)
    facts = Facts(Phones({Slot.MOBILE: PhoneNumber("1", "2065550112")}), Protection(), frozenset())
    parts = {name: changed.pop(name, {}) for name in ("case", "facts", "target")}
    case = replace(case, **{"target": replace(PERSON, **parts["target"]), **parts["case"]})  # type: ignore[dict-item,arg-type]
    facts = replace(facts, **parts["facts"])  # type: ignore[arg-type]
    whole = Circumstances(MONDAY, RiskTerms(), case, facts)
    return replace(whole, **changed)  # type: ignore[arg-type]


def held_by(*oids: str) -> Holders:
    return Holders(tuple(Holding(oid, Slot.MOBILE, MONDAY, False) for oid in oids))


def at(**ago: float) -> datetime:
    return MONDAY - timedelta(**ago)


NOTHING_HELD = {"phones": Phones()}
TABLE: list[tuple[str, Circumstances, tuple[Signal, ...]]] = [
    ("a quiet morning", around(), ()),
    ("vip", around(facts={"vip": True}), (Signal(Risk.VIP),)),
    (
        "another country than the phone held",
        around(case={"number": ABROAD}),
        (Signal(Risk.COUNTRY, facts=(("new", "+370"), ("held", "+1"))),),
    ),
    (
        "a country that one of the phones has",
        around(
            case={"number": ABROAD}, facts={"phones": Phones({Slot.MOBILE: HERE, Slot.ALTERNATE: ABROAD})}
        ),
        (),
    ),
    (
        "another country than the account's location, no phone held",
        around(case={"number": ABROAD}, facts=NOTHING_HELD),
        (Signal(Risk.COUNTRY, "location", (("new", "+370"), ("location", "US"))),),
    ),
    ("the country of the location", around(facts=NOTHING_HELD), ()),
    (
        "no phone and no location",
        around(case={"number": ABROAD}, facts=NOTHING_HELD, target={"usage_location": None}),
        (),
    ),
    (
        "a location that is no country",
        around(case={"number": ABROAD}, facts=NOTHING_HELD, target={"usage_location": "XX"}),
        (),
    ),
    ("no hours in the policy, on a Sunday", around(now=at(days=1)), ()),
    ("inside the hours", around(terms=OFFICE_HOURS), ()),
    (
        "before the hours, by the clock of the policy's zone",
        around(terms=OFFICE_HOURS, now=at(hours=3, minutes=1)),
        (Signal(Risk.HOURS, facts=(("local", "2026-03-02 07:59"), VILNIUS)),),
    ),
    ("at the opening minute", around(terms=OFFICE_HOURS, now=at(hours=3)), ()),
    (
        "at the closing minute",
        around(terms=OFFICE_HOURS, now=at(hours=-7)),
        (Signal(Risk.HOURS, facts=(("local", "2026-03-02 18:00"), VILNIUS)),),
    ),
    (
        "on a Sunday",
        around(terms=OFFICE_HOURS, now=at(days=1)),
        (Signal(Risk.HOURS, "day", (("local", "2026-03-01 11:00"), VILNIUS)),),
    ),
    ("in a night that began on a Friday", around(terms=NIGHT_SHIFT, now=at(days=2, hours=5)), ()),
    (
        "in a night that began on a Sunday",
        around(terms=NIGHT_SHIFT, now=at(hours=5)),
        (Signal(Risk.HOURS, "day", (("local", "2026-03-02 04:00"), ("zone", "UTC"))),),
    ),
    (
        "by day, where work is by night",
        around(terms=NIGHT_SHIFT),
        (Signal(Risk.HOURS, facts=(("local", "2026-03-02 09:00"), ("zone", "UTC"))),),
    ),
    (
        "a number that others have",
        around(holders=held_by(NED, OLIVIA)),
        (Signal(Risk.SHARED, facts=(("count", "2"),)),),
    ),
    (
        "a number that somebody else is to get",
        around(recent=Recent(same_number=1)),
        (Signal(Risk.SHARED, "asked", (("count", "1"),)),),
    ),
    ("not everybody was looked at", around(holders=Holders(complete=False)), (Signal(Risk.INDEX),)),
    (
        "one change of the person already",
        around(recent=Recent(of_target=1)),
        (Signal(Risk.SECOND, facts=(("count", "2"),)),),
    ),
    ("as many requests as are usual", around(recent=Recent(by_requester=9)), ()),
    (
        "more requests than are usual",
        around(recent=Recent(by_requester=10)),
        (Signal(Risk.BURST, facts=(("count", "11"),)),),
    ),
    ("no burst is set", around(recent=Recent(by_requester=99), terms=RiskTerms(burst_per_hour=0)), ()),
    (
        "a first phone beside a stronger method",
        around(facts={**NOTHING_HELD, "sign_in": SignIn(methods=STRONGER, default=Default.PUSH)}),
        (Signal(Risk.FIRST_PHONE),),
    ),
    (
        "the last method goes",
        around(
            case={"action": Action.REMOVE, "number": None},
            facts={"sign_in": SignIn(methods=(Method.PASSWORD, Method.PHONE), default=Default.SMS)},
        ),
        (Signal(Risk.LAST_METHOD),),
    ),
    (
        "a phone goes, the methods cannot be read",
        around(case={"action": Action.REMOVE, "number": None}),
        (),
    ),
    (
        "the password was changed an hour ago",
        around(target={"password_changed_at": at(hours=1)}),
        (Signal(Risk.RESET, facts=(("at", at(hours=1).isoformat()),)),),
    ),
    ("the password was changed long ago", around(target={"password_changed_at": at(hours=24)}), ()),
    (
        "the password came with a new account",
        around(target={"created_at": at(hours=1), "password_changed_at": at(minutes=59)}),
        (),
    ),
    (
        "a pass was issued, and an old one is there",
        around(facts={"sign_in": SignIn(passes=(at(days=9), at(minutes=5)))}),
        (Signal(Risk.TAP, facts=(("at", at(minutes=5).isoformat()),)),),
    ),
]


@pytest.mark.parametrize(("what", "given", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_signals(what: str, given: Circumstances, expected: tuple[Signal, ...]) -> None:
    """Each circumstance gives exactly its signal; what is not known gives none."""
    assert found_in(given) == expected


def test_every_signal_can_come() -> None:
    """No word of the policy's grammar is without a circumstance."""
    assert {signal.risk for _, given, _ in TABLE for signal in found_in(given)} == set(Risk)


async def test_what_was_asked_before_counts(tmp_path: Path) -> None:
    """From the store: the requester's pace, the person's changes of the day, a number asked for already."""
    terms = RiskTerms(burst_per_hour=2)
    async with house(tmp_path, rules=policy(risk=terms, shared_number_max=0)) as h:
        seen = []
        for who, slot in ((NED, Slot.MOBILE), (ALICE, Slot.MOBILE), (ALICE, Slot.OFFICE)):
            order = c.SetPhone(c.Who(c.WhoKind.OID, who), slot, "+1 206 555 0100", "lost phone")
            shown = await h.desk.handle(order, h.envelope(OLIVIA))
            assert isinstance(shown, o.Preview), shown
            await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
            sent = await h.store.change(shown.view.change.id)
            assert sent is not None
            assert sent.risks == shown.view.change.risks
            seen.append([signal for signal in sent.risks if signal.risk is not Risk.INDEX])
        asked = Signal(Risk.SHARED, "asked", (("count", "1"),))
        second, burst = (
            Signal(risk, "", (("count", n),)) for risk, n in ((Risk.SECOND, "2"), (Risk.BURST, "3"))
        )
        assert seen == [[], [asked], [second, burst]]
