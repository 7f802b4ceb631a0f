"""Several new people: begun together, decided together but for some, each judged by itself."""

from __future__ import annotations

from pathlib import Path

from onboarding_house import CORA, HUGO, approve, begin, card_of, fill_in, invited, opened, standing, who

from bot.domain import onboarding_commands as oc
from bot.domain import outcome as o
from bot.domain.change import How
from bot.domain.command import Who, WhoKind
from bot.domain.onboarding import Stage
from tests.doubles.house import ADA, MARTA, House, oid

OTHERS = [oid(22 + n) for n in range(5)]


async def all_entered(h: House) -> None:
    """Six people with a number each, all waiting for Marta."""
    await h.desk.handle(oc.Onboard(tuple(map(who, (HUGO, *OTHERS)))), h.envelope(CORA))
    for _ in range(10):
        h.clock.pass_by(seconds=1)
        await h.jobs.drain()
    for n, person in enumerate((HUGO, *OTHERS)):
        sent = await fill_in(h, (await card_of(h, person)).card, person, f"206 555 01{40 + n}")
        assert isinstance(sent, o.AwaitingApproval), sent
    await h.jobs.drain()


async def listed(h: House, by: str = MARTA) -> o.NewPeopleList:
    shown = await h.desk.handle(oc.NewPeople(), h.envelope(by))
    assert isinstance(shown, o.NewPeopleList)
    return shown


async def test_all_but_some(tmp_path: Path) -> None:
    """One press: a vote for each but the chosen ones, who still wait; each write is one of its own."""
    async with opened(tmp_path, people=5) as h:
        await all_entered(h)
        shown = await listed(h)
        assert len(shown.views) == 6
        cards = tuple(view.card for view in shown.views)
        spared = frozenset(view.change.id for view in shown.views if view.change.target.oid in OTHERS[:2])
        press = oc.ApproveAllBut(cards, spared, How.IN_PERSON)
        done = await h.desk.handle(press, h.envelope(MARTA))
        assert isinstance(done, o.NewPeopleList)
        assert (done.approved, len(done.views)) == (4, 2)
        await h.jobs.drain()
        assert {effect.oid for effect in h.directory.effects} == {HUGO, *OTHERS[2:]}
        again = await h.desk.handle(press, h.envelope(MARTA))
        assert isinstance(again, o.NewPeopleList)
        assert again.approved == 0
        assert len(h.directory.effects) == 4
        for person in OTHERS[:2]:
            assert (await standing(h, person)).stage is Stage.SUBMITTED


async def test_another_persons_list_and_no_answer_how(tmp_path: Path) -> None:
    """Nothing is approved with cards that were drawn for somebody else, nor without saying how one knows."""
    async with opened(tmp_path, people=5) as h:
        await all_entered(h)
        shown = await listed(h)
        assert (await listed(h, ADA)).views == ()
        cards = tuple(view.card for view in shown.views)
        stolen = await h.desk.handle(oc.ApproveAllBut(cards, how=How.IN_PERSON), h.envelope(ADA))
        assert isinstance(stolen, o.Refused)
        silent = await h.desk.handle(oc.ApproveAllBut(cards), h.envelope(MARTA))
        assert isinstance(silent, o.NewPeopleList)
        assert silent.refusals[0].code == "usage.how-missing"
        unknown = await h.desk.handle(oc.ApproveAllBut(cards, how=How.DID_NOT), h.envelope(MARTA))
        assert isinstance(unknown, o.NewPeopleList)
        assert unknown.approved == 0
        await h.jobs.drain()
        assert h.directory.effects == []


async def test_on_which_line(tmp_path: Path) -> None:
    """Where the policy asks: without it an approval does not count; with it it stands in the vote, masked."""
    async with opened(tmp_path, known_line=True) as h:
        sent = await fill_in(h, (await invited(h)).card)
        assert isinstance(sent, o.AwaitingApproval)
        change = sent.view.change
        without = await approve(h, change.id)
        assert isinstance(without, o.Refused)
        assert without.refusals[0].code == "usage.line-missing"
        shown = await listed(h)
        assert shown.views[0].wants_line
        line = "desk phone +1 206 555 0199"
        press = oc.ApproveAllBut((shown.views[0].card,), how=How.KNOWN_NUMBER, line=line)
        await h.desk.handle(press, h.envelope(MARTA))
        found = await h.store.change(change.id)
        assert found is not None
        assert found.votes[0].because.startswith("desk phone")
        assert "5550199" not in found.votes[0].because.replace(" ", "")


async def test_digits_typed_twice(tmp_path: Path) -> None:
    """Where the policy asks for them they must fit; the approver reads that they did."""
    async with opened(tmp_path, last_four=True) as h:
        card = await invited(h)
        assert card.last_four
        wrong = await fill_in(h, card.card, last_four="0148")
        assert isinstance(wrong, o.Invitation)
        assert [field for field, _ in wrong.errors] == ["last_four"]
        sent = await fill_in(h, card.card, last_four="0147")
        assert isinstance(sent, o.AwaitingApproval)
        assert "last-four-typed-twice" in sent.view.change.notes


async def test_a_name_that_fits_several_is_never_picked(tmp_path: Path) -> None:
    """The coordinator chooses; a manager is asked to choose among their own only."""
    async with opened(tmp_path, people=3) as h:
        for by in (CORA, MARTA):
            shown = await h.desk.handle(oc.Onboard((Who(WhoKind.NAME, "new"),)), h.envelope(by))
            assert isinstance(shown, o.Choice)
            assert len(shown.people) == 3
        assert isinstance(await begin(h, HUGO, MARTA), o.Invitation)


async def test_too_many_and_nobody(tmp_path: Path) -> None:
    """Neither a whole company nor an empty group begins anything."""
    async with opened(tmp_path) as h:
        nobody = await h.desk.handle(oc.Onboard(group=oid(999)), h.envelope(CORA))
        assert isinstance(nobody, o.Refused)
        assert nobody.refusals[0].code == "usage.onboarding-nobody"
        assert isinstance(await h.desk.handle(oc.Onboard(days=14), h.envelope(MARTA)), o.Refused)
        assert await h.store.onboarding_counts(h.clock.now().replace(year=2000)) == {}
