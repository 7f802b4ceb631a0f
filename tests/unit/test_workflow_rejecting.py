"""Rejections of four kinds, on the real workflow and a real SQLite store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import approve, ask, events, pending, refusal, state
from security_desk import guarded, is_frozen

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Asking, Change, How, NoKind, State
from bot.domain.freeze import FreezeKind
from bot.domain.policy import Step, Token, TokenKind
from tests.doubles.house import ADA, ALICE, MARTA, OLIVIA, SAM, House, house, policy


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, outside=guarded()) as opened:
        yield opened


async def say_no(
    h: House, sent: o.AwaitingApproval, kind: NoKind, why: str = "not as it should be", by: str = MARTA
) -> o.Outcome:
    change = sent.view.change
    card = h.parts.card_ref(change, by)
    answer = await h.desk.handle(c.Reject(c.RequestId(change.id), why, card, kind), h.envelope(by))
    await h.jobs.drain()
    return answer


async def now(h: House, sent: o.AwaitingApproval) -> Change:
    found = await h.store.change(sent.view.change.id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (NoKind.NOT_NOW, "conflict.rejected"),
        (NoKind.LEFT, "conflict.rejected-left"),
        (NoKind.FRAUD, "conflict.rejected-fraud"),
    ],
)
async def test_a_rejection_ends_the_request_and_says_what_it_means(h: House, kind: NoKind, code: str) -> None:
    """Kind and reason stand in the vote and in the audit; both others hear of it."""
    sent = await pending(h)
    assert refusal(await say_no(h, sent, kind, "she called from +1 206 555 0177")).code == code
    change = await now(h, sent)
    assert change.state is State.REJECTED
    assert (change.votes[0].kind, change.votes[0].how) == (kind, None)
    assert change.votes[0].because == "she called from •••••• 77"
    records, _ = await h.store.history(ALICE, 10)
    facts = next(r.event.facts for r in records if r.event.name == "change:mobile:rejected")
    assert (facts["kind"], facts["because"]) == (kind.value, "she called from •••••• 77")
    for who in (OLIVIA, ALICE):
        assert any(":notice:ended" in key for key in h.messenger.told(who))
    assert h.directory.effects == []


@pytest.mark.parametrize("kind", NoKind)
async def test_every_rejection_needs_a_reason(h: House, kind: NoKind) -> None:
    """Also one that goes to somebody else, and one that alarms security."""
    sent = await pending(h)
    assert refusal(await say_no(h, sent, kind, "  ")).code == "usage.reason-missing"
    assert await state(h, sent) is State.PENDING
    assert not await is_frozen(h, ALICE)


async def test_fraud_freezes_the_person_and_alarms_security(h: House) -> None:
    """In the same commit; afterwards nothing goes forward for the person, whoever asks."""
    sent = await pending(h)
    await say_no(h, sent, NoKind.FRAUD, "Alice sits here and asked for nothing")
    held = await h.store.freeze_of(ALICE)
    assert held is not None
    assert (held.kind, held.by.oid, held.change_id) == (FreezeKind.FRAUD, MARTA, sent.view.change.id)
    assert {MARTA, OLIVIA} <= set(held.barred)
    assert any("freeze" in key for key in h.messenger.told(SAM))
    assert "person:freeze:set" in await events(h)
    assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "policy.frozen"


@pytest.mark.parametrize("kind", [NoKind.NOT_NOW, NoKind.LEFT, NoKind.WRONG_PERSON])
async def test_no_other_rejection_freezes(h: House, kind: NoKind) -> None:
    """Only fraud is fraud."""
    await say_no(h, await pending(h), kind)
    assert not await is_frozen(h, ALICE)


async def test_the_wrong_person_passes_the_request_on(h: House) -> None:
    """The fallback is asked, the requester told, the audit says who and why; the new approver may decide."""
    sent = await pending(h)
    answer = await say_no(h, sent, NoKind.WRONG_PERSON, "she moved to another team")
    assert isinstance(answer, o.AwaitingApproval)
    assert not answer.view.may_vote
    change = await now(h, sent)
    assert change.state is State.PENDING
    marked = next(each for each in change.steps[0].asked if each.person.oid == MARTA)
    assert marked.state is Asking.DECLINED
    assert "Marta Mink (manager) says that somebody else should decide: she moved to another team" in (
        change.steps[0].missing
    )
    assert any(":ask:" in key for key in h.messenger.told(ADA))
    assert any("declined" in key for key in h.messenger.told(OLIVIA))
    assert "change:mobile:passed-on" in await events(h)
    assert isinstance(await approve(h, sent, ADA), o.Working)
    await h.jobs.drain()
    assert await state(h, sent) is State.APPLIED


async def test_whoever_passed_it_on_does_not_decide_it(h: House) -> None:
    """Neither by the old card nor typed, and it is no longer in their list."""
    sent = await pending(h)
    await say_no(h, sent, NoKind.WRONG_PERSON)
    assert refusal(await approve(h, sent)).code == "access.passed-on"
    waiting = await h.desk.handle(c.Approvals(), h.envelope(MARTA))
    assert isinstance(waiting, o.Page)
    assert waiting.rows == ()
    assert await state(h, sent) is State.PENDING


async def test_nobody_left_ends_it_as_rejected(h: House) -> None:
    """The last one who could decide passes it on: the request ends and says why."""
    sent = await pending(h)
    await say_no(h, sent, NoKind.WRONG_PERSON)
    said = refusal(await say_no(h, sent, NoKind.WRONG_PERSON, "not mine", ADA))
    assert said.code == "conflict.nobody-left"
    assert said.facts["name"] == "Ada Ames"
    change = await now(h, sent)
    assert change.state is State.REJECTED
    assert change.ended_by is not None
    assert change.ended_by.oid == ADA
    late = await approve(h, sent, ADA)
    assert refusal(late).facts["name"] == "Ada Ames"


async def test_too_few_left_for_two_approvals_ends_it(tmp_path: Path) -> None:
    """Two of two must decide and one passes it on: nobody could ever satisfy the rule."""
    token = (Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver"))
    rules = tuple(replace(rule, steps=(Step(token, 2),)) for rule in policy().rules)
    async with house(tmp_path, rules=policy(rules=rules)) as h:
        sent = await pending(h)
        assert isinstance(await approve(h, sent), o.AwaitingApproval)
        said = refusal(await say_no(h, sent, NoKind.WRONG_PERSON, by=ADA))
        assert said.code == "conflict.nobody-left"


async def test_a_typed_rejection_says_its_kind(h: House) -> None:
    """`reject ID fraud because …` does what the card does; only with the right tail."""
    sent = await pending(h)
    change = sent.view.change
    typed = c.RequestId(change.id, change.tail)
    shown = await h.desk.handle(
        c.Reject(c.RequestId(change.id), "strange", kind=NoKind.FRAUD), h.envelope(MARTA)
    )
    assert isinstance(shown, o.AwaitingApproval)
    assert not await is_frozen(h, ALICE)
    await h.desk.handle(c.Reject(typed, "strange", kind=NoKind.FRAUD), h.envelope(MARTA))
    assert await is_frozen(h, ALICE)


async def test_a_bystander_cannot_freeze_by_rejecting(h: House) -> None:
    """Only who may decide may call it fraud."""
    sent = await pending(h)
    for who, code in ((ADA, "usage.request-unknown"), (OLIVIA, "access.own-request")):
        assert refusal(await say_no(h, sent, NoKind.FRAUD, by=who)).code == code
    assert not await is_frozen(h, ALICE)
    assert (await now(h, sent)).votes == ()


async def test_how_is_of_approvals_only(h: House) -> None:
    """The vote of a rejection holds no word on how the person was asked."""
    sent = await pending(h)
    change = sent.view.change
    yes = c.Approve(c.RequestId(change.id), h.parts.card_ref(change, MARTA), How.KNOWN_NUMBER)
    await h.desk.handle(yes, h.envelope(MARTA))
    assert (await now(h, sent)).votes[0].kind is None
