"""Rules with several steps, a file that changes on the way, and questions about it, all over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from stage import Stage

from bot.questions import NoQuestion, explain_policy, replay_policy
from bot.settings.policy_file import load_policy

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
ONE = 'steps = [{ approvers = ["manager-of-target"], need = 1, fallback = ["role:approver"] }]'
TWO = (
    'steps = [\n    { approvers = ["manager-of-target"] },\n'
    '    { approvers = ["role:approver", "role:security"], need = 2 },\n]'
)
ALICE_00 = ("alice", "mobile", "+1 2065550100")


def two_steps(text: str) -> str:
    """The demo's policy, but the manager and then two others decide about ordinary people."""
    assert ONE in text
    return text.replace(ONE, TWO)


async def approved(stage: Stage, who: str) -> None:
    await stage.card_with(who, "Approve")
    await stage.click(who, "Approve")
    await stage.settle()


async def test_two_steps_the_second_with_two_people(opened: Opened) -> None:
    """The second is asked when the first is done; nothing is written before all three have agreed."""
    async with opened(policy=two_steps) as stage:
        first, second = "arthur", "sven"
        await stage.pending()
        await stage.card_with("marta", "Approve")
        assert "Your decision is needed" not in await stage.all_text(first)
        await approved(stage, "marta")
        assert await stage.effects() == []
        await approved(stage, first)
        assert await stage.effects() == []
        again = await stage.ask(
            "marta", f"approve {stage.printed_id(await stage.newest('olivia'))} in person"
        )
        assert "counts" in again or "not yours" in again
        await approved(stage, second)
        assert "Done" in await stage.all_text("olivia")
        await stage.ends_with(ALICE_00, audited=("change:mobile:asked", "change:mobile:applied"))
        names = await stage.audit_names()
        assert names.count("change:mobile:approved") == 3


async def test_a_manager_who_changes_after_the_vote_makes_it_void(opened: Opened) -> None:
    """C11: the vote is gone, the new manager is asked, the requester is told, nothing is written."""
    async with opened(works=False) as stage:
        await stage.pending()
        await stage.parts.jobs.drain()
        await stage.card_with("marta", "Approve")
        await stage.click("marta", "Approve")
        await stage.patch("alice", manager="nora")
        await stage.parts.jobs.drain()
        assert await stage.effects() == []
        assert "The approval of Marta Mayfair no longer counts" in await stage.text("olivia")
        await stage.card_with("nora", "Approve")
        await stage.click("nora", "Approve")
        await stage.parts.jobs.drain()
        await stage.ends_with(ALICE_00, audited=("change:mobile:vote-void", "change:mobile:applied"))


@pytest.mark.parametrize("enough", [True, False])
async def test_another_file_after_the_vote(opened: Opened, enough: bool) -> None:
    """A restart with another file: what still has its approvals is done, what lacks some waits for them."""
    async with opened(works=False) as stage:
        await stage.pending()
        await stage.parts.jobs.drain()
        await stage.card_with("marta", "Approve")
        await stage.click("marta", "Approve")
        await stage.end()
        file = stage.settings.policy_file
        text = file.read_text("utf-8")
        file.write_text(text + "# looked through\n" if enough else two_steps(text), "utf-8")
        await stage.begin()
        await stage.say("olivia", "hi")
        await stage.parts.jobs.drain()
        assert "change:mobile:judged-again" in await stage.audit_names()
        if enough:
            await stage.ends_with(ALICE_00)
            return
        assert await stage.effects() == []
        assert "The policy has changed" in await stage.text("olivia")
        for who in ("arthur", "sven"):
            await stage.card_with(who, "Approve")
            await stage.click(who, "Approve")
            await stage.parts.jobs.drain()
        await stage.ends_with(ALICE_00, audited=("change:mobile:applied",))


async def test_questions_beside_a_running_bot(any_stage: Stage, tmp_path: Path) -> None:
    """`policy explain` and `policy replay` answer from the true directory and store, and change nothing."""
    stage = any_stage
    await stage.pending()
    await stage.settle()
    policy = load_policy(stage.settings.policy_file)
    before, log = await stage.audit_names(), len(await stage.view("marta"))
    said = "\n".join(await explain_policy(stage.settings, policy, "olivia", "set mobile for alice"))
    assert "Olivia" in said
    assert "rule 1 “ordinary change” decides" in said
    assert "requests of" in said
    with pytest.raises(NoQuestion, match="cannot find"):
        await explain_policy(stage.settings, policy, "nobody@contoso.example", "set mobile for alice")
    other = tmp_path / "other.toml"
    other.write_text(two_steps(stage.settings.policy_file.read_text("utf-8")), "utf-8")
    since = datetime.now(stage.clock.now().tzinfo) - timedelta(days=1)
    lines = await replay_policy(stage.settings, load_policy(other), since)
    assert lines[0].startswith("1 requests since")
    assert "     1  more approvals" in lines[1]
    assert await stage.audit_names() == before
    assert len(await stage.view("marta")) == log
    await stage.ends_with()
