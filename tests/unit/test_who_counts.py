"""Who counts as a manager, who stands in for whom, and what is said where the directory is silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import State
from bot.domain.people import Person
from bot.domain.policy import Deciding, Policy, Step, Token, TokenKind
from tests.doubles.directory import Fault
from tests.doubles.house import ADA, ALICE, GLENN, MARTA, NED, OLIVIA, SAM, House, house
from tests.unit.asking import approve, ask, pending, refusal, state
from tests.unit.test_waiting import asked, now, ruled, staffed

MANAGER, SECOND = Token(TokenKind.MANAGER), Token(TokenKind.SECOND_MANAGER)
APPROVER = Token(TokenKind.ROLE, "approver")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def terms(**values: object) -> Policy:
    rules = ruled(Step((MANAGER,), 1, (APPROVER,)))
    return replace(rules, deciding=Deciding(**values))  # type: ignore[arg-type]  # fields of it


@pytest.fixture
def rules() -> Policy:
    return terms(stand_ins=True)


@pytest.fixture
async def h(tmp_path: Path, rules: Policy) -> AsyncIterator[House]:
    async with house(tmp_path, rules=rules, outside=staffed()) as opened:
        yield opened


def change_person(h: House, oid: str, **fields: object) -> None:
    h.directory.people[oid] = replace(h.directory.people[oid], **fields)  # type: ignore[arg-type]


async def said(h: House, sent: o.AwaitingApproval) -> str:
    """Everything the card says about who is asked."""
    change = await now(h, sent)
    return " ".join([*change.notes, *(text for step in change.steps for text in step.missing)])


@pytest.mark.parametrize("rules", [terms(manager_account_days=14)])
@pytest.mark.parametrize(("age", "counts"), [(13, False), (14, True), (None, True)])
async def test_the_age_of_the_managers_account(h: House, age: int | None, counts: bool) -> None:
    """A younger account does not count and the card says why; an age that is not known is said."""
    change_person(h, MARTA, created_at=None if age is None else START - timedelta(days=age))
    sent = await pending(h)
    assert asked(h) == ({MARTA} if counts else {ADA, NED})
    words = await said(h, sent)
    assert ("13 days old; the policy wants 14 days" in words) is not counts
    assert ("account of Marta Mink is cannot be read" in words) is (age is None)


@pytest.mark.parametrize("rules", [terms(manager_relation_days=7)])
async def test_a_manager_of_yesterday(h: House) -> None:
    """A relation that was changed lately does not count; the manager decides nothing."""
    h.directory.manager_changes[ALICE] = START - timedelta(days=1)
    sent = await pending(h)
    assert asked(h) == {ADA, NED}
    assert "the manager of Alice Anders was changed 1 day ago; the policy wants 7 days" in await said(h, sent)
    assert refusal(await approve(h, sent)).code == "usage.request-unknown"


@pytest.mark.parametrize("rules", [terms(manager_relation_days=7)])
async def test_a_relation_that_changes_after_the_submit(h: House) -> None:
    """The manager is judged again at the vote."""
    sent = await pending(h)
    assert asked(h) == {MARTA}
    h.directory.manager_changes[ALICE] = START - timedelta(hours=1)
    assert refusal(await approve(h, sent)).code == "access.not-approver"


@pytest.mark.parametrize("rules", [terms(manager_relation_days=7)])
async def test_a_log_that_cannot_be_read_is_said_not_held_against_anybody(h: House) -> None:
    """Without the log the manager counts, and the approver reads that nobody could tell."""
    h.directory.fail("manager_changed", Fault.UNAVAILABLE, times=100)
    sent = await pending(h)
    assert asked(h) == {MARTA}
    assert "Since when Marta Mink is the manager of Alice Anders cannot be read" in await said(h, sent)


@pytest.mark.parametrize(
    "rules", [replace(ruled(Step((SECOND,), 1, (APPROVER,))), deciding=Deciding(manager_relation_days=7))]
)
async def test_both_relations_of_a_managers_manager_count(h: House) -> None:
    """Whoever bent the first relation would choose the second manager, too."""
    h.directory.manager_changes[ALICE] = START - timedelta(days=1)
    await pending(h)
    assert asked(h) == {ADA, NED}


async def test_somebody_stands_in(h: House) -> None:
    """Whom the directory names is asked in the place of a manager who is out, decides, and is written."""
    h.directory.stand_ins[MARTA] = SAM
    await h.desk.handle(c.Out("friday"), h.envelope(MARTA))
    sent = await pending(h)
    assert asked(h) == {SAM}
    stand_in = next(each for each in (await now(h, sent)).steps[0].asked if each.person.oid == SAM)
    assert stand_in.stands_for == MARTA
    assert isinstance(await approve(h, sent, by=SAM), o.Working)
    await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED


async def test_whoever_no_longer_stands_in_does_not_decide(h: House) -> None:
    """The directory is asked again at the vote, and the manager must still be the manager."""
    h.directory.stand_ins[MARTA] = SAM
    await h.desk.handle(c.Out("friday"), h.envelope(MARTA))
    sent = await pending(h)
    h.directory.stand_ins[MARTA] = NED
    assert refusal(await approve(h, sent, by=SAM)).code == "access.not-approver"
    h.directory.stand_ins[MARTA] = SAM
    h.directory.managers[ALICE] = NED
    assert refusal(await approve(h, sent, by=SAM)).code == "access.not-approver"


@pytest.mark.parametrize(
    ("who", "why"),
    [(OLIVIA, "made the request"), (ALICE, "is the person concerned"), (GLENN, "is a guest")],
)
async def test_every_check_applies_to_a_stand_in(h: House, who: str, why: str) -> None:
    """Nobody becomes an approver by being named; the fallback is asked and the card says why."""
    h.directory.stand_ins[MARTA] = who
    await h.desk.handle(c.Out("friday"), h.envelope(MARTA))
    sent = await pending(h)
    assert asked(h) == {ADA, NED}
    assert f"who stands in for Marta Mink, {why}" in await said(h, sent)


async def test_no_chains(h: House) -> None:
    """A stand-in who is out is passed over; whom they named in turn is nobody here."""
    h.directory.stand_ins |= {MARTA: SAM, SAM: NED}
    h.directory.people["x"] = Person("x", "X", "x@contoso.example")
    await h.desk.handle(c.Out("friday"), h.envelope(MARTA))
    await h.desk.handle(c.Out("friday"), h.envelope(SAM))
    sent = await pending(h)
    assert asked(h) == {ADA, NED}
    assert "Sam Sander (manager) is out until 6 Mar" in await said(h, sent)


@pytest.mark.parametrize("rules", [terms(stand_ins=False), terms(stand_ins=True)])
async def test_stand_ins_are_off_unless_the_policy_wants_them(h: House, rules: Policy) -> None:
    """Off: nobody is asked who stands in. On, but not readable: the fallback, and it is said."""
    h.directory.stand_ins[MARTA] = SAM
    h.directory.fail("stand_in", Fault.UNAVAILABLE, times=100)
    await h.desk.handle(c.Out("friday"), h.envelope(MARTA))
    sent = await pending(h)
    assert asked(h) == {ADA, NED}
    assert ("stand_in" in h.directory.calls) is rules.deciding.stand_ins
    assert ("who stands in for Marta Mink cannot be read" in await said(h, sent)) is rules.deciding.stand_ins


async def test_whoever_has_a_part_never_counts(h: House) -> None:
    """B12: requester, target and those who were excluded are not asked and refused by name."""
    h.directory.managers[ALICE] = OLIVIA
    sent = await pending(h)
    assert asked(h) == {ADA, NED}
    assert "Olivia Ode (manager) made the request" in await said(h, sent)
    assert refusal(await h.desk.handle(ask(OLIVIA), h.envelope(OLIVIA))).code == "policy.own-number"
