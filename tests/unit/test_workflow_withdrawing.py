"""Taking an approval back, on the real workflow and a real SQLite store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import approve, events, pending, refusal, state

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, How, State, Verdict
from bot.domain.policy import Policy, Step, Token, TokenKind
from tests.doubles.house import ADA, ALICE, MARTA, NED, OLIVIA, House, house, policy


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened


def ruled(*steps: Step, **terms: int) -> Policy:
    rules = tuple(replace(rule, steps=steps or rule.steps, **terms) for rule in policy().rules)  # type: ignore[arg-type]  # minutes
    return policy(rules=rules)


MANAGER, APPROVER = Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver")


async def withdraw(h: House, sent: o.AwaitingApproval, by: str = MARTA, *, typed: bool = False) -> o.Outcome:
    change = sent.view.change
    request = c.RequestId(change.id)
    command = c.Withdraw(request) if typed else c.Withdraw(request, h.parts.card_ref(change, by))
    return await h.desk.handle(command, h.envelope(by))


async def now(h: House, sent: o.AwaitingApproval) -> Change:
    found = await h.store.change(sent.view.change.id)
    assert found is not None
    return found


@pytest.mark.parametrize("typed", [True, False])
async def test_an_approval_is_taken_back_before_the_write(h: House, typed: bool) -> None:
    """The request waits again, the requester is told, the audit keeps it, and nothing is written."""
    sent = await pending(h)
    before = (await now(h, sent)).expires_at
    await approve(h, sent)
    answer = await withdraw(h, sent, typed=typed)
    assert isinstance(answer, o.AwaitingApproval)
    assert answer.view.may_vote
    await h.jobs.drain()
    change = await now(h, sent)
    assert (change.state, change.decided_at, change.expires_at) == (State.PENDING, None, before)
    assert [vote.verdict for vote in change.votes] == [Verdict.WITHDRAWN]
    assert any("withdrawn" in key for key in h.messenger.told(OLIVIA))
    assert not any(":remind:" in key for key in h.messenger.told(MARTA))
    assert (await events(h))[-1] != "change:mobile:attempted"
    assert "change:mobile:withdrawn" in await events(h)
    assert h.directory.effects == []


async def test_it_may_be_given_again(h: House) -> None:
    """A new approval replaces what was taken back and counts."""
    sent = await pending(h)
    await approve(h, sent)
    await withdraw(h, sent)
    assert isinstance(await approve(h, sent), o.Working)
    await h.jobs.drain()
    change = await now(h, sent)
    assert change.state is State.APPLIED
    assert [vote.verdict for vote in change.votes] == [Verdict.APPROVE]
    assert len(h.directory.effects) == 1


async def test_what_was_taken_back_is_listed_as_waiting_again(h: House) -> None:
    """`approvals` shows it to whoever may decide it now."""
    sent = await pending(h)
    await approve(h, sent)
    await withdraw(h, sent)
    page = await h.desk.handle(c.Approvals(), h.envelope(MARTA))
    assert isinstance(page, o.Page)
    assert [row.change.id for row in page.rows if row.change] == [sent.view.change.id]


async def test_while_cooling_it_can_be_taken_back(tmp_path: Path) -> None:
    """The waiting period is for second thoughts; a new approval begins it anew."""
    async with house(tmp_path, rules=ruled(cooling_minutes=60)) as h:
        sent = await pending(h)
        await approve(h, sent)
        h.clock.pass_by(minutes=5)
        await h.jobs.drain()
        assert await state(h, sent) is State.COOLING
        await withdraw(h, sent)
        h.clock.pass_by(minutes=120)
        await h.jobs.drain()
        assert await state(h, sent) is State.PENDING
        await approve(h, sent)
        h.clock.pass_by(minutes=59)
        await h.jobs.drain()
        assert h.directory.effects == []
        h.clock.pass_by(minutes=2)
        await h.jobs.drain()
        assert len(h.directory.effects) == 1


async def test_one_of_two_takes_it_back_and_the_other_sees_it(tmp_path: Path) -> None:
    """The second approver reads who approved, how, and that it was taken back; two new ones are needed."""
    async with house(tmp_path, rules=ruled(Step((MANAGER, APPROVER), 2))) as h:
        sent = await pending(h)
        await approve(h, sent)
        seen = await h.desk.handle(c.Status(c.RequestId(sent.view.change.id)), h.envelope(ADA))
        assert isinstance(seen, o.AwaitingApproval)
        assert [(v.person.name, v.how) for v in seen.view.change.votes] == [("Marta Mink", How.IN_PERSON)]
        await withdraw(h, sent)
        assert isinstance(await approve(h, sent, ADA), o.AwaitingApproval)
        await h.jobs.drain()
        assert h.directory.effects == []
        assert isinstance(await approve(h, sent), o.Working)


async def test_a_step_that_lacks_the_vote_is_asked_again(tmp_path: Path) -> None:
    """Two steps: who approved the first takes it back during the second; the second's vote stays."""
    async with house(tmp_path, rules=ruled(Step((MANAGER,)), Step((APPROVER,)))) as h:
        sent = await pending(h)
        await approve(h, sent)
        await h.jobs.drain()
        assert (await now(h, sent)).step is not None
        await withdraw(h, sent)
        change = await now(h, sent)
        assert change.step is not None
        assert change.step.n == 1
        assert isinstance(await approve(h, sent), o.AwaitingApproval)
        assert isinstance(await approve(h, sent, ADA), o.Working)


async def test_without_time_left_it_expires(h: House) -> None:
    """Expiry counts from the submit: an approval taken back after it leaves nothing to decide."""
    sent = await pending(h)
    h.clock.pass_by(minutes=1439)
    await approve(h, sent)
    h.clock.pass_by(minutes=5)
    await withdraw(h, sent)
    await h.jobs.drain()
    assert await state(h, sent) is State.EXPIRED
    assert h.directory.effects == []


async def test_too_late_once_it_is_written(h: House) -> None:
    """What was written is not unwritten by second thoughts."""
    sent = await pending(h)
    await approve(h, sent)
    await h.jobs.drain()
    assert refusal(await withdraw(h, sent)).code == "conflict.too-late-to-withdraw"
    assert await state(h, sent) is State.APPLIED


async def test_only_ones_own_approval_is_taken_back(h: House) -> None:
    """Requester, target and bystanders have none; twice is once."""
    sent = await pending(h)
    await approve(h, sent)
    for who, code in (
        (OLIVIA, "usage.no-approval"),
        (ALICE, "usage.no-approval"),
        (NED, "usage.request-unknown"),
    ):
        assert refusal(await withdraw(h, sent, who)).code == code
    await withdraw(h, sent)
    assert refusal(await withdraw(h, sent)).code == "usage.no-approval"
