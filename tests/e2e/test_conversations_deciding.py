"""Deciding, as people do it: kinds of rejections, second thoughts, "this was not me", and taking over.

Played over HTTP on SQLite and on PostgreSQL; the player fills in fields and is held to them as by a client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from stage import Stage
from test_attacks_c import data_of, yes_of
from test_conversations import ALICE_00, ASK, Write

from bot.jobs import LEASE

Opened = Callable[..., AbstractAsyncContextManager[Stage]]

ASKED = f"""
        {ASK}
        /click Submit for approval
        /as marta
        /expect Your decision is needed
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Lines of the player, what is written in the end, and what must be in the audit trail."""

    lines: str
    writes: tuple[Write, ...] = ()
    audited: tuple[str, ...] = ()


CONVERSATIONS = {
    "not now, by button": Conversation(
        f"""
        {ASKED}
        /fill because come back tomorrow
        /click Reject
        /expect-all Rejected: nothing was changed
        /as olivia
        /expect conflict.rejected
        /expect come back tomorrow
        """,
        audited=("change:mobile:rejected",),
    ),
    "the person has left, typed": Conversation(
        f"""
        {ASKED}
        reject {{id}} left because her last day was Friday
        /expect-all has left
        /as olivia
        /expect her last day was Friday
        """,
        audited=("change:mobile:rejected",),
    ),
    "fraud, by button": Conversation(
        f"""
        {ASKED}
        /fill kind fraud
        /fill because Alice sits beside me and asked for nothing
        /click Reject
        /expect was rejected as a fraud
        /as olivia
        /expect was rejected as a fraud
        /as selma
        /expect Alice Anders is frozen
        /expect An approver took a request for fraud: Marta Mayfair
        /as alice
        /expect Your phones are frozen here
        /as omar
        {ASK}
        /expect policy.frozen
        """,
        audited=("change:mobile:rejected", "person:freeze:set"),
    ),
    "fraud, typed": Conversation(
        f"""
        {ASKED}
        reject {{id}} fraud
        /expect A refusal needs a reason
        reject {{id}} fraud because nobody called me
        /expect was rejected as a fraud
        /as sven
        /expect Alice Anders is frozen
        """,
        audited=("person:freeze:set",),
    ),
    "the wrong person passes it on, the next decides": Conversation(
        f"""
        {ASKED}
        /fill kind wrong-person
        /fill because she moved to sales
        /click Reject
        /expect says that somebody else should decide: she moved to sales
        approve {{id}} in person
        /expect access.passed-on
        /as olivia
        /expect says that somebody else should decide
        /as arthur
        /expect Your decision is needed
        /expect says that somebody else should decide: she moved to sales
        /fill how in-person
        /click Approve
        /expect-all Done
        """,
        (ALICE_00,),
        ("change:mobile:passed-on", "change:mobile:approved"),
    ),
    "nobody is left": Conversation(
        f"""
        {ASKED}
        reject {{id}} wrong person because not my team
        /as arthur
        /expect Your decision is needed
        reject {{id}} wrong person because not mine
        /as astrid
        /expect Your decision is needed
        reject {{id}} wrong person because neither
        /as anselm
        /expect Your decision is needed
        reject {{id}} wrong person because nor mine
        /expect-all nobody is left to decide it
        """,
        audited=("change:mobile:passed-on", "change:mobile:rejected"),
    ),
    "this was not me, before the write": Conversation(
        f"""
        {ASKED}
        /as alice
        /expect Somebody asked to change your phone
        /click This was not me
        /expect You said that this was not you
        /as marta
        /expect is not theirs
        approve {{id}} in person
        /expect conflict.already-decided
        /as olivia
        /expect is not theirs
        /as selma
        /expect Alice Anders is frozen
        """,
        audited=("change:mobile:disputed", "person:freeze:set"),
    ),
    "this was not me, after the write": Conversation(
        f"""
        {ASKED}
        approve {{id}} in person
        /as alice
        /expect Your mobile is now
        not me {{id}}
        /expect You said that this was not you
        /as sven
        /expect Alice Anders is frozen
        /as olivia
        /expect says that this was not them
        /number alice mobile +12065550100
        """,
        (ALICE_00,),
        ("change:mobile:applied", "change:mobile:disputed", "person:freeze:set"),
    ),
    "taken over by a colleague": Conversation(
        f"""
        {ASKED}
        /as olivia
        take {{id}}
        /expect usage.yours-already
        /as omar
        open
        /expect Alice Anders
        """,
    ),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_conversation_ends_as_it_should(name: str, any_stage: Stage) -> None:
    """Each person sees what the lines say, the directory takes just the stated writes, the chain verifies."""
    conversation = CONVERSATIONS[name]
    async with any_stage.player() as player:
        for line in conversation.lines.splitlines():
            await player.line(line)
    await any_stage.ends_with(*conversation.writes, audited=conversation.audited)


async def test_a_colleague_goes_on_and_both_are_out(any_stage: Stage) -> None:
    """The number is masked for the taker; the old request ends and its card decides nothing."""
    stage = any_stage
    old = await stage.pending()
    asked = await stage.card_with("marta", "Approve")
    said = await stage.ask("omar", f"take {old}")
    assert "Taken over from R-" in said
    assert "5550100" not in said.replace(" ", "")
    await stage.click("omar", "Submit for approval")
    await stage.settle()
    assert "was taken over by Omar Odell" in await stage.all_text("olivia")
    await stage.forged("marta", "approve", yes_of(asked))
    await stage.settle()
    assert await stage.effects() == []
    new = stage.printed_id(await stage.newest("omar"))
    assert new != old
    for who, code in (("olivia", "usage.request-unknown"), ("omar", "access.own-request")):
        assert code in await stage.ask(who, f"approve {new} in person") or who == "olivia"
    await stage.say("marta", f"approve {new} in person")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE_00, audited=("change:mobile:taken-over", "change:mobile:applied"))


@pytest.fixture
async def cooling(opened: Opened) -> AsyncIterator[Stage]:
    """The company, with half an hour between the last approval and the write."""

    def slower(text: str) -> str:
        return text.replace("execute_minutes = 240", "execute_minutes = 240\ncooling_minutes = 30")

    async with opened(policy=slower) as there:
        yield there


async def test_second_thoughts_while_it_cools(cooling: Stage) -> None:
    """Taken back by button: it waits again, everybody's card says so, and nothing is written later."""
    request = await cooling.pending()
    await cooling.click("marta", "Approve")
    await cooling.settle()
    assert "Approved, in the waiting period" in await cooling.all_text("olivia")
    await cooling.click("marta", "Take my approval back")
    await cooling.settle()
    for who in ("olivia", "marta"):
        assert "Approval taken back by: Marta Mayfair" in await cooling.all_text(who)
    await cooling.later(hours=1)
    assert await cooling.effects() == []
    await cooling.say("marta", f"approve {request} known number")
    await cooling.later(minutes=31)
    await cooling.ends_with(ALICE_00, audited=("change:mobile:withdrawn", "change:mobile:applied"))


async def test_not_me_while_it_cools(cooling: Stage) -> None:
    """The person concerned stops what was approved already."""
    await cooling.pending()
    await cooling.click("marta", "Approve")
    await cooling.settle()
    await cooling.click("alice", "This was not me")
    await cooling.later(hours=1)
    await cooling.ends_with(audited=("change:mobile:approved", "change:mobile:disputed"))


@pytest.mark.parametrize("old_client", [False, True])
async def test_an_old_client_sends_the_fields_as_well(old_client: bool, stage: Stage) -> None:
    """Action.Submit and Action.Execute: kind and reason arrive, and mean the same."""
    await stage.pending()
    card = await stage.card_with("marta", "Reject")
    said = {"kind": "fraud", "because": "nobody called me"}
    await stage.click("marta", "Reject", activity_id=card["activity_id"], inputs=said, old_client=old_client)
    await stage.ends_with(audited=("change:mobile:rejected", "person:freeze:set"))


FORGED = {
    "another kind": {"kind": "maybe"},
    "a list as kind": {"kind": ["fraud"]},
    "how of a rejection": {"how": "in-person"},
    "a target": {"target": "somebody"},
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_rejection_decides_nothing(name: str, stage: Stage) -> None:
    """Anything in the data that the card does not send makes the press void, and nobody is frozen."""
    request = await stage.pending()
    card = await stage.card_with("marta", "Reject")
    data = data_of(card, "reject") | {"because": "forged"} | FORGED[name]
    assert "usage.card-tampered" in str(await stage.forged("marta", "reject", data))
    assert "Waiting for approval" in await stage.ask("olivia", f"status {request}")
    assert "person:freeze:set" not in await stage.audit_names()


@pytest.mark.parametrize("verb", ["withdraw", "not-me"])
@pytest.mark.parametrize("who", ["mallory", "marta", "olivia", "arthur"])
async def test_whose_say_it_is_not_changes_nothing(verb: str, who: str, stage: Stage) -> None:
    """A forged button with the approver's nonce, pressed by anybody: no vote goes, nobody is frozen (H10)."""
    request = await stage.pending()
    data = data_of(await stage.card_with("marta", "Approve"), "approve")
    await stage.forged(who, verb, data)
    assert "Waiting for approval" in await stage.ask("olivia", f"status {request}")
    names = await stage.audit_names()
    assert not {"person:freeze:set", "change:mobile:disputed", "change:mobile:withdrawn"} & set(names)


async def test_a_vote_leaves_the_cards_to_whoever_draws_what_comes_of_it(opened: Opened) -> None:
    """Every copy is drawn once for one approval, that which was clicked too, and shows the end."""
    async with opened(works=False) as stage:
        await stage.say("olivia", ASK)
        await stage.settle()
        await stage.click("olivia", "Submit for approval")
        await stage.settle()
        before = len(await stage.sent())
        await stage.click("marta", "Approve")
        await stage.parts.bot.settle()
        assert [each["verb"] for each in (await stage.sent())[before:] if each["verb"] == "PUT"] == []
        written = await stage.parts.store.claim_changes("first", stage.clock.now(), LEASE, 8)
        for change in written:
            await stage.parts.desk.applying.work(change)
        await stage.settle()
        drawn = [each["path"] for each in (await stage.sent())[before:] if each["verb"] == "PUT"]
        assert len(drawn) == len(set(drawn)) == 3
        for who in ("olivia", "marta", "alice"):
            assert "Done" in await stage.all_text(who), who
        await stage.ends_with(ALICE_00)
