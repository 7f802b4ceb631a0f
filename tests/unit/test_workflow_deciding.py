"""Deciding a request: how an approver knows, on the real workflow and a real SQLite store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import approve, pending, refusal, state

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import How, State
from bot.domain.policy import Deciding
from tests.doubles.house import ALICE, MARTA, NED, OLIVIA, House, house, policy


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened


def yes(h: House, sent: o.AwaitingApproval, how: How | None, by: str = MARTA) -> c.Approve:
    change = sent.view.change
    return c.Approve(c.RequestId(change.id), h.parts.card_ref(change, by), how)


@pytest.mark.parametrize("how", [How.IN_PERSON, How.KNOWN_NUMBER])
async def test_how_an_approver_knows_is_kept_with_the_vote(h: House, how: How) -> None:
    """The vote and the audit say how, beside the hash of what was approved."""
    sent = await pending(h)
    await h.desk.handle(yes(h, sent, how), h.envelope(MARTA))
    change = await h.store.change(sent.view.change.id)
    assert change is not None
    [vote] = change.votes
    assert (vote.how, vote.content_hash) == (how, change.content_hash)
    records, _ = await h.store.history(ALICE, 1)
    assert records[0].event.facts["how"] == how.value
    assert records[0].event.facts["content"] == change.content_hash


@pytest.mark.parametrize("typed", [True, False])
async def test_an_approval_without_how_shows_the_card_and_decides_nothing(h: House, typed: bool) -> None:
    """Also with the right tail or a genuine button: the card comes again and asks."""
    sent = await pending(h)
    change = sent.view.change
    command = c.Approve(c.RequestId(change.id, change.tail)) if typed else yes(h, sent, None)
    shown = await h.desk.handle(command, h.envelope(MARTA))
    assert isinstance(shown, o.AwaitingApproval)
    assert shown.view.may_vote
    assert shown.said is not None
    assert shown.said.code == "usage.how-missing"
    assert await state(h, sent) is State.PENDING


async def test_who_may_not_decide_is_not_asked_how(h: House) -> None:
    """A bystander learns nothing; the requester is refused as ever."""
    sent = await pending(h)
    for who, code in ((NED, "usage.request-unknown"), (OLIVIA, "access.own-request")):
        assert refusal(await h.desk.handle(yes(h, sent, None, who), h.envelope(who))).code == code


async def test_who_did_not_ask_the_person_does_not_count(h: House) -> None:
    """A refusal that is audited; the request still waits, and a later word with the person counts."""
    sent = await pending(h)
    said = await h.desk.handle(yes(h, sent, How.DID_NOT), h.envelope(MARTA))
    assert refusal(said).code == "policy.approver-must-know"
    assert await state(h, sent) is State.PENDING
    change = await h.store.change(sent.view.change.id)
    assert change is not None
    assert change.votes == ()
    records, _ = await h.store.history(ALICE, 1)
    assert records[0].event.facts["code"] == "policy.approver-must-know"
    assert isinstance(await approve(h, sent), o.Working)


async def test_a_policy_may_let_it_count(tmp_path: Path) -> None:
    """Where the owner of the policy says so, and the vote says that nobody was spoken to."""
    rules = replace(policy(), deciding=Deciding(may_not_know=True))
    async with house(tmp_path, rules=rules) as h:
        sent = await pending(h)
        assert isinstance(await h.desk.handle(yes(h, sent, How.DID_NOT), h.envelope(MARTA)), o.Working)
        change = await h.store.change(sent.view.change.id)
        assert change is not None
        assert change.votes[0].how is How.DID_NOT
