"""Rules with several people, people who are away, and time, played over HTTP; days pass by the clock."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from stage import Stage

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
ALICE_00 = ("alice", "mobile", "+1 2065550100")
_MANAGER = 'steps = [{ approvers = ["manager-of-target"], need = 1, fallback = ["role:approver"] }]'


def _steps(*steps: str, more: str = "") -> Callable[[str], str]:
    """The demo's policy with other steps, and other keys, in its first rule."""
    return lambda text: text.replace(_MANAGER, f"steps = [{', '.join(steps)}]\n{more}", 1)


def _step(*approvers: str, need: str = "1", fallback: str = "") -> str:
    names = ", ".join(f'"{each}"' for each in approvers)
    extra = f', fallback = ["{fallback}"]' if fallback else ""
    return f"{{ approvers = [{names}], need = {need}{extra} }}"


POLICIES = {
    "two steps": _steps(_step("manager-of-target"), _step("role:security")),
    "two people": _steps(_step("role:approver", need="2")),
    "all": _steps(_step("role:security", need='"all"')),
    "the manager": lambda text: text,
    "escalation": _steps(
        _step("manager-of-target", fallback="role:approver"),
        more="remind_minutes = 60\nescalate_minutes = 240",
    ),
    "cooling": _steps(_step("manager-of-target"), more="cooling_minutes = 1440"),
    "a cap": lambda text: text + "\n[limits]\nopen_per_approver = 2\nopen_per_requester = 0\n",
}


@pytest.fixture
async def stage(opened: Opened, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """The company under the policy that the test names."""
    async with opened(policy=POLICIES[request.param]) as there:
        yield there


def under(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", [name], indirect=True)


@under("two steps")
async def test_two_steps(stage: Stage) -> None:
    """Security is asked when the manager has approved, sees that, and only then it is written."""
    await stage.pending()
    assert await stage.from_bot("sven") == []
    await stage.click("marta", "Approve")
    await stage.settle()
    assert "Waiting for" in await stage.text("olivia")
    assert "Sven Sandgren" in await stage.text("olivia")
    seen = await stage.text("sven")
    assert "Your decision is needed" in seen
    assert "Marta Mayfair" in seen
    assert await stage.effects() == []
    await stage.click("sven", "Approve")
    await stage.ends_with(ALICE_00, audited=("change:mobile:asked", "change:mobile:applied"))


@under("two people")
async def test_two_of_a_role(stage: Stage) -> None:
    """The first yes is shown to the second approver; the same person twice is told that it counts."""
    printed = await stage.pending()
    await stage.click("arthur", "Approve")
    await stage.settle()
    assert "Arthur Appleby" in await stage.text("astrid")
    assert "conflict.counted-before" in await stage.ask("arthur", f"approve {printed} in person")
    assert await stage.effects() == []
    await stage.click("astrid", "Approve")
    await stage.ends_with(ALICE_00)


@under("all")
async def test_everybody_of_a_role(stage: Stage) -> None:
    """Each person of security is waited for."""
    await stage.pending()
    await stage.click("sven", "Approve")
    await stage.settle()
    assert await stage.effects() == []
    await stage.click("selma", "Approve")
    await stage.ends_with(ALICE_00)


@under("the manager")
async def test_a_manager_who_is_out(stage: Stage) -> None:
    """The open request goes on at once, the next one does not come; the card says why; `back` ends it."""
    await stage.pending()
    await stage.settle()
    day = (stage.clock.now().date().toordinal()) + 9
    date = type(stage.clock.now().date()).fromordinal(day)
    said = await stage.ask("marta", f"out until {date.isoformat()}")
    assert f"You are out until {date.day} {date:%b}" in said
    await stage.settle()
    assert "is out until" in await stage.text("olivia")
    assert "Alice Anders" in await stage.text("arthur")
    await stage.click("astrid", "Approve")
    await stage.ends_with(ALICE_00, audited=("absence:person:out", "change:mobile:asked-others"))
    assert "You are here" in await stage.ask("marta", "back")
    assert "usage.date-unclear" in await stage.ask("marta", "out until next friday")


@under("escalation")
async def test_reminder_then_others(stage: Stage) -> None:
    """After an hour the manager gets the card once more; after four others are asked, and it is told."""
    await stage.pending()
    await stage.settle()
    before = len(await stage.from_bot("marta"))
    await stage.later(minutes=60)
    assert len(await stage.from_bot("marta")) == before + 1
    assert await stage.from_bot("arthur") == []
    await stage.later(minutes=180)
    assert "Your decision is needed" in await stage.text("arthur")
    assert "Asked instead" in await stage.text("olivia")
    await stage.click("arthur", "Approve")
    await stage.ends_with(ALICE_00, audited=("change:mobile:reminded", "change:mobile:asked-others"))


@under("the manager")
async def test_nudge(stage: Stage) -> None:
    """The requester reminds three times; the fourth is refused with what to do instead."""
    printed = await stage.pending()
    await stage.settle()
    before = len(await stage.from_bot("marta"))
    for _ in range(3):
        assert "Waiting for" in await stage.ask("olivia", f"nudge {printed}")
        await stage.settle()
    assert len(await stage.from_bot("marta")) == before + 3
    assert "policy.nudged-enough" in await stage.ask("olivia", f"nudge {printed}")
    await stage.ends_with(audited=("change:mobile:nudged",))


@under("cooling")
async def test_cooling_then_cancel(stage: Stage) -> None:
    """Agreed, it waits a day and says until when; cancelled before that, nothing is ever written."""
    printed = await stage.pending()
    await stage.click("marta", "Approve")
    await stage.settle()
    assert "It starts" in await stage.text("olivia")
    await stage.later(hours=23)
    assert "conflict.cancelled" in await stage.ask("olivia", f"cancel {printed}")
    await stage.later(hours=48)
    await stage.ends_with(audited=("change:mobile:cooling", "change:mobile:cancelled"))


@under("cooling")
async def test_cooling_then_done(stage: Stage) -> None:
    """A day after the last vote it is written by itself."""
    await stage.pending()
    await stage.click("marta", "Approve")
    await stage.settle()
    await stage.later(hours=23, minutes=59)
    assert await stage.effects() == []
    await stage.later(minutes=2)
    await stage.ends_with(ALICE_00)


@under("a cap")
async def test_the_request_beyond_the_cap_is_held(stage: Stage) -> None:
    """The third request for one manager is refused, security reads it; after a decision there is room."""
    people = ("alice", "tessa", "penny")
    for who, number in zip(people, ("+1 206 555 0100", "+1 206 555 0144", "+1 206 555 0145"), strict=True):
        await stage.previewed(who, number)
        if who != "penny":
            await stage.click("olivia", "Submit for approval")
    assert "policy.approvers-full" in await stage.text("olivia")
    await stage.settle()
    assert "Too many requests wait for Marta Mayfair" in await stage.text("sven")
    await stage.click("marta", "Approve")
    await stage.settle()
    await stage.pending("penny", "+1 206 555 0145")


@under("escalation")
async def test_many_reminders_are_one(stage: Stage) -> None:
    """Whoever has many waiting is reminded by the one card, posted anew once; the old one goes."""
    names = ("alice", "tessa", "penny", "alma", "toby", "sasha", "sybil", "cyrus")
    for n, who in enumerate(names):
        await stage.pending(who, f"+1 206 555 01{50 + n}")
    await stage.settle()
    before = {entry["activity_id"] for entry in await stage.from_bot("marta")}
    await stage.later(minutes=61)
    after = {entry["activity_id"] for entry in await stage.from_bot("marta")}
    assert len(after - before) == 1
    assert len(before - after) == 1
    assert "You have 8 requests waiting" in await stage.text("marta")


@under("the manager")
async def test_one_card_instead_of_many(stage: Stage) -> None:
    """From the sixth on an approver gets one card with the number, which stays current, and the list."""
    names = ("alice", "tessa", "penny", "alma", "toby", "sasha", "sybil", "cyrus")
    for n, who in enumerate(names):
        await stage.pending(who, f"+1 206 555 01{50 + n}")
    await stage.settle()
    cards = [entry for entry in await stage.from_bot("marta") if entry["actions"]]
    assert len(cards) == 6
    assert "You have 8 requests waiting" in await stage.all_text("marta")
    listed = await stage.ask("marta", "approvals")
    assert len(set(re.findall(r"R-[0-9A-Z]{6}-", listed))) == 8
    await stage.click("marta", "Approve", activity_id=cards[0]["activity_id"])
    await stage.settle()
    assert "You have 7 requests waiting" in await stage.all_text("marta")


@under("two people")
async def test_two_accounts_of_one_person(stage: Stage) -> None:
    """B9: the second account of the requester is not asked, and refused by name when it decides all the same;
    whose employee id is not known stands on the card."""
    await stage.join("operator", "wandaadmin")
    await stage.join("approver", "wanda")
    await stage.patch("wanda", employee_id=None)
    printed = await stage.pending(by="wandaadmin")
    await stage.settle()
    seen = await stage.text("arthur")
    assert "No employee id in the directory for Wanda Wetherby" in seen
    await stage.patch("wanda", employee_id="E7001")
    refused = await stage.ask("wanda", f"approve {printed} in person")
    assert "access.same-person" in refused
    assert "Wanda Wetherby (admin)" in refused
    await stage.click("wandaadmin", "Cancel the request")
    await stage.pending(by="wandaadmin")
    await stage.settle()
    assert "Wanda Wetherby (" not in await stage.text("wandaadmin")
    await stage.ends_with()
