"""What stops changes and what comes after, over HTTP: freeze, pause, undo, emergencies and their review."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from stage import Stage

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
ALICE_00 = ("alice", "mobile", "+1 2065550100")
ASK = "set mobile for alice to +1 206 555 0100 because lost phone INC1234"
EMERGENCY = """
[[approval]]
name = "emergency"
action = ["set"]
target = ["ordinary"]
requester = ["security"]
steps = []
break_glass = true
"""


def with_emergency(text: str) -> str:
    """The demo's policy with a rule of emergencies before the others."""
    return text.replace("\n[[approval]]", EMERGENCY + "\n[[approval]]", 1)


async def play(stage: Stage, lines: str) -> None:
    """The written language of the sandbox."""
    async with stage.player() as player:
        for line in lines.splitlines():
            await player.line(line.strip())


async def test_a_freeze_as_everybody_meets_it(any_stage: Stage) -> None:
    """The person freezes, operator and approver are told, security is alerted; two of them lift it."""
    await play(
        any_stage,
        f"""
        {ASK}
        /click Submit for approval
        /expect Waiting for approval
        /as alice
        /expect Somebody asked to change your phone
        freeze me
        /expect Your phones are frozen here
        /expect Signing in works as before
        /as sven
        /expect Alice Anders is frozen
        /expect They froze it themselves
        /as marta
        /fill how in-person
        /click Approve
        /expect Alice Anders is frozen
        /expect policy.frozen
        /writes 0
        /as olivia
        set office for alice to +1 206 555 0123 because new desk
        /expect policy.frozen
        unfreeze alice
        /expect access.not-allowed
        freeze tessa because strange
        /expect access.not-allowed
        /as alice
        unfreeze alice
        /expect access.not-allowed
        /as sven
        unfreeze alice
        /expect 1 more of security must lift it
        show alice
        /expect Frozen
        /as selma
        unfreeze alice
        /expect No longer frozen
        /as alice
        /expect Your phones are no longer frozen
        /as marta
        /fill how in-person
        /click Approve
        /expect-all Done
        """,
    )
    frozen = ("person:freeze:set", "person:freeze:lifted-once", "person:freeze:ended")
    await any_stage.ends_with(ALICE_00, audited=frozen)


async def standing(stage: Stage, who: str, *words: str) -> int:
    """How many cards in somebody's chat say one of these words now."""
    shown = [json.dumps(entry) for entry in await stage.from_bot(who)]
    return sum(any(word in text for word in words) for text in shown)


async def test_pages_about_a_freeze_stay_true(any_stage: Stage) -> None:
    """When it is lifted, the alerts and the answers of everybody who was told say so, with no button left."""
    await play(
        any_stage,
        """
        /as alice
        freeze me
        /expect Your phones are frozen here
        /as selma
        /expect Alice Anders is frozen
        /as sven
        /expect Alice Anders is frozen
        unfreeze alice
        /expect 1 more of security must lift it
        /as selma
        unfreeze alice
        /expect No longer frozen
        """,
    )
    await any_stage.settle()
    for who in ("alice", "sven", "selma"):
        assert await standing(any_stage, who, "No longer frozen") >= 2, who
        assert await standing(any_stage, who, "is frozen", "are frozen", "unfreeze") == 0, who
    assert await any_stage.sql("SELECT id FROM posted_cards") == []


async def test_pages_about_the_pause_stay_true(any_stage: Stage) -> None:
    """When writing goes on, nobody's page says that nothing is written."""
    await play(
        any_stage,
        """
        /as adam
        pause because a strange burst
        /expect Nothing is written now
        /as sven
        /expect Nothing is written now
        /as adam
        resume
        /expect Approved requests are carried out
        """,
    )
    await any_stage.settle()
    for who in ("adam", "sven"):
        assert await standing(any_stage, who, "Approved requests are carried out") >= 2, who
        assert await standing(any_stage, who, "Nothing is written now") == 0, who


async def test_security_freezes_and_repairs(any_stage: Stage) -> None:
    """Whoever froze cannot lift; another of security asks for a change, and two people decide it."""
    await play(
        any_stage,
        f"""
        /as sven
        {ASK}
        /expect access.not-allowed
        freeze alice because somebody rang and claimed to be her
        /expect Alice Anders is frozen
        unfreeze alice
        /expect access.lift-barred
        {ASK}
        /expect policy.frozen
        /as alice
        /expect Your phones are frozen here
        /as selma
        /expect somebody rang and claimed to be her
        {ASK}
        /expect +1 •••••• 00
        /click Submit for approval
        /expect Waiting for approval
        /as marta
        /fill how in-person
        /click Approve
        /writes 0
        /as arthur
        /fill how in-person
        /click Approve
        /expect-all Done
        """,
    )
    await any_stage.ends_with(ALICE_00, audited=("person:freeze:set", "change:mobile:applied"))


async def test_paused_everything_waits_and_says_so(any_stage: Stage) -> None:
    """I9: approvals go on, nothing is written, the card names who paused; then it is carried out."""
    await play(
        any_stage,
        f"""
        pause because I say so
        /expect access.not-allowed
        /as adam
        pause because a strange burst
        /expect Nothing is written now
        /as sven
        /expect Nothing is written now
        /as olivia
        {ASK}
        /click Submit for approval
        /expect paused carrying out
        /as marta
        /fill how in-person
        /click Approve
        /as olivia
        /expect a strange burst
        /writes 0
        /as adam
        resume
        /expect Approved requests are carried out
        """,
    )
    for _ in range(6):
        await any_stage.later(seconds=20)
        if await any_stage.effects():
            break
    await any_stage.ends_with(ALICE_00, audited=("switch:pause:closed", "switch:pause:opened"))


async def test_undo_from_the_card(any_stage: Stage) -> None:
    """The button on the applied card prepares it; approved like any other, the earlier number is back."""
    await play(
        any_stage,
        f"""
        {ASK}
        /click Submit for approval
        /as marta
        /fill how in-person
        /click Approve
        /expect-all Done
        /as olivia
        /click Undo …
        /expect Undo: the mobile of Alice Anders is +1 •••••• 10 again
        /expect-not 5550110
        /click Submit for approval
        /as alice
        /expect your mobile becomes +1 •••••• 10 again
        /as marta
        /expect Undo a change for Alice Anders?
        /fill how in-person
        /click Approve
        /expect Done
        /number alice mobile +1 2065550110
        /as olivia
        undo {{id}}
        /expect conflict.undo
        """,
    )
    await any_stage.ends_with(ALICE_00, ("alice", "mobile", "+1 2065550110"))


async def test_an_emergency_and_its_review(opened: Opened) -> None:
    """Nobody is waited for; the person and security hear at once; another of security presses Reviewed."""
    async with opened(policy=with_emergency) as stage:
        await play(
            stage,
            f"""
            /as sven
            {ASK}
            /expect Break-glass
            /expect emergency
            /click Submit
            /as selma
            /expect Break-glass
            /expect Done
            /as alice
            /expect Break-glass
            /as sven
            review {{id}}
            /expect access.review-own
            /as selma
            /click Reviewed
            /expect Reviewed by
            /expect Selma
            """,
        )
        await stage.ends_with(ALICE_00, audited=("change:mobile:submitted", "change:mobile:reviewed"))


async def test_an_emergency_that_nobody_reviews(opened: Opened) -> None:
    """After a day security is alarmed again."""
    async with opened(policy=with_emergency) as stage:
        await play(stage, f"/as sven\n{ASK}\n/expect Break-glass\n/click Submit\n/as selma\n/expect Done")
        await stage.later(hours=24, minutes=1)
        await stage.settle()
        assert "change:mobile:review-overdue" in await stage.audit_names()
        assert "not reviewed in time" in stage.log.getvalue()
        assert "Reviewed" in str((await stage.card_with("selma", "Reviewed"))["actions"])
