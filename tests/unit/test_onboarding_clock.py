"""What the clock does about onboardings: reminders, the end, the daily report, the watch over the bridge."""

from __future__ import annotations

from pathlib import Path

from onboarding_house import CORA, HUGO, approve, card_of, cards_to, fill_in, invited, opened, standing, who

from bot.domain import onboarding_commands as oc
from bot.domain import outcome as o
from bot.domain.methods import Method
from bot.domain.onboarding import Bridge, Stage
from tests.doubles.directory import Fault
from tests.doubles.house import House, NotingMessenger


async def days(h: House, count: int) -> None:
    """So many days pass, one after the other."""
    for _ in range(count):
        h.clock.pass_by(days=1, seconds=1)
        await h.jobs.drain()


async def registered(h: House) -> None:
    sent = await fill_in(h, (await invited(h)).card)
    assert isinstance(sent, o.AwaitingApproval)
    await approve(h, sent.view.change.id)
    await h.jobs.drain()


async def test_silence_is_reminded_and_then_ends(tmp_path: Path) -> None:
    """Every three days, four times in a fortnight; then nobody asks any more, and the card does nothing."""
    async with opened(tmp_path) as h:
        card = await invited(h)
        await days(h, 30)
        assert cards_to(h, HUGO) == ["invite", *["reminder"] * 4, "redraw"]
        assert (await standing(h)).stage is Stage.SILENT
        assert isinstance(await fill_in(h, card.card), o.Refused)
        # A report a day as long as something was open, and then the news.
        assert cards_to(h, CORA).count("report") == 14
        assert cards_to(h, CORA).count("news") == 1


async def test_who_answered_is_not_reminded(tmp_path: Path) -> None:
    """Registered on the first day: no reminder in the weeks after."""
    async with opened(tmp_path) as h:
        await registered(h)
        await days(h, 20)
        assert "reminder" not in cards_to(h, HUGO)


async def test_something_stronger_is_noticed_and_asked_about_once(tmp_path: Path) -> None:
    """A passkey on the fifth day: at the next look the person chooses, and the coordinator hears it."""
    async with opened(tmp_path) as h:
        h.directory.profile = "default-guard"
        await registered(h)
        await days(h, 5)
        assert "bridge" not in cards_to(h, HUGO)
        h.directory.other_methods[HUGO] = (Method.PASSWORD, Method.FIDO2)
        await days(h, 30)
        assert cards_to(h, HUGO).count("bridge") == 1
        card = await card_of(h)
        assert card.asks is o.Asks.BRIDGE
        shown = await h.desk.handle(oc.ChooseBridge(Bridge.REMOVE, card.card), h.envelope(HUGO))
        assert isinstance(shown, o.Invitation)
        await h.jobs.drain()
        assert (await standing(h)).stage is Stage.SETTLED
        assert cards_to(h, CORA)[-1] == "news"
        assert len(h.directory.effects) == 1, "nothing is removed without a request"
        again = await h.desk.handle(oc.ChooseBridge(Bridge.KEEP, card.card), h.envelope(HUGO))
        assert isinstance(again, o.Refused)


async def test_the_watch_is_rare_and_ends(tmp_path: Path) -> None:
    """Seven looks in ninety days, then none: no polling for ever."""
    async with opened(tmp_path) as h:
        await registered(h)
        before = h.directory.calls.count("sign_in")
        await days(h, 120)
        assert h.directory.calls.count("sign_in") - before == 7
        assert (await standing(h)).stage is Stage.SETTLED


async def test_a_silent_directory_loses_nobody(tmp_path: Path) -> None:
    """Whose turn comes while the directory is away is looked at later, however often it is away."""
    async with opened(tmp_path, people=4) as h:
        people = [person for person in h.directory.people if person not in (CORA,)][-5:]
        h.directory.fail("protection", Fault.UNAVAILABLE, times=60)
        await h.desk.handle(oc.Onboard(tuple(map(who, people))), h.envelope(CORA))
        for _ in range(120):
            h.clock.pass_by(minutes=5)
            await h.jobs.drain()
        counts = await h.store.onboarding_counts(h.clock.now().replace(year=2020))
        assert counts == {Stage.INVITED: 5}


async def test_who_cannot_be_reached_is_listed_with_the_reason(tmp_path: Path) -> None:
    """At the reach, or only when the card is given up: both stand in the report with why."""
    lost = NotingMessenger(lost={HUGO: "they have blocked this app"})
    async with opened(tmp_path, messenger=lost) as h:
        await h.desk.handle(oc.Onboard((who(HUGO),)), h.envelope(CORA))
        await h.jobs.drain()
        report = await h.desk.handle(oc.Report(), h.envelope(CORA))
        assert isinstance(report, o.OnboardingReport)
        assert [(row.person.oid, row.stage) for row in report.rows] == [(HUGO, Stage.UNREACHABLE)]
        assert report.rows[0].why is not None
        assert "blocked" in report.rows[0].why.facts["why"]


async def test_the_app_is_installed_where_the_policy_says_so(tmp_path: Path) -> None:
    """Once, with its audited intent, and then the card goes out; where it is refused the report says so."""
    messenger = NotingMessenger(unreachable={HUGO: "this app is not installed for them in Teams"})
    async with opened(tmp_path, messenger=messenger, install=True) as h:
        await h.desk.handle(oc.Onboard((who(HUGO),)), h.envelope(CORA))
        await h.jobs.drain()
        assert h.directory.installed == [HUGO]
        messenger.unreachable.clear()
        h.clock.pass_by(seconds=21)
        await h.jobs.drain()
        assert cards_to(h, HUGO) == ["invite"]
        names = [record.event.name for record in (await h.store.history(HUGO, 50))[0]]
        assert names[::-1][:3] == ["onboarding:begun", "onboarding:installing", "onboarding:installed"]


async def test_an_installation_that_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    """The person stands in the report as not reached."""
    messenger = NotingMessenger(unreachable={HUGO: "this app is not installed for them in Teams"})
    async with opened(tmp_path, messenger=messenger, install=True) as h:
        h.directory.fail("install_app", Fault.REFUSED, times=9)
        await h.desk.handle(oc.Onboard((who(HUGO),)), h.envelope(CORA))
        for _ in range(5):
            h.clock.pass_by(minutes=1)
            await h.jobs.drain()
        assert h.directory.calls.count("install_app") == 1
        assert (await standing(h)).stage is Stage.UNREACHABLE


async def test_a_number_does_not_come_before_a_pass_that_is_due(tmp_path: Path) -> None:
    """Refused when asked for one; of several people that one is looked at again each day."""
    async with opened(tmp_path, people=1) as h:
        h.directory.passes_due.add(HUGO)
        refused = await h.desk.handle(oc.Onboard((who(HUGO),)), h.envelope(CORA))
        assert isinstance(refused, o.Refused)
        assert [each.code for each in refused.refusals] == ["conflict.onboarding-pass-due"]
        other = next(person for person in h.directory.people.values() if person.name.startswith("New"))
        await h.desk.handle(oc.Onboard((who(HUGO), who(other.oid))), h.envelope(CORA))
        await days(h, 2)
        assert (cards_to(h, other.oid), cards_to(h, HUGO)) == (["invite"], [])
        h.directory.passes_due.clear()
        await days(h, 1)
        assert cards_to(h, HUGO) == ["invite"]
